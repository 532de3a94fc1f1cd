// SPDX-License-Identifier: Apache-2.0
// Four elements of GF(2^255 - 19) in the lanes of AVX2 registers: ten limbs of 26 and 25 bits in turn, products by
// vpmuludq.
//
// Bounds. Fe: limbs below 2^26 + 2^17 (even) and 2^25 + 2^17 (odd), which `carry` gives for any sums below 2^63. A
// Factor has limbs below 2^27.6 and 2^26.6, so that 19 times it fits 32 bits. Wide: column sums of a product, below
// 2^59 for two Fe and 2^61 for two Factors of which at most one is a difference. `wide_sub` adds 2^36 p, limbs about
// 2^62 and 2^61.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#define SM_INLINE inline __attribute__((always_inline))

namespace sparkmill::ed25519::cpu {
namespace {

struct Avx2 {
  static constexpr std::size_t kLanes = 4;
  static constexpr std::size_t kPair = 1;
  static constexpr std::size_t kCachedWords = 20;  ///< four coordinates of ten 32-bit limbs
  static constexpr std::size_t kAffineWords = 16;  ///< three, to whole cache lines
  using V = __m256i;
  using Mask = __m256i;  ///< all ones or zeros in each lane
  struct Factor {
    V v[10];
  };
  struct Fe : Factor {};
  struct Wide {
    V v[10];
  };

  static SM_INLINE V set1(std::uint64_t x) { return _mm256_set1_epi64x(static_cast<long long>(x)); }
  static SM_INLINE V load(const std::uint64_t* p) { return _mm256_loadu_si256(reinterpret_cast<const V*>(p)); }
  static SM_INLINE void store(std::uint64_t* p, V v) { _mm256_storeu_si256(reinterpret_cast<V*>(p), v); }
  static SM_INLINE V add64(V a, V b) { return _mm256_add_epi64(a, b); }
  static SM_INLINE V or64(V a, V b) { return _mm256_or_si256(a, b); }
  static SM_INLINE V and64(V a, V b) { return _mm256_and_si256(a, b); }
  template <int N>
  static SM_INLINE V shl(V a) {
    return _mm256_slli_epi64(a, N);
  }
  template <int N>
  static SM_INLINE V shr(V a) {
    return _mm256_srli_epi64(a, N);
  }
  template <int N>
  static SM_INLINE V ror(V a) {
    return or64(shr<N>(a), shl<64 - N>(a));
  }
  static SM_INLINE V xor3(V a, V b, V c) { return _mm256_xor_si256(_mm256_xor_si256(a, b), c); }
  static SM_INLINE V choose(V x, V y, V z) { return _mm256_xor_si256(z, and64(x, _mm256_xor_si256(y, z))); }
  static SM_INLINE V majority(V x, V y, V z) { return or64(and64(x, y), and64(z, or64(x, y))); }
  static SM_INLINE Mask mask_of(unsigned bits) {
    const V lane = _mm256_set_epi64x(8, 4, 2, 1);
    return _mm256_cmpeq_epi64(and64(set1(bits), lane), lane);
  }
  static SM_INLINE unsigned bits_of(Mask m) {
    return static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(m)));
  }
  static SM_INLINE Mask odd(V a) { return _mm256_cmpeq_epi64(and64(a, set1(1)), set1(1)); }
  static SM_INLINE Mask top_bit(V a) { return _mm256_cmpgt_epi64(_mm256_setzero_si256(), a); }
  static SM_INLINE Mask is_zero64(V a) { return _mm256_cmpeq_epi64(a, _mm256_setzero_si256()); }
  static SM_INLINE Mask mask_and(Mask a, Mask b) { return and64(a, b); }
  static SM_INLINE Mask mask_or(Mask a, Mask b) { return or64(a, b); }
  static SM_INLINE Mask mask_xor(Mask a, Mask b) { return _mm256_xor_si256(a, b); }
  static SM_INLINE Mask mask_not(Mask a) { return _mm256_xor_si256(a, set1(~std::uint64_t{0})); }
  /// m ? a : b
  static SM_INLINE V select(Mask m, V a, V b) { return _mm256_blendv_epi8(b, a, m); }

  static SM_INLINE void transpose4(V r[4]) {
    const V a = _mm256_unpacklo_epi64(r[0], r[1]), b = _mm256_unpackhi_epi64(r[0], r[1]);
    const V c = _mm256_unpacklo_epi64(r[2], r[3]), d = _mm256_unpackhi_epi64(r[2], r[3]);
    r[0] = _mm256_permute2x128_si256(a, c, 0x20);
    r[1] = _mm256_permute2x128_si256(b, d, 0x20);
    r[2] = _mm256_permute2x128_si256(a, c, 0x31);
    r[3] = _mm256_permute2x128_si256(b, d, 0x31);
  }
  static SM_INLINE void load_blocks(const std::uint8_t* const* blocks, V out[16]) {
    const V order = _mm256_set_epi64x(0x08090a0b0c0d0e0f, 0x0001020304050607, 0x08090a0b0c0d0e0f, 0x0001020304050607);
    for (int part = 0; part < 4; ++part) {
      V r[4];
      for (int l = 0; l < 4; ++l) r[l] = _mm256_loadu_si256(reinterpret_cast<const V*>(blocks[l] + 32 * part));
      transpose4(r);
      for (int t = 0; t < 4; ++t) out[4 * part + t] = _mm256_shuffle_epi8(r[t], order);
    }
  }

  static constexpr std::uint64_t kMask51 = (std::uint64_t{1} << 51) - 1;
  static constexpr std::uint64_t kMask26 = (1u << 26) - 1, kMask25 = (1u << 25) - 1;

  static SM_INLINE V product(V a, V b) { return _mm256_mul_epu32(a, b); }
  /// 64-bit lanes.
  static SM_INLINE V nineteen_times(V a) { return add64(add64(a, shl<1>(a)), shl<4>(a)); }

  template <int kFrom>
  static SM_INLINE void carry_one(V w[10]) {
    constexpr int kBits = kFrom % 2 == 0 ? 26 : 25;
    const V q = shr<kBits>(w[kFrom]);
    w[kFrom] = and64(w[kFrom], set1(kBits == 26 ? kMask26 : kMask25));
    if constexpr (kFrom == 9) {
      w[0] = add64(w[0], nineteen_times(q));
    } else {
      w[kFrom + 1] = add64(w[kFrom + 1], q);
    }
  }
  /// Two chains side by side; the first limbs of each are met twice.
  static SM_INLINE Fe carry(const Wide& wide) {
    Fe out;
    for (int k = 0; k < 10; ++k) out.v[k] = wide.v[k];
    carry_one<0>(out.v), carry_one<4>(out.v);
    carry_one<1>(out.v), carry_one<5>(out.v);
    carry_one<2>(out.v), carry_one<6>(out.v);
    carry_one<3>(out.v), carry_one<7>(out.v);
    carry_one<4>(out.v), carry_one<8>(out.v);
    carry_one<9>(out.v);
    carry_one<0>(out.v);
    return out;
  }

  // A product of two odd limbs counts twice, since 25 + 25 is one short of 51; what wraps around counts 19 times.
  // Row by row: the ten sums stay in registers, one limb of `a` is at hand, all of `b` comes from memory. The compilers
  // would rather mix the rows, or keep an array of sums in memory; so the sums have names and each row ends with a
  // fence.
  struct Sums {
    V s0, s1, s2, s3, s4, s5, s6, s7, s8, s9;
    template <int kAt>
    SM_INLINE V& at() {
      if constexpr (kAt == 0) return s0;
      if constexpr (kAt == 1) return s1;
      if constexpr (kAt == 2) return s2;
      if constexpr (kAt == 3) return s3;
      if constexpr (kAt == 4) return s4;
      if constexpr (kAt == 5) return s5;
      if constexpr (kAt == 6) return s6;
      if constexpr (kAt == 7) return s7;
      if constexpr (kAt == 8) return s8;
      if constexpr (kAt == 9) return s9;
    }
    SM_INLINE Wide wide() const { return {{s0, s1, s2, s3, s4, s5, s6, s7, s8, s9}}; }
  };
  /// All ten sums must be in registers here.
  static SM_INLINE void fence(Sums& s) {
    __asm__ volatile(""
                     : "+x"(s.s0), "+x"(s.s1), "+x"(s.s2), "+x"(s.s3), "+x"(s.s4), "+x"(s.s5), "+x"(s.s6), "+x"(s.s7),
                       "+x"(s.s8), "+x"(s.s9)
                     :
                     : "memory");
  }
  template <int kTo, bool kFirst>
  static SM_INLINE void add_term(Sums& sums, V term) {
    V& sum = sums.template at<kTo>();
    sum = kFirst ? term : add64(sum, term);
  }

  template <int kRow, int kColumn = 0>
  static SM_INLINE void add_row(Sums& sums, V left, V left2, const V* b, const V* b19) {
    if constexpr (kColumn < 10) {
      const V& right = kRow + kColumn < 10 ? b[kColumn] : b19[kColumn];
      add_term<(kRow + kColumn) % 10, kRow == 0>(sums,
                                                 product(kRow % 2 == 1 && kColumn % 2 == 1 ? left2 : left, right));
      add_row<kRow, kColumn + 1>(sums, left, left2, b, b19);
    }
  }
  template <int kRow = 0>
  static SM_INLINE void add_rows(Sums& sums, const V* a, const V* b, const V* b19) {
    if constexpr (kRow < 10) {
      const V left = a[kRow];
      add_row<kRow>(sums, left, kRow % 2 == 1 ? add64(left, left) : left, b, b19);
      fence(sums);
      add_rows<kRow + 1>(sums, a, b, b19);
    }
  }
  static __attribute__((noinline)) Wide mul_wide(const Factor& a, const Factor& b) {
    V b19[10];
    for (int k = 1; k < 10; ++k) b19[k] = product(b.v[k], set1(19));
    __asm__ volatile("" : : "r"(b19), "r"(&a), "r"(&b) : "memory");
    Sums sums;
    add_rows(sums, a.v, b.v, b19);
    return sums.wide();
  }

  /// Products of limb kRow with itself and those above it. more: 19 times the even limbs, 38 times the odd ones.
  template <int kRow, int kColumn = kRow>
  static SM_INLINE void add_square_row(Sums& sums, V one, V two, const V* a, const V* twice, const V* more) {
    if constexpr (kColumn < 10) {
      constexpr bool kOdd = kColumn % 2 == 1;
      V term;
      if constexpr (kRow + kColumn < 10) {
        term = product(kColumn == kRow ? one : two, kRow % 2 == 1 && kOdd ? twice[kColumn] : a[kColumn]);
      } else {
        // The 2 of an odd limb is in 38 already: it serves unequal limbs, or two odd ones.
        constexpr bool kSingle = kColumn == kRow || (kOdd && kRow % 2 == 0);
        term = product(kSingle ? one : two, more[kColumn]);
      }
      add_term<(kRow + kColumn) % 10, kRow == 0>(sums, term);
      add_square_row<kRow, kColumn + 1>(sums, one, two, a, twice, more);
    }
  }
  template <int kRow = 0>
  static SM_INLINE void add_square_rows(Sums& sums, const V* a, const V* twice, const V* more) {
    if constexpr (kRow < 10) {
      const V one = a[kRow];
      add_square_row<kRow>(sums, one, add64(one, one), a, twice, more);
      fence(sums);
      add_square_rows<kRow + 1>(sums, a, twice, more);
    }
  }
  static __attribute__((noinline)) Wide sqr_wide(const Factor& a) {
    V twice[10], more[10];
    for (int k = 1; k < 10; k += 2) twice[k] = add64(a.v[k], a.v[k]);
    for (int k = 5; k < 10; ++k) more[k] = product(a.v[k], set1(k % 2 == 0 ? 19 : 38));
    __asm__ volatile("" : : "r"(twice), "r"(more), "r"(&a) : "memory");
    Sums sums;
    add_square_rows(sums, a.v, twice, more);
    return sums.wide();
  }
  static SM_INLINE Fe mul(const Factor& a, const Factor& b) { return carry(mul_wide(a, b)); }
  static SM_INLINE Fe sqr(const Factor& a) { return carry(sqr_wide(a)); }

  static SM_INLINE Wide wide_add(const Wide& a, const Wide& b) {
    Wide w;
    for (int k = 0; k < 10; ++k) w.v[k] = add64(a.v[k], b.v[k]);
    return w;
  }
  static constexpr std::uint64_t prime_limb(int k) { return (k % 2 == 0 ? kMask26 : kMask25) - (k == 0 ? 18 : 0); }
  static SM_INLINE Wide wide_sub(const Wide& a, const Wide& b) {
    Wide w;
    for (int k = 0; k < 10; ++k) w.v[k] = _mm256_sub_epi64(add64(a.v[k], set1(prime_limb(k) << 36)), b.v[k]);
    return w;
  }
  static SM_INLINE Wide wide_twice(const Wide& a) { return wide_add(a, a); }
  static SM_INLINE Wide widened(const Factor& a) {
    Wide w;
    for (int k = 0; k < 10; ++k) w.v[k] = a.v[k];
    return w;
  }
  static SM_INLINE Factor sum_factor(const Fe& a, const Fe& b) {
    Factor out;
    for (int k = 0; k < 10; ++k) out.v[k] = add64(a.v[k], b.v[k]);
    return out;
  }
  /// 2p - a.
  static SM_INLINE Factor negated_factor(const Fe& a) {
    Factor out;
    for (int k = 0; k < 10; ++k) out.v[k] = _mm256_sub_epi64(set1(prime_limb(k) << 1), a.v[k]);
    return out;
  }
  static SM_INLINE Factor difference_factor(const Fe& a, const Fe& b) {
    Factor out = negated_factor(b);
    for (int k = 0; k < 10; ++k) out.v[k] = add64(out.v[k], a.v[k]);
    return out;
  }
  static SM_INLINE Fe sum(const Fe& a, const Fe& b) { return carry(widened(sum_factor(a, b))); }
  static SM_INLINE Fe difference(const Fe& a, const Fe& b) { return carry(widened(difference_factor(a, b))); }
  static SM_INLINE Factor select(Mask m, const Factor& a, const Factor& b) {
    Factor out;
    for (int k = 0; k < 10; ++k) out.v[k] = select(m, a.v[k], b.v[k]);
    return out;
  }
  static SM_INLINE Fe select(Mask m, const Fe& a, const Fe& b) {
    Fe out;
    for (int k = 0; k < 10; ++k) out.v[k] = select(m, a.v[k], b.v[k]);
    return out;
  }
  static SM_INLINE Fe constant(const std::uint64_t limb51[5]) {
    Fe out;
    for (int k = 0; k < 10; ++k) out.v[k] = set1(k % 2 == 0 ? limb51[k / 2] & kMask26 : limb51[k / 2] >> 26);
    return out;
  }

  /// In [0, p), five limbs of 51 bits.
  struct Frozen {
    V v[5];
  };
  static SM_INLINE Frozen frozen(const Fe& a) {
    const V mask = set1(kMask51);
    Frozen x;
    for (int k = 0; k < 5; ++k) x.v[k] = add64(a.v[2 * k], shl<26>(a.v[2 * k + 1]));
    for (int turn = 0; turn < 2; ++turn) {
      for (int k = 0; k < 4; ++k) {
        x.v[k + 1] = add64(x.v[k + 1], shr<51>(x.v[k]));
        x.v[k] = and64(x.v[k], mask);
      }
      x.v[0] = add64(x.v[0], nineteen_times(shr<51>(x.v[4])));
      x.v[4] = and64(x.v[4], mask);
    }
    // a >= p exactly when a + 19 reaches 2^255; then a + 19 without that bit is a - p.
    V q = set1(19);
    for (int k = 0; k < 5; ++k) q = shr<51>(add64(x.v[k], q));
    x.v[0] = add64(x.v[0], nineteen_times(q));
    for (int k = 0; k < 4; ++k) {
      x.v[k + 1] = add64(x.v[k + 1], shr<51>(x.v[k]));
      x.v[k] = and64(x.v[k], mask);
    }
    x.v[4] = and64(x.v[4], mask);
    return x;
  }
  static SM_INLINE Mask is_zero(const Fe& a) {
    const Frozen f = frozen(a);
    return is_zero64(or64(or64(or64(f.v[0], f.v[1]), or64(f.v[2], f.v[3])), f.v[4]));
  }
  static SM_INLINE Fe unpacked(const V w[4]) {
    const V part[5] = {w[0], or64(shr<51>(w[0]), shl<13>(w[1])), or64(shr<38>(w[1]), shl<26>(w[2])),
                       or64(shr<25>(w[2]), shl<39>(w[3])), shr<12>(w[3])};
    Fe out;
    for (int k = 0; k < 5; ++k) {
      out.v[2 * k] = and64(part[k], set1(kMask26));
      out.v[2 * k + 1] = and64(shr<26>(part[k]), set1(kMask25));
    }
    return out;
  }
  static SM_INLINE V parity(const Frozen& f) { return and64(f.v[0], set1(1)); }
  static SM_INLINE void packed(const Frozen& f, V w[4]) {
    w[0] = or64(f.v[0], shl<51>(f.v[1]));
    w[1] = or64(shr<13>(f.v[1]), shl<38>(f.v[2]));
    w[2] = or64(shr<26>(f.v[2]), shl<25>(f.v[3]));
    w[3] = or64(shr<39>(f.v[3]), shl<12>(f.v[4]));
  }

  // Tables: 64-bit words of an even limb and the odd one above it; the words of a lane lie in one piece.
  static SM_INLINE void put_entry(std::uint64_t* const rows[4], const Fe* coordinate, int coordinates) {
    V flat[20];
    for (int k = 0; k < 20; ++k) {
      const int c = k / 5;
      flat[k] = c < coordinates ? or64(coordinate[c].v[2 * (k % 5)], shl<32>(coordinate[c].v[2 * (k % 5) + 1]))
                                : _mm256_setzero_si256();
    }
    for (int part = 0; part < (coordinates == 4 ? 5 : 4); ++part) {
      transpose4(flat + 4 * part);
      for (int l = 0; l < 4; ++l) _mm256_store_si256(reinterpret_cast<V*>(rows[l] + 4 * part), flat[4 * part + l]);
    }
  }
  template <int kCoordinates>
  static SM_INLINE void get_entry(const std::uint64_t* const rows[4], Fe* coordinate) {
    V flat[20];
    for (int part = 0; part < (kCoordinates == 4 ? 5 : 4); ++part) {
      for (int l = 0; l < 4; ++l)
        flat[4 * part + l] = _mm256_load_si256(reinterpret_cast<const V*>(rows[l] + 4 * part));
      transpose4(flat + 4 * part);
    }
    for (int k = 0; k < 5 * kCoordinates; ++k) {
      coordinate[k / 5].v[2 * (k % 5)] = and64(flat[k], set1(0xffffffff));
      coordinate[k / 5].v[2 * (k % 5) + 1] = shr<32>(flat[k]);
    }
  }
};

}  // namespace
}  // namespace sparkmill::ed25519::cpu
