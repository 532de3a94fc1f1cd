// SPDX-License-Identifier: Apache-2.0
// The torch form of `tensority`, part of the plug-in: one step of a chain as a matrix product and elementwise
// operations. float32 is exact: every partial sum is an integer of at most 256 * 128 * 128 = 2^22 < 2^24.
#include <torch/torch.h>

#include <cstring>
#include <exception>

#if __has_include(<ATen/ops/_int_mm.h>)
#define SPARKMILL_TORCH_INT8 1
#endif

#include "kernels/backend/torch_plugin.h"

namespace {

constexpr std::int64_t kDim = 256;

/// a b^T as int32. As a convolution of width 1: libtorch gives those to oneDNN, a plain product to the system's BLAS.
torch::Tensor product(const torch::Tensor& a, const torch::Tensor& b) {
#ifdef SPARKMILL_TORCH_INT8
  // libtorch may have the function and no CPU form of it: asked once.
  static const bool has_int8 = [] {
    try {
      const torch::Tensor ones = torch::ones({32, 1024}, torch::kChar);
      return torch::equal(at::_int_mm(ones, ones.t()), torch::full({32, 32}, 1024, torch::kInt));
    } catch (const std::exception&) {
      return false;
    }
  }();
  if (has_int8) return at::_int_mm(a, b.t());
#endif
  return torch::conv1d(a.to(torch::kFloat).unsqueeze(2), b.to(torch::kFloat).unsqueeze(2)).squeeze(2).to(torch::kInt);
}

torch::Tensor matrix(const std::int8_t* from) {
  // from_blob wants a mutable pointer; nothing writes through it.
  return torch::from_blob(const_cast<std::int8_t*>(from), {kDim, kDim}, torch::kChar);
}

}  // namespace

int sparkmill_torch_tensority_step(const std::int8_t* a, const std::int8_t* b, std::int8_t* out, char* error,
                                   std::size_t error_bytes) {
  try {
    at::set_num_threads(1);  // kernels start no threads: the worker decides how many instances run
    const torch::NoGradGuard no_grad;
    const torch::Tensor v = product(matrix(a), matrix(b));
    // To int8 keeps the low byte: the sum of the two lowest bytes, modulo 256.
    const torch::Tensor folded = (v + v.bitwise_right_shift(8)).to(torch::kChar).contiguous();
    std::memcpy(out, folded.data_ptr<std::int8_t>(), kDim * kDim);
    return 0;
  } catch (const std::exception& e) {
    if (error_bytes != 0) {
      std::strncpy(error, e.what(), error_bytes - 1);
      error[error_bytes - 1] = '\0';
    }
    return 1;
  }
}
