// SPDX-License-Identifier: Apache-2.0
// Registers the tensority benchmarks with Google Benchmark.
#pragma once

#include <vector>

namespace sparkmill::bench {

/// All rows on all devices that can run here, and the seed stage. The program is pinned to the last of `cores`.
void register_tensority(const std::vector<unsigned>& cores);

}  // namespace sparkmill::bench
