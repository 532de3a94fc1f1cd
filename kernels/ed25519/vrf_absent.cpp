// SPDX-License-Identifier: Apache-2.0
// Where no ISA has lanes for it.
#include "kernels/ed25519/vrf.h"

namespace sparkmill::ed25519 {

std::unique_ptr<VrfKernel> make_vrf_kernel(std::string_view) { return nullptr; }
std::unique_ptr<VrfKernel> make_vrf_kernel() { return nullptr; }

}  // namespace sparkmill::ed25519
