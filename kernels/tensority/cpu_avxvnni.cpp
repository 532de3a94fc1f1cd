// SPDX-License-Identifier: Apache-2.0
// AVX-VNNI, for processors that have vpdpbusd on 256 bits but no AVX-512: 6 rows x 16 columns of sums stay in 12
// registers. vpdpbusd takes unsigned times signed bytes; cpu_avx512_impl.h says how the state is kept for that.
#include "kernels/tensority/cpu_avx2_impl.h"

namespace sparkmill::tensority::cpu {
namespace {

constexpr unsigned kRows = 6;

void pack(const std::int8_t* matrix, std::uint8_t* packed) {
  pack_columns(matrix, packed, [](const std::int8_t* b) {
    std::int32_t sum = 0;
    for (std::size_t n = 0; n < kSide; ++n) sum += b[n];
    return -128 * sum + 0x8000;
  });
}

/// left += four products a[n] b[n] in each lane, right += a[n] c[n]. By hand, as in the other rows, and with the
/// reading of `a`, which g++ 12 would do for all rows first. {vex}: not the AVX-512 instruction.
SPARKMILL_INLINE void products4(V& left, V& right, const std::uint8_t* a, V b, V c) {
  struct Four {
    std::uint8_t bytes[4];
  };
  V spread;
  __asm__("vpbroadcastd %3, %2\n\t%{vex%} vpdpbusd %4, %2, %0\n\t%{vex%} vpdpbusd %5, %2, %1"
          : "+x"(left), "+x"(right), "=&x"(spread)
          : "m"(*reinterpret_cast<const Four*>(a)), "x"(b), "x"(c));
}

/// Sums of R rows and two vectors of columns over all 256 products. Not inlined: the loop needs 15 of 16 registers and
/// must not share them with its surroundings.
template <unsigned R>
__attribute__((noinline)) void tile(const std::uint8_t* a, const std::uint8_t* vector, const std::uint8_t* start,
                                    V (&left)[R], V (&right)[R]) {
  V l[R], r[R];
#pragma GCC unroll 8
  for (unsigned row = 0; row < R; ++row) l[row] = load(start), r[row] = load(start + kVector);
  for (const std::uint8_t* end = a + kSide; a != end; a += 4, vector += kVector) {
    const V b = load(vector), c = load(vector + kVectorBytes);
#pragma GCC unroll 8
    for (unsigned row = 0; row < R; ++row) products4(l[row], r[row], a + row * kSide, b, c);
  }
#pragma GCC unroll 8
  for (unsigned row = 0; row < R; ++row) left[row] = l[row], right[row] = r[row];
}

/// R rows; brings three lines of the next matrix nearer for each four vectors.
template <unsigned R>
SPARKMILL_INLINE void rows(const std::uint8_t* from, const std::uint8_t* packed, const std::uint8_t* ahead,
                           std::uint8_t* to) {
  for (std::size_t four = 0; four < kVectors; four += 4) {
    const std::uint8_t* vector = packed + four * kVectorBytes;
    const std::uint8_t* start = packed + kSide * kSide + four * kVector;
    V sums[4][R];
    tile<R>(from, vector, start, sums[0], sums[1]);
    tile<R>(from, vector + 2 * kVectorBytes, start + 2 * kVector, sums[2], sums[3]);
    for (std::size_t r = 0; r < R; ++r) {
      const V low = odd_words_of(sums[0][r], _mm256_slli_epi32(sums[1][r], 16));  // only v mod 2^16 matters
      const V high = odd_words_of(sums[2][r], _mm256_slli_epi32(sums[3][r], 16));
      store(to + r * kSide + four * kColumns, fold_words(low, high));
    }
    for (std::size_t k = 0; k < 3; ++k, ahead += kLine) _mm_prefetch(reinterpret_cast<const char*>(ahead), _MM_HINT_T1);
  }
}

void step(const std::uint8_t* packed, const std::uint8_t* next, const std::uint8_t* from, std::uint8_t* to) {
  constexpr unsigned kWhole = kSide / kRows * kRows;
  constexpr std::size_t kAhead = kVectors / 4 * 3 * kLine;  // of one block of rows; 42 blocks bring 63 KiB
  for (std::size_t row = 0; row < kWhole; row += kRows) {
    rows<kRows>(from + row * kSide, packed, next + row / kRows * kAhead, to + row * kSide);
  }
  rows<kSide - kWhole>(from + kWhole * kSide, packed, next + kSide * kSide - kAhead, to + kWhole * kSide);
}

constexpr Ops kOps = {"avxvnni", kPackedBytes, pack, first<0x80>, step, add};

}  // namespace

const Ops& avxvnni_ops() { return kOps; }

}  // namespace sparkmill::tensority::cpu
