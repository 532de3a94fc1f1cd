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
constexpr std::size_t kGroups = kSide / 4;  // of four products
constexpr std::size_t kVector = 32;         // bytes
constexpr std::size_t kColumns = 8;         // of a vector: four products each
constexpr std::size_t kVectors = kSide / kColumns;
constexpr std::size_t kVectorBytes = kGroups * kVector;
constexpr std::size_t kLine = 64;
constexpr unsigned kRows = 8;

// A packed matrix is [vector][product / 4][lane][product % 4] and then i32 start[vector][lane]. Vector v, lane d is
// column 32 (v / 4) + 4 d + kByte[v % 4]: four vectors of sums, folded and laid over one another, are 32 bytes in
// natural order.
constexpr std::size_t kByte[4] = {0, 2, 1, 3};

V load(const void* p) { return _mm256_load_si256(static_cast<const V*>(p)); }
void store(void* p, V v) { _mm256_store_si256(static_cast<V*>(p), v); }

void pack(const std::int8_t* matrix, std::uint8_t* packed) {
  auto* start = reinterpret_cast<std::int32_t*>(packed + kSide * kSide);
  for (std::size_t at = 0; at < kSide; ++at) {
    const std::size_t vector = at / kColumns, lane = at % kColumns;
    const std::int8_t* from = matrix + (vector / 4 * 32 + lane * 4 + kByte[vector % 4]) * kSide;
    std::uint8_t* to = packed + vector * kVectorBytes + lane * 4;
    std::int32_t below = 0;
    for (std::size_t n = 0; n < kSide; ++n) below += from[n] < 0 ? -from[n] : 0;
    for (std::size_t n = 0; n < kSide; n += 4) std::memcpy(to + n / 4 * kVector, from + n, 4);
    start[at] = below & 0xffff;  // at most 2^15; the upper part of the sum starts at 0
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
  for (std::size_t four = 0; four < kVectors; four += 4) {
    for (std::size_t group = 0; group < kGroups; ++group) {
      V x[4];
      for (std::size_t v = 0; v < 4; ++v) {
        x[kByte[v]] = fold_byte(load(packed + (four + v) * kVectorBytes + group * kVector));
      }
      const V even01 = odd_bytes_of(x[0], _mm256_slli_epi16(x[1], 8));
      const V even23 = odd_bytes_of(x[2], _mm256_slli_epi16(x[3], 8));
      const V odd01 = odd_bytes_of(_mm256_srli_epi16(x[0], 8), x[1]);
      const V odd23 = odd_bytes_of(_mm256_srli_epi16(x[2], 8), x[3]);
      std::uint8_t* to = state + group * 4 * kSide + four * kColumns;
      store(to, odd_words_of(even01, _mm256_slli_epi32(even23, 16)));
      store(to + kSide, odd_words_of(odd01, _mm256_slli_epi32(odd23, 16)));
      store(to + 2 * kSide, odd_words_of(_mm256_srli_epi32(even01, 16), even23));
      store(to + 3 * kSide, odd_words_of(_mm256_srli_epi32(odd01, 16), odd23));
    }
  }
}

/// kRows rows, each group of four bytes repeated over a vector: the products then read them as they are, and need no
/// operation to spread them.
struct Wide {
  V a[kGroups][kRows];  ///< 16 KiB
};

void widen(const std::uint8_t* rows, Wide& wide) {
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t group = 0; group < kGroups; ++group) {
      std::int32_t four;
      std::memcpy(&four, rows + r * kSide + group * 4, sizeof four);
      wide.a[group][r] = _mm256_set1_epi32(four);
    }
  }
}

/// sums += |b| times (a xor m), pairs together. By hand, since g++ 12 would start all products of a group before it
/// adds one and runs out of registers.
SPARKMILL_INLINE V products4(V sums, const V& a, V b_size, V b_sign) {
  V t;
  __asm__("vpxor %2, %3, %1\n\tvpmaddubsw %1, %4, %1\n\tvpaddw %1, %0, %0"
          : "+x"(sums), "=&x"(t)
          : "m"(a), "x"(b_sign), "x"(b_size));
  return sums;
}

/// Sums of kRows rows and eight columns over all 256 products; each lane holds two parts of a sum.
SPARKMILL_INLINE void tile(const Wide& wide, const std::uint8_t* vector, V start, V (&out)[kRows]) {
  V sums[kRows];
#pragma GCC unroll 8
  for (unsigned r = 0; r < kRows; ++r) sums[r] = start;
  for (const V(&a)[kRows] : wide.a) {
    const V b = load(vector);
    const V b_size = _mm256_abs_epi8(b), b_sign = _mm256_cmpgt_epi8(_mm256_setzero_si256(), b);
#pragma GCC unroll 8
    for (unsigned r = 0; r < kRows; ++r) sums[r] = products4(sums[r], a[r], b_size, b_sign);
    vector += kVector;
  }
#pragma GCC unroll 8
  for (unsigned r = 0; r < kRows; ++r) out[r] = sums[r];
}

/// Two vectors of sums as 16 words, columns of the first at even places.
SPARKMILL_INLINE V join(V left, V right) {
  return _mm256_add_epi16(odd_words_of(left, _mm256_slli_epi32(right, 16)),
                          odd_words_of(_mm256_srli_epi32(left, 16), right));
}

void step(const std::uint8_t* packed, const std::uint8_t* next, const std::uint8_t* from, std::uint8_t* to) {
  const std::uint8_t* starts = packed + kSide * kSide;
  Wide wide;
  for (std::size_t row = 0; row < kSide; row += kRows, from += kRows * kSide, to += kRows * kSide) {
    widen(from, wide);
    for (std::size_t four = 0; four < kVectors; four += 4) {
      V sums[4][kRows];
      for (std::size_t v = 0; v < 4; ++v, next += kLine) {
        tile(wide, packed + (four + v) * kVectorBytes, load(starts + (four + v) * kVector), sums[v]);
        _mm_prefetch(reinterpret_cast<const char*>(next), _MM_HINT_T1);
      }
      for (std::size_t r = 0; r < kRows; ++r) {
        const V low = join(sums[0][r], sums[1][r]), high = join(sums[2][r], sums[3][r]);
        store(to + r * kSide + four * kColumns, odd_bytes_of(_mm256_add_epi16(low, _mm256_srli_epi16(low, 8)),
                                                             _mm256_add_epi16(high, _mm256_slli_epi16(high, 8))));
      }
    }
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
