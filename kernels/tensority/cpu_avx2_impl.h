// SPDX-License-Identifier: Apache-2.0
// What the AVX2 row and the AVX-VNNI row share: order of a packed matrix, first step, sum. Included once by each of
// their files, inside of an unnamed namespace of its own.
#pragma once

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

// A packed matrix is [vector][product / 4][lane][product % 4] and then i32 start[vector][lane]. Vector v, lane d is
// column 32 (v / 4) + 4 d + kByte[v % 4]: four vectors of sums, folded and laid over one another, are 32 bytes in
// natural order.
constexpr std::size_t kByte[4] = {0, 2, 1, 3};

V load(const void* p) { return _mm256_load_si256(static_cast<const V*>(p)); }
void store(void* p, V v) { _mm256_store_si256(static_cast<V*>(p), v); }

/// `start` gives the sum's first value from a row of the matrix.
template <class Start>
void pack_columns(const std::int8_t* matrix, std::uint8_t* packed, Start start) {
  auto* starts = reinterpret_cast<std::int32_t*>(packed + kSide * kSide);
  for (std::size_t at = 0; at < kSide; ++at) {
    const std::size_t vector = at / kColumns, lane = at % kColumns;
    const std::int8_t* from = matrix + (vector / 4 * 32 + lane * 4 + kByte[vector % 4]) * kSide;
    std::uint8_t* to = packed + vector * kVectorBytes + lane * 4;
    for (std::size_t n = 0; n < kSide; n += 4) std::memcpy(to + n / 4 * kVector, from + n, 4);
    starts[at] = start(from);
  }
}

SPARKMILL_INLINE V odd_words_of(V other, V from) { return _mm256_blend_epi16(other, from, 0xaa); }
SPARKMILL_INLINE V odd_bytes_of(V other, V from) {
  return _mm256_blendv_epi8(other, from, _mm256_set1_epi16(static_cast<short>(0xff00)));
}

/// fold(v) of a row of transpose(B): x for x >= 0, x - 1 for x < 0.
template <std::uint8_t kOffset>
SPARKMILL_INLINE V fold_byte(V x) {
  const V folded = _mm256_add_epi8(x, _mm256_cmpgt_epi8(_mm256_setzero_si256(), x));
  return _mm256_add_epi8(folded, _mm256_set1_epi8(static_cast<char>(kOffset)));
}

/// Four products of 32 columns become 32 columns of four rows, kOffset added to each byte.
template <std::uint8_t kOffset>
void first(const std::uint8_t* packed, std::uint8_t* state) {
  for (std::size_t four = 0; four < kVectors; four += 4) {
    for (std::size_t group = 0; group < kGroups; ++group) {
      V x[4];
      for (std::size_t v = 0; v < 4; ++v) {
        x[kByte[v]] = fold_byte<kOffset>(load(packed + (four + v) * kVectorBytes + group * kVector));
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

/// Low bytes of the words of `low` and `high`, each having its two bytes added, as 32 bytes in natural order.
SPARKMILL_INLINE V fold_words(V low, V high) {
  return odd_bytes_of(_mm256_add_epi16(low, _mm256_srli_epi16(low, 8)),
                      _mm256_add_epi16(high, _mm256_slli_epi16(high, 8)));
}

void add(const std::uint8_t* state, std::uint8_t* sum) {
  for (std::size_t k = 0; k < kSide * kSide; k += kVector)
    store(sum + k, _mm256_add_epi8(load(sum + k), load(state + k)));
}

constexpr std::size_t kPackedBytes = kSide * kSide + kSide * sizeof(std::int32_t);

}  // namespace
}  // namespace sparkmill::tensority::cpu
