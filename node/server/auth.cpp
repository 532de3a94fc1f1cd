// SPDX-License-Identifier: Apache-2.0
#include "node/server/auth.h"

#include "node/protocol/signing.h"

namespace sparkmill::node {

Result<keys::PublicKey> authenticate(Ledger& ledger, const Identity& identity, std::uint64_t now_ms,
                                     const http::Request& request, const keys::PublicKey* registering) {
  const auto header = request.headers.find(protocol::kSignatureHeader);
  if (header == request.headers.end()) {
    return fail(Status::bad_input, "this request needs a Sparkmill-Signature header",
                "worker=<hex>, time=<ms>, nonce=<hex>, sig=<hex>");
  }
  SPARKMILL_ASSIGN(const protocol::RequestSignature s, protocol::parse_signature(header->second));
  const std::uint64_t apart = s.time_ms > now_ms ? s.time_ms - now_ms : now_ms - s.time_ms;
  if (apart > protocol::kSignatureWindowMs) {
    return fail(Status::late, "the request's time is " + std::to_string(apart / 1000) + " s off this node's clock",
                "use the time of GET /v1/info, not your own");
  }
  keys::PublicKey key{};
  if (registering) {
    key = *registering;
  } else {
    SPARKMILL_ASSIGN(key, ledger.request_key(s.worker_pub));
  }
  const Bytes text = protocol::request_text(identity.node_pub, identity.boot_id, request.method, request.target,
                                            request.body, s.time_ms, s.nonce);
  if (!keys::verify(key, "sparkmill/request/v1", text, s.signature)) {
    return fail(Status::refused, "the request's signature does not fit its method, path, body, node or boot id",
                "the boot id changes at each start of the node: read GET /v1/info again");
  }
  SPARKMILL_TRY(ledger.use_nonce(s.worker_pub, s.nonce, now_ms));
  return s.worker_pub;
}

http::Response unauthorized(const Error& error) {
  switch (error.code) {
    case Status::bad_input:
    case Status::not_found:
    case Status::late:
    case Status::refused:
    case Status::duplicate: {
      auto response = http::Response::error(401, name(error.code), error.message, error.hint);
      response.headers["www-authenticate"] = "Sparkmill-Signature";
      return response;
    }
    default:
      return http::Response::error(protocol::http_status(error.code), name(error.code), error.message, error.hint);
  }
}

}  // namespace sparkmill::node
