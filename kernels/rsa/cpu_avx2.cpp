// SPDX-License-Identifier: Apache-2.0
// The row for AVX2: four numbers in four lanes, 75 digits of 28 bits, R = 2^2100. The steps are those of
// cpu_avx512.cpp; here a product is one piece.
//
// Bounds. Columns take at most 150 products below 2^56, so they stay below 2^63.3 and are carried only at the end. n
// leaves 52 bits free: a product of factors below 2^2074 reduces to less than 2n without any subtraction.
#include <immintrin.h>

#include "kernels/rsa/cpu_ops.h"

#define SM_INLINE inline __attribute__((always_inline))
#define SM_NOINLINE __attribute__((noinline))

namespace sparkmill::rsa::cpu {
namespace {

using V = __m256i;
constexpr int kLanes = 4, kDigits = 75, kBits = 28, kWords = 32;
constexpr int kRows = 5;  // digits of one factor that are kept in registers
constexpr std::uint64_t kMask = (std::uint64_t{1} << kBits) - 1;

// The exponent of 2^28 in Montgomery's form, as in cpu_avx512.cpp: it falls from 75 by 1, 2, 4, 9, 18 and 37.
constexpr unsigned kLonger = 1u << 9 | 1u << 12 | 1u << 14 | 1u << 15;  ///< squarings reduced by 76 digits
constexpr int kHalfway = 38;
constexpr int digits_off(int squaring) { return kDigits + static_cast<int>(kLonger >> squaring & 1); }
constexpr int exponent_after(int squarings) {
  int e = kDigits;
  for (int k = 0; k < squarings; ++k) e = 2 * e - digits_off(k);
  return e;
}
static_assert(exponent_after(15) == kHalfway && exponent_after(16) == 0);

struct Workspace {
  V n[kDigits], s[kDigits], a[kDigits + kHalfway];
  V t[2 * kDigits + 1];
  V minus_n[kDigits];     ///< 2^2100 - n
  V x[kDigits + kWords];  ///< of the division, from [1] on
  V n_inverse;            ///< -1/n mod 2^28
};

SM_INLINE V set1(std::uint64_t x) { return _mm256_set1_epi64x(static_cast<long long>(x)); }
SM_INLINE V product(V a, V b) { return _mm256_mul_epu32(a, b); }
SM_INLINE V add(V a, V b) { return _mm256_add_epi64(a, b); }
SM_INLINE V sub(V a, V b) { return _mm256_sub_epi64(a, b); }
SM_INLINE V low(V a) { return _mm256_and_si256(a, set1(kMask)); }
SM_INLINE V carry(V a) { return _mm256_srli_epi64(a, kBits); }
SM_INLINE V shifted_right(V a, int by) { return _mm256_srlv_epi64(a, set1(static_cast<unsigned>(by))); }
SM_INLINE V shifted_left(V a, int by) { return _mm256_sllv_epi64(a, set1(static_cast<unsigned>(by))); }

/// t += rows x factor: kCount digits by `count`. A digit of the factor meets all rows at once, and the columns that
/// they reach wander through the registers.
template <int kCount>
SM_NOINLINE void add_product(V* t, const V* rows, const V* factor, int count) {
  V row[kCount], sum[kCount];
#pragma GCC unroll 8
  for (int r = 0; r < kCount; ++r) row[r] = rows[r];
#pragma GCC unroll 8
  for (int r = 0; r < kCount - 1; ++r) sum[r] = t[r];
#pragma GCC unroll 1
  for (int j = 0; j < count; ++j) {
    const V f = factor[j];
    sum[kCount - 1] = t[j + kCount - 1];
#pragma GCC unroll 8
    for (int r = 0; r < kCount; ++r) sum[r] = add(sum[r], product(row[r], f));
    t[j] = sum[0];
#pragma GCC unroll 8
    for (int r = 0; r < kCount - 1; ++r) sum[r] = sum[r + 1];
  }
#pragma GCC unroll 8
  for (int r = 0; r < kCount - 1; ++r) t[count + r] = sum[r];
}

/// t = a^2: the products of unlike digits once, doubled, and the squares.
SM_NOINLINE void square(V* t, const V* a) {
  for (int k = 0; k <= 2 * kDigits; ++k) t[k] = _mm256_setzero_si256();
#pragma GCC unroll 1
  for (int i = 0; i < kDigits; i += kRows) {
    V* column = t + 2 * i;
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int q = r + 1; q < kRows; ++q) column[r + q] = add(column[r + q], product(a[i + r], a[i + q]));
    }
    if (i + kRows < kDigits) add_product<kRows>(column + kRows, a + i, a + i + kRows, kDigits - i - kRows);
  }
#pragma GCC unroll 4
  for (int k = 0; k < kDigits; ++k) {
    t[2 * k] = add(add(t[2 * k], t[2 * k]), product(a[k], a[k]));
    t[2 * k + 1] = add(t[2 * k + 1], t[2 * k + 1]);
  }
}

SM_INLINE void multiply(V* t, const V* a, const V* b) {
  for (int k = 0; k <= 2 * kDigits; ++k) t[k] = _mm256_setzero_si256();
#pragma GCC unroll 1
  for (int i = 0; i < kDigits; i += kRows) add_product<kRows>(t + i, a + i, b, kDigits);
}

/// The q for which sum + over + q n has a low digit 0; `over`: what was carried here, then what is carried on.
SM_INLINE V quotient(V sum, const V* n, V n_inverse, V& over) {
  sum = add(sum, over);
  const V q = low(product(sum, n_inverse));
  over = carry(add(sum, product(q, n[0])));
  return q;
}
/// Makes kCount columns 0 by adding a multiple of n; `over`: what the columns below carry, then what these carry.
template <int kCount>
SM_INLINE void clear_columns(V* column, const V* n, V n_inverse, V& over) {
  V q[kCount], sum[2 * kCount - 1];
#pragma GCC unroll 16
  for (int k = 0; k < 2 * kCount - 1; ++k) sum[k] = column[k];
#pragma GCC unroll 8
  for (int r = 0; r < kCount; ++r) {
    q[r] = quotient(sum[r], n, n_inverse, over);
#pragma GCC unroll 8
    for (int k = 1; k < kCount; ++k) sum[r + k] = add(sum[r + k], product(q[r], n[k]));
  }
#pragma GCC unroll 8
  for (int k = kCount; k < 2 * kCount - 1; ++k) column[k] = sum[k];
  add_product<kCount>(column + kCount, q, n + kCount, kDigits - kCount);
}

/// a = t / 2^(28 digits) mod n, digits carried (Montgomery 1985). Requires a multiple of kRows digits, or one or three
/// more, and columns up to t[kDigits + digits - 1]; a may be t.
SM_NOINLINE void reduce(V* a, V* t, const V* n, V n_inverse, int digits) {
  V over = _mm256_setzero_si256();
  int i = 0;
#pragma GCC unroll 1
  for (; i + kRows <= digits; i += kRows) clear_columns<kRows>(t + i, n, n_inverse, over);
  if (i + 3 == digits) {
    clear_columns<3>(t + i, n, n_inverse, over);
    i += 3;
  }
  V* column = t + i;
  if (i == digits) {
#pragma GCC unroll 4
    for (int k = 0; k < kDigits; ++k) {
      over = add(over, column[k]);
      a[k] = low(over);
      over = carry(over);
    }
    return;
  }
  // The last digit on the way of the carries, which wait for each other: its products cost next to nothing there.
  const V q = quotient(column[0], n, n_inverse, over);
#pragma GCC unroll 4
  for (int k = 1; k < kDigits; ++k) {
    over = add(over, add(column[k], product(q, n[k])));
    a[k - 1] = low(over);
    over = carry(over);
  }
  a[kDigits - 1] = add(over, column[kDigits]);
}

/// a = s R mod n, below 5 n, by long division from the top: x becomes 2^28 x - q n, where q is 2 less than the quotient
/// by doubles, which is right to 1. So x stays between n and 5 n, q below 2^31, and no key needs R^2 mod n.
SM_INLINE void to_montgomery(Workspace& w) {
  using D = __m256d;
  V* const x = w.x + 1;
  const V* const m = w.minus_n;
  for (int k = 0; k < kDigits; ++k) x[k] = add(w.s[k], w.n[k]);
  x[-1] = _mm256_setzero_si256();
  const D magic = _mm256_set1_pd(0x1p52);  // integers below 2^52 in its low bits
  const auto real = [magic](V a) {
    return _mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(a, _mm256_castpd_si256(magic))), magic);
  };
  const D digit = _mm256_set1_pd(0x1p28);
  const D n = _mm256_fmadd_pd(_mm256_fmadd_pd(real(w.n[73]), digit, real(w.n[72])), digit, real(w.n[71]));
  const D scale = _mm256_div_pd(_mm256_set1_pd(0x1p56), n);  // 2^28 / n in units of digit 72
#pragma GCC unroll 1
  for (int step = 0; step < kDigits; ++step) {
    // x in units of digit 72, below 2^36; higher columns count modulo 2^64 only.
    const V top = add(add(_mm256_slli_epi64(x[74], 56), _mm256_slli_epi64(x[73], 28)), add(x[72], carry(x[71])));
    const D quotient = _mm256_sub_pd(_mm256_mul_pd(real(top), scale), _mm256_set1_pd(2));
    const V q = _mm256_xor_si256(_mm256_castpd_si256(_mm256_add_pd(quotient, magic)), _mm256_castpd_si256(magic));
    V p = add(x[kDigits - 2], product(q, m[kDigits - 1]));
#pragma GCC unroll 4
    for (int k = kDigits - 1; k > 0; --k) {
      const V below = add(x[k - 2], product(q, m[k - 1]));
      x[k] = add(low(p), carry(below));
      p = below;
    }
    x[0] = low(p);
  }
  V over = _mm256_setzero_si256();
  for (int k = 0; k < kDigits; ++k) {
    over = add(over, x[k]);
    w.a[k] = low(over);
    over = carry(over);
  }
}

/// Rows to columns: word k of row l becomes word l of row k.
SM_INLINE void transpose(V r[kLanes]) {
  const V a = _mm256_unpacklo_epi64(r[0], r[1]), b = _mm256_unpackhi_epi64(r[0], r[1]);
  const V c = _mm256_unpacklo_epi64(r[2], r[3]), d = _mm256_unpackhi_epi64(r[2], r[3]);
  r[0] = _mm256_permute2x128_si256(a, c, 0x20);
  r[1] = _mm256_permute2x128_si256(b, d, 0x20);
  r[2] = _mm256_permute2x128_si256(a, c, 0x31);
  r[3] = _mm256_permute2x128_si256(b, d, 0x31);
}
SM_INLINE V bytes_reversed(V a) {
  const V order = _mm256_set_epi64x(0x08090a0b0c0d0e0f, 0x0001020304050607, 0x08090a0b0c0d0e0f, 0x0001020304050607);
  return _mm256_shuffle_epi8(a, order);
}

/// Digits of big-endian numbers; `word` is room for 64-bit words and two more.
SM_INLINE void read_digits(V* digit, const std::uint8_t* const* from, V* word) {
  for (int part = 0; part < kWords / kLanes; ++part) {
    V r[kLanes];
    for (int l = 0; l < kLanes; ++l) r[l] = _mm256_loadu_si256(reinterpret_cast<const V*>(from[l] + 32 * part));
    transpose(r);
    for (int k = 0; k < kLanes; ++k) word[kWords - 1 - kLanes * part - k] = bytes_reversed(r[k]);
  }
  word[kWords] = word[kWords + 1] = _mm256_setzero_si256();
  for (int k = 0; k < kDigits; ++k) {
    const int at = kBits * k / 64, shift = kBits * k % 64;
    digit[k] = low(_mm256_or_si256(shifted_right(word[at], shift), shifted_left(word[at + 1], 64 - shift)));
  }
}

/// a as big-endian numbers, less n where it is not below n. Requires carried digits and a < 2n; uses kDigits + kWords
/// of t.
SM_NOINLINE void write_numbers(std::uint8_t* const* to, const V* a, const V* n, V* t) {
  // The top 32 bits tell, but for one number in 2^32. Digit 74 is 0.
  const auto top = [](const V* x) { return add(shifted_left(x[73], kBits), x[72]); };
  if (_mm256_movemask_epi8(_mm256_cmpgt_epi64(top(n), top(a))) != -1) {
    V borrow = _mm256_setzero_si256();
    for (int k = 0; k < kDigits; ++k) {
      const V d = sub(sub(a[k], n[k]), borrow);
      t[k] = low(d);
      borrow = _mm256_srli_epi64(d, 63);
    }
    const V below = sub(_mm256_setzero_si256(), borrow);
    for (int k = 0; k < kDigits; ++k) t[k] = _mm256_blendv_epi8(t[k], a[k], below);
    a = t;
  }
  V* word = t + kDigits;
  for (int k = 0; k < kWords; ++k) {
    const int at = 64 * k / kBits, shift = 64 * k % kBits;
    V w = shifted_right(a[at], shift);
    for (int part = 1; part <= 3; ++part) {
      if (part * kBits - shift < 64 && at + part < kDigits)
        w = _mm256_or_si256(w, shifted_left(a[at + part], part * kBits - shift));
    }
    word[k] = bytes_reversed(w);
  }
  for (int part = 0; part < kWords / kLanes; ++part) {
    V r[kLanes];
    for (int k = 0; k < kLanes; ++k) r[k] = word[kWords - 1 - kLanes * part - k];
    transpose(r);
    for (int l = 0; l < kLanes; ++l) _mm256_storeu_si256(reinterpret_cast<V*>(to[l] + 32 * part), r[l]);
  }
}

SM_INLINE void prepare(Workspace& w, const Group& group) {
  read_digits(w.n, group.n, w.t);
  read_digits(w.s, group.s, w.t);
  const V zero = _mm256_setzero_si256(), two = set1(2);
  V inverse = w.n[0];  // right mod 8, each step doubles the bits
  for (int turn = 0; turn < 4; ++turn) inverse = low(product(inverse, low(sub(two, low(product(inverse, w.n[0]))))));
  w.n_inverse = low(sub(zero, inverse));
  V over = set1(1);
  for (int k = 0; k < kDigits; ++k) {
    over = add(over, _mm256_xor_si256(w.n[k], set1(kMask)));
    w.minus_n[k] = low(over);
    over = carry(over);
  }
}

void power(Group& group, bool evidence, void* workspace) {
  Workspace& w = *static_cast<Workspace*>(workspace);
  prepare(w, group);
  to_montgomery(w);
  for (int d = 0; evidence && d < kDigits; ++d) w.s[d] = w.a[d];
#pragma GCC unroll 1
  for (int k = 0; k < 16; ++k) {
    square(w.t, w.a);
    if (k == 15 && evidence) {
      // w.t holds the square already, so a can go down in place.
      for (int d = kDigits; d < kDigits + kHalfway; ++d) w.a[d] = _mm256_setzero_si256();
      reduce(w.a, w.a, w.n, w.n_inverse, kHalfway);
      write_numbers(group.middle, w.a, w.n, w.x);
    }
    reduce(w.a, w.t, w.n, w.n_inverse, evidence ? digits_off(k) : kDigits);
  }
  multiply(w.t, w.a, w.s);  // by s as it is: out of Montgomery's form at the same time
  reduce(w.a, w.t, w.n, w.n_inverse, kDigits);
  std::uint8_t* to[kLanes];
  for (int l = 0; l < kLanes; ++l) to[l] = group.power[l];
  write_numbers(to, w.a, w.n, w.t);
}

}  // namespace

const Ops& avx2_ops() {
  static const Ops table{"avx2", kLanes, sizeof(Workspace), power};
  return table;
}

}  // namespace sparkmill::rsa::cpu
