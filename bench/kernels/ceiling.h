// SPDX-License-Identifier: Apache-2.0
// The limit of a unit: the operations of a micro-kernel on registers only, without loads, epilogue or edges.
#pragma once

#include <cstdint>
#include <string_view>

namespace sparkmill::bench {

/// `run(rounds)` does the operations of `pair_words` pairs x 64 elements in each round.
struct Ceiling {
  void (*run)(std::uint64_t rounds);
  unsigned pair_words;
};

/// 16 accumulators, xor + vpopcntq + add each (plain); and, ternary, two vpopcntq, two adds (masked).
Ceiling avx512_plain();
Ceiling avx512_masked();
/// Carry-save adders over four words and one nibble look-up, as the AVX2 row does it.
Ceiling avx2_plain();
Ceiling avx2_masked();

/// The ceiling of a CPU row's ISA; nullptr where there is none. Call only what the processor has.
const Ceiling* find_ceiling(std::string_view isa, bool masked);

}  // namespace sparkmill::bench
