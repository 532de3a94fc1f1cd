// SPDX-License-Identifier: Apache-2.0
// What the AVX-512 row and the AMX row share: order of a packed matrix, first step, fold, sum. Included once by each of
// their files, inside of an unnamed namespace of its own.
//
// Both units multiply unsigned by signed bytes. The state is therefore kept as A' = A + 128, and the sums start at
// -128 * (row sum of B). They start another 0x8000 higher: that puts the + 128 of the next A' into byte 1 of the sum,
// where the fold picks it up.
#pragma once

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 trips over its own _mm512_undefined
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include <cstring>

#include "kernels/tensority/cpu_ops.h"

namespace sparkmill::tensority::cpu {
namespace {

#define SPARKMILL_INLINE inline __attribute__((always_inline))

using V = __m512i;

constexpr std::size_t kSide = 256;
constexpr std::size_t kPanelColumns = 64;
constexpr std::size_t kPanels = kSide / kPanelColumns;
constexpr std::size_t kPanelBytes = kPanelColumns * kSide;  // 16 KiB: fits the first-level cache
constexpr std::size_t kGroup = 4 * kPanelColumns;           // bytes of four products of all columns of a panel
constexpr std::size_t kLine = 64;

// A packed matrix is [panel][product / 4][vector][lane][product % 4] and then i32 start[panel][vector][lane].
// Vector v, lane d of a panel is column 4 d + kByte[v]: four vectors of sums, folded and laid over one another, are
// then 64 bytes in natural order.
constexpr std::size_t kByte[4] = {0, 2, 1, 3};
constexpr std::size_t kPackedBytes = kSide * kSide + kSide * sizeof(std::int32_t);

constexpr __mmask32 kOddWords = 0xaaaaaaaa;
constexpr __mmask64 kOddBytes = 0xaaaaaaaaaaaaaaaa;

void pack(const std::int8_t* matrix, std::uint8_t* packed) {
  auto* start = reinterpret_cast<std::int32_t*>(packed + kSide * kSide);
  for (std::size_t panel = 0; panel < kPanels; ++panel) {
    for (std::size_t at = 0; at < kPanelColumns; ++at) {
      const std::size_t column = panel * kPanelColumns + at % 16 * 4 + kByte[at / 16];
      const std::int8_t* from = matrix + column * kSide;
      std::uint8_t* to = packed + panel * kPanelBytes + at * 4;
      std::int32_t sum = 0;
      for (std::size_t n = 0; n < kSide; ++n) sum += from[n];
      for (std::size_t n = 0; n < kSide; n += 4) std::memcpy(to + n / 4 * kGroup, from + n, 4);
      start[panel * kPanelColumns + at] = -128 * sum + 0x8000;
    }
  }
}

/// fold(v) of a row of transpose(B), + 128: x for x >= 0, x - 1 for x < 0.
SPARKMILL_INLINE V fold_byte(V x) {
  const V folded = _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(x), x, _mm512_set1_epi8(1));
  return _mm512_xor_si512(folded, _mm512_set1_epi8(-128));
}

SPARKMILL_INLINE V odd_bytes_of(V other, V from) { return _mm512_mask_blend_epi8(kOddBytes, other, from); }
SPARKMILL_INLINE V odd_words_of(V other, V from) { return _mm512_mask_blend_epi16(kOddWords, other, from); }

/// Four products of 64 columns become 64 columns of four rows.
void first(const std::uint8_t* packed, std::uint8_t* state) {
  for (std::size_t group = 0; group < kPanels * kSide / 4; ++group) {
    const std::uint8_t* from = packed + group * kGroup;
    V x[4];
    for (std::size_t v = 0; v < 4; ++v) x[kByte[v]] = fold_byte(_mm512_load_si512(from + v * kLine));
    const V even01 = odd_bytes_of(x[0], _mm512_slli_epi16(x[1], 8)),
            odd01 = odd_bytes_of(_mm512_srli_epi16(x[0], 8), x[1]);
    const V even23 = odd_bytes_of(x[2], _mm512_slli_epi16(x[3], 8)),
            odd23 = odd_bytes_of(_mm512_srli_epi16(x[2], 8), x[3]);
    std::uint8_t* to = state + group % 64 * 4 * kSide + group / 64 * kPanelColumns;
    _mm512_store_si512(to, odd_words_of(even01, _mm512_slli_epi32(even23, 16)));
    _mm512_store_si512(to + kSide, odd_words_of(odd01, _mm512_slli_epi32(odd23, 16)));
    _mm512_store_si512(to + 2 * kSide, odd_words_of(_mm512_srli_epi32(even01, 16), even23));
    _mm512_store_si512(to + 3 * kSide, odd_words_of(_mm512_srli_epi32(odd01, 16), odd23));
  }
}

/// Low byte of v + (v >> 8) of four vectors of sums, as 64 bytes in natural order.
SPARKMILL_INLINE V fold(const V (&v)[4]) {
  const V low = odd_words_of(v[0], _mm512_slli_epi32(v[1], 16));  // only v mod 2^16 matters
  const V high = odd_words_of(v[2], _mm512_slli_epi32(v[3], 16));
  return odd_bytes_of(_mm512_add_epi16(low, _mm512_srli_epi16(low, 8)),
                      _mm512_add_epi16(high, _mm512_slli_epi16(high, 8)));
}

void add(const std::uint8_t* state, std::uint8_t* sum) {
  // Four times + 128 is 0 modulo 256.
  for (std::size_t k = 0; k < kSide * kSide; k += kLine) {
    _mm512_store_si512(sum + k, _mm512_add_epi8(_mm512_load_si512(sum + k), _mm512_load_si512(state + k)));
  }
}

}  // namespace
}  // namespace sparkmill::tensority::cpu
