// SPDX-License-Identifier: Apache-2.0
// Numbers mod N, the order of the group, for the rows on devices: in [0, N); and their halves by the endomorphism.
#ifndef SPARKMILL_SECP256K1_DEVICE_SCALAR_H
#define SPARKMILL_SECP256K1_DEVICE_SCALAR_H
#ifndef __OPENCL_VERSION__
#include "kernels/secp256k1/device_number.h"
#endif

/// a mod N of an a below 2^256.
SM_FN sm_k1_num sm_k1_mod_order(sm_k1_num a) {
  sm_k1_num less = a;
  const sm_u32 below = sm_k1_minus(&less, sm_k1_order());
  for (int k = 0; k < 8; ++k) a.v[k] = below ? a.v[k] : less.v[k];
  return a;
}
SM_FN sm_u32 sm_k1_below_order(sm_k1_num a) { return sm_k1_minus(&a, sm_k1_order()); }
/// a b mod N. 2^256 = N + c with c of 129 bits: the upper half is taken times c four times, after which it is gone:
/// it is below 2^129 after the first time, at most 2 after the second, at most 1 after the third, before 126 zeros.
SM_K1_CALL sm_k1_num sm_k1_mul_order(sm_k1_num a, sm_k1_num b) {
  const sm_u32 c[5] = {0x2fc9bebfu, 0x402da173u, 0x50b75fc4u, 0x45512319u, 0x00000001u};
  sm_u32 w[16];
  sm_k1_product(a, b, w);
  SM_UNROLL_NOT
  for (int turn = 0; turn < 4; ++turn) {
    sm_u32 high[8];
    for (int k = 0; k < 8; ++k) high[k] = w[8 + k], w[8 + k] = 0;
    for (int i = 0; i < 8; ++i) {
      sm_u64 t = 0;
      for (int j = 0; j < 5; ++j) {
        t += (sm_u64)high[i] * c[j] + w[i + j];
        w[i + j] = (sm_u32)t;
        t >>= 32;
      }
      for (int k = i + 5; k < 16; ++k) {
        t += w[k];
        w[k] = (sm_u32)t;
        t >>= 32;
      }
    }
  }
  sm_k1_num r;
  for (int k = 0; k < 8; ++k) r.v[k] = w[k];
  return sm_k1_mod_order(r);
}
/// a^(N - 2): windows of 4 bits.
SM_K1_CALL sm_k1_num sm_k1_inverse_order(sm_k1_num a) {
  const sm_u32 exponent[8] = {0xd036413fu, 0xbfd25e8cu, 0xaf48a03bu, 0xbaaedce6u,
                              0xfffffffeu, 0xffffffffu, 0xffffffffu, 0xffffffffu};
  sm_k1_num powers[16];
  powers[0] = sm_k1_small(1);
  SM_UNROLL_NOT
  for (int k = 1; k < 16; ++k) powers[k] = sm_k1_mul_order(powers[k - 1], a);
  sm_k1_num x = powers[15];
  SM_UNROLL_NOT
  for (int bit = 248; bit >= 0; bit -= 4) {
    SM_UNROLL_NOT
    for (int k = 0; k < 4; ++k) x = sm_k1_mul_order(x, x);
    x = sm_k1_mul_order(x, powers[exponent[bit / 32] >> (bit % 32) & 15u]);
  }
  return x;
}

/// r - c a over five words.
SM_FN void sm_k1_take5(sm_u32* r, const sm_u32* c, const sm_u32* a) {
  sm_u32 p[5];
  for (int k = 0; k < 5; ++k) p[k] = 0;
  for (int i = 0; i < 4; ++i) {
    sm_u64 t = 0;
    for (int j = 0; i + j < 5; ++j) {
      t += (sm_u64)c[i] * a[j] + p[i + j];
      p[i + j] = (sm_u32)t;
      t >>= 32;
    }
  }
  sm_u32 borrow = 0;
  for (int k = 0; k < 5; ++k) {
    const sm_u64 t = (sm_u64)r[k] - p[k] - borrow;
    r[k] = (sm_u32)t;
    borrow = (sm_u32)(t >> 32) & 1u;
  }
}
/// |r|; the answer is 1 where r was negative.
SM_FN sm_u32 sm_k1_absolute5(sm_u32* r) {
  const sm_u32 sign = r[4] >> 31;
  sm_u64 t = sign;
  for (int k = 0; k < 5; ++k) {
    t += r[k] ^ (0u - sign);
    r[k] = (sm_u32)t;
    t >>= 32;
  }
  return sign;
}
/// round(k g / 2^384).
SM_FN void sm_k1_rounded(sm_k1_num k, sm_k1_num g, sm_u32* c) {
  sm_u32 w[16];
  sm_k1_product(k, g, w);
  sm_u64 t = w[11] >> 31;
  for (int i = 0; i < 4; ++i) {
    t += w[12 + i];
    c[i] = (sm_u32)t;
    t >>= 32;
  }
}
/// k = k1 + lambda k2 mod N with |k1|, |k2| < 2^128, where lambda (x, y) = (beta x, y): the nearest vector of the
/// lattice of (a1, b1), (a2, b2). The answer has bit 0 for a negative k1, bit 1 for a negative k2.
/// Source: Gallant, Lambert, Vanstone 2001; Hankerson, Menezes, Vanstone, algorithm 3.74.
SM_K1_CALL sm_u32 sm_k1_split(sm_k1_num k, sm_u32* k1, sm_u32* k2) {
  const sm_u32 a1[5] = {0x9284eb15u, 0xe86c90e4u, 0xa7d46bcdu, 0x3086d221u, 0x00000000u};  // = b2
  const sm_u32 a2[5] = {0x9d44cfd8u, 0x57c1108du, 0xa8e2f3f6u, 0x14ca50f7u, 0x00000001u};
  const sm_u32 b1[5] = {0xf5401b3du, 0x90ab8056u, 0xfef177d7u, 0x1bbc8129u, 0xffffffffu};  // negative
  sm_u32 c1[4], c2[4];
  sm_k1_rounded(k,
                sm_k1_words(0x45dbb031u, 0xe893209au, 0x71e8ca7fu, 0x3daa8a14u, 0x9284eb15u, 0xe86c90e4u, 0xa7d46bcdu,
                            0x3086d221u),
                c1);  // 2^384 b2 / N
  sm_k1_rounded(k,
                sm_k1_words(0x8ac47f71u, 0x1571b4aeu, 0x9df506c6u, 0x221208acu, 0x0abfe4c4u, 0x6f547fa9u, 0x010e8828u,
                            0xe4437ed6u),
                c2);  // 2^384 (-b1) / N
  for (int i = 0; i < 5; ++i) k1[i] = k.v[i], k2[i] = 0;
  sm_k1_take5(k1, c1, a1);
  sm_k1_take5(k1, c2, a2);
  sm_k1_take5(k2, c1, b1);
  sm_k1_take5(k2, c2, a1);
  const sm_u32 first = sm_k1_absolute5(k1);
  return first | sm_k1_absolute5(k2) << 1;
}
#endif
