// SPDX-License-Identifier: Apache-2.0
// Two result files side by side, with a noise bound from the spread of their repetitions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"

namespace sparkmill::bench {

enum class Change { same, faster, slower };

/// `ratio` = new / old. Noise bound: twice the root of both spreads' squares, at least 1 %.
struct Judgement {
  double ratio = 1;
  double noise = 0;
  Change change = Change::same;
};
Judgement judge(double old_median, double old_spread, double new_median, double new_spread, bool larger_is_better);

/// Reads a file that `sparkmill-bench --json` wrote. Errors: not_found, bad_input naming the file and what is missing.
Result<nlohmann::json> read_results(const std::string& path);

/// The comparison as text: a line a row that both have, rows that only one has, and a warning when the machines differ.
std::string compare(const nlohmann::json& older, const nlohmann::json& newer);

}  // namespace sparkmill::bench
