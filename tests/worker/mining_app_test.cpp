// SPDX-License-Identifier: Apache-2.0
// The whole worker mining for a real node in the same process: blocks by proof of work carry its match jobs as well.
#include <gtest/gtest.h>

#include "tests/worker/app_support.h"
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
