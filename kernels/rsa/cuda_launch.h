// SPDX-License-Identifier: Apache-2.0
// Launch of the CUDA kernel; cuda.cu is compiled by nvcc, callers by any compiler.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/backend/dialect.h"

namespace sparkmill::rsa::device {

struct VerifyArgs {
  const unsigned char *keys, *signatures, *messages;
  const sm_u64* offsets;
  sm_u32 count, encoding, wanted;  ///< wanted: 1 for evidence
  unsigned char *valid, *evidence;
};
cudaError_t launch_verify(const VerifyArgs& args, cudaStream_t stream);

}  // namespace sparkmill::rsa::device
