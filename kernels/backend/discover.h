// SPDX-License-Identifier: Apache-2.0
// Device discovery of each backend. Each returns what it reaches, ordered by PCI address, or one sentence why there is
// nothing.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernel.h"

namespace sparkmill::kernels {

/// The CPU, always present; lanes = processors this process may use.
Device cpu_device();
/// Loads the ICD loader at run time; without it: empty, and `note` names the missing package.
std::vector<Device> opencl_devices(std::string& note);
/// The GPUs among them, with the numbers that BOINC clients give them: the place among the GPUs of the vendor's
/// platform, in the platform's order.
struct OpenclGpu {
  Device device;
  std::string vendor;  ///< as the platform calls itself
  unsigned index = 0;
};
std::vector<OpenclGpu> opencl_gpus(std::string& note);
/// Asks the CUDA driver; without it: empty, and `note` says so.
std::vector<Device> cuda_devices(std::string& note);

}  // namespace sparkmill::kernels
