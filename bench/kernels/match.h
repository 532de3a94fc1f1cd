// SPDX-License-Identifier: Apache-2.0
// Registers the match benchmarks with Google Benchmark.
#pragma once

#include <vector>

namespace sparkmill::bench {

/// All rows on all devices that can run here. The program is pinned to the last of `cores`.
void register_match(const std::vector<unsigned>& cores);
/// Other libraries doing the same work; nothing when none was found at configure time.
void register_peers();
/// Why there is no peer, or empty.
const char* peers_absent();

}  // namespace sparkmill::bench
