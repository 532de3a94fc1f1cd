// SPDX-License-Identifier: Apache-2.0
// Built in place of the CUDA backend where no toolkit was found: no devices, and the reason.
#include "kernels/backend/discover.h"

namespace sparkmill::kernels {

std::vector<Device> cuda_devices(std::string& note) {
  note = "CUDA is not in this build: " SPARKMILL_WHY_CUDA;
  return {};
}

}  // namespace sparkmill::kernels
