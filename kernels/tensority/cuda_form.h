// SPDX-License-Identifier: Apache-2.0
// Which instructions the CUDA row multiplies with. The row takes the fastest that the device has and that gives right
// answers there; tests on a GPU ask for each.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace sparkmill::tensority {

/// Packed dot products (compute capability 6.1 and on), mma.sync (8.0 and on), wgmma (9.0 only).
enum class CudaForm : std::uint8_t { dot, mma, wgmma };

/// A kernel of that form, not tested yet. Errors: unsupported (the device has no such instructions), those of the row.
Result<std::unique_ptr<kernels::Kernel>> make_cuda(const kernels::Device& device, CudaForm form);

}  // namespace sparkmill::tensority
