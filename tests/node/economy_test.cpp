// SPDX-License-Identifier: Apache-2.0
// Rewards, shares, pledges and locks against the numbers of the paper and of jobs and proofs 9.
#include "node/ledger/economy.h"

#include <gtest/gtest.h>

#include <numeric>

namespace sparkmill::node::economy {
namespace {

TEST(Reward, ThePapersBlock) {
  EXPECT_EQ(blocks_per_day(10'000), 8'640u);
  EXPECT_EQ(reward(0, 8'640), 5'787'037'037u);  // 57.87037037 BTK
  EXPECT_EQ(blocks_per_day(2'000), 43'200u);
  EXPECT_EQ(blocks_per_day(0), 86'400'000u);
  EXPECT_EQ(blocks_per_day(100'000'000), 1u);
}

TEST(Reward, EachDaySumsExactly) {
  for (const std::uint64_t b : {1u, 7u, 144u, 8'640u, 43'200u}) {
    for (const std::uint64_t day : {0u, 1u, 1'000u, 2'099u, 2'100u, 4'199u, 4'200u}) {
      std::uint64_t sum = 0;
      for (std::uint64_t i = 0; i < b; ++i) sum += reward(day * b + i, b);
      EXPECT_EQ(sum, kEmissionPerDay >> (day / kHalvingDays)) << "b " << b << " day " << day;
    }
  }
}

TEST(Reward, HalfOfAllAfter2100DaysAndTheLimit) {
  // One block a day: the whole emission in a loop that can be run.
  std::uint64_t sum = 0;
  std::uint64_t day = 0;
  for (; day < kHalvingDays; ++day) sum += reward(day, 1);
  EXPECT_EQ(sum, 1'050'000'000u * kUnitsPerBtk);
  for (; day < 64 * kHalvingDays; ++day) sum += reward(day, 1);
  EXPECT_LE(sum, 2'100'000'000u * kUnitsPerBtk);
  // Halving rounds down at most one unit a day and period.
  EXPECT_GT(sum, 2'100'000'000u * kUnitsPerBtk - 64 * kHalvingDays * 2);
  EXPECT_EQ(reward(64 * kHalvingDays, 1), 0u);
  EXPECT_EQ(reward(~std::uint64_t{0}, 1), 0u);
}

TEST(Reward, BlocksOfADayDifferByAtMostOneUnit) {
  for (std::uint64_t h = 0; h < 20'000; ++h) {
    const std::uint64_t r = reward(h, 8'640);
    EXPECT_TRUE(r == 5'787'037'037u || r == 5'787'037'038u) << h;
  }
}

TEST(Shares, AlwaysSumToTheReward) {
  for (std::uint64_t r = 0; r < 1'000; ++r) {
    const Shares s = split(r);
    EXPECT_EQ(s.workers + s.requesters + s.foundation + s.operations, r);
    EXPECT_LE(s.foundation * 20, r);
  }
  const Shares s = split(10'000);
  EXPECT_EQ(s.workers, 7'500u);
  EXPECT_EQ(s.requesters, 1'500u);
  EXPECT_EQ(s.foundation, 500u);
  EXPECT_EQ(s.operations, 500u);
}

TEST(Distribute, ByWeightAndNothingIsLost) {
  const Claim claims[] = {{1, true}, {2, true}, {4, true}};
  const Payout p = distribute(1'000, claims);
  EXPECT_EQ(p.amounts, (std::vector<std::uint64_t>{142, 285, 571}));
  EXPECT_EQ(p.carried, 2u);
  EXPECT_EQ(distribute(1'000, {}).carried, 1'000u);
  const Claim nothing[] = {{0, true}};
  EXPECT_EQ(distribute(1'000, nothing).carried, 1'000u);
}

TEST(Distribute, HalfIncomeWithoutPledge) {
  const Claim claims[] = {{1, true}, {1, false}};
  const Payout p = distribute(1'000, claims);
  EXPECT_EQ(p.amounts, (std::vector<std::uint64_t>{500, 250}));
  EXPECT_EQ(p.carried, 250u);
}

TEST(Distribute, LargeWeightsDoNotOverflow) {
  const std::uint64_t big = std::uint64_t{1} << 63;
  const Claim claims[] = {{big, true}, {big, true}, {big, true}};
  const Payout p = distribute(big, claims);
  EXPECT_EQ(std::accumulate(p.amounts.begin(), p.amounts.end(), p.carried), big);
  EXPECT_EQ(p.amounts[0], big / 3);
}

TEST(Pledge, HundredPerTDoublingAtEachHalving) {
  EXPECT_EQ(pledge_required(0, 5), 0u);
  EXPECT_EQ(pledge_required(4, 0), 400 * kUnitsPerBtk);
  EXPECT_EQ(pledge_required(16, 0), 1'600 * kUnitsPerBtk);
  EXPECT_EQ(pledge_required(8, 3), 6'400 * kUnitsPerBtk);
  EXPECT_EQ(pledge_required(16, 1'000), (std::uint64_t{1} << 63) - 1);
  EXPECT_EQ(halvings(2'100 * 8'640 - 1, 8'640), 0u);
  EXPECT_EQ(halvings(2'100 * 8'640, 8'640), 1u);
}

TEST(Locks, TwentyPercentThenADailyShare) {
  EXPECT_EQ(free_at_once(1'000), 200u);
  EXPECT_EQ(released_income(800, 0), 0u);
  EXPECT_EQ(released_income(800, 1), 4u);
  EXPECT_EQ(released_income(800, 90), 400u);
  EXPECT_EQ(released_income(800, 179), 795u);
  EXPECT_EQ(released_income(800, 180), 800u);
  EXPECT_EQ(released_income(800, 10'000), 800u);
  std::uint64_t before = 0;
  for (std::uint64_t d = 0; d <= 200; ++d) {
    const std::uint64_t now = released_income(7'777'777, d);
    EXPECT_GE(now, before);
    before = now;
  }
  EXPECT_EQ(before, 7'777'777u);
}

TEST(Locks, FoundationAndOperations) {
  EXPECT_EQ(released_fund(1'000, 29), 0u);
  EXPECT_EQ(released_fund(1'000, 30), 100u);
  EXPECT_EQ(released_fund(1'000, 299), 900u);
  EXPECT_EQ(released_fund(1'000, 300), 1'000u);
}

TEST(Credit, CountedUnitsWithinTheEscrow) {
  EXPECT_EQ(credit(1u << 30, 500, 1'000), 500u);
  EXPECT_EQ(credit((1u << 30) - 1, 500, 1'000), 499u);
  EXPECT_EQ(credit(std::uint64_t{1} << 40, 500, 1'000), 1'000u);
  EXPECT_EQ(credit(~std::uint64_t{0}, ~std::uint64_t{0}, 77), 77u);
}

}  // namespace
}  // namespace sparkmill::node::economy
