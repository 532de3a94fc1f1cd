// SPDX-License-Identifier: Apache-2.0
// Signatures of a BOINC project's page account_ownership.php: RSA PKCS #1 v1.5 with SHA-512 over "<userid> <text>"
// (BOINC page 5). The public key is what get_project_config.php publishes as account_ownership_public_key.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "node/protocol/boinc.h"

namespace sparkmill::node::credit {

/// A project's public RSA key, 2,048 to 16,384 bits. Immutable, shared freely.
class OwnershipKey {
 public:
  /// `published`: base64 of a PEM text, as the project's page says it; PEM or base64 of DER are taken too. Errors:
  /// bad_config.
  static Result<OwnershipKey> parse(std::string_view published);
  /// False for anything but a signature of this key over exactly `message`. Variable time, public data.
  bool verify(std::string_view message, ByteView signature) const;
  /// SHA-256 of the key as DER (SubjectPublicKeyInfo): what pins it.
  const Hash32& hash() const { return hash_; }

 private:
  OwnershipKey() = default;
  std::shared_ptr<void> key_;  // EVP_PKEY
  Hash32 hash_{};
};

/// What a binding says once its signature holds.
struct Ownership {
  std::uint64_t user_id = 0;
  protocol::OwnershipText text;
};

/// Checks the signature first, then reads the message. Errors: bad_input (not base64, not our text), refused (not
/// signed by this key).
Result<Ownership> check_ownership(const OwnershipKey& key, const protocol::BoincBinding& binding);

/// Standard base64 with padding; white space is skipped. Error: bad_input, also for an empty text.
Result<Bytes> from_base64(std::string_view text, std::string_view what);

}  // namespace sparkmill::node::credit
