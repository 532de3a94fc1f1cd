// SPDX-License-Identifier: Apache-2.0
#include "bench/compare.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "bench/report.h"

namespace sparkmill::bench {
namespace {

constexpr double kLeastNoise = 0.01;

std::string line_of(const Measured& a, const Measured& b, int width) {
  const Judgement j = judge(a.median, a.spread, b.median, b.spread, larger_is_better(a.name));
  const char* word = j.change == Change::same ? "same within noise" : j.change == Change::faster ? "faster" : "slower";
  char line[512];
  std::snprintf(line, sizeof line, "%-*s %11s %11s  x %.3f  noise +- %.1f %%  %s\n", width, a.name.c_str(),
                format_value(a.median).c_str(), format_value(b.median).c_str(), j.ratio, 100 * j.noise, word);
  return line;
}

}  // namespace

Judgement judge(double old_median, double old_spread, double new_median, double new_spread, bool larger_is_better) {
  Judgement j;
  j.noise = std::max(kLeastNoise, 2 * std::sqrt(old_spread * old_spread + new_spread * new_spread));
  if (!(old_median > 0) || !(new_median > 0)) return j;  // an overhead around zero has no ratio
  j.ratio = new_median / old_median;
  const double gain = larger_is_better ? j.ratio : 1 / j.ratio;
  if (gain > 1 + j.noise) j.change = Change::faster;
  if (gain < 1 / (1 + j.noise)) j.change = Change::slower;
  return j;
}

bool larger_is_better(std::string_view name) { return !name.ends_with("overhead") && !name.ends_with("/ms"); }

std::string compare(const ResultFile& older, const ResultFile& newer) {
  int width = 20;
  for (const Measured& row : older.rows) width = std::max(width, static_cast<int>(row.name.size()));
  std::string text, missing;
  const std::string machines = machine_difference(older.machine, newer.machine);
  if (!machines.empty()) text += "different machines: " + machines + "\n";
  for (const Measured& row : older.rows) {
    if (const Measured* other = newer.find(row.name)) {
      text += line_of(row, *other, width);
    } else {
      missing += "only in the first: " + row.name + "\n";
    }
  }
  for (const Measured& row : newer.rows) {
    if (older.find(row.name) == nullptr) missing += "only in the second: " + row.name + "\n";
  }
  return text + missing;
}

}  // namespace sparkmill::bench
