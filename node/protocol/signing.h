// SPDX-License-Identifier: Apache-2.0
// Request signatures (jobs and proofs 3), header
//   Sparkmill-Signature: worker=<hex 32>, time=<unix ms>, nonce=<hex 16>, sig=<hex 64>
// Signed text, domain "sparkmill/request/v1": node_pub | boot_id | len method | len path+query | H(body) | u64 unix_ms
// | nonce[16]. The key is the worker's role key "request", bound to worker_pub at registration.
#pragma once

#include "base/keys/keys.h"

namespace sparkmill::protocol {

inline constexpr char kSignatureHeader[] = "sparkmill-signature";
inline constexpr std::uint64_t kSignatureWindowMs = 60'000;

struct RequestSignature {
  keys::PublicKey worker_pub{};
  std::uint64_t time_ms = 0;
  Id16 nonce{};
  keys::Signature signature{};
};

std::string format(const RequestSignature& signature);
Result<RequestSignature> parse_signature(std::string_view header);

/// Message under the domain "sparkmill/request/v1".
Bytes request_text(const keys::PublicKey& node_pub, const Id16& boot_id, std::string_view method,
                   std::string_view target, ByteView body, std::uint64_t time_ms, const Id16& nonce);

/// Signs with a fresh nonce; `time_ms` is the node's time as the worker knows it.
RequestSignature sign_request(const keys::SigningKey& request_key, const keys::PublicKey& worker_pub,
                              const keys::PublicKey& node_pub, const Id16& boot_id, std::string_view method,
                              std::string_view target, ByteView body, std::uint64_t time_ms);

}  // namespace sparkmill::protocol
