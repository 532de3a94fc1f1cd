// SPDX-License-Identifier: Apache-2.0
// CUDA entry points of `tensority` beside the tensor-core chains: packing, header to sequences, chains by dot products,
// states to results, hits.
#include "kernels/tensority/cuda_launch.h"

namespace sparkmill::tensority::device {

namespace {

constexpr sm_u32 kHashThreads = 32;  // of a block that has one hash a thread: few, to reach many multiprocessors

__global__ void __launch_bounds__(kBlockThreads) pack(const unsigned char* list, sm_u32* matrices, sm_u32* first) {
  const sm_u32 matrix = blockIdx.x / (SM_STATE_WORDS / kBlockThreads);
  const sm_u32 at = blockIdx.x % (SM_STATE_WORDS / kBlockThreads) * kBlockThreads + threadIdx.x;
  const unsigned char* from = list + static_cast<std::size_t>(matrix) * kMatrix;
  const std::size_t to = static_cast<std::size_t>(matrix) * SM_STATE_WORDS + at;
  matrices[to] = packed_word(from, at);
  first[to] = first_word(from, at);
}

__global__ void __launch_bounds__(kHashThreads) front(const FrontArgs a) {
  const sm_u32 h = blockIdx.x * kHashThreads + threadIdx.x;
  if (h >= a.count) return;
  sm_u64 hash[4];
  if (a.headers != nullptr) {
    for (sm_u32 k = 0; k < 4; ++k) hash[k] = a.headers[4 * static_cast<sm_u64>(h) + k];
  } else {
    sm_u64 message[17];
    for (sm_u32 k = 0; k < 16; ++k) message[k] = a.preimage[k];
    message[16] = a.first_nonce + h;
    sm_header_hash(message, hash);
  }
  for (sm_u32 k = 0; k < SM_CHAINS; ++k) {
    sm_u64 digest[4];
    sm_sha3_8(hash[k], digest);
    for (sm_u32 j = 0; j < 4; ++j) a.sequences[16 * static_cast<sm_u64>(h) + 4 * k + j] = digest[j];
  }
}

__global__ void __launch_bounds__(kBlockThreads, 2) chain_dot(const ChainArgs args) {
  __shared__ Quad staged[kDotRows * 16];
  const sm_u32 id = threadIdx.x;
  const unsigned char* sequence = args.sequences + static_cast<std::size_t>(blockIdx.x) * 32;
  sm_u32* state = args.states + static_cast<std::size_t>(blockIdx.x) * SM_STATE_WORDS;
  dot_first(id, args.matrices + static_cast<std::size_t>(sequence[0]) * kMatrix, state);
  for (sm_u32 t = 1; t < SM_STEPS; ++t) {
    const unsigned char* matrix = args.matrices + static_cast<std::size_t>(sequence[t % 32]) * kMatrix;
    sm_u32 a[64];
    dot_load(id, state, a);
    for (sm_u32 first = 0; first < SM_DIM; first += kDotRows) {
      __syncthreads();
      dot_stage(id, matrix, first, staged);
      __syncthreads();
      dot_rows(id, a, first, staged, state);
    }
  }
}

template <bool kFragments>
__global__ void __launch_bounds__(kBlockThreads) tail(const sm_u32* states, sm_u32* messages) {
  __shared__ sm_u32 folded[kFoldedWords];
  const sm_u32 id = threadIdx.x;
  tail_fold<kFragments>(id, states + static_cast<std::size_t>(blockIdx.x) * (SM_CHAINS * SM_STATE_WORDS), folded);
  for (sm_u32 rows = 8; rows > 0; rows /= 2) {
    __syncthreads();
    tail_level(id, rows, folded);
  }
  if (id < 64) messages[static_cast<std::size_t>(blockIdx.x) * 64 + id] = folded[id];
}

__global__ void __launch_bounds__(kHashThreads) last(const sm_u64* messages, sm_u32 count, sm_u64* results) {
  const sm_u64 h = blockIdx.x * kHashThreads + threadIdx.x;
  if (h >= count) return;
  sm_u64 message[32], digest[4];
  for (sm_u32 k = 0; k < 32; ++k) message[k] = messages[h * 32 + k];
  sm_sha3_256(message, digest);
  for (sm_u32 k = 0; k < 4; ++k) results[h * 4 + k] = digest[k];
}

__global__ void __launch_bounds__(kBlockThreads)
    collect(const sm_u64* results, const sm_u64* target, sm_u32 count, sm_u32* hits) {
  __shared__ Parts parts;
  collect_count(threadIdx.x, results, target, count, parts);
  __syncthreads();
  collect_write(threadIdx.x, results, target, count, parts, hits);
}

constexpr sm_u32 hash_blocks(sm_u32 count) { return (count + kHashThreads - 1) / kHashThreads; }

}  // namespace

cudaError_t launch_pack(const unsigned char* list, sm_u32* matrices, sm_u32* first, cudaStream_t stream) {
  pack<<<256 * (SM_STATE_WORDS / kBlockThreads), kBlockThreads, 0, stream>>>(list, matrices, first);
  return cudaGetLastError();
}

cudaError_t launch_front(const FrontArgs& args, cudaStream_t stream) {
  front<<<hash_blocks(args.count), kHashThreads, 0, stream>>>(args);
  return cudaGetLastError();
}

cudaError_t dot_attributes(cudaFuncAttributes& to) { return cudaFuncGetAttributes(&to, chain_dot); }

cudaError_t launch_dot(const ChainArgs& args, cudaStream_t stream) {
  chain_dot<<<args.chains, kBlockThreads, 0, stream>>>(args);
  return cudaGetLastError();
}

cudaError_t launch_tail(const sm_u32* states, CudaForm form, sm_u32 count, sm_u32* messages, sm_u64* results,
                        cudaStream_t stream) {
  if (form == CudaForm::dot) {
    tail<false><<<count, kBlockThreads, 0, stream>>>(states, messages);
  } else {
    tail<true><<<count, kBlockThreads, 0, stream>>>(states, messages);
  }
  last<<<hash_blocks(count), kHashThreads, 0, stream>>>(reinterpret_cast<const sm_u64*>(messages), count, results);
  return cudaGetLastError();
}

cudaError_t launch_collect(const sm_u64* results, const sm_u64* target, sm_u32 count, sm_u32* hits,
                           cudaStream_t stream) {
  collect<<<1, kBlockThreads, 0, stream>>>(results, target, count, hits);
  return cudaGetLastError();
}

}  // namespace sparkmill::tensority::device
