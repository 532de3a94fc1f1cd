// SPDX-License-Identifier: Apache-2.0
// Launches of the CUDA kernels; cuda.cu is compiled by nvcc, callers by any compiler.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/backend/dialect.h"

namespace sparkmill::secp256k1::device {

struct Args {
  const unsigned char *keys, *signatures, *messages;
  const sm_u64* offsets;  ///< read for BIP-340 alone
  const sm_u32* base;
  sm_u32 count, flags, step;  ///< step: threads of the launches that invert
  sm_u32* scratch;
  unsigned char *valid, *recovered, *evidence;  ///< the last two are written only where the flags ask for them
};
/// All stages of one launch, in order.
cudaError_t launch(const Args& args, cudaStream_t stream);

}  // namespace sparkmill::secp256k1::device
