// SPDX-License-Identifier: Apache-2.0
// SHA-2 and Keccak of one message a work-item, in the dialect of backend/dialect.h: the same text runs in OpenCL C,
// CUDA C++ and, under the sanitizers, on the host. Messages lie at any address: bytes are read one by one.
#ifndef SPARKMILL_HASH_DEVICE_H
#define SPARKMILL_HASH_DEVICE_H
#ifndef __OPENCL_VERSION__
#include "kernels/backend/dialect.h"
#include "kernels/hash/constants.h"
#endif

#define SM_HASH_SHA256 0
#define SM_HASH_SHA512 1
#define SM_HASH_SHA3 2
#define SM_HASH_KECCAK 3

typedef unsigned char sm_byte;

SM_FN sm_u32 sm_hash_ror32(sm_u32 x, int n) { return (x >> n) | (x << (32 - n)); }
SM_FN sm_u64 sm_hash_ror64(sm_u64 x, int n) { return (x >> n) | (x << (64 - n)); }
SM_FN sm_u64 sm_hash_rol64(sm_u64 x, int n) { return n == 0 ? x : (x << n) | (x >> (64 - n)); }

/// Byte `at` of a message of `bytes` with its first padding byte behind it and zeros after that.
SM_FN sm_u32 sm_padded(const SM_GLOBAL sm_byte* message, sm_u64 bytes, sm_u64 at, sm_u32 pad) {
  return at < bytes ? message[at] : at == bytes ? pad : 0u;
}

/// Big-endian word of four bytes; eight for SHA-512.
SM_FN sm_u32 sm_padded_be32(const SM_GLOBAL sm_byte* m, sm_u64 bytes, sm_u64 at) {
  sm_u32 word = 0;
  for (sm_u32 k = 0; k < 4; ++k) word = word << 8 | sm_padded(m, bytes, at + k, 0x80u);
  return word;
}
SM_FN sm_u64 sm_padded_be64(const SM_GLOBAL sm_byte* m, sm_u64 bytes, sm_u64 at) {
  return (sm_u64)sm_padded_be32(m, bytes, at) << 32 | sm_padded_be32(m, bytes, at + 4);
}
SM_FN sm_u64 sm_padded_le64(const SM_GLOBAL sm_byte* m, sm_u64 bytes, sm_u64 at, sm_u32 pad) {
  sm_u64 word = 0;
  for (sm_u32 k = 0; k < 8; ++k) word |= (sm_u64)sm_padded(m, bytes, at + k, pad) << (8 * k);
  return word;
}

// A round on the eight variables from v[(8 - t) % 8] on: they move instead of being moved; message words in place.
#define SM_SHA2_ROUND(t, k, EXTEND, UPPER0, UPPER1)                                                                    \
  {                                                                                                                    \
    if (t >= 16) EXTEND(w[(t) % 16], w[((t) + 1) % 16], w[((t) + 9) % 16], w[((t) + 14) % 16])                         \
    const int f = (128 - (t)) % 8;                                                                                     \
    v[(f + 7) % 8] += UPPER1(v[(f + 4) % 8]) +                                                                         \
                      ((v[(f + 4) % 8] & v[(f + 5) % 8]) ^ (~v[(f + 4) % 8] & v[(f + 6) % 8])) + k + w[(t) % 16];      \
    v[(f + 3) % 8] += v[(f + 7) % 8];                                                                                  \
    v[(f + 7) % 8] += UPPER0(v[f % 8]) +                                                                               \
                      ((v[f % 8] & v[(f + 1) % 8]) ^ (v[f % 8] & v[(f + 2) % 8]) ^ (v[(f + 1) % 8] & v[(f + 2) % 8])); \
  }

#define SM_256_UPPER0(x) (sm_hash_ror32(x, 2) ^ sm_hash_ror32(x, 13) ^ sm_hash_ror32(x, 22))
#define SM_256_UPPER1(x) (sm_hash_ror32(x, 6) ^ sm_hash_ror32(x, 11) ^ sm_hash_ror32(x, 25))
#define SM_256_EXTEND(w0, w1, w9, w14)                                    \
  w0 += w9 + (sm_hash_ror32(w1, 7) ^ sm_hash_ror32(w1, 18) ^ (w1 >> 3)) + \
        (sm_hash_ror32(w14, 17) ^ sm_hash_ror32(w14, 19) ^ (w14 >> 10));
#define SM_256_ROUND(t, k) SM_SHA2_ROUND(t, k, SM_256_EXTEND, SM_256_UPPER0, SM_256_UPPER1)

SM_FN void sm_sha256_compress(sm_u32* h, sm_u32* w) {
  sm_u32 v[8];
  for (int k = 0; k < 8; ++k) v[k] = h[k];
  SM_SHA256_ROUNDS(SM_256_ROUND)
  for (int k = 0; k < 8; ++k) h[k] += v[k];
}

#define SM_512_UPPER0(x) (sm_hash_ror64(x, 28) ^ sm_hash_ror64(x, 34) ^ sm_hash_ror64(x, 39))
#define SM_512_UPPER1(x) (sm_hash_ror64(x, 14) ^ sm_hash_ror64(x, 18) ^ sm_hash_ror64(x, 41))
#define SM_512_EXTEND(w0, w1, w9, w14)                                   \
  w0 += w9 + (sm_hash_ror64(w1, 1) ^ sm_hash_ror64(w1, 8) ^ (w1 >> 7)) + \
        (sm_hash_ror64(w14, 19) ^ sm_hash_ror64(w14, 61) ^ (w14 >> 6));
#define SM_512_ROUND(t, k) SM_SHA2_ROUND(t, k, SM_512_EXTEND, SM_512_UPPER0, SM_512_UPPER1)

SM_FN void sm_sha512_compress(sm_u64* h, sm_u64* w) {
  sm_u64 v[8];
  for (int k = 0; k < 8; ++k) v[k] = h[k];
  SM_SHA512_ROUNDS(SM_512_ROUND)
  for (int k = 0; k < 8; ++k) h[k] += v[k];
}

#define SM_HASH_START(index, value) h[index] = value;

/// The digest as bytes.
SM_FN void sm_sha256(const SM_GLOBAL sm_byte* message, sm_u64 bytes, SM_GLOBAL sm_byte* out) {
  sm_u32 h[8], w[16];
  const sm_u64 blocks = bytes / 64 + (bytes % 64 < 56 ? 1 : 2);
  SM_SHA256_START(SM_HASH_START)
  for (sm_u64 b = 0; b < blocks; ++b) {
    for (sm_u32 k = 0; k < 16; ++k) w[k] = sm_padded_be32(message, bytes, b * 64 + k * 4);
    if (b + 1 == blocks) {
      w[14] = (sm_u32)(bytes >> 29);
      w[15] = (sm_u32)(bytes << 3);
    }
    sm_sha256_compress(h, w);
  }
  for (sm_u32 k = 0; k < 32; ++k) out[k] = (sm_byte)(h[k / 4] >> (24 - 8 * (k % 4)));
}

SM_FN void sm_sha512(const SM_GLOBAL sm_byte* message, sm_u64 bytes, SM_GLOBAL sm_byte* out) {
  sm_u64 h[8], w[16];
  const sm_u64 blocks = bytes / 128 + (bytes % 128 < 112 ? 1 : 2);
  SM_SHA512_START(SM_HASH_START)
  for (sm_u64 b = 0; b < blocks; ++b) {
    for (sm_u32 k = 0; k < 16; ++k) w[k] = sm_padded_be64(message, bytes, b * 128 + k * 8);
    if (b + 1 == blocks) {
      w[14] = bytes >> 61;
      w[15] = bytes << 3;
    }
    sm_sha512_compress(h, w);
  }
  for (sm_u32 k = 0; k < 64; ++k) out[k] = (sm_byte)(h[k / 8] >> (56 - 8 * (k % 8)));
}

/// One round on a[x + 5 y]; the temporaries have the places after pi.
#define SM_KECCAK_ROUND(round, constant)                                                                         \
  {                                                                                                              \
    const sm_u64 c0 = a[0] ^ a[5] ^ a[10] ^ a[15] ^ a[20], c1 = a[1] ^ a[6] ^ a[11] ^ a[16] ^ a[21];             \
    const sm_u64 c2 = a[2] ^ a[7] ^ a[12] ^ a[17] ^ a[22], c3 = a[3] ^ a[8] ^ a[13] ^ a[18] ^ a[23];             \
    const sm_u64 c4 = a[4] ^ a[9] ^ a[14] ^ a[19] ^ a[24];                                                       \
    const sm_u64 d0 = c4 ^ sm_hash_rol64(c1, 1), d1 = c0 ^ sm_hash_rol64(c2, 1), d2 = c1 ^ sm_hash_rol64(c3, 1); \
    const sm_u64 d3 = c2 ^ sm_hash_rol64(c4, 1), d4 = c3 ^ sm_hash_rol64(c0, 1);                                 \
    const sm_u64 x0 = a[0] ^ d0, x1 = sm_hash_rol64(a[6] ^ d1, 44), x2 = sm_hash_rol64(a[12] ^ d2, 43);          \
    const sm_u64 x3 = sm_hash_rol64(a[18] ^ d3, 21), x4 = sm_hash_rol64(a[24] ^ d4, 14);                         \
    const sm_u64 x5 = sm_hash_rol64(a[3] ^ d3, 28), x6 = sm_hash_rol64(a[9] ^ d4, 20);                           \
    const sm_u64 x7 = sm_hash_rol64(a[10] ^ d0, 3), x8 = sm_hash_rol64(a[16] ^ d1, 45);                          \
    const sm_u64 x9 = sm_hash_rol64(a[22] ^ d2, 61), x10 = sm_hash_rol64(a[1] ^ d1, 1);                          \
    const sm_u64 x11 = sm_hash_rol64(a[7] ^ d2, 6), x12 = sm_hash_rol64(a[13] ^ d3, 25);                         \
    const sm_u64 x13 = sm_hash_rol64(a[19] ^ d4, 8), x14 = sm_hash_rol64(a[20] ^ d0, 18);                        \
    const sm_u64 x15 = sm_hash_rol64(a[4] ^ d4, 27), x16 = sm_hash_rol64(a[5] ^ d0, 36);                         \
    const sm_u64 x17 = sm_hash_rol64(a[11] ^ d1, 10), x18 = sm_hash_rol64(a[17] ^ d2, 15);                       \
    const sm_u64 x19 = sm_hash_rol64(a[23] ^ d3, 56), x20 = sm_hash_rol64(a[2] ^ d2, 62);                        \
    const sm_u64 x21 = sm_hash_rol64(a[8] ^ d3, 55), x22 = sm_hash_rol64(a[14] ^ d4, 39);                        \
    const sm_u64 x23 = sm_hash_rol64(a[15] ^ d0, 41), x24 = sm_hash_rol64(a[21] ^ d1, 2);                        \
    a[0] = x0 ^ (~x1 & x2) ^ constant;                                                                           \
    a[1] = x1 ^ (~x2 & x3), a[2] = x2 ^ (~x3 & x4), a[3] = x3 ^ (~x4 & x0), a[4] = x4 ^ (~x0 & x1);              \
    a[5] = x5 ^ (~x6 & x7), a[6] = x6 ^ (~x7 & x8), a[7] = x7 ^ (~x8 & x9), a[8] = x8 ^ (~x9 & x5);              \
    a[9] = x9 ^ (~x5 & x6), a[10] = x10 ^ (~x11 & x12), a[11] = x11 ^ (~x12 & x13);                              \
    a[12] = x12 ^ (~x13 & x14), a[13] = x13 ^ (~x14 & x10), a[14] = x14 ^ (~x10 & x11);                          \
    a[15] = x15 ^ (~x16 & x17), a[16] = x16 ^ (~x17 & x18), a[17] = x17 ^ (~x18 & x19);                          \
    a[18] = x18 ^ (~x19 & x15), a[19] = x19 ^ (~x15 & x16), a[20] = x20 ^ (~x21 & x22);                          \
    a[21] = x21 ^ (~x22 & x23), a[22] = x22 ^ (~x23 & x24), a[23] = x23 ^ (~x24 & x20);                          \
    a[24] = x24 ^ (~x20 & x21);                                                                                  \
  }

SM_FN void sm_keccak_f(sm_u64* a){SM_KECCAK_ROUNDS(SM_KECCAK_ROUND)}

/// `pad`: 06 for SHA3-256, 01 for Keccak-256.
SM_FN void sm_sponge256(const SM_GLOBAL sm_byte* message, sm_u64 bytes, sm_u32 pad, SM_GLOBAL sm_byte* out) {
  sm_u64 a[25];
  for (sm_u32 k = 0; k < 25; ++k) a[k] = 0;
  for (sm_u64 at = 0; at <= bytes; at += 136) {
    for (sm_u32 k = 0; k < 17; ++k) a[k] ^= sm_padded_le64(message, bytes, at + k * 8, pad);
    if (bytes - at < 136) a[16] ^= (sm_u64)1 << 63;
    sm_keccak_f(a);
  }
  for (sm_u32 k = 0; k < 32; ++k) out[k] = (sm_byte)(a[k / 8] >> (8 * (k % 8)));
}

SM_FN void sm_hash(sm_u32 algorithm, const SM_GLOBAL sm_byte* message, sm_u64 bytes, SM_GLOBAL sm_byte* out) {
  if (algorithm == SM_HASH_SHA256) {
    sm_sha256(message, bytes, out);
  } else if (algorithm == SM_HASH_SHA512) {
    sm_sha512(message, bytes, out);
  } else {
    sm_sponge256(message, bytes, algorithm == SM_HASH_SHA3 ? 0x06u : 0x01u, out);
  }
}

#endif
