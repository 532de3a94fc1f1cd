// SPDX-License-Identifier: Apache-2.0
// Four elements of GF(p), p = 2^256 - 2^32 - 977, in the lanes of AVX2 registers: ten limbs of 26 bits, products by
// vpmuludq.
//
// Bounds. Fe: limbs 0 to 8 below 2^26 + 2^22, limb 9 below 2^22; `carry` gives that for any limbs below 2^63. Wide:
// limbs of a product folded to 260 bits, below 2^57. `wide_sub` adds a multiple of p with limbs about 2^61, so what it
// takes off must stay below 2^60.9 (eight products), and sums of all this below 2^63.
#pragma once

#include <immintrin.h>

#include "kernels/secp256k1/cpu_ops.h"

#define SM_INLINE inline __attribute__((always_inline))

namespace sparkmill::secp256k1::cpu {
namespace {

struct Avx2 {
  static constexpr std::size_t kWidth = 4;
  static constexpr std::size_t kSides = 2;
  using V = __m256i;
  using Mask = std::uint32_t;  ///< bit l: lane l
  struct Fe {
    V v[10];
  };
  struct Wide {
    V v[10];
  };

  static SM_INLINE V set1(std::uint64_t x) { return _mm256_set1_epi64x(static_cast<long long>(x)); }
  static SM_INLINE V add(V a, V b) { return _mm256_add_epi64(a, b); }
  static SM_INLINE V sub(V a, V b) { return _mm256_sub_epi64(a, b); }
  static SM_INLINE V and64(V a, V b) { return _mm256_and_si256(a, b); }
  static SM_INLINE V or64(V a, V b) { return _mm256_or_si256(a, b); }
  static SM_INLINE V product(V a, V b) { return _mm256_mul_epu32(a, b); }
  template <int kBits>
  static SM_INLINE V shl(V a) {
    return _mm256_slli_epi64(a, kBits);
  }
  template <int kBits>
  static SM_INLINE V shr(V a) {
    return _mm256_srli_epi64(a, kBits);
  }
  /// All ones in the lanes of m.
  static SM_INLINE V expanded(Mask m) {
    const V lane = _mm256_set_epi64x(8, 4, 2, 1);
    return _mm256_cmpeq_epi64(and64(set1(m), lane), lane);
  }
  static SM_INLINE Mask bits_of(V m) { return static_cast<Mask>(_mm256_movemask_pd(_mm256_castsi256_pd(m))); }

  static constexpr std::uint64_t kMask26 = (1u << 26) - 1, kMask22 = (1u << 22) - 1;
  static constexpr std::uint64_t kMask52 = (std::uint64_t{1} << 52) - 1, kMask48 = (std::uint64_t{1} << 48) - 1;
  static constexpr std::uint64_t kFold256 = 0x1000003d1;  ///< 2^256 mod p
  static SM_INLINE V bias(int k) {                        // together a multiple of p
    return set1(k == 0   ? 0x1fffffffff85e000
                : k == 1 ? 0x1fffffffff7de000
                : k == 2 ? 0x1ffffffffff7fe00
                         : 0x1ffffffffffffe00);
  }

  template <int kFrom>
  static SM_INLINE void carry_one(V w[10]) {
    if constexpr (kFrom == 9) {
      // 2^256 = 2^32 + 977; 977 = 1024 - 32 - 16 + 1, as the quotient may have more than 32 bits.
      const V q = shr<22>(w[9]);
      w[9] = and64(w[9], set1(kMask22));
      w[0] = add(w[0], sub(add(shl<10>(q), q), add(shl<5>(q), shl<4>(q))));
      w[1] = add(w[1], shl<6>(q));
    } else {
      w[kFrom + 1] = add(w[kFrom + 1], shr<26>(w[kFrom]));
      w[kFrom] = and64(w[kFrom], set1(kMask26));
    }
  }
  /// Two chains side by side; the first limbs of each are met twice.
  static SM_INLINE Fe carry(const Wide& wide) {
    Fe out;
    for (int k = 0; k < 10; ++k) out.v[k] = wide.v[k];
    carry_one<0>(out.v), carry_one<5>(out.v);
    carry_one<1>(out.v), carry_one<6>(out.v);
    carry_one<2>(out.v), carry_one<7>(out.v);
    carry_one<3>(out.v), carry_one<8>(out.v);
    carry_one<4>(out.v), carry_one<9>(out.v);
    carry_one<0>(out.v), carry_one<5>(out.v);
    carry_one<1>(out.v);
    return out;
  }

  // Row by row: the ten sums stay in registers, one limb of `a` is at hand, all of `b` comes from memory. The compilers
  // would rather mix the rows, or keep an array of sums in memory; so the sums have names and each row ends with a
  // fence. The upper nine columns come first, are folded, and wait in memory.
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
  };
  /// All sums must be in registers here.
  static SM_INLINE void fence(Sums& s) {
    __asm__ volatile(""
                     : "+x"(s.s0), "+x"(s.s1), "+x"(s.s2), "+x"(s.s3), "+x"(s.s4), "+x"(s.s5), "+x"(s.s6), "+x"(s.s7),
                       "+x"(s.s8), "+x"(s.s9)
                     :
                     : "memory");
  }
  /// kUpper: columns 10 to 18, else 0 to 9. kFirst: the row that meets every column first.
  template <bool kUpper, int kRow, bool kFirst, int kColumn = 0>
  static SM_INLINE void add_row(Sums& sums, V left, const V* b) {
    if constexpr (kColumn < 10) {
      if constexpr ((kRow + kColumn >= 10) == kUpper) {
        V& sum = sums.template at<kRow + kColumn - (kUpper ? 10 : 0)>();
        const V term = product(left, b[kColumn]);
        sum = kFirst ? term : add(sum, term);
      }
      add_row<kUpper, kRow, kFirst, kColumn + 1>(sums, left, b);
    }
  }
  template <bool kUpper, int kTurn = 0>
  static SM_INLINE void add_rows(Sums& sums, const V* a, const V* b) {
    if constexpr (kTurn < (kUpper ? 9 : 10)) {
      constexpr int kRow = kUpper ? 9 - kTurn : kTurn;
      add_row<kUpper, kRow, kTurn == 0>(sums, a[kRow], b);
      fence(sums);
      add_rows<kUpper, kTurn + 1>(sums, a, b);
    }
  }
  /// What the upper columns add to the lower ones: 2^260 = 2^36 + 0x3d10, the carries taken first, so that all is below
  /// 2^32.
  static SM_INLINE void fold(const Sums& s, V out[10]) {
    const V mask = set1(kMask26), low = set1(0x3d10);
    const V c[9] = {s.s0, s.s1, s.s2, s.s3, s.s4, s.s5, s.s6, s.s7, s.s8};
    V before = and64(c[0], mask);
    out[0] = product(before, low);
    for (int k = 1; k < 10; ++k) {
      const V carried = shr<26>(c[k - 1]);
      const V t = k < 9 ? add(and64(c[k], mask), carried) : carried;
      out[k] = add(product(t, low), shl<10>(before));
      before = t;
    }
    // The last one's 2^36 is at 2^270 = 2^14 2^256.
    out[0] = add(out[0], product(before, set1(977u << 14)));
    out[1] = add(out[1], shl<20>(before));
  }
  static SM_INLINE Wide joined(const Sums& s, const V above[10]) {
    const V c[10] = {s.s0, s.s1, s.s2, s.s3, s.s4, s.s5, s.s6, s.s7, s.s8, s.s9};
    Wide w;
    for (int k = 0; k < 10; ++k) w.v[k] = add(c[k], above[k]);
    return w;
  }
  static __attribute__((noinline)) Wide mul_wide(const Fe& a, const Fe& b) {
    V above[10];
    __asm__ volatile("" : : "r"(&a), "r"(&b) : "memory");
    Sums upper{}, lower{};
    add_rows<true>(upper, a.v, b.v);
    fold(upper, above);
    __asm__ volatile("" : : "r"(above) : "memory");
    add_rows<false>(lower, a.v, b.v);
    return joined(lower, above);
  }

  /// Products of limb kRow with itself and with twice those above it.
  template <bool kUpper, int kRow, int kColumn>
  static SM_INLINE void add_square_row(Sums& sums, V left, const V* a, const V* twice) {
    if constexpr (kColumn < 10) {
      if constexpr ((kRow + kColumn >= 10) == kUpper) {
        V& sum = sums.template at<kRow + kColumn - (kUpper ? 10 : 0)>();
        sum = add(sum, product(left, kColumn == kRow ? a[kColumn] : twice[kColumn]));
      }
      add_square_row<kUpper, kRow, kColumn + 1>(sums, left, a, twice);
    }
  }
  template <bool kUpper, int kRow = 0>
  static SM_INLINE void add_square_rows(Sums& sums, const V* a, const V* twice) {
    if constexpr (kRow < (kUpper ? 10 : 5)) {
      add_square_row<kUpper, kRow, kRow>(sums, a[kRow], a, twice);
      fence(sums);
      add_square_rows<kUpper, kRow + 1>(sums, a, twice);
    }
  }
  static __attribute__((noinline)) Wide sqr_wide(const Fe& a) {
    V above[10], twice[10];
    for (int k = 1; k < 10; ++k) twice[k] = add(a.v[k], a.v[k]);
    __asm__ volatile("" : : "r"(twice), "r"(&a) : "memory");
    const V zero = _mm256_setzero_si256();
    Sums upper{zero, zero, zero, zero, zero, zero, zero, zero, zero, zero}, lower = upper;
    add_square_rows<true>(upper, a.v, twice);
    fold(upper, above);
    __asm__ volatile("" : : "r"(above) : "memory");
    add_square_rows<false>(lower, a.v, twice);
    return joined(lower, above);
  }
  static SM_INLINE Fe mul(const Fe& a, const Fe& b) { return carry(mul_wide(a, b)); }
  static SM_INLINE Fe sqr(const Fe& a) { return carry(sqr_wide(a)); }

  static SM_INLINE Wide wide(const Fe& a) {
    Wide w;
    for (int k = 0; k < 10; ++k) w.v[k] = a.v[k];
    return w;
  }
  static SM_INLINE Wide wide_add(const Wide& a, const Wide& b) {
    Wide w;
    for (int k = 0; k < 10; ++k) w.v[k] = add(a.v[k], b.v[k]);
    return w;
  }
  /// a - b + a multiple of p.
  static SM_INLINE Wide wide_sub(const Wide& a, const Wide& b) {
    Wide w;
    for (int k = 0; k < 10; ++k) w.v[k] = sub(add(a.v[k], bias(k)), b.v[k]);
    return w;
  }
  /// a times 2^kShift.
  template <int kShift>
  static SM_INLINE Wide wide_shl(const Wide& a) {
    Wide w;
    for (int k = 0; k < 10; ++k) w.v[k] = shl<kShift>(a.v[k]);
    return w;
  }
  /// -a + a multiple of p in the lanes of m, a in the others.
  static SM_INLINE Wide wide_negate(Mask m, const Wide& a) {
    const V mask = expanded(m);
    Wide w;
    for (int k = 0; k < 10; ++k) w.v[k] = _mm256_blendv_epi8(a.v[k], sub(bias(k), a.v[k]), mask);
    return w;
  }
  /// m ? a : b
  static SM_INLINE Fe select(Mask m, const Fe& a, const Fe& b) {
    const V mask = expanded(m);
    Fe out;
    for (int k = 0; k < 10; ++k) out.v[k] = _mm256_blendv_epi8(b.v[k], a.v[k], mask);
    return out;
  }
  static SM_INLINE Fe constant(const Words4& w) {
    const V words[4] = {set1(w[0]), set1(w[1]), set1(w[2]), set1(w[3])};
    return unpacked(words);
  }

  // --- numbers below 2^256: five limbs of 52 bits ---

  struct Frozen {
    V v[5];
  };
  static SM_INLINE void carry_52(Frozen& x) {
    for (int k = 0; k < 4; ++k) {
      x.v[k + 1] = add(x.v[k + 1], shr<52>(x.v[k]));
      x.v[k] = and64(x.v[k], set1(kMask52));
    }
  }
  /// Below 2^256.
  static SM_INLINE Frozen fitted(const Fe& a) {
    Frozen x;
    for (int k = 0; k < 5; ++k) x.v[k] = add(a.v[2 * k], shl<26>(a.v[2 * k + 1]));
    carry_52(x);
    const V over = sub(_mm256_setzero_si256(), shr<48>(x.v[4]));  // 0 or -1
    x.v[4] = and64(x.v[4], set1(kMask48));
    x.v[0] = add(x.v[0], and64(over, set1(kFold256)));
    carry_52(x);
    return x;
  }
  /// In [0, p).
  static SM_INLINE Frozen frozen(const Fe& a) {
    Frozen x = fitted(a), y = x;
    // x >= p exactly when x + 2^256 - p reaches 2^256; then that sum without the bit is x - p.
    y.v[0] = add(y.v[0], set1(kFold256));
    carry_52(y);
    const V over = sub(_mm256_setzero_si256(), shr<48>(y.v[4]));
    y.v[4] = and64(y.v[4], set1(kMask48));
    for (int k = 0; k < 5; ++k) x.v[k] = _mm256_blendv_epi8(x.v[k], y.v[k], over);
    return x;
  }
  static SM_INLINE Mask is_zero(const Fe& a) {
    const Frozen f = frozen(a);
    const V any = or64(or64(or64(f.v[0], f.v[1]), or64(f.v[2], f.v[3])), f.v[4]);
    return bits_of(_mm256_cmpeq_epi64(any, _mm256_setzero_si256()));
  }
  static SM_INLINE Mask odd(const Frozen& f) { return bits_of(shl<63>(f.v[0])); }

  // --- words of 64 bits ---

  static SM_INLINE Fe unpacked(const V w[4]) {
    const V part[5] = {w[0], or64(shr<52>(w[0]), shl<12>(w[1])), or64(shr<40>(w[1]), shl<24>(w[2])),
                       or64(shr<28>(w[2]), shl<36>(w[3])), shr<16>(w[3])};
    Fe out;
    for (int k = 0; k < 5; ++k) {
      out.v[2 * k] = and64(part[k], set1(kMask26));
      out.v[2 * k + 1] = and64(shr<26>(part[k]), set1(kMask26));
    }
    return out;
  }
  static SM_INLINE void packed(const Frozen& f, V w[4]) {
    w[0] = or64(f.v[0], shl<52>(f.v[1]));
    w[1] = or64(shr<12>(f.v[1]), shl<40>(f.v[2]));
    w[2] = or64(shr<24>(f.v[2]), shl<28>(f.v[3]));
    w[3] = or64(shr<36>(f.v[3]), shl<16>(f.v[4]));
  }
  /// The lanes from item `first` on; words below 2^256.
  static SM_INLINE Fe load(const std::uint64_t (*word)[kChunk], std::size_t first) {
    V w[4];
    for (std::size_t k = 0; k < 4; ++k) w[k] = _mm256_loadu_si256(reinterpret_cast<const V*>(word[k] + first));
    return unpacked(w);
  }
  static SM_INLINE void store(const Frozen& f, std::uint64_t (*word)[kChunk], std::size_t first) {
    V w[4];
    packed(f, w);
    for (std::size_t k = 0; k < 4; ++k) _mm256_storeu_si256(reinterpret_cast<V*>(word[k] + first), w[k]);
  }

  // --- tables: eight words of x and y of a lane lie in one line, and the lines of four lanes are transposed ---

  static SM_INLINE void transpose4(V r[4]) {
    const V a = _mm256_unpacklo_epi64(r[0], r[1]), b = _mm256_unpackhi_epi64(r[0], r[1]);
    const V c = _mm256_unpacklo_epi64(r[2], r[3]), d = _mm256_unpackhi_epi64(r[2], r[3]);
    r[0] = _mm256_permute2x128_si256(a, c, 0x20);
    r[1] = _mm256_permute2x128_si256(b, d, 0x20);
    r[2] = _mm256_permute2x128_si256(a, c, 0x31);
    r[3] = _mm256_permute2x128_si256(b, d, 0x31);
  }
  static SM_INLINE void put_rows(std::uint64_t* const* rows, const Fe& x, const Fe& y) {
    V w[8];
    packed(fitted(x), w);
    packed(fitted(y), w + 4);
    for (std::size_t half = 0; half < 2; ++half) {
      transpose4(w + 4 * half);
      for (std::size_t l = 0; l < 4; ++l) _mm256_store_si256(reinterpret_cast<V*>(rows[l] + 4 * half), w[4 * half + l]);
    }
  }
  static SM_INLINE void get_rows(const std::uint64_t* const* rows, Fe& x, Fe& y) {
    V w[8];
    for (std::size_t half = 0; half < 2; ++half) {
      for (std::size_t l = 0; l < 4; ++l)
        w[4 * half + l] = _mm256_load_si256(reinterpret_cast<const V*>(rows[l] + 4 * half));
      transpose4(w + 4 * half);
    }
    x = unpacked(w);
    y = unpacked(w + 4);
  }
};

}  // namespace
}  // namespace sparkmill::secp256k1::cpu
