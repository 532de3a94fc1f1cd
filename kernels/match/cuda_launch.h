// SPDX-License-Identifier: Apache-2.0
// What the CUDA row's host code asks of the device code that nvcc compiles. All calls are asynchronous on `stream`
// except compact(), which returns when the pairs are counted.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/match/cuda_block.h"

namespace sparkmill::match::device {

/// A matched pair as the device writes it; same layout as match::Pair.
struct DevicePair {
  std::uint32_t i, j;
};

/// Where the tiles of a launch lie: tile of slot s is tile_first + s in the range.
struct TileOrder {
  std::uint64_t tile_first;
  std::uint32_t ti_begin, tj_begin, columns;
};

/// Dynamic shared memory that the leaf kernels need at most.
inline constexpr std::size_t kMaxSharedBytes = Shape<true>::kSharedBytes;

/// To be called once per device before launch_leaf: lets the kernels use their shared memory.
cudaError_t prepare_kernels();
cudaError_t launch_leaf(const LeafArgs& args, bool masked, std::uint32_t tiles, cudaStream_t stream);
cudaError_t launch_wsum(const WsumArgs& args, std::uint32_t tiles, cudaStream_t stream);
cudaError_t launch_combine(const CombineArgs& args, std::uint32_t tiles, cudaStream_t stream);

/// Turns the hit masks of `words` words into pairs in order. `index` and `offset` hold `words` entries each; `pairs`
/// has room for all hits. Throws nothing; a Thrust failure comes back as cudaErrorUnknown.
cudaError_t compact(const std::uint64_t* hits, std::uint32_t words, const TileOrder& order, std::uint32_t* index,
                    std::uint32_t* offset, DevicePair* pairs, cudaStream_t stream);

}  // namespace sparkmill::match::device
