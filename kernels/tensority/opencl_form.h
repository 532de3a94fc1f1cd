// SPDX-License-Identifier: Apache-2.0
// How the OpenCL row computes a chain (opencl.cl explains both). The row takes `columns` on CPUs and `rows` elsewhere;
// tests ask for each.
#pragma once

#include "kernels/kernel.h"

namespace sparkmill::tensority {

enum class OpenclForm { chosen, rows, columns };

/// A kernel of the given form, built like that of opencl_row(). Errors: those of the row.
Result<std::unique_ptr<kernels::Kernel>> make_opencl(const kernels::Device& device, OpenclForm form);

}  // namespace sparkmill::tensority
