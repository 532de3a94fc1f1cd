// SPDX-License-Identifier: Apache-2.0
// The group for the rows on devices: points are Jacobian, Z = 0 is infinity; multiples of a key, digits, the ladder.
#ifndef SPARKMILL_SECP256K1_DEVICE_POINT_H
#define SPARKMILL_SECP256K1_DEVICE_POINT_H
#ifndef __OPENCL_VERSION__
#include "kernels/secp256k1/device_field.h"
#include "kernels/secp256k1/device_scalar.h"
#endif

#define SM_K1_BASE const SM_GLOBAL sm_u32*

// Windows: 5 bits for multiples of Q, 10 bits for those of G and of 2^128 G, all signed.
#define SM_K1_TABLE 16
#define SM_K1_BASE_ENTRIES 512
#define SM_K1_BASE_WORDS (2 * SM_K1_BASE_ENTRIES * 16)  // 1 .. 512 times G, then 2^128 G: X, Y

typedef struct {
  sm_k1_num x, y;
} sm_k1_affine;
typedef struct {
  sm_k1_num x, y, z;
} sm_k1_point;

/// 3 M + 4 S. With L = 3 X^2 / 2: X' = L^2 - 2 X Y^2, Y' = L (X Y^2 - X') - Y^4, Z' = Y Z. Infinity stays infinity, and
/// no point has Y = 0. The curve's 7 is not used: right on every curve y^2 = x^3 + b.
SM_FN sm_k1_point sm_k1_double(sm_k1_point p) {
  const sm_k1_num yy = sm_k1_sqr(p.y), xx = sm_k1_sqr(p.x), t = sm_k1_mul(p.x, yy);
  const sm_k1_num l = sm_k1_half(sm_k1_add(sm_k1_add(xx, xx), xx));
  p.z = sm_k1_mul(p.y, p.z);
  p.x = sm_k1_sub(sm_k1_sub(sm_k1_sqr(l), t), t);
  p.y = sm_k1_sub(sm_k1_mul(l, sm_k1_sub(t, p.x)), sm_k1_sqr(yy));
  return p;
}
SM_K1_CALL sm_k1_point sm_k1_double_rare(sm_k1_point p) { return sm_k1_double(p); }
SM_K1_CALL sm_k1_point sm_k1_lift(sm_k1_affine q, sm_k1_num scale) {
  const sm_k1_num square = sm_k1_sqr(scale);
  sm_k1_point p;
  p.x = sm_k1_mul(q.x, square);
  p.y = sm_k1_mul(q.y, sm_k1_mul(square, scale));
  p.z = sm_k1_small(1);
  return p;
}
/// p + q, 8 M + 3 S, where `z` is Z times the scale between p's curve and q's: the sum is on p's curve, and its Z is
/// Z times *ratio. Not for p = infinity. *ratio = 0 and *difference = 0: p = q; *ratio = 0 alone: p = -q.
SM_FN sm_k1_point sm_k1_add_affine(sm_k1_point p, sm_k1_affine q, sm_k1_num z, sm_k1_num* ratio,
                                   sm_k1_num* difference) {
  const sm_k1_num zz = sm_k1_sqr(z);
  const sm_k1_num h = sm_k1_sub(sm_k1_mul(q.x, zz), p.x);
  const sm_k1_num r = sm_k1_sub(sm_k1_mul(q.y, sm_k1_mul(zz, z)), p.y);
  const sm_k1_num hh = sm_k1_sqr(h), hhh = sm_k1_mul(h, hh), v = sm_k1_mul(p.x, hh);
  p.z = sm_k1_mul(p.z, h);
  p.x = sm_k1_sub(sm_k1_sub(sm_k1_sub(sm_k1_sqr(r), hhh), v), v);
  p.y = sm_k1_sub(sm_k1_mul(r, sm_k1_sub(v, p.x)), sm_k1_mul(p.y, hhh));
  *ratio = h;
  *difference = r;
  return p;
}
SM_K1_CALL sm_u32 sm_k1_on_curve(sm_k1_affine q) {
  return sm_k1_same(sm_k1_sqr(q.y), sm_k1_add(sm_k1_mul(sm_k1_sqr(q.x), q.x), sm_k1_small(7)));
}
/// y of this x with this parity; 0 where there is none.
SM_K1_CALL sm_u32 sm_k1_solve(sm_k1_affine* q, sm_u32 parity) {
  const sm_k1_num right = sm_k1_add(sm_k1_mul(sm_k1_sqr(q->x), q->x), sm_k1_small(7));
  sm_k1_num y = sm_k1_power(right, 0u);
  if (!sm_k1_same(sm_k1_sqr(y), right)) return 0;
  y = sm_k1_frozen(y);
  if ((y.v[0] & 1u) != parity) y = sm_k1_frozen(sm_k1_sub(sm_k1_small(0), y));
  q->y = y;
  return 1;
}
/// 1 .. 16 times q, as affine points of a curve y^2 = x^3 + 7 scale^6 that all share. Each multiple is the one before
/// plus q, whose Z differs by one factor; on the way back these factors bring all to the last one's Z. q has a large
/// prime order, so no addition here is exceptional.
SM_K1_CALL sm_k1_num sm_k1_multiples(sm_k1_affine q, sm_k1_affine* table) {
  sm_k1_num ratios[SM_K1_TABLE], unused;
  sm_k1_point p;
  p.x = q.x, p.y = q.y, p.z = sm_k1_small(1);
  table[0] = q;
  p = sm_k1_double(p);
  ratios[1] = q.y;
  SM_UNROLL_NOT
  for (int k = 1;; ++k) {
    table[k].x = p.x, table[k].y = p.y;
    if (k == SM_K1_TABLE - 1) break;
    p = sm_k1_add_affine(p, q, p.z, &ratios[k + 1], &unused);
  }
  sm_k1_num scale = ratios[SM_K1_TABLE - 1];
  SM_UNROLL_NOT
  for (int k = SM_K1_TABLE - 2; k >= 0; --k) {
    const sm_k1_num square = sm_k1_sqr(scale);
    table[k].x = sm_k1_mul(table[k].x, square);
    table[k].y = sm_k1_mul(table[k].y, sm_k1_mul(square, scale));
    if (k != 0) scale = sm_k1_mul(scale, ratios[k]);
  }
  return p.z;
}

/// The scalars of one climb: |k1|, |k2| for Q and lambda Q, two halves for G and 2^128 G, each with half a window added
/// at every window, so that a digit is a window less that half and no carry runs between windows.
typedef struct {
  sm_u32 at[4][5];
  sm_u32 negative;  // bit 0: k1, bit 1: k2
} sm_k1_digits;

SM_FN void sm_k1_set_digits(sm_u32* at, const sm_u32* words, sm_u32 wide) {
  const sm_u32 five[5] = {0x21084210u, 0x08421084u, 0x42108421u, 0x10842108u, 0x00000002u};
  const sm_u32 ten[5] = {0x20080200u, 0x08020080u, 0x02008020u, 0x00802008u, 0x00000002u};
  sm_u64 t = 0;
  for (int k = 0; k < 5; ++k) {
    t += (sm_u64)words[k] + (wide ? ten[k] : five[k]);
    at[k] = (sm_u32)t;
    t >>= 32;
  }
}
/// u1 >> shift and u2 >> shift, split; or, with shift 0 and `tail`, their low 16 bits as they are.
SM_K1_CALL void sm_k1_make_digits(sm_k1_num u1, sm_k1_num u2, sm_u32 shift, sm_u32 tail, sm_k1_digits* d) {
  sm_u32 k1[5], k2[5], low[5], high[5];
  if (shift != 0u) {
    for (int k = 0; k < 8; ++k) {
      u1.v[k] = u1.v[k] >> shift | (k < 7 ? u1.v[k + 1] << (32u - shift) : 0u);
      u2.v[k] = u2.v[k] >> shift | (k < 7 ? u2.v[k + 1] << (32u - shift) : 0u);
    }
  }
  for (int k = 0; k < 5; ++k) {
    k1[k] = k2[k] = low[k] = high[k] = 0;
    if (k < 4) low[k] = u1.v[k], high[k] = u1.v[k + 4];
  }
  d->negative = 0;
  if (tail) {
    for (int k = 0; k < 5; ++k) low[k] = high[k] = 0;
    low[0] = u1.v[0] & 0xffffu;
    k1[0] = u2.v[0] & 0xffffu;
  } else {
    d->negative = sm_k1_split(u2, k1, k2);
  }
  sm_k1_set_digits(d->at[0], k1, 0u);
  sm_k1_set_digits(d->at[1], k2, 0u);
  sm_k1_set_digits(d->at[2], low, 1u);
  sm_k1_set_digits(d->at[3], high, 1u);
}

/// Doublings and additions from window `top` down, `first` doublings before that window and five before each other.
/// p is on the table's curve, `scale` leads from there to the curve proper. Every case of the group law is decided:
/// keys and scalars come from strangers.
SM_FN sm_k1_point sm_k1_climb(sm_k1_point p, const sm_k1_digits* d, int top, int first, const sm_k1_affine* table,
                              sm_k1_num scale, SM_K1_BASE base) {
  const sm_k1_num beta = sm_k1_words(0x719501eeu, 0xc1396c28u, 0x12f58995u, 0x9cf04975u, 0xac3434e9u, 0x6e64479eu,
                                     0x657c0710u, 0x7ae96a2bu);
  SM_UNROLL_NOT
  for (int window = top; window >= 0; --window) {
    const int doublings = window == top ? first : 5;
    SM_UNROLL_NOT
    for (int k = 0; k < doublings; ++k) p = sm_k1_double(p);
    const int word = 5 * window / 32, bit = 5 * window % 32;
    SM_UNROLL_NOT
    for (int source = 0; source < (window % 2 == 0 ? 4 : 2); ++source) {
      const sm_u64 two = (sm_u64)d->at[source][word + 1] << 32 | d->at[source][word];
      const sm_u32 of_base = source >= 2, middle = of_base ? 512u : 16u;
      const sm_u32 digit = (sm_u32)(two >> bit) & (2u * middle - 1u);
      if (digit == middle) continue;
      sm_u32 negative = digit < middle;
      const sm_u32 entry = (negative ? middle - digit : digit - middle) - 1u;
      sm_k1_affine q;
      if (of_base) {
        SM_K1_BASE from = base + 16u * (entry + (source == 3 ? (sm_u32)SM_K1_BASE_ENTRIES : 0u));
#if defined(__CUDA_ARCH__)
        q = *(const sm_k1_affine*)from;  // entries are aligned as the buffer is
#else
        for (int k = 0; k < 8; ++k) q.x.v[k] = from[k], q.y.v[k] = from[8 + k];
#endif
      } else {
        q = table[entry];
        negative ^= d->negative >> source & 1u;
      }
      if (negative) q.y = sm_k1_sub(sm_k1_small(0), q.y);
      sm_k1_num z = p.z;
      if (source != 0) {  // one product for both uses
        const sm_k1_num product = sm_k1_mul(of_base ? p.z : q.x, of_base ? scale : beta);
        if (of_base) z = product;
        if (!of_base) q.x = product;
      }
      if (sm_k1_is_null(p.z)) {
        p = sm_k1_lift(q, of_base ? scale : sm_k1_small(1));
        continue;
      }
      sm_k1_num ratio, difference;
      const sm_k1_point sum = sm_k1_add_affine(p, q, z, &ratio, &difference);
      if (!sm_k1_is_zero(ratio)) {
        p = sum;
      } else if (sm_k1_is_zero(difference)) {
        p = sm_k1_double_rare(p);
      } else {
        p.z = sm_k1_small(0);
      }
    }
  }
  return p;
}
#endif
