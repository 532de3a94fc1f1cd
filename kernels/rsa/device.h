// SPDX-License-Identifier: Apache-2.0
// The RSA-2048 public operation of one item, in the dialect of backend/dialect.h: the same text runs in OpenCL C, CUDA
// C++ and, under the sanitizers, on the host. Numbers are 75 digits of 28 bits, R = 2^2100: products of digits add up
// in columns of 64 bits that are carried only at the end (150 products below 2^56 stay below 2^63.3), so a product and
// its addition are one instruction where a device has it. n leaves 52 bits free, and no product needs a subtraction.
#ifndef SPARKMILL_RSA_DEVICE_H
#define SPARKMILL_RSA_DEVICE_H
#ifndef __OPENCL_VERSION__
#include "kernels/backend/dialect.h"
#endif
#ifndef SM_BYTES
#if defined(__OPENCL_VERSION__)
#define SM_BYTES __global const uchar*
#else
#define SM_BYTES const unsigned char*
#endif
#endif
#if defined(__OPENCL_VERSION__)
#define SM_RSA_OUT __global uchar*
#else
#define SM_RSA_OUT unsigned char*
#endif
#ifndef SM_UNROLL
#define SM_UNROLL
#endif
#ifndef SM_UNROLL_NOT
#define SM_UNROLL_NOT
#endif
// Large and called from several places: a call, in CUDA.
#if defined(__CUDACC__)
#define SM_RSA_CALL static __host__ __device__ __noinline__
#else
#define SM_RSA_CALL SM_FN
#endif

// Loops over whole numbers stay loops: unrolled, they would take all registers.
#define SM_RSA_BYTES 256
#define SM_RSA_DIGITS 75
#define SM_RSA_ROWS 5  // digits of one factor that are kept in registers
#define SM_RSA_MASK 0xfffffffu

// Encodings, as in rsa.h.
#define SM_RSA_DRAW 0u
#define SM_RSA_PKCS1_SHA256 1u

/// t += rows x factor: SM_RSA_ROWS digits by `count`. A digit of the factor meets all rows at once, and the columns
/// that they reach wander through the registers.
SM_RSA_CALL void sm_rsa_add_product(sm_u64* t, const sm_u32* rows, const sm_u32* factor, sm_u32 count) {
  sm_u32 row[SM_RSA_ROWS];
  sm_u64 sum[SM_RSA_ROWS];
  SM_UNROLL
  for (sm_u32 r = 0; r < SM_RSA_ROWS; ++r) row[r] = rows[r];
  SM_UNROLL
  for (sm_u32 r = 0; r + 1 < SM_RSA_ROWS; ++r) sum[r] = t[r];
  SM_UNROLL_NOT
  for (sm_u32 j = 0; j < count; ++j) {
    const sm_u32 f = factor[j];
    sum[SM_RSA_ROWS - 1] = t[j + SM_RSA_ROWS - 1];
    SM_UNROLL
    for (sm_u32 r = 0; r < SM_RSA_ROWS; ++r) sum[r] += (sm_u64)row[r] * f;
    t[j] = sum[0];
    SM_UNROLL
    for (sm_u32 r = 0; r + 1 < SM_RSA_ROWS; ++r) sum[r] = sum[r + 1];
  }
  SM_UNROLL
  for (sm_u32 r = 0; r + 1 < SM_RSA_ROWS; ++r) t[count + r] = sum[r];
}

SM_FN void sm_rsa_clear(sm_u64* t) {
  SM_UNROLL_NOT
  for (sm_u32 k = 0; k < 2 * SM_RSA_DIGITS; ++k) t[k] = 0;
}
/// t = a b.
SM_FN void sm_rsa_multiply(sm_u64* t, const sm_u32* a, const sm_u32* b) {
  sm_rsa_clear(t);
  SM_UNROLL_NOT
  for (sm_u32 i = 0; i < SM_RSA_DIGITS; i += SM_RSA_ROWS) sm_rsa_add_product(t + i, a + i, b, SM_RSA_DIGITS);
}
/// t = a^2: the products of unlike digits once, doubled, and the squares.
SM_FN void sm_rsa_square(sm_u64* t, const sm_u32* a) {
  sm_rsa_clear(t);
  SM_UNROLL_NOT
  for (sm_u32 i = 0; i < SM_RSA_DIGITS; i += SM_RSA_ROWS) {
    for (sm_u32 r = i; r < i + SM_RSA_ROWS; ++r) {
      for (sm_u32 q = r + 1; q < i + SM_RSA_ROWS; ++q) t[r + q] += (sm_u64)a[r] * a[q];
    }
    if (i + SM_RSA_ROWS < SM_RSA_DIGITS)
      sm_rsa_add_product(t + 2 * i + SM_RSA_ROWS, a + i, a + i + SM_RSA_ROWS, SM_RSA_DIGITS - i - SM_RSA_ROWS);
  }
  SM_UNROLL_NOT
  for (sm_u32 k = 0; k < SM_RSA_DIGITS; ++k) {
    t[2 * k] = 2 * t[2 * k] + (sm_u64)a[k] * a[k];
    t[2 * k + 1] *= 2;
  }
}

/// Carried digits of columns.
SM_FN void sm_rsa_carry(sm_u32* a, const sm_u64* column, sm_u64 over) {
  SM_UNROLL_NOT
  for (sm_u32 k = 0; k < SM_RSA_DIGITS; ++k) {
    over += column[k];
    a[k] = (sm_u32)over & SM_RSA_MASK;
    over >>= 28;
  }
}
/// a = t / R mod n (Montgomery 1985); `inverse` is -1/n mod 2^28.
SM_FN void sm_rsa_reduce(sm_u32* a, sm_u64* t, const sm_u32* n, sm_u32 inverse) {
  sm_u64 over = 0;
  SM_UNROLL_NOT
  for (sm_u32 i = 0; i < SM_RSA_DIGITS; i += SM_RSA_ROWS) {
    sm_u32 q[SM_RSA_ROWS];
    for (sm_u32 r = 0; r < SM_RSA_ROWS; ++r) {
      const sm_u64 sum = t[i + r] + over;
      q[r] = ((sm_u32)sum * inverse) & SM_RSA_MASK;
      over = (sum + (sm_u64)q[r] * n[0]) >> 28;
      for (sm_u32 k = 1; k < SM_RSA_ROWS; ++k) t[i + r + k] += (sm_u64)q[r] * n[k];
    }
    sm_rsa_add_product(t + i + SM_RSA_ROWS, q, n + SM_RSA_ROWS, SM_RSA_DIGITS - SM_RSA_ROWS);
  }
  sm_rsa_carry(a, t + SM_RSA_DIGITS, over);
}

/// a = s R mod n, below 6 n, by long division from the top: x becomes 2^28 x - q n, where q is 3 less than the quotient
/// of the top digits, which is right to 2. So x stays between n and 6 n and q below 2^31; no key needs R^2 mod n. With
/// 2^2100 - n for -n nothing is ever negative: what runs over at the top counts modulo a power of 2.
SM_FN void sm_rsa_to_montgomery(sm_u32* a, const sm_u32* s, const sm_u32* n, sm_u64* x) {
  const sm_u32 n_top = n[73] << 28 | n[72];  // its top bit is set
  SM_UNROLL_NOT
  for (sm_u32 k = 0; k < SM_RSA_DIGITS; ++k) x[k] = (sm_u64)s[k] + n[k];
  SM_UNROLL_NOT
  for (sm_u32 step = 0; step < SM_RSA_DIGITS; ++step) {
    const sm_u64 top = (x[74] << 56) + (x[73] << 28) + x[72] + (x[71] >> 28);  // in units of digit 72, below 2^35
    const sm_u32 q = (sm_u32)((top << 28) / n_top) - 3;
    sm_u64 p = x[SM_RSA_DIGITS - 2] + (sm_u64)q * (n[SM_RSA_DIGITS - 1] ^ SM_RSA_MASK);
    SM_UNROLL_NOT
    for (sm_u32 k = SM_RSA_DIGITS - 1; k > 0; --k) {
      const sm_u32 minus_n = k > 1 ? n[k - 1] ^ SM_RSA_MASK : (n[0] ^ SM_RSA_MASK) + 1;  // n is odd: no carry
      const sm_u64 below = (k > 1 ? x[k - 2] : 0) + (sm_u64)q * minus_n;
      x[k] = (p & SM_RSA_MASK) + (below >> 28);
      p = below;
    }
    x[0] = p & SM_RSA_MASK;
  }
  sm_rsa_carry(a, x, 0);
}

/// Digits of a big-endian number.
SM_FN void sm_rsa_read(sm_u32* digit, SM_BYTES bytes) {
  SM_UNROLL_NOT
  for (sm_u32 k = 0; k < SM_RSA_DIGITS; ++k) {
    sm_u64 w = 0;
    const sm_u32 first = 28 * k / 8;
    for (sm_u32 b = 0; b < 4; ++b) {
      if (first + b < SM_RSA_BYTES) w |= (sm_u64)bytes[SM_RSA_BYTES - 1 - first - b] << (8 * b);
    }
    digit[k] = (sm_u32)(w >> (28 * k % 8)) & SM_RSA_MASK;
  }
}
/// Byte k from the end, of carried digits.
SM_FN sm_u32 sm_rsa_byte(const sm_u32* digit, sm_u32 k) {
  const sm_u32 at = 8 * k / 28, shift = 8 * k % 28;
  const sm_u64 two = (sm_u64)digit[at] | (sm_u64)(at + 1 < SM_RSA_DIGITS ? digit[at + 1] : 0) << 28;
  return (sm_u32)(two >> shift) & 255u;
}
/// Takes n off where a is not below it. Requires a < 2n.
SM_FN void sm_rsa_below_n(sm_u32* a, const sm_u32* n) {
  sm_u32 borrow = 0, left;
  SM_UNROLL_NOT
  for (sm_u32 k = 0; k < SM_RSA_DIGITS; ++k) borrow = (a[k] - n[k] - borrow) >> 31;
  if (borrow != 0) return;
  SM_UNROLL_NOT
  for (sm_u32 k = 0; k < SM_RSA_DIGITS; ++k) {
    left = a[k] - n[k] - borrow;
    a[k] = left & SM_RSA_MASK;
    borrow = left >> 31;
  }
}

/// Byte k from the end of EM (encoding.h).
SM_FN sm_u32 sm_rsa_em_byte(sm_u32 encoding, SM_BYTES message, sm_u32 length, sm_u32 k) {
  const unsigned char info[19] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                  0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
  if (k < length) return message[length - 1 - k];
  k -= length;
  if (encoding == SM_RSA_PKCS1_SHA256) {
    if (k < 19) return info[18 - k];
    k -= 19;
    length += 19;
  }
  if (k == 0) return 0;
  return k + length < SM_RSA_BYTES - 2 ? 255u : k + length == SM_RSA_BYTES - 2 ? 1u : 0u;
}

/// 1 when n (key) is odd and has 2048 bits and the signature is below it.
SM_FN sm_u32 sm_rsa_in_range(SM_BYTES key, SM_BYTES signature) {
  if ((key[0] & 0x80) == 0 || (key[SM_RSA_BYTES - 1] & 1) == 0) return 0;
  SM_UNROLL_NOT
  for (sm_u32 k = 0; k < SM_RSA_BYTES; ++k) {
    if (signature[k] != key[k]) return signature[k] < key[k] ? 1 : 0;
  }
  return 0;
}

/// The verdict on one item; where wanted, s^(2^15) mod n or zeros to `evidence`, 256 bytes.
SM_FN sm_u32 sm_rsa_verify(SM_BYTES key, SM_BYTES signature, SM_BYTES message, sm_u32 length, sm_u32 encoding,
                           sm_u32 wanted, SM_RSA_OUT evidence) {
  sm_u32 n[SM_RSA_DIGITS], s[SM_RSA_DIGITS], a[SM_RSA_DIGITS];
  sm_u64 t[2 * SM_RSA_DIGITS];
  if (sm_rsa_in_range(key, signature) == 0) {
    SM_UNROLL_NOT
    for (sm_u32 k = 0; wanted != 0 && k < SM_RSA_BYTES; ++k) evidence[k] = 0;
    return 0;
  }
  sm_rsa_read(n, key);
  sm_rsa_read(s, signature);
  sm_u32 inverse = n[0];  // right mod 8, each step doubles the bits
  for (sm_u32 turn = 0; turn < 4; ++turn) inverse *= 2 - inverse * n[0];
  inverse = 0u - inverse;
  sm_rsa_to_montgomery(a, s, n, t);
  SM_UNROLL_NOT
  for (sm_u32 k = 0; k < 17; ++k) {
    if (k == 15 && wanted != 0) {
      sm_rsa_clear(t);
      SM_UNROLL_NOT
      for (sm_u32 d = 0; d < SM_RSA_DIGITS; ++d) t[d] = a[d];
      sm_u32 middle[SM_RSA_DIGITS];
      sm_rsa_reduce(middle, t, n, inverse);
      sm_rsa_below_n(middle, n);
      SM_UNROLL_NOT
      for (sm_u32 b = 0; b < SM_RSA_BYTES; ++b) evidence[SM_RSA_BYTES - 1 - b] = (unsigned char)sm_rsa_byte(middle, b);
    }
    if (k < 16)
      sm_rsa_square(t, a);
    else
      sm_rsa_multiply(t, a, s);  // by s as it is: out of Montgomery's form at the same time
    sm_rsa_reduce(a, t, n, inverse);
  }
  sm_rsa_below_n(a, n);
  SM_UNROLL_NOT
  for (sm_u32 k = 0; k < SM_RSA_BYTES; ++k) {
    if (sm_rsa_byte(a, k) != sm_rsa_em_byte(encoding, message, length, k)) return 0;
  }
  return 1;
}

#endif
