// SPDX-License-Identifier: Apache-2.0
// The row for AVX-512 with IFMA: eight numbers in eight lanes, 40 digits of 52 bits, R = 2^2080.
//
// Bounds. n has 2048 bits, so 32 bits of the top digit are free: a product of factors below 2^2064 reduces to less than
// 2n without any subtraction. Columns take at most 160 halves of products, below 2^60, and are carried only at the end.
#include <immintrin.h>

#include "kernels/rsa/cpu_ops.h"

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
// Its intrinsics start from a register "undefined" by self-assignment, which it then warns of (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define SM_INLINE inline __attribute__((always_inline))
#define SM_NOINLINE __attribute__((noinline))

namespace sparkmill::rsa::cpu {
namespace {

using V = __m512i;
constexpr int kLanes = 8, kDigits = 40, kBits = 52, kWords = 32;
constexpr int kRows = 10;  // digits of one factor that are kept in registers
constexpr std::uint64_t kMask = (std::uint64_t{1} << kBits) - 1;

// Montgomery's form with a factor other than R: a reduction by d digits takes d from the exponent e of 2^52, a squaring
// doubles it, so e = 40 stays 40 under d = 40. With evidence two squarings lose a digit more, and e falls by 1, 2, 5,
// 10 and 20: s^(2^15) stands at e = 20, half a reduction away from the plain number. The last product then takes s R.
constexpr unsigned kLonger = 1u << 10 | 1u << 12;  ///< squarings, from 0, that are reduced by 41 digits
constexpr int kHalfway = 20;
constexpr int digits_off(int squaring) { return kDigits + static_cast<int>(kLonger >> squaring & 1); }
constexpr int exponent_after(int squarings) {
  int e = kDigits;
  for (int k = 0; k < squarings; ++k) e = 2 * e - digits_off(k);
  return e;
}
static_assert(exponent_after(15) == kHalfway && exponent_after(16) + kDigits == kDigits);

struct Workspace {
  V n[kDigits], s[kDigits], a[kDigits + kHalfway];
  V t[2 * kDigits + 1];
  V minus_n[kDigits + 3];  ///< 2^2080 - n from [2] on, zeros around it
  V x[kDigits + kWords];   ///< of the division, from [1] on
  V n_inverse;             ///< -1/n mod 2^52
};

SM_INLINE V set1(std::uint64_t x) { return _mm512_set1_epi64(static_cast<long long>(x)); }
SM_INLINE V lo(V sum, V a, V b) { return _mm512_madd52lo_epu64(sum, a, b); }
SM_INLINE V hi(V sum, V a, V b) { return _mm512_madd52hi_epu64(sum, a, b); }
SM_INLINE V add(V a, V b) { return _mm512_add_epi64(a, b); }
SM_INLINE V sub(V a, V b) { return _mm512_sub_epi64(a, b); }
SM_INLINE V low(V a) { return _mm512_and_si512(a, set1(kMask)); }
SM_INLINE V carry(V a) { return _mm512_srli_epi64(a, kBits); }

/// t += rows x factor: kRows digits by `count`. A digit of the factor meets all rows at once, and the columns that
/// they reach wander through the registers.
SM_NOINLINE void add_product(V* t, const V* rows, const V* factor, int count) {
  V row[kRows], sum[kRows + 1];
#pragma GCC unroll 10
  for (int r = 0; r < kRows; ++r) row[r] = rows[r];
#pragma GCC unroll 10
  for (int r = 0; r < kRows; ++r) sum[r] = t[r];
#pragma GCC unroll 1
  for (int j = 0; j < count; ++j) {
    const V f = factor[j];
    sum[kRows] = t[j + kRows];
#pragma GCC unroll 10
    for (int r = 0; r < kRows; ++r) sum[r] = lo(sum[r], row[r], f);
#pragma GCC unroll 10
    for (int r = 0; r < kRows; ++r) sum[r + 1] = hi(sum[r + 1], row[r], f);
    t[j] = sum[0];
#pragma GCC unroll 10
    for (int r = 0; r < kRows; ++r) sum[r] = sum[r + 1];
  }
#pragma GCC unroll 10
  for (int r = 0; r < kRows; ++r) t[count + r] = sum[r];
}

/// t = a^2: the products of unlike digits once, doubled, and the squares.
SM_NOINLINE void square(V* t, const V* a) {
  for (int k = 0; k <= 2 * kDigits; ++k) t[k] = _mm512_setzero_si512();
#pragma GCC unroll 1
  for (int i = 0; i < kDigits; i += kRows) {
    V row[kRows], sum[2 * kRows];
    V* column = t + 2 * i;
#pragma GCC unroll 10
    for (int r = 0; r < kRows; ++r) row[r] = a[i + r];
#pragma GCC unroll 20
    for (int k = 0; k < 2 * kRows; ++k) sum[k] = column[k];
#pragma GCC unroll 10
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 10
      for (int q = r + 1; q < kRows; ++q) {
        sum[r + q] = lo(sum[r + q], row[r], row[q]);
        sum[r + q + 1] = hi(sum[r + q + 1], row[r], row[q]);
      }
    }
#pragma GCC unroll 20
    for (int k = 0; k < 2 * kRows; ++k) column[k] = sum[k];
    if (i + kRows < kDigits) add_product(column + kRows, a + i, a + i + kRows, kDigits - i - kRows);
  }
#pragma GCC unroll 4
  for (int k = 0; k < kDigits; ++k) {
    t[2 * k] = lo(add(t[2 * k], t[2 * k]), a[k], a[k]);
    t[2 * k + 1] = hi(add(t[2 * k + 1], t[2 * k + 1]), a[k], a[k]);
  }
}

SM_INLINE void multiply(V* t, const V* a, const V* b) {
  for (int k = 0; k <= 2 * kDigits; ++k) t[k] = _mm512_setzero_si512();
#pragma GCC unroll 1
  for (int i = 0; i < kDigits; i += kRows) add_product(t + i, a + i, b, kDigits);
}

/// The q for which sum + over + q n has a low digit 0; `over`: what was carried here, then what is carried on.
SM_INLINE V quotient(V sum, const V* n, V n_inverse, V& over) {
  sum = add(sum, over);
  const V q = lo(_mm512_setzero_si512(), sum, n_inverse);
  over = hi(carry(add(sum, set1(kMask))), q, n[0]);  // the low digit runs over unless it was 0 before
  return q;
}
/// Makes kRows columns 0 by adding a multiple of n; `over`: what the columns below carry, then what these carry.
SM_INLINE void clear_columns(V* column, const V* n, V n_inverse, V& over) {
  V q[kRows], sum[2 * kRows];
#pragma GCC unroll 20
  for (int k = 0; k < 2 * kRows; ++k) sum[k] = column[k];
#pragma GCC unroll 10
  for (int r = 0; r < kRows; ++r) {
    q[r] = quotient(sum[r], n, n_inverse, over);
#pragma GCC unroll 10
    for (int k = 1; k < kRows; ++k) {
      sum[r + k] = lo(sum[r + k], q[r], n[k]);
      sum[r + k + 1] = hi(sum[r + k + 1], q[r], n[k]);
    }
  }
#pragma GCC unroll 10
  for (int k = kRows; k < 2 * kRows; ++k) column[k] = sum[k];
  add_product(column + kRows, q, n + kRows, kDigits - kRows);
}

/// a = t / 2^(52 digits) mod n, digits carried (Montgomery 1985). Requires a multiple of kRows digits or one more, and
/// columns up to t[kDigits + digits - 1]; a may be t.
SM_NOINLINE void reduce(V* a, V* t, const V* n, V n_inverse, int digits) {
  V over = _mm512_setzero_si512();
  int i = 0;
#pragma GCC unroll 1
  for (; i + kRows <= digits; i += kRows) clear_columns(t + i, n, n_inverse, over);
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
  over = add(over, lo(column[1], q, n[1]));
#pragma GCC unroll 4
  for (int k = 1; k < kDigits - 1; ++k) {
    a[k - 1] = low(over);
    over = add(carry(over), lo(hi(column[k + 1], q, n[k]), q, n[k + 1]));
  }
  a[kDigits - 2] = low(over);
  a[kDigits - 1] = add(carry(over), hi(column[kDigits], q, n[kDigits - 1]));
}

/// a = s R mod n, below 8 n, by long division from the top, a digit of the quotient at a time. So no key needs R^2 mod
/// n, and keys that differ cost what equal ones do.
///
/// A remainder x is columns that are not carried; only the top ones are looked at. Its ratio to n comes from doubles as
/// a whole number and a rest, together right to 2 in 2^52. With 4 less than that, t 2^52 + q, x becomes 2^52 x - (t
/// 2^52
/// + q) n: between n and 8 n again, and so it starts.
SM_INLINE void to_montgomery(Workspace& w) {
  using D = __m512d;
  V* const x = w.x + 1;
  const V* const m = w.minus_n + 2;
  for (int k = 0; k < kDigits; ++k) x[k] = add(w.s[k], w.n[k]);
  x[-1] = x[kDigits] = _mm512_setzero_si512();
  const D digit = _mm512_set1_pd(0x1p52);
  const D n_high = _mm512_cvtepi64_pd(w.n[kDigits - 1]), n_low = _mm512_cvtepi64_pd(w.n[kDigits - 2]);
  const D inverse = _mm512_div_pd(_mm512_set1_pd(1), _mm512_fmadd_pd(n_high, digit, n_low));
#pragma GCC unroll 1
  for (int step = 0; step < kDigits; ++step) {
    const V second = add(x[kDigits - 2], carry(x[kDigits - 3]));
    const V first = add(add(x[kDigits - 1], _mm512_slli_epi64(x[kDigits], kBits)), carry(second));
    const D x_high = _mm512_cvtepi64_pd(first), x_low = _mm512_cvtepi64_pd(low(second));
    constexpr int kTruncate = _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC;
    const D whole = _mm512_roundscale_pd(_mm512_mul_pd(_mm512_fmadd_pd(x_high, digit, x_low), inverse), kTruncate);
    const D rest =
        _mm512_fmadd_pd(_mm512_fnmadd_pd(whole, n_high, x_high), digit, _mm512_fnmadd_pd(whole, n_low, x_low));
    const V part = sub(_mm512_cvtpd_epi64(_mm512_mul_pd(_mm512_mul_pd(rest, inverse), digit)), set1(4));
    const V t = add(_mm512_cvtpd_epi64(whole), _mm512_srai_epi64(part, kBits)), q = low(part);
    // Down from the top, so that the next step's doubles start early. Column 40 counts modulo 2^12 only.
    x[kDigits] = sub(lo(hi(hi(x[kDigits - 1], q, m[kDigits - 1]), t, m[kDigits - 2]), t, m[kDigits - 1]), q);
#pragma GCC unroll 4
    for (int k = kDigits - 1; k >= 0; --k) {
      const V with_q = hi(lo(x[k - 1], q, m[k]), q, m[k - 1]);
      x[k] = hi(lo(with_q, t, m[k - 1]), t, m[k - 2]);
    }
  }
  V over = _mm512_setzero_si512();
  for (int k = 0; k < kDigits - 1; ++k) {
    over = add(over, x[k]);
    w.a[k] = low(over);
    over = carry(over);
  }
  w.a[kDigits - 1] = add(add(over, x[kDigits - 1]), _mm512_slli_epi64(x[kDigits], kBits));
}

/// Rows to columns: word k of row l becomes word l of row k.
SM_INLINE void transpose(V r[kLanes]) {
  V pairs[kLanes], quads[kLanes];
  for (int k = 0; k < kLanes; k += 2) {
    pairs[k] = _mm512_unpacklo_epi64(r[k], r[k + 1]);
    pairs[k + 1] = _mm512_unpackhi_epi64(r[k], r[k + 1]);
  }
  for (int k = 0; k < kLanes; k += 4) {
    for (int odd = 0; odd < 2; ++odd) {
      quads[k + odd] = _mm512_shuffle_i64x2(pairs[k + odd], pairs[k + 2 + odd], 0x88);
      quads[k + 2 + odd] = _mm512_shuffle_i64x2(pairs[k + odd], pairs[k + 2 + odd], 0xdd);
    }
  }
  for (int k = 0; k < 4; ++k) {
    const int low = k % 2 + (k / 2) * 2;
    r[low] = _mm512_shuffle_i64x2(quads[low], quads[low + 4], 0x88);
    r[low + 4] = _mm512_shuffle_i64x2(quads[low], quads[low + 4], 0xdd);
  }
}
SM_INLINE V bytes_reversed(V a) {
  const V order = _mm512_set_epi64(0x08090a0b0c0d0e0f, 0x0001020304050607, 0x08090a0b0c0d0e0f, 0x0001020304050607,
                                   0x08090a0b0c0d0e0f, 0x0001020304050607, 0x08090a0b0c0d0e0f, 0x0001020304050607);
  return _mm512_shuffle_epi8(a, order);
}

/// Digits of big-endian numbers; `word` is room for 64-bit words and one more.
SM_INLINE void read_digits(V* digit, const std::uint8_t* const* from, V* word) {
  for (int part = 0; part < kWords / kLanes; ++part) {
    V r[kLanes];
    for (int l = 0; l < kLanes; ++l) r[l] = _mm512_loadu_si512(from[l] + 64 * part);
    transpose(r);
    for (int k = 0; k < kLanes; ++k) word[kWords - 1 - kLanes * part - k] = bytes_reversed(r[k]);
  }
  word[kWords] = _mm512_setzero_si512();
  for (int k = 0; k < kDigits; ++k) {
    const int at = kBits * k / 64, shift = kBits * k % 64;
    const V d = _mm512_srlv_epi64(word[at], set1(static_cast<unsigned>(shift)));
    digit[k] = low(_mm512_or_si512(d, _mm512_sllv_epi64(word[at + 1], set1(static_cast<unsigned>(64 - shift)))));
  }
}

/// a as big-endian numbers, less n where it is not below n. Requires carried digits and a < 2n; uses
/// kDigits + kWords of t.
SM_NOINLINE void write_numbers(std::uint8_t* const* to, const V* a, const V* n, V* t) {
  // The top digits tell, but for one number in 2^20.
  if (_mm512_cmplt_epu64_mask(a[kDigits - 1], n[kDigits - 1]) != 0xff) {
    V borrow = _mm512_setzero_si512();
    for (int k = 0; k < kDigits; ++k) {
      const V d = sub(sub(a[k], n[k]), borrow);
      t[k] = low(d);
      borrow = _mm512_srli_epi64(d, 63);
    }
    const __mmask8 below = _mm512_test_epi64_mask(borrow, borrow);
    for (int k = 0; k < kDigits; ++k) t[k] = _mm512_mask_mov_epi64(t[k], below, a[k]);
    a = t;
  }
  V* word = t + kDigits;
#pragma GCC unroll 32
  for (int k = 0; k < kWords; ++k) {
    const int at = 64 * k / kBits, shift = 64 * k % kBits;
    V w = _mm512_srli_epi64(a[at], static_cast<unsigned>(shift));
    w = _mm512_or_si512(w, _mm512_slli_epi64(a[at + 1], static_cast<unsigned>(kBits - shift)));
    if (2 * kBits - shift < 64)
      w = _mm512_or_si512(w, _mm512_slli_epi64(a[at + 2], static_cast<unsigned>(2 * kBits - shift)));
    word[k] = bytes_reversed(w);
  }
  for (int part = 0; part < kWords / kLanes; ++part) {
    V r[kLanes];
    for (int k = 0; k < kLanes; ++k) r[k] = word[kWords - 1 - kLanes * part - k];
    transpose(r);
    for (int l = 0; l < kLanes; ++l) _mm512_storeu_si512(to[l] + 64 * part, r[l]);
  }
}

SM_INLINE void prepare(Workspace& w, const Group& group) {
  read_digits(w.n, group.n, w.t);
  read_digits(w.s, group.s, w.t);
  const V zero = _mm512_setzero_si512(), two = set1(2);
  V inverse = w.n[0];  // right mod 8, each step doubles the bits
  for (int turn = 0; turn < 5; ++turn) inverse = lo(zero, inverse, sub(two, lo(zero, inverse, w.n[0])));
  w.n_inverse = low(sub(zero, inverse));
  w.minus_n[0] = w.minus_n[1] = w.minus_n[kDigits + 2] = zero;
  V over = set1(1);
  for (int k = 0; k < kDigits; ++k) {
    over = add(over, _mm512_xor_si512(w.n[k], set1(kMask)));
    w.minus_n[k + 2] = low(over);
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
      for (int d = kDigits; d < kDigits + kHalfway; ++d) w.a[d] = _mm512_setzero_si512();
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

const Ops& avx512_ops() {
  static const Ops table{"avx512", kLanes, sizeof(Workspace), power};
  return table;
}

}  // namespace sparkmill::rsa::cpu
