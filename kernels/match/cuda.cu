// SPDX-License-Identifier: Apache-2.0
// CUDA entry points of `match`: the phases of cuda_block.h with barriers and double-buffered asynchronous copies.
#include <cuda_pipeline_primitives.h>

#include "kernels/match/cuda_launch.h"

namespace sparkmill::match::device {

namespace {

struct GpuEnv {
  __device__ __forceinline__ void copy8(sm_u32* to, const sm_u32* from, bool real) const {
    __pipeline_memcpy_async(to, from, 8, real ? 0 : 8);
  }
  __device__ __forceinline__ void or_shared(sm_u32* at, sm_u32 bits) const { atomicOr(at, bits); }
  __device__ __forceinline__ void add_shared(sm_u32* at, sm_u32 v) const { atomicAdd(at, v); }
  __device__ __forceinline__ void add_shared(sm_u64* at, sm_u64 v) const { add_global(at, v); }
  __device__ __forceinline__ void add_global(sm_u32* at, sm_u32 v) const { atomicAdd(at, v); }
  __device__ __forceinline__ void add_global(sm_u64* at, sm_u64 v) const {
    atomicAdd(reinterpret_cast<unsigned long long*>(at), static_cast<unsigned long long>(v));
  }
};

template <bool kMasked>
__global__ void __launch_bounds__(kThreads, 2) leaf_tiles(const LeafArgs a) {
  extern __shared__ __align__(16) sm_u32 memory[];
  const Shared<kMasked> shared{memory};
  const sm_u32 id = threadIdx.x;
  const Place p = place<kMasked>(a, blockIdx.x);
  const GpuEnv env;
  Scores<kMasked> s;
  begin<kMasked>(id, a, s, shared);
  stage<kMasked>(env, id, a, p, 0, shared.stage(0));
  __pipeline_commit();
  sm_u32 which = 0;
  for (sm_u32 w0 = 0; w0 < a.words; w0 += kChunk) {
    if (w0 + kChunk < a.words) stage<kMasked>(env, id, a, p, w0 + kChunk, shared.stage(which ^ 1));
    __pipeline_commit();
    __pipeline_wait_prior(1);  // the chunk before the one just asked for
    __syncthreads();
    accumulate<kMasked>(id, shared.stage(which), s);
    __syncthreads();
    which ^= 1;
  }
  decide<kMasked>(env, id, a, p, s, shared);
  __syncthreads();
  gather<kMasked>(env, id, a, p, shared);
  __syncthreads();
  finish<kMasked>(env, id, a, p, shared);
}

__global__ void __launch_bounds__(kThreads) wsum_tiles(const WsumArgs a) {
  wsum_word(a, static_cast<sm_u64>(blockIdx.x) * kThreads + threadIdx.x);
}

__global__ void __launch_bounds__(kThreads) combine_tiles(const CombineArgs a) {
  combine_word(GpuEnv{}, a, static_cast<sm_u64>(blockIdx.x) * kThreads + threadIdx.x);
}

template <bool kMasked>
cudaError_t allow_shared() {
  return cudaFuncSetAttribute(leaf_tiles<kMasked>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                              static_cast<int>(Shape<kMasked>::kSharedBytes));
}

}  // namespace

cudaError_t prepare_kernels() {
  const cudaError_t plain = allow_shared<false>();
  return plain != cudaSuccess ? plain : allow_shared<true>();
}

cudaError_t launch_leaf(const LeafArgs& args, bool masked, std::uint32_t tiles, cudaStream_t stream) {
  if (masked) {
    leaf_tiles<true><<<tiles * Shape<true>::kBands, kThreads, Shape<true>::kSharedBytes, stream>>>(args);
  } else {
    leaf_tiles<false><<<tiles * Shape<false>::kBands, kThreads, Shape<false>::kSharedBytes, stream>>>(args);
  }
  return cudaGetLastError();
}

cudaError_t launch_wsum(const WsumArgs& args, std::uint32_t tiles, cudaStream_t stream) {
  wsum_tiles<<<tiles*(SM_TILE_WORDS / kThreads), kThreads, 0, stream>>>(args);
  return cudaGetLastError();
}

cudaError_t launch_combine(const CombineArgs& args, std::uint32_t tiles, cudaStream_t stream) {
  combine_tiles<<<tiles*(SM_TILE_WORDS / kThreads), kThreads, 0, stream>>>(args);
  return cudaGetLastError();
}

}  // namespace sparkmill::match::device
