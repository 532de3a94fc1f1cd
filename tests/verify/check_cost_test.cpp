// SPDX-License-Identifier: Apache-2.0
// What a check costs: 128 opened tiles against the same number of masked pairs in one large slice on the same kernel.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>

#include "tests/verify/support.h"

namespace sparkmill::proof {
namespace {

/// Processor time: what other programs take from the clock does not count.
double seconds(const std::function<void()>& work) {
  const std::clock_t begin = std::clock();
  work();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

TEST(CheckCost, AtMost1Point3TimesTheOpenedPairs) {
  testing::Sample sample({.requests = 4096, .users = 4096, .n = 2048, .twins = 30, .threshold = 1400}, "cost");
  const job::Outcome outcome = testing::outcome_of(*sample.work, 1u << 23);
  const Commit commit = testing::commit_of(outcome);
  const auto indices = challenge_indices(testing::seed_of("draw"), outcome.leaves.size(), 128);
  const Bytes opening = *make_opening(*sample.work, outcome, indices);
  const std::unique_ptr<kernels::Kernel> kernel = testing::cpu_kernel();
  job::InlineExecutor executor = testing::cpu_executor();
  job::Slice block;
  block.range = {0, 16, 0, 8};  // 128 tiles in one go
  double whole = 1e9;
  double checked = 1e9;
  for (int round = 0; round < 15; ++round) {  // the least of several: other programs only add
    whole = std::min(whole, seconds([&] { ASSERT_TRUE(sample.work->run(block, *kernel, {}).ok()); }));
    checked = std::min(checked, seconds([&] {
                         const auto v = check(*sample.work, commit, indices, opening, executor);
                         ASSERT_TRUE(v.ok() && v->accepted);
                       }));
  }
  const double pairs = 128.0 * 65536;
  std::printf(
      "check of 128 masked tiles, n = 2048: %.2f ms; one slice of as many: %.2f ms (%.3g pairs/s); ratio %.2f\n",
      checked * 1e3, whole * 1e3, pairs / whole, checked / whole);
#if !defined(SPARKMILL_CHECKED) && defined(NDEBUG)
  EXPECT_LE(checked, 1.3 * whole);
#endif
}

}  // namespace
}  // namespace sparkmill::proof
