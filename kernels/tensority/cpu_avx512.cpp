// SPDX-License-Identifier: Apache-2.0
// AVX-512 with VNNI: 6 rows x 64 columns of sums stay in 24 registers over all 256 products; vpdpbusd does 64
// multiply-accumulates.
#include "kernels/tensority/cpu_avx512_impl.h"

namespace sparkmill::tensority::cpu {
namespace {

constexpr unsigned kRows = 6;

/// sums += four products a[n] b[n] in each lane. By hand, since g++ 12 moves the sums about when it is given the
/// intrinsic, runs out of registers and loses half of the speed.
SPARKMILL_INLINE V products4(V sums, V a, V b) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(a), "v"(b));
  return sums;
}

/// R rows of one panel. `ahead` is R lines of the panel that comes next.
template <unsigned R>
SPARKMILL_INLINE void tile(const std::uint8_t* a, const std::uint8_t* panel, const std::int32_t* start,
                           const std::uint8_t* ahead, std::uint8_t* to) {
  V sums[R][4];
#pragma GCC unroll 8
  for (unsigned r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (unsigned v = 0; v < 4; ++v) sums[r][v] = _mm512_load_si512(start + v * 16);
    __builtin_prefetch(ahead + r * kLine);
  }
  for (const std::uint8_t* end = a + kSide; a != end; a += 4, panel += kGroup) {
    V b[4];
#pragma GCC unroll 4
    for (unsigned v = 0; v < 4; ++v) b[v] = _mm512_load_si512(panel + v * kLine);
#pragma GCC unroll 8
    for (unsigned r = 0; r < R; ++r) {
      std::int32_t four;
      std::memcpy(&four, a + r * kSide, sizeof four);
      const V x = _mm512_set1_epi32(four);
#pragma GCC unroll 4
      for (unsigned v = 0; v < 4; ++v) sums[r][v] = products4(sums[r][v], x, b[v]);
    }
  }
#pragma GCC unroll 8
  for (unsigned r = 0; r < R; ++r) _mm512_store_si512(to + r * kSide, fold(sums[r]));
}

void step(const std::uint8_t* packed, const std::uint8_t* next, const std::uint8_t* from, std::uint8_t* to) {
  constexpr unsigned kWhole = kSide / kRows * kRows;
  const auto* start = reinterpret_cast<const std::int32_t*>(packed + kSide * kSide);
  for (std::size_t p = 0; p < kPanels; ++p, start += kPanelColumns, to += kPanelColumns) {
    const std::uint8_t* panel = packed + p * kPanelBytes;
    const std::uint8_t* ahead = p + 1 < kPanels ? panel + kPanelBytes : next;
    for (std::size_t row = 0; row < kWhole; row += kRows) {
      tile<kRows>(from + row * kSide, panel, start, ahead + row * kLine, to + row * kSide);
    }
    tile<kSide - kWhole>(from + kWhole * kSide, panel, start, ahead + kWhole * kLine, to + kWhole * kSide);
  }
}

constexpr Ops kOps = {"avx512", kPackedBytes, pack, first, step, add};

}  // namespace

const Ops& avx512_ops() { return kOps; }

}  // namespace sparkmill::tensority::cpu
