// SPDX-License-Identifier: Apache-2.0
// AVX2: vpmaddubsw does 32 multiply-accumulates, unsigned times signed, into sums of two that saturate at 16 bits. It
// is exact for |b| and a xor m, where m is -1 for b < 0 and 0 else: a pair lies within 2 * 128 * -128 and 2 * 128 *
// 127. For b < 0 the product is |b| (-a - 1) = a b + b; the sum of these b is known beforehand and taken off at the
// start. Sums of pairs may wrap, since only v mod 2^16 matters. That is three operations for 32 products; widening to
// 16 bits and vpmaddwd takes four.
#include <immintrin.h>

#include <cstring>

#include "kernels/tensority/cpu_ops.h"

namespace sparkmill::tensority::cpu {
namespace {

#define SPARKMILL_INLINE inline __attribute__((always_inline))

using V = __m256i;

constexpr std::size_t kSide = 256;
constexpr std::size_t kPanelColumns = 64;
constexpr std::size_t kPanels = kSide / kPanelColumns;
constexpr std::size_t kPanelBytes = kPanelColumns * kSide;
constexpr std::size_t kGroup = 4 * kPanelColumns;  // bytes of four products of all columns of a panel
constexpr std::size_t kLine = 64;
constexpr std::size_t kVector = 32;
constexpr std::size_t kVectors = kGroup / kVector;  // of a panel
constexpr unsigned kRows = 8;

// A packed matrix is [panel][product / 4][vector][lane][product % 4] and then i32 start[panel][vector][lane]. Vector v,
// lane d of a panel is column 32 (v / 4) + 4 d + kByte[v % 4]: four vectors of sums, folded and laid over one another,
// are 32 bytes in natural order.
constexpr std::size_t kByte[4] = {0, 2, 1, 3};

V load(const void* p) { return _mm256_load_si256(static_cast<const V*>(p)); }
void store(void* p, V v) { _mm256_store_si256(static_cast<V*>(p), v); }

void pack(const std::int8_t* matrix, std::uint8_t* packed) {
  auto* start = reinterpret_cast<std::int32_t*>(packed + kSide * kSide);
  for (std::size_t panel = 0; panel < kPanels; ++panel) {
    for (std::size_t at = 0; at < kPanelColumns; ++at) {
      const std::size_t column = panel * kPanelColumns + at / 32 * 32 + at % 8 * 4 + kByte[at / 8 % 4];
      const std::int8_t* from = matrix + column * kSide;
      std::uint8_t* to = packed + panel * kPanelBytes + at * 4;
      std::int32_t below = 0;
      for (std::size_t n = 0; n < kSide; ++n) below += from[n] < 0 ? -from[n] : 0;
      for (std::size_t n = 0; n < kSide; n += 4) std::memcpy(to + n / 4 * kGroup, from + n, 4);
      start[panel * kPanelColumns + at] = below & 0xffff;  // at most 2^15; the upper part of the sum starts at 0
    }
  }
}

SPARKMILL_INLINE V odd_words_of(V other, V from) { return _mm256_blend_epi16(other, from, 0xaa); }
SPARKMILL_INLINE V odd_bytes_of(V other, V from) {
  return _mm256_blendv_epi8(other, from, _mm256_set1_epi16(static_cast<short>(0xff00)));
}

/// fold(v) of a row of transpose(B): x for x >= 0, x - 1 for x < 0.
SPARKMILL_INLINE V fold_byte(V x) { return _mm256_add_epi8(x, _mm256_cmpgt_epi8(_mm256_setzero_si256(), x)); }

/// Four products of 32 columns become 32 columns of four rows.
void first(const std::uint8_t* packed, std::uint8_t* state) {
  for (std::size_t half = 0; half < kPanels * kSide / 4 * 2; ++half) {
    const std::size_t group = half / 2;
    const std::uint8_t* from = packed + half * (kGroup / 2);
    V x[4];
    for (std::size_t v = 0; v < 4; ++v) x[kByte[v]] = fold_byte(load(from + v * kVector));
    const V even01 = odd_bytes_of(x[0], _mm256_slli_epi16(x[1], 8)),
            odd01 = odd_bytes_of(_mm256_srli_epi16(x[0], 8), x[1]);
    const V even23 = odd_bytes_of(x[2], _mm256_slli_epi16(x[3], 8)),
            odd23 = odd_bytes_of(_mm256_srli_epi16(x[2], 8), x[3]);
    std::uint8_t* to = state + group % 64 * 4 * kSide + group / 64 * kPanelColumns + half % 2 * kVector;
    store(to, odd_words_of(even01, _mm256_slli_epi32(even23, 16)));
    store(to + kSide, odd_words_of(odd01, _mm256_slli_epi32(odd23, 16)));
    store(to + 2 * kSide, odd_words_of(_mm256_srli_epi32(even01, 16), even23));
    store(to + 3 * kSide, odd_words_of(_mm256_srli_epi32(odd01, 16), odd23));
  }
}

/// sums += |b| times (a xor m), pairs together. By hand, since g++ 12 would start all products of a step before it adds
/// one and runs out of registers.
SPARKMILL_INLINE V products4(V sums, V a, V b_size, V b_sign) {
  V t;
  __asm__("vpxor %2, %3, %1\n\tvpmaddubsw %1, %4, %1\n\tvpaddw %1, %0, %0"
          : "+x"(sums), "=&x"(t)
          : "x"(a), "x"(b_sign), "x"(b_size));
  return sums;
}

/// Sums of R rows and eight columns over all 256 products; each lane holds two parts of a sum.
template <unsigned R>
SPARKMILL_INLINE void tile(const std::uint8_t* a, const std::uint8_t* panel, V start, V (&out)[R]) {
  V sums[R];
#pragma GCC unroll 16
  for (unsigned r = 0; r < R; ++r) sums[r] = start;
  for (const std::uint8_t* end = a + kSide; a != end; a += 4, panel += kGroup) {
    const V b = load(panel);
    const V b_size = _mm256_abs_epi8(b), b_sign = _mm256_cmpgt_epi8(_mm256_setzero_si256(), b);
#pragma GCC unroll 16
    for (unsigned r = 0; r < R; ++r) {
      std::int32_t four;
      std::memcpy(&four, a + r * kSide, sizeof four);
      sums[r] = products4(sums[r], _mm256_set1_epi32(four), b_size, b_sign);
    }
  }
#pragma GCC unroll 16
  for (unsigned r = 0; r < R; ++r) out[r] = sums[r];
}

/// Two vectors of sums as 16 words, columns of the first at even places.
SPARKMILL_INLINE V join(V left, V right) {
  return _mm256_add_epi16(odd_words_of(left, _mm256_slli_epi32(right, 16)),
                          odd_words_of(_mm256_srli_epi32(left, 16), right));
}

/// R rows of a panel. `ahead` is R lines of the panel that comes next.
template <unsigned R>
SPARKMILL_INLINE void rows(const std::uint8_t* from, const std::uint8_t* panel, const std::uint8_t* start,
                           const std::uint8_t* ahead, std::uint8_t* to) {
  for (std::size_t r = 0; r < R; ++r) __builtin_prefetch(ahead + r * kLine);
  for (std::size_t v = 0; v < kVectors; v += 4) {
    V sums[4][R];
    for (std::size_t k = 0; k < 4; ++k) {
      tile<R>(from, panel + (v + k) * kVector, load(start + (v + k) * kVector), sums[k]);
    }
    for (std::size_t r = 0; r < R; ++r) {
      const V low = join(sums[0][r], sums[1][r]), high = join(sums[2][r], sums[3][r]);
      store(to + r * kSide + v * 8, odd_bytes_of(_mm256_add_epi16(low, _mm256_srli_epi16(low, 8)),
                                                 _mm256_add_epi16(high, _mm256_slli_epi16(high, 8))));
    }
  }
}

void step(const std::uint8_t* packed, const std::uint8_t* next, const std::uint8_t* from, std::uint8_t* to) {
  constexpr unsigned kWhole = kSide / kRows * kRows;
  const std::uint8_t* start = packed + kSide * kSide;
  for (std::size_t p = 0; p < kPanels; ++p, start += kGroup, to += kPanelColumns) {
    const std::uint8_t* panel = packed + p * kPanelBytes;
    const std::uint8_t* ahead = p + 1 < kPanels ? panel + kPanelBytes : next;
    for (std::size_t row = 0; row < kWhole; row += kRows) {
      rows<kRows>(from + row * kSide, panel, start, ahead + row * kLine, to + row * kSide);
    }
    if constexpr (kWhole < kSide)
      rows<kSide - kWhole>(from + kWhole * kSide, panel, start, ahead + kWhole * kLine, to + kWhole * kSide);
  }
}

void add(const std::uint8_t* state, std::uint8_t* sum) {
  for (std::size_t k = 0; k < kSide * kSide; k += kVector)
    store(sum + k, _mm256_add_epi8(load(sum + k), load(state + k)));
}

constexpr Ops kOps = {"avx2", kSide* kSide + kSide * sizeof(std::int32_t), pack, first, step, add};

}  // namespace

const Ops& avx2_ops() { return kOps; }

}  // namespace sparkmill::tensority::cpu
