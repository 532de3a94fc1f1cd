// SPDX-License-Identifier: Apache-2.0
// The border between the baseline (cpu.cpp) and the files with wider instructions (cpu_<isa>.cpp): plain arrays only.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sparkmill::rsa::cpu {

inline constexpr std::size_t kMostLanes = 8;
inline constexpr std::size_t kBytes = 256;  ///< of a number, big-endian everywhere here

/// The numbers of one group, one a lane; all lanes are filled.
struct Group {
  // In: n odd with its top bit set, s < n.
  const std::uint8_t* n[kMostLanes];
  const std::uint8_t* s[kMostLanes];
  // Out, below n.
  std::uint8_t power[kMostLanes][kBytes];  ///< s^65537 mod n
  std::uint8_t* middle[kMostLanes];        ///< s^(2^15) mod n, where evidence is wanted
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
