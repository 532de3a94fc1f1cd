// SPDX-License-Identifier: Apache-2.0
// vpmadd52luq with all operands in registers.
#include <immintrin.h>

#include "bench/kernels/mul_ceiling.h"

namespace sparkmill::bench {
namespace {

#define SPARKMILL_MUL(sum) __asm__ volatile("vpmadd52luq %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b))

void products(std::uint64_t rounds) {
  const __m512i a = _mm512_set1_epi64(7), b = _mm512_set1_epi64(9);
  __m512i s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a;
  __m512i s8 = a, s9 = a, s10 = a, s11 = a, s12 = a, s13 = a, s14 = a, s15 = a;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    SPARKMILL_MUL(s0);
    SPARKMILL_MUL(s1);
    SPARKMILL_MUL(s2);
    SPARKMILL_MUL(s3);
    SPARKMILL_MUL(s4);
    SPARKMILL_MUL(s5);
    SPARKMILL_MUL(s6);
    SPARKMILL_MUL(s7);
    SPARKMILL_MUL(s8);
    SPARKMILL_MUL(s9);
    SPARKMILL_MUL(s10);
    SPARKMILL_MUL(s11);
    SPARKMILL_MUL(s12);
    SPARKMILL_MUL(s13);
    SPARKMILL_MUL(s14);
    SPARKMILL_MUL(s15);
  }
}

}  // namespace

MulCeiling avx512_mul() { return {products, 16}; }

}  // namespace sparkmill::bench
