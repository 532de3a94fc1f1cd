// SPDX-License-Identifier: Apache-2.0
// Registers the ECVRF benchmarks with Google Benchmark.
#pragma once

namespace sparkmill::bench {

/// The lane-parallel forms of this processor, in turn with the portable path.
void register_ecvrf();

}  // namespace sparkmill::bench
