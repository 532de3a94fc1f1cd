// SPDX-License-Identifier: Apache-2.0
// Error answers of the node's routes.
#pragma once

#include "base/http/message.h"
#include "base/log.h"
#include "node/protocol/messages.h"

namespace sparkmill::node {

/// {code, message, hint} with the status of the code; our own failures are logged too.
inline http::Response error_response(const Error& e) {
  if (e.code == Status::internal || e.code == Status::io_error || e.code == Status::corrupt) {
    log::get("node")->error("request failed: {}", e.message);
  }
  return http::Response::error(protocol::http_status(e.code), name(e.code), e.message, e.hint);
}

}  // namespace sparkmill::node
