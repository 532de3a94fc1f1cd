// SPDX-License-Identifier: Apache-2.0
// Plain text tables for commands: columns padded to their longest cell, numbers to the right.
#pragma once

#include <string>
#include <vector>

namespace sparkmill::cli {

/// Rows of cells; the first row is the heading. `right[c]`: column c is aligned to the right (missing: left).
std::string table_text(const std::vector<std::vector<std::string>>& rows, const std::vector<bool>& right = {});

}  // namespace sparkmill::cli
