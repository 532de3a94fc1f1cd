// SPDX-License-Identifier: Apache-2.0
// Built in place of the OpenCL backend where its headers are missing: no devices, and the reason.
#include "kernels/backend/discover.h"

namespace sparkmill::kernels {

std::vector<Device> opencl_devices(std::string& note) {
  note = "OpenCL is not in this build: " SPARKMILL_WHY_OPENCL;
  return {};
}

std::vector<OpenclGpu> opencl_gpus(std::string& note) {
  opencl_devices(note);
  return {};
}

}  // namespace sparkmill::kernels
