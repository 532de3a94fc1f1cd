// SPDX-License-Identifier: Apache-2.0
// What a file of measurements says: those of `sparkmill bench --json` (kernels) and those of
// bench/pipeline/pipeline.py (a node and a worker together).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sparkmill::bench {

/// One line of a card, ready to be shown: "memory", "23.5 GiB".
struct Fact {
  std::string name, text;
};

/// What it was measured on.
struct Machine {
  std::vector<Fact> facts;
  std::vector<std::string> devices;  ///< names
  /// Text of a fact, "" where the file does not say.
  std::string_view fact(std::string_view name) const;
};

/// One measured quantity.
struct Measured {
  std::string name;  ///< "match/cpu/avx512/plain/n:2048/pairs_per_s"
  double median = 0;
  double spread = 0;        ///< relative standard deviation of one sample, robust
  std::size_t samples = 0;  ///< 0: the file does not say
};

/// A target and whether it was met.
struct Goal {
  std::string name;
  double bound = 0;
  bool at_least = true;
  double median = 0;
  bool met = false;
};

struct ResultFile {
  std::string path;
  Machine machine;
  std::vector<Measured> rows;
  std::vector<Goal> goals;
  std::vector<Fact> pipeline;  ///< figures of a pipeline file, which has no rows
  const Measured* find(std::string_view name) const;
};

/// `path` is only named in errors. Errors: bad_input naming the path and the field.
Result<ResultFile> parse_results(const std::string& path, const std::string& text);
/// Errors: as parse_results; not_found, too_large (64 MiB), io_error.
Result<ResultFile> read_results(const std::string& path);

/// The fields in which two machines differ so that figures cannot be compared (processor, cores, devices); "" if none.
std::string machine_difference(const Machine& a, const Machine& b);

}  // namespace sparkmill::bench
