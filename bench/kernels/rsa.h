// SPDX-License-Identifier: Apache-2.0
// Registers the RSA-2048 benchmarks with Google Benchmark.
#pragma once

#include <vector>

namespace sparkmill::bench {

/// All rows on all devices that can run here, OpenSSL in turn with the CPU rows. The program is pinned to the last of
/// `cores`.
void register_rsa(const std::vector<unsigned>& cores);

}  // namespace sparkmill::bench
