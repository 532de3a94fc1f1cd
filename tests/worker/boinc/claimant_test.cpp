// SPDX-License-Identifier: Apache-2.0
// Receipts and claims of finished BOINC results on their way to a node that a test bends; time is the test's.
#include "worker/boinc/claimant.h"

#include <gmock/gmock.h>

#include "base/hash.h"
#include "base/http/server.h"
#include "tests/worker/support.h"
#include "verify/unit/receipt.h"
#include "verify/unit/unit.h"

namespace sparkmill::worker::boinc {
namespace {

constexpr const char* kUrl = "http://project/";
constexpr std::uint64_t kHour = 3'600'000;

struct ClaimantTest : ::testing::Test {
  ClaimantTest() {
    auto opened = Store::open(folder.path() / "store.sqlite");
    if (!opened) std::abort();
    store = std::move(*opened);
  }

  static std::string name_of(std::uint32_t index) { return unit::unit_name(Id16{1}, index) + "_0"; }
  void finished(const std::string& name, bool acknowledged = true) {
    BoincRow row;
    row.project_url = kUrl;
    row.name = name;
    row.app = "sparkmill";
    row.completed_ms = clock.unix_ms();
    row.acknowledged = acknowledged;
    row.output_hash = sha256(view(name));
    ASSERT_TRUE(store->put_boinc_result(row).ok());
  }
  Bytes receipt(const std::string& name, const keys::PublicKey& worker_pub) const {
    unit::Receipt r;
    r.worker_pub = worker_pub;
    r.project = kUrl;
    r.unit = name.substr(0, name.rfind('_'));
    r.result = name;
    r.output_hash = sha256(view(name));
    r.credit_microcobble = 1'250'000;
    return unit::encode(r, project);
  }
  Claimant claimant(bool claims = false) {
    ClaimantParts parts{*store, clock, worker.public_key(), {}, {}, {}, {}, {}};
    parts.send_claims =
        [this](std::vector<protocol::BoincClaim> list) -> Result<std::vector<protocol::BoincClaimAnswer>> {
      ++claim_calls;
      if (!node_up) return fail(Status::unreachable, "no node");
      std::vector<protocol::BoincClaimAnswer> answers;
      for (const auto& c : list) {
        claimed.push_back(c);
        answers.push_back({protocol::boinc_result_id(c.project_url, c.result_name), claim_state, claim_reason,
                           claim_state == "credited" ? 7u : 0u});
      }
      return answers;
    };
    parts.fetch_receipt = [this](const std::string& url, const std::string& result) -> Result<Bytes> {
      EXPECT_EQ(url, kUrl);
      ++fetches;
      if (!project_up) return fail(Status::unreachable, "no project");
      const auto it = published.find(result);
      if (it == published.end()) return fail(Status::not_found, "no receipt");
      return it->second;
    };
    parts.bring_receipts = [this](const protocol::BoincReceipts& batch) -> Result<std::vector<protocol::CreditAnswer>> {
      ++brought;
      if (!node_up) return fail(Status::unreachable, "no node");
      std::vector<protocol::CreditAnswer> answers;
      for (const Bytes& bytes : batch.receipts) {
        const auto r = unit::decode_receipt(bytes);
        answers.push_back({r->project, r->result, answer, answer_reason, {}});
      }
      return answers;
    };
    parts.changed = [this] { ++changes; };
    parts.credited = [this] { ++credits; };
    return Claimant({claims, true, 10}, std::move(parts));
  }
  BoincCounts counts() { return *store->boinc_counts(); }

  testing::TempFolder folder;
  ManualClock clock;
  std::unique_ptr<Store> store;
  const keys::SigningKey worker = keys::KeyFile::from_seed(sha256(view("worker"))).role("envelope");
  const keys::SigningKey project = keys::KeyFile::from_seed(sha256(view("project"))).role("receipt");
  std::map<std::string, Bytes> published;
  bool node_up = true, project_up = true;
  protocol::CreditState answer = protocol::CreditState::credited;
  std::string answer_reason, claim_state = "recorded", claim_reason = "no_receipt";
  std::vector<protocol::BoincClaim> claimed;
  int fetches = 0, brought = 0, claim_calls = 0, changes = 0, credits = 0;
};

TEST_F(ClaimantTest, AReceiptIsFetchedWhenItIsThereAndBroughtOnce) {
  const std::string name = name_of(0);
  finished(name);
  Claimant c = claimant();
  c.pass();
  EXPECT_EQ(fetches, 1);
  EXPECT_EQ(brought, 0);
  EXPECT_EQ(counts().receipts_waiting, 1u);
  c.pass();
  EXPECT_EQ(fetches, 1) << "asked again before its time";
  published[name] = receipt(name, worker.public_key());
  clock.advance_ms(10'000);
  c.pass();
  EXPECT_EQ(brought, 1);
  EXPECT_EQ(counts().receipts_credited, 1u);
  EXPECT_EQ(counts().receipts_waiting, 0u);
  EXPECT_EQ(counts().credit_microcobble, 1'250'000u);
  EXPECT_EQ(credits, 1);
  clock.advance_ms(100 * kHour);
  c.pass();
  EXPECT_EQ(fetches, 2) << "a credited one is done with";
  EXPECT_GE(changes, 2);
}

TEST_F(ClaimantTest, OnlyAcknowledgedResultsOfOursAreLookedFor) {
  finished(name_of(0), false);
  finished("foreign_result_7_0");
  Claimant c = claimant();
  c.pass();
  EXPECT_EQ(fetches, 0);
}

TEST_F(ClaimantTest, LaterAndLaterAndAfterAMonthNoMore) {
  finished(name_of(0));
  Claimant c = claimant();
  int last = 0;
  for (int hour = 0; hour < 24 * 32; ++hour) {
    c.pass();
    EXPECT_LE(fetches - last, 1);
    last = fetches;
    clock.advance_ms(kHour);
  }
  EXPECT_GT(fetches, 100);
  EXPECT_LT(fetches, 150) << "at most every six hours";
  EXPECT_EQ(counts().receipts_waiting, 0u);
  EXPECT_EQ(counts().receipts_credited, 0u);
}

TEST_F(ClaimantTest, ANodeThatIsAwayCostsNoReceipt) {
  const std::string name = name_of(0);
  finished(name);
  published[name] = receipt(name, worker.public_key());
  node_up = false;
  Claimant c = claimant();
  c.pass();
  EXPECT_EQ(brought, 1);
  c.pass();
  EXPECT_EQ(brought, 1) << "it is left alone for a minute";
  node_up = true;
  clock.advance_ms(60'000);
  c.pass();
  EXPECT_EQ(counts().receipts_credited, 1u);
}

TEST_F(ClaimantTest, AProjectThatIsAwayIsAskedOnceAPass) {
  for (std::uint32_t k = 0; k < 20; ++k) finished(name_of(k));
  project_up = false;
  Claimant c = claimant();
  c.pass();
  EXPECT_EQ(fetches, 1);
  EXPECT_EQ(counts().receipts_waiting, 20u);
}

TEST_F(ClaimantTest, WhatIsNoReceiptOfThatResultIsNotBrought) {
  finished(name_of(0));
  finished(name_of(1));
  finished(name_of(2));
  published[name_of(0)] = receipt(name_of(7), worker.public_key());
  published[name_of(1)] = receipt(name_of(1), worker.public_key());
  published[name_of(1)][180] ^= 1;
  published[name_of(2)] = {};
  Claimant c = claimant();
  c.pass();
  EXPECT_EQ(brought, 0);
  EXPECT_EQ(counts().receipts_waiting, 3u);
}

TEST_F(ClaimantTest, TheNodesWordsDecideWhetherItIsBroughtAgain) {
  const std::string name = name_of(0);
  finished(name);
  published[name] = receipt(name, worker.public_key());
  Claimant c = claimant();
  answer = protocol::CreditState::pending;
  answer_reason = "day_cap: tomorrow";
  c.pass();
  EXPECT_EQ(counts().receipts_waiting, 1u);
  answer = protocol::CreditState::refused;
  answer_reason = "unknown_key: this node trusts no project with that key";
  clock.advance_ms(kHour);
  c.pass();
  EXPECT_EQ(counts().receipts_waiting, 1u) << "the operator may add the project";
  answer_reason = "other_node: made for another";
  clock.advance_ms(kHour);
  c.pass();
  EXPECT_EQ(counts().receipts_refused, 1u);
  EXPECT_EQ(counts().receipts_waiting, 0u);
  EXPECT_EQ(brought, 3);
  clock.advance_ms(100 * kHour);
  c.pass();
  EXPECT_EQ(brought, 3);
}

TEST_F(ClaimantTest, AReceiptForAnotherKeyIsNotOurCredit) {
  const std::string name = name_of(0);
  finished(name);
  published[name] = receipt(name, project.public_key());
  Claimant c = claimant();
  c.pass();
  EXPECT_EQ(brought, 1) << "anybody may bring it";
  EXPECT_EQ(counts().receipts_credited, 0u);
  EXPECT_EQ(counts().credit_microcobble, 0u);
  EXPECT_EQ(counts().receipts_waiting, 0u);
  EXPECT_EQ(credits, 0);
}

TEST_F(ClaimantTest, ARecordedClaimIsSentAgainUntilItIsDecided) {
  const std::string name = name_of(0);
  finished(name);
  Claimant c = claimant(true);
  c.pass();
  ASSERT_EQ(claimed.size(), 1u);
  EXPECT_TRUE(claimed[0].own_application);
  EXPECT_EQ(claimed[0].output_hash, sha256(view(name)));
  EXPECT_EQ(counts().unclaimed, 1u);
  clock.advance_ms(59'000);
  c.pass();
  EXPECT_EQ(claimed.size(), 1u);
  clock.advance_ms(2'000);
  c.pass();
  EXPECT_EQ(claimed.size(), 2u);
  clock.advance_ms(61'000);
  c.pass();
  EXPECT_EQ(claimed.size(), 2u) << "later each time";
  // The receipt makes it due at once.
  published[name] = receipt(name, worker.public_key());
  claim_state = "credited";
  claim_reason = "";
  clock.advance_ms(2 * kHour);
  c.pass();
  EXPECT_EQ(counts().credited, 1u);
  EXPECT_EQ(counts().unclaimed, 0u);
  const std::size_t all = claimed.size();
  clock.advance_ms(100 * kHour);
  c.pass();
  EXPECT_EQ(claimed.size(), all);
}

TEST_F(ClaimantTest, AReceiptMakesItsClaimDueAtOnce) {
  const std::string name = name_of(0);
  finished(name);
  Claimant c = claimant(true);
  c.pass();
  clock.advance_ms(61'000);
  c.pass();  // the claim is due in two minutes now
  ASSERT_EQ(claimed.size(), 2u);
  published[name] = receipt(name, worker.public_key());
  claim_state = "credited";
  clock.advance_ms(10'000);
  c.pass();
  EXPECT_EQ(counts().credited, 1u);
}

TEST_F(ClaimantTest, WhatAnExportDecidesIsNotAskedAgainAndAnOldClaimExpires) {
  finished("foreign_1_0");
  claim_reason = "export_decides";
  Claimant c = claimant(true);
  c.pass();
  clock.advance_ms(100 * kHour);
  c.pass();
  EXPECT_EQ(claimed.size(), 1u);
  EXPECT_EQ(counts().unclaimed, 0u);
  finished("foreign_2_0");
  claim_reason = "no_binding";
  for (int hour = 0; hour < 24 * 32; ++hour) {
    c.pass();
    clock.advance_ms(kHour);
  }
  EXPECT_EQ(counts().unclaimed, 0u);
  EXPECT_LT(claimed.size(), 150u);
}

TEST_F(ClaimantTest, ANodeWithoutClaimsIsAskedOnceAnHour) {
  finished("foreign_1_0");
  Claimant c = claimant(true);
  node_up = false;
  c.pass();
  c.pass();
  EXPECT_EQ(claim_calls, 1);
  clock.advance_ms(61'000);
  c.pass();
  EXPECT_EQ(claim_calls, 2);
  EXPECT_EQ(counts().unclaimed, 1u);
}

TEST_F(ClaimantTest, TheThreadPassesWhenPoked) {
  Claimant c = claimant();
  published[name_of(0)] = receipt(name_of(0), worker.public_key());
  c.start();
  finished(name_of(0));
  c.poke();
  for (int i = 0; i < 3000 && counts().receipts_credited == 0; ++i) ::usleep(10'000);
  c.stop();
  EXPECT_EQ(counts().receipts_credited, 1u);
}

TEST(PublishedReceipt, IsFetchedFromBelowTheMasterUrl) {
  http::Server server;
  const std::string name = unit::unit_name(Id16{3}, 5) + "_1";
  server.route("GET", "/proj/public/receipts/" + name + ".receipt",
               [](const http::Request&) { return http::Response::text(200, "bytes"); });
  ASSERT_TRUE(server.start("127.0.0.1", 0).ok());
  const std::string url = "http://127.0.0.1:" + std::to_string(server.port()) + "/proj/";
  const auto got = fetch_published_receipt(url, name, {}, {});
  ASSERT_TRUE(got.ok()) << got.error().message;
  EXPECT_EQ(text(*got), "bytes");
  EXPECT_EQ(fetch_published_receipt(url, unit::unit_name(Id16{3}, 6) + "_0", {}, {}).status(), Status::not_found);
  EXPECT_EQ(fetch_published_receipt(url, "../../etc/passwd", {}, {}).status(), Status::bad_input);
  EXPECT_EQ(fetch_published_receipt(url, name + "_r12_0", {}, {}).status(), Status::bad_input);
  EXPECT_EQ(fetch_published_receipt("http://127.0.0.1:1/", name, {}, {}).status(), Status::unreachable);
}

}  // namespace
}  // namespace sparkmill::worker::boinc
