// SPDX-License-Identifier: Apache-2.0
// CUDA entry point of `ed25519`: a thread verifies one signature.
#include "kernels/ed25519/cuda_launch.h"
#include "kernels/ed25519/device.h"

namespace sparkmill::ed25519::device {
namespace {

constexpr sm_u32 kThreads = 128;

__global__ void __launch_bounds__(kThreads) verify(const VerifyArgs a) {
  const sm_u32 i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= a.count) return;
  sm_fe point;
  const sm_u64 from = a.offsets[i];
  a.valid[i] =
      static_cast<unsigned char>(sm_ed25519_verify(a.keys + 32ull * i, a.signatures + 64ull * i, a.messages + from,
                                                   a.offsets[i + 1] - from, a.base, a.flags, &point));
  if ((a.flags & SM_ED_EVIDENCE) == 0) return;
  for (int k = 0; k < 8; ++k) a.evidence[8ull * i + k] = point.v[k];
}

}  // namespace

cudaError_t launch_verify(const VerifyArgs& args, cudaStream_t stream) {
  verify<<<(args.count + kThreads - 1) / kThreads, kThreads, 0, stream>>>(args);
  return cudaGetLastError();
}

}  // namespace sparkmill::ed25519::device
