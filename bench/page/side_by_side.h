// SPDX-License-Identifier: Apache-2.0
// Measurements of several files in the order in which people compare them: the kernels that do the same work, a cell a
// file.
#pragma once

#include <optional>
#include <span>

#include "bench/result_file.h"

namespace sparkmill::bench {

/// One kernel in one file.
struct Cell {
  Measured rate;                  ///< rate or time
  std::optional<double> ceiling;  ///< of the unit that bounds it, measured in the same run, in the unit of the rate
  std::optional<double> ratio;    ///< to that ceiling
};

struct KernelLine {
  std::string kernel;                      ///< "cpu/avx512", "" for a stage that has one form only
  std::vector<std::optional<Cell>> cells;  ///< as many as there are files
};

/// One kind of work in one unit.
struct Workload {
  std::string family;    ///< "match"
  std::string title;     ///< "plain n:2048"
  std::string quantity;  ///< "pairs_per_s", "ms"
  std::vector<KernelLine> kernels;
};

/// In the order of the first file that has them.
std::vector<Workload> side_by_side(std::span<const ResultFile> files);

/// A quantity in its unit: "1.16 G pairs/s", "95.5 %", "9.11 ms", "50 ns", "1.98 x".
std::string show_quantity(std::string_view quantity, double value);
/// "G pairs/s" of the first.
std::string unit_of(std::string_view quantity);

}  // namespace sparkmill::bench
