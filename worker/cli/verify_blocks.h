// SPDX-License-Identifier: Apache-2.0
// The systems of `sparkmill verify-blocks`. Each function checks what `input` gives and prints a JSON line an item.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "kernels/registry.h"
#include "verify/blocks/evidence/evidence.h"
#include "worker/cli/args.h"
#include "worker/cli/input.h"

namespace sparkmill::cli {

/// Blocks of Bytom 1.x in hex or packed. Returns the exit code: 0, or 11 when one is not valid.
Result<int> verify_bytom_blocks(const Args& args, Input& input, const StopToken& stop);
/// JSON lines of BTTC or BTN evidence. Returns the exit code: 0, 11 when something was refused, 13 when an item is
/// malformed.
Result<int> verify_evidence(const Args& args, Input& input, const StopToken& stop);

/// --policy and --rule. Error: bad_argument.
Result<evidence::Options> evidence_options(const Args& args);
/// The system whose kind and first field the item has. Error: bad_input naming `where` and the known kinds.
Result<evidence::System> system_of(const nlohmann::json& item, const std::string& where);

/// The row `backend` of a family if it is one of that family, else the best that runs on the CPU, self-tested.
struct TestedKernel {
  std::unique_ptr<kernels::Kernel> kernel;
  std::string row;
};
Result<TestedKernel> tested_kernel(kernels::Family family, const std::string& backend);

}  // namespace sparkmill::cli
