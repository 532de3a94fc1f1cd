// SPDX-License-Identifier: Apache-2.0
// The border between the baseline (cpu.cpp) and the files with wider instructions (cpu_<isa>.cpp): plain arrays only.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sparkmill::rsa::cpu {

inline constexpr std::size_t kWords = 32;  ///< 64-bit words of a number, lowest first
inline constexpr std::size_t kMostLanes = 8;

/// Numbers of one group, [word][lane], 64-byte aligned.
struct Group {
  // In: n odd with its top bit set, s < n, in every lane.
  alignas(64) std::uint64_t n[kWords * kMostLanes];
  alignas(64) std::uint64_t s[kWords * kMostLanes];
  // Out, below n.
  alignas(64) std::uint64_t power[kWords * kMostLanes];   ///< s^65537 mod n
  alignas(64) std::uint64_t middle[kWords * kMostLanes];  ///< s^(2^15) mod n, where evidence is wanted
};

struct Ops {
  const char* isa;
  std::size_t lanes;
  std::size_t workspace_bytes;
  void (*power)(Group& group, bool evidence, void* workspace);
};

const Ops& avx2_ops();
const Ops& avx512_ops();

}  // namespace sparkmill::rsa::cpu
