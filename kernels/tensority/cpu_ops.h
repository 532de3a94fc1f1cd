// SPDX-License-Identifier: Apache-2.0
// Between the CPU kernel (cpu.cpp, baseline code) and the inner functions of one ISA (cpu_<isa>.cpp). Raw pointers
// only: a file with ISA flags must not instantiate library templates that baseline code could be linked to.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sparkmill::tensority::cpu {

/// What a file with ISA flags exports. A state is one chain's 256 x 256 bytes in the form the ISA likes best; it and
/// packed matrices are 64-byte aligned.
struct Ops {
  const char* isa;           ///< which file this is, "avx2"
  std::size_t packed_bytes;  ///< of one matrix, a multiple of 64
  /// Puts a matrix ([256][256] int8) into the order in which `step` reads it. Once per matrix and epoch.
  void (*pack)(const std::int8_t* matrix, std::uint8_t* packed);
  /// The first step of a chain, identity times transpose(B), which needs no arithmetic.
  void (*first)(const std::uint8_t* packed, std::uint8_t* state);
  /// to = fold(from times transpose(B)). `next` is the packed matrix of the step after, brought nearer meanwhile.
  void (*step)(const std::uint8_t* packed, const std::uint8_t* next, const std::uint8_t* from, std::uint8_t* to);
  /// sum += state, byte by byte. After four of them the sum is the one of the specification.
  void (*add)(const std::uint8_t* state, std::uint8_t* sum);
};

const Ops& avx2_ops();
const Ops& avx512_ops();
/// Only after the operating system has allowed the tiles (amx_allowed).
const Ops& amx_ops();

}  // namespace sparkmill::tensority::cpu
