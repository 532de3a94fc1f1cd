// SPDX-License-Identifier: Apache-2.0
// OpenCL C 1.2 entry points of `match`; dialect.h and device.h stand before this text. Options: SM_MASKED 0|1,
// SM_COLS columns an item (8 plain, 4 masked), SM_CHUNK 64-bit words of a row staged at once.
//
// One work-group of 256 items a tile. Item (ty, tx) = (id / 8, id % 8) keeps 8 x SM_COLS score words in registers: rows
// ty + 32 r, columns tx + 8 c of the current band of 8 * SM_COLS columns. Local rows are SM_CHUNK + 1 words apart, so
// that neighbours fall into different banks.

#define SM_ITEM_ROWS 8
#define SM_BAND (8 * SM_COLS)
#define SM_PITCH (SM_CHUNK + 1)
#define SM_BAND_WORDS (SM_BAND / 32)

// A side's rows have 2 * words 64-bit words each: sign plane, then validity plane.
typedef struct {
  uint requests, users;          // real counts, whole population
  uint request_first, user_first;  // global index of the first uploaded row
  uint request_key, user_key;    // global index of the first uploaded digest word
  uint ti_begin, tj_begin, columns;  // the range
  uint words;                    // n / 64
  uint leaf, leaves;
  int w1, w2, threshold;
  uint digest, scores, unused;   // flags: write them
  ulong tile_first;              // linear index in the range of group 0
} SmShape;

inline void stage(__local ulong* to, __global const ulong* from, uint rows, uint have, uint words, uint w0, uint plane,
                  uint id) {
  for (uint k = id; k < rows * SM_CHUNK; k += 256) {
    const uint row = k / SM_CHUNK, w = w0 + k % SM_CHUNK;
    to[row * SM_PITCH + k % SM_CHUNK] =
        row < have && w < words ? from[(ulong)row * 2 * words + plane * words + w] : (ulong)0;
  }
}

__attribute__((reqd_work_group_size(256, 1, 1))) __kernel void leaf_tiles(
    __global const ulong* restrict requests, __global const ulong* restrict users, __global const uint* restrict row_key,
    __global const ulong* restrict column_key, __global ulong* restrict digests, __global uint* restrict masks,
    __global uint* restrict scores, ulong slot_first, SmShape s) {
  __local ulong a_sign[SM_TILE * SM_PITCH], b_sign[SM_BAND * SM_PITCH];
#if SM_MASKED
  __local ulong a_valid[SM_TILE * SM_PITCH], b_valid[SM_BAND * SM_PITCH];
#endif
  __local uint sums[SM_BAND];
  __local uint bits[SM_TILE * SM_BAND_WORDS];

  const uint id = get_local_id(0), ty = id / 8, tx = id % 8;
  const ulong slot = get_group_id(0), tile = s.tile_first + slot;
  const uint ti = s.ti_begin + (uint)(tile / s.columns), tj = s.tj_begin + (uint)(tile % s.columns);
  const uint i0 = ti * SM_TILE, j0 = tj * SM_TILE;
  const uint rows = min(s.requests - i0, (uint)SM_TILE), columns = min(s.users - j0, (uint)SM_TILE);
  __global const ulong* a_rows = requests + (ulong)(i0 - s.request_first) * 2 * s.words;
  ulong total = 0;

  for (uint band = 0; band < SM_TILE; band += SM_BAND) {
    const uint have = columns > band ? columns - band : 0;
    __global const ulong* b_rows = users + (ulong)(j0 + (have ? band : 0) - s.user_first) * 2 * s.words;
    uint v[SM_ITEM_ROWS][SM_COLS];
    for (uint r = 0; r < SM_ITEM_ROWS; ++r)
      for (uint c = 0; c < SM_COLS; ++c) v[r][c] = SM_MASKED ? 0 : s.words << 22;  // K = 64 * words, in the high half
    if (id < SM_BAND) sums[id] = 0;
    for (uint k = id; k < SM_TILE * SM_BAND_WORDS; k += 256) bits[k] = 0;

    for (uint w0 = 0; w0 < s.words; w0 += SM_CHUNK) {
      barrier(CLK_LOCAL_MEM_FENCE);
      stage(a_sign, a_rows, SM_TILE, rows, s.words, w0, 0, id);
      stage(b_sign, b_rows, SM_BAND, have, s.words, w0, 0, id);
#if SM_MASKED
      stage(a_valid, a_rows, SM_TILE, rows, s.words, w0, 1, id);
      stage(b_valid, b_rows, SM_BAND, have, s.words, w0, 1, id);
#endif
      barrier(CLK_LOCAL_MEM_FENCE);
      for (uint w = 0; w < SM_CHUNK; ++w) {
        ulong bs[SM_COLS];
#if SM_MASKED
        ulong bv[SM_COLS];
#endif
        for (uint c = 0; c < SM_COLS; ++c) {
          bs[c] = b_sign[(tx + 8 * c) * SM_PITCH + w];
#if SM_MASKED
          bv[c] = b_valid[(tx + 8 * c) * SM_PITCH + w];
#endif
        }
        for (uint r = 0; r < SM_ITEM_ROWS; ++r) {
          const ulong as = a_sign[(ty + 32 * r) * SM_PITCH + w];
#if SM_MASKED
          const ulong av = a_valid[(ty + 32 * r) * SM_PITCH + w];
#endif
          for (uint c = 0; c < SM_COLS; ++c)
#if SM_MASKED
            v[r][c] = sm_masked64(v[r][c], as, av, bs[c], bv[c]);
#else
            v[r][c] = sm_plain64(v[r][c], as, bs[c]);
#endif
        }
      }
    }

    for (uint r = 0; r < SM_ITEM_ROWS; ++r) {
      const uint row = ty + 32 * r;
      for (uint c = 0; c < SM_COLS; ++c) {
        const uint column = tx + 8 * c;
        if (row < rows && column < have && sm_holds(v[r][c], s.w1, s.w2, s.threshold))
          atomic_or(&bits[row * SM_BAND_WORDS + column / 32], 1u << (column % 32));
        if (s.scores) scores[((slot_first + slot) * SM_TILE + row) * SM_TILE + band + column] = v[r][c];
      }
    }
    if (s.digest) {
      for (uint c = 0; c < SM_COLS; ++c) {
        uint sum = 0;
        for (uint r = 0; r < SM_ITEM_ROWS; ++r)
          if (ty + 32 * r < rows) sum += sm_bind(v[r][c], row_key[i0 - s.request_key + ty + 32 * r]);
        atomic_add(&sums[tx + 8 * c], sum);
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint k = id; k < SM_TILE * SM_BAND_WORDS; k += 256) {
      __global uint* to = masks + (slot_first + slot) * (SM_TILE_WORDS * 2);
      to[k / SM_BAND_WORDS * 8 + band / 32 + k % SM_BAND_WORDS] = bits[k];
    }
    if (s.digest && id == 0)
      for (uint c = 0; c < min(have, (uint)SM_BAND); ++c)
        total += sm_column(column_key[j0 - s.user_key + band + c], sums[c]);
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  if (s.digest && id == 0) digests[slot * s.leaves + s.leaf] = total;
}

// One WSUM: terms are {leaf, weight, w1, w2}; item = tile row.
__attribute__((reqd_work_group_size(256, 1, 1))) __kernel void wsum_tiles(
    __global const uint* restrict scores, ulong leaf_stride, __global const int* restrict terms, uint count, int imm,
    __global ulong* restrict masks, ulong slot_first) {
  const ulong row = (ulong)get_group_id(0) * SM_TILE + get_local_id(0);
  for (uint w = 0; w < SM_ROW_WORDS; ++w) {
    ulong word = 0;
    for (uint b = 0; b < 64; ++b) {
      long sum = 0;
      for (uint t = 0; t < count; ++t) {
        const uint v = scores[(ulong)terms[4 * t] * leaf_stride + row * SM_TILE + w * 64 + b];
        sum += sm_weighted(v, terms[4 * t + 2], terms[4 * t + 3], terms[4 * t + 1]);
      }
      word |= (ulong)(sum >= (long)imm) << b;
    }
    masks[slot_first * SM_TILE_WORDS + row * SM_ROW_WORDS + w] = word;
  }
}

// The predicate over the leaf masks of each tile, clipped to real rows and columns, and the hits counted.
__attribute__((reqd_work_group_size(256, 1, 1))) __kernel void combine_tiles(
    __global const int* restrict program, uint ops, __global const ulong* restrict leaf_masks, ulong leaf_stride,
    __global const ulong* restrict wsum_masks, __global ulong* restrict out, __global uint* restrict counts, SmShape s) {
  __local uint count;
  const uint row = get_local_id(0);
  const ulong slot = get_group_id(0), tile = s.tile_first + slot;
  const uint ti = s.ti_begin + (uint)(tile / s.columns), tj = s.tj_begin + (uint)(tile % s.columns);
  const uint rows = min(s.requests - ti * SM_TILE, (uint)SM_TILE);
  const uint columns = min(s.users - tj * SM_TILE, (uint)SM_TILE);
  if (row == 0) count = 0;
  barrier(CLK_LOCAL_MEM_FENCE);
  uint mine = 0;
  for (uint w = 0; w < SM_ROW_WORDS; ++w) {
    const ulong at = slot * SM_TILE_WORDS + row * SM_ROW_WORDS + w;
    ulong word = sm_eval(program, ops, leaf_masks, leaf_stride, wsum_masks, leaf_stride, at);
    word = row < rows ? word & sm_clip(columns, w) : (ulong)0;
    out[at] = word;
    mine += sm_popc64(word);
  }
  if (mine) atomic_add(&count, mine);
  barrier(CLK_LOCAL_MEM_FENCE);
  if (row == 0) counts[slot] = count;
}
