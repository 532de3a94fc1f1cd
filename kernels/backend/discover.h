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
/// Asks the CUDA driver; without it: empty, and `note` says so.
std::vector<Device> cuda_devices(std::string& note);

}  // namespace sparkmill::kernels
