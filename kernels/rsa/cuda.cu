// SPDX-License-Identifier: Apache-2.0
// CUDA entry point of `rsa`: a thread verifies one signature.
#include "kernels/rsa/cuda_launch.h"
#include "kernels/rsa/device.h"

namespace sparkmill::rsa::device {
namespace {

constexpr sm_u32 kThreads = 128;

__global__ void __launch_bounds__(kThreads, 8) verify(const VerifyArgs a) {
  const sm_u32 i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= a.count) return;
  const sm_u64 from = a.offsets[i], at = static_cast<sm_u64>(SM_RSA_BYTES) * i;
  a.valid[i] = static_cast<unsigned char>(sm_rsa_verify(a.keys + at, a.signatures + at, a.messages + from,
                                                        static_cast<sm_u32>(a.offsets[i + 1] - from), a.encoding,
                                                        a.wanted, a.evidence + (a.wanted != 0 ? at : 0)));
}

}  // namespace

cudaError_t launch_verify(const VerifyArgs& args, cudaStream_t stream) {
  verify<<<(args.count + kThreads - 1) / kThreads, kThreads, 0, stream>>>(args);
  return cudaGetLastError();
}

}  // namespace sparkmill::rsa::device
