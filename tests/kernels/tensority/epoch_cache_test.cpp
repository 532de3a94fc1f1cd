// SPDX-License-Identifier: Apache-2.0
// Two epochs are kept, each is built once whoever asks, and one that is known in time is there when it is wanted.
#include "kernels/tensority/epoch_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace sparkmill::tensority {
namespace {

class EpochCacheTest : public ::testing::Test {
 protected:
  static Hash32 seed(std::uint8_t n) { return {n}; }
  bool soon_built(int count) {
    for (int i = 0; i < 10'000 && built_ != count; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return built_ == count;
  }
  std::atomic<int> begun_{0};
  std::atomic<int> built_{0};
  EpochCache cache_{[this](const Hash32& s, const StopToken& stop) {
    ++begun_;
    auto epoch = Epoch::build(s, stop);
    built_ += epoch.ok();
    return epoch;
  }};
};

TEST_F(EpochCacheTest, EachIsBuiltOnceAndTwoAreKept) {
  std::vector<std::thread> askers;
  std::atomic<int> right{0};
  for (int i = 0; i < 4; ++i) {
    askers.emplace_back([&] {
      const auto epoch = cache_.get(seed(1));
      right += epoch.ok() && (*epoch)->seed() == seed(1);
    });
  }
  for (std::thread& t : askers) t.join();
  EXPECT_EQ(right, 4);
  EXPECT_EQ(begun_, 1);
  ASSERT_TRUE(cache_.get(seed(2)));
  ASSERT_TRUE(cache_.get(seed(1)));  // still there, and used last now
  EXPECT_EQ(begun_, 2);
  ASSERT_TRUE(cache_.get(seed(3)));  // seed 2 goes
  ASSERT_TRUE(cache_.get(seed(1)));
  EXPECT_EQ(begun_, 3);
  ASSERT_TRUE(cache_.get(seed(2)));
  EXPECT_EQ(begun_, 4);
}

TEST_F(EpochCacheTest, APreparedOneIsThere) {
  cache_.prepare(seed(1));
  ASSERT_TRUE(soon_built(1));
  ASSERT_TRUE(cache_.get(seed(1)));
  cache_.prepare(seed(1));
  cache_.prepare(seed(2));
  ASSERT_TRUE(soon_built(2));
  ASSERT_TRUE(cache_.get(seed(2)));
  EXPECT_EQ(begun_, 2) << "not built again, neither by prepare nor by get";
}

TEST_F(EpochCacheTest, ACancelledBuildLeavesNothingBehind) {
  StopSource stop;
  stop.request_stop();
  EXPECT_EQ(cache_.get(seed(1), stop.token()).status(), Status::cancelled);
  EXPECT_EQ(built_, 0);
  const auto epoch = cache_.get(seed(1));
  ASSERT_TRUE(epoch);
  EXPECT_EQ((*epoch)->seed(), seed(1));
}

TEST(EpochCache, EndsWhileItPrepares) {
  EpochCache cache([](const Hash32&, const StopToken& stop) -> Result<std::shared_ptr<const Epoch>> {
    while (!stop.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return fail(Status::cancelled, "stopped");
  });
  cache.prepare({1});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

}  // namespace
}  // namespace sparkmill::tensority
