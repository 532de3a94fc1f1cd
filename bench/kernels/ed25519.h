// SPDX-License-Identifier: Apache-2.0
// Registers the Ed25519 benchmarks with Google Benchmark.
#pragma once

#include <vector>

namespace sparkmill::bench {

/// All rows on all devices that can run here, libsodium and OpenSSL in turn with the CPU rows. The program is pinned to
/// the last of `cores`.
void register_ed25519(const std::vector<unsigned>& cores);

}  // namespace sparkmill::bench
