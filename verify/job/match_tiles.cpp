// SPDX-License-Identifier: Apache-2.0
#include "verify/job/match_tiles.h"

#include <algorithm>

#include "base/hash.h"

namespace sparkmill::job {
namespace {

static_assert(sizeof(match::Pair) == 8, "pairs are hashed as they lie in memory");

ByteView raw(std::span<const match::Pair> pairs) {
  return {reinterpret_cast<const std::uint8_t*>(pairs.data()), pairs.size_bytes()};
}

Error malformed(const std::string& why) { return fail(Status::bad_input, "slice result: " + why); }

std::uint32_t ceil_div(std::uint32_t a, std::uint32_t b) { return (a + b - 1) / b; }

}  // namespace

match::TileRange Grid::range_of(std::uint64_t tile) const {
  const auto ti = static_cast<std::uint32_t>(tile / tile_columns());
  const auto tj = static_cast<std::uint32_t>(tile % tile_columns());
  return {ti, ti + 1, tj, tj + 1};
}

bool Grid::contains(const match::TileRange& range) const {
  return range.ti_begin < range.ti_end && range.ti_end <= tile_rows() && range.tj_begin < range.tj_end &&
         range.tj_end <= tile_columns();
}

std::uint64_t Grid::units(const match::TileRange& range) const {
  const auto tile = [this](std::uint64_t rows, std::uint64_t columns) { return (rows * columns * weight32 + 31) / 32; };
  // Only the last tile row and column are clipped, so there are four sizes of tile.
  const bool last_row = range.ti_end == tile_rows();
  const bool last_column = range.tj_end == tile_columns();
  const std::uint64_t rows = range.rows() - (last_row ? 1u : 0u);
  const std::uint64_t columns = range.columns() - (last_column ? 1u : 0u);
  const std::uint64_t edge_rows = requests - (std::uint64_t{tile_rows()} - 1) * match::kTile;
  const std::uint64_t edge_columns = users - (std::uint64_t{tile_columns()} - 1) * match::kTile;
  std::uint64_t sum = rows * columns * tile(match::kTile, match::kTile);
  if (last_row) sum += columns * tile(edge_rows, match::kTile);
  if (last_column) sum += rows * tile(match::kTile, edge_columns);
  if (last_row && last_column) sum += tile(edge_rows, edge_columns);
  return sum;
}

bool in_answer_order(const Grid& grid, std::span<const match::Pair> pairs) {
  for (std::size_t k = 0; k < pairs.size(); ++k) {
    if (pairs[k].i >= grid.requests || pairs[k].j >= grid.users) return false;
    if (k == 0) continue;
    const std::uint64_t before = grid.tile_of(pairs[k - 1]);
    const std::uint64_t here = grid.tile_of(pairs[k]);
    if (before > here || (before == here && !(pairs[k - 1] < pairs[k]))) return false;
  }
  return true;
}

std::vector<Slice> cut(const Grid& grid, std::uint64_t target_units) {
  const std::uint64_t tile_units = std::max<std::uint64_t>(1, grid.units({0, 1, 0, 1}));
  const std::uint64_t wanted = std::clamp<std::uint64_t>(target_units / tile_units, 1, grid.tiles());
  // Up to 16 tile rows: 4096 requests, 2 MiB at n = 2048, fit the second-level cache while the users stream by.
  std::uint32_t rows = 1;
  while (rows < 16 && std::uint64_t{rows} * rows * 4 <= wanted) rows *= 2;
  rows = std::min(rows, grid.tile_rows());
  auto columns = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted / rows, grid.tile_columns()));
  if (columns == grid.tile_columns()) {
    rows = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted / columns, grid.tile_rows()));
  }
  // Even blocks instead of a thin rest.
  rows = ceil_div(grid.tile_rows(), ceil_div(grid.tile_rows(), rows));
  columns = ceil_div(grid.tile_columns(), ceil_div(grid.tile_columns(), columns));
  std::vector<Slice> slices;
  for (std::uint32_t ti = 0; ti < grid.tile_rows(); ti += rows) {
    for (std::uint32_t tj = 0; tj < grid.tile_columns(); tj += columns) {
      const match::TileRange r{ti, std::min(ti + rows, grid.tile_rows()), tj,
                               std::min(tj + columns, grid.tile_columns())};
      slices.push_back(
          {static_cast<std::uint32_t>(slices.size()), {r.ti_begin, r.ti_end, r.tj_begin, r.tj_end}, grid.units(r)});
    }
  }
  return slices;
}

Hash32 leaf_hash(std::uint32_t ti, std::uint32_t tj, ByteView digests, std::span<const match::Pair> pairs) {
  static const Hash32 kNoPairs = sha256({});
  const Hash32 inner = pairs.empty() ? kNoPairs : sha256(raw(pairs));
  std::array<std::uint8_t, 1 + 4 + 4 + 8 * match::kMaxLeaves + 4 + 32> text;
  std::size_t at = 0;
  const auto put = [&](const void* bytes, std::size_t size) {
    std::memcpy(text.data() + at, bytes, size);
    at += size;
  };
  const std::uint8_t prefix = 0x00;
  const auto count = static_cast<std::uint32_t>(pairs.size());
  put(&prefix, 1);
  put(&ti, sizeof ti);
  put(&tj, sizeof tj);
  put(digests.data(), digests.size());
  put(&count, sizeof count);
  put(inner.data(), inner.size());
  return sha256({text.data(), at});
}

Bytes encode_slice(std::uint64_t tag, const match::TileRange& range, std::uint32_t leaves,
                   const match::TileResults& results) {
  const std::size_t digest_bytes = results.digests.size() * sizeof(std::uint64_t);
  const std::size_t count_bytes = results.counts.size() * sizeof(std::uint32_t);
  Bytes out;
  out.reserve(32 + digest_bytes + count_bytes + raw(results.pairs).size());
  ByteWriter head;
  head.u64(tag)
      .u32(range.ti_begin)
      .u32(range.ti_end)
      .u32(range.tj_begin)
      .u32(range.tj_end)
      .u32(leaves)
      .u32(static_cast<std::uint32_t>(results.pairs.size()));
  out.insert(out.end(), head.data().begin(), head.data().end());
  const auto append = [&out](const void* data, std::size_t size) {
    const auto* p = static_cast<const std::uint8_t*>(data);
    out.insert(out.end(), p, p + size);
  };
  append(results.digests.data(), digest_bytes);
  append(results.counts.data(), count_bytes);
  append(results.pairs.data(), raw(results.pairs).size());
  return out;
}

std::uint32_t SliceView::count(std::uint64_t tile_in_range) const {
  std::uint32_t n = 0;
  std::memcpy(&n, counts_.data() + tile_in_range * sizeof n, sizeof n);
  return n;
}

Result<SliceView> SliceView::parse(ByteView bytes, const Grid& grid, std::uint64_t tag) {
  ByteReader r(bytes);
  const std::uint64_t got_tag = r.u64();
  SliceView v;
  v.range_.ti_begin = r.u32();
  v.range_.ti_end = r.u32();
  v.range_.tj_begin = r.u32();
  v.range_.tj_end = r.u32();
  const std::uint32_t leaves = r.u32();
  const std::uint32_t pairs = r.u32();
  if (r.failed()) return malformed("shorter than its head");
  if (got_tag != tag) return malformed("belongs to another job or lease");
  if (!grid.contains(v.range_)) return malformed("its tiles are outside the job");
  if (leaves != grid.leaves) return malformed("another number of predicate leaves");
  if (pairs > match::kMaxPairsPerSlice) return malformed("more pairs than a slice may have");
  const std::uint64_t tiles = v.range_.tiles();
  const std::uint64_t expected = tiles * grid.stride() + std::uint64_t{pairs} * sizeof(match::Pair);
  if (r.left() != expected) {
    return malformed(std::to_string(r.left()) + " bytes after the head, expected " + std::to_string(expected));
  }
  v.width_ = leaves * sizeof(std::uint64_t);
  v.digests_ = r.bytes(tiles * v.width_);
  v.counts_ = r.bytes(tiles * sizeof(std::uint32_t));
  const ByteView tail = r.bytes(pairs * sizeof(match::Pair));
  v.pairs_.resize(pairs);
  if (pairs > 0) std::memcpy(v.pairs_.data(), tail.data(), tail.size());
  SPARKMILL_TRY(v.check_pairs(grid));
  return v;
}

Done SliceView::check_pairs(const Grid& grid) const {
  if (!in_answer_order(grid, pairs_)) return malformed("pairs out of order or outside the job");
  std::size_t at = 0;
  for (std::uint64_t t = 0; t < range_.tiles(); ++t) {
    const std::uint64_t tile = (range_.ti_begin + t / range_.columns()) * std::uint64_t{grid.tile_columns()} +
                               range_.tj_begin + t % range_.columns();
    for (std::uint32_t k = count(t); k > 0; --k, ++at) {
      if (at >= pairs_.size() || grid.tile_of(pairs_[at]) != tile) return malformed("counts do not fit the pairs");
    }
  }
  if (at != pairs_.size()) return malformed("counts do not fit the pairs");
  return done();
}

}  // namespace sparkmill::job
