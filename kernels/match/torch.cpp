// SPDX-License-Identifier: Apache-2.0
// The torch form of `match`, in its own library: rows become matrices of -1, 0, +1 and scores are two products,
// dot = Sa Sb^T and K = Ma Mb^T. float32 is exact: every partial sum is an integer of at most 16384 < 2^24.
#include <torch/torch.h>

#include <cstring>
#include <exception>
#include <string>

#if __has_include(<ATen/ops/_int_mm.h>)
#define SPARKMILL_TORCH_INT8 1
#endif

#include "kernels/backend/torch_plugin.h"

// OpenBLAS, where it is libtorch's BLAS, has threads of its own.
extern "C" __attribute__((weak)) void openblas_set_num_threads(int);

struct SparkmillTorchSide {
  torch::Tensor trits;     // [count, n]
  torch::Tensor validity;  // [count, n], undefined in the plain form
  std::int64_t n = 0;
};

namespace {

/// Kernels start no threads: the worker decides how many instances run.
void one_thread() {
  at::set_num_threads(1);
  if (openblas_set_num_threads != nullptr) openblas_set_num_threads(1);
}

void tell(char* error, std::size_t bytes, const char* what) {
  if (bytes == 0) return;
  std::strncpy(error, what, bytes - 1);
  error[bytes - 1] = '\0';
}

/// a b^T as int32. Written as a convolution of width 1: libtorch gives those to oneDNN, while a matrix product goes to
/// the system's BLAS, which on a plain Debian is the slow reference one (20 times slower at n = 2048).
torch::Tensor product(const torch::Tensor& a, const torch::Tensor& b) {
#ifdef SPARKMILL_TORCH_INT8
  if (a.scalar_type() == torch::kChar) return at::_int_mm(a, b.t());
#endif
  return torch::conv1d(a.unsqueeze(2), b.unsqueeze(2)).squeeze(2).to(torch::kInt);
}

/// Whether this libtorch multiplies int8 into int32 on the CPU: asked once, by an example whose sum leaves int8.
bool has_int8() {
#ifdef SPARKMILL_TORCH_INT8
  static const bool works = [] {
    try {
      const torch::Tensor ones = torch::ones({32, 1024}, torch::kChar);
      return torch::equal(at::_int_mm(ones, ones.t()), torch::full({32, 32}, 1024, torch::kInt));
    } catch (const std::exception&) {
      return false;
    }
  }();
  return works;
#else
  return false;
#endif
}

/// Bits, LSB first in each byte, to a [count, n] matrix of 0 and 1.
torch::Tensor unpack(const torch::Tensor& bytes) {
  const torch::Tensor bit = torch::tensor({1, 2, 4, 8, 16, 32, 64, 128}, torch::kByte);
  return bytes.unsqueeze(2).bitwise_and(bit).ne(0).reshape({bytes.size(0), bytes.size(1) * 8});
}

SparkmillTorchSide* match_side(const std::uint8_t* rows, std::uint32_t count, std::uint32_t n, int masked, char* error,
                               std::size_t error_bytes) {
  try {
    one_thread();
    const torch::NoGradGuard no_grad;
    const auto type = has_int8() ? torch::kChar : torch::kFloat;
    // from_blob wants a mutable pointer; nothing writes through it.
    const torch::Tensor all = torch::from_blob(const_cast<std::uint8_t*>(rows), {count, n / 4}, torch::kByte);
    const torch::Tensor sign = unpack(all.narrow(1, 0, n / 8)).to(type);
    auto side = std::make_unique<SparkmillTorchSide>();
    side->n = n;
    if (masked != 0) {
      side->validity = unpack(all.narrow(1, n / 8, n / 8)).to(type);
      side->trits = side->validity - sign * 2;
    } else {
      side->trits = 1 - sign * 2;
    }
    return side.release();
  } catch (const std::exception& e) {
    tell(error, error_bytes, e.what());
    return nullptr;
  }
}

void match_free(SparkmillTorchSide* side) { delete side; }

int match_scores(const SparkmillTorchSide* a, const SparkmillTorchSide* b, std::uint32_t* v, char* error,
                 std::size_t error_bytes) {
  try {
    one_thread();
    const torch::NoGradGuard no_grad;
    const torch::Tensor dot = product(a->trits, b->trits);
    const bool masked = a->validity.defined() && b->validity.defined();
    const torch::Tensor k =
        masked ? product(a->validity, b->validity) : torch::full_like(dot, a->n, torch::TensorOptions(torch::kInt));
    const torch::Tensor scores = ((k - dot).bitwise_right_shift(1) + k * 65536).contiguous();
    std::memcpy(v, scores.data_ptr<std::int32_t>(), static_cast<std::size_t>(scores.numel()) * 4);
    return 0;
  } catch (const std::exception& e) {
    tell(error, error_bytes, e.what());
    return 1;
  }
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const SparkmillTorchApi* sparkmill_torch_api() {
  static const std::string version =
      std::string("libtorch ") + TORCH_VERSION + " on the CPU, " + (has_int8() ? "int8" : "float32") + " products";
  static const SparkmillTorchApi api{kSparkmillTorchAbi, version.c_str(), match_side,
                                     match_free,         match_scores,    sparkmill_torch_tensority_step};
  return &api;
}
