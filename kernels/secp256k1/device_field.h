// SPDX-License-Identifier: Apache-2.0
// The field of secp256k1 for the rows on devices. Any value below 2^256 stands for its residue mod
// p = 2^256 - 2^32 - 977; there are no bounds to watch.
#ifndef SPARKMILL_SECP256K1_DEVICE_FIELD_H
#define SPARKMILL_SECP256K1_DEVICE_FIELD_H
#ifndef __OPENCL_VERSION__
#include "kernels/secp256k1/device_number.h"
#endif

/// r + top (2^32 + 977), top below 2^34. Where that runs over, what is left is below 2^68, so the second addition of
/// 2^32 + 977 ends in the third word.
SM_FN sm_k1_num sm_k1_fold(sm_k1_num r, sm_u64 top) {
  sm_u64 t = (sm_u64)(sm_u32)top * 977u + ((sm_u64)((sm_u32)(top >> 32) * 977u) << 32);
  const sm_u32 first = (sm_u32)t;
  t = (t >> 32) + top;
  const sm_u32 over = sm_k1_plus(&r, sm_k1_words(first, (sm_u32)t, (sm_u32)(t >> 32), 0u, 0u, 0u, 0u, 0u));
  t = (sm_u64)r.v[0] + 977u * over;
  r.v[0] = (sm_u32)t;
  t = (t >> 32) + r.v[1] + over;
  r.v[1] = (sm_u32)t;
  r.v[2] += (sm_u32)(t >> 32);
  return r;
}
SM_FN sm_k1_num sm_k1_add(sm_k1_num a, sm_k1_num b) {
  const sm_u32 carry = sm_k1_plus(&a, b);
  return sm_k1_fold(a, carry);
}
/// Where taking 2^32 + 977 off borrows again, what is left lies within 2^32 + 977 of 2^256, so the second time ends in
/// the second word.
SM_FN sm_k1_num sm_k1_sub(sm_k1_num a, sm_k1_num b) {
  const sm_u32 below = sm_k1_minus(&a, b);
  const sm_u32 again = sm_k1_minus(&a, sm_k1_words(977u * below, below, 0u, 0u, 0u, 0u, 0u, 0u));
  const sm_u64 t = (sm_u64)a.v[0] - 977u * again;
  a.v[0] = (sm_u32)t;
  a.v[1] -= again + ((sm_u32)(t >> 32) & 1u);
  return a;
}
/// Sixteen words to eight.
SM_FN sm_k1_num sm_k1_reduce(const sm_u32* w) {
  sm_k1_num r;
  sm_u64 t = (sm_u64)w[8] * 977u + w[0];
  r.v[0] = (sm_u32)t;
  t >>= 32;
  for (int k = 1; k < 8; ++k) {
    t += (sm_u64)w[k + 8] * 977u + w[k] + w[k + 7];
    r.v[k] = (sm_u32)t;
    t >>= 32;
  }
  return sm_k1_fold(r, t + w[15]);
}
SM_FN sm_k1_num sm_k1_reduce_rows(const sm_u32* w) {
  sm_u32 sum[9];
  sm_k1_num rest, odd, high;
  for (int k = 0; k < 8; ++k) sum[k] = w[k], high.v[k] = w[8 + k];
  sum[8] = 0;
  sm_k1_row(sum, w + 8, 977u, 4);
  for (int k = 0; k < 4; ++k) {
    const sm_u64 t = (sm_u64)w[9 + 2 * k] * 977u;
    odd.v[2 * k] = (sm_u32)t, odd.v[2 * k + 1] = (sm_u32)(t >> 32);
  }
  for (int k = 0; k < 8; ++k) rest.v[k] = sum[k + 1];  // everything from the second word on
  const sm_u32 over = sm_k1_plus(&rest, odd) + sm_k1_plus(&rest, high);
  return sm_k1_fold(sm_k1_words(sum[0], rest.v[0], rest.v[1], rest.v[2], rest.v[3], rest.v[4], rest.v[5], rest.v[6]),
                    (sm_u64)over << 32 | rest.v[7]);
}
SM_FN sm_k1_num sm_k1_mul(sm_k1_num a, sm_k1_num b) {
  sm_u32 w[16];
#if defined(__CUDA_ARCH__)
  sm_k1_product_rows(a, b, w);
  return sm_k1_reduce_rows(w);
#else
  sm_k1_product(a, b, w);
  return sm_k1_reduce(w);
#endif
}
SM_FN sm_k1_num sm_k1_sqr(sm_k1_num a) {
  sm_u32 w[16];
#if defined(__CUDA_ARCH__)
  sm_k1_square_rows(a, w);
  return sm_k1_reduce_rows(w);
#else
  sm_k1_square(a, w);
  return sm_k1_reduce(w);
#endif
}
/// a / 2: of an odd a, (a + p) / 2.
SM_FN sm_k1_num sm_k1_half(sm_k1_num a) {
  const sm_u32 odd = 0u - (a.v[0] & 1u);
  const sm_u32 over = sm_k1_plus(&a, sm_k1_words(0xfffffc2fu & odd, 0xfffffffeu & odd, odd, odd, odd, odd, odd, odd));
  for (int k = 0; k < 7; ++k) a.v[k] = a.v[k] >> 1 | a.v[k + 1] << 31;
  a.v[7] = a.v[7] >> 1 | over << 31;
  return a;
}
SM_FN sm_k1_num sm_k1_frozen(sm_k1_num a) {
  sm_k1_num plus = a;  // a + 2^32 + 977 reaches 2^256 exactly when a >= p
  const sm_u32 over = sm_k1_plus(&plus, sm_k1_words(977u, 1u, 0u, 0u, 0u, 0u, 0u, 0u));
  for (int k = 0; k < 8; ++k) a.v[k] = over ? plus.v[k] : a.v[k];
  return a;
}
SM_FN sm_u32 sm_k1_is_zero(sm_k1_num a) {
  sm_u32 any = 0, ones = 0xffffffffu;
  for (int k = 2; k < 8; ++k) any |= a.v[k], ones &= a.v[k];
  const sm_u32 is_p = (a.v[0] ^ 0xfffffc2fu) | (a.v[1] ^ 0xfffffffeu) | ~ones;
  return (any | a.v[0] | a.v[1]) == 0u || is_p == 0u;
}
SM_FN sm_u32 sm_k1_same(sm_k1_num a, sm_k1_num b) { return sm_k1_is_zero(sm_k1_sub(a, b)); }
/// At or above p: no coordinate.
SM_FN sm_u32 sm_k1_is_large(sm_k1_num a) { return !sm_k1_words_same(a, sm_k1_frozen(a)); }

/// x^(p - 2), or x^((p + 1) / 4). Both exponents begin with 223 ones, a zero and 22 ones; each step squares and
/// multiplies by an earlier power, whose exponents are 1, 2, 3, 6, 9, 11, 22, 44 .. ones.
SM_K1_CALL sm_k1_num sm_k1_power(sm_k1_num x, sm_u32 inverse) {
  const sm_u32 squarings[16] = {0, 1, 1, 3, 3, 2, 11, 22, 44, 88, 44, 3, 23, 5, 3, 2};
  const sm_u32 by[16] = {0, 0, 0, 2, 2, 1, 5, 6, 7, 8, 7, 2, 6, 0, 1, 0};
  sm_k1_num saved[9];
  saved[0] = x;
  SM_UNROLL_NOT
  for (sm_u32 step = 1; step < (inverse ? 16u : 14u); ++step) {
    // The root's last exponent bits are 11 after 4 zeros, then two zeros.
    const sm_u32 turns = inverse || step != 13u ? squarings[step] : 6u;
    SM_UNROLL_NOT
    for (sm_u32 k = 0; k < turns; ++k) x = sm_k1_sqr(x);
    x = sm_k1_mul(x, saved[inverse || step != 13u ? by[step] : 1u]);
    if (step < 9u) saved[step] = x;
  }
  if (!inverse) {
    SM_UNROLL_NOT
    for (sm_u32 k = 0; k < 2u; ++k) x = sm_k1_sqr(x);
  }
  return x;
}
#endif
