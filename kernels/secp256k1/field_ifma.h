// SPDX-License-Identifier: Apache-2.0
// Eight elements of GF(p), p = 2^256 - 2^32 - 977, in the lanes of AVX-512 registers: five limbs of 52 bits, products
// by 52-bit multiply-add.
//
// Bounds. Fe: limbs 0 to 3 below 2^52, as the multiplier reads no more, and limb 4 below 2^49; `carry` gives that for
// any limbs below 2^63. Wide: limbs of a product folded to 260 bits, below 2^56. `wide_sub` adds a multiple of p with
// limbs about 2^60, so what it takes off must stay below 2^59.9 (eight products), and sums of all this below 2^63.
#pragma once

#include <immintrin.h>

#include "kernels/secp256k1/cpu_ops.h"

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
// Its intrinsics start from a register "undefined" by self-assignment, which it then warns of (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define SM_INLINE inline __attribute__((always_inline))

namespace sparkmill::secp256k1::cpu {
namespace {

struct Ifma {
  static constexpr std::size_t kWidth = 8;
  static constexpr std::size_t kSides = 2;
  using V = __m512i;
  using Mask = std::uint32_t;  ///< bit l: lane l
  struct Fe {
    V v[5];
  };
  struct Wide {
    V v[5];
  };
  using Frozen = Fe;  ///< below 2^256, limb 4 below 2^48

  static SM_INLINE V set1(std::uint64_t x) { return _mm512_set1_epi64(static_cast<long long>(x)); }
  static SM_INLINE V add(V a, V b) { return _mm512_add_epi64(a, b); }
  static SM_INLINE V sub(V a, V b) { return _mm512_sub_epi64(a, b); }
  static SM_INLINE V lo(V sum, V a, V b) { return _mm512_madd52lo_epu64(sum, a, b); }
  static SM_INLINE V hi(V sum, V a, V b) { return _mm512_madd52hi_epu64(sum, a, b); }

  static constexpr std::uint64_t kMask52 = (std::uint64_t{1} << 52) - 1;
  static constexpr std::uint64_t kMask48 = (std::uint64_t{1} << 48) - 1;
  static constexpr std::uint64_t kFold256 = 0x1000003d1;   ///< 2^256 mod p
  static constexpr std::uint64_t kFold260 = 0x1000003d10;  ///< 2^260 mod p
  static SM_INLINE V bias(int k) {
    return set1(k == 0 ? 0xfffefffffc2f000 : 0xfffffffffffff00);  // together a multiple of p
  }

  static SM_INLINE Fe carry(const Wide& w) {
    const V mask = set1(kMask52);
    const V top = _mm512_srli_epi64(w.v[4], 48);
    Fe x;
    V c = lo(w.v[0], top, set1(kFold256));
    for (int k = 0; k < 4; ++k) {
      x.v[k] = _mm512_and_si512(c, mask);
      const V next = k < 3 ? w.v[k + 1] : _mm512_and_si512(w.v[4], set1(kMask48));
      c = add(next, _mm512_srli_epi64(c, 52));
    }
    x.v[4] = c;
    return x;
  }
  /// Ten column sums to five: 2^260 = kFold260.
  static SM_INLINE Wide folded(V c[10]) {
    const V fold = set1(kFold260);
    // The multiplier takes the low 52 bits; what is above goes up first.
    for (int k = 5; k < 9; ++k) c[k + 1] = add(c[k + 1], _mm512_srli_epi64(c[k], 52));
    const V over = hi(_mm512_setzero_si512(), c[9], fold);
    Wide x;
    for (int k = 0; k < 5; ++k) x.v[k] = lo(c[k], c[k + 5], fold);
    for (int k = 1; k < 5; ++k) x.v[k] = hi(x.v[k], c[k + 4], fold);
    x.v[0] = lo(x.v[0], over, fold);
    x.v[1] = hi(x.v[1], over, fold);
    return x;
  }
  static SM_INLINE Wide mul_wide(const Fe& a, const Fe& b) {
    V c[10];
#pragma GCC unroll 10
    for (int k = 9; k >= 0; --k) {
      V sum = _mm512_setzero_si512();
#pragma GCC unroll 5
      for (int i = 0; i < 5; ++i) {
        if (k - 1 - i >= 0 && k - 1 - i < 5) sum = hi(sum, a.v[i], b.v[k - 1 - i]);
      }
#pragma GCC unroll 5
      for (int i = 0; i < 5; ++i) {
        if (k - i >= 0 && k - i < 5) sum = lo(sum, a.v[i], b.v[k - i]);
      }
      c[k] = sum;
    }
    return folded(c);
  }
  static SM_INLINE Wide sqr_wide(const Fe& a) {
    V c[10];
#pragma GCC unroll 10
    for (int k = 9; k >= 0; --k) {
      V sum = _mm512_setzero_si512();
#pragma GCC unroll 5
      for (int i = 0; i < 5; ++i) {
        const int j = k - 1 - i;
        if (j > i && j < 5) sum = hi(sum, a.v[i], a.v[j]);
      }
#pragma GCC unroll 5
      for (int i = 0; i < 5; ++i) {
        const int j = k - i;
        if (j > i && j < 5) sum = lo(sum, a.v[i], a.v[j]);
      }
      if (k > 0 && k < 9) sum = add(sum, sum);
      sum = k % 2 == 0 ? lo(sum, a.v[k / 2], a.v[k / 2]) : hi(sum, a.v[k / 2], a.v[k / 2]);
      c[k] = sum;
    }
    return folded(c);
  }
  static SM_INLINE Fe mul(const Fe& a, const Fe& b) { return carry(mul_wide(a, b)); }
  static SM_INLINE Fe sqr(const Fe& a) { return carry(sqr_wide(a)); }
  static SM_INLINE Wide wide(const Fe& a) { return {{a.v[0], a.v[1], a.v[2], a.v[3], a.v[4]}}; }
  static SM_INLINE Wide wide_add(const Wide& a, const Wide& b) {
    Wide out;
    for (int k = 0; k < 5; ++k) out.v[k] = add(a.v[k], b.v[k]);
    return out;
  }
  /// a - b + a multiple of p.
  static SM_INLINE Wide wide_sub(const Wide& a, const Wide& b) {
    Wide out;
    for (int k = 0; k < 5; ++k) out.v[k] = sub(add(a.v[k], bias(k)), b.v[k]);
    return out;
  }
  /// a times 2^kShift.
  template <int kShift>
  static SM_INLINE Wide wide_shl(const Wide& a) {
    Wide out;
    for (int k = 0; k < 5; ++k) out.v[k] = _mm512_slli_epi64(a.v[k], kShift);
    return out;
  }
  /// -a + a multiple of p in the lanes of m, a in the others.
  static SM_INLINE Wide wide_negate(Mask m, const Wide& a) {
    Wide out;
    for (int k = 0; k < 5; ++k) out.v[k] = _mm512_mask_sub_epi64(a.v[k], static_cast<__mmask8>(m), bias(k), a.v[k]);
    return out;
  }
  /// m ? a : b
  static SM_INLINE Fe select(Mask m, const Fe& a, const Fe& b) {
    Fe out;
    for (int k = 0; k < 5; ++k) out.v[k] = _mm512_mask_blend_epi64(static_cast<__mmask8>(m), b.v[k], a.v[k]);
    return out;
  }
  static SM_INLINE Fe constant(const Words4& w) {
    const V words[4] = {set1(w[0]), set1(w[1]), set1(w[2]), set1(w[3])};
    return unpacked(words);
  }

  /// Below 2^256.
  static SM_INLINE Frozen fitted(const Fe& a) { return carry(wide(a)); }
  /// In [0, p).
  static SM_INLINE Frozen frozen(const Fe& a) {
    const V mask = set1(kMask52);
    Fe x = fitted(a);
    // x >= p exactly when x + 2^256 - p reaches 2^256; then that sum without the bit is x - p.
    Fe y;
    V c = add(x.v[0], set1(kFold256));
    for (int k = 0; k < 4; ++k) {
      y.v[k] = _mm512_and_si512(c, mask);
      c = add(x.v[k + 1], _mm512_srli_epi64(c, 52));
    }
    const __mmask8 over = _mm512_test_epi64_mask(c, set1(kMask48 + 1));
    y.v[4] = _mm512_and_si512(c, set1(kMask48));
    for (int k = 0; k < 5; ++k) x.v[k] = _mm512_mask_blend_epi64(over, x.v[k], y.v[k]);
    return x;
  }
  static SM_INLINE Mask is_zero(const Fe& a) {
    const Frozen f = frozen(a);
    const V any =
        _mm512_or_si512(_mm512_or_si512(_mm512_or_si512(f.v[0], f.v[1]), _mm512_or_si512(f.v[2], f.v[3])), f.v[4]);
    return _mm512_testn_epi64_mask(any, any);
  }
  static SM_INLINE Mask odd(const Frozen& f) { return _mm512_test_epi64_mask(f.v[0], set1(1)); }

  // --- words of 64 bits ---

  static SM_INLINE Fe unpacked(const V w[4]) {
    const V mask = set1(kMask52);
    const auto joined = [&](V low, V high) { return _mm512_and_si512(_mm512_or_si512(low, high), mask); };
    return {{_mm512_and_si512(w[0], mask), joined(_mm512_srli_epi64(w[0], 52), _mm512_slli_epi64(w[1], 12)),
             joined(_mm512_srli_epi64(w[1], 40), _mm512_slli_epi64(w[2], 24)),
             joined(_mm512_srli_epi64(w[2], 28), _mm512_slli_epi64(w[3], 36)), _mm512_srli_epi64(w[3], 16)}};
  }
  static SM_INLINE void packed(const Frozen& f, V w[4]) {
    w[0] = _mm512_or_si512(f.v[0], _mm512_slli_epi64(f.v[1], 52));
    w[1] = _mm512_or_si512(_mm512_srli_epi64(f.v[1], 12), _mm512_slli_epi64(f.v[2], 40));
    w[2] = _mm512_or_si512(_mm512_srli_epi64(f.v[2], 24), _mm512_slli_epi64(f.v[3], 28));
    w[3] = _mm512_or_si512(_mm512_srli_epi64(f.v[3], 36), _mm512_slli_epi64(f.v[4], 16));
  }
  /// The lanes from item `first` on; words below 2^256.
  static SM_INLINE Fe load(const std::uint64_t (*word)[kChunk], std::size_t first) {
    V w[4];
    for (std::size_t k = 0; k < 4; ++k) w[k] = _mm512_loadu_si512(word[k] + first);
    return unpacked(w);
  }
  static SM_INLINE void store(const Frozen& f, std::uint64_t (*word)[kChunk], std::size_t first) {
    V w[4];
    packed(f, w);
    for (std::size_t k = 0; k < 4; ++k) _mm512_storeu_si512(word[k] + first, w[k]);
  }

  // --- tables: eight words of x and y of a lane lie in one line, and the lines of eight lanes are transposed ---

  static SM_INLINE void transpose8(V r[8]) {
    V t[8], u[8];
    for (int k = 0; k < 8; k += 2) {
      t[k] = _mm512_unpacklo_epi64(r[k], r[k + 1]);
      t[k + 1] = _mm512_unpackhi_epi64(r[k], r[k + 1]);
    }
    for (int k = 0; k < 2; ++k) {
      u[k] = _mm512_shuffle_i64x2(t[k], t[k + 2], 0x88);
      u[k + 2] = _mm512_shuffle_i64x2(t[k], t[k + 2], 0xdd);
      u[k + 4] = _mm512_shuffle_i64x2(t[k + 4], t[k + 6], 0x88);
      u[k + 6] = _mm512_shuffle_i64x2(t[k + 4], t[k + 6], 0xdd);
    }
    for (int k = 0; k < 2; ++k) {
      r[k] = _mm512_shuffle_i64x2(u[k], u[k + 4], 0x88);
      r[k + 4] = _mm512_shuffle_i64x2(u[k], u[k + 4], 0xdd);
      r[k + 2] = _mm512_shuffle_i64x2(u[k + 2], u[k + 6], 0x88);
      r[k + 6] = _mm512_shuffle_i64x2(u[k + 2], u[k + 6], 0xdd);
    }
  }
  static SM_INLINE void put_rows(std::uint64_t* const* rows, const Fe& x, const Fe& y) {
    V w[8];
    packed(fitted(x), w);
    packed(fitted(y), w + 4);
    transpose8(w);
    for (std::size_t l = 0; l < 8; ++l) _mm512_store_si512(rows[l], w[l]);
  }
  static SM_INLINE void get_rows(const std::uint64_t* const* rows, Fe& x, Fe& y) {
    V w[8];
    for (std::size_t l = 0; l < 8; ++l) w[l] = _mm512_load_si512(rows[l]);
    transpose8(w);
    x = unpacked(w);
    y = unpacked(w + 4);
  }
};

}  // namespace
}  // namespace sparkmill::secp256k1::cpu
