// SPDX-License-Identifier: Apache-2.0
// Receipts whose hold is over: signed, written, and put under a daily root.
#pragma once

#include "boinc/server/project.h"

namespace sparkmill::boinc::server {

/// Signs what is due and not void and writes public/receipts/<result>.receipt. Returns how many.
Result<std::uint64_t> sign_due_receipts(Project& project);

}  // namespace sparkmill::boinc::server
