// SPDX-License-Identifier: Apache-2.0
// A node that lies: clear reasons, no crash, and work goes on as soon as it is honest again.
#include <gmock/gmock.h>

#include <fstream>

#include "base/hex.h"
#include "tests/worker/app_support.h"
#include "worker/source/node_client.h"

namespace sparkmill::worker {
namespace {

using testing::Hand;
using testing::LyingProxy;
using testing::port_of;
using testing::Town;
using Exchange = LyingProxy::Exchange;

bool is(const Exchange& e, const char* prefix) { return e.target.rfind(prefix, 0) == 0; }

std::uint64_t resident_mb() {
  std::ifstream f("/proc/self/status");
  for (std::string line; std::getline(f, line);) {
    if (line.rfind("RssAnon:", 0) == 0) return std::stoull(line.substr(8)) / 1024;
  }
  return 0;
}

struct Lies : ::testing::Test {
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(town.start_node());
    proxy = std::make_unique<LyingProxy>(port_of(town.node->url()));
  }
  /// Starts the worker while the lie is told, waits for the sentence, goes honest, and wants two receipts.
  void lied_to(const std::string& sentence) {
    Hand hand(town.folder, "lena", proxy->url(), 2);
    ASSERT_NO_FATAL_FAILURE(hand.start());
    EXPECT_TRUE(hand.will_say(sentence, 30)) << hand.all_said();
    proxy->honest();
    ASSERT_TRUE(hand.ends(60)) << hand.all_said();
    EXPECT_TRUE(hand.result) << hand.result.error().message;
    EXPECT_EQ(hand.app->totals().accepted, 2u) << hand.all_said();
  }
  Town town;
  // What the lies write to; it outlives the proxy's sessions.
  std::mutex m;
  std::string lease;
  std::atomic<std::uint64_t> sent{0};
  std::atomic<int> swallowed{0};
  std::unique_ptr<LyingProxy> proxy;
};

TEST_F(Lies, BlobsThatDoNotMatchTheirHash) {
  proxy->twist([](const Exchange& e, std::string& answer) {
    if (is(e, "/v1/blobs/")) answer.back() = static_cast<char>(answer.back() ^ 0x40);
  });
  lied_to("does not match its hash");
}

TEST_F(Lies, TenGigabytesInsteadOfABlob) {
  const std::uint64_t before = resident_mb();
  proxy->lie([&](const Exchange& e) {
    if (!is(e, "/v1/blobs/")) return false;
    e.send("HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ntransfer-encoding: chunked\r\n\r\n");
    const std::string chunk = "100000\r\n" + std::string(1u << 20, 'x') + "\r\n";
    for (int i = 0; i < 10'240 && !*e.stopping; ++i) {
      if (!e.send(chunk)) break;
      sent += 1u << 20;
    }
    return true;
  });
  Hand hand(town.folder, "lena", proxy->url(), 1);
  hand.settings.blob_cache_bytes = 64u << 20;
  ASSERT_NO_FATAL_FAILURE(hand.start());
  EXPECT_TRUE(hand.will_say("given up", 30)) << hand.all_said();
  EXPECT_LT(sent, 400ull << 20) << "reading must stop at the limit";
  proxy->honest();
  ASSERT_TRUE(hand.ends(60)) << hand.all_said();
  EXPECT_EQ(hand.app->totals().accepted, 1u);
  EXPECT_LT(resident_mb(), before + 200);
}

TEST_F(Lies, TenGigabytesInsteadOfAnAnswer) {
  proxy->lie([](const Exchange& e) {
    if (!is(e, "/v1/info")) return false;
    e.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 10737418240\r\n\r\n{");
    for (int i = 0; i < 10'240 && !*e.stopping; ++i) {
      if (!e.send(std::string(1u << 20, ' '))) break;
    }
    return true;
  });
  lied_to("over the limit");
}

TEST_F(Lies, GarbageThatIsNotHttp) {
  proxy->lie([](const Exchange& e) {
    if (!is(e, "/v1/leases")) return false;
    static constexpr char kGarbage[] = "\x16\x03\x01\x02\x00garbage\r\n\r\n\x00\xff";
    e.send(std::string(kGarbage, sizeof kGarbage - 1));
    return true;
  });
  lied_to("not HTTP");
}

TEST_F(Lies, JsonThatMakesNoSense) {
  proxy->lie([](const Exchange& e) {
    if (!is(e, "/v1/info")) return false;
    e.answer(200, R"({"protocol": 1, "version": [[[[]]]], "time_ms": -5})");
    return true;
  });
  lied_to("trying again");
}

TEST_F(Lies, AnImpossibleJob) {
  // The id is a hash of the job, so a changed job is noticed before anything is fetched.
  proxy->twist([](const Exchange& e, std::string& answer) {
    if (e.target != "/v1/leases") return;
    const std::size_t at = answer.find("\"job\"");
    if (at == std::string::npos) return;
    char& digit = answer[answer.find('"', at + 6) + 200];
    digit = digit == '0' ? '1' : '0';
  });
  lied_to("not taken");
}

TEST_F(Lies, BeaconsThatDoNotFit) {
  proxy->twist([](const Exchange& e, std::string& answer) {
    if (!is(e, "/v1/blocks/") || is(e, "/v1/blocks/latest")) return;
    const std::size_t at = answer.find("\"beacon_secret\":\"");
    if (at == std::string::npos) return;
    char& digit = answer[at + 17];
    digit = digit == '0' ? '1' : '0';
  });
  Hand hand(town.folder, "lena", proxy->url(), 1);
  ASSERT_NO_FATAL_FAILURE(hand.start());
  ASSERT_TRUE(hand.will_say("commit recorded", 30)) << hand.all_said();
  ::usleep(2'000'000);
  EXPECT_FALSE(hand.says("leaves opened")) << "nothing is opened for a challenge that was made up";
  proxy->honest();
  ASSERT_TRUE(hand.ends(60)) << hand.all_said();
  EXPECT_EQ(hand.app->totals().accepted, 1u) << hand.all_said();
}

TEST_F(Lies, AReceiptThatNobodySigned) {
  proxy->twist([](const Exchange& e, std::string& answer) {
    const std::size_t at = answer.find("\"credit_microcobble\":");
    if (at == std::string::npos || is(e, "/v1/accounts/")) return;
    char& digit = answer[at + 21];  // one digit of the credit, length unchanged
    digit = digit == '9' ? '8' : '9';
  });
  Hand hand(town.folder, "lena", proxy->url(), 1);
  ASSERT_NO_FATAL_FAILURE(hand.start());
  ASSERT_TRUE(hand.will_say("leaves opened", 30)) << hand.all_said();
  ::usleep(2'000'000);
  EXPECT_EQ(hand.app->totals().accepted, 0u);
  proxy->honest();
  ASSERT_TRUE(hand.ends(60)) << hand.all_said();
  EXPECT_EQ(hand.app->totals().accepted, 1u) << hand.all_said();
}

TEST_F(Lies, ACancelledLeaseIsDroppedWhileItRuns) {
  proxy->twist([&](const Exchange& e, std::string& answer) {
    if (e.target != "/v1/leases") return;
    const std::size_t at = answer.find("\"lease_id\":\"");
    std::lock_guard lock(m);
    if (at != std::string::npos && lease.empty()) lease = answer.substr(at + 12, 32);
  });
  proxy->lie([&](const Exchange& e) {
    if (!is(e, "/v1/events")) return false;
    e.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nevent: cancel\ndata: not even json\n\n");
    while (!*e.stopping) {
      ::usleep(50'000);
      std::lock_guard lock(m);
      if (!lease.empty() && !e.send("event: cancel\ndata: {\"lease_id\": \"" + lease + "\", \"reason\": \"void\"}\n\n"))
        break;
    }
    return true;
  });
  Hand hand(town.folder, "lena", proxy->url(), 1);
  ASSERT_NO_FATAL_FAILURE(hand.start());
  ASSERT_TRUE(hand.app->pause("cpu", 0));  // so that the lease is still running when the word comes
  EXPECT_TRUE(hand.will_say("the node has cancelled it", 20)) << hand.all_said();
  ASSERT_TRUE(hand.app->resume("cpu"));
  proxy->honest();
  ASSERT_TRUE(hand.ends(60)) << hand.all_said();
  EXPECT_EQ(hand.app->totals().accepted, 1u);
  EXPECT_EQ(hand.app->totals().stale, 1u);
}

TEST_F(Lies, HangsAndStopStillWorks) {
  proxy->lie([](const Exchange& e) {
    if (is(e, "/v1/info") || is(e, "/v1/workers")) return false;
    while (!*e.stopping) ::usleep(10'000);
    return true;
  });
  Hand hand(town.folder, "lena", proxy->url(), 1);
  ASSERT_NO_FATAL_FAILURE(hand.start());
  ::usleep(1'500'000);
  const auto t0 = std::chrono::steady_clock::now();
  hand.app->stop();
  hand.app.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - t0, std::chrono::seconds(3)) << "a hanging node must not hold the end";
}

TEST_F(Lies, AnotherKeyAfterTheFirstContactIsRefused) {
  {
    Hand hand(town.folder, "lena", proxy->url(), 1);
    ASSERT_NO_FATAL_FAILURE(hand.start());
    ASSERT_TRUE(hand.ends(60)) << hand.all_said();
  }
  Town other;
  ASSERT_NO_FATAL_FAILURE(other.start_node());
  proxy->set_node(port_of(other.node->url()));
  Hand hand(town.folder, "lena", proxy->url(), 1);
  ASSERT_NO_FATAL_FAILURE(hand.start());
  ASSERT_TRUE(hand.ends(20)) << hand.all_said();
  EXPECT_EQ(hand.result.status(), Status::refused);
  EXPECT_EQ(exit_code(hand.result.status()), 7);
  EXPECT_THAT(hand.result.error().message, ::testing::HasSubstr("the node's key is"));
  hand.app.reset();

  Hand trusting(town.folder, "lena", proxy->url(), 1);  // ... unless the user names the new key
  trusting.settings.node_key = to_hex(other.node->node_pub());
  ASSERT_NO_FATAL_FAILURE(trusting.start());
  ASSERT_TRUE(trusting.ends(60)) << trusting.all_said();
  EXPECT_TRUE(trusting.result);
}

/// Answers are lost on the way back: everything is sent again, and nothing is counted twice.
TEST_F(Lies, LostAnswersMeanDuplicateSubmitsThatCountOnce) {
  proxy->twist([&](const Exchange& e, std::string& answer) {
    const bool submit = e.target.find("/commit") != std::string::npos || e.target.find("/open") != std::string::npos;
    if (submit && swallowed++ % 2 == 0) answer.clear();
  });
  Hand hand(town.folder, "lena", proxy->url(), 3);
  ASSERT_NO_FATAL_FAILURE(hand.start());
  ASSERT_TRUE(hand.ends(90)) << hand.all_said();
  EXPECT_EQ(hand.app->totals().accepted, 3u) << hand.all_said();
  EXPECT_GE(swallowed, 6);
  auto link = *NodeLink::make(
      {proxy->url(), {}, {}, {}}, keys::KeyFile::from_seed(hand.seed),
      {[](const std::string&) -> Result<std::optional<keys::PublicKey>> { return std::optional<keys::PublicKey>(); },
       [](const std::string&, const keys::PublicKey&) { return done(); }},
      system_clock());
  NodeClient client(link);
  auto account = client.account();
  ASSERT_TRUE(account);
  EXPECT_EQ(account->accepted, 3u);
  EXPECT_EQ(account->credit_microcobble, hand.app->totals().credit_microcobble);
}

TEST(Beacons, AreCheckedAgainstEachOther) {
  protocol::Block a, b;
  a.height = 12;
  b.height = 13;
  b.beacon_secret[0] = 1;
  a.beacon_secret = sha256(b.beacon_secret);
  a.hash[0] = 7;
  b.hash[0] = 8;
  b.previous = a.hash;
  for (protocol::Block* x : {&a, &b}) {
    ByteWriter w;
    w.bytes("sparkmill/beacon/v1").bytes(x->hash).bytes(x->beacon_secret);
    x->beacon = sha256(w.data());
  }
  EXPECT_TRUE(check_beacons(a, b, 10));
  EXPECT_FALSE(check_beacons(a, b, 9));
  protocol::Block w = b;
  w.beacon[3] ^= 1;
  EXPECT_FALSE(check_beacons(a, w, 10));
  w = b;
  w.previous[0] ^= 1;
  EXPECT_FALSE(check_beacons(a, w, 10));
  w = a;
  w.beacon_secret[9] ^= 1;
  ByteWriter again;
  again.bytes("sparkmill/beacon/v1").bytes(w.hash).bytes(w.beacon_secret);
  w.beacon = sha256(again.data());
  EXPECT_FALSE(check_beacons(w, b, 10)) << "a secret outside the chain";
}

}  // namespace
}  // namespace sparkmill::worker
