// SPDX-License-Identifier: Apache-2.0
// vpdpbusd with all operands in registers.
#include <immintrin.h>

#include "bench/kernels/mac_ceiling.h"

namespace sparkmill::bench {
namespace {

// Named sums and the instruction by hand: g++ 12 would keep an array of them in memory.
#define SPARKMILL_PRODUCTS(sum) __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b))

void products(std::uint64_t rounds) {
  const __m512i a = _mm512_set1_epi8(7), b = _mm512_set1_epi8(-9);
  __m512i s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a;
  __m512i s8 = a, s9 = a, s10 = a, s11 = a, s12 = a, s13 = a, s14 = a, s15 = a;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    SPARKMILL_PRODUCTS(s0);
    SPARKMILL_PRODUCTS(s1);
    SPARKMILL_PRODUCTS(s2);
    SPARKMILL_PRODUCTS(s3);
    SPARKMILL_PRODUCTS(s4);
    SPARKMILL_PRODUCTS(s5);
    SPARKMILL_PRODUCTS(s6);
    SPARKMILL_PRODUCTS(s7);
    SPARKMILL_PRODUCTS(s8);
    SPARKMILL_PRODUCTS(s9);
    SPARKMILL_PRODUCTS(s10);
    SPARKMILL_PRODUCTS(s11);
    SPARKMILL_PRODUCTS(s12);
    SPARKMILL_PRODUCTS(s13);
    SPARKMILL_PRODUCTS(s14);
    SPARKMILL_PRODUCTS(s15);
  }
}

}  // namespace

MacCeiling avx512_mac() { return {products, 16 * 64}; }

}  // namespace sparkmill::bench
