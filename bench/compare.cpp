// SPDX-License-Identifier: Apache-2.0
#include "bench/compare.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/file.h"
#include "bench/machine_card.h"
#include "bench/report.h"

namespace sparkmill::bench {
namespace {

using nlohmann::json;
constexpr std::uint64_t kMaxFile = 64u << 20;
constexpr double kLeastNoise = 0.01;

bool is_row(const json& row) {
  return row.is_object() && row.contains("name") && row["name"].is_string() && row.contains("median") &&
         row["median"].is_number() && row.contains("spread") && row["spread"].is_number();
}

const json* find_row(const json& rows, const std::string& name) {
  for (const json& row : rows) {
    if (row["name"] == name) return &row;
  }
  return nullptr;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::string line_of(const json& a, const json& b, int width) {
  const std::string name = a["name"];
  const Judgement j = judge(a["median"], a["spread"], b["median"], b["spread"], !ends_with(name, "overhead"));
  const char* word = j.change == Change::same ? "same within noise" : j.change == Change::faster ? "faster" : "slower";
  char line[512];
  std::snprintf(line, sizeof line, "%-*s %11s %11s  x %.3f  noise +- %.1f %%  %s\n", width, name.c_str(),
                format_value(a["median"]).c_str(), format_value(b["median"]).c_str(), j.ratio, 100 * j.noise, word);
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

Result<nlohmann::json> read_results(const std::string& path) {
  SPARKMILL_ASSIGN(const std::string text, read_text_file(path, kMaxFile));
  json parsed = json::parse(text, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("rows") || !parsed["rows"].is_array() ||
      !std::all_of(parsed["rows"].begin(), parsed["rows"].end(), is_row)) {
    return fail(Status::bad_input, path + ": not a result file (no \"rows\" with name, median and spread)",
                "write one with: sparkmill bench --json FILE");
  }
  return parsed;
}

std::string compare(const nlohmann::json& older, const nlohmann::json& newer) {
  const json &a = older["rows"], &b = newer["rows"];
  int width = 20;
  for (const json& row : a) width = std::max(width, static_cast<int>(row["name"].get<std::string>().size()));
  std::string text, missing;
  const std::string machines =
      machine_difference(older.value("machine", json::object()), newer.value("machine", json::object()));
  if (!machines.empty()) text += "different machines: " + machines + "\n";
  for (const json& row : a) {
    const json* other = find_row(b, row["name"]);
    if (other == nullptr) {
      missing += "only in the first: " + row["name"].get<std::string>() + "\n";
    } else {
      text += line_of(row, *other, width);
    }
  }
  for (const json& row : b) {
    if (find_row(a, row["name"]) == nullptr) missing += "only in the second: " + row["name"].get<std::string>() + "\n";
  }
  return text + missing;
}

}  // namespace sparkmill::bench
