// SPDX-License-Identifier: Apache-2.0
// ECDSA and BIP-340 over secp256k1 in the dialect of backend/dialect.h: the same text runs in OpenCL C, CUDA C++ and,
// under the sanitizers, on the host. Numbers are eight 32-bit words, little end first.
//
// Field elements: any value below 2^256 stands for its residue mod p = 2^256 - 2^32 - 977; there are no bounds to
// watch. Scalars: in [0, N). Points: Jacobian, Z = 0 is infinity.
//
// A batch runs in three launches, an item's numbers waiting in `scratch` between them:
//   scalars or challenges   u1, u2 of every item; a thread inverts for many items at once
//   points                  key decoded, u1 G + u2 Q by one ladder of 130 bits; ECDSA is decided here
//   finish                  affine coordinates, again one inversion for many items, for what needs them
#ifndef SPARKMILL_SECP256K1_DEVICE_H
#define SPARKMILL_SECP256K1_DEVICE_H
#ifndef __OPENCL_VERSION__
#include "kernels/backend/dialect.h"
#include "kernels/hash/device.h"
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

#define SM_K1_BYTES const SM_GLOBAL unsigned char*
#define SM_K1_OUT SM_GLOBAL unsigned char*
#define SM_K1_BASE const SM_GLOBAL sm_u32*
#define SM_K1_SCRATCH SM_GLOBAL sm_u32*

// The mode of a launch and its options.
#define SM_K1_ECDSA 0u
#define SM_K1_ECDSA_COMPRESSED 1u
#define SM_K1_BIP340 2u
#define SM_K1_RECOVER 3u
#define SM_K1_MODE 3u
#define SM_K1_UNRANGED 4u  // recovery takes r and s as java-tron's transactions do
#define SM_K1_EVIDENCE 8u

#define SM_K1_CHUNK 16u  // items that share an inversion

// Windows: 5 bits for multiples of Q, 10 bits for those of G and of 2^128 G, all signed.
#define SM_K1_TABLE 16
#define SM_K1_BASE_ENTRIES 512
#define SM_K1_BASE_WORDS (2 * SM_K1_BASE_ENTRIES * 16)  // 1 .. 512 times G, then 2^128 G: X, Y

// Slots of eight words that an item has in scratch, word by word beside those of its neighbours.
#define SM_K1_U1 0u
#define SM_K1_U2 1u
#define SM_K1_RESULT 0u       // X, Y, Z: takes the place of u1 and u2
#define SM_K1_EVIDENCE_AT 3u  // X, Y, Z
#define SM_K1_PREFIX 6u       // products before the item's own
#define SM_K1_SLOTS 7u
#define SM_K1_SCRATCH_WORDS (8u * SM_K1_SLOTS)

// So that CUDA loads four words at once.
#if defined(__CUDACC__)
#define SM_K1_ALIGNED __align__(16)
#else
#define SM_K1_ALIGNED
#endif

typedef struct SM_K1_ALIGNED {
  sm_u32 v[8];
} sm_k1_num;
typedef struct {
  sm_k1_num x, y;
} sm_k1_affine;
typedef struct {
  sm_k1_num x, y, z;
} sm_k1_point;

// ---- numbers ----

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

// ---- field ----

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

// ---- scalars ----

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

// ---- points ----

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

// ---- bytes and scratch ----

SM_FN sm_k1_num sm_k1_load(SM_K1_BYTES bytes) {
  sm_k1_num r;
  for (int k = 0; k < 8; ++k)
    r.v[7 - k] = (sm_u32)bytes[4 * k] << 24 | (sm_u32)bytes[4 * k + 1] << 16 | (sm_u32)bytes[4 * k + 2] << 8 |
                 (sm_u32)bytes[4 * k + 3];
  return r;
}
SM_FN void sm_k1_store(SM_K1_OUT bytes, sm_k1_num a) {
  for (int k = 0; k < 32; ++k) bytes[k] = (unsigned char)(a.v[7 - k / 4] >> (24 - 8 * (k % 4)));
}
SM_FN sm_k1_num sm_k1_get(SM_K1_SCRATCH scratch, sm_u32 count, sm_u32 i, sm_u32 slot) {
  sm_k1_num r;
  for (int k = 0; k < 8; ++k) r.v[k] = scratch[(sm_u64)(8u * slot + (sm_u32)k) * count + i];
  return r;
}
SM_FN void sm_k1_put(SM_K1_SCRATCH scratch, sm_u32 count, sm_u32 i, sm_u32 slot, sm_k1_num a) {
  for (int k = 0; k < 8; ++k) scratch[(sm_u64)(8u * slot + (sm_u32)k) * count + i] = a.v[k];
}
SM_FN void sm_k1_put_point(SM_K1_SCRATCH scratch, sm_u32 count, sm_u32 i, sm_u32 slot, sm_k1_point p) {
  sm_k1_put(scratch, count, i, slot, p.x);
  sm_k1_put(scratch, count, i, slot + 1u, p.y);
  sm_k1_put(scratch, count, i, slot + 2u, p.z);
}
SM_FN sm_u32 sm_k1_signature_bytes(sm_u32 flags) { return (flags & SM_K1_MODE) == SM_K1_RECOVER ? 65u : 64u; }
SM_FN sm_u32 sm_k1_key_bytes(sm_u32 flags) {
  const sm_u32 mode = flags & SM_K1_MODE;
  return mode == SM_K1_ECDSA ? 64u : mode == SM_K1_ECDSA_COMPRESSED ? 33u : mode == SM_K1_BIP340 ? 32u : 0u;
}

// ---- launch 1 ----

/// What the item's scalars are divided by: s, or r when the key is recovered; 1 where r, s or the recovery byte is
/// refused, so that neighbours never notice.
SM_FN sm_k1_num sm_k1_divisor(SM_K1_BYTES signature, sm_u32 flags, sm_u32* good) {
  sm_k1_num r = sm_k1_load(signature), s = sm_k1_load(signature + 32);
  const sm_u32 recover = (flags & SM_K1_MODE) == SM_K1_RECOVER;
  if (recover && (flags & SM_K1_UNRANGED)) {
    r = sm_k1_mod_order(r);
    *good = !sm_k1_is_null(r);
  } else {
    *good = sm_k1_below_order(r) && sm_k1_below_order(s) && !sm_k1_is_null(r) && !sm_k1_is_null(s);
  }
  if (recover) *good = *good && signature[64] <= 3;
  if (!*good) return sm_k1_small(1);
  return recover ? r : s;
}
/// u1 and u2 of the items `from`, from + step, .. below count; valid[i] = 1 where they exist.
/// ECDSA: z / s and r / s; recovery: -z / r and s / r.
SM_FN void sm_k1_scalars(SM_K1_BYTES signatures, SM_K1_BYTES digests, sm_u32 count, sm_u32 flags, sm_u32 from,
                         sm_u32 step, SM_K1_SCRATCH scratch, SM_K1_OUT valid) {
  const sm_u32 bytes = sm_k1_signature_bytes(flags), recover = bytes == 65u;
  sm_k1_num product = sm_k1_small(1);
  sm_u32 good, items = 0;
  SM_UNROLL_NOT
  for (sm_u32 i = from; i < count; i += step, ++items) {
    sm_k1_put(scratch, count, i, SM_K1_PREFIX, product);
    product = sm_k1_mul_order(product, sm_k1_divisor(signatures + (sm_u64)i * bytes, flags, &good));
  }
  product = sm_k1_inverse_order(product);
  SM_UNROLL_NOT
  while (items-- != 0u) {
    const sm_u32 i = from + items * step;
    SM_K1_BYTES signature = signatures + (sm_u64)i * bytes;
    const sm_k1_num divisor = sm_k1_divisor(signature, flags, &good);
    const sm_k1_num w = sm_k1_mul_order(product, sm_k1_get(scratch, count, i, SM_K1_PREFIX));
    product = sm_k1_mul_order(product, divisor);
    sm_k1_num u1 = sm_k1_mul_order(sm_k1_mod_order(sm_k1_load(digests + 32 * (sm_u64)i)), w);
    if (recover && !sm_k1_is_null(u1)) {
      sm_k1_num negated = sm_k1_order();
      sm_k1_minus(&negated, u1);
      u1 = negated;
    }
    const sm_k1_num other = sm_k1_mod_order(sm_k1_load(signature + (recover ? 32 : 0)));
    sm_k1_put(scratch, count, i, SM_K1_U1, u1);
    sm_k1_put(scratch, count, i, SM_K1_U2, sm_k1_mul_order(other, w));
    valid[i] = (unsigned char)good;
  }
}

SM_FN sm_u32 sm_k1_hashed_byte(SM_K1_BYTES r, SM_K1_BYTES key, SM_K1_BYTES message, sm_u64 length, sm_u64 at) {
  if (at < 32) return r[at];
  if (at < 64) return key[at - 32];
  if (at - 64 < length) return message[at - 64];
  return at - 64 == length ? 0x80u : 0u;
}
/// BIP-340: u1 = s, u2 = e = SHA-256(tag || tag || r || P || m) mod N, begun after the block of the two tags.
SM_FN void sm_k1_challenge(SM_K1_BYTES keys, SM_K1_BYTES signatures, SM_K1_BYTES messages,
                           const SM_GLOBAL sm_u64* offsets, sm_u32 count, sm_u32 i, SM_K1_SCRATCH scratch,
                           SM_K1_OUT valid) {
  SM_K1_BYTES signature = signatures + 64 * (sm_u64)i;
  const sm_k1_num s = sm_k1_load(signature + 32);
  const sm_u64 length = offsets[i + 1u] - offsets[i];
  sm_u32 state[8] = {0x9cecba11u, 0x23925381u, 0x11679112u, 0xd1627e0fu,
                     0x97c87550u, 0x003cc765u, 0x90f61164u, 0x33e9b66au};
  const sm_u64 blocks = (64 + length + 9 + 63) / 64;
  SM_UNROLL_NOT
  for (sm_u64 block = 0; block < blocks; ++block) {
    sm_u32 w[16];
    for (int t = 0; t < 16; ++t) {
      w[t] = 0;
      for (int b = 0; b < 4; ++b)
        w[t] = w[t] << 8 | sm_k1_hashed_byte(signature, keys + 32 * (sm_u64)i, messages + offsets[i], length,
                                             64 * block + 4 * (sm_u64)t + (sm_u64)b);
    }
    if (block + 1 == blocks) {
      w[14] = (sm_u32)((128 + length) >> 29);
      w[15] = (sm_u32)((128 + length) << 3);
    }
    sm_sha256_compress(state, w);
  }
  sm_k1_num e;
  for (int k = 0; k < 8; ++k) e.v[k] = state[7 - k];
  sm_k1_put(scratch, count, i, SM_K1_U1, s);
  sm_k1_put(scratch, count, i, SM_K1_U2, sm_k1_mod_order(e));
  valid[i] = (unsigned char)(sm_k1_below_order(s) && !sm_k1_is_large(sm_k1_load(signature)));
}

// ---- launch 2 ----

/// The point that u2 is multiplied with: the key; -P for BIP-340; R for recovery.
SM_FN sm_u32 sm_k1_decode(SM_K1_BYTES key, SM_K1_BYTES signature, sm_u32 flags, sm_k1_affine* q) {
  const sm_u32 mode = flags & SM_K1_MODE;
  sm_u32 parity = 1u, good = 1u;
  if (mode == SM_K1_ECDSA) {
    q->x = sm_k1_load(key);
    q->y = sm_k1_load(key + 32);
    return !sm_k1_is_large(q->x) && !sm_k1_is_large(q->y) && sm_k1_on_curve(*q);
  }
  if (mode == SM_K1_RECOVER) {
    q->x = sm_k1_load(signature);
    parity = signature[64] & 1u;
    if (signature[64] & 2u) good = !sm_k1_plus(&q->x, sm_k1_order());
  } else if (mode == SM_K1_ECDSA_COMPRESSED) {
    q->x = sm_k1_load(key + 1);
    parity = key[0] & 1u;
    good = key[0] == 2u || key[0] == 3u;
  } else {
    q->x = sm_k1_load(key);
  }
  return good && !sm_k1_is_large(q->x) && sm_k1_solve(q, parity);
}
/// x(p) mod N = r: x is r, or r + N where that is below p. No division: X = x Z^2.
SM_K1_CALL sm_u32 sm_k1_x_is(sm_k1_point p, sm_k1_num r) {
  if (sm_k1_is_null(p.z)) return 0;
  const sm_k1_num zz = sm_k1_sqr(p.z);
  SM_UNROLL_NOT
  for (int turn = 0; turn < 2; ++turn) {
    if (sm_k1_same(p.x, sm_k1_mul(r, zz))) return 1;
    if (sm_k1_plus(&r, sm_k1_order()) || sm_k1_is_large(r)) return 0;
  }
  return 0;
}
/// Reads valid[i] of launch 1; writes it for ECDSA, and what `finish` needs.
SM_FN void sm_k1_points(SM_K1_BYTES keys, SM_K1_BYTES signatures, SM_K1_BASE base, sm_u32 count, sm_u32 flags, sm_u32 i,
                        SM_K1_SCRATCH scratch, SM_K1_OUT valid) {
  const sm_u32 mode = flags & SM_K1_MODE, decided = mode <= SM_K1_ECDSA_COMPRESSED;
  SM_K1_BYTES signature = signatures + (sm_u64)i * sm_k1_signature_bytes(flags);
  sm_k1_affine q;
  sm_k1_point p;
  p.x = p.y = p.z = sm_k1_small(0);
  const sm_u32 good = valid[i] && sm_k1_decode(keys + (sm_u64)i * sm_k1_key_bytes(flags), signature, flags, &q);
  valid[i] = 0;
  if (!good) {
    if (flags & SM_K1_EVIDENCE) sm_k1_put_point(scratch, count, i, SM_K1_EVIDENCE_AT, p);
    if (!decided) sm_k1_put_point(scratch, count, i, SM_K1_RESULT, p);
    return;
  }
  const sm_k1_num u1 = sm_k1_get(scratch, count, i, SM_K1_U1), u2 = sm_k1_get(scratch, count, i, SM_K1_U2);
  sm_k1_affine table[SM_K1_TABLE];
  const sm_k1_num scale = sm_k1_multiples(q, table);
  sm_k1_point proper = p;
  // With evidence the climb pauses 16 bits before the end; the rest is too short to be split.
  const sm_u32 climbs = flags & SM_K1_EVIDENCE ? 2u : 1u;
  SM_UNROLL_NOT
  for (sm_u32 climb = 0; climb < climbs; ++climb) {
    sm_k1_digits digits;
    sm_k1_make_digits(u1, u2, climbs == 2u && climb == 0u ? 16u : 0u, climb, &digits);
    p = sm_k1_climb(p, &digits, climb == 0u ? 25 : 3, climb == 0u ? 0 : 1, table, scale, base);
    proper = p;
    proper.z = sm_k1_mul(p.z, scale);
    if (climb + 1u < climbs) sm_k1_put_point(scratch, count, i, SM_K1_EVIDENCE_AT, proper);
  }
  if (decided) {
    valid[i] = (unsigned char)sm_k1_x_is(proper, sm_k1_load(signature));
  } else {
    sm_k1_put_point(scratch, count, i, SM_K1_RESULT, proper);
  }
}

// ---- launch 3 ----

/// What an item's affine point is for: the verdict of BIP-340, the recovered key, or the evidence.
SM_FN void sm_k1_use(sm_k1_num x, sm_k1_num y, sm_u32 finite, sm_u32 is_evidence, sm_u32 flags, SM_K1_BYTES signatures,
                     sm_u32 i, SM_K1_OUT valid, SM_K1_OUT recovered, SM_K1_OUT evidence) {
  if (is_evidence) {
    SM_K1_OUT out = evidence + 33 * (sm_u64)i;
    out[0] = finite ? (unsigned char)(2u + (y.v[0] & 1u)) : 0;
    sm_k1_store(out + 1, x);
  } else if ((flags & SM_K1_MODE) == SM_K1_RECOVER) {
    sm_k1_store(recovered + 64 * (sm_u64)i, x);
    sm_k1_store(recovered + 64 * (sm_u64)i + 32, y);
    valid[i] = (unsigned char)finite;
  } else {
    valid[i] =
        (unsigned char)(finite && !(y.v[0] & 1u) && sm_k1_words_same(x, sm_k1_load(signatures + 64 * (sm_u64)i)));
  }
}
/// The items `from`, from + step, .. below count. Nothing to do for ECDSA without evidence.
SM_FN void sm_k1_finish(SM_K1_BYTES signatures, sm_u32 count, sm_u32 flags, sm_u32 from, sm_u32 step,
                        SM_K1_SCRATCH scratch, SM_K1_OUT valid, SM_K1_OUT recovered, SM_K1_OUT evidence) {
  SM_UNROLL_NOT
  for (sm_u32 is_evidence = 0; is_evidence < 2u; ++is_evidence) {
    if (is_evidence ? !(flags & SM_K1_EVIDENCE) : (flags & SM_K1_MODE) <= SM_K1_ECDSA_COMPRESSED) continue;
    const sm_u32 slot = is_evidence ? SM_K1_EVIDENCE_AT : SM_K1_RESULT;
    sm_k1_num product = sm_k1_small(1);
    sm_u32 items = 0;
    SM_UNROLL_NOT
    for (sm_u32 i = from; i < count; i += step, ++items) {
      const sm_k1_num z = sm_k1_get(scratch, count, i, slot + 2u);
      sm_k1_put(scratch, count, i, SM_K1_PREFIX, product);
      if (!sm_k1_is_zero(z)) product = sm_k1_mul(product, z);
    }
    product = sm_k1_power(product, 1u);
    SM_UNROLL_NOT
    while (items-- != 0u) {
      const sm_u32 i = from + items * step;
      const sm_k1_num z = sm_k1_get(scratch, count, i, slot + 2u);
      const sm_u32 finite = !sm_k1_is_zero(z);
      sm_k1_num x = sm_k1_small(0), y = x;
      if (finite) {
        const sm_k1_num inverse = sm_k1_mul(product, sm_k1_get(scratch, count, i, SM_K1_PREFIX));
        const sm_k1_num square = sm_k1_sqr(inverse);
        product = sm_k1_mul(product, z);
        x = sm_k1_frozen(sm_k1_mul(sm_k1_get(scratch, count, i, slot), square));
        y = sm_k1_frozen(sm_k1_mul(sm_k1_get(scratch, count, i, slot + 1u), sm_k1_mul(square, inverse)));
      }
      sm_k1_use(x, y, finite, is_evidence, flags, signatures, i, valid, recovered, evidence);
    }
  }
}

#endif
