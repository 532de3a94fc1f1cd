// SPDX-License-Identifier: Apache-2.0
// The texts of stratum as captured from real servers, in every cutting, and what is wrong with wrong ones.
#include "worker/source/stratum_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "base/hex.h"

namespace sparkmill::mining::stratum {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// The job of the mining page: block 257 of a solonet chain, whose nonce 1 is a block.
constexpr char kJob[] =
    R"({"version":"0100000000000000","height":"0101000000000000",)"
    R"("previous_block_hash":"eb7a605311ba019cd8173c7aed08f6397b9e451506c899ebecab4da418deeba3",)"
    R"("timestamp":"781c016b00000000",)"
    R"("transactions_merkle_root":"fd7369455bbe845ed385c604870de53275dbb7a859becafa1d9c943010f1cb34",)"
    R"("transaction_status_hash":"c9c377e5192668bc0a367e4a4764f11e7c725ecced1d7b6a492974fab1b6d5bc",)"
    R"("nonce":"0000000000000000","bits":"cccc0c0000000020","job_id":"5577006791947779410",)"
    R"("seed":"eb7a605311ba019cd8173c7aed08f6397b9e451506c899ebecab4da418deeba3","target":"99999919"})";

std::string notify(const std::string& job = kJob) { return R"({"jsonrpc":"2.0","method":"job","params":)" + job + "}"; }

std::string with(const std::string& member, const std::string& value) {
  std::string job = kJob;
  const std::size_t at = job.find("\"" + member + "\":") + member.size() + 3;
  const std::size_t end = job.find_first_of(",}", at);
  return job.replace(at, end - at, value);
}

Message read(const std::string& text, NonceOrder order = NonceOrder::automatic) {
  auto m = read_message(text, order);
  EXPECT_TRUE(m.ok()) << m.error().message;
  return m ? *m : Message{};
}

std::vector<std::string> split(const std::vector<std::string>& pieces, bool ok = true) {
  Splitter s;
  std::vector<std::string> out;
  Done fed = done();
  for (const std::string& piece : pieces) {
    if (fed) fed = s.feed(piece, [&out](std::string_view m) { out.emplace_back(m); });
  }
  EXPECT_EQ(fed.ok(), ok);
  return out;
}

TEST(Splitter, NewlinesBracesAndBothTogether) {
  EXPECT_THAT(split({"{\"a\":1}\n{\"b\":2}\n"}), ElementsAre("{\"a\":1}", "{\"b\":2}"));
  EXPECT_THAT(split({"{\"a\":1}{\"b\":{}}"}), ElementsAre("{\"a\":1}", "{\"b\":{}}"));
  EXPECT_THAT(split({"\r\n  {\"a\":1} \r\n\n"}), ElementsAre("{\"a\":1}"));
  EXPECT_THAT(split({R"({"a":"}{\"}\\"}{"b":1})"}), ElementsAre(R"({"a":"}{\"}\\"})", R"({"b":1})"));
  EXPECT_THAT(split({"HTTP/1.1 400 Bad\r\n{\"a\":1}"}), ElementsAre("HTTP/1.1 400 Bad", "{\"a\":1}"));
  EXPECT_THAT(split({"{\"cut\":\"off\n{\"a\":1}"}), ElementsAre("{\"cut\":\"off", "{\"a\":1}"))
      << "garbage is over at the next line";
  EXPECT_TRUE(split({"{\"not yet\":1"}).empty());
  EXPECT_TRUE(split({""}).empty());
}

TEST(Splitter, AnyCuttingGivesTheSame) {
  const std::string stream =
      notify() + "\n" + notify() + R"({"id":2,"result":{"status":"O\"K}"}})" + "\nnoise\n" + notify();
  const std::vector<std::string> whole = split({stream});
  ASSERT_EQ(whole.size(), 5u);
  std::mt19937 random(3);
  for (int i = 0; i < 200; ++i) {
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t n = 1 + random() % (i < 5 ? 1 : 300);
      pieces.push_back(stream.substr(at, n));
      at += n;
    }
    ASSERT_EQ(split(pieces), whole);
  }
}

TEST(Splitter, AMessageWithoutEndIsAnError) {
  EXPECT_TRUE(split({std::string(kMaxMessage + 1, '{')}, false).empty());
  EXPECT_TRUE(split({std::string(kMaxMessage + 1, 'x')}, false).empty());
  EXPECT_EQ(split({"{" + std::string(kMaxMessage - 2, ' ') + "}"}).size(), 1u);
}

TEST(Job, OfTheMiningPage) {
  const Message m = read(notify());
  ASSERT_EQ(m.kind, Message::Kind::job);
  ASSERT_TRUE(m.job) << m.bad_job->message;
  const MiningJob& job = *m.job;
  EXPECT_EQ(job.id, "5577006791947779410");
  EXPECT_EQ(job.header.version, 1u);
  EXPECT_EQ(job.header.height, 257u);
  EXPECT_EQ(job.header.timestamp, 0x6b011c78u);
  EXPECT_EQ(job.header.bits, 0x20000000000cccccu);
  EXPECT_EQ(job.nonces, (NonceRange{0, 1ull << 32}));
  EXPECT_NEAR(chain::expected_hashes(job.share_target), 10, 1e-6);
  EXPECT_NEAR(chain::expected_hashes(job.block_target), 20, 1e-3);
  // With nonce 1 it is a block that a node took.
  const Hash32 hash = tensority::header_hash(preimage(job), 1);
  EXPECT_EQ(to_hex(hash).substr(0, 12), "3f7ebf24f762");
  Hash32 result{};
  result[31] = 0x0c, result[30] = 0x73, result[29] = 0x8d, result[28] = 0xce;
  EXPECT_TRUE(makes_block(job, result));
  EXPECT_TRUE(tensority::meets(result, search_bound(job)));
}

TEST(Job, LoginAnswerCarriesOne) {
  const Message m = read(R"({"id":1,"jsonrpc":"2.0","result":{"id":"acct.rig1","job":)" + std::string(kJob) +
                         R"(,"status":"OK"},"error":null})");
  EXPECT_EQ(m.kind, Message::Kind::reply);
  EXPECT_EQ(m.id, 1u);
  EXPECT_EQ(m.verdict, Message::Verdict::yes);
  ASSERT_TRUE(m.job);
  EXPECT_EQ(m.job->header.height, 257u);
}

TEST(Job, NonceByteOrder) {
  const auto first = [](const char* hex, NonceOrder order = NonceOrder::automatic) {
    return read_first_nonce(*array_from_hex<8>(hex), order);
  };
  // Published jobs stay little-endian.
  EXPECT_EQ(first("0c04000001000000"), 0x000000010000040cu);
  EXPECT_EQ(first("0000000037780000"), 0x0000783700000000u);
  EXPECT_EQ(first("00000000a6040000"), 0x000004a600000000u);
  EXPECT_EQ(first("0000000000000000"), 0u);
  // btcpool's session << 32 in big-endian order.
  EXPECT_EQ(first("0000000500000000"), 0x0000000500000000u);
  EXPECT_EQ(first("00abcdef00000000"), 0x00abcdef00000000u);
  // And as the user says.
  EXPECT_EQ(first("0000000500000000", NonceOrder::little), 0x05000000u);
  EXPECT_EQ(first("0c04000001000000", NonceOrder::big), 0x0c04000001000000u);
}

TEST(Job, TargetsOfAnyEvenLength) {
  EXPECT_NEAR(chain::expected_hashes(read(notify(with("target", "\"c5a70000\""))).job->share_target), 100'001, 30);
  EXPECT_EQ(chain::expected_hashes(read(notify(with("target", "\"ff\""))).job->share_target), 256.0 / 255);
  EXPECT_NEAR(
      chain::expected_hashes(read(notify(with("target", "\"" + std::string(62, 'f') + "00\""))).job->share_target), 256,
      1e-6);
  EXPECT_NEAR(chain::expected_hashes(read(notify(with("target", "\"0100\""))).job->share_target), 65'536, 1e-6);
}

TEST(Job, ImpossibleOnesAreNamedAndTheMessageIsStillRead) {
  const std::pair<std::string, const char*> cases[] = {
      {with("target", "\"00000000\""), "share target is 0"},
      {with("target", "\"\""), "target"},
      {with("target", "\"fff\""), "job.target"},
      {with("target", "\"" + std::string(66, 'f') + "\""), "job.target"},
      {with("target", "7"), "job.target"},
      {with("bits", "\"681b01000000801e\""), "bits"},
      {with("bits", "\"0000000000000000\""), "bits"},
      {with("bits", "\"cccc0c00000000a0\""), "bits 11"},  // 2^63 and more cannot be stored
      {with("nonce", "\"0000000000000080\""), "2^63"},
      {with("height", "\"0101\""), "job.height: 4 hex digits, expected 16"},
      {with("height", "\"01010000000000zz\""), "job.height"},
      {with("seed", "\"" + std::string(64, '0') + "\""), "seed of another epoch"},
      {with("seed", "\"" + std::string(62, '0') + "\""), "job.seed: 62 hex digits"},
      {with("job_id", "\"\""), "job_id"},
      {with("job_id", "null"), "job_id"},
      {with("previous_block_hash", "null"), "previous_block_hash"},
      {"[]", "not an object"},
      {"null", "not an object"},
  };
  for (const auto& [job, words] : cases) {
    const Message m = read(notify(job));
    EXPECT_EQ(m.kind, Message::Kind::job);
    EXPECT_FALSE(m.job) << job;
    ASSERT_TRUE(m.bad_job) << job;
    EXPECT_THAT(m.bad_job->message, HasSubstr(words)) << job;
  }
  EXPECT_EQ(read(notify(with("job_id", "17"))).job->id, "17") << "a number is as good as its digits";
  EXPECT_EQ(read(notify(with("nonce", "\"00000000ffffff7f\""))).job->nonces.count, 1ull << 32) << "just below 2^63";
}

TEST(Reply, EveryFormOfYesAndNo) {
  using V = Message::Verdict;
  EXPECT_EQ(read(R"({"id":3,"jsonrpc":"2.0","result":{"status":"OK"},"error":null})").verdict, V::yes);
  EXPECT_EQ(read(R"({"id":"3","result":true})").verdict, V::yes);
  EXPECT_EQ(read(R"({"id":"3","result":true})").id, 3u);
  EXPECT_EQ(read(R"({"id":null,"result":{"status":"ok"}})").id, std::nullopt);
  EXPECT_EQ(read(R"({"id":3,"result":null,"error":null})").verdict, V::unclear);
  EXPECT_EQ(read(R"({"id":3,"result":{"status":"KEEPALIVED"},"error":null})").verdict, V::unclear);
  EXPECT_EQ(read(R"({"id":3,"result":false})").verdict, V::no);
  EXPECT_EQ(read(R"({"id":3,"result":true,"error":{"code":23}})").verdict, V::no) << "an error decides";

  const Message object = read(R"({"id":2,"result":null,"error":{"code":23,"message":"Low Difficulty Share"}})");
  EXPECT_EQ(object.verdict, V::no);
  EXPECT_EQ(object.error.code, 23);
  EXPECT_EQ(object.error.message, "Low Difficulty Share");
  const Message array = read(R"({"id":2,"result":null,"error":[22,"Duplicate share",null]})");
  EXPECT_EQ(array.verdict, V::no);
  EXPECT_EQ(array.error.code, 22);
  EXPECT_EQ(array.error.message, "Duplicate share");
  EXPECT_EQ(read(R"({"id":2,"error":"go\naway"})").error.message, "go?away") << "nothing of a pool steers a terminal";
  EXPECT_EQ(read(R"({"id":2,"error":[]})").verdict, V::no);
  EXPECT_EQ(read(R"({"id":2,"error":{}})").verdict, V::no);
  EXPECT_EQ(read(R"({"id":2,"error":-5})").error.code, -5);
}

TEST(Reply, ErrorsByClass) {
  using R = ShareReason;
  const auto of = [](std::int64_t code, const char* words = "", bool newer = false) {
    return classify({code, words}, newer);
  };
  EXPECT_EQ(of(21), R::job_gone);
  EXPECT_EQ(of(22), R::duplicate);
  EXPECT_EQ(of(23), R::low_difficulty);
  EXPECT_EQ(of(24), R::unauthorised);
  EXPECT_EQ(of(40), R::unauthorised);
  EXPECT_EQ(of(32), R::bad_format);
  EXPECT_EQ(of(32, "Invalid Submit Format", true), R::job_gone) << "btmcpool says so to a job of an older height";
  EXPECT_EQ(of(-1, "Low difficulty share"), R::low_difficulty);
  EXPECT_EQ(of(-1, "Block expired"), R::job_gone);
  EXPECT_EQ(of(-1, "Unknown reason"), R::other);
  EXPECT_EQ(of(-1, "DUPLICATE SHARE"), R::duplicate);
  EXPECT_EQ(of(20), R::other);
  EXPECT_EQ(of(34), R::other);
}

TEST(Message, StrangeOnesAreIgnoredOrRefused) {
  EXPECT_EQ(read(R"({"id":7,"method":"client.show_message","params":["hi"]})").kind, Message::Kind::other);
  EXPECT_EQ(read(R"({"method":"mining.notify","params":[]})").method, "mining.notify");
  for (const char* bad :
       {"", "x", "[]", "{}", "{\"id\":1}", "{\"method\":7}", "{\"a\":1,\"a\":2}", "{\"result\":", "nul"}) {
    EXPECT_FALSE(read_message(bad, NonceOrder::automatic).ok()) << bad;
  }
  std::string deep = "1";
  for (int i = 0; i < 5000; ++i) deep = "[" + deep + "]";
  EXPECT_FALSE(read_message("{\"result\":" + deep + "}", NonceOrder::automatic).ok());
}

TEST(Texts, AsCaptured) {
  EXPECT_EQ(login_text(1, "acct.rig1", "x", "worker/1.0"),
            R"({"id":1,"method":"login","params":{"login":"acct.rig1","pass":"x","agent":"worker/1.0"}})"
            "\n");
  EXPECT_EQ(submit_text(3, "acct.rig1", "10924489294760860493", 12),
            R"({"id":3,"method":"submit","params":{"id":"acct.rig1","job_id":"10924489294760860493",)"
            R"("nonce":"000000000000000c"}})"
            "\n");
  EXPECT_THAT(submit_text(4, "a", "b", 0x7fffffffffabcdef), HasSubstr("\"7fffffffffabcdef\"")) << "lower case";
  EXPECT_THAT(login_text(1, "a\"b", "x", "y"), HasSubstr(R"("a\"b")"));
}

TEST(PoolUrl, FormsAndErrors) {
  const auto good = parse_pool_url("stratum+tcp://btm.pool.example:6666");
  ASSERT_TRUE(good.ok());
  EXPECT_FALSE(good->tls);
  EXPECT_EQ(good->host, "btm.pool.example");
  EXPECT_EQ(good->port, 6666);
  EXPECT_EQ(good->text(), "stratum+tcp://btm.pool.example:6666");
  EXPECT_TRUE(parse_pool_url("stratum+ssl://[::1]:9221/")->tls);
  EXPECT_EQ(parse_pool_url("stratum+tls://[::1]:9221")->host, "::1");
  for (const char* bad : {"pool:1", "http://pool:1", "stratum+tcp://pool", "stratum+tcp://pool:", "stratum+tcp://:1",
                          "stratum+tcp://pool:0", "stratum+tcp://pool:65536", "stratum+tcp://me@pool:1",
                          "stratum+tcp://::1:1", "stratum+tcp://pool:1/x", "stratum+tcp://po ol:1", ""}) {
    const auto url = parse_pool_url(bad);
    ASSERT_FALSE(url.ok()) << bad;
    EXPECT_EQ(url.error().code, Status::bad_config);
    EXPECT_THAT(url.error().hint, HasSubstr("stratum+tcp://HOST:PORT"));
  }
}

}  // namespace
}  // namespace sparkmill::mining::stratum
