// SPDX-License-Identifier: Apache-2.0
// Inner parts of match.h: the grid of tiles, their units, leaf hashes, and the stored form of a slice's result.
#pragma once

#include "verify/job/job.h"
#include "verify/job/match_h.h"

namespace sparkmill::job {

/// Shape of a job: real rows and columns cut into tiles of 256 x 256.
struct Grid {
  std::uint32_t requests = 0;
  std::uint32_t users = 0;
  std::uint32_t leaves = 0;    ///< predicate leaves
  std::uint64_t weight32 = 0;  ///< sum over leaves of n / 64

  std::uint32_t tile_rows() const { return (requests + match::kTile - 1) / match::kTile; }
  std::uint32_t tile_columns() const { return (users + match::kTile - 1) / match::kTile; }
  std::uint64_t tiles() const { return std::uint64_t{tile_rows()} * tile_columns(); }
  std::uint64_t tile_of(match::Pair p) const {
    return std::uint64_t{p.i / match::kTile} * tile_columns() + p.j / match::kTile;
  }
  match::TileRange range_of(std::uint64_t tile) const;
  std::uint64_t units(const match::TileRange& range) const;
  bool contains(const match::TileRange& range) const;
  /// Bytes a leaf takes in evidence and openings: a u64 digest for each predicate leaf, u32 count.
  std::size_t stride() const { return leaves * sizeof(std::uint64_t) + sizeof(std::uint32_t); }
};

/// True when the pairs lie in the grid and ascend by (tile, i, j): the one order an answer may have.
bool in_answer_order(const Grid& grid, std::span<const match::Pair> pairs);

/// Blocks of tiles of about `target_units`, row blocks outermost; the blocks of a row block share its requests.
std::vector<Slice> cut(const Grid& grid, std::uint64_t target_units);

/// H(0x00 | u32 ti | u32 tj | u64 digest for each leaf | u32 count | H(pairs)). `digests` are little-endian bytes.
Hash32 leaf_hash(std::uint32_t ti, std::uint32_t tj, ByteView digests, std::span<const match::Pair> pairs);

/// Stored form: u64 tag | u32 ti0, ti1, tj0, tj1 | u32 leaves | u32 pairs | digests [tile][leaf] u64 | counts [tile]
/// u32 | pairs (u32 i, u32 j). The tag ties it to job and lease.
Bytes encode_slice(std::uint64_t tag, const match::TileRange& range, std::uint32_t leaves,
                   const match::TileResults& results);

/// A parsed slice result that points into its bytes.
class SliceView {
 public:
  /// Error: bad_input for anything but the exact layout, a range in the grid, and pairs in their tiles, in order.
  static Result<SliceView> parse(ByteView bytes, const Grid& grid, std::uint64_t tag);
  const match::TileRange& range() const { return range_; }
  ByteView digests(std::uint64_t tile_in_range) const { return digests_.subspan(tile_in_range * width_, width_); }
  std::uint32_t count(std::uint64_t tile_in_range) const;
  const std::vector<match::Pair>& pairs() const { return pairs_; }

 private:
  SliceView() = default;
  Done check_pairs(const Grid& grid) const;
  match::TileRange range_;
  std::size_t width_ = 0;
  ByteView digests_;
  ByteView counts_;
  std::vector<match::Pair> pairs_;
};

}  // namespace sparkmill::job
