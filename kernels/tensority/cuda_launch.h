// SPDX-License-Identifier: Apache-2.0
// What the CUDA row's host code asks of the device code that nvcc compiles. All calls are asynchronous on `stream`.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/tensority/cuda_block.h"
#include "kernels/tensority/cuda_form.h"
#include "kernels/tensority/cuda_turns.h"

namespace sparkmill::tensority::device {

/// Header hashes or nonces to index sequences, 128 bytes a hash.
struct FrontArgs {
  const sm_u64* headers;  ///< [count][4], or nullptr: hash the preimage
  sm_u64* sequences;      ///< [count][16]
  sm_u64 preimage[16];    ///< without the nonce
  sm_u64 first_nonce;
  sm_u32 count;
};

/// Whole chains; the pointers are device memory, 16-byte aligned.
struct ChainArgs {
  const unsigned char* matrices;   ///< 256 of 64 KiB; as the epoch has them (dot) or packed
  const unsigned char* first;      ///< 256 states after the first step (not for dot)
  const unsigned char* sequences;  ///< [chain][32]
  sm_u32* states;                  ///< [chain][16384]: what comes out
  sm_u32* late;                    ///< wgmma: set to 1 when a copy never arrived; then the states are rubbish
  sm_u32 chains;
};

/// Dynamic shared memory of the wgmma form: three matrices and their barriers.
inline constexpr sm_u32 kWgmmaSharedBytes = kRing * kMatrix + 64;

/// To be called once per device before the wgmma form is launched there.
cudaError_t prepare_wgmma();

/// Registers and spilled bytes a thread of a form's chains, as the driver loaded them.
cudaError_t dot_attributes(cudaFuncAttributes& to);
cudaError_t mma_attributes(cudaFuncAttributes& to);
cudaError_t wgmma_attributes(cudaFuncAttributes& to);

/// Packs an epoch for the forms with tensor cores.
cudaError_t launch_pack(const unsigned char* list, sm_u32* matrices, sm_u32* first, cudaStream_t stream);
cudaError_t launch_front(const FrontArgs& args, cudaStream_t stream);
cudaError_t launch_dot(const ChainArgs& args, cudaStream_t stream);
/// `processors`: multiprocessors of the device, which take the chains in turn.
cudaError_t launch_mma(const ChainArgs& args, std::uint32_t processors, cudaStream_t stream);
cudaError_t launch_wgmma(const ChainArgs& args, std::uint32_t processors, cudaStream_t stream);
/// States of `count` hashes to results; `messages` holds 64 words a hash.
cudaError_t launch_tail(const sm_u32* states, CudaForm form, sm_u32 count, sm_u32* messages, sm_u64* results,
                        cudaStream_t stream);
/// hits: count + 2 words, see collect_write. Requires count > 0.
cudaError_t launch_collect(const sm_u64* results, const sm_u64* target, sm_u32 count, sm_u32* hits,
                           cudaStream_t stream);

}  // namespace sparkmill::tensority::device
