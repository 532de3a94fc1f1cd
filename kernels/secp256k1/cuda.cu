// SPDX-License-Identifier: Apache-2.0
// CUDA entry points of `secp256k1`: a thread is a signature in `challenges` and `points`, and serves every step-th one
// in `scalars` and `finish`.
#include "kernels/secp256k1/cuda_launch.h"
#include "kernels/secp256k1/device.h"

namespace sparkmill::secp256k1::device {
namespace {

constexpr sm_u32 kThreads = 128;
constexpr sm_u32 kInverters = 32;  // of a block whose threads serve many items: few, so that all processors get some

__global__ void __launch_bounds__(kInverters) scalars(const Args a) {
  const sm_u32 i = blockIdx.x * kInverters + threadIdx.x;
  if (i < a.step) sm_k1_scalars(a.signatures, a.messages, a.count, a.flags, i, a.step, a.scratch, a.valid);
}

__global__ void __launch_bounds__(kThreads) challenges(const Args a) {
  const sm_u32 i = blockIdx.x * kThreads + threadIdx.x;
  if (i < a.count) sm_k1_challenge(a.keys, a.signatures, a.messages, a.offsets, a.count, i, a.scratch, a.valid);
}

__global__ void __launch_bounds__(kThreads) points(const Args a) {
  const sm_u32 i = blockIdx.x * kThreads + threadIdx.x;
  if (i < a.count) sm_k1_points(a.keys, a.signatures, a.base, a.count, a.flags, i, a.scratch, a.valid);
}

__global__ void __launch_bounds__(kInverters) finish(const Args a) {
  const sm_u32 i = blockIdx.x * kInverters + threadIdx.x;
  if (i < a.step) sm_k1_finish(a.signatures, a.count, a.flags, i, a.step, a.scratch, a.valid, a.recovered, a.evidence);
}

constexpr sm_u32 blocks(sm_u32 count, sm_u32 threads) { return (count + threads - 1) / threads; }

}  // namespace

cudaError_t launch(const Args& a, cudaStream_t stream) {
  const sm_u32 mode = a.flags & SM_K1_MODE;
  if (mode == SM_K1_BIP340) {
    challenges<<<blocks(a.count, kThreads), kThreads, 0, stream>>>(a);
  } else {
    scalars<<<blocks(a.step, kInverters), kInverters, 0, stream>>>(a);
  }
  points<<<blocks(a.count, kThreads), kThreads, 0, stream>>>(a);
  if ((a.flags & SM_K1_EVIDENCE) != 0 || mode >= SM_K1_BIP340)
    finish<<<blocks(a.step, kInverters), kInverters, 0, stream>>>(a);
  return cudaGetLastError();
}

}  // namespace sparkmill::secp256k1::device
