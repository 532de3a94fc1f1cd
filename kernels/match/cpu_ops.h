// SPDX-License-Identifier: Apache-2.0
// Between the CPU kernel (cpu.cpp, baseline code) and its per-ISA inner functions (cpu_impl.h in cpu_<isa>.cpp). Raw
// pointers only: a file with ISA flags must not instantiate library templates that baseline code could be linked to.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sparkmill::match::cpu {

/// Users are repacked into panels of P = Ops::panel_users users; word w of a panel is P consecutive u64 of sign words
/// (then, if masked, P of validity words): first the users 0, 2, 4.. of the panel, then 1, 3, 5.., so that two vectors
/// of 64-bit counts merge into one vector of 32-bit counts in natural order. Missing users are zero.
struct Panels {
  const std::uint64_t* data = nullptr;  ///< 64-byte aligned
  std::uint32_t words = 0;              ///< n / 64
  bool masked = false;
  std::size_t panel_words(unsigned users) const { return std::size_t{words} * users * (masked ? 2 : 1); }
};

/// The requests of one tile: `rows` rows of n/4 bytes in place. The last, incomplete group of Ops::row_group rows is
/// read from `tail`, a zero-padded copy, so that nothing beyond the input is touched.
struct RequestRows {
  const std::uint8_t* first = nullptr;
  const std::uint8_t* tail = nullptr;
  std::size_t stride = 0;
  std::uint32_t rows = 0;  ///< 1 to 256
};

/// The request rows that the next tile will read, brought nearer while this one computes.
struct NextRows {
  const std::uint8_t* row = nullptr;
  std::size_t stride = 0;
  std::uint32_t rows = 0;
  std::uint32_t bytes = 0;  ///< of each row: the sign plane, or both planes if masked
};

/// One tile of a predicate that is a single leaf: scores, decision and digest in one pass over registers.
struct FusedTile {
  Panels users;
  RequestRows requests;
  NextRows next;
  std::uint32_t panels = 0;             ///< panels with real users
  std::int32_t coefficients = 0;        ///< masked: i16 (-2 w1) | i16 (w1 - w2) << 16, applied to v
  std::int32_t limit = 0;               ///< plain: holds iff ham <= limit; masked: holds iff score >= limit
  const std::uint32_t* keys = nullptr;  ///< per tile row a_i, plain: a_i xor n << 16; null: no digest
  std::uint32_t* sums = nullptr;        ///< [256] S_j of the tile's columns, written if keys are given
  std::uint64_t* masks = nullptr;       ///< [256][4] decisions, zeroed by the caller; bits of missing users are noise
};

/// What a file with ISA flags exports. Scores are [256][P] u32 of one panel.
struct Ops {
  const char* isa;       ///< which file this is, "avx2"
  unsigned panel_users;  ///< 16 or 8
  unsigned row_group;    ///< rows a micro-kernel takes at most
  /// Repacks `count` users (at most 256) of `stride` bytes each.
  void (*pack)(const std::uint8_t* rows, std::size_t stride, std::uint32_t count, std::uint32_t words, bool masked,
               std::uint64_t* out);
  /// Returns whether any decision bit was set.
  bool (*fused)(const FusedTile& tile);
  /// Score words v = ham | K << 16 of one panel; rows beyond requests.rows stay unwritten.
  void (*scores)(const Panels& users, const RequestRows& requests, std::uint32_t panel, std::uint32_t* v);
  /// sums[P] = sum over rows of v xor keys.
  void (*sums)(const std::uint32_t* v, const std::uint32_t* keys, std::uint32_t rows, std::uint32_t* sums);
  /// Decision bits of one panel: i16 coefficients applied to v, >= threshold.
  void (*decide)(const std::uint32_t* v, std::int32_t coefficients, std::int32_t threshold, std::uint32_t rows,
                 std::uint32_t panel, std::uint64_t* masks);
};

const Ops& avx2_ops();
const Ops& avx512_ops();

}  // namespace sparkmill::match::cpu
