// SPDX-License-Identifier: Apache-2.0
// CUDA entry points of `hash`: a message a thread, over device.h.
#include "kernels/hash/cuda_launch.h"
#include "kernels/hash/device.h"

namespace sparkmill::hashes::device {
namespace {

constexpr unsigned kThreads = 128;

template <sm_u32 kAlgorithm>
__global__ void __launch_bounds__(kThreads) hash_messages(const HashArgs a) {
  const sm_u32 i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= a.count) return;
  constexpr sm_u64 kDigest = kAlgorithm == SM_HASH_SHA512 ? 64 : 32;
  sm_hash(kAlgorithm, a.messages + a.offsets[i], a.offsets[i + 1] - a.offsets[i], a.digests + kDigest * i);
}

}  // namespace

cudaError_t launch_hash(sm_u32 algorithm, const HashArgs& args, cudaStream_t stream) {
  const unsigned blocks = (args.count + kThreads - 1) / kThreads;
  switch (algorithm) {
    case SM_HASH_SHA256: hash_messages<SM_HASH_SHA256><<<blocks, kThreads, 0, stream>>>(args); break;
    case SM_HASH_SHA512: hash_messages<SM_HASH_SHA512><<<blocks, kThreads, 0, stream>>>(args); break;
    case SM_HASH_SHA3: hash_messages<SM_HASH_SHA3><<<blocks, kThreads, 0, stream>>>(args); break;
    default: hash_messages<SM_HASH_KECCAK><<<blocks, kThreads, 0, stream>>>(args); break;
  }
  return cudaGetLastError();
}

}  // namespace sparkmill::hashes::device
