// SPDX-License-Identifier: Apache-2.0
// The stages of the hash, scalar and one after another as the specification ("Tensority" 1 and 2) numbers them. What
// every other row and Epoch::build are compared with; about a second a hash.
#pragma once

#include <string>
#include <vector>

#include "kernels/tensority/tensority.h"

namespace sparkmill::tensority::reference {

using Matrix = std::array<std::int8_t, kMatrixBytes>;                      ///< [row][column]
using Words = std::array<std::array<std::uint32_t, 64>, kDim>;             ///< [row][word] of the final fold
using Step = bool (*)(void* context, unsigned steps_done, const Matrix&);  ///< false: stop here

/// 1.1: seed | SHA3(seed) | SHA3(SHA3(seed)) | ..., 128 bytes.
std::array<std::uint8_t, 128> extended_seed(const Hash32& seed);
/// 1.2: 128 chunks of 1,024 items of 128 bytes, 16 MiB.
Bytes cache(const std::array<std::uint8_t, 128>& extended_seed);
/// 1.3: the cache's bytes as 256 matrices. Requires 16 MiB.
std::vector<std::int8_t> matrix_list(const Bytes& cache);
/// 2.2: one chain over a matrix list; `step` (may be null) is called after each of the 64 steps. False when it said so.
bool chain(std::span<const std::int8_t, kListBytes> list, const std::array<std::uint8_t, 32>& sequence, Matrix& result,
           Step step, void* context);
/// 2.4: a sum of four chain results, folded to 256 bytes.
std::array<std::uint8_t, 256> fold_rows(std::span<const std::uint8_t, kMatrixBytes> sum);

/// One stage of a hash as the vector files name it: a JSON pointer such as "/chain_0_after_step/32" and the hex of the
/// stage, of its first bytes, or of its SHA3-256.
struct Stage {
  std::string name;
  std::string hex;
};
/// All stages of a hash from the seed on, a second or two.
std::vector<Stage> trace(const Hash32& header_hash, const Hash32& seed);

}  // namespace sparkmill::tensority::reference
