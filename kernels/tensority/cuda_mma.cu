// SPDX-License-Identifier: Apache-2.0
// Chains of `tensority` on the int8 tensor cores by mma.sync (compute capability 8.0 and on). A block has a chain, a
// warp 32 of its rows: the state stays in registers as operand A, and what the sums fold to is the operand of the next
// step (cuda_block.h). B passes through shared memory in chunks of 32 rows, 8 KiB, copied three chunks ahead.
#include "kernels/tensority/cuda_launch.h"

namespace sparkmill::tensority::device {

namespace {

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

constexpr sm_u32 kChunkBytes = 32 * SM_DIM, kChunks = kMatrix / kChunkBytes, kSlots = 4, kAhead = kSlots - 1;
static_assert(kChunkBytes == 4 * kStride);

/// 32 rows of a state: registers of A for two blocks of 16 rows and eight steps along k.
struct Rows {
  sm_u32 a[2][8][4];
};

__device__ __forceinline__ void copy16(sm_u32 shared, const unsigned char* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared), "l"(from) : "memory");
}
__device__ __forceinline__ void commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <sm_u32 kLeft>
__device__ __forceinline__ void wait_all_but() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
}
__device__ __forceinline__ void load_cores(sm_u32 shared, sm_u32* b) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(b[0]), "=r"(b[1]), "=r"(b[2]), "=r"(b[3])
               : "r"(shared)
               : "memory");
}
__device__ __forceinline__ void multiply(sm_u32* sums, const sm_u32* a, const sm_u32* b) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+r"(sums[0]), "+r"(sums[1]), "+r"(sums[2]), "+r"(sums[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

struct Shared {
  alignas(128) unsigned char ring[kSlots * kChunkBytes];
  unsigned char order[2][32];  ///< index sequences of the chain at work and of the next one, by turns
};

/// This thread's part of the copy of a chunk (0..7) of step t into its slot. Step 64 is step 1 of the next chain. Where
/// there is none: an empty group, to keep count.
__device__ __forceinline__ void fetch(const ChainArgs& args, Shared& shared, sm_u32 chain, sm_u32 t, sm_u32 chunk) {
  const sm_u32 turn = chain / gridDim.x & 1;
  if (t < SM_STEPS || chain + gridDim.x < args.chains) {
    const sm_u32 number = t < SM_STEPS ? shared.order[turn][t % 32] : shared.order[turn ^ 1][1];
    const unsigned char* from = args.matrices + (number * kMatrix + chunk * kChunkBytes + threadIdx.x * 16);
    const auto to = static_cast<sm_u32>(__cvta_generic_to_shared(shared.ring)) + chunk % kSlots * kChunkBytes;
#pragma unroll
    for (sm_u32 at = 0; at < kChunkBytes; at += kBlockThreads * 16) copy16(to + at + threadIdx.x * 16, from + at);
  }
  commit();
}

/// Step t of the warp's rows.
__device__ __forceinline__ void step(const ChainArgs& args, Shared& shared, sm_u32 chain, sm_u32 t, const Rows& from,
                                     Rows& to) {
#pragma unroll
  for (sm_u32 chunk = 0; chunk < kChunks; ++chunk) {
    wait_all_but<kAhead - 1>();
    __syncthreads();  // the chunk is here for all, and the slot of the one before it is free
    fetch(args, shared, chain, t + (chunk + kAhead) / kChunks, (chunk + kAhead) % kChunks);
    const sm_u32 cores = static_cast<sm_u32>(__cvta_generic_to_shared(shared.ring)) + chunk % kSlots * kChunkBytes +
                         ldmatrix_at(threadIdx.x % 32);
#pragma unroll
    for (sm_u32 half = 0; half < 2; ++half) {  // 16 columns: more sums at once would not fit beside two states
      sm_u32 sums[2][8];
#pragma unroll
      for (sm_u32 k = 0; k < 8; ++k) sums[0][k] = sums[1][k] = 0;
#pragma unroll
      for (sm_u32 s = 0; s < 8; ++s) {
        sm_u32 columns[4];
        load_cores(cores + s * 2 * kLeading + half * 2 * kStride, columns);
#pragma unroll
        for (sm_u32 j = 0; j < 2; ++j) {
          multiply(sums[0] + 4 * j, from.a[0][s], columns + 2 * j);
          multiply(sums[1] + 4 * j, from.a[1][s], columns + 2 * j);
        }
      }
      next_fragment(sums[0], to.a[0][chunk] + 2 * half);
      next_fragment(sums[1], to.a[1][chunk] + 2 * half);
    }
  }
}

#endif

__global__ void __launch_bounds__(kBlockThreads, 1) chain_mma(const ChainArgs args) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  __shared__ Shared shared;
  const sm_u32 lane = threadIdx.x % 32, block = threadIdx.x / 32 * 2;
  if (threadIdx.x < 32) shared.order[0][lane] = args.sequences[blockIdx.x * 32 + lane];
  __syncthreads();
  for (sm_u32 chunk = 0; chunk < kAhead; ++chunk) fetch(args, shared, blockIdx.x, 1, chunk);
  for (sm_u32 chain = blockIdx.x; chain < args.chains; chain += gridDim.x) {
    // Nobody reads this turn's place any more: all passed the last barrier of the chain before, after which only its
    // successor's order is used.
    const sm_u32 after = chain + gridDim.x;
    if (threadIdx.x < 32 && after < args.chains)
      shared.order[after / gridDim.x & 1][lane] = args.sequences[after * 32 + lane];
    Rows one, two;
    const unsigned char* first = args.first + args.sequences[chain * 32] * kMatrix;
#pragma unroll
    for (sm_u32 m = 0; m < 2; ++m) {
#pragma unroll
      for (sm_u32 s = 0; s < 8; ++s) {
        const uint4 v = __ldg(reinterpret_cast<const uint4*>(first + 4 * fragment_at(block + m, s, lane)));
        one.a[m][s][0] = v.x, one.a[m][s][1] = v.y, one.a[m][s][2] = v.z, one.a[m][s][3] = v.w;
      }
    }
#pragma unroll 1
    for (sm_u32 t = 1;; t += 2) {  // two steps a turn, so that states need not be moved back
      step(args, shared, chain, t, one, two);
      if (t == SM_STEPS - 1) break;
      step(args, shared, chain, t + 1, two, one);
    }
    sm_u32* to = args.states + static_cast<std::size_t>(chain) * SM_STATE_WORDS;
#pragma unroll
    for (sm_u32 m = 0; m < 2; ++m) {
#pragma unroll
      for (sm_u32 s = 0; s < 8; ++s) {
        __stcs(reinterpret_cast<uint4*>(to + fragment_at(block + m, s, lane)),
               make_uint4(two.a[m][s][0], two.a[m][s][1], two.a[m][s][2], two.a[m][s][3]));
      }
    }
  }
  wait_all_but<0>();
#endif
}

}  // namespace

cudaError_t mma_attributes(cudaFuncAttributes& to) { return cudaFuncGetAttributes(&to, chain_mma); }

cudaError_t launch_mma(const ChainArgs& args, std::uint32_t processors, cudaStream_t stream) {
  const sm_u32 blocks = args.chains < processors ? args.chains : processors;
  chain_mma<<<blocks, kBlockThreads, 0, stream>>>(args);
  return cudaGetLastError();
}

}  // namespace sparkmill::tensority::device
