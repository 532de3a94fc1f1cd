// SPDX-License-Identifier: Apache-2.0
// Between the CPU rows (cpu.cpp, baseline code) and the inner functions of one ISA (cpu_<isa>.cpp). Raw pointers only:
// a file with ISA flags must not instantiate library templates that baseline code could be linked to.
#pragma once

#include <cstdint>

namespace sparkmill::hashes::cpu {

inline constexpr unsigned kMostLanes = 16;

/// One block of each lane: blocks[lane] points to its bytes, `state` is [word][lane], 64-byte aligned.
struct Ops {
  const char* isa;
  unsigned lanes32;  ///< of sha256
  unsigned lanes64;  ///< of the others
  void (*sha256)(std::uint32_t* state, const std::uint8_t* const* blocks);
  void (*sha512)(std::uint64_t* state, const std::uint8_t* const* blocks);
  /// Absorbs 136 bytes, then Keccak-f[1600]: 25 words a lane, word x + 5 y.
  void (*keccak)(std::uint64_t* state, const std::uint8_t* const* blocks);
};

const Ops& avx2_ops();
const Ops& avx512_ops();

}  // namespace sparkmill::hashes::cpu
