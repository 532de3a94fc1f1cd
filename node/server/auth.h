// SPDX-License-Identifier: Apache-2.0
// Who sent this request? Checks the Sparkmill-Signature header as jobs and proofs 3 demands.
#pragma once

#include "base/http/message.h"
#include "node/ledger/ledger.h"

namespace sparkmill::node {

/// What a signature is bound to.
struct Identity {
  keys::PublicKey node_pub{};
  Id16 boot_id{};
};

/// The worker that signed the request. `registering`: the request key that the body brings, when the worker is not
/// known yet. Consumes the nonce. Errors: bad_input (no or bad header), not_found (not registered), late (outside the
/// window), refused (wrong signature, wrong boot), duplicate (replayed), or the ledger's own failure.
Result<keys::PublicKey> authenticate(Ledger& ledger, const Identity& identity, std::uint64_t now_ms,
                                     const http::Request& request, const keys::PublicKey* registering = nullptr);

/// 401 for what the sender did, 5xx for our own failure.
http::Response unauthorized(const Error& error);

}  // namespace sparkmill::node
