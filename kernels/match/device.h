// SPDX-License-Identifier: Apache-2.0
// Arithmetic of `match` per pair, per column and per mask word, in the dialect of backend/dialect.h: the same text runs
// in OpenCL C, CUDA C++ and, under the sanitizers, on the host. Only integers; nothing here loops over pairs.
#ifndef SPARKMILL_MATCH_DEVICE_H
#define SPARKMILL_MATCH_DEVICE_H
#ifndef __OPENCL_VERSION__
#include "kernels/backend/dialect.h"
#endif

// Geometry of a tile, as match.h has it.
#define SM_TILE 256
#define SM_ROW_WORDS 4                          // 64-bit mask words a tile row
#define SM_TILE_WORDS (SM_TILE * SM_ROW_WORDS)  // 64-bit mask words a tile

// Codes of a flattened predicate (plan.h makes it): 3 words an op {code, arg, imm}.
#define SM_OP_LEAF 0  // push leaf mask `arg`
#define SM_OP_AND 1   // pop `arg`, push
#define SM_OP_OR 2
#define SM_OP_ANY 3  // at least imm of `arg`
#define SM_OP_NOT 4
#define SM_OP_WSUM 5  // pop `arg`, push WSUM mask `imm`
#define SM_STACK 16   // kMaxLeaves: no program goes deeper

// ---- score words ---------------------------------------------------------------------------------------------------

/// v + score of one 32-bit word of a pair: ham in the low half, jointly valid elements in the high half.
SM_FN sm_u32 sm_masked32(sm_u32 v, sm_u32 sa, sm_u32 va, sm_u32 sb, sm_u32 vb) {
  const sm_u32 m = va & vb;
  return v + sm_popc32((sa ^ sb) & m) + (sm_popc32(m) << 16);
}
SM_FN sm_u32 sm_masked64(sm_u32 v, sm_u64 sa, sm_u64 va, sm_u64 sb, sm_u64 vb) {
  const sm_u64 m = va & vb;
  return v + sm_popc64((sa ^ sb) & m) + (sm_popc64(m) << 16);
}
/// The same where every element is valid: ham only, K is the constant n << 16.
SM_FN sm_u32 sm_plain64(sm_u32 v, sm_u64 sa, sm_u64 sb) { return v + sm_popc64(sa ^ sb); }

/// Bits set in four words with three counts instead of four: a full adder turns three words into sum and carry. Pays
/// where counting is slower than logic (16 against 64 a clock and multiprocessor on NVIDIA).
SM_FN sm_u32 sm_count4(sm_u32 x0, sm_u32 x1, sm_u32 x2, sm_u32 x3) {
  const sm_u32 sum = x0 ^ x1 ^ x2;
  const sm_u32 carry = (x0 & x1) | (x2 & (x0 | x1));
  return sm_popc32(sum) + sm_popc32(x3) + (sm_popc32(carry) << 1);
}

// ---- decisions -----------------------------------------------------------------------------------------------------

/// w1 * dot - w2 * K of a score word. |w1|, w2 <= 255 and K <= 16384, so 32 bits hold it.
SM_FN sm_i32 sm_score(sm_u32 v, sm_i32 w1, sm_i32 w2) {
  const sm_i32 ham = (sm_i32)(v & 0xffffu);
  const sm_i32 k = (sm_i32)(v >> 16);
  return w1 * (k - 2 * ham) - w2 * k;
}
SM_FN int sm_holds(sm_u32 v, sm_i32 w1, sm_i32 w2, sm_i32 threshold) { return sm_score(v, w1, w2) >= threshold; }

/// One term of a WSUM: at most 2^31 * 2^24, sixteen of them fit in 64 bits.
SM_FN sm_i64 sm_weighted(sm_u32 v, sm_i32 w1, sm_i32 w2, sm_i32 weight) {
  return (sm_i64)weight * (sm_i64)sm_score(v, w1, w2);
}

// ---- digest --------------------------------------------------------------------------------------------------------

/// What a pair adds to its column sum S_j (mod 2^32), and what a finished column adds to the digest (mod 2^64).
SM_FN sm_u32 sm_bind(sm_u32 v, sm_u32 a) { return v ^ a; }
SM_FN sm_u64 sm_column(sm_u64 b, sm_u32 s) { return b * (sm_u64)s; }

// ---- masks ---------------------------------------------------------------------------------------------------------

/// Bits of mask word `word` of a tile row that stand for real users, when the tile has `columns` of them.
SM_FN sm_u64 sm_clip(sm_u32 columns, sm_u32 word) {
  const sm_u32 first = word * 64u;
  if (columns >= first + 64u) return ~(sm_u64)0;
  if (columns <= first) return 0;
  return (((sm_u64)1) << (columns - first)) - 1u;
}

/// Bits set in at least t of stack[0 .. count): counts of all 64 columns in bit-sliced form (5 slices, count <= 16).
SM_FN sm_u64 sm_any(const sm_u64* stack, sm_u32 count, sm_i32 t) {
  sm_u64 slice[5] = {0, 0, 0, 0, 0};
  sm_u64 above = 0, equal = ~(sm_u64)0;
  if (t <= 0) return equal;
  if (t > 16) return 0;
  for (sm_u32 k = 0; k < count; ++k) {
    sm_u64 carry = stack[k];
    for (int s = 0; s < 5; ++s) {
      const sm_u64 next = slice[s] & carry;
      slice[s] ^= carry;
      carry = next;
    }
  }
  for (int s = 4; s >= 0; --s) {
    const sm_u64 want = ((sm_u32)t >> s & 1u) ? ~(sm_u64)0 : (sm_u64)0;
    above |= equal & slice[s] & ~want;
    equal &= ~(slice[s] ^ want);
  }
  return above | equal;
}

/// Runs a flattened predicate on mask word `at`: leaf l's word is leaves[l * leaf_stride + at], WSUM w's likewise.
/// Requires a validated program: the stack never leaves [0, SM_STACK].
SM_FN sm_u64 sm_eval(SM_GLOBAL const sm_i32* program, sm_u32 ops, SM_GLOBAL const sm_u64* leaves, sm_u64 leaf_stride,
                     SM_GLOBAL const sm_u64* wsums, sm_u64 wsum_stride, sm_u64 at) {
  sm_u64 stack[SM_STACK + 1];
  sm_u32 depth = 0;
  for (sm_u32 o = 0; o < ops; ++o) {
    const sm_i32 code = program[3 * o];
    const sm_u32 arg = (sm_u32)program[3 * o + 1];
    const sm_i32 imm = program[3 * o + 2];
    if (code == SM_OP_LEAF) {
      stack[depth++] = leaves[(sm_u64)arg * leaf_stride + at];
    } else if (code == SM_OP_NOT) {
      stack[depth - 1] = ~stack[depth - 1];
    } else {
      depth -= arg;
      sm_u64 r;
      if (code == SM_OP_WSUM) {
        r = wsums[(sm_u64)(sm_u32)imm * wsum_stride + at];
      } else if (code == SM_OP_ANY) {
        r = sm_any(stack + depth, arg, imm);
      } else {
        r = stack[depth];
        for (sm_u32 k = 1; k < arg; ++k) r = code == SM_OP_AND ? r & stack[depth + k] : r | stack[depth + k];
      }
      stack[depth++] = r;
    }
  }
  return stack[0];
}

#endif
