// SPDX-License-Identifier: Apache-2.0
// AVX2: eight users a panel (two vectors of four 64-bit words). No vector popcount here: carry-save adders fold four
// words into one before it is counted by nibble look-up (vpshufb), 6.5 operations a word instead of 8.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace sparkmill::match::cpu {
namespace {

using V256 = __m256i;
#define SPARKMILL_INLINE inline __attribute__((always_inline))

SPARKMILL_INLINE V256 popcount_bytes(V256 x) {
  const V256 table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                      0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const V256 nibble = _mm256_set1_epi8(15);
  const V256 low = _mm256_shuffle_epi8(table, _mm256_and_si256(x, nibble));
  const V256 high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(x, 4), nibble));
  return _mm256_add_epi8(low, high);
}

/// Counts the ones of a stream of words in each 64-bit lane. `fours` holds at most 31 additions a byte before spill().
struct Counter {
  V256 ones, twos, fours, total;

  SPARKMILL_INLINE void clear() { ones = twos = fours = total = _mm256_setzero_si256(); }

  /// Full adder: sum replaces `s`, the carry is returned.
  static SPARKMILL_INLINE V256 carry(V256& s, V256 a, V256 b) {
    const V256 half = _mm256_xor_si256(s, a);
    const V256 out = _mm256_or_si256(_mm256_and_si256(s, a), _mm256_and_si256(half, b));
    s = _mm256_xor_si256(half, b);
    return out;
  }
  /// The same when `s` is still zero: half the operations.
  static SPARKMILL_INLINE V256 first_carry(V256& s, V256 a, V256 b) {
    s = _mm256_xor_si256(a, b);
    return _mm256_and_si256(a, b);
  }
  /// add_carries() of the first four words.
  SPARKMILL_INLINE void start(V256 first, V256 second) { fours = popcount_bytes(first_carry(twos, first, second)); }
  /// Two carries of `ones`: four words are in.
  SPARKMILL_INLINE void add_carries(V256 first, V256 second) {
    fours = _mm256_add_epi8(fours, popcount_bytes(carry(twos, first, second)));
  }
  SPARKMILL_INLINE void add1(V256 a) {
    const V256 first = _mm256_and_si256(ones, a);
    ones = _mm256_xor_si256(ones, a);
    fours = _mm256_add_epi8(fours, popcount_bytes(_mm256_and_si256(twos, first)));
    twos = _mm256_xor_si256(twos, first);
  }
  SPARKMILL_INLINE void spill() {
    total = _mm256_add_epi64(total, _mm256_sad_epu8(fours, _mm256_setzero_si256()));
    fours = _mm256_setzero_si256();
  }
  /// The count of each 64-bit lane; call after spill().
  SPARKMILL_INLINE V256 count() const {
    const V256 two = popcount_bytes(twos);
    const V256 low = _mm256_add_epi8(popcount_bytes(ones), _mm256_add_epi8(two, two));
    return _mm256_add_epi64(_mm256_slli_epi64(total, 2), _mm256_sad_epu8(low, _mm256_setzero_si256()));
  }
};

/// Words between spills: 31 additions of four words.
constexpr std::size_t kSpillWords = 124;

struct V {
  using U = V256;
  static constexpr const char* kIsa = "avx2";
  static constexpr unsigned kUsers = 8;
  static constexpr unsigned kPlainRows = 1;
  static constexpr unsigned kMaskedRows = 1;
  static constexpr unsigned kRowGroup = 1;

  static U zero() { return _mm256_setzero_si256(); }
  static U set1(std::int32_t x) { return _mm256_set1_epi32(x); }
  static U set1(std::uint32_t x) { return _mm256_set1_epi32(static_cast<int>(x)); }
  static U load(const std::uint32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const U*>(p)); }
  static void store(std::uint32_t* p, U v) { _mm256_storeu_si256(reinterpret_cast<U*>(p), v); }
  static U add(U a, U b) { return _mm256_add_epi32(a, b); }
  static U bit_xor(U a, U b) { return _mm256_xor_si256(a, b); }
  static U min_signed(U a, U b) { return _mm256_min_epi32(a, b); }
  static U max_signed(U a, U b) { return _mm256_max_epi32(a, b); }
  static U madd16(U a, U b) { return _mm256_madd_epi16(a, b); }
  static unsigned at_least(U a, U b) {
    return ~static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(b, a)))) & 0xff;
  }

  static SPARKMILL_INLINE U words4(const std::uint64_t* p) { return _mm256_load_si256(reinterpret_cast<const U*>(p)); }
  static SPARKMILL_INLINE U word(const std::uint64_t* p) { return _mm256_set1_epi64x(static_cast<long long>(*p)); }

  // Not inlined: with 16 registers the loop must not share them with its surroundings.
  static __attribute__((noinline)) U plain_row(const std::uint64_t* row, const std::uint64_t* panel,
                                               std::size_t words) {
    Counter even, odd;
    even.clear();
    odd.clear();
    const auto differ = [&](std::size_t w, std::size_t half) {
      return _mm256_xor_si256(words4(panel + w * 8 + half), word(row + w));
    };
    const auto pair = [&](Counter& c, std::size_t w, std::size_t half) {
      return Counter::carry(c.ones, differ(w, half), differ(w + 1, half));
    };
    std::size_t w = 0;
    if (words >= 4) {
      const U even_first = Counter::first_carry(even.ones, differ(0, 0), differ(1, 0));
      const U odd_first = Counter::first_carry(odd.ones, differ(0, 4), differ(1, 4));
      even.start(even_first, pair(even, 2, 0));
      odd.start(odd_first, pair(odd, 2, 4));
      w = 4;
    }
    for (std::size_t end = 0; end < words;) {
      end = words - end > kSpillWords ? end + kSpillWords : words;
      for (; w + 4 <= end; w += 4) {
        const U even_first = pair(even, w, 0), odd_first = pair(odd, w, 4);
        even.add_carries(even_first, pair(even, w + 2, 0));
        odd.add_carries(odd_first, pair(odd, w + 2, 4));
      }
      for (; w < end; ++w) {
        const U x = word(row + w);
        even.add1(_mm256_xor_si256(words4(panel + w * 8), x));
        odd.add1(_mm256_xor_si256(words4(panel + w * 8 + 4), x));
      }
      even.spill();
      odd.spill();
    }
    return _mm256_or_si256(even.count(), _mm256_slli_epi64(odd.count(), 32));
  }

  static SPARKMILL_INLINE void plain(const std::uint8_t* rows, std::size_t, const std::uint64_t* panel,
                                     std::size_t words, U (&v)[kPlainRows]) {
    v[0] = plain_row(reinterpret_cast<const std::uint64_t*>(rows), panel, words);
  }

  /// ham | K << 16 of one vector of users in 64-bit lanes.
  static __attribute__((noinline)) U masked_half(const std::uint64_t* row, const std::uint64_t* panel,
                                                 std::size_t words) {
    Counter ham, k;
    ham.clear();
    k.clear();
    const auto both = [&](std::size_t w) {
      return _mm256_and_si256(words4(panel + w * 16 + 8), word(row + words + w));
    };
    const auto differ = [&](std::size_t w, U valid) {
      return _mm256_and_si256(_mm256_xor_si256(words4(panel + w * 16), word(row + w)), valid);
    };
    std::size_t w = 0;
    if (words >= 4) {
      const U m0 = both(0), m1 = both(1), m2 = both(2), m3 = both(3);
      const U k_first = Counter::first_carry(k.ones, m0, m1);
      const U ham_first = Counter::first_carry(ham.ones, differ(0, m0), differ(1, m1));
      k.start(k_first, Counter::carry(k.ones, m2, m3));
      ham.start(ham_first, Counter::carry(ham.ones, differ(2, m2), differ(3, m3)));
      w = 4;
    }
    for (std::size_t end = 0; end < words;) {
      end = words - end > kSpillWords ? end + kSpillWords : words;
      for (; w + 4 <= end; w += 4) {
        const U m0 = both(w), m1 = both(w + 1);
        const U k_first = Counter::carry(k.ones, m0, m1);
        const U ham_first = Counter::carry(ham.ones, differ(w, m0), differ(w + 1, m1));
        const U m2 = both(w + 2), m3 = both(w + 3);
        k.add_carries(k_first, Counter::carry(k.ones, m2, m3));
        ham.add_carries(ham_first, Counter::carry(ham.ones, differ(w + 2, m2), differ(w + 3, m3)));
      }
      for (; w < end; ++w) {
        const U m = both(w);
        k.add1(m);
        ham.add1(differ(w, m));
      }
      k.spill();
      ham.spill();
    }
    return _mm256_or_si256(ham.count(), _mm256_slli_epi64(k.count(), 16));
  }

  static SPARKMILL_INLINE void masked(const std::uint8_t* rows, std::size_t, const std::uint64_t* panel,
                                      std::size_t words, U (&v)[kMaskedRows]) {
    const auto* row = reinterpret_cast<const std::uint64_t*>(rows);
    const U even = masked_half(row, panel, words);
    const U odd = masked_half(row, panel + 4, words);
    v[0] = _mm256_or_si256(even, _mm256_slli_epi64(odd, 32));
  }
};

}  // namespace
}  // namespace sparkmill::match::cpu

#include "kernels/match/cpu_impl.h"

namespace sparkmill::match::cpu {
const Ops& avx2_ops() { return kOps; }
}  // namespace sparkmill::match::cpu
