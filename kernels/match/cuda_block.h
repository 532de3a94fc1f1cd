// SPDX-License-Identifier: Apache-2.0
// Bodies of the CUDA kernels of `match`, written as phases of one thread over an environment (Env) that supplies copies
// and atomics. cuda.cu runs the phases with barriers between them; a host test runs each phase for all 256 threads in
// turn, so the index arithmetic is tested without a GPU.
//
// A block computes 256 rows x one band of columns of one tile (64 columns plain, 32 masked): every row of a column is
// in one block, because a column's sum must be complete before it is multiplied into the digest. Thread (ty, tx) = (id
// / 8, id % 8) keeps 8 x kCols score words in registers, rows ty + 32 r, columns tx + 8 c. Words arrive in shared
// memory in chunks of 8 through asynchronous copies, one chunk ahead. Rows are 12 words apart: eight threads reading 16
// bytes from eight neighbouring rows touch all 32 banks once.
#pragma once

#include "kernels/match/device.h"

namespace sparkmill::match::device {

/// What a launch over a run of tiles needs; the pointers are device memory.
struct LeafArgs {
  const sm_u32* requests;  ///< rows of 2 * words: sign plane, then validity plane
  const sm_u32* users;
  const sm_u32* row_key;     ///< a_i, or nullptr: no digest
  const sm_u64* column_key;  ///< B_j
  sm_u64* digests;           ///< [slot][leaf], zeroed before
  sm_u32* masks;             ///< this leaf's, [slot][row][8]
  sm_u32* scores;            ///< this leaf's, [slot][row][column], or nullptr
  sm_u64 tile_first;         ///< linear index in the range of slot 0
  sm_u32 request_count, user_count;
  sm_u32 request_first, user_first;  ///< global index of the first uploaded row
  sm_u32 request_key, user_key;      ///< global index of the first uploaded key word
  sm_u32 ti_begin, tj_begin, columns;
  sm_u32 words;  ///< 32-bit words of a plane: n / 32
  sm_u32 leaf, leaves;
  sm_i32 w1, w2, threshold;
};

inline constexpr sm_u32 kThreads = 256;
inline constexpr sm_u32 kItemRows = 8;
inline constexpr sm_u32 kChunk = 8;   // 32-bit words staged of each row and plane
inline constexpr sm_u32 kPitch = 12;  // 32-bit words between staged rows

/// 16 bytes that move in one shared-memory access.
struct alignas(16) Quad {
  sm_u32 x[4];
};

template <bool kMasked>
struct Shape {
  static constexpr sm_u32 kCols = kMasked ? 4 : 8;
  static constexpr sm_u32 kBand = 8 * kCols;
  static constexpr sm_u32 kBands = SM_TILE / kBand;
  static constexpr sm_u32 kBandWords = kBand / 32;
  static constexpr sm_u32 kPlanes = kMasked ? 2 : 1;
  static constexpr sm_u32 kRows = SM_TILE + kBand;                 // staged rows: requests, then users
  static constexpr sm_u32 kStageWords = kPlanes * kRows * kPitch;  // one stage
  static constexpr sm_u32 kBitWords = SM_TILE * kBandWords;
  static constexpr sm_u32 kSharedWords = 2 * kStageWords + kBitWords + kBand + 2;
  static constexpr sm_u32 kSharedBytes = kSharedWords * 4;
};

/// Shared memory of a block, carved from one array of Shape::kSharedWords words.
template <bool kMasked>
struct Shared {
  using S = Shape<kMasked>;
  sm_u32* base;
  SM_FN sm_u32* stage(sm_u32 which) const { return base + which * S::kStageWords; }
  SM_FN sm_u32* bits() const { return base + 2 * S::kStageWords; }
  SM_FN sm_u32* sums() const { return bits() + S::kBitWords; }
  SM_FN sm_u64* total() const { return reinterpret_cast<sm_u64*>(sums() + S::kBand); }
};

/// Which part of which tile a block has.
struct Place {
  sm_u32 slot, ti, tj, band;
  sm_u32 rows, columns;  ///< real rows of the tile, real columns of the band
};
template <bool kMasked>
SM_FN Place place(const LeafArgs& a, sm_u32 block) {
  using S = Shape<kMasked>;
  Place p;
  p.slot = block / S::kBands;
  p.band = block % S::kBands * S::kBand;
  const sm_u64 tile = a.tile_first + p.slot;
  p.ti = a.ti_begin + (sm_u32)(tile / a.columns);
  p.tj = a.tj_begin + (sm_u32)(tile % a.columns);
  const sm_u32 rows = a.request_count - p.ti * SM_TILE;
  const sm_u32 columns = a.user_count - p.tj * SM_TILE;
  const sm_u32 left = columns > p.band ? columns - p.band : 0;
  p.rows = rows < SM_TILE ? rows : SM_TILE;
  p.columns = left < S::kBand ? left : S::kBand;
  return p;
}

template <bool kMasked>
struct Scores {
  sm_u32 v[kItemRows][Shape<kMasked>::kCols];
};

/// Phase 1: scores at their start value, shared counters at zero.
template <bool kMasked>
SM_FN void begin(sm_u32 id, const LeafArgs& a, Scores<kMasked>& s, Shared<kMasked> shared) {
  using S = Shape<kMasked>;
  const sm_u32 start = kMasked ? 0 : a.words << 21;  // K = 32 * words in the high half
  SM_UNROLL
  for (sm_u32 r = 0; r < kItemRows; ++r) {
    SM_UNROLL
    for (sm_u32 c = 0; c < S::kCols; ++c) s.v[r][c] = start;
  }
  for (sm_u32 k = id; k < S::kBitWords; k += kThreads) shared.bits()[k] = 0;
  if (id < S::kBand) shared.sums()[id] = 0;
  if (id == 0) *shared.total() = 0;
}

/// Phase 2: this thread's part of the copies of words [w0, w0 + kChunk) into a stage, 8 bytes each; words and rows that
/// do not exist become zero, which adds nothing to a score.
template <bool kMasked, class Env>
SM_FN void stage(Env env, sm_u32 id, const LeafArgs& a, const Place& p, sm_u32 w0, sm_u32* to) {
  using S = Shape<kMasked>;
  // Four threads a row, 64 lines at a time: four times the requests of a plane, and once the users of all planes.
  static_assert(kChunk == 8 && kThreads == 256 && S::kPlanes * S::kBand == 64);
  const sm_u32 line = id / 4, piece = id % 4 * 2, w = w0 + piece;
  const bool inside = w < a.words;
  const sm_u64 stride = 2 * (sm_u64)a.words;
  const sm_u32* requests = a.requests + (p.ti * SM_TILE - a.request_first + line) * stride + w;
  const sm_u32* users = a.users + (p.tj * SM_TILE + p.band - a.user_first + line % S::kBand) * stride + w;
  SM_UNROLL
  for (sm_u32 plane = 0; plane < S::kPlanes; ++plane) {
    SM_UNROLL
    for (sm_u32 k = 0; k < 4; ++k) {
      const sm_u32 row = line + 64 * k;
      const bool real = inside && row < p.rows;
      env.copy8(to + (plane * S::kRows + row) * kPitch + piece,
                real ? requests + 64 * k * stride + plane * a.words : a.requests, real);
    }
  }
  const sm_u32 plane = line / S::kBand, row = line % S::kBand;
  const bool real = inside && row < p.columns;
  env.copy8(to + (plane * S::kRows + SM_TILE + row) * kPitch + piece, real ? users + plane * a.words : a.users, real);
}

SM_FN Quad load_quad(const sm_u32* p) { return *reinterpret_cast<const Quad*>(p); }

/// Phase 3: a staged chunk into the scores.
template <bool kMasked>
SM_FN void accumulate(sm_u32 id, const sm_u32* from, Scores<kMasked>& s) {
  using S = Shape<kMasked>;
  const sm_u32 ty = id / 8, tx = id % 8;
  constexpr sm_u32 kValid = S::kRows * kPitch;  // from a sign word to its validity word
  SM_UNROLL_NOT
  for (sm_u32 q = 0; q < kChunk; q += 4) {  // unrolled, the loads of the next step would cost spills
    Quad b[S::kCols], bv[S::kCols];
    SM_UNROLL
    for (sm_u32 c = 0; c < S::kCols; ++c) {
      const sm_u32* at = from + (SM_TILE + tx + 8 * c) * kPitch + q;
      b[c] = load_quad(at);
      if constexpr (kMasked) bv[c] = load_quad(at + kValid);
    }
    SM_UNROLL
    for (sm_u32 r = 0; r < kItemRows; ++r) {
      const sm_u32* at = from + (ty + 32 * r) * kPitch + q;
      const Quad x = load_quad(at);
      if constexpr (kMasked) {
        const Quad xv = load_quad(at + kValid);
        SM_UNROLL
        for (sm_u32 c = 0; c < S::kCols; ++c) {
          sm_u32 m[4], d[4];
          SM_UNROLL
          for (int k = 0; k < 4; ++k) {
            m[k] = xv.x[k] & bv[c].x[k];
            d[k] = (x.x[k] ^ b[c].x[k]) & m[k];
          }
          s.v[r][c] += sm_count4(d[0], d[1], d[2], d[3]) + (sm_count4(m[0], m[1], m[2], m[3]) << 16);
        }
      } else {
        SM_UNROLL
        for (sm_u32 c = 0; c < S::kCols; ++c)
          s.v[r][c] += sm_count4(x.x[0] ^ b[c].x[0], x.x[1] ^ b[c].x[1], x.x[2] ^ b[c].x[2], x.x[3] ^ b[c].x[3]);
      }
    }
  }
}

/// Phase 4: decisions into shared bits, column sums into shared sums, scores out where asked for.
template <bool kMasked, class Env>
SM_FN void decide(Env env, sm_u32 id, const LeafArgs& a, const Place& p, const Scores<kMasked>& s,
                  Shared<kMasked> shared) {
  using S = Shape<kMasked>;
  const sm_u32 ty = id / 8, tx = id % 8;
  SM_UNROLL
  for (sm_u32 c = 0; c < S::kCols; ++c) {
    const sm_u32 column = tx + 8 * c;
    sm_u32 sum = 0;
    SM_UNROLL
    for (sm_u32 r = 0; r < kItemRows; ++r) {
      const sm_u32 row = ty + 32 * r;
      const sm_u32 v = s.v[r][c];
      const bool real = row < p.rows && column < p.columns;
      if (real && sm_holds(v, a.w1, a.w2, a.threshold))
        env.or_shared(shared.bits() + row * S::kBandWords + column / 32, 1u << (column % 32));
      if (a.row_key != nullptr && real) sum += sm_bind(v, a.row_key[p.ti * SM_TILE - a.request_key + row]);
      if (a.scores != nullptr) a.scores[((sm_u64)p.slot * SM_TILE + row) * SM_TILE + p.band + column] = v;
    }
    if (a.row_key != nullptr) env.add_shared(shared.sums() + column, sum);
  }
}

/// Phase 5: bits to memory; each real column's sum into the block's total.
template <bool kMasked, class Env>
SM_FN void gather(Env env, sm_u32 id, const LeafArgs& a, const Place& p, Shared<kMasked> shared) {
  using S = Shape<kMasked>;
  for (sm_u32 k = id; k < S::kBitWords; k += kThreads)
    a.masks[((sm_u64)p.slot * SM_TILE + k / S::kBandWords) * 8 + p.band / 32 + k % S::kBandWords] = shared.bits()[k];
  if (a.row_key != nullptr && id < p.columns) {
    const sm_u64 b = a.column_key[p.tj * SM_TILE + p.band - a.user_key + id];
    env.add_shared(shared.total(), sm_column(b, shared.sums()[id]));
  }
}

/// Phase 6: the block's total into the tile's digest (addition mod 2^64: any order gives the same bits).
template <bool kMasked, class Env>
SM_FN void finish(Env env, sm_u32 id, const LeafArgs& a, const Place& p, Shared<kMasked> shared) {
  if (id == 0 && a.row_key != nullptr) env.add_global(a.digests + (sm_u64)p.slot * a.leaves + a.leaf, *shared.total());
}

/// A WSUM over 64 pairs: word `at` of the launch's masks. `terms` are {leaf, weight, w1, w2}.
struct WsumArgs {
  const sm_u32* scores;  ///< [leaf][slot][row][column]
  sm_u64 leaf_stride;    ///< scores between leaves
  const sm_i32* terms;
  sm_u32 count;
  sm_i32 imm;
  sm_u64* masks;
};
SM_FN void wsum_word(const WsumArgs& a, sm_u64 at) {
  sm_u64 word = 0;
  for (sm_u32 bit = 0; bit < 64; ++bit) {
    sm_i64 sum = 0;
    for (sm_u32 t = 0; t < a.count; ++t) {
      const sm_i32* term = a.terms + 4 * t;
      sum += sm_weighted(a.scores[(sm_u64)(sm_u32)term[0] * a.leaf_stride + at * 64 + bit], term[2], term[3], term[1]);
    }
    word |= (sm_u64)(sum >= (sm_i64)a.imm) << bit;
  }
  a.masks[at] = word;
}

/// The predicate on one mask word, clipped to real rows and columns; hits are counted per tile.
struct CombineArgs {
  const sm_i32* program;
  const sm_u64* leaf_masks;
  const sm_u64* wsum_masks;
  sm_u64* hits;
  sm_u32* counts;  ///< [slot], zeroed before
  sm_u64 stride;   ///< words between leaves (and between WSUMs)
  sm_u64 tile_first;
  sm_u32 ops;
  sm_u32 request_count, user_count, ti_begin, tj_begin, columns;
};
template <class Env>
SM_FN void combine_word(Env env, const CombineArgs& a, sm_u64 at) {
  const sm_u64 slot = at / SM_TILE_WORDS, tile = a.tile_first + slot;
  const sm_u32 row = (sm_u32)(at % SM_TILE_WORDS) / SM_ROW_WORDS, w = (sm_u32)(at % SM_ROW_WORDS);
  const sm_u32 i = (a.ti_begin + (sm_u32)(tile / a.columns)) * SM_TILE + row;
  const sm_u32 columns = a.user_count - (a.tj_begin + (sm_u32)(tile % a.columns)) * SM_TILE;
  sm_u64 word = sm_eval(a.program, a.ops, a.leaf_masks, a.stride, a.wsum_masks, a.stride, at);
  word = i < a.request_count ? word & sm_clip(columns, w) : 0;
  a.hits[at] = word;
  if (word != 0) env.add_global(a.counts + slot, sm_popc64(word));
}

}  // namespace sparkmill::match::device
