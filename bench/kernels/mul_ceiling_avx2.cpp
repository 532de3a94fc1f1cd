// SPDX-License-Identifier: Apache-2.0
// vpmuludq with all operands in registers; it adds nothing, so no result waits for another.
#include <immintrin.h>

#include "bench/kernels/mul_ceiling.h"

namespace sparkmill::bench {
namespace {

#define SPARKMILL_MUL(out) __asm__ volatile("vpmuludq %2, %1, %0" : "=x"(out) : "x"(a), "x"(b))

void products(std::uint64_t rounds) {
  const __m256i a = _mm256_set1_epi64x(7), b = _mm256_set1_epi64x(9);
  __m256i r0, r1, r2, r3, r4, r5, r6, r7;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    SPARKMILL_MUL(r0);
    SPARKMILL_MUL(r1);
    SPARKMILL_MUL(r2);
    SPARKMILL_MUL(r3);
    SPARKMILL_MUL(r4);
    SPARKMILL_MUL(r5);
    SPARKMILL_MUL(r6);
    SPARKMILL_MUL(r7);
  }
}

}  // namespace

MulCeiling avx2_mul() { return {products, 8}; }

}  // namespace sparkmill::bench
