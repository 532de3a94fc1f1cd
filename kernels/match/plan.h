// SPDX-License-Identifier: Apache-2.0
// What every device row of `match` does on the host: the predicate flattened for sm_eval, the order of tiles, the size
// of the next launch, and mask bits turned into pairs.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/match/device.h"
#include "kernels/match/match.h"

namespace sparkmill::match {

inline constexpr std::size_t kTileWords = SM_TILE_WORDS;
static_assert(SM_TILE == kTile && SM_STACK == kMaxLeaves);

/// A predicate as device.h reads it.
struct Plan {
  struct Wsum {
    std::int32_t imm = 0;
    std::vector<std::int32_t> terms;  ///< {leaf, weight, w1, w2} a term
  };
  std::vector<std::int32_t> program;  ///< {code, arg, imm} an op
  std::vector<Wsum> wsums;            ///< in program order
  std::uint32_t ops() const { return static_cast<std::uint32_t>(program.size() / 3); }
};
Plan make_plan(const Predicate& predicate);

/// Tile `index` of a range in row-major order.
struct TileAt {
  std::uint32_t ti = 0, tj = 0;
};
inline TileAt tile_at(const TileRange& range, std::uint64_t index) {
  return {range.ti_begin + static_cast<std::uint32_t>(index / range.columns()),
          range.tj_begin + static_cast<std::uint32_t>(index % range.columns())};
}

/// Sets the sizes of `out` for a task and clears it.
void prepare(const Task& task, TileResults& out);

/// Appends the pairs of one tile's mask (kTileWords words, 4 a row) in row-major order.
void append_pairs(std::span<const std::uint64_t> mask, TileAt tile, std::vector<Pair>& pairs);

/// Error too_large once `total` pairs are over the limit of a slice.
Done check_pair_count(std::uint64_t total);

/// How many tiles the next launch takes so that it lasts about 25 ms: the stop token is polled between launches, and a
/// desktop that shares the card stays usable.
class LaunchSize {
 public:
  explicit LaunchSize(std::uint64_t limit) : limit_(limit), tiles_(limit < kFirst ? limit : kFirst) {}
  std::uint64_t tiles() const { return tiles_; }
  void took(std::uint64_t tiles, double seconds);

 private:
  static constexpr std::uint64_t kFirst = 8;
  std::uint64_t limit_;
  std::uint64_t tiles_;
};

/// Rows [first, first + count) of one side that a range needs.
struct RowSpan {
  std::uint32_t first = 0, count = 0;
};
RowSpan request_rows(const Task& task);
RowSpan user_rows(const Task& task);

}  // namespace sparkmill::match
