// SPDX-License-Identifier: Apache-2.0
// AVX-512 with VPOPCNTDQ: 16 users a panel (two vectors of eight 64-bit words); 8 x 16 pairs of the plain form, 4 x 16
// of the masked form, stay in registers over all words.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 trips over its own _mm512_undefined
#endif
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace sparkmill::match::cpu {
namespace {

#define SPARKMILL_INLINE inline __attribute__((always_inline))

struct V {
  using U = __m512i;
  static constexpr const char* kIsa = "avx512";
  static constexpr unsigned kUsers = 16;
  static constexpr unsigned kPlainRows = 8;
  static constexpr unsigned kMaskedRows = 4;
  static constexpr unsigned kRowGroup = 8;

  static U zero() { return _mm512_setzero_si512(); }
  static U set1(std::int32_t x) { return _mm512_set1_epi32(x); }
  static U set1(std::uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }
  static U load(const std::uint32_t* p) { return _mm512_loadu_si512(p); }
  static void store(std::uint32_t* p, U v) { _mm512_storeu_si512(p, v); }
  static U add(U a, U b) { return _mm512_add_epi32(a, b); }
  static U bit_xor(U a, U b) { return _mm512_xor_si512(a, b); }
  static U min_signed(U a, U b) { return _mm512_min_epi32(a, b); }
  static U max_signed(U a, U b) { return _mm512_max_epi32(a, b); }
  static U madd16(U a, U b) { return _mm512_madd_epi16(a, b); }
  static unsigned at_least(U a, U b) { return _mm512_cmpge_epi32_mask(a, b); }

  static U words8(const std::uint64_t* p) { return _mm512_load_si512(p); }
  // The request's word is broadcast by the memory operand of each use: compilers would rather spend an instruction on a
  // register, and slots of the front end are what runs short when the core is shared.
  static SPARKMILL_INLINE U xor_word(U a, const std::uint64_t* p) {
    U out;
    __asm__("vpxorq %2%{1to8%}, %1, %0" : "=v"(out) : "v"(a), "m"(*p));
    return out;
  }
  static SPARKMILL_INLINE U and_word(U a, const std::uint64_t* p) {
    U out;
    __asm__("vpandq %2%{1to8%}, %1, %0" : "=v"(out) : "v"(a), "m"(*p));
    return out;
  }
  /// (a ^ word) & both
  static SPARKMILL_INLINE U differ(U both, U a, const std::uint64_t* p) {
    __asm__("vpternlogq $0x60, %2%{1to8%}, %1, %0" : "+v"(both) : "v"(a), "m"(*p));
    return both;
  }

  /// Addresses of a micro-tile at the current word: two pointers, the stride and its triple reach four rows from each.
  /// Opaque to the compiler, which would otherwise keep eight pointers and spill some.
  struct Rows {
    const std::uint8_t *low, *high;
    std::size_t stride, triple;
    SPARKMILL_INLINE Rows(const std::uint8_t* first, const std::uint8_t* second, std::size_t bytes)
        : low(first), high(second), stride(bytes), triple(3 * bytes) {
      __asm__("" : "+r"(high), "+r"(stride), "+r"(triple));
    }
    SPARKMILL_INLINE const std::uint64_t* at(unsigned r) const {
      const std::uint8_t* base = r < 4 ? low : high;
      const std::size_t offset = r % 4 == 0 ? 0 : r % 4 == 1 ? stride : r % 4 == 2 ? 2 * stride : triple;
      return reinterpret_cast<const std::uint64_t*>(base + offset);
    }
    SPARKMILL_INLINE void advance() {
      low += 8;
      high += 8;
    }
  };

  static SPARKMILL_INLINE void plain(const std::uint8_t* rows, std::size_t stride, const std::uint64_t* panel,
                                     std::size_t words, U (&v)[kPlainRows]) {
    U even[kPlainRows], odd[kPlainRows];
#pragma GCC unroll 8
    for (unsigned r = 0; r < kPlainRows; ++r) even[r] = odd[r] = zero();
    Rows row(rows, rows + 4 * stride, stride);
    for (const std::uint64_t* end = panel + words * 16; panel != end; panel += 16) {
      const U a = words8(panel);
      const U b = words8(panel + 8);
#pragma GCC unroll 8
      for (unsigned r = 0; r < kPlainRows; ++r) {
        even[r] = _mm512_add_epi64(even[r], _mm512_popcnt_epi64(xor_word(a, row.at(r))));
        odd[r] = _mm512_add_epi64(odd[r], _mm512_popcnt_epi64(xor_word(b, row.at(r))));
      }
      row.advance();
    }
#pragma GCC unroll 8
    for (unsigned r = 0; r < kPlainRows; ++r) v[r] = _mm512_or_si512(even[r], _mm512_slli_epi64(odd[r], 32));
  }

  static SPARKMILL_INLINE void masked(const std::uint8_t* rows, std::size_t stride, const std::uint64_t* panel,
                                      std::size_t words, U (&v)[kMaskedRows]) {
    U ham_even[kMaskedRows], ham_odd[kMaskedRows], k_even[kMaskedRows], k_odd[kMaskedRows];
#pragma GCC unroll 8
    for (unsigned r = 0; r < kMaskedRows; ++r) ham_even[r] = ham_odd[r] = k_even[r] = k_odd[r] = zero();
    Rows row(rows, rows + words * 8, stride);  // signs at 0 to 3, validity at 4 to 7
    for (const std::uint64_t* end = panel + words * 32; panel != end; panel += 32) {
      const U sign_a = words8(panel), sign_b = words8(panel + 8);
      const U valid_a = words8(panel + 16), valid_b = words8(panel + 24);
#pragma GCC unroll 8
      for (unsigned r = 0; r < kMaskedRows; ++r) {
        const U both_a = and_word(valid_a, row.at(4 + r));
        const U both_b = and_word(valid_b, row.at(4 + r));
        k_even[r] = _mm512_add_epi64(k_even[r], _mm512_popcnt_epi64(both_a));
        k_odd[r] = _mm512_add_epi64(k_odd[r], _mm512_popcnt_epi64(both_b));
        ham_even[r] = _mm512_add_epi64(ham_even[r], _mm512_popcnt_epi64(differ(both_a, sign_a, row.at(r))));
        ham_odd[r] = _mm512_add_epi64(ham_odd[r], _mm512_popcnt_epi64(differ(both_b, sign_b, row.at(r))));
      }
      row.advance();
    }
#pragma GCC unroll 8
    for (unsigned r = 0; r < kMaskedRows; ++r) {
      const U even = _mm512_or_si512(ham_even[r], _mm512_slli_epi64(k_even[r], 16));
      const U odd = _mm512_or_si512(ham_odd[r], _mm512_slli_epi64(k_odd[r], 16));
      v[r] = _mm512_or_si512(even, _mm512_slli_epi64(odd, 32));
    }
  }
};

}  // namespace
}  // namespace sparkmill::match::cpu

#include "kernels/match/cpu_impl.h"

namespace sparkmill::match::cpu {
const Ops& avx512_ops() { return kOps; }
}  // namespace sparkmill::match::cpu
