// SPDX-License-Identifier: Apache-2.0
// Ed25519 verification of one item, in the dialect of backend/dialect.h: the same text runs in OpenCL C, CUDA C++ and,
// under the sanitizers, on the host. Digits are unsigned windows of 4 bits (k) and 8 bits (S), so that the sum after
// the digits from bit 16 on is the evidence as it stands.
#ifndef SPARKMILL_ED25519_DEVICE_H
#define SPARKMILL_ED25519_DEVICE_H
#ifndef __OPENCL_VERSION__
#include "kernels/ed25519/device_field.h"
#endif
#if defined(__OPENCL_VERSION__)
#define SM_BYTES __global const uchar*
#define SM_WORDS __global const uint*
#else
#define SM_BYTES const unsigned char*
#define SM_WORDS const sm_u32*
#endif

// Flags of a policy (Rules of ed25519.h) and of a launch.
#define SM_ED_S_BELOW_ORDER 1u
#define SM_ED_CANONICAL_A 2u
#define SM_ED_NO_SMALL_ORDER 4u
#define SM_ED_COFACTORED 8u
#define SM_ED_CANONICAL_R 16u
#define SM_ED_EVIDENCE 32u

#define SM_ED_BASE_ENTRIES 256  // 0 .. 255 times B, 24 words each: Y + X, Y - X, 2d T with Z = 1
#define SM_ED_BASE_WORDS 24

// ---- points: extended coordinates, complete formulas (see cpu_impl.h) ----

typedef struct {
  sm_fe x, y, z, t;
} sm_point;
typedef struct {
  sm_fe plus, minus, t2d, z2;  // Y + X, Y - X, 2d T, 2 Z
} sm_cached;

SM_FN sm_point sm_point_identity(void) {
  sm_point p;
  p.x = p.t = sm_fe_small(0);
  p.y = p.z = sm_fe_small(1);
  return p;
}
SM_FN sm_point sm_point_finish(sm_fe e, sm_fe f, sm_fe g, sm_fe h) {
  sm_point p;
  p.x = sm_fe_mul(e, f);
  p.y = sm_fe_mul(g, h);
  p.z = sm_fe_mul(f, g);
  p.t = sm_fe_mul(e, h);
  return p;
}
SM_FN sm_point sm_point_double(sm_point p) {
  const sm_fe xx = sm_fe_sqr(p.x), yy = sm_fe_sqr(p.y), zz = sm_fe_sqr(p.z);
  const sm_fe h = sm_fe_add(yy, xx), g = sm_fe_sub(yy, xx);
  const sm_fe e = sm_fe_sub(sm_fe_sqr(sm_fe_add(p.x, p.y)), h);
  return sm_point_finish(e, sm_fe_sub(sm_fe_add(zz, zz), g), g, h);
}
SM_FN sm_point sm_point_add(sm_point p, sm_cached q) {
  const sm_fe a = sm_fe_mul(sm_fe_sub(p.y, p.x), q.minus), b = sm_fe_mul(sm_fe_add(p.y, p.x), q.plus);
  const sm_fe c = sm_fe_mul(p.t, q.t2d), d = sm_fe_mul(p.z, q.z2);
  return sm_point_finish(sm_fe_sub(b, a), sm_fe_sub(d, c), sm_fe_add(d, c), sm_fe_add(b, a));
}
SM_FN sm_cached sm_point_cached(sm_point p) {
  sm_cached q;
  q.plus = sm_fe_add(p.y, p.x);
  q.minus = sm_fe_sub(p.y, p.x);
  q.t2d = sm_fe_mul(p.t, sm_fe_2d());
  q.z2 = sm_fe_add(p.z, p.z);
  return q;
}
SM_CALL sm_fe sm_point_encode(sm_point p) {
  const sm_fe i = sm_fe_inverse(p.z);
  sm_fe y = sm_fe_frozen(sm_fe_mul(p.y, i));
  y.v[7] |= sm_fe_frozen(sm_fe_mul(p.x, i)).v[0] << 31;
  return y;
}
/// Leniently; 0 where there is no point. `p` is then not written.
SM_CALL sm_u32 sm_point_decode(sm_fe bytes, sm_u32 negate, sm_point* p) {
  const sm_u32 sign = bytes.v[7] >> 31;
  sm_fe y = bytes;
  y.v[7] &= 0x7fffffffu;
  const sm_fe yy = sm_fe_sqr(y), one = sm_fe_small(1);
  const sm_fe u = sm_fe_sub(yy, one), v = sm_fe_add(sm_fe_mul(yy, sm_fe_d()), one);
  const sm_fe v3 = sm_fe_mul(sm_fe_sqr(v), v), uv3 = sm_fe_mul(u, v3);
  sm_fe x = sm_fe_mul(uv3, sm_fe_power_252(sm_fe_mul(uv3, sm_fe_mul(v3, v))));
  const sm_fe check = sm_fe_mul(sm_fe_sqr(x), v);
  if (!sm_fe_same(check, u)) {
    if (!sm_fe_is_zero(sm_fe_add(check, u))) return 0;
    x = sm_fe_mul(x, sm_fe_root());
  }
  if (((sm_fe_frozen(x).v[0] & 1u) != sign) != (negate != 0u)) x = sm_fe_sub(sm_fe_small(0), x);
  p->x = x;
  p->y = y;
  p->z = one;
  p->t = sm_fe_mul(x, y);
  return 1;
}
/// y < p, and no sign where x = 0.
SM_CALL sm_u32 sm_is_canonical(sm_fe bytes) {
  const sm_u32 sign = bytes.v[7] >> 31;
  bytes.v[7] &= 0x7fffffffu;
  const sm_fe y = sm_fe_frozen(bytes);
  if (!sm_fe_words_same(y, bytes)) return 0;
  const sm_u32 x_is_zero = sm_fe_words_same(y, sm_fe_small(1)) | sm_fe_is_zero(sm_fe_add(y, sm_fe_small(1)));
  return !(sign && x_is_zero);
}
SM_FN sm_u32 sm_point_is_identity(sm_point p) { return sm_fe_is_zero(p.x) && sm_fe_same(p.y, p.z); }
SM_CALL sm_point sm_point_times_eight(sm_point p) {
  SM_UNROLL_NOT
  for (int k = 0; k < 3; ++k) p = sm_point_double(p);
  return p;
}

// ---- SHA-512 of R || A || M, and scalars mod L ----

SM_FN sm_u64 sm_rotr64(sm_u64 x, int n) { return (x >> n) | (x << (64 - n)); }

SM_FN sm_u32 sm_hash_byte(SM_BYTES signature, SM_BYTES key, SM_BYTES message, sm_u64 length, sm_u64 at) {
  if (at < 32) return signature[at];
  if (at < 64) return key[at - 32];
  if (at - 64 < length) return message[at - 64];
  return at - 64 == length ? 0x80u : 0u;
}

/// The digest as sixteen words of the little-endian number.
SM_CALL void sm_challenge(SM_BYTES signature, SM_BYTES key, SM_BYTES message, sm_u64 length, sm_u32* wide) {
  const sm_u64 rounds[80] = {
      0x428a2f98d728ae22ul, 0x7137449123ef65cdul, 0xb5c0fbcfec4d3b2ful, 0xe9b5dba58189dbbcul, 0x3956c25bf348b538ul,
      0x59f111f1b605d019ul, 0x923f82a4af194f9bul, 0xab1c5ed5da6d8118ul, 0xd807aa98a3030242ul, 0x12835b0145706fbeul,
      0x243185be4ee4b28cul, 0x550c7dc3d5ffb4e2ul, 0x72be5d74f27b896ful, 0x80deb1fe3b1696b1ul, 0x9bdc06a725c71235ul,
      0xc19bf174cf692694ul, 0xe49b69c19ef14ad2ul, 0xefbe4786384f25e3ul, 0x0fc19dc68b8cd5b5ul, 0x240ca1cc77ac9c65ul,
      0x2de92c6f592b0275ul, 0x4a7484aa6ea6e483ul, 0x5cb0a9dcbd41fbd4ul, 0x76f988da831153b5ul, 0x983e5152ee66dfabul,
      0xa831c66d2db43210ul, 0xb00327c898fb213ful, 0xbf597fc7beef0ee4ul, 0xc6e00bf33da88fc2ul, 0xd5a79147930aa725ul,
      0x06ca6351e003826ful, 0x142929670a0e6e70ul, 0x27b70a8546d22ffcul, 0x2e1b21385c26c926ul, 0x4d2c6dfc5ac42aedul,
      0x53380d139d95b3dful, 0x650a73548baf63deul, 0x766a0abb3c77b2a8ul, 0x81c2c92e47edaee6ul, 0x92722c851482353bul,
      0xa2bfe8a14cf10364ul, 0xa81a664bbc423001ul, 0xc24b8b70d0f89791ul, 0xc76c51a30654be30ul, 0xd192e819d6ef5218ul,
      0xd69906245565a910ul, 0xf40e35855771202aul, 0x106aa07032bbd1b8ul, 0x19a4c116b8d2d0c8ul, 0x1e376c085141ab53ul,
      0x2748774cdf8eeb99ul, 0x34b0bcb5e19b48a8ul, 0x391c0cb3c5c95a63ul, 0x4ed8aa4ae3418acbul, 0x5b9cca4f7763e373ul,
      0x682e6ff3d6b2b8a3ul, 0x748f82ee5defb2fcul, 0x78a5636f43172f60ul, 0x84c87814a1f0ab72ul, 0x8cc702081a6439ecul,
      0x90befffa23631e28ul, 0xa4506cebde82bde9ul, 0xbef9a3f7b2c67915ul, 0xc67178f2e372532bul, 0xca273eceea26619cul,
      0xd186b8c721c0c207ul, 0xeada7dd6cde0eb1eul, 0xf57d4f7fee6ed178ul, 0x06f067aa72176fbaul, 0x0a637dc5a2c898a6ul,
      0x113f9804bef90daeul, 0x1b710b35131c471bul, 0x28db77f523047d84ul, 0x32caab7b40c72493ul, 0x3c9ebe0a15c9bebcul,
      0x431d67c49c100d4cul, 0x4cc5d4becb3e42b6ul, 0x597f299cfc657e2aul, 0x5fcb6fab3ad6faecul, 0x6c44198c4a475817ul};
  sm_u64 s[8] = {0x6a09e667f3bcc908ul, 0xbb67ae8584caa73bul, 0x3c6ef372fe94f82bul, 0xa54ff53a5f1d36f1ul,
                 0x510e527fade682d1ul, 0x9b05688c2b3e6c1ful, 0x1f83d9abfb41bd6bul, 0x5be0cd19137e2179ul};
  const sm_u64 blocks = (64 + length + 17 + 127) / 128;
  for (sm_u64 block = 0; block < blocks; ++block) {
    sm_u64 w[16];
    for (int t = 0; t < 16; ++t) {
      w[t] = 0;
      for (int b = 0; b < 8; ++b)
        w[t] = w[t] << 8 | sm_hash_byte(signature, key, message, length, block * 128 + 8 * (sm_u64)t + (sm_u64)b);
    }
    if (block + 1 == blocks) w[15] = 8 * (64 + length);
    sm_u64 a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
    for (int t = 0; t < 80; ++t) {
      if (t >= 16) {
        const sm_u64 w1 = w[(t + 1) % 16], w14 = w[(t + 14) % 16];
        w[t % 16] += (sm_rotr64(w1, 1) ^ sm_rotr64(w1, 8) ^ (w1 >> 7)) + w[(t + 9) % 16] +
                     (sm_rotr64(w14, 19) ^ sm_rotr64(w14, 61) ^ (w14 >> 6));
      }
      const sm_u64 t1 =
          h + (sm_rotr64(e, 14) ^ sm_rotr64(e, 18) ^ sm_rotr64(e, 41)) + ((e & f) ^ (~e & g)) + rounds[t] + w[t % 16];
      const sm_u64 t2 = (sm_rotr64(a, 28) ^ sm_rotr64(a, 34) ^ sm_rotr64(a, 39)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    s[0] += a, s[1] += b, s[2] += c, s[3] += d, s[4] += e, s[5] += f, s[6] += g, s[7] += h;
  }
  for (int k = 0; k < 8; ++k) {
    sm_u64 little = 0;
    for (int b = 0; b < 8; ++b) little |= (s[k] >> (8 * b) & 0xffu) << (56 - 8 * b);
    wide[2 * k] = (sm_u32)little;
    wide[2 * k + 1] = (sm_u32)(little >> 32);
  }
}

/// a - b over nine words where that is not negative; else a. The answer says which.
SM_FN sm_u32 sm_take_order(sm_u32* a) {
  const sm_u32 order[9] = {0x5cf5d3edu, 0x5812631au, 0xa2f79cd6u, 0x14def9deu, 0x00000000u,
                           0x00000000u, 0x00000000u, 0x10000000u, 0x00000000u};
  sm_u32 r[9];
  sm_u32 borrow = 0;
  for (int k = 0; k < 9; ++k) {
    const sm_u64 t = (sm_u64)a[k] - order[k] - borrow;
    r[k] = (sm_u32)t;
    borrow = (sm_u32)(t >> 32) & 1u;
  }
  for (int k = 0; k < 9; ++k) a[k] = borrow ? a[k] : r[k];
  return borrow == 0u;
}
/// Sixteen words mod L, by Barrett's method with words of 32 bits.
SM_CALL void sm_modulo_order(const sm_u32* wide, sm_u32* k) {
  const sm_u32 order[9] = {0x5cf5d3edu, 0x5812631au, 0xa2f79cd6u, 0x14def9deu, 0x00000000u,
                           0x00000000u, 0x00000000u, 0x10000000u, 0x00000000u};
  const sm_u32 reciprocal[9] = {0x0a2c131bu, 0xed9ce5a3u, 0x086329a7u, 0x2106215du, 0xffffffebu,
                                0xffffffffu, 0xffffffffu, 0xffffffffu, 0x0000000fu};  // floor(2^512 / L)
  sm_u32 product[18];
  for (int i = 0; i < 18; ++i) product[i] = 0;
  for (int i = 0; i < 9; ++i) {
    sm_u64 t = 0;
    for (int j = 0; j < 9; ++j) {
      t += (sm_u64)wide[7 + i] * reciprocal[j] + product[i + j];
      product[i + j] = (sm_u32)t;
      t >>= 32;
    }
    product[i + 9] = (sm_u32)t;
  }
  sm_u32 r[9];
  for (int i = 0; i < 9; ++i) r[i] = 0;
  for (int i = 0; i < 9; ++i) {
    sm_u64 t = 0;
    for (int j = 0; i + j < 9; ++j) {
      t += (sm_u64)product[9 + i] * order[j] + r[i + j];
      r[i + j] = (sm_u32)t;
      t >>= 32;
    }
  }
  sm_u32 borrow = 0;
  for (int i = 0; i < 9; ++i) {
    const sm_u64 t = (sm_u64)wide[i] - r[i] - borrow;
    r[i] = (sm_u32)t;
    borrow = (sm_u32)(t >> 32) & 1u;
  }
  sm_take_order(r);
  sm_take_order(r);
  for (int i = 0; i < 8; ++i) k[i] = r[i];
}

// ---- one item ----

SM_FN sm_fe sm_load_words(SM_BYTES bytes) {
  sm_fe r;
  for (int k = 0; k < 8; ++k)
    r.v[k] = (sm_u32)bytes[4 * k] | (sm_u32)bytes[4 * k + 1] << 8 | (sm_u32)bytes[4 * k + 2] << 16 |
             (sm_u32)bytes[4 * k + 3] << 24;
  return r;
}
SM_FN sm_cached sm_base_entry(SM_WORDS base, sm_u32 digit) {
  sm_cached q;
  for (int k = 0; k < 8; ++k) {
    q.plus.v[k] = base[digit * SM_ED_BASE_WORDS + (sm_u32)k];
    q.minus.v[k] = base[digit * SM_ED_BASE_WORDS + 8u + (sm_u32)k];
    q.t2d.v[k] = base[digit * SM_ED_BASE_WORDS + 16u + (sm_u32)k];
  }
  q.z2 = sm_fe_small(2);
  return q;
}

/// The verdict, 1 or 0; `evidence` is written when the flag asks for it, zeros included.
SM_FN sm_u32 sm_ed25519_verify(SM_BYTES key, SM_BYTES signature, SM_BYTES message, sm_u64 length, SM_WORDS base,
                               sm_u32 flags, sm_fe* evidence) {
  const sm_fe a = sm_load_words(key), r = sm_load_words(signature), s = sm_load_words(signature + 32);
  *evidence = sm_fe_small(0);
  if (flags & SM_ED_S_BELOW_ORDER) {
    sm_u32 copy[9];
    for (int k = 0; k < 8; ++k) copy[k] = s.v[k];
    copy[8] = 0;
    if (sm_take_order(copy)) return 0;
  } else if (s.v[7] >> 29) {
    return 0;
  }
  if ((flags & SM_ED_CANONICAL_A) && !sm_is_canonical(a)) return 0;
  sm_point p;
  if (!sm_point_decode(a, 1u, &p)) return 0;
  sm_u32 good = !((flags & SM_ED_NO_SMALL_ORDER) && sm_point_is_identity(sm_point_times_eight(p)));

  sm_cached table[16];
  table[0] = sm_point_cached(sm_point_identity());
  table[1] = sm_point_cached(p);
  SM_UNROLL_NOT
  for (int k = 2; k < 16; ++k) {
    p = sm_point_add(p, table[1]);
    table[k] = sm_point_cached(p);
  }
  sm_u32 wide[16], hash[8];
  sm_challenge(signature, key, message, length, wide);
  sm_modulo_order(wide, hash);

  p = sm_point_identity();
  SM_UNROLL_NOT
  for (int bit = 252; bit >= 0; bit -= 4) {
    if (bit != 252) {
      SM_UNROLL_NOT
      for (int k = 0; k < 4; ++k) p = sm_point_double(p);
    }
    p = sm_point_add(p, table[hash[bit / 32] >> (bit % 32) & 15u]);
    if (bit % 8 == 0) p = sm_point_add(p, sm_base_entry(base, s.v[bit / 32] >> (bit % 32) & 255u));
    if (bit == 16 && (flags & SM_ED_EVIDENCE)) *evidence = sm_point_encode(p);
  }
  if (flags & SM_ED_COFACTORED) {
    sm_point commitment;
    if ((flags & SM_ED_CANONICAL_R) && !sm_is_canonical(r)) return 0;
    if (!sm_point_decode(r, 1u, &commitment)) return 0;
    p = sm_point_add(p, sm_point_cached(commitment));
    return good & sm_point_is_identity(sm_point_times_eight(p));
  }
  // R's bytes are those of p where they match, so its order is p's.
  good &= !((flags & SM_ED_NO_SMALL_ORDER) && sm_point_is_identity(sm_point_times_eight(p)));
  return good & sm_fe_words_same(sm_point_encode(p), r);
}

#endif
