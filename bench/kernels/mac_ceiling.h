// SPDX-License-Identifier: Apache-2.0
// The limit of the unit that multiplies bytes: the operations of the Tensority rows' inner loops on registers only.
#pragma once

#include <cstdint>
#include <string_view>

namespace sparkmill::bench {

/// `run(rounds)` does `macs` multiply-accumulates of int8 in each round.
struct MacCeiling {
  void (*run)(std::uint64_t rounds);
  unsigned macs;
};

/// vpdpbusd on 16 accumulators.
MacCeiling avx512_mac();
/// vpxor, vpmaddubsw, vpaddw on eight accumulators.
MacCeiling avx2_mac();

/// The ceiling of a CPU row's ISA; nullptr where there is none. Call only what the processor has.
const MacCeiling* find_mac_ceiling(std::string_view isa);

}  // namespace sparkmill::bench
