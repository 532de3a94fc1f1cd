// SPDX-License-Identifier: Apache-2.0
#include "bench/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/measure.h"

namespace sparkmill::bench {
namespace {

/// Robust relative standard deviation of one sample: 1.4826 x median distance from the median.
double spread(const std::vector<double>& samples) {
  const double middle = median(samples);
  std::vector<double> distance;
  for (const double s : samples) distance.push_back(std::abs(s - middle));
  return middle != 0 ? 1.4826 * median(distance) / std::abs(middle) : 0;
}

}  // namespace

Report& Report::instance() {
  static Report report;
  return report;
}

const Series* Report::find(const std::string& name) const {
  for (const Series& s : series_) {
    if (s.name == name) return &s;
  }
  return nullptr;
}

std::string format_value(double value) {
  char text[32];
  std::snprintf(text, sizeof text, std::abs(value) >= 1e4 ? "%.3e" : "%.4g", value);
  return text;
}

nlohmann::json Report::rows() const {
  nlohmann::json list = nlohmann::json::array();
  for (const Series& s : series_) {
    list.push_back(
        {{"name", s.name}, {"median", median(s.samples)}, {"spread", spread(s.samples)}, {"samples", s.samples}});
  }
  return list;
}

nlohmann::json Report::ratios() const {
  nlohmann::json list = nlohmann::json::array();
  for (const Target& t : targets_) {
    const Series* s = find(t.name);
    if (s == nullptr) continue;
    const double value = median(s->samples);
    list.push_back({{"name", t.name},
                    {"median", value},
                    {t.at_least ? "at_least" : "at_most", t.bound},
                    {"met", t.at_least ? value >= t.bound : value <= t.bound}});
  }
  return list;
}

std::string Report::table() const {
  std::size_t width = 20;
  for (const Series& s : series_) width = std::max(width, s.name.size());
  std::string text;
  char line[512];
  for (const Series& s : series_) {
    std::snprintf(line, sizeof line, "%-*s %12s  +- %4.1f %%  (%zu)", static_cast<int>(width), s.name.c_str(),
                  format_value(median(s.samples)).c_str(), 100 * spread(s.samples), s.samples.size());
    text += line;
    for (const Target& t : targets_) {
      if (t.name != s.name) continue;
      const double value = median(s.samples);
      const bool met = t.at_least ? value >= t.bound : value <= t.bound;
      text += std::string("  target ") + (t.at_least ? ">= " : "<= ") + format_value(t.bound) +
              (met ? ": met" : ": MISSED");
    }
    text += "\n";
  }
  for (const Failure& f : failures_) {
    text += (f.wrong_result ? "WRONG RESULT " : "not measured ") + f.name + ": " + f.why + "\n";
  }
  return text;
}

}  // namespace sparkmill::bench
