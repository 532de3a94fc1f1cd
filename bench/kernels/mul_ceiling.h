// SPDX-License-Identifier: Apache-2.0
// The limit of the unit that multiplies limbs: the signature rows' multiplications on registers only.
#pragma once

#include <cstdint>
#include <string_view>

namespace sparkmill::bench {

/// `run(rounds)` does `instructions` of them in each round.
struct MulCeiling {
  void (*run)(std::uint64_t rounds);
  unsigned instructions;
};

/// vpmadd52luq of 512 bits on 16 accumulators.
MulCeiling avx512_mul();
/// vpmuludq of 256 bits.
MulCeiling avx2_mul();

/// The ceiling of a CPU row's ISA; nullptr where there is none. Call only what the processor has.
const MulCeiling* find_mul_ceiling(std::string_view isa);

}  // namespace sparkmill::bench
