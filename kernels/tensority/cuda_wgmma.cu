// SPDX-License-Identifier: Apache-2.0
// Chains of `tensority` by wgmma (compute capability 9.0). A block has a chain and two warpgroups of 128 rows each, as
// two tiles of 64. A tile's state stays in registers as operand A; a product of 64 x 256 x 256 is eight wgmma, and what
// its sums fold to is the operand of the next step (cuda_block.h). The flow is that of cuda_turns.h.
#include "kernels/tensority/cuda_launch.h"
#include "kernels/tensority/cuda_turns.h"

namespace sparkmill::tensority::device {

namespace {

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

constexpr sm_u32 kGroupThreads = 128;
constexpr long long kLateCycles = 1ll << 33;  // some seconds: a copy that takes so long will never come

__device__ __forceinline__ sm_u32 address(const void* shared) {
  return static_cast<sm_u32>(__cvta_generic_to_shared(shared));
}

/// d (+)= a B^T for 64 rows, 256 columns and a step of 32 along k; asynchronous.
template <bool kAdd>
__device__ __forceinline__ void multiply_step(sm_u32 (&d)[128], const sm_u32 (&a)[4], sm_u64 b) {
  asm volatile(
      "{\n.reg .pred add;\nsetp.ne.b32 add, %133, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n256k32.s32.s8.s8 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "
      "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "
      "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "
      "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, "
      "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127}, "
      "{%128, %129, %130, %131}, %132, add;\n}"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3]), "+r"(d[4]), "+r"(d[5]), "+r"(d[6]), "+r"(d[7]), "+r"(d[8]),
        "+r"(d[9]), "+r"(d[10]), "+r"(d[11]), "+r"(d[12]), "+r"(d[13]), "+r"(d[14]), "+r"(d[15]), "+r"(d[16]),
        "+r"(d[17]), "+r"(d[18]), "+r"(d[19]), "+r"(d[20]), "+r"(d[21]), "+r"(d[22]), "+r"(d[23]), "+r"(d[24]),
        "+r"(d[25]), "+r"(d[26]), "+r"(d[27]), "+r"(d[28]), "+r"(d[29]), "+r"(d[30]), "+r"(d[31]), "+r"(d[32]),
        "+r"(d[33]), "+r"(d[34]), "+r"(d[35]), "+r"(d[36]), "+r"(d[37]), "+r"(d[38]), "+r"(d[39]), "+r"(d[40]),
        "+r"(d[41]), "+r"(d[42]), "+r"(d[43]), "+r"(d[44]), "+r"(d[45]), "+r"(d[46]), "+r"(d[47]), "+r"(d[48]),
        "+r"(d[49]), "+r"(d[50]), "+r"(d[51]), "+r"(d[52]), "+r"(d[53]), "+r"(d[54]), "+r"(d[55]), "+r"(d[56]),
        "+r"(d[57]), "+r"(d[58]), "+r"(d[59]), "+r"(d[60]), "+r"(d[61]), "+r"(d[62]), "+r"(d[63]), "+r"(d[64]),
        "+r"(d[65]), "+r"(d[66]), "+r"(d[67]), "+r"(d[68]), "+r"(d[69]), "+r"(d[70]), "+r"(d[71]), "+r"(d[72]),
        "+r"(d[73]), "+r"(d[74]), "+r"(d[75]), "+r"(d[76]), "+r"(d[77]), "+r"(d[78]), "+r"(d[79]), "+r"(d[80]),
        "+r"(d[81]), "+r"(d[82]), "+r"(d[83]), "+r"(d[84]), "+r"(d[85]), "+r"(d[86]), "+r"(d[87]), "+r"(d[88]),
        "+r"(d[89]), "+r"(d[90]), "+r"(d[91]), "+r"(d[92]), "+r"(d[93]), "+r"(d[94]), "+r"(d[95]), "+r"(d[96]),
        "+r"(d[97]), "+r"(d[98]), "+r"(d[99]), "+r"(d[100]), "+r"(d[101]), "+r"(d[102]), "+r"(d[103]), "+r"(d[104]),
        "+r"(d[105]), "+r"(d[106]), "+r"(d[107]), "+r"(d[108]), "+r"(d[109]), "+r"(d[110]), "+r"(d[111]), "+r"(d[112]),
        "+r"(d[113]), "+r"(d[114]), "+r"(d[115]), "+r"(d[116]), "+r"(d[117]), "+r"(d[118]), "+r"(d[119]), "+r"(d[120]),
        "+r"(d[121]), "+r"(d[122]), "+r"(d[123]), "+r"(d[124]), "+r"(d[125]), "+r"(d[126]), "+r"(d[127])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(kAdd ? 1 : 0));
}
/// Registers that products read or write must not be touched between these two.
__device__ __forceinline__ void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void end_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void wait_products(sm_u32 (&d)[128], sm_u32 (&a)[8][4]) {
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  // The compiler must neither read sums earlier nor reuse operand registers before here.
#pragma unroll
  for (sm_u32 k = 0; k < 128; ++k) asm volatile("" : "+r"(d[k])::"memory");
#pragma unroll
  for (sm_u32 k = 0; k < 32; ++k) asm volatile("" : "+r"(a[k / 4][k % 4])::"memory");
}

/// One thread's part of a block; the matrices it goes through, one chain after another, arrive in the ring.
struct Env {
  const ChainArgs& args;
  sm_u32 base;        ///< shared-memory address of the first slot; the barriers stand behind the last
  sm_u32 number = 0;  ///< of the next matrix to ask for
  bool late = false;
  sm_u32 a[2][8][4];  ///< [tile][step along k]: operand A
  sm_u32 d[128];      ///< sums of the tile at work

  __device__ __forceinline__ sm_u32 slot(sm_u32 v) const { return base + v % kRing * kMatrix; }
  __device__ __forceinline__ sm_u32 barrier(sm_u32 v) const { return base + kRing * kMatrix + v % kRing * 8; }
  __device__ __forceinline__ sm_u32 chain_at(sm_u32 chain) const { return blockIdx.x + chain * gridDim.x; }
  /// First block of 16 rows of this warp in a tile.
  __device__ __forceinline__ sm_u32 block_of(sm_u32 tile) const {
    return (2 * (threadIdx.x / kGroupThreads) + tile) * 4 + threadIdx.x % kGroupThreads / 32;
  }

  __device__ __forceinline__ void open() const {
    if (threadIdx.x == 0) {
      for (sm_u32 k = 0; k < kRing; ++k)
        asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(barrier(k)) : "memory");
      asm volatile("fence.proxy.async.shared::cta;" ::: "memory");  // the copy engine sees them initialised
    }
    __syncwarp();
  }
  __device__ __forceinline__ void look_up(sm_u32 v) {
    number = args.sequences[chain_at(v / (SM_STEPS - 1)) * 32 + (v % (SM_STEPS - 1) + 1) % 32];
  }
  __device__ __forceinline__ void ask(sm_u32 v) const {
    constexpr sm_u32 kPart = kMatrix / 4;
    if (threadIdx.x == 0) {
      asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier(v)), "r"(kMatrix) : "memory");
      const unsigned char* from = args.matrices + number * kMatrix;
#pragma unroll
      for (sm_u32 at = 0; at < kMatrix; at += kPart) {
        asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                         slot(v) + at),
                     "l"(from + at), "r"(kPart), "r"(barrier(v))
                     : "memory");
      }
    }
    __syncwarp();
  }
  __device__ __forceinline__ void meet() const { __syncthreads(); }

  /// Turns: a named barrier for each warpgroup, where it waits and the other one arrives.
  __device__ __forceinline__ void take_turn(sm_u32 group) const {
    asm volatile("bar.sync %0, %1;" ::"r"(1 + group), "n"(2 * kGroupThreads) : "memory");
  }
  __device__ __forceinline__ void give_turn(sm_u32 group) const {
    asm volatile("bar.arrive %0, %1;" ::"r"(1 + group), "n"(2 * kGroupThreads) : "memory");
  }

  __device__ __forceinline__ bool here(sm_u32 v) const {
    sm_u32 done;
    asm volatile(
        "{\n.reg .pred p;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n}"
        : "=r"(done)
        : "r"(barrier(v)), "r"(v / kRing & 1)
        : "memory");
    return done != 0;
  }
  /// A copy that never comes is reported and no longer waited for, so that a mistake shows as a wrong result, not as a
  /// device that hangs.
  __device__ __forceinline__ void await(sm_u32 v) {
    if (!late && !here(v)) {
      const long long begin = clock64();
      while (!late && !here(v)) late = clock64() - begin > kLateCycles;
      if (late) *args.late = 1;
    }
    __syncwarp();
  }

  __device__ __forceinline__ void load(sm_u32 chain) {
    const unsigned char* first = args.first + args.sequences[chain_at(chain) * 32] * kMatrix;
#pragma unroll
    for (sm_u32 tile = 0; tile < 2; ++tile) {
#pragma unroll
      for (sm_u32 s = 0; s < 8; ++s) {
        const uint4 v =
            __ldg(reinterpret_cast<const uint4*>(first + 4 * fragment_at(block_of(tile), s, threadIdx.x % 32)));
        a[tile][s][0] = v.x, a[tile][s][1] = v.y, a[tile][s][2] = v.z, a[tile][s][3] = v.w;
      }
    }
  }
  __device__ __forceinline__ void store(sm_u32 chain) const {
    sm_u32* to = args.states + static_cast<std::size_t>(chain_at(chain)) * SM_STATE_WORDS;
#pragma unroll
    for (sm_u32 tile = 0; tile < 2; ++tile) {
#pragma unroll
      for (sm_u32 s = 0; s < 8; ++s) {
        const sm_u32* from = a[tile][s];
        __stcs(reinterpret_cast<uint4*>(to + fragment_at(block_of(tile), s, threadIdx.x % 32)),
               make_uint4(from[0], from[1], from[2], from[3]));
      }
    }
  }

  __device__ __forceinline__ void multiply(sm_u32 tile, sm_u32 v) {
    const sm_u64 b = wgmma_descriptor(slot(v));
    begin_products();
    multiply_step<false>(d, a[tile][0], b);
#pragma unroll
    for (sm_u32 s = 1; s < 8; ++s) multiply_step<true>(d, a[tile][s], b + s * kStepUnits);
    end_products();
  }
  __device__ __forceinline__ void finish(sm_u32 tile) {
    wait_products(d, a[tile]);
#pragma unroll
    for (sm_u32 s = 0; s < 8; ++s) {
      next_fragment(d + 16 * s, a[tile][s]);
      next_fragment(d + 16 * s + 8, a[tile][s] + 2);
    }
  }
};

#endif

__global__ void __launch_bounds__(kBlockThreads, 1) chain_wgmma(const ChainArgs args) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  extern __shared__ __align__(128) unsigned char shared[];
  Env env{args, address(shared)};
#pragma unroll
  for (sm_u32 k = 0; k < 128; ++k) env.d[k] = 0;
  take_turns(env, threadIdx.x / kGroupThreads, (args.chains - blockIdx.x + gridDim.x - 1) / gridDim.x);
#endif
}

}  // namespace

cudaError_t prepare_wgmma() {
  return cudaFuncSetAttribute(chain_wgmma, cudaFuncAttributeMaxDynamicSharedMemorySize,
                              static_cast<int>(kWgmmaSharedBytes));
}

cudaError_t wgmma_attributes(cudaFuncAttributes& to) { return cudaFuncGetAttributes(&to, chain_wgmma); }

cudaError_t launch_wgmma(const ChainArgs& args, std::uint32_t processors, cudaStream_t stream) {
  const sm_u32 blocks = args.chains < processors ? args.chains : processors;
  chain_wgmma<<<blocks, kBlockThreads, kWgmmaSharedBytes, stream>>>(args);
  return cudaGetLastError();
}

}  // namespace sparkmill::tensority::device
