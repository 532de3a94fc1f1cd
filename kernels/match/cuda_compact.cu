// SPDX-License-Identifier: Apache-2.0
// The compaction of hits on Thrust's CUDA system, apart from cuda.cu because Thrust takes long to compile.
#include "kernels/match/cuda_compact.h"

#include <exception>

namespace sparkmill::match::device {

cudaError_t compact(const std::uint64_t* hits, std::uint32_t words, const TileOrder& order, std::uint32_t* index,
                    std::uint32_t* offset, DevicePair* pairs, cudaStream_t stream) {
  try {
    compact_with(thrust::cuda::par.on(stream), hits, words, order, index, offset, pairs);
    return cudaGetLastError();
  } catch (const std::exception&) {
    const cudaError_t e = cudaGetLastError();
    return e != cudaSuccess ? e : cudaErrorUnknown;
  }
}

}  // namespace sparkmill::match::device
