// SPDX-License-Identifier: Apache-2.0
// Retarget of both parameter sets, emergency retarget, timestamps.
#include "verify/chain/params.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "verify/chain/difficulty.h"

namespace sparkmill {
namespace {

chain::BlockHeader parent_at(std::uint64_t height, std::uint64_t timestamp, std::uint64_t bits) {
  chain::BlockHeader h;
  h.height = height;
  h.timestamp = timestamp;
  h.bits = bits;
  return h;
}

TEST(Params, BytomRetargetsAfterMultiplesOf2016Only) {
  const chain::Params bytom = chain::bytom_params();
  constexpr std::uint64_t kBits = 0x1e00000000011b68;
  constexpr std::uint64_t kAim = 302'400;
  const auto next = [&](std::uint64_t height, std::uint64_t span) {
    return *chain::next_bits(bytom, parent_at(height, 1'600'000'000 + span, kBits), 1'600'000'000);
  };
  EXPECT_FALSE(chain::retarget_due(bytom, 0));
  EXPECT_FALSE(chain::retarget_due(bytom, 2015));
  EXPECT_TRUE(chain::retarget_due(bytom, 2016));
  EXPECT_TRUE(chain::retarget_due(bytom, 4032));
  EXPECT_EQ(next(0, 1), kBits);
  EXPECT_EQ(next(2015, 1), kBits);
  EXPECT_EQ(next(2016, kAim), kBits);
  EXPECT_EQ(next(2016, kAim / 2), 0x1d000000008db400u);
  EXPECT_EQ(next(2016, 10 * kAim), 0x1e000000000b1210u) << "unclamped";
  EXPECT_EQ(next(2016, 2'000 * kAim), 0x1f0000000008a61cu);
  EXPECT_EQ(next(4032, 1), 0x1b000000003d6b70u);
  EXPECT_EQ(next(2016, kAim - 1), 0x1e00000000011b67u) << "cut downwards";
  EXPECT_EQ(next(2016, 0), 0u);
  EXPECT_EQ(next(2016, 0 - std::uint64_t{5}), 0x1c80000000013319u) << "time that went back: nothing passes";
}

TEST(Params, OurNodeRetargetsByASixteenthOfTheSurprise) {
  const chain::Params node = chain::node_params(10'000);
  constexpr std::uint64_t kBits = 0x1f00000000123456;
  const auto next = [&](std::uint64_t span, bool fallback = false) {
    return *chain::next_bits(node, parent_at(7, 50'000 + span, kBits), 50'000, fallback);
  };
  EXPECT_FALSE(chain::retarget_due(node, 0));
  EXPECT_TRUE(chain::retarget_due(node, 1));
  EXPECT_EQ(next(0), 0x1f00000000111110u);
  EXPECT_EQ(next(5'000), 0x1f0000000011a2b3u);
  EXPECT_EQ(next(10'000), kBits);
  EXPECT_EQ(next(60'000), 0x1f0000000017e4b0u);
  EXPECT_EQ(next(600'000), 0x1f0000000017e4b0u) << "at most six intervals count";
  EXPECT_EQ(next(0 - std::uint64_t{1}), 0x1f00000000111110u) << "time that went back counts as none";
  EXPECT_EQ(next(60'000, true), 0x1f000000002468acu) << "after a fallback block the difficulty halves";
}

TEST(Params, OurNodeIsNeverEasierThanOneNonce) {
  const chain::Params node = chain::node_params(2'000);
  for (const std::uint64_t bits : {0x2000000000ffffffull, 0x2000000000f00000ull, 0x2100000000ffffffull}) {
    EXPECT_EQ(*chain::next_bits(node, parent_at(3, 12'000, bits), 0), node.easiest_bits);
    EXPECT_EQ(*chain::next_bits(node, parent_at(3, 12'000, bits), 0, true), node.easiest_bits);
  }
  EXPECT_EQ(chain::expected_hashes(chain::target_from_bits(node.easiest_bits)), 1.0 / (1 - std::ldexp(1.0, -24)));
}

/// Blocks as a memoryless miner finds them; what nobody finds in six intervals the node makes.
struct Simulation {
  chain::Params params = chain::node_params(10'000);
  std::mt19937_64 random{11};
  chain::BlockHeader tip = parent_at(1, 1'000'000, params.easiest_bits);
  std::uint64_t before = 990'000;
  bool fallback = false;
  unsigned fallbacks = 0;

  std::uint64_t step(double hashes_per_ms) {
    const std::uint64_t bits = *chain::next_bits(params, tip, before, fallback);
    const double expected = chain::expected_hashes(chain::target_from_bits(bits));
    const double wait = std::exponential_distribution<>(hashes_per_ms / expected)(random);
    const double limit = static_cast<double>(params.interval * params.fallback_intervals);
    fallback = wait > limit;
    fallbacks += fallback;
    const auto span = 1 + static_cast<std::uint64_t>(std::min(wait, limit));
    before = tip.timestamp;
    tip = parent_at(tip.height + 1, tip.timestamp + span, bits);
    return span;
  }
};

TEST(Params, OurNodeFollowsTheHashRate) {
  Simulation s;
  for (int i = 0; i < 400; ++i) s.step(250);  // 250 kH/s appear on a chain where one hash was enough
  double total = 0;
  for (int i = 0; i < 2'000; ++i) total += static_cast<double>(s.step(250));
  EXPECT_NEAR(total / 2'000 / 10'000, 1, 0.1);
  EXPECT_LT(s.fallbacks, 20u) << "a block in 400 takes over six intervals by chance alone";

  s.fallbacks = 0;  // the rig leaves, one CPU core stays
  std::uint64_t spent = 0;
  while (chain::expected_hashes(chain::target_from_bits(s.tip.bits)) > 3 * 0.1 * 10'000) spent += s.step(0.1);
  EXPECT_LT(s.fallbacks, 14u);
  EXPECT_LT(spent, 15u * 60'000);
  total = 0;
  for (int i = 0; i < 2'000; ++i) total += static_cast<double>(s.step(0.1));
  EXPECT_NEAR(total / 2'000 / 10'000, 1, 0.1);
}

TEST(Params, Timestamps) {
  const chain::Params bytom = chain::bytom_params();
  const std::vector<std::uint64_t> last = {100, 110, 90, 120, 130, 105, 140, 150, 160, 170, 80};
  EXPECT_EQ(chain::median_timestamp(last), 120u);
  EXPECT_EQ(chain::median_timestamp({}), 0u);
  EXPECT_EQ(chain::median_timestamp(std::vector<std::uint64_t>{4, 2}), 4u);
  EXPECT_FALSE(chain::check_timestamp(bytom, 120, 1'000, last).ok());
  EXPECT_TRUE(chain::check_timestamp(bytom, 121, 1'000, last).ok());
  EXPECT_TRUE(chain::check_timestamp(bytom, 4'600, 1'000, last).ok());
  EXPECT_FALSE(chain::check_timestamp(bytom, 4'601, 1'000, last).ok());
  EXPECT_TRUE(chain::check_timestamp(bytom, 1, 1'000, {}).ok());
  const chain::Params node = chain::node_params(2'000);
  const std::vector<std::uint64_t> parent = {5'000};
  EXPECT_FALSE(chain::check_timestamp(node, 5'000, 5'000, parent).ok());
  EXPECT_TRUE(chain::check_timestamp(node, 5'001, 5'000, parent).ok());
  EXPECT_FALSE(chain::check_timestamp(node, 3'605'001, 5'000, parent).ok());
}

}  // namespace
}  // namespace sparkmill
