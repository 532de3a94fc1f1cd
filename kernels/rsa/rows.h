// SPDX-License-Identifier: Apache-2.0
// The rows of the family `rsa`, one function a row; kernels/registry.cpp lists them. A missing file is a missing row.
#pragma once

#include "kernels/kernel.h"

namespace sparkmill::rsa {

kernels::Row reference_row();
kernels::Row avx2_row();
kernels::Row avx512_row();  ///< needs IFMA
kernels::Row opencl_row();  ///< built when SPARKMILL_HAVE_OPENCL
kernels::Row cuda_row();    ///< built when SPARKMILL_HAVE_CUDA

}  // namespace sparkmill::rsa
