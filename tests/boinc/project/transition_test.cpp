// SPDX-License-Identifier: Apache-2.0
// The rules of a work unit's life, one by one.
#include "boinc/project/transition.h"

#include <gtest/gtest.h>

#include <cmath>

namespace sparkmill::boinc::project {
namespace {

Instance unsent(std::int64_t id) { return {id, ServerState::unsent, Outcome::none, Validity::init, 0}; }
Instance running(std::int64_t id, std::int64_t deadline) {
  return {id, ServerState::in_progress, Outcome::none, Validity::init, deadline};
}
Instance over(std::int64_t id, Outcome outcome, Validity validity = Validity::init) {
  return {id, ServerState::over, outcome, validity, 0};
}

Unit unit(std::uint32_t quorum = 1) {
  Unit u;
  u.limits = {quorum, quorum, 3, 10, 6};
  return u;
}

TEST(Look, ANewUnitGetsItsInstances) {
  EXPECT_EQ(look(unit(1), {}, 0).fresh, 1u);
  EXPECT_EQ(look(unit(2), {}, 0).fresh, 2u);
  const Instance one[] = {unsent(1)};
  EXPECT_EQ(look(unit(2), one, 0).fresh, 1u);
  EXPECT_EQ(look(unit(1), one, 0).fresh, 0u);
}

TEST(Look, DeadlinesPassAndAreWaitedFor) {
  const Instance one[] = {running(7, 1000), running(8, 900)};
  const Change before = look(unit(2), one, 899);
  EXPECT_TRUE(before.no_reply.empty());
  EXPECT_EQ(before.next_ms, 900);
  EXPECT_EQ(before.fresh, 0u);
  const Change after = look(unit(2), one, 900);
  EXPECT_EQ(after.no_reply, std::vector<std::int64_t>{8});
  EXPECT_EQ(after.next_ms, 1000);
  EXPECT_EQ(after.fresh, 1u);
}

TEST(Look, SilenceIsNoErrorButCountsInAll) {
  std::vector<Instance> silent;
  for (int i = 0; i < 9; ++i) silent.push_back(over(i, Outcome::no_reply));
  EXPECT_EQ(look(unit(), silent, 0).fresh, 1u);
  silent.push_back(over(9, Outcome::no_reply));
  const Change c = look(unit(), silent, 0);
  EXPECT_EQ(c.error_mask, kTooManyTotal);
  EXPECT_EQ(c.fresh, 0u);
  EXPECT_TRUE(c.assimilate) << "the assimilator hears of failed units, too";
}

TEST(Look, ErrorsEndAUnit) {
  std::vector<Instance> bad{over(1, Outcome::client_error), over(2, Outcome::validate_error),
                            over(3, Outcome::success, Validity::invalid)};
  EXPECT_EQ(look(unit(), bad, 0).fresh, 1u);
  bad.push_back(over(4, Outcome::client_error));
  bad.push_back(unsent(5));
  const Change c = look(unit(), bad, 0);
  EXPECT_EQ(c.error_mask, kTooManyErrors);
  EXPECT_EQ(c.not_needed, std::vector<std::int64_t>{5});
}

TEST(Look, ValidatorIsCalledWithAQuorum) {
  const Instance one[] = {over(1, Outcome::success), running(2, 1000)};
  EXPECT_FALSE(look(unit(2), one, 0).validate);
  EXPECT_TRUE(look(unit(1), one, 0).validate);
  const Instance two[] = {over(1, Outcome::success), over(2, Outcome::success)};
  EXPECT_TRUE(look(unit(2), two, 0).validate);
  const Instance undecided[] = {over(1, Outcome::success, Validity::inconclusive),
                                over(2, Outcome::success, Validity::inconclusive)};
  EXPECT_FALSE(look(unit(2), undecided, 0).validate) << "nothing new to say";
  const Instance third[] = {undecided[0], undecided[1], over(3, Outcome::success)};
  EXPECT_TRUE(look(unit(2), third, 0).validate);
}

TEST(Look, ADecidedUnitTakesNoMore) {
  Unit u = unit(2);
  u.canonical = 1;
  const Instance all[] = {over(1, Outcome::success, Validity::valid), over(2, Outcome::success, Validity::valid),
                          unsent(3), running(4, 1000)};
  const Change c = look(u, all, 0);
  EXPECT_EQ(c.fresh, 0u);
  EXPECT_EQ(c.not_needed, std::vector<std::int64_t>{3});
  EXPECT_TRUE(c.assimilate);
  EXPECT_FALSE(c.validate);
  u.assimilation = Assimilation::done;
  EXPECT_FALSE(look(u, all, 0).assimilate);
  const Instance late[] = {all[0], over(5, Outcome::success)};
  EXPECT_TRUE(look(u, late, 0).validate) << "a late one is compared with the canonical result";
}

TEST(Look, CancelledUnitsEnd) {
  Unit u = unit();
  u.error_mask = kCancelled;
  const Instance all[] = {unsent(1)};
  const Change c = look(u, all, 0);
  EXPECT_EQ(c.error_mask, kCancelled);
  EXPECT_EQ(c.not_needed, std::vector<std::int64_t>{1});
}

TEST(Canonical, MoreThanHalfOfTheQuorum) {
  const auto matrix = [](std::vector<int> value) {
    std::vector<std::vector<bool>> equal(value.size(), std::vector<bool>(value.size()));
    for (std::size_t i = 0; i < value.size(); ++i) {
      for (std::size_t j = 0; j < value.size(); ++j) equal[i][j] = value[i] == value[j];
    }
    return equal;
  };
  EXPECT_EQ(canonical_of(matrix({1}), 1), 0u);
  EXPECT_EQ(canonical_of(matrix({1, 2}), 2), std::nullopt);
  EXPECT_EQ(canonical_of(matrix({1, 1}), 2), 0u);
  EXPECT_EQ(canonical_of(matrix({1, 2, 2}), 2), 1u);
  EXPECT_EQ(canonical_of(matrix({1, 2, 3, 3}), 4), std::nullopt) << "quorum 4 wants three";
  EXPECT_EQ(canonical_of(matrix({3, 2, 3, 3}), 4), 0u);
  EXPECT_EQ(canonical_of({}, 1), std::nullopt);
}

TEST(AverageCredit, HalvesInAWeekAndStartsLikeTheRealServer) {
  constexpr std::int64_t kWeek = 7 * 86'400'000ll;
  EXPECT_NEAR(average_credit(100, 0, kWeek, 0), 50, 1e-9);
  // A real server: credit 0.578687 granted to a new account gave a recent average of 0.057291.
  EXPECT_NEAR(average_credit(0, 0, 0, 0.578687), 0.057291, 2e-5);
  // A steady 10 a day settles at 10 a day.
  double average = 0;
  for (int day = 1; day <= 200; ++day) {
    average = average_credit(average, (day - 1) * 86'400'000ll, day * 86'400'000ll, 10);
  }
  EXPECT_NEAR(average, 10, 0.01);
}

}  // namespace
}  // namespace sparkmill::boinc::project
