// SPDX-License-Identifier: Apache-2.0
// Registers the hash benchmarks with Google Benchmark.
#pragma once

namespace sparkmill::bench {

/// All rows on all devices that can run here, with OpenSSL beside each CPU row.
void register_hash();

}  // namespace sparkmill::bench
