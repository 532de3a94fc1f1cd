// SPDX-License-Identifier: Apache-2.0
// Arithmetic of `tensority` around and inside the chains, in the dialect of backend/dialect.h: the same text runs in
// OpenCL C, CUDA C++ and, under the sanitizers, on the host. SHA3-256 for the fixed message sizes, the fold of sums to
// bytes, the FNV step, comparison of results. Words are little-endian, as all our targets are.
#ifndef SPARKMILL_TENSORITY_DEVICE_H
#define SPARKMILL_TENSORITY_DEVICE_H
#ifndef __OPENCL_VERSION__
#include "kernels/backend/dialect.h"
#endif

#define SM_DIM 256             // rows and columns of a matrix
#define SM_STATE_WORDS 16384   // 32-bit words of a matrix
#define SM_CHAINS 4            // chains of a hash
#define SM_STEPS 64            // matrices of a chain; the first costs no multiplication
#define SM_SEQUENCE_BYTES 128  // index sequences of a hash: SM_CHAINS of 32 bytes
#define SM_FNV_PRIME 0x01000193u

// ---- SHA3-256 ------------------------------------------------------------------------------------------------------

SM_FN sm_u64 sm_rotl64(sm_u64 x, int n) { return (x << n) | (x >> (64 - n)); }

/// The round constant of round `r`, from its seven bits (FIPS 202, 3.2.5: bits 0, 1, 3, 7, 15, 31, 63). A table would
/// live in memory that OpenCL and CUDA name differently.
SM_FN sm_u64 sm_iota(sm_u32 bits) {
  return (sm_u64)(bits & 1u) | (sm_u64)(bits >> 1 & 1u) << 1 | (sm_u64)(bits >> 2 & 1u) << 3 |
         (sm_u64)(bits >> 3 & 1u) << 7 | (sm_u64)(bits >> 4 & 1u) << 15 | (sm_u64)(bits >> 5 & 1u) << 31 |
         (sm_u64)(bits >> 6 & 1u) << 63;
}

/// One step of the shift register that makes those bits: x^8 + x^6 + x^5 + x^4 + 1.
SM_FN sm_u32 sm_lfsr(sm_u32 r) {
  r <<= 1;
  return (r & 0x100u) != 0u ? r ^ 0x171u : r;
}

/// Keccak-f[1600]: a[x + 5 y].
SM_FN void sm_keccak(sm_u64* a) {
  sm_u32 lfsr = 1;
  for (int round = 0; round < 24; ++round) {
    const sm_u64 c0 = a[0] ^ a[5] ^ a[10] ^ a[15] ^ a[20], c1 = a[1] ^ a[6] ^ a[11] ^ a[16] ^ a[21];
    const sm_u64 c2 = a[2] ^ a[7] ^ a[12] ^ a[17] ^ a[22], c3 = a[3] ^ a[8] ^ a[13] ^ a[18] ^ a[23];
    const sm_u64 c4 = a[4] ^ a[9] ^ a[14] ^ a[19] ^ a[24];
    const sm_u64 d0 = c4 ^ sm_rotl64(c1, 1), d1 = c0 ^ sm_rotl64(c2, 1), d2 = c1 ^ sm_rotl64(c3, 1);
    const sm_u64 d3 = c2 ^ sm_rotl64(c4, 1), d4 = c3 ^ sm_rotl64(c0, 1);
    // rho and pi: lane (x, y) turned by its offset goes to (y, 2x + 3y).
    const sm_u64 b0 = a[0] ^ d0, b10 = sm_rotl64(a[1] ^ d1, 1), b20 = sm_rotl64(a[2] ^ d2, 62);
    const sm_u64 b5 = sm_rotl64(a[3] ^ d3, 28), b15 = sm_rotl64(a[4] ^ d4, 27);
    const sm_u64 b16 = sm_rotl64(a[5] ^ d0, 36), b1 = sm_rotl64(a[6] ^ d1, 44), b11 = sm_rotl64(a[7] ^ d2, 6);
    const sm_u64 b21 = sm_rotl64(a[8] ^ d3, 55), b6 = sm_rotl64(a[9] ^ d4, 20);
    const sm_u64 b7 = sm_rotl64(a[10] ^ d0, 3), b17 = sm_rotl64(a[11] ^ d1, 10), b2 = sm_rotl64(a[12] ^ d2, 43);
    const sm_u64 b12 = sm_rotl64(a[13] ^ d3, 25), b22 = sm_rotl64(a[14] ^ d4, 39);
    const sm_u64 b23 = sm_rotl64(a[15] ^ d0, 41), b8 = sm_rotl64(a[16] ^ d1, 45), b18 = sm_rotl64(a[17] ^ d2, 15);
    const sm_u64 b3 = sm_rotl64(a[18] ^ d3, 21), b13 = sm_rotl64(a[19] ^ d4, 8);
    const sm_u64 b14 = sm_rotl64(a[20] ^ d0, 18), b24 = sm_rotl64(a[21] ^ d1, 2), b9 = sm_rotl64(a[22] ^ d2, 61);
    const sm_u64 b19 = sm_rotl64(a[23] ^ d3, 56), b4 = sm_rotl64(a[24] ^ d4, 14);
    // chi, and iota on lane 0.
    sm_u32 bits = 0;
    for (int j = 0; j < 7; ++j) {
      bits |= (lfsr & 1u) << j;
      lfsr = sm_lfsr(lfsr);
    }
    a[0] = b0 ^ (~b1 & b2) ^ sm_iota(bits);
    a[1] = b1 ^ (~b2 & b3), a[2] = b2 ^ (~b3 & b4), a[3] = b3 ^ (~b4 & b0), a[4] = b4 ^ (~b0 & b1);
    a[5] = b5 ^ (~b6 & b7), a[6] = b6 ^ (~b7 & b8), a[7] = b7 ^ (~b8 & b9), a[8] = b8 ^ (~b9 & b5);
    a[9] = b9 ^ (~b5 & b6), a[10] = b10 ^ (~b11 & b12), a[11] = b11 ^ (~b12 & b13), a[12] = b12 ^ (~b13 & b14);
    a[13] = b13 ^ (~b14 & b10), a[14] = b14 ^ (~b10 & b11), a[15] = b15 ^ (~b16 & b17), a[16] = b16 ^ (~b17 & b18);
    a[17] = b17 ^ (~b18 & b19), a[18] = b18 ^ (~b19 & b15), a[19] = b19 ^ (~b15 & b16), a[20] = b20 ^ (~b21 & b22);
    a[21] = b21 ^ (~b22 & b23), a[22] = b22 ^ (~b23 & b24), a[23] = b23 ^ (~b24 & b20), a[24] = b24 ^ (~b20 & b21);
  }
}

SM_FN void sm_zero_state(sm_u64* s) {
  for (int k = 0; k < 25; ++k) s[k] = 0;
}

/// d[4] = SHA3-256 of the 8 bytes of `message`: the index sequence of a quarter of the header hash.
SM_FN void sm_sha3_8(sm_u64 message, sm_u64* d) {
  sm_u64 s[25];
  sm_zero_state(s);
  s[0] = message;
  s[1] = 0x06;
  s[16] = (sm_u64)1 << 63;
  sm_keccak(s);
  for (int k = 0; k < 4; ++k) d[k] = s[k];
}

/// s = what 136 bytes, one full block, leave in the sponge; then the padding that ends a message of just that size.
SM_FN void sm_sha3_136(const sm_u64* message, sm_u64* d) {
  sm_u64 s[25];
  for (int k = 0; k < 25; ++k) s[k] = k < 17 ? message[k] : 0;
  sm_keccak(s);
  s[0] ^= 0x06;
  s[16] ^= (sm_u64)1 << 63;
  sm_keccak(s);
  for (int k = 0; k < 4; ++k) d[k] = s[k];
}

/// The header hash of a 136-byte preimage (17 words, the nonce in the last): SHA3("entryid:blockheader:" | SHA3(it)).
SM_FN void sm_header_hash(const sm_u64* preimage, sm_u64* d) {
  sm_u64 s[25], inner[4];
  sm_sha3_136(preimage, inner);
  sm_zero_state(s);
  s[0] = 0x3a64697972746e65ul;           // "entryid:"
  s[1] = 0x6165686b636f6c62ul;           // "blockhea"
  s[2] = 0x3a726564ul | inner[0] << 32;  // "der:" and the inner digest from here on
  s[3] = inner[0] >> 32 | inner[1] << 32;
  s[4] = inner[1] >> 32 | inner[2] << 32;
  s[5] = inner[2] >> 32 | inner[3] << 32;
  s[6] = inner[3] >> 32 | (sm_u64)0x06 << 32;
  s[16] = (sm_u64)1 << 63;
  sm_keccak(s);
  for (int k = 0; k < 4; ++k) d[k] = s[k];
}

/// d[4] = SHA3-256 of 256 bytes (32 words): the last step of a hash.
SM_FN void sm_sha3_256(const sm_u64* message, sm_u64* d) {
  sm_u64 s[25];
  for (int k = 0; k < 25; ++k) s[k] = k < 17 ? message[k] : 0;
  sm_keccak(s);
  for (int k = 0; k < 15; ++k) s[k] ^= message[17 + k];
  s[15] ^= 0x06;
  s[16] ^= (sm_u64)1 << 63;
  sm_keccak(s);
  for (int k = 0; k < 4; ++k) d[k] = s[k];
}

// ---- chains --------------------------------------------------------------------------------------------------------

/// The byte that becomes of a sum: low byte plus next byte, modulo 256.
SM_FN sm_u32 sm_fold(sm_i32 v) {
  const sm_u32 u = (sm_u32)v;
  return (u + (u >> 8)) & 0xffu;
}

/// The first step on four bytes at once: identity times B^T, folded, is x for x >= 0 and x - 1 for x < 0. A byte with
/// its sign set is at least 0x80: no borrow leaves it.
SM_FN sm_u32 sm_first4(sm_u32 bytes) { return bytes - (bytes >> 7 & 0x01010101u); }

/// acc + the dot product of four signed bytes.
SM_FN sm_i32 sm_dot4_plain(sm_u32 a, sm_u32 b, sm_i32 acc) {
  acc += ((sm_i32)(a << 24) >> 24) * ((sm_i32)(b << 24) >> 24);
  acc += ((sm_i32)(a << 16) >> 24) * ((sm_i32)(b << 16) >> 24);
  acc += ((sm_i32)(a << 8) >> 24) * ((sm_i32)(b << 8) >> 24);
  return acc + ((sm_i32)a >> 24) * ((sm_i32)b >> 24);
}
#if defined(__OPENCL_VERSION__) && defined(SM_KHR_DOT)
#pragma OPENCL EXTENSION cl_khr_integer_dot_product : enable
#define sm_dot4(a, b, acc) ((acc) + dot_4x8packed_ss_int((a), (b)))
#elif defined(__CUDA_ARCH__)
#define sm_dot4(a, b, acc) __dp4a((int)(a), (int)(b), (acc))
#else
#define sm_dot4(a, b, acc) sm_dot4_plain((a), (b), (acc))
#endif

/// Sums modulo 256 of four bytes each: carries stop at bit 7 of each byte.
SM_FN sm_u32 sm_add4(sm_u32 a, sm_u32 b) { return ((a & 0x7f7f7f7fu) + (b & 0x7f7f7f7fu)) ^ ((a ^ b) & 0x80808080u); }

/// One step of the row fold: the upper row's word, then the lower one.
SM_FN sm_u32 sm_fnv(sm_u32 upper, sm_u32 lower) { return (upper * SM_FNV_PRIME) ^ lower; }

/// Byte e (0..3) of four words, in order: the word of column e that the FNV fold takes from columns 64 apart.
SM_FN sm_u32 sm_gather4(sm_u32 w0, sm_u32 w1, sm_u32 w2, sm_u32 w3, sm_u32 e) {
  const sm_u32 by = 8 * e;
  return (w0 >> by & 0xffu) | (w1 >> by & 0xffu) << 8 | (w2 >> by & 0xffu) << 16 | (w3 >> by & 0xffu) << 24;
}

/// Four rows 64 apart folded into one, for the four columns of a word: two levels of the row fold.
/// w[4 r + g] is row r's word of the column group g: columns 64 g and on.
SM_FN void sm_fold_words(const sm_u32* w, sm_u32* out) {
  for (sm_u32 e = 0; e < 4; ++e) {
    const sm_u32 r0 = sm_gather4(w[0], w[1], w[2], w[3], e), r1 = sm_gather4(w[4], w[5], w[6], w[7], e);
    const sm_u32 r2 = sm_gather4(w[8], w[9], w[10], w[11], e), r3 = sm_gather4(w[12], w[13], w[14], w[15], e);
    out[e] = sm_fnv(sm_fnv(r0, r2), sm_fnv(r1, r3));
  }
}

// ---- results -------------------------------------------------------------------------------------------------------

/// Results are 256-bit little-endian numbers in four words: below zero, zero, above zero as a is to b.
SM_FN int sm_compare(const sm_u64* a, const sm_u64* b) {
  for (int k = 3; k >= 0; --k) {
    if (a[k] != b[k]) return a[k] < b[k] ? -1 : 1;
  }
  return 0;
}

/// First and end of the part of `count` results that item `id` of `items` looks through: parts follow each other, so
/// hits stay in order.
SM_FN sm_u32 sm_part(sm_u32 id, sm_u32 items, sm_u32 count) { return (sm_u32)((sm_u64)count * id / items); }

#endif
