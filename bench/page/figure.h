// SPDX-License-Identifier: Apache-2.0
// Bars of a workload as SVG, drawn by gnuplot.
#pragma once

#include <span>

#include "bench/page/side_by_side.h"

namespace sparkmill::bench {

/// Colours of the runs, "#rrggbb", readable on white and on black; the first again after the last.
std::string_view colour_of(std::size_t run);

/// The gnuplot program of a workload's figure: a group of bars a kernel, a bar a run, the spread as a whisker, the
/// ceiling as a tick. Texts from files are reduced to characters that mean nothing to gnuplot.
std::string figure_script(const Workload& workload);
/// More than one bar: anything to compare.
bool has_figure(const Workload& workload);

/// Runs gnuplot from PATH. Errors: not_found (no gnuplot), io_error, internal (gnuplot refused, with what it said).
Result<std::string> draw(const std::string& script);

}  // namespace sparkmill::bench
