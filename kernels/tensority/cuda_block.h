// SPDX-License-Identifier: Apache-2.0
// Layouts and per-thread work of the CUDA kernels of `tensority`, apart from the instructions only a GPU has: a host
// test runs all of it, so the index arithmetic is tested without one.
//
// Tensor cores hand a thread sums of column pairs, but want four neighbours along k for the next product. Summing over
// k in any fixed order gives the same sums, so columns are renamed once, when a matrix of an epoch is packed: position
// p of a packed row holds column column_of(p), and what a thread has of a sum is what it must give to the next step,
// with no exchange between threads.
#pragma once

#include "kernels/tensority/device.h"

namespace sparkmill::tensority::device {

inline constexpr sm_u32 kMatrix = SM_DIM * SM_DIM;  // bytes
inline constexpr sm_u32 kBlockThreads = 256;

// ---- what the tensor cores define (PTX: m16n8k32 of s8, and each warp's 16 rows of wgmma m64n256k32) ----------------

struct Cell {
  sm_u32 row, column;
};
/// Sum i (0..3) that a lane holds of the eight columns 8 j and on.
SM_FN constexpr Cell sum_cell(sm_u32 lane, sm_u32 j, sm_u32 i) {
  return {lane / 4 + 8 * (i / 2), 8 * j + 2 * (lane % 4) + i % 2};
}
/// Byte e of register `reg` (0..3) of A for a step of 32 along k: row, and place along k within the step.
SM_FN constexpr Cell a_cell(sm_u32 lane, sm_u32 reg, sm_u32 e) {
  return {lane / 4 + 8 * (reg % 2), 16 * (reg / 2) + 4 * (lane % 4) + e};
}
/// Byte e of register `reg` (0..1) of B: row of B (column of the sum), and place along k.
SM_FN constexpr Cell b_cell(sm_u32 lane, sm_u32 reg, sm_u32 e) { return {lane / 4, 16 * reg + 4 * (lane % 4) + e}; }

// ---- what follows from it ------------------------------------------------------------------------------------------

/// The column whose byte stands at place p along k: within each 16, lane l % 4 owns places 4 l.. and columns 2 l, 2 l +
/// 1, 2 l + 8, 2 l + 9.
SM_FN constexpr sm_u32 column_of(sm_u32 p) { return p / 16 * 16 + p % 4 / 2 * 8 + p / 4 % 4 * 2 + p % 2; }
SM_FN constexpr sm_u32 place_of(sm_u32 column) {
  return column / 16 * 16 + column % 8 / 2 * 4 + column / 8 % 2 * 2 + column % 2;
}

/// Byte offset of (row n, place p) in a packed matrix: cores of 8 rows x 16 bytes that lie in 128 bytes each, those of
/// one 8 rows together. That is the layout without swizzle that wgmma reads (kLeading from core to core along k,
/// kStride from 8 rows to the next 8), and that ldmatrix reads without bank conflicts.
inline constexpr sm_u32 kLeading = 128, kStride = 2048;
SM_FN constexpr sm_u32 packed_at(sm_u32 n, sm_u32 p) {
  return n / 8 * kStride + p / 16 * kLeading + n % 8 * 16 + p % 16;
}

/// Word offset of the four registers of A that a lane has of 16 rows (block 0..15) for k step s (0..7); a state in
/// memory is stored so, 16 bytes a lane and step.
SM_FN constexpr sm_u32 fragment_at(sm_u32 block, sm_u32 s, sm_u32 lane) { return block * 1024 + s * 128 + lane * 4; }
/// Word of a stored state that has the columns column_of(4 quad + 0..3) + 64 group of a row; quad 0..15, group 0..3.
SM_FN constexpr sm_u32 fragment_word(sm_u32 row, sm_u32 quad, sm_u32 group) {
  // quad = (k step within 64 columns, half of it, lane % 4)
  return fragment_at(row / 16, 2 * group + quad / 8, row % 8 * 4 + quad % 4) + 2 * (quad / 4 % 2) + row / 8 % 2;
}

/// The folded bytes of four sums: byte 1 of v * 257.
SM_FN sm_u32 fold4(sm_u32 v0, sm_u32 v1, sm_u32 v2, sm_u32 v3) {
#if defined(__CUDA_ARCH__)
  const sm_u32 low = __byte_perm(v0 * 257u, v1 * 257u, 0x0051);
  const sm_u32 high = __byte_perm(v2 * 257u, v3 * 257u, 0x0051);
  return __byte_perm(low, high, 0x5410);
#else
  return (v0 * 257u >> 8 & 0xffu) | (v1 * 257u >> 8 & 0xffu) << 8 | (v2 * 257u >> 8 & 0xffu) << 16 |
         (v3 * 257u >> 8 & 0xffu) << 24;
#endif
}

/// Half the registers of A for a k step (0 and 1, or 2 and 3) from the sums of its 16 columns, numbered 4 j + i as
/// sum_cell does.
SM_FN void next_fragment(const sm_u32* sums, sm_u32* a) {
  a[0] = fold4(sums[0], sums[1], sums[4], sums[5]);
  a[1] = fold4(sums[2], sums[3], sums[6], sums[7]);
}

/// Where a lane's row of 16 bytes lies for an ldmatrix of four cores: two neighbours along k, of 8 rows and the next 8.
SM_FN constexpr sm_u32 ldmatrix_at(sm_u32 lane) {
  return lane / 16 * kStride + lane / 8 % 2 * kLeading + lane % 8 * 16;
}

/// The descriptor of a packed matrix at shared-memory address `address` for wgmma: 14 bits each of address, leading and
/// stride offsets in units of 16 bytes; no swizzle. A step of 32 along k is two cores further: + kStepUnits.
inline constexpr sm_u64 kStepUnits = 2 * kLeading / 16;
SM_FN constexpr sm_u64 wgmma_descriptor(sm_u32 address) {
  return (sm_u64)(address >> 4 & 0x3fffu) | (sm_u64)(kLeading >> 4) << 16 | (sm_u64)(kStride >> 4) << 32;
}

// ---- packing an epoch ----------------------------------------------------------------------------------------------

/// Word `at` (0..16383) of a packed matrix, from the matrix as the epoch has it.
SM_FN sm_u32 packed_word(const unsigned char* matrix, sm_u32 at) {
  const sm_u32 n = at / 512 * 8 + at % 32 / 4, p = at / 32 % 16 * 16 + at % 4 * 4;
  sm_u32 word = 0;
  for (sm_u32 e = 0; e < 4; ++e) word |= (sm_u32)matrix[n * SM_DIM + column_of(p + e)] << (8 * e);
  return word;
}

/// Word `at` of the state after the first step, as fragment_at stores it: the matrix transposed and folded.
SM_FN sm_u32 first_word(const unsigned char* matrix, sm_u32 at) {
  const sm_u32 block = at / 1024, s = at / 128 % 8, lane = at / 4 % 32, reg = at % 4;
  sm_u32 word = 0;
  for (sm_u32 e = 0; e < 4; ++e) {
    const Cell c = a_cell(lane, reg, e);
    word |= (sm_u32)matrix[column_of(32 * s + c.column) * SM_DIM + 16 * block + c.row] << (8 * e);
  }
  return sm_first4(word);
}

// ---- chains without tensor cores: a thread has a row, its state is [word][row]
// ---------------------------------------

inline constexpr sm_u32 kDotRows = 64;  // of B staged at once
struct alignas(16) Quad {
  sm_u32 x[4];
};

SM_FN void dot_first(sm_u32 row, const unsigned char* matrix, sm_u32* state) {
  for (sm_u32 w = 0; w < 64; ++w) {
    const unsigned char* b = matrix + 4 * w * SM_DIM + row;
    state[w * SM_DIM + row] =
        sm_first4(b[0] | (sm_u32)b[SM_DIM] << 8 | (sm_u32)b[2 * SM_DIM] << 16 | (sm_u32)b[3 * SM_DIM] << 24);
  }
}
SM_FN void dot_load(sm_u32 row, const sm_u32* state, sm_u32* a) {
  SM_UNROLL
  for (sm_u32 w = 0; w < 64; ++w) a[w] = state[w * SM_DIM + row];
}
SM_FN void dot_stage(sm_u32 id, const unsigned char* matrix, sm_u32 first, Quad* staged) {
  const Quad* from = reinterpret_cast<const Quad*>(matrix + first * SM_DIM);
  SM_UNROLL
  for (sm_u32 k = 0; k < kDotRows * 16 / kBlockThreads; ++k)
    staged[k * kBlockThreads + id] = from[k * kBlockThreads + id];
}
/// The sums of the row against the staged rows of B, which are columns `first` and on of the next state.
SM_FN void dot_rows(sm_u32 row, const sm_u32* a, sm_u32 first, const Quad* staged, sm_u32* state) {
  SM_UNROLL_NOT
  for (sm_u32 j = 0; j < kDotRows; j += 4) {
    sm_i32 v[4] = {0, 0, 0, 0};
    SM_UNROLL
    for (sm_u32 q = 0; q < 16; ++q) {
      SM_UNROLL
      for (sm_u32 c = 0; c < 4; ++c) {
        const Quad b = staged[(j + c) * 16 + q];
        SM_UNROLL
        for (sm_u32 k = 0; k < 4; ++k) v[c] = sm_dot4(a[4 * q + k], b.x[k], v[c]);
      }
    }
    state[(first + j) / 4 * SM_DIM + row] = fold4((sm_u32)v[0], (sm_u32)v[1], (sm_u32)v[2], (sm_u32)v[3]);
  }
}

// ---- after the chains: sum, row fold
// ---------------------------------------------------------------------------------

inline constexpr sm_u32 kFoldedWords = 16 * 64;  // shared memory of a block

/// Phase 1: thread (r, quad) sums the four chains for rows r + 16 m and the quad's columns, and folds them to row r.
template <bool kFragments>
SM_FN void tail_fold(sm_u32 id, const sm_u32* state, sm_u32* folded) {
  const sm_u32 r = id % 16, quad = id / 16;
  sm_u32 part[4][4];
  SM_UNROLL
  for (sm_u32 m = 0; m < 4; ++m) {
    sm_u32 w[16];
    SM_UNROLL
    for (sm_u32 k = 0; k < 16; ++k) {
      const sm_u32 row = r + 16 * m + 64 * (k / 4), group = k % 4;
      const sm_u32* at = state + (kFragments ? fragment_word(row, quad, group) : (quad + 16 * group) * SM_DIM + row);
      w[k] = sm_add4(sm_add4(at[0], at[SM_STATE_WORDS]), sm_add4(at[2 * SM_STATE_WORDS], at[3 * SM_STATE_WORDS]));
    }
    sm_fold_words(w, part[m]);
  }
  SM_UNROLL
  for (sm_u32 e = 0; e < 4; ++e)
    folded[r * 64 + (kFragments ? column_of(4 * quad + e) : 4 * quad + e)] =
        sm_fnv(sm_fnv(part[0][e], part[2][e]), sm_fnv(part[1][e], part[3][e]));
}
/// Phases 2 to 5, with rows = 8, 4, 2, 1: the upper `rows` rows take the lower ones in.
SM_FN void tail_level(sm_u32 id, sm_u32 rows, sm_u32* folded) {
  for (sm_u32 k = id; k < rows * 64; k += kBlockThreads) folded[k] = sm_fnv(folded[k], folded[k + rows * 64]);
}

// ---- hits of a launch
// ------------------------------------------------------------------------------------------------

/// Shared memory of the block that collects: counts and best places of the threads' parts.
struct Parts {
  sm_u32 counts[kBlockThreads], bests[kBlockThreads];
};
/// Phase 1: a thread's part of the results.
SM_FN void collect_count(sm_u32 id, const sm_u64* results, const sm_u64* target, sm_u32 count, Parts& parts) {
  const sm_u32 begin = sm_part(id, kBlockThreads, count), end = sm_part(id + 1, kBlockThreads, count);
  sm_u32 found = 0, best = begin;
  for (sm_u32 h = begin; h < end; ++h) {
    found += sm_compare(results + 4 * (sm_u64)h, target) <= 0 ? 1u : 0u;
    if (sm_compare(results + 4 * (sm_u64)h, results + 4 * (sm_u64)best) < 0) best = h;
  }
  parts.counts[id] = found;
  parts.bests[id] = best;
}
/// Phase 2: hits[0] = their number, hits[1] = place of the smallest result, hits[2...] = places of the hits in order.
/// Requires count > 0.
SM_FN void collect_write(sm_u32 id, const sm_u64* results, const sm_u64* target, sm_u32 count, const Parts& parts,
                         sm_u32* hits) {
  sm_u32 at = 2;
  for (sm_u32 k = 0; k < id; ++k) at += parts.counts[k];
  if (parts.counts[id] != 0) {
    const sm_u32 end = sm_part(id + 1, kBlockThreads, count);
    for (sm_u32 h = sm_part(id, kBlockThreads, count); h < end; ++h) {
      if (sm_compare(results + 4 * (sm_u64)h, target) <= 0) hits[at++] = h;
    }
  }
  if (id == kBlockThreads - 1) hits[0] = at - 2;
  if (id != 0) return;
  sm_u32 best = 0;
  for (sm_u32 k = 0; k < kBlockThreads; ++k) {
    const bool empty = sm_part(k, kBlockThreads, count) == sm_part(k + 1, kBlockThreads, count);
    if (!empty && sm_compare(results + 4 * (sm_u64)parts.bests[k], results + 4 * (sm_u64)best) < 0)
      best = parts.bests[k];
  }
  hits[1] = best;
}

}  // namespace sparkmill::tensority::device
