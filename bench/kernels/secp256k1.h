// SPDX-License-Identifier: Apache-2.0
// Registers the secp256k1 benchmarks with Google Benchmark.
#pragma once

#include <vector>

namespace sparkmill::bench {

/// All rows on all devices that can run here, in every mode; libsecp256k1 (where it is installed) and OpenSSL in turn
/// with the CPU rows. The program is pinned to the last of `cores`.
void register_secp256k1(const std::vector<unsigned>& cores);

}  // namespace sparkmill::bench
