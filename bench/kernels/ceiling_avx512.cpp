// SPDX-License-Identifier: Apache-2.0
// The AVX-512 micro-kernels' mix of operations with all operands in registers.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 trips over its own _mm512_undefined
#endif
#include <immintrin.h>

#include "bench/kernels/ceiling.h"

namespace sparkmill::bench {
namespace {

/// The compiler must take the value for new: nothing is hoisted or merged.
#define SPARKMILL_OPAQUE(x) __asm__ volatile("" : "+v"(x))

void plain(std::uint64_t rounds) {
  __m512i sum[16];
  __m512i a = _mm512_set1_epi32(7), b = _mm512_set1_epi32(9), x = _mm512_set1_epi32(11);
#pragma GCC unroll 16
  for (int k = 0; k < 16; ++k) sum[k] = _mm512_setzero_si512();
  for (std::uint64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 8
    for (int k = 0; k < 16; k += 2) {
      SPARKMILL_OPAQUE(x);
      sum[k] = _mm512_add_epi64(sum[k], _mm512_popcnt_epi64(_mm512_xor_si512(a, x)));
      sum[k + 1] = _mm512_add_epi64(sum[k + 1], _mm512_popcnt_epi64(_mm512_xor_si512(b, x)));
    }
  }
#pragma GCC unroll 16
  for (int k = 0; k < 16; ++k) SPARKMILL_OPAQUE(sum[k]);
}

void masked(std::uint64_t rounds) {
  __m512i sum[16];
  __m512i a = _mm512_set1_epi32(7), b = _mm512_set1_epi32(9), ma = _mm512_set1_epi32(3), mb = _mm512_set1_epi32(5);
  __m512i x = _mm512_set1_epi32(11), mx = _mm512_set1_epi32(13);
#pragma GCC unroll 16
  for (int k = 0; k < 16; ++k) sum[k] = _mm512_setzero_si512();
  for (std::uint64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 4
    for (int k = 0; k < 16; k += 4) {
      SPARKMILL_OPAQUE(x);
      SPARKMILL_OPAQUE(mx);
      const __m512i both_a = _mm512_and_si512(ma, mx), both_b = _mm512_and_si512(mb, mx);
      sum[k] = _mm512_add_epi64(sum[k], _mm512_popcnt_epi64(both_a));
      sum[k + 1] = _mm512_add_epi64(sum[k + 1], _mm512_popcnt_epi64(both_b));
      sum[k + 2] = _mm512_add_epi64(sum[k + 2], _mm512_popcnt_epi64(_mm512_ternarylogic_epi64(both_a, a, x, 0x60)));
      sum[k + 3] = _mm512_add_epi64(sum[k + 3], _mm512_popcnt_epi64(_mm512_ternarylogic_epi64(both_b, b, x, 0x60)));
    }
  }
#pragma GCC unroll 16
  for (int k = 0; k < 16; ++k) SPARKMILL_OPAQUE(sum[k]);
}

}  // namespace

Ceiling avx512_plain() { return {plain, 16 * 8}; }
Ceiling avx512_masked() { return {masked, 8 * 8}; }

}  // namespace sparkmill::bench
