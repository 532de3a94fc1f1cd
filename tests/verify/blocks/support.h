// SPDX-License-Identifier: Apache-2.0
// Kernels of this processor for the tests of verify/blocks: each family's best row, and its oracle.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "kernels/hash/hash.h"
#include "kernels/registry.h"
#include "kernels/rsa/rsa.h"
#include "kernels/secp256k1/secp256k1.h"

namespace sparkmill::blocks::test {

/// The row, or with an empty id the best one that runs on this processor.
template <class FamilyKernel>
std::unique_ptr<FamilyKernel> make_kernel(kernels::Family family, std::string_view id = {}) {
  kernels::Device cpu;
  cpu.id = "cpu";
  const auto choice = kernels::choose(family, cpu, id);
  if (!choice) {
    ADD_FAILURE() << choice.error().message;
    return nullptr;
  }
  auto kernel = choice->row->make(cpu);
  if (!kernel) {
    ADD_FAILURE() << kernel.error().message;
    return nullptr;
  }
  auto* typed = dynamic_cast<FamilyKernel*>(kernel->get());
  if (typed != nullptr) (void)kernel->release();
  return std::unique_ptr<FamilyKernel>(typed);
}

/// One of each, made once.
struct CpuKernels {
  std::unique_ptr<hashes::Kernel> hash = make_kernel<hashes::Kernel>(kernels::Family::hash);
  std::unique_ptr<secp256k1::Kernel> secp256k1 = make_kernel<secp256k1::Kernel>(kernels::Family::secp256k1);
  std::unique_ptr<rsa::Kernel> rsa = make_kernel<rsa::Kernel>(kernels::Family::rsa);
};
inline CpuKernels& cpu_kernels() {
  static CpuKernels kernels;
  return kernels;
}

}  // namespace sparkmill::blocks::test
