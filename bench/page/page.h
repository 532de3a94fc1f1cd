// SPDX-License-Identifier: Apache-2.0
// One page that shows the kernels of several runs and machines side by side.
#pragma once

#include <filesystem>
#include <map>
#include <span>

#include "bench/page/side_by_side.h"

namespace sparkmill::bench {

/// Figures by the place of their workload in side_by_side(); `why_none` is shown where there is none at all.
struct Figures {
  std::map<std::size_t, std::string> svg;
  std::string why_none;
};
/// Draws what has a figure. The first failure ends it: its message becomes `why_none`.
Figures draw_figures(std::span<const Workload> workloads);

/// The page as HTML 5 without scripts and without anything to load. Requires at least one file; every text of the files
/// is escaped.
std::string make_page(std::span<const ResultFile> files, std::span<const Workload> workloads, const Figures& figures);

/// Writes DIR/index.html and DIR/<family>-<work>.svg; makes DIR. Returns what there was to say about figures ("" when
/// all is well). `inputs` are files, or folders whose *.json are taken in order of their names.
/// Errors: bad_argument (no file), and those of read_results and of writing.
Result<std::string> write_page(const std::filesystem::path& dir, std::span<const std::string> inputs);

}  // namespace sparkmill::bench
