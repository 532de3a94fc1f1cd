// SPDX-License-Identifier: Apache-2.0
// Eight elements of GF(2^255 - 19) in the lanes of AVX-512 registers: five limbs of 51 bits, products by 52-bit
// multiply-add.
//
// Bounds. Fe: limbs below 2^51 + 2^17, which `carry` gives for any sums below 2^63. A factor of a product has limbs
// below 2^52 (Fe, or `negated_factor`), and the column sums of a product, Wide, are then below 2^60.1. `wide_sub` adds
// 1024 p, limbs about 2^61, so what it takes off must be at most two products; its result, and sums of it with two more
// products, stay below 2^63.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
// Its intrinsics start from a register "undefined" by self-assignment, which it then warns of (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define SM_INLINE inline __attribute__((always_inline))

namespace sparkmill::ed25519::cpu {
namespace {

struct Ifma {
  static constexpr std::size_t kLanes = 8;
  static constexpr std::size_t kPair = 2;
  static constexpr std::size_t kCachedWords = 24;  ///< four coordinates, 20 limbs, to whole cache lines
  static constexpr std::size_t kAffineWords = 16;  ///< three coordinates, 15 limbs
  using V = __m512i;
  using Mask = __mmask8;
  struct Fe {
    V v[5];
  };
  using Factor = Fe;
  struct Wide {
    V v[5];
  };

  static SM_INLINE V set1(std::uint64_t x) { return _mm512_set1_epi64(static_cast<long long>(x)); }
  static SM_INLINE V load(const std::uint64_t* p) { return _mm512_loadu_si512(p); }
  static SM_INLINE void store(std::uint64_t* p, V v) { _mm512_storeu_si512(p, v); }
  static SM_INLINE V add64(V a, V b) { return _mm512_add_epi64(a, b); }
  static SM_INLINE V xor64(V a, V b) { return _mm512_xor_si512(a, b); }
  static SM_INLINE V or64(V a, V b) { return _mm512_or_si512(a, b); }
  template <int N>
  static SM_INLINE V shl(V a) {
    return _mm512_slli_epi64(a, N);
  }
  template <int N>
  static SM_INLINE V shr(V a) {
    return _mm512_srli_epi64(a, N);
  }
  template <int N>
  static SM_INLINE V ror(V a) {
    return _mm512_ror_epi64(a, N);
  }
  static SM_INLINE V xor3(V a, V b, V c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }
  static SM_INLINE V choose(V x, V y, V z) { return _mm512_ternarylogic_epi64(x, y, z, 0xca); }
  static SM_INLINE V majority(V x, V y, V z) { return _mm512_ternarylogic_epi64(x, y, z, 0xe8); }
  static SM_INLINE V bytes_reversed(V a) {
    const V order = _mm512_set_epi64(0x08090a0b0c0d0e0f, 0x0001020304050607, 0x08090a0b0c0d0e0f, 0x0001020304050607,
                                     0x08090a0b0c0d0e0f, 0x0001020304050607, 0x08090a0b0c0d0e0f, 0x0001020304050607);
    return _mm512_shuffle_epi8(a, order);
  }
  static SM_INLINE Mask mask_of(unsigned bits) { return static_cast<Mask>(bits); }
  static SM_INLINE unsigned bits_of(Mask m) { return m; }
  /// Lanes whose lowest bit is set.
  static SM_INLINE Mask odd(V a) { return _mm512_test_epi64_mask(a, set1(1)); }
  static SM_INLINE Mask top_bit(V a) { return _mm512_movepi64_mask(a); }
  static SM_INLINE Mask is_zero64(V a) { return _mm512_testn_epi64_mask(a, a); }
  static SM_INLINE Mask mask_and(Mask a, Mask b) { return a & b; }
  static SM_INLINE Mask mask_or(Mask a, Mask b) { return a | b; }
  static SM_INLINE Mask mask_xor(Mask a, Mask b) { return a ^ b; }
  static SM_INLINE Mask mask_not(Mask a) { return static_cast<Mask>(~a); }
  /// m ? a : b
  static SM_INLINE V select(Mask m, V a, V b) { return _mm512_mask_blend_epi64(m, b, a); }

  /// word[j] of the lanes from row j of each lane: rows[lane][0 .. 7].
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
  /// The block words of eight messages: out[t] holds word t of each. `blocks[lane]` points to 128 bytes.
  static SM_INLINE void load_blocks(const std::uint8_t* const* blocks, V out[16]) {
    for (int half = 0; half < 2; ++half) {
      V r[8];
      for (int l = 0; l < 8; ++l) r[l] = _mm512_loadu_si512(blocks[l] + 64 * half);
      transpose8(r);
      for (int t = 0; t < 8; ++t) out[8 * half + t] = bytes_reversed(r[t]);
    }
  }

  static constexpr std::uint64_t kMask51 = (std::uint64_t{1} << 51) - 1;

  static SM_INLINE V lo(V sum, V a, V b) { return _mm512_madd52lo_epu64(sum, a, b); }
  static SM_INLINE V hi(V sum, V a, V b) { return _mm512_madd52hi_epu64(sum, a, b); }
  static SM_INLINE V twice(V a) { return _mm512_add_epi64(a, a); }
  static SM_INLINE V nineteen_times(V a) {
    V out;
    __asm__("vpmullq %2, %1, %0" : "=v"(out) : "v"(a), "v"(set1(19)));
    return out;
  }

  static SM_INLINE Fe carry(const Wide& w) {
    const V mask = set1(kMask51);
    V q[5];
    for (int k = 0; k < 5; ++k) q[k] = _mm512_srli_epi64(w.v[k], 51);
    Fe out;
    out.v[0] = lo(_mm512_and_si512(w.v[0], mask), q[4], set1(19));
    for (int k = 1; k < 5; ++k) out.v[k] = add64(_mm512_and_si512(w.v[k], mask), q[k - 1]);
    return out;
  }

  // Column k of a product is the sum of lo(i, j) with i + j = k and twice hi(i, j) with i + j = k - 1: hi counts 2^52,
  // one bit more than the radix.
  static SM_INLINE Wide mul_wide(const Fe& a, const Fe& b) {
    V c[10];
    const V zero = _mm512_setzero_si512();
#pragma GCC unroll 10
    for (int k = 9; k >= 0; --k) {
      V sum = zero;
      if (k > 0) {
#pragma GCC unroll 5
        for (int i = 0; i < 5; ++i) {
          if (k - 1 - i >= 0 && k - 1 - i < 5) sum = hi(sum, a.v[i], b.v[k - 1 - i]);
        }
        sum = twice(sum);
      }
#pragma GCC unroll 5
      for (int i = 0; i < 5; ++i) {
        if (k - i >= 0 && k - i < 5) sum = lo(sum, a.v[i], b.v[k - i]);
      }
      c[k] = sum;
    }
    Wide w;
    for (int k = 0; k < 5; ++k) w.v[k] = add64(c[k], nineteen_times(c[k + 5]));
    return w;
  }
  static SM_INLINE Wide sqr_wide(const Fe& a) {
    V c[10];
    const V zero = _mm512_setzero_si512();
#pragma GCC unroll 10
    for (int k = 9; k >= 0; --k) {
      V sum = zero;
      if (k > 1) {
#pragma GCC unroll 5
        for (int i = 0; i < 5; ++i) {
          const int j = k - 1 - i;
          if (j > i && j < 5) sum = hi(sum, a.v[i], a.v[j]);
        }
        sum = twice(sum);
      }
      if (k % 2 == 1) sum = hi(sum, a.v[k / 2], a.v[k / 2]);
#pragma GCC unroll 5
      for (int i = 0; i < 5; ++i) {
        const int j = k - i;
        if (j > i && j < 5) sum = lo(sum, a.v[i], a.v[j]);
      }
      if (k > 0) sum = twice(sum);
      if (k % 2 == 0) sum = lo(sum, a.v[k / 2], a.v[k / 2]);
      c[k] = sum;
    }
    Wide w;
    for (int k = 0; k < 5; ++k) w.v[k] = add64(c[k], nineteen_times(c[k + 5]));
    return w;
  }
  static SM_INLINE Fe mul(const Fe& a, const Fe& b) { return carry(mul_wide(a, b)); }
  static SM_INLINE Fe sqr(const Fe& a) { return carry(sqr_wide(a)); }

  static SM_INLINE Wide wide_add(const Wide& a, const Wide& b) {
    Wide w;
    for (int k = 0; k < 5; ++k) w.v[k] = add64(a.v[k], b.v[k]);
    return w;
  }
  /// a - b + 1024 p.
  static SM_INLINE Wide wide_sub(const Wide& a, const Wide& b) {
    Wide w;
    for (int k = 0; k < 5; ++k) {
      const V bias = set1((kMask51 - (k == 0 ? 18 : 0)) << 10);
      w.v[k] = _mm512_sub_epi64(add64(a.v[k], bias), b.v[k]);
    }
    return w;
  }
  static SM_INLINE Wide wide_twice(const Wide& a) { return wide_add(a, a); }
  static SM_INLINE Wide widened(const Fe& a) { return {{a.v[0], a.v[1], a.v[2], a.v[3], a.v[4]}}; }

  static SM_INLINE Fe sum(const Fe& a, const Fe& b) { return carry(wide_add(widened(a), widened(b))); }
  /// 2p - a.
  static SM_INLINE Fe negated_factor(const Fe& a) {
    Fe out;
    for (int k = 0; k < 5; ++k) out.v[k] = _mm512_sub_epi64(set1((kMask51 - (k == 0 ? 18 : 0)) << 1), a.v[k]);
    return out;
  }
  static SM_INLINE Fe difference(const Fe& a, const Fe& b) {
    return carry(wide_add(widened(a), widened(negated_factor(b))));
  }
  // What is only multiplied next; here there is no room for it without a carry.
  static SM_INLINE Factor sum_factor(const Fe& a, const Fe& b) { return sum(a, b); }
  static SM_INLINE Factor difference_factor(const Fe& a, const Fe& b) { return difference(a, b); }
  static SM_INLINE Fe select(Mask m, const Fe& a, const Fe& b) {
    Fe out;
    for (int k = 0; k < 5; ++k) out.v[k] = select(m, a.v[k], b.v[k]);
    return out;
  }
  static SM_INLINE Fe constant(const std::uint64_t limb51[5]) {
    Fe out;
    for (int k = 0; k < 5; ++k) out.v[k] = set1(limb51[k]);
    return out;
  }

  /// In [0, p), limbs below 2^51.
  static SM_INLINE Fe frozen(const Fe& a) {
    const V mask = set1(kMask51);
    V x[5] = {a.v[0], a.v[1], a.v[2], a.v[3], a.v[4]};
    // Serial carries, twice: limbs below 2^51, the value below 2^255 + 19.
    for (int turn = 0; turn < 2; ++turn) {
      for (int k = 0; k < 4; ++k) {
        x[k + 1] = add64(x[k + 1], _mm512_srli_epi64(x[k], 51));
        x[k] = _mm512_and_si512(x[k], mask);
      }
      x[0] = lo(x[0], _mm512_srli_epi64(x[4], 51), set1(19));
      x[4] = _mm512_and_si512(x[4], mask);
    }
    // a >= p exactly when a + 19 reaches 2^255; then a + 19 without that bit is a - p.
    V q = set1(19);
    for (int k = 0; k < 5; ++k) q = _mm512_srli_epi64(add64(x[k], q), 51);
    x[0] = lo(x[0], q, set1(19));
    for (int k = 0; k < 4; ++k) {
      x[k + 1] = add64(x[k + 1], _mm512_srli_epi64(x[k], 51));
      x[k] = _mm512_and_si512(x[k], mask);
    }
    x[4] = _mm512_and_si512(x[4], mask);
    return {{x[0], x[1], x[2], x[3], x[4]}};
  }
  static SM_INLINE Mask is_zero(const Fe& a) {
    const Fe f = frozen(a);
    return is_zero64(or64(or64(or64(f.v[0], f.v[1]), or64(f.v[2], f.v[3])), f.v[4]));
  }
  /// From four words of 64 bits; bit 255 is dropped.
  static SM_INLINE Fe unpacked(const V w[4]) {
    const V mask = set1(kMask51);
    Fe out;
    out.v[0] = _mm512_and_si512(w[0], mask);
    out.v[1] = _mm512_and_si512(or64(shr<51>(w[0]), shl<13>(w[1])), mask);
    out.v[2] = _mm512_and_si512(or64(shr<38>(w[1]), shl<26>(w[2])), mask);
    out.v[3] = _mm512_and_si512(or64(shr<25>(w[2]), shl<39>(w[3])), mask);
    out.v[4] = _mm512_and_si512(shr<12>(w[3]), mask);
    return out;
  }
  /// 0 or 1 in each lane, of a frozen element.
  static SM_INLINE V parity(const Fe& f) { return _mm512_and_si512(f.v[0], set1(1)); }
  /// Of a frozen element.
  static SM_INLINE void packed(const Fe& f, V w[4]) {
    w[0] = or64(f.v[0], shl<51>(f.v[1]));
    w[1] = or64(shr<13>(f.v[1]), shl<38>(f.v[2]));
    w[2] = or64(shr<26>(f.v[2]), shl<25>(f.v[3]));
    w[3] = or64(shr<39>(f.v[3]), shl<12>(f.v[4]));
  }

  // Tables: an entry of a lane lies in one piece, and the pieces of eight lanes are transposed when they are fetched.
  // That is 60 shuffles instead of 20 gathers.
  static SM_INLINE void put_entry(std::uint64_t* const rows[8], const Fe* coordinate, int coordinates) {
    V flat[24];
    for (int k = 0; k < 24; ++k) flat[k] = k < 5 * coordinates ? coordinate[k / 5].v[k % 5] : _mm512_setzero_si512();
    const int parts = 5 * coordinates > 16 ? 3 : 2;
    for (int part = 0; part < parts; ++part) {
      transpose8(flat + 8 * part);
      for (int l = 0; l < 8; ++l) _mm512_store_si512(rows[l] + 8 * part, flat[8 * part + l]);
    }
  }
  template <int kCoordinates>
  static SM_INLINE void get_entry(const std::uint64_t* const rows[8], Fe* coordinate) {
    V flat[24];
    for (int l = 0; l < 8; ++l) flat[l] = _mm512_load_si512(rows[l]);
    transpose8(flat);
    for (int l = 0; l < 8; ++l) flat[8 + l] = _mm512_load_si512(rows[l] + 8);
    transpose8(flat + 8);
    if constexpr (kCoordinates == 4) {
      // The last four limbs: two lanes of a row each, then half a transposition.
      V t[4], u[4];
      for (int k = 0; k < 4; ++k) {
        t[k] = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_load_si256((const __m256i*)(rows[k] + 16))),
                                  _mm256_load_si256((const __m256i*)(rows[k + 4] + 16)), 1);
      }
      u[0] = _mm512_unpacklo_epi64(t[0], t[1]);  // 0:limb0 1:limb0 0:limb2 1:limb2 | lanes 4, 5
      u[1] = _mm512_unpackhi_epi64(t[0], t[1]);
      u[2] = _mm512_unpacklo_epi64(t[2], t[3]);
      u[3] = _mm512_unpackhi_epi64(t[2], t[3]);
      const V low = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0), high = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
      flat[16] = _mm512_permutex2var_epi64(u[0], low, u[2]);
      flat[17] = _mm512_permutex2var_epi64(u[1], low, u[3]);
      flat[18] = _mm512_permutex2var_epi64(u[0], high, u[2]);
      flat[19] = _mm512_permutex2var_epi64(u[1], high, u[3]);
    }
    for (int k = 0; k < 5 * kCoordinates; ++k) coordinate[k / 5].v[k % 5] = flat[k];
  }
};

}  // namespace
}  // namespace sparkmill::ed25519::cpu
