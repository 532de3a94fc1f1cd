// SPDX-License-Identifier: Apache-2.0
// Hit masks to pairs with Thrust, for any of its systems: CUDA in the row, C++ in the host test.
#pragma once

#include <thrust/copy.h>
#include <thrust/execution_policy.h>
#include <thrust/for_each.h>
#include <thrust/functional.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/transform_scan.h>

#include <cstdint>

#include "kernels/match/cuda_launch.h"

namespace sparkmill::match::device {

struct HasHits {
  SM_FN bool operator()(std::uint64_t word) const { return word != 0; }
};
struct HitsAt {
  const std::uint64_t* hits;
  SM_FN std::uint32_t operator()(std::uint32_t at) const { return sm_popc64(hits[at]); }
};
/// Writes the pairs of the k-th word that has hits.
struct Expand {
  const std::uint64_t* hits;
  const std::uint32_t* index;
  const std::uint32_t* offset;
  DevicePair* pairs;
  TileOrder order;
  SM_FN void operator()(std::uint32_t k) const {
    const std::uint32_t at = index[k];
    const std::uint64_t tile = order.tile_first + at / SM_TILE_WORDS;
    const std::uint32_t i = (order.ti_begin + static_cast<std::uint32_t>(tile / order.columns)) * SM_TILE +
                            at % SM_TILE_WORDS / SM_ROW_WORDS;
    const std::uint32_t j =
        (order.tj_begin + static_cast<std::uint32_t>(tile % order.columns)) * SM_TILE + at % SM_ROW_WORDS * 64;
    DevicePair* to = pairs + offset[k];
    for (std::uint64_t bits = hits[at]; bits != 0; bits &= bits - 1) {
      const std::uint64_t lowest = bits & (~bits + 1);
      *to++ = DevicePair{i, j + sm_popc64(lowest - 1)};
    }
  }
};

/// Returns the number of words that have hits. Word order is (tile, row, column), so pairs come out row-major per tile.
template <class Policy>
std::uint32_t compact_with(const Policy& policy, const std::uint64_t* hits, std::uint32_t words, const TileOrder& order,
                           std::uint32_t* index, std::uint32_t* offset, DevicePair* pairs) {
  const thrust::counting_iterator<std::uint32_t> zero(0);
  std::uint32_t* end = thrust::copy_if(policy, zero, zero + words, hits, index, HasHits{});
  const auto used = static_cast<std::uint32_t>(end - index);
  thrust::transform_exclusive_scan(policy, index, end, offset, HitsAt{hits}, std::uint32_t{0},
                                   thrust::plus<std::uint32_t>{});
  thrust::for_each_n(policy, zero, used, Expand{hits, index, offset, pairs, order});
  return used;
}

}  // namespace sparkmill::match::device
