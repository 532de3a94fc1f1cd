// SPDX-License-Identifier: Apache-2.0
// The three operations that the AVX2 row needs for 32 products, with all operands in registers.
#include <immintrin.h>

#include "bench/kernels/mac_ceiling.h"

namespace sparkmill::bench {
namespace {

#define SPARKMILL_PRODUCTS(sum)                                                     \
  __asm__ volatile("vpxor %2, %3, %1\n\tvpmaddubsw %1, %4, %1\n\tvpaddw %1, %0, %0" \
                   : "+x"(sum), "=&x"(t)                                            \
                   : "x"(a), "x"(sign), "x"(size))

void products(std::uint64_t rounds) {
  const __m256i a = _mm256_set1_epi8(7), size = _mm256_set1_epi8(9), sign = _mm256_set1_epi8(-1);
  __m256i s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a, t = a;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    SPARKMILL_PRODUCTS(s0);
    SPARKMILL_PRODUCTS(s1);
    SPARKMILL_PRODUCTS(s2);
    SPARKMILL_PRODUCTS(s3);
    SPARKMILL_PRODUCTS(s4);
    SPARKMILL_PRODUCTS(s5);
    SPARKMILL_PRODUCTS(s6);
    SPARKMILL_PRODUCTS(s7);
  }
}

}  // namespace

MacCeiling avx2_mac() { return {products, 8 * 32}; }

}  // namespace sparkmill::bench
