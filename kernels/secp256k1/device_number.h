// SPDX-License-Identifier: Apache-2.0
// Numbers of 256 bits for the rows on devices, in the dialect of backend/dialect.h: eight 32-bit words, little end
// first; sums, differences, and products of 512 bits.
#ifndef SPARKMILL_SECP256K1_DEVICE_NUMBER_H
#define SPARKMILL_SECP256K1_DEVICE_NUMBER_H
#ifndef __OPENCL_VERSION__
#include "kernels/backend/dialect.h"
#endif

// Loops around whole products stay loops: unrolled, the code would not fit an instruction cache, nor compile soon.
#ifndef SM_UNROLL_NOT
#define SM_UNROLL_NOT
#endif

// Rarely run, or large: a call, in CUDA.
#if defined(__CUDACC__)
#define SM_K1_CALL static __host__ __device__ __noinline__
#else
#define SM_K1_CALL SM_FN
#endif

// So that CUDA loads four words at once.
#if defined(__CUDACC__)
#define SM_K1_ALIGNED __align__(16)
#else
#define SM_K1_ALIGNED
#endif

typedef struct SM_K1_ALIGNED {
  sm_u32 v[8];
} sm_k1_num;

SM_FN sm_k1_num sm_k1_small(sm_u32 a) {
  sm_k1_num r;
  for (int k = 1; k < 8; ++k) r.v[k] = 0;
  r.v[0] = a;
  return r;
}
SM_FN sm_k1_num sm_k1_words(sm_u32 a, sm_u32 b, sm_u32 c, sm_u32 d, sm_u32 e, sm_u32 f, sm_u32 g, sm_u32 h) {
  sm_k1_num r;
  r.v[0] = a, r.v[1] = b, r.v[2] = c, r.v[3] = d, r.v[4] = e, r.v[5] = f, r.v[6] = g, r.v[7] = h;
  return r;
}
SM_FN sm_k1_num sm_k1_order(void) {
  return sm_k1_words(0xd0364141u, 0xbfd25e8cu, 0xaf48a03bu, 0xbaaedce6u, 0xfffffffeu, 0xffffffffu, 0xffffffffu,
                     0xffffffffu);
}
SM_FN sm_u32 sm_k1_is_null(sm_k1_num a) {
  sm_u32 any = 0;
  for (int k = 0; k < 8; ++k) any |= a.v[k];
  return any == 0u;
}
SM_FN sm_u32 sm_k1_words_same(sm_k1_num a, sm_k1_num b) {
  sm_u32 any = 0;
  for (int k = 0; k < 8; ++k) any |= a.v[k] ^ b.v[k];
  return any == 0u;
}
/// a + b; the answer is the carry.
SM_FN sm_u32 sm_k1_plus(sm_k1_num* a, sm_k1_num b) {
#if defined(__CUDA_ARCH__)
  sm_u32 carry;
  asm("add.cc.u32 %0, %0, %9; addc.cc.u32 %1, %1, %10; addc.cc.u32 %2, %2, %11; addc.cc.u32 %3, %3, %12;"
      "addc.cc.u32 %4, %4, %13; addc.cc.u32 %5, %5, %14; addc.cc.u32 %6, %6, %15; addc.cc.u32 %7, %7, %16;"
      "addc.u32 %8, 0, 0;"
      : "+r"(a->v[0]), "+r"(a->v[1]), "+r"(a->v[2]), "+r"(a->v[3]), "+r"(a->v[4]), "+r"(a->v[5]), "+r"(a->v[6]),
        "+r"(a->v[7]), "=r"(carry)
      : "r"(b.v[0]), "r"(b.v[1]), "r"(b.v[2]), "r"(b.v[3]), "r"(b.v[4]), "r"(b.v[5]), "r"(b.v[6]), "r"(b.v[7]));
  return carry;
#else
  sm_u64 t = 0;
  for (int k = 0; k < 8; ++k) {
    t += (sm_u64)a->v[k] + b.v[k];
    a->v[k] = (sm_u32)t;
    t >>= 32;
  }
  return (sm_u32)t;
#endif
}
/// a + b + carry, carry 0 or 1; the answer is the carry.
SM_FN sm_u32 sm_k1_plus_more(sm_k1_num* a, sm_k1_num b, sm_u32 carry) {
#if defined(__CUDA_ARCH__)
  asm("{.reg .u32 unused; add.cc.u32 unused, %8, 0xffffffff;"
      "addc.cc.u32 %0, %0, %9; addc.cc.u32 %1, %1, %10; addc.cc.u32 %2, %2, %11; addc.cc.u32 %3, %3, %12;"
      "addc.cc.u32 %4, %4, %13; addc.cc.u32 %5, %5, %14; addc.cc.u32 %6, %6, %15; addc.cc.u32 %7, %7, %16;"
      "addc.u32 %8, 0, 0;}"
      : "+r"(a->v[0]), "+r"(a->v[1]), "+r"(a->v[2]), "+r"(a->v[3]), "+r"(a->v[4]), "+r"(a->v[5]), "+r"(a->v[6]),
        "+r"(a->v[7]), "+r"(carry)
      : "r"(b.v[0]), "r"(b.v[1]), "r"(b.v[2]), "r"(b.v[3]), "r"(b.v[4]), "r"(b.v[5]), "r"(b.v[6]), "r"(b.v[7]));
  return carry;
#else
  sm_u64 t = carry;
  for (int k = 0; k < 8; ++k) {
    t += (sm_u64)a->v[k] + b.v[k];
    a->v[k] = (sm_u32)t;
    t >>= 32;
  }
  return (sm_u32)t;
#endif
}
/// a - b; the answer is the borrow.
SM_FN sm_u32 sm_k1_minus(sm_k1_num* a, sm_k1_num b) {
#if defined(__CUDA_ARCH__)
  sm_u32 all;
  asm("sub.cc.u32 %0, %0, %9; subc.cc.u32 %1, %1, %10; subc.cc.u32 %2, %2, %11; subc.cc.u32 %3, %3, %12;"
      "subc.cc.u32 %4, %4, %13; subc.cc.u32 %5, %5, %14; subc.cc.u32 %6, %6, %15; subc.cc.u32 %7, %7, %16;"
      "subc.u32 %8, 0, 0;"
      : "+r"(a->v[0]), "+r"(a->v[1]), "+r"(a->v[2]), "+r"(a->v[3]), "+r"(a->v[4]), "+r"(a->v[5]), "+r"(a->v[6]),
        "+r"(a->v[7]), "=r"(all)
      : "r"(b.v[0]), "r"(b.v[1]), "r"(b.v[2]), "r"(b.v[3]), "r"(b.v[4]), "r"(b.v[5]), "r"(b.v[6]), "r"(b.v[7]));
  return all & 1u;
#else
  sm_u32 borrow = 0;
  for (int k = 0; k < 8; ++k) {
    const sm_u64 t = (sm_u64)a->v[k] - b.v[k] - borrow;
    a->v[k] = (sm_u32)t;
    borrow = (sm_u32)(t >> 32) & 1u;
  }
  return borrow;
#endif
}

// Products by rows: what NVIDIA's chips do in one instruction is a 64-bit sum w + a b with a carry from and to its
// neighbours, so a row of products every second word is one chain, and words of odd places are summed apart.

/// w[0 .. 2 n] + (a[0] + a[2] 2^64 + .. + a[2 n - 2] 2^(64 n - 64)) b: the carry is added to the last word.
SM_FN void sm_k1_row(sm_u32* w, const sm_u32* a, sm_u32 b, int n) {
#if defined(__CUDA_ARCH__)
  if (n == 4) {
    asm("mad.lo.cc.u32 %0, %9, %13, %0; madc.hi.cc.u32 %1, %9, %13, %1;"
        "madc.lo.cc.u32 %2, %10, %13, %2; madc.hi.cc.u32 %3, %10, %13, %3;"
        "madc.lo.cc.u32 %4, %11, %13, %4; madc.hi.cc.u32 %5, %11, %13, %5;"
        "madc.lo.cc.u32 %6, %12, %13, %6; madc.hi.cc.u32 %7, %12, %13, %7; addc.u32 %8, %8, 0;"
        : "+r"(w[0]), "+r"(w[1]), "+r"(w[2]), "+r"(w[3]), "+r"(w[4]), "+r"(w[5]), "+r"(w[6]), "+r"(w[7]), "+r"(w[8])
        : "r"(a[0]), "r"(a[2]), "r"(a[4]), "r"(a[6]), "r"(b));
  } else if (n == 3) {
    asm("mad.lo.cc.u32 %0, %7, %10, %0; madc.hi.cc.u32 %1, %7, %10, %1;"
        "madc.lo.cc.u32 %2, %8, %10, %2; madc.hi.cc.u32 %3, %8, %10, %3;"
        "madc.lo.cc.u32 %4, %9, %10, %4; madc.hi.cc.u32 %5, %9, %10, %5; addc.u32 %6, %6, 0;"
        : "+r"(w[0]), "+r"(w[1]), "+r"(w[2]), "+r"(w[3]), "+r"(w[4]), "+r"(w[5]), "+r"(w[6])
        : "r"(a[0]), "r"(a[2]), "r"(a[4]), "r"(b));
  } else if (n == 2) {
    asm("mad.lo.cc.u32 %0, %5, %7, %0; madc.hi.cc.u32 %1, %5, %7, %1;"
        "madc.lo.cc.u32 %2, %6, %7, %2; madc.hi.cc.u32 %3, %6, %7, %3; addc.u32 %4, %4, 0;"
        : "+r"(w[0]), "+r"(w[1]), "+r"(w[2]), "+r"(w[3]), "+r"(w[4])
        : "r"(a[0]), "r"(a[2]), "r"(b));
  } else {
    asm("mad.lo.cc.u32 %0, %3, %4, %0; madc.hi.cc.u32 %1, %3, %4, %1; addc.u32 %2, %2, 0;"
        : "+r"(w[0]), "+r"(w[1]), "+r"(w[2])
        : "r"(a[0]), "r"(b));
  }
#else
  sm_u64 t = 0;
  for (int k = 0; k < n; ++k) {
    const sm_u64 p = (sm_u64)a[2 * k] * b;
    t += (sm_u64)w[2 * k] + (sm_u32)p;
    w[2 * k] = (sm_u32)t;
    t = (t >> 32) + w[2 * k + 1] + (p >> 32);
    w[2 * k + 1] = (sm_u32)t;
    t >>= 32;
  }
  w[2 * n] += (sm_u32)t;
#endif
}
/// w[0 .. 7] + carry + a[0]^2 + a[1]^2 2^64 + a[2]^2 2^128 + a[3]^2 2^192; the answer is the carry.
SM_FN sm_u32 sm_k1_diagonal(sm_u32* w, const sm_u32* a, sm_u32 carry) {
#if defined(__CUDA_ARCH__)
  asm("{.reg .u32 unused; add.cc.u32 unused, %8, 0xffffffff;"
      "madc.lo.cc.u32 %0, %9, %9, %0; madc.hi.cc.u32 %1, %9, %9, %1;"
      "madc.lo.cc.u32 %2, %10, %10, %2; madc.hi.cc.u32 %3, %10, %10, %3;"
      "madc.lo.cc.u32 %4, %11, %11, %4; madc.hi.cc.u32 %5, %11, %11, %5;"
      "madc.lo.cc.u32 %6, %12, %12, %6; madc.hi.cc.u32 %7, %12, %12, %7; addc.u32 %8, 0, 0;}"
      : "+r"(w[0]), "+r"(w[1]), "+r"(w[2]), "+r"(w[3]), "+r"(w[4]), "+r"(w[5]), "+r"(w[6]), "+r"(w[7]), "+r"(carry)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]));
  return carry;
#else
  sm_u64 t = carry;
  for (int k = 0; k < 4; ++k) {
    const sm_u64 square = (sm_u64)a[k] * a[k];
    t += (sm_u64)w[2 * k] + (sm_u32)square;
    w[2 * k] = (sm_u32)t;
    t = (t >> 32) + w[2 * k + 1] + (square >> 32);
    w[2 * k + 1] = (sm_u32)t;
    t >>= 32;
  }
  return (sm_u32)t;
#endif
}
/// w[0 .. 15] + (odd[0 .. 14] 2^32).
SM_FN void sm_k1_interleave(sm_u32* w, const sm_u32* odd) {
  sm_k1_num low, high, of_low, of_high;
  for (int k = 0; k < 8; ++k) {
    low.v[k] = w[k], high.v[k] = w[8 + k];
    of_low.v[k] = k == 0 ? 0u : odd[k - 1];
    of_high.v[k] = odd[k + 7];
  }
  sm_k1_plus_more(&high, of_high, sm_k1_plus(&low, of_low));
  for (int k = 0; k < 8; ++k) w[k] = low.v[k], w[8 + k] = high.v[k];
}
SM_FN void sm_k1_product_rows(sm_k1_num a, sm_k1_num b, sm_u32* w) {
  sm_u32 odd[16];
  for (int k = 0; k < 16; ++k) w[k] = odd[k] = 0;
  for (int i = 0; i < 8; i += 2) {
    // The last rows end at the top word: what they carry is nothing.
    sm_k1_row(w + i, a.v, b.v[i], 4);
    sm_k1_row(odd + i, a.v + 1, b.v[i], 4);
    sm_k1_row(odd + i, a.v, b.v[i + 1], 4);
    if (i < 6) sm_k1_row(w + i + 2, a.v + 1, b.v[i + 1], 4);
  }
  sm_u32 last[9];
  for (int k = 0; k < 8; ++k) last[k] = w[8 + k];
  last[8] = 0;
  sm_k1_row(last, a.v + 1, b.v[7], 4);
  for (int k = 0; k < 8; ++k) w[8 + k] = last[k];
  sm_k1_interleave(w, odd);
}
/// The 28 products of unlike words once, doubled, and the eight squares.
SM_FN void sm_k1_square_rows(sm_k1_num a, sm_u32* w) {
  sm_u32 odd[16];
  for (int k = 0; k < 16; ++k) w[k] = odd[k] = 0;
  for (int i = 0; i < 7; ++i) {
    sm_k1_row(odd + 2 * i, a.v + i + 1, a.v[i], (8 - i) / 2);
    if (i < 6) sm_k1_row(w + 2 * i + 2, a.v + i + 2, a.v[i], (7 - i) / 2);
  }
  sm_k1_interleave(w, odd);
  for (int k = 15; k > 0; --k) w[k] = w[k] << 1 | w[k - 1] >> 31;
  w[0] <<= 1;
  sm_k1_diagonal(w + 8, a.v + 4, sm_k1_diagonal(w, a.v, 0u));
}

// The same in plain C, for OpenCL and the host.

SM_FN void sm_k1_product(sm_k1_num a, sm_k1_num b, sm_u32* w) {
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
}
SM_FN void sm_k1_square(sm_k1_num a, sm_u32* w) {
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
}
#endif
