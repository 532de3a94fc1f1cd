// SPDX-License-Identifier: Apache-2.0
// ECDSA and BIP-340 over secp256k1 in the dialect of backend/dialect.h: the same text runs in OpenCL C, CUDA C++ and,
// under the sanitizers, on the host. The arithmetic stands in device_number.h, _field.h, _scalar.h and _point.h.
//
// A batch runs in three launches, an item's numbers waiting in `scratch` between them:
//   scalars or challenges   u1, u2 of every item; a thread inverts for many items at once
//   points                  key decoded, u1 G + u2 Q by one ladder of 130 bits; ECDSA is decided here
//   finish                  affine coordinates, again one inversion for many items, for what needs them
#ifndef SPARKMILL_SECP256K1_DEVICE_H
#define SPARKMILL_SECP256K1_DEVICE_H
#ifndef __OPENCL_VERSION__
#include "kernels/hash/device.h"
#include "kernels/secp256k1/device_point.h"
#endif

#define SM_K1_BYTES const SM_GLOBAL unsigned char*
#define SM_K1_OUT SM_GLOBAL unsigned char*
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

// Slots of eight words that an item has in scratch, word by word beside those of its neighbours.
#define SM_K1_U1 0u
#define SM_K1_U2 1u
#define SM_K1_RESULT 0u       // X, Y, Z: takes the place of u1 and u2
#define SM_K1_EVIDENCE_AT 3u  // X, Y, Z
#define SM_K1_PREFIX 6u       // products before the item's own
#define SM_K1_SLOTS 7u
#define SM_K1_SCRATCH_WORDS (8u * SM_K1_SLOTS)

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
