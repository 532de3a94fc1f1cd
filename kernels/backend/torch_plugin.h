// SPDX-License-Identifier: Apache-2.0
// The C boundary between the program and libsparkmill_torch.so: plain types only, so that the plug-in may be built
// with libtorch's own flags. Functions never throw; they return 0 (or a pointer) when done, else write a sentence to
// `error`.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

/// Raised when a function below changes.
inline constexpr std::uint32_t kSparkmillTorchAbi = 2;

/// Rows of one side as matrices, owned by the caller until freed.
struct SparkmillTorchSide;

struct SparkmillTorchApi {
  std::uint32_t abi;
  /// "libtorch 1.13.0 on the CPU, float32 products"
  const char* version;
  /// Unpacks `count` rows (match.h layout) into S in {-1, 0, +1} and, for the masked form, M in {0, 1}. nullptr:
  /// failed.
  SparkmillTorchSide* (*match_side)(const std::uint8_t* rows, std::uint32_t count, std::uint32_t n, int masked,
                                    char* error, std::size_t error_bytes);
  void (*match_free)(SparkmillTorchSide* side);
  /// v[i * b.count + j] = ham | K << 16 for all pairs. Both sides have the same n and form.
  int (*match_scores)(const SparkmillTorchSide* a, const SparkmillTorchSide* b, std::uint32_t* v, char* error,
                      std::size_t error_bytes);
  /// One step of a chain of `tensority`: out = fold(a b^T), 256 x 256 row-major each. `out` may be `a`.
  int (*tensority_step)(const std::int8_t* a, const std::int8_t* b, std::int8_t* out, char* error,
                        std::size_t error_bytes);
};

/// The only exported symbol. Never nullptr.
const SparkmillTorchApi* sparkmill_torch_api();
}

/// Inside the plug-in: kernels/tensority/torch.cpp.
int sparkmill_torch_tensority_step(const std::int8_t* a, const std::int8_t* b, std::int8_t* out, char* error,
                                   std::size_t error_bytes);
