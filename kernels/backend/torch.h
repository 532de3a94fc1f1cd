// SPDX-License-Identifier: Apache-2.0
// Loads the torch plug-in on demand. Nothing else of this program knows libtorch.
#pragma once

#include <string>

#include "kernels/backend/torch_plugin.h"

namespace sparkmill::kernels {

/// The plug-in's functions, or nullptr with one sentence in `why`. Looked for as libsparkmill_torch.so in each folder
/// of $SPARKMILL_PLUGINS (separated by ':'), beside the executable, in ../lib from it, and where it was built. Loaded
/// once.
const SparkmillTorchApi* torch_plugin(std::string& why);

}  // namespace sparkmill::kernels
