// SPDX-License-Identifier: Apache-2.0
// Launch of the CUDA kernel; cuda.cu is compiled by nvcc, callers by any compiler.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/backend/dialect.h"

namespace sparkmill::ed25519::device {

struct VerifyArgs {
  const unsigned char *keys, *signatures, *messages;
  const sm_u64* offsets;
  const sm_u32* base;
  sm_u32 count, flags;
  unsigned char* valid;
  sm_u32* evidence;  ///< read by nobody and not written unless the flag asks for it
};
cudaError_t launch_verify(const VerifyArgs& args, cudaStream_t stream);

}  // namespace sparkmill::ed25519::device
