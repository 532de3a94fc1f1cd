// SPDX-License-Identifier: Apache-2.0
// Between cuda_row.cpp (host compiler) and cuda.cu (nvcc).
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/backend/dialect.h"

namespace sparkmill::hashes::device {

/// Message i is messages[offsets[i] .. offsets[i + 1]); all on the device.
struct HashArgs {
  const unsigned char* messages;
  const sm_u64* offsets;
  unsigned char* digests;
  sm_u32 count;
};

/// `algorithm`: SM_HASH_... of device.h.
cudaError_t launch_hash(sm_u32 algorithm, const HashArgs& args, cudaStream_t stream);

}  // namespace sparkmill::hashes::device
