// SPDX-License-Identifier: Apache-2.0
// Registers the benchmarks of whole items with Google Benchmark: Bytom blocks and their window, evidence of BTTC and
// BTN, Merkle trees, ECVRF and MuSig2, each beside the same check on Debian's libraries where they have one.
#pragma once

#include <vector>

namespace sparkmill::bench {

void register_bytom(const std::vector<unsigned>& cores);
void register_evidence();
void register_proofs();

}  // namespace sparkmill::bench
