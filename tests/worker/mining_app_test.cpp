// SPDX-License-Identifier: Apache-2.0
// The whole worker mining for a real node in the same process: blocks by proof of work carry its match jobs as well.
#include <gtest/gtest.h>

#include "kernels/backend/discover.h"
#include "kernels/registry.h"
#include "kernels/tensority/epoch_cache.h"
#include "tests/fake/tcp_pool.h"
#include "tests/worker/app_support.h"
#include "verify/job/tensority_search.h"
#include "worker/app.h"

namespace sparkmill::worker {
namespace {

using testing::Hand;
using testing::Town;

template <class Test>
bool until(const Test& test, unsigned seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (std::chrono::steady_clock::now() < end) {
    if (test()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return test();
}

TEST(MiningApp, MinesTheBlocksThatItsOwnJobsNeed) {
  Town town;
  town.settings.interval_ms = 300;
  town.settings.proof_of_work = true;
  town.settings.first_difficulty = 4;
  ASSERT_NO_FATAL_FAILURE(town.start_node());
  Hand hand(town.folder, "mia", town.node->url(), 0);
  hand.settings.mining = "node";
  hand.settings.low_priority = false;  // or a busy machine starves the search
  ASSERT_NO_FATAL_FAILURE(hand.start());
  const auto mining = [&] { return hand.state.snapshot().mining; };
  ASSERT_TRUE(until([&] { return mining().blocks >= 5; }, 60)) << hand.all_said();
  ASSERT_TRUE(until([&] { return hand.app->totals().accepted >= 1; }, 60)) << hand.all_said();

  ASSERT_TRUE(hand.app->pause("", 0));
  ASSERT_TRUE(until([&] { return hand.state.snapshot().devices.front().activity == Activity::paused; }, 5));
  // What runs ends within its slice, on a busy machine a little later.
  std::uint64_t then = 0;
  const auto rests = [&] {
    then = mining().hashes;
    std::this_thread::sleep_for(std::chrono::milliseconds(1'000));
    return mining().hashes == then;
  };
  EXPECT_TRUE(until(rests, 10)) << "paused means paused";
  ASSERT_TRUE(hand.app->resume(""));
  EXPECT_TRUE(until([&] { return mining().hashes > then; }, 20));

  ASSERT_TRUE(hand.app->finish());
  ASSERT_TRUE(hand.ends(60)) << hand.all_said();
  EXPECT_EQ(hand.app->totals().rejected, 0u) << "no opening came late";
  hand.app.reset();  // a share may still be under way until then
  const MiningState end = mining();
  EXPECT_EQ(end.submitted, end.accepted + end.stale + end.rejected + end.unknown);
  EXPECT_EQ(end.rejected, 0u) << hand.all_said();
  EXPECT_EQ(end.wrong, 0u);
}

TEST(MiningApp, UnaskedItMinesOnlyWhereBlocksNeedIt) {
  Town town;
  ASSERT_NO_FATAL_FAILURE(town.start_node());
  Hand hand(town.folder, "moe", town.node->url(), 1);
  hand.settings.mining = "auto";
  ASSERT_NO_FATAL_FAILURE(hand.start());
  ASSERT_TRUE(hand.ends(60)) << hand.all_said();
  EXPECT_FALSE(hand.says("mining")) << hand.all_said();
  EXPECT_FALSE(hand.state.snapshot().mining.on);
}

/// Tensority for the fake pool, which has to judge shares.
class Judge {
 public:
  Hash32 operator()(const Hash32& header_hash, const Hash32& seed) const {
    const auto epoch = tensority::epochs().get(seed);
    return epoch ? job::recompute(**epoch, header_hash, {}).value() : Hash32{};
  }
};

fake::PoolManners easy_pool() {
  fake::PoolManners manners;
  manners.difficulty = 4;
  return manners;
}

class PoolApp : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto choice = kernels::choose(kernels::Family::tensority, kernels::cpu_device());
    if (!choice || choice->row->backend == kernels::Backend::reference) {
      GTEST_SKIP() << "no fast row of tensority on this machine";
    }
  }
  void start(const std::string& url) {
    hand_.reset();
    hand_ = std::make_unique<Hand>(folder_, "pia", "", 0);
    hand_->settings.mining = "pool";
    hand_->settings.low_priority = false;
    mining::PoolSettings pool;
    pool.url = url;
    pool.user = "acct.rig1";
    hand_->settings.pools.pools = {pool};
    hand_->settings.pools.agent = "sparkmill/test";
    ASSERT_NO_FATAL_FAILURE(hand_->start());
  }
  MiningState mining() { return hand_->state.snapshot().mining; }
  sparkmill::testing::TempFolder folder_;
  std::unique_ptr<Hand> hand_;
};

TEST_F(PoolApp, MinesWithoutANodeAndCountsOverRestarts) {
  fake::TcpPool pool(Judge(), easy_pool());
  start(pool.url());
  ASSERT_TRUE(until([&] { return mining().accepted >= 3; }, 60)) << hand_->all_said();
  EXPECT_EQ(hand_->state.snapshot().source.state, "none");
  EXPECT_FALSE(std::filesystem::exists(hand_->settings.data / "node")) << "no node was started";
  ASSERT_TRUE(hand_->app->finish());
  ASSERT_TRUE(hand_->ends(30)) << hand_->all_said();
  EXPECT_TRUE(hand_->result) << hand_->result.error().message;
  hand_->app.reset();
  const MiningState first = mining();
  EXPECT_EQ(first.submitted, first.accepted + first.stale + first.rejected + first.unknown);
  ASSERT_EQ(first.devices.size(), 1u);
  EXPECT_EQ(first.devices[0].id, "cpu");
  EXPECT_EQ(first.devices[0].accepted, first.accepted);

  start(pool.url());
  EXPECT_TRUE(until([&] { return mining().on && mining().accepted >= first.accepted; }, 10));
  ASSERT_TRUE(until([&] { return mining().accepted > first.accepted; }, 60)) << hand_->all_said();
  hand_->app->stop();
  EXPECT_EQ(pool.totals().twice, 0u) << "nothing was sent again";
}

TEST_F(PoolApp, ARefusedLoginEndsIt) {
  fake::PoolManners manners = easy_pool();
  manners.only_login = "somebody.else";
  fake::TcpPool pool(Judge(), manners);
  start(pool.url());
  ASSERT_TRUE(hand_->ends(30)) << hand_->all_said();
  EXPECT_EQ(hand_->result.status(), Status::refused) << "exit 7";
  EXPECT_NE(hand_->result.error().message.find(pool.url()), std::string::npos) << hand_->result.error().message;
}

TEST_F(PoolApp, PatienceEndsItWhenNobodyAnswers) {
  hand_ = std::make_unique<Hand>(folder_, "pia", "", 0);
  std::string url;
  {
    fake::TcpPool gone(Judge(), easy_pool());
    url = gone.url();
  }
  hand_->settings.mining = "pool";
  hand_->settings.source_patience_ms = 1'000;
  mining::PoolSettings pool;
  pool.url = url;
  pool.user = "acct.rig1";
  hand_->settings.pools.pools = {pool};
  hand_->settings.pools.agent = "sparkmill/test";
  ASSERT_NO_FATAL_FAILURE(hand_->start());
  ASSERT_TRUE(hand_->ends(30)) << hand_->all_said();
  EXPECT_EQ(hand_->result.status(), Status::unreachable) << "exit 6";
}

TEST_F(PoolApp, AStreakOfSharesThatAreTooEasyIsExplainedOnce) {
  const auto other = [](const Hash32&, const Hash32&) {
    Hash32 all;
    all.fill(0xff);  // what a pool gets that hashes something else
    return all;
  };
  fake::TcpPool pool(other, easy_pool());
  start(pool.url());
  ASSERT_TRUE(until([&] { return mining().rejected >= 8; }, 60)) << hand_->all_said();
  EXPECT_TRUE(hand_->says("byte order"));
  hand_->app->stop();
  const std::string all = hand_->all_said();
  EXPECT_EQ(all.find("byte order"), all.rfind("byte order")) << all;
  EXPECT_EQ(mining().reasons.at("rejected.low_difficulty"), mining().rejected);
}

TEST(MiningApp, ANodeWithoutProofOfWorkIsToldApart) {
  Town town;
  ASSERT_NO_FATAL_FAILURE(town.start_node());
  Hand hand(town.folder, "max", town.node->url(), 1);
  hand.settings.mining = "node";
  hand.settings.low_priority = false;  // or a busy machine starves the search
  ASSERT_NO_FATAL_FAILURE(hand.start());
  ASSERT_TRUE(hand.ends(60)) << "its jobs are done all the same: " << hand.all_said();
  EXPECT_TRUE(hand.will_say("no proof of work", 5)) << hand.all_said();
}

}  // namespace
}  // namespace sparkmill::worker
