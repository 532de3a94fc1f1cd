// SPDX-License-Identifier: Apache-2.0
// The page for people, which is also where clients find the scheduler, and the same as JSON for programs.
#pragma once

#include "boinc/project/reply.h"

namespace sparkmill::boinc::project {

std::string status_page(const Face& face, const Overview& overview, const Catalog& catalog, std::int64_t now_ms);
/// Without addresses, password hashes and account keys.
std::string status_json(const Face& face, const Overview& overview);

}  // namespace sparkmill::boinc::project
