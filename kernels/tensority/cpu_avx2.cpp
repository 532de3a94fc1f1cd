// SPDX-License-Identifier: Apache-2.0
// AVX2: vpmaddubsw does 32 multiply-accumulates, unsigned times signed, into sums of two that saturate at 16 bits. It
// is exact for |b| and a xor m, where m is -1 for b < 0 and 0 else: a pair lies within 2 * 128 * -128 and 2 * 128 *
// 127. For b < 0 the product is |b| (-a - 1) = a b + b; the sum of these b is known beforehand and taken off at the
// start. Sums of pairs may wrap, since only v mod 2^16 matters. That is three operations for 32 products; widening to
// 16 bits and vpmaddwd takes four.
#include "kernels/tensority/cpu_avx2_impl.h"

namespace sparkmill::tensority::cpu {
namespace {

constexpr unsigned kRows = 8;

void pack(const std::int8_t* matrix, std::uint8_t* packed) {
  pack_columns(matrix, packed, [](const std::int8_t* b) {
    std::int32_t below = 0;
    for (std::size_t n = 0; n < kSide; ++n) below += b[n] < 0 ? -b[n] : 0;
    return below & 0xffff;  // at most 2^15; the upper part of the sum starts at 0
  });
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
        store(to + r * kSide + four * kColumns, fold_words(low, high));
      }
    }
  }
}

constexpr Ops kOps = {"avx2", kPackedBytes, pack, first<0>, step, add};

}  // namespace

const Ops& avx2_ops() { return kOps; }

}  // namespace sparkmill::tensority::cpu
