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
  inline __attribute__((always_inline)) void add4(U a, U b, U c, U d, U table, U nibble) {
    const U first = carry(ones, a, b);
    const U second = carry(ones, c, d);
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
    const U e0 = word(), e1 = word(), e2 = word(), e3 = word();
    even.add4(e0, e1, e2, e3, table, nibble);
    const U o0 = word(), o1 = word(), o2 = word(), o3 = word();
    odd.add4(o0, o1, o2, o3, table, nibble);
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
    U both[4], differ[4];
#pragma GCC unroll 4
    for (int w = 0; w < 4; ++w) {
      SPARKMILL_OPAQUE(a);
      both[w] = _mm256_and_si256(a, x);
      SPARKMILL_OPAQUE(a);
      differ[w] = _mm256_and_si256(_mm256_xor_si256(a, x), both[w]);
    }
    valid.add4(both[0], both[1], both[2], both[3], table, nibble);
    ham.add4(differ[0], differ[1], differ[2], differ[3], table, nibble);
  }
  SPARKMILL_OPAQUE(ham.fours);
  SPARKMILL_OPAQUE(valid.fours);
}

}  // namespace

Ceiling avx2_plain() { return {plain, 8 * 4}; }
Ceiling avx2_masked() { return {masked, 4 * 4}; }

}  // namespace sparkmill::bench
