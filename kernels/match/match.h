// SPDX-License-Identifier: Apache-2.0
// Contract of the family `match`: all-pairs scores of trit templates in tiles of 256 x 256, a predicate over them, the
// hits in row-major order, and a keyed digest per tile and leaf that binds every score.
//
// Template row: n/8 bytes sign plane, then n/8 bytes validity plane; element k is bit k%8 of byte k/8 (LSB first).
// sign = 1 means -1; sign is 0 where validity is 0. n is a multiple of 64 in [64, 16384].
// For a pair (a, b): K = number of jointly valid elements, ham = jointly valid elements that differ, dot = K - 2 ham.
// Score word v = ham | K << 16. All arithmetic is integer: every row gives the same bits.
// Source: docs/formats.md; "PCB double-blind matching" 1.3, 1.4, 4.1; jobs and proofs 5. Variable time: inputs are
// disclosed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/stop.h"
#include "kernels/kernel.h"
#include "kernels/match/predicate.h"

namespace sparkmill::match {

inline constexpr std::uint32_t kTile = 256;
inline constexpr std::uint32_t kMinN = 64;
inline constexpr std::uint32_t kMaxN = 16384;
inline constexpr std::uint32_t kMaxRows = 1u << 24;
/// A slice that finds more pairs than this stops with Status::too_large: its threshold is too low to be meant.
inline constexpr std::uint64_t kMaxPairsPerSlice = 1u << 22;

/// The templates of one side and field. `rows` points at `count` rows of n/4 bytes each, 8-byte aligned, and outlives
/// the call.
struct Planes {
  const std::uint8_t* rows = nullptr;
  std::uint32_t count = 0;
  std::uint32_t n = 0;
  bool all_valid = false;  ///< every validity bit of every row is set (checked by the loader): plain form may be used
  std::uint64_t content_id = 0;  ///< equal id means equal content: device rows may keep an upload. 0: do not keep
  const std::uint8_t* row(std::uint32_t i) const { return rows + std::size_t{i} * (n / 4); }
};

/// One field: both sides have the same n. All fields of a task have the same counts of requests and of users.
struct FieldPair {
  Planes requests;
  Planes users;
};

/// Tiles [ti_begin, ti_end) x [tj_begin, tj_end); tile (ti, tj) covers requests 256 ti.. and users 256 tj.., clipped at
/// the real counts. Requires ti_end <= ceil(requests/256), tj_end <= ceil(users/256).
struct TileRange {
  std::uint32_t ti_begin = 0, ti_end = 0, tj_begin = 0, tj_end = 0;
  std::uint32_t rows() const { return ti_end - ti_begin; }
  std::uint32_t columns() const { return tj_end - tj_begin; }
  std::uint64_t tiles() const { return std::uint64_t{rows()} * columns(); }
};

/// Digest key words. row[i] = a_i, column[j] = B_j (odd), by global index of request and user; must cover the task's
/// rows.
struct DigestWords {
  std::vector<std::uint32_t> row;
  std::vector<std::uint64_t> column;
};
/// a_i = 32-bit word i of ChaCha20(key, nonce 0); B_j = 64-bit word j of ChaCha20(key, nonce 1) with its lowest bit
/// set.
DigestWords expand_digest_words(const Hash32& key, std::uint32_t requests, std::uint32_t users);

struct Pair {
  std::uint32_t i = 0;  ///< request, global index
  std::uint32_t j = 0;  ///< user, global index
  auto operator<=>(const Pair&) const = default;
};

struct Task {
  std::span<const FieldPair> fields;     ///< indexed by a leaf's field
  const Predicate* predicate = nullptr;  ///< validated; every leaf's field < fields.size()
  const DigestWords* words = nullptr;    ///< nullptr: no digests (offline search without proof)
  TileRange tiles;
  bool force_masked = false;  ///< bench and tests: do not use the plain form even where it applies
};

/// Buffers are reused between calls; a kernel clears and fills them.
struct TileResults {
  std::vector<std::uint64_t>
      digests;  ///< [tile][leaf], tiles row-major in the range; empty without words.
                ///< digest = sum_j B_j * S_j mod 2^64, S_j = sum_i (v_ij xor a_i) mod 2^32, real rows and columns only
  std::vector<std::uint32_t> counts;  ///< matched pairs of each tile
  std::vector<Pair> pairs;            ///< all tiles in order, row-major (i, then j) within a tile
};

class Kernel : public kernels::Kernel {
 public:
  /// Runs all tiles of the range. Work is 65,536 pairs x n bits x leaves a tile; the stop token is polled at least once
  /// a tile row on the CPU and between launches on devices. Errors: bad_argument (contract), cancelled, too_large
  /// (kMaxPairsPerSlice), no_device (lost device).
  virtual Done run(const Task& task, TileResults& out, const StopToken& stop) = 0;
};

/// The score word v of one pair, by plain scalar code (used to recompute claims).
std::uint32_t score_word(const std::uint8_t* request_row, const std::uint8_t* user_row, std::uint32_t n);

/// Checks what run() requires of a task; every row calls it first. Error: bad_argument with the reason.
Done check_task(const Task& task);

/// The too_large error of a slice that found more than kMaxPairsPerSlice pairs.
Error too_many_pairs();

}  // namespace sparkmill::match
