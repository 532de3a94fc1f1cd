// SPDX-License-Identifier: Apache-2.0
// The compaction of hits that the CUDA row runs on the GPU, here on Thrust's CPU system against the plain loop of
// plan.h.
#include <gtest/gtest.h>

#include <random>

#include "kernels/match/cuda_compact.h"
#include "kernels/match/plan.h"

namespace sparkmill::match {
namespace {

/// Pairs of masks over tiles `first`... of a range, both ways.
void check(const std::vector<std::uint64_t>& hits, const TileRange& range, std::uint64_t first) {
  std::vector<Pair> want;
  const std::size_t tiles = hits.size() / kTileWords;
  for (std::size_t t = 0; t < tiles; ++t)
    append_pairs(std::span(hits).subspan(t * kTileWords, kTileWords), tile_at(range, first + t), want);
  const auto words = static_cast<std::uint32_t>(hits.size());
  std::vector<std::uint32_t> index(words), offset(words);
  std::vector<device::DevicePair> pairs(want.size());
  const device::TileOrder order{first, range.ti_begin, range.tj_begin, range.columns()};
  device::compact_with(thrust::host, hits.data(), words, order, index.data(), offset.data(), pairs.data());
  for (std::size_t k = 0; k < want.size(); ++k) ASSERT_EQ((Pair{pairs[k].i, pairs[k].j}), want[k]) << k;
}

TEST(Compact, NothingAndEverything) {
  check({}, {0, 1, 0, 1}, 0);
  check(std::vector<std::uint64_t>(2 * kTileWords, 0), {0, 1, 0, 2}, 0);
  check(std::vector<std::uint64_t>(2 * kTileWords, ~std::uint64_t{0}), {0, 1, 0, 2}, 0);
}

TEST(Compact, SparseHitsKeepTheirOrder) {
  std::mt19937_64 g(1);
  for (const unsigned sparsity : {1u, 16u, 400u, 5000u}) {
    std::vector<std::uint64_t> hits(7 * kTileWords);
    for (std::uint64_t& h : hits) h = g() % sparsity == 0 ? g() : 0;
    check(hits, {3, 6, 10, 14}, 2);  // a launch that begins inside a tile row and passes two ends
  }
}

TEST(Compact, CornersOfATile) {
  for (const std::size_t word : {std::size_t{0}, std::size_t{3}, kTileWords - 4, kTileWords - 1}) {
    for (const int bit : {0, 31, 32, 63}) {
      std::vector<std::uint64_t> hits(kTileWords);
      hits[word] = std::uint64_t{1} << bit;
      check(hits, {65535, 65536, 65535, 65536}, 0);  // the highest tile there is
    }
  }
}

}  // namespace
}  // namespace sparkmill::match
