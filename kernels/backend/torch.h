// SPDX-License-Identifier: Apache-2.0
// Loads the torch plug-in on demand. Nothing else of this program knows libtorch.
#pragma once

#include <memory>
#include <string>

#include "kernels/backend/torch_plugin.h"
#include "kernels/kernel.h"

namespace sparkmill::kernels {

/// The plug-in's functions, or nullptr with one sentence in `why`. Looked for as libsparkmill_torch.so in each folder
/// of $SPARKMILL_PLUGINS (separated by ':'), beside the executable, in ../lib from it, and where it was built. Loaded
/// once.
const SparkmillTorchApi* torch_plugin(std::string& why);

/// Probe of every torch row: the device "cpu", with the plug-in.
inline Probe probe_torch(const Device& device) {
  if (device.backend != Backend::cpu) return {false, "runs on the device \"cpu\" only"};
  std::string why;
  const bool ok = torch_plugin(why) != nullptr;
  return {ok, why};
}

/// A kernel that is made of the plug-in's functions. Error: unsupported, with the plug-in's reason.
template <class TorchKernel>
Result<std::unique_ptr<Kernel>> make_torch(const Device&) {
  std::string why;
  const SparkmillTorchApi* api = torch_plugin(why);
  if (api == nullptr) return fail(Status::unsupported, why);
  return Result<std::unique_ptr<Kernel>>(std::make_unique<TorchKernel>(api));
}

}  // namespace sparkmill::kernels
