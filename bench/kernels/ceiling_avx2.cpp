// SPDX-License-Identifier: Apache-2.0
// The AVX2 micro-kernels' mix of operations with all operands in registers.
#include <immintrin.h>

#include "bench/kernels/ceiling.h"

namespace sparkmill::bench {
namespace {

#define SPARKMILL_OPAQUE(x) __asm__ volatile("" : "+x"(x))
using U = __m256i;

inline __attribute__((always_inline)) U popcount_bytes(U x, U table, U nibble) {
  const U low = _mm256_shuffle_epi8(table, _mm256_and_si256(x, nibble));
  return _mm256_add_epi8(low, _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(x, 4), nibble)));
}

inline __attribute__((always_inline)) U carry(U& s, U a, U b) {
  const U half = _mm256_xor_si256(s, a);
  const U out = _mm256_or_si256(_mm256_and_si256(s, a), _mm256_and_si256(half, b));
  s = _mm256_xor_si256(half, b);
  return out;
}

struct Counter {
  U ones, twos, fours;
  inline __attribute__((always_inline)) void add_carries(U first, U second, U table, U nibble) {
    fours = _mm256_add_epi8(fours, popcount_bytes(carry(twos, first, second), table, nibble));
  }
};

void plain(std::uint64_t rounds) {
  Counter even{}, odd{};
  U table = _mm256_set1_epi8(3), nibble = _mm256_set1_epi8(15), x = _mm256_set1_epi8(11), a = _mm256_set1_epi8(7);
  SPARKMILL_OPAQUE(table);
  SPARKMILL_OPAQUE(nibble);
  const auto word = [&] {
    SPARKMILL_OPAQUE(a);
    return _mm256_xor_si256(a, x);
  };
  for (std::uint64_t i = 0; i < rounds; ++i) {
    const U even_first = carry(even.ones, word(), word());
    const U odd_first = carry(odd.ones, word(), word());
    even.add_carries(even_first, carry(even.ones, word(), word()), table, nibble);
    odd.add_carries(odd_first, carry(odd.ones, word(), word()), table, nibble);
  }
  SPARKMILL_OPAQUE(even.fours);
  SPARKMILL_OPAQUE(odd.fours);
}

void masked(std::uint64_t rounds) {
  Counter ham{}, valid{};
  U table = _mm256_set1_epi8(3), nibble = _mm256_set1_epi8(15), x = _mm256_set1_epi8(11), a = _mm256_set1_epi8(7);
  SPARKMILL_OPAQUE(table);
  SPARKMILL_OPAQUE(nibble);
  for (std::uint64_t i = 0; i < rounds; ++i) {
    U k_first = a, ham_first = a;
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      SPARKMILL_OPAQUE(a);
      const U m0 = _mm256_and_si256(a, x);
      SPARKMILL_OPAQUE(a);
      const U m1 = _mm256_and_si256(a, x);
      const U k = carry(valid.ones, m0, m1);
      SPARKMILL_OPAQUE(a);
      const U d0 = _mm256_and_si256(_mm256_xor_si256(a, x), m0);
      SPARKMILL_OPAQUE(a);
      const U d1 = _mm256_and_si256(_mm256_xor_si256(a, x), m1);
      const U h = carry(ham.ones, d0, d1);
      if (half == 0) {
        k_first = k;
        ham_first = h;
      } else {
        valid.add_carries(k_first, k, table, nibble);
        ham.add_carries(ham_first, h, table, nibble);
      }
    }
  }
  SPARKMILL_OPAQUE(ham.fours);
  SPARKMILL_OPAQUE(valid.fours);
}

}  // namespace

Ceiling avx2_plain() { return {plain, 8 * 4}; }
Ceiling avx2_masked() { return {masked, 4 * 4}; }

}  // namespace sparkmill::bench
