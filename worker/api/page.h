// SPDX-License-Identifier: Apache-2.0
// The dashboard: one embedded page (page.html) that loads nothing from elsewhere.
#pragma once

#include "base/http/message.h"

namespace sparkmill::worker {

/// The page with a content security policy that allows its own script and style by their hashes and nothing else.
http::Response page_answer();

}  // namespace sparkmill::worker
