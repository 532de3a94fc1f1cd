// SPDX-License-Identifier: Apache-2.0
// What a benchmark run found: rows with their samples, ratios, failures. One table for people, one JSON for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace sparkmill::bench {

/// One measured quantity with one sample a repetition; the first, cold repetition is left out.
struct Series {
  std::string name;  ///< "match/cpu/avx512/plain/n:2048/pairs_per_s"
  std::vector<double> samples;
};

/// A target of the project for one quantity, shown beside it.
struct Target {
  std::string name;  ///< as in Series
  double bound = 0;
  bool at_least = true;
};

/// A benchmark that gave a wrong result or could not run.
struct Failure {
  std::string name;
  std::string why;
  bool wrong_result = false;
};

class Report {
 public:
  static Report& instance();
  void expect(Target target) { targets_.push_back(std::move(target)); }
  void fail(Failure failure) { failures_.push_back(std::move(failure)); }
  void add(Series series) { series_.push_back(std::move(series)); }
  const std::vector<Failure>& failures() const { return failures_; }

  /// "median", "spread" (half of the middle 50 %, relative), "samples" of each series; and the targets with `met`.
  nlohmann::json rows() const;
  nlohmann::json ratios() const;
  std::string table() const;

 private:
  const Series* find(const std::string& name) const;
  std::vector<Series> series_;
  std::vector<Target> targets_;
  std::vector<Failure> failures_;
};

/// "1.31e9" style for rates, plain for ratios.
std::string format_value(double value);

}  // namespace sparkmill::bench
