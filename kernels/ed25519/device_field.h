// SPDX-License-Identifier: Apache-2.0
// The field of Ed25519 for the rows on devices, in the dialect of backend/dialect.h: eight 32-bit words, any value
// below 2^256 standing for its residue mod p = 2^255 - 19 (2^256 = 38); there are no bounds to watch.
#ifndef SPARKMILL_ED25519_DEVICE_FIELD_H
#define SPARKMILL_ED25519_DEVICE_FIELD_H
#ifndef __OPENCL_VERSION__
#include "kernels/backend/dialect.h"
#endif

// Loops around whole products stay loops: unrolled, the code would not fit an instruction cache, nor compile soon.
#ifndef SM_UNROLL_NOT
#define SM_UNROLL_NOT
#endif

// Rarely run and large: a call, in CUDA.
#if defined(__CUDACC__)
#define SM_CALL static __host__ __device__ __noinline__
#else
#define SM_CALL SM_FN
#endif

typedef struct {
  sm_u32 v[8];
} sm_fe;

SM_FN sm_fe sm_fe_small(sm_u32 a) {
  sm_fe r;
  for (int k = 1; k < 8; ++k) r.v[k] = 0;
  r.v[0] = a;
  return r;
}
SM_FN sm_fe sm_fe_words(sm_u32 a, sm_u32 b, sm_u32 c, sm_u32 d, sm_u32 e, sm_u32 f, sm_u32 g, sm_u32 h) {
  sm_fe r;
  r.v[0] = a, r.v[1] = b, r.v[2] = c, r.v[3] = d, r.v[4] = e, r.v[5] = f, r.v[6] = g, r.v[7] = h;
  return r;
}
SM_FN sm_fe sm_fe_d(void) {
  return sm_fe_words(0x135978a3u, 0x75eb4dcau, 0x4141d8abu, 0x00700a4du, 0x7779e898u, 0x8cc74079u, 0x2b6ffe73u,
                     0x52036ceeu);
}
SM_FN sm_fe sm_fe_2d(void) {
  return sm_fe_words(0x26b2f159u, 0xebd69b94u, 0x8283b156u, 0x00e0149au, 0xeef3d130u, 0x198e80f2u, 0x56dffce7u,
                     0x2406d9dcu);
}
SM_FN sm_fe sm_fe_root(void) {
  return sm_fe_words(0x4a0ea0b0u, 0xc4ee1b27u, 0xad2fe478u, 0x2f431806u, 0x3dfbd7a7u, 0x2b4d0099u, 0x4fc1df0bu,
                     0x2b832480u);
}

/// r + 38 carry, where carry is below 2^26: what runs over is below 2, and then nothing runs over again.
SM_FN sm_fe sm_fe_fold(sm_fe r, sm_u32 carry) {
  for (int turn = 0; turn < 2; ++turn) {
    sm_u64 t = (sm_u64)carry * 38u;
    for (int k = 0; k < 8; ++k) {
      t += r.v[k];
      r.v[k] = (sm_u32)t;
      t >>= 32;
    }
    carry = (sm_u32)t;
  }
  return r;
}
SM_FN sm_fe sm_fe_add(sm_fe a, sm_fe b) {
  sm_u64 t = 0;
  for (int k = 0; k < 8; ++k) {
    t += (sm_u64)a.v[k] + b.v[k];
    a.v[k] = (sm_u32)t;
    t >>= 32;
  }
  return sm_fe_fold(a, (sm_u32)t);
}
SM_FN sm_fe sm_fe_sub(sm_fe a, sm_fe b) {
  sm_u32 borrow = 0;
  for (int k = 0; k < 8; ++k) {
    const sm_u64 t = (sm_u64)a.v[k] - b.v[k] - borrow;
    a.v[k] = (sm_u32)t;
    borrow = (sm_u32)(t >> 32) & 1u;
  }
  for (int turn = 0; turn < 2; ++turn) {  // - 2^256 = - 38
    sm_u32 take = 38u * borrow;
    borrow = 0;
    for (int k = 0; k < 8; ++k) {
      const sm_u64 t = (sm_u64)a.v[k] - take;
      a.v[k] = (sm_u32)t;
      take = (sm_u32)(t >> 32) & 1u;
    }
    borrow = take;
  }
  return a;
}
/// Sixteen words to eight.
SM_FN sm_fe sm_fe_reduce(const sm_u32* w) {
  sm_fe r;
  sm_u64 t = 0;
  for (int k = 0; k < 8; ++k) {
    t += (sm_u64)w[k + 8] * 38u + w[k];
    r.v[k] = (sm_u32)t;
    t >>= 32;
  }
  return sm_fe_fold(r, (sm_u32)t);
}
SM_FN sm_fe sm_fe_mul(sm_fe a, sm_fe b) {
  sm_u32 w[16];
  for (int k = 0; k < 8; ++k) w[k] = 0;
  for (int i = 0; i < 8; ++i) {
    sm_u64 t = 0;
    for (int j = 0; j < 8; ++j) {
      t += (sm_u64)a.v[i] * b.v[j] + w[i + j];  // at most 2^64 - 1
      w[i + j] = (sm_u32)t;
      t >>= 32;
    }
    w[i + 8] = (sm_u32)t;
  }
  return sm_fe_reduce(w);
}
/// The 28 products of unlike words once, doubled, and the eight squares.
SM_FN sm_fe sm_fe_sqr(sm_fe a) {
  sm_u32 w[16];
  for (int k = 0; k < 16; ++k) w[k] = 0;
  for (int i = 0; i < 7; ++i) {
    sm_u64 t = 0;
    for (int j = i + 1; j < 8; ++j) {
      t += (sm_u64)a.v[i] * a.v[j] + w[i + j];
      w[i + j] = (sm_u32)t;
      t >>= 32;
    }
    w[i + 8] = (sm_u32)t;
  }
  sm_u64 t = 0;
  sm_u32 top = 0;
  for (int k = 0; k < 8; ++k) {
    const sm_u64 square = (sm_u64)a.v[k] * a.v[k];
    const sm_u32 low = w[2 * k], high = w[2 * k + 1];
    t += (sm_u64)(low << 1 | top) + (sm_u32)square;
    w[2 * k] = (sm_u32)t;
    t >>= 32;
    t += (sm_u64)(high << 1 | low >> 31) + (sm_u32)(square >> 32);
    w[2 * k + 1] = (sm_u32)t;
    t >>= 32;
    top = high >> 31;
  }
  return sm_fe_reduce(w);
}
SM_FN sm_fe sm_fe_sqr_times(sm_fe a, int n) {
  SM_UNROLL_NOT
  for (int k = 0; k < n; ++k) a = sm_fe_sqr(a);
  return a;
}
/// x^(2^250 - 1); eleven = x^11.
SM_CALL sm_fe sm_fe_power_250(sm_fe x, sm_fe* eleven) {
  const sm_fe two = sm_fe_sqr(x);
  const sm_fe nine = sm_fe_mul(sm_fe_sqr_times(two, 2), x);
  *eleven = sm_fe_mul(nine, two);
  const sm_fe p5 = sm_fe_mul(sm_fe_sqr(*eleven), nine);
  const sm_fe p10 = sm_fe_mul(sm_fe_sqr_times(p5, 5), p5);
  const sm_fe p20 = sm_fe_mul(sm_fe_sqr_times(p10, 10), p10);
  const sm_fe p40 = sm_fe_mul(sm_fe_sqr_times(p20, 20), p20);
  const sm_fe p50 = sm_fe_mul(sm_fe_sqr_times(p40, 10), p10);
  const sm_fe p100 = sm_fe_mul(sm_fe_sqr_times(p50, 50), p50);
  const sm_fe p200 = sm_fe_mul(sm_fe_sqr_times(p100, 100), p100);
  return sm_fe_mul(sm_fe_sqr_times(p200, 50), p50);
}
SM_FN sm_fe sm_fe_power_252(sm_fe x) {
  sm_fe eleven;
  return sm_fe_mul(sm_fe_sqr_times(sm_fe_power_250(x, &eleven), 2), x);
}
SM_FN sm_fe sm_fe_inverse(sm_fe x) {
  sm_fe eleven;
  const sm_fe p = sm_fe_power_250(x, &eleven);
  return sm_fe_mul(sm_fe_sqr_times(p, 5), eleven);
}
/// In [0, p): bit 255 folds to 19, twice, then p is taken off at most once.
SM_FN sm_fe sm_fe_frozen(sm_fe a) {
  for (int turn = 0; turn < 2; ++turn) {
    sm_u64 t = 19u * (a.v[7] >> 31);
    a.v[7] &= 0x7fffffffu;
    for (int k = 0; k < 8; ++k) {
      t += a.v[k];
      a.v[k] = (sm_u32)t;
      t >>= 32;
    }
  }
  sm_fe plus;  // a + 19 reaches 2^255 exactly when a >= p
  sm_u64 t = 19;
  for (int k = 0; k < 8; ++k) {
    t += a.v[k];
    plus.v[k] = (sm_u32)t;
    t >>= 32;
  }
  const sm_u32 over = plus.v[7] >> 31;
  plus.v[7] &= 0x7fffffffu;
  for (int k = 0; k < 8; ++k) a.v[k] = over ? plus.v[k] : a.v[k];
  return a;
}
SM_FN sm_u32 sm_fe_is_zero(sm_fe a) {
  const sm_fe f = sm_fe_frozen(a);
  sm_u32 any = 0;
  for (int k = 0; k < 8; ++k) any |= f.v[k];
  return any == 0u;
}
SM_FN sm_u32 sm_fe_same(sm_fe a, sm_fe b) { return sm_fe_is_zero(sm_fe_sub(a, b)); }
SM_FN sm_u32 sm_fe_words_same(sm_fe a, sm_fe b) {
  sm_u32 any = 0;
  for (int k = 0; k < 8; ++k) any |= a.v[k] ^ b.v[k];
  return any == 0u;
}

#endif
