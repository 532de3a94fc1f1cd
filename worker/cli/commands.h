// SPDX-License-Identifier: Apache-2.0
// Finding and running a verb.
#pragma once

#include <span>
#include <string>

#include "worker/cli/command.h"

namespace sparkmill::cli {

/// Runs `args` (program name stripped); returns the exit code.
int dispatch(std::span<const std::string> args);

}  // namespace sparkmill::cli
