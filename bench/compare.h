// SPDX-License-Identifier: Apache-2.0
// Two result files side by side, with a noise bound from the spread of their repetitions.
#pragma once

#include <string>
#include <string_view>

#include "bench/result_file.h"

namespace sparkmill::bench {

enum class Change { same, faster, slower };

/// `ratio` = new / old. Noise bound: twice the root of both spreads' squares, at least 1 %.
struct Judgement {
  double ratio = 1;
  double noise = 0;
  Change change = Change::same;
};
Judgement judge(double old_median, double old_spread, double new_median, double new_spread, bool larger_is_better);

/// False for times ("…/ms") and overheads.
bool larger_is_better(std::string_view name);

/// The comparison as text: a line a row that both have, rows that only one has, and a warning when the machines differ.
std::string compare(const ResultFile& older, const ResultFile& newer);

}  // namespace sparkmill::bench
