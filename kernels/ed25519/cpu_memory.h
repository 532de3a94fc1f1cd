// SPDX-License-Identifier: Apache-2.0
// Memory of the CPU rows, and what all kernels of an ISA share.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "kernels/ed25519/cpu_ops.h"

namespace sparkmill::ed25519::cpu {

struct Free {
  void operator()(void* p) const { std::free(p); }
};

/// Not written, so that pages come when they are used. Throws std::bad_alloc.
inline std::unique_ptr<void, Free> reserve(std::size_t bytes) {
  constexpr std::size_t kPage = 4096;
  std::unique_ptr<void, Free> p(std::aligned_alloc(kPage, (bytes + kPage - 1) / kPage * kPage));
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
/// Zeros.
inline std::unique_ptr<void, Free> allocate(std::size_t bytes) {
  auto p = reserve(bytes);
  std::memset(p.get(), 0, bytes);
  return p;
}

/// Multiples of B, made once for all kernels of an ISA.
template <const Ops& (*kOps)()>
const std::uint64_t* base_table() {
  static const std::unique_ptr<void, Free> table = [] {
    auto made = allocate(kOps().base_table_bytes);
    kOps().make_base_table(static_cast<std::uint64_t*>(made.get()), allocate(kOps().workspace_bytes).get());
    return made;
  }();
  return static_cast<const std::uint64_t*>(table.get());
}

}  // namespace sparkmill::ed25519::cpu
