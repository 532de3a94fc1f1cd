// SPDX-License-Identifier: Apache-2.0
// OpenCL C 1.2 entry points of `tensority`; dialect.h and device.h stand before this text. Options: SM_COLUMNS 0|1 (how
// a chain is computed), SM_ON_CPU 0|1 (registers are plenty on a GPU: unroll), SM_KHR_DOT when the driver multiplies
// four packed bytes at once.
//
// A work-group has a chain; its state stays in global memory between launches, so that a launch may be as short as one
// step. Rows never meet, so an item holds whole rows and replaces them in place.
// SM_COLUMNS 0, for GPUs: an item has one row in registers and all items read the same row of B from local memory.
// SM_COLUMNS 1, for CPUs: an item has four rows against 32 columns of B at a time, in vectors of 16-bit words; only
// sums modulo 2^16 matter.

#if SM_COLUMNS
#define SM_STATE_AT(row, quad) ((row) * 64 + (quad))
#else
#define SM_STATE_AT(row, quad) ((quad) * SM_DIM + (row))
#endif

// sequences[hash][16]: of the given headers, or of the preimage with the nonces first_nonce and on.
__kernel void front(__global const ulong* restrict headers, __global const ulong* restrict preimage, ulong first_nonce,
                    uint by_nonce, uint count, __global ulong* restrict sequences) {
  const uint h = (uint)get_global_id(0);
  if (h >= count) return;
  ulong message[17], hash[4], d[4];
  if (by_nonce) {
    for (int k = 0; k < 16; ++k) message[k] = preimage[k];
    message[16] = first_nonce + h;
    sm_header_hash(message, hash);
  } else {
    for (int k = 0; k < 4; ++k) hash[k] = headers[4 * h + k];
  }
  for (int k = 0; k < SM_CHAINS; ++k) {
    sm_sha3_8(hash[k], d);
    for (int j = 0; j < 4; ++j) sequences[(ulong)h * 16 + 4 * k + j] = d[j];
  }
}

#if SM_COLUMNS

#define SM_BLOCK 4    // rows an item has at once
#define SM_PANEL 32   // columns of B a panel has
#define SM_PANEL_BYTES (SM_DIM * SM_PANEL)

// list[matrix][panel][n][32]: byte (n, c) of a panel is B[32 panel + c][n].
__attribute__((reqd_work_group_size(64, 1, 1))) __kernel void chain_steps(
    __global const char* restrict list, __global const uchar* restrict sequences, __global uint* restrict state,
    uint begin, uint end) {
  const uint chain = (uint)get_group_id(0), row = (uint)get_local_id(0) * SM_BLOCK;
  __global char* rows = (__global char*)(state + (ulong)chain * SM_STATE_WORDS) + row * SM_DIM;
  __global const uchar* sequence = sequences + chain * 32;
  if (begin == 0) {
    __global const char* b = list + (ulong)sequence[0] * (SM_DIM * SM_DIM);
    for (uint r = 0; r < SM_BLOCK; ++r)
      for (uint p = 0; p < SM_DIM / SM_PANEL; ++p) {
        const char16 lo = vload16(0, b + p * SM_PANEL_BYTES + (row + r) * SM_PANEL);
        const char16 hi = vload16(1, b + p * SM_PANEL_BYTES + (row + r) * SM_PANEL);
        vstore16(lo + (lo >> (char)7), 0, rows + r * SM_DIM + p * SM_PANEL);
        vstore16(hi + (hi >> (char)7), 1, rows + r * SM_DIM + p * SM_PANEL);
      }
    begin = 1;
  }
  for (uint t = begin; t < end; ++t) {
    __global const char* b = list + (ulong)sequence[t % 32] * (SM_DIM * SM_DIM);
    short a[SM_DIM][SM_BLOCK];
    for (uint n = 0; n < SM_DIM; ++n)
      for (uint r = 0; r < SM_BLOCK; ++r) a[n][r] = rows[r * SM_DIM + n];
    for (uint p = 0; p < SM_DIM / SM_PANEL; ++p) {
      short16 v[SM_BLOCK][2];
      for (uint r = 0; r < SM_BLOCK; ++r) v[r][0] = v[r][1] = (short16)(0);
      for (uint n = 0; n < SM_DIM; ++n) {
        const short16 b0 = convert_short16(vload16(0, b + n * SM_PANEL));
        const short16 b1 = convert_short16(vload16(1, b + n * SM_PANEL));
        for (uint r = 0; r < SM_BLOCK; ++r) {
          v[r][0] += b0 * a[n][r];
          v[r][1] += b1 * a[n][r];
        }
      }
      for (uint r = 0; r < SM_BLOCK; ++r) {
        vstore16(convert_char16(((v[r][0] + (v[r][0] >> (short)8)) << (short)8) >> (short)8), 0,
                 rows + r * SM_DIM + p * SM_PANEL);
        vstore16(convert_char16(((v[r][1] + (v[r][1] >> (short)8)) << (short)8) >> (short)8), 1,
                 rows + r * SM_DIM + p * SM_PANEL);
      }
      b += SM_PANEL_BYTES;
    }
  }
}

#else

#define SM_STAGE 16  // rows of B in local memory at once

// list[matrix][row][64 words] as the epoch has it.
__attribute__((reqd_work_group_size(256, 1, 1))) __kernel void chain_steps(
    __global const uint* restrict list, __global const uchar* restrict sequences, __global uint* restrict state,
    uint begin, uint end) {
  __local uint staged[SM_STAGE * 64];
  const uint chain = (uint)get_group_id(0), row = (uint)get_local_id(0);
  __global uint* own = state + (ulong)chain * SM_STATE_WORDS + row;
  __global const uchar* sequence = sequences + chain * 32;
  if (begin == 0) {
    __global const uchar* b = (__global const uchar*)(list + (ulong)sequence[0] * SM_STATE_WORDS) + row;
    for (uint w = 0; w < 64; ++w) {
      const uint word = b[(4 * w) * SM_DIM] | (uint)b[(4 * w + 1) * SM_DIM] << 8 | (uint)b[(4 * w + 2) * SM_DIM] << 16 |
                        (uint)b[(4 * w + 3) * SM_DIM] << 24;
      own[w * SM_DIM] = sm_first4(word);
    }
    begin = 1;
  }
  for (uint t = begin; t < end; ++t) {
    __global const uint* b = list + (ulong)sequence[t % 32] * SM_STATE_WORDS;
    uint a[64];
#if !SM_ON_CPU
#pragma unroll
#endif
    for (uint w = 0; w < 64; ++w) a[w] = own[w * SM_DIM];
    for (uint j0 = 0; j0 < SM_DIM; j0 += SM_STAGE) {
      barrier(CLK_LOCAL_MEM_FENCE);
      for (uint k = row; k < SM_STAGE * 64; k += 256) staged[k] = b[j0 * 64 + k];
      barrier(CLK_LOCAL_MEM_FENCE);
      for (uint j = 0; j < SM_STAGE; j += 4) {
        int v0 = 0, v1 = 0, v2 = 0, v3 = 0;
#if !SM_ON_CPU
#pragma unroll
#endif
        for (uint w = 0; w < 64; ++w) {
          v0 = sm_dot4(a[w], staged[j * 64 + w], v0);
          v1 = sm_dot4(a[w], staged[j * 64 + 64 + w], v1);
          v2 = sm_dot4(a[w], staged[j * 64 + 128 + w], v2);
          v3 = sm_dot4(a[w], staged[j * 64 + 192 + w], v3);
        }
        own[(j0 + j) / 4 * SM_DIM] = sm_fold(v0) | sm_fold(v1) << 8 | sm_fold(v2) << 16 | sm_fold(v3) << 24;
      }
    }
  }
}

#endif

// The sum of a hash's four chains, folded to the 64 words of its last message. Item (r, quad): rows r + 16 m, columns
// 4 quad to 4 quad + 3 of each 64.
__attribute__((reqd_work_group_size(256, 1, 1))) __kernel void tail(__global const uint* restrict state,
                                                                    __global uint* restrict messages) {
  __local uint folded[16 * 64];
  const uint id = (uint)get_local_id(0), r = id % 16, quad = id / 16, hash = (uint)get_group_id(0);
  __global const uint* from = state + (ulong)hash * (SM_CHAINS * SM_STATE_WORDS);
  uint part[4][4];
  for (uint m = 0; m < 4; ++m) {
    uint w[16];
    for (uint k = 0; k < 16; ++k) {
      const uint at = SM_STATE_AT(r + 16 * m + 64 * (k / 4), quad + 16 * (k % 4));
      w[k] = sm_add4(sm_add4(from[at], from[at + SM_STATE_WORDS]),
                     sm_add4(from[at + 2 * SM_STATE_WORDS], from[at + 3 * SM_STATE_WORDS]));
    }
    sm_fold_words(w, part[m]);
  }
  for (uint e = 0; e < 4; ++e)
    folded[r * 64 + 4 * quad + e] = sm_fnv(sm_fnv(part[0][e], part[2][e]), sm_fnv(part[1][e], part[3][e]));
  for (uint rows = 8; rows > 0; rows /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint k = id; k < rows * 64; k += 256) folded[k] = sm_fnv(folded[k], folded[k + rows * 64]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (id < 64) messages[hash * 64 + id] = folded[id];
}

__kernel void last(__global const ulong* restrict messages, uint count, __global ulong* restrict results) {
  const uint h = (uint)get_global_id(0);
  if (h >= count) return;
  ulong message[32], d[4];
  for (int k = 0; k < 32; ++k) message[k] = messages[(ulong)h * 32 + k];
  sm_sha3_256(message, d);
  for (int k = 0; k < 4; ++k) results[(ulong)h * 4 + k] = d[k];
}

// One group of 64: hits[0] = number of results that meet the target, hits[1] = place of the best one, hits[2...] =
// places of the hits in order.
__attribute__((reqd_work_group_size(64, 1, 1))) __kernel void collect(__global const ulong* restrict results,
                                                                      __global const ulong* restrict target, uint count,
                                                                      __global uint* restrict hits) {
  __local uint counts[64], bests[64];
  const uint id = (uint)get_local_id(0);
  const uint begin = sm_part(id, 64, count), end = sm_part(id + 1, 64, count);
  ulong limit[4], best[4], d[4];
  for (int k = 0; k < 4; ++k) limit[k] = target[k], best[k] = ~(ulong)0;
  uint found = 0, best_at = begin;
  for (uint h = begin; h < end; ++h) {
    for (int k = 0; k < 4; ++k) d[k] = results[(ulong)h * 4 + k];
    found += sm_compare(d, limit) <= 0;
    if (sm_compare(d, best) < 0) {
      for (int k = 0; k < 4; ++k) best[k] = d[k];
      best_at = h;
    }
  }
  counts[id] = found;
  bests[id] = best_at;
  barrier(CLK_LOCAL_MEM_FENCE);
  uint at = 2;
  for (uint k = 0; k < id; ++k) at += counts[k];
  if (found != 0) {
    for (uint h = begin; h < end; ++h) {
      for (int k = 0; k < 4; ++k) d[k] = results[(ulong)h * 4 + k];
      if (sm_compare(d, limit) <= 0) hits[at++] = h;
    }
  }
  if (id == 63) hits[0] = at - 2;
  if (id == 0) {
    uint first = bests[0];
    for (int k = 0; k < 4; ++k) best[k] = ~(ulong)0;
    for (uint j = 0; j < 64; ++j) {
      if (sm_part(j, 64, count) == sm_part(j + 1, 64, count)) continue;
      for (int k = 0; k < 4; ++k) d[k] = results[(ulong)bests[j] * 4 + k];
      if (sm_compare(d, best) < 0) {
        for (int k = 0; k < 4; ++k) best[k] = d[k];
        first = bests[j];
      }
    }
    hits[1] = first;
  }
}
