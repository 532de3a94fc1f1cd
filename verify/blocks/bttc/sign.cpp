// SPDX-License-Identifier: Apache-2.0
// The one place that has a secret of secp256k1, and the one user of libsecp256k1 in the product.
#include "verify/blocks/bttc/sign.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <sodium.h>

#include <cstdlib>

#include "base/hash.h"

namespace sparkmill::bttc {

struct Signer::Secret {
  secp256k1_context* context = nullptr;
  std::uint8_t* key = nullptr;  // sodium_malloc

  Secret() : context(secp256k1_context_create(SECP256K1_CONTEXT_SIGN)) {
    if (sodium_init() < 0) std::abort();
    key = static_cast<std::uint8_t*>(sodium_malloc(sizeof(Hash32)));
    if (context == nullptr || key == nullptr) std::abort();
    const auto seed = random_array<32>();  // blinds the arithmetic; the signature does not depend on it
    if (secp256k1_context_randomize(context, seed.data()) != 1) std::abort();
  }
  ~Secret() {
    sodium_free(key);
    secp256k1_context_destroy(context);
  }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
};

Signer::Signer() : secret_(std::make_unique<Secret>()) {}
Signer::~Signer() = default;
Signer::Signer(Signer&&) noexcept = default;
Signer& Signer::operator=(Signer&&) noexcept = default;

std::string_view signing_absent() { return {}; }

Result<Signer> Signer::from_secret(const Hash32& secret, hashes::Kernel& hash) {
  Signer signer;
  const Secret& s = *signer.secret_;
  std::memcpy(s.key, secret.data(), secret.size());
  sodium_mprotect_readonly(s.key);
  secp256k1_pubkey key;
  if (secp256k1_ec_pubkey_create(s.context, &key, s.key) != 1) {
    return fail(Status::bad_input, "the secret of a secp256k1 key is 0 or not below the group's order");
  }
  std::uint8_t bytes[65];
  std::size_t size = sizeof bytes;
  secp256k1_ec_pubkey_serialize(s.context, bytes, &size, &key, SECP256K1_EC_UNCOMPRESSED);
  SPARKMILL_ASSIGN(const std::vector<Address> found,
                   addresses(std::span(bytes).subspan(1), hash, StopToken()));  // behind the 04 of its form
  signer.address_ = found[0];
  return signer;
}

Signature Signer::sign_hash(const Hash32& hash) const {
  const Secret& s = *secret_;
  secp256k1_ecdsa_recoverable_signature signature;
  // The default nonce is RFC 6979 without extra data; it fails for no valid key.
  if (secp256k1_ecdsa_sign_recoverable(s.context, &signature, hash.data(), s.key, nullptr, nullptr) != 1) std::abort();
  std::uint8_t bytes[64];
  int id = 0;
  secp256k1_ecdsa_recoverable_signature_serialize_compact(s.context, bytes, &id, &signature);
  Signature out;
  std::copy_n(bytes, 32, out.r.begin());
  std::copy_n(bytes + 32, 32, out.s.begin());
  out.recovery_id = static_cast<std::uint8_t>(id);
  return out;
}

}  // namespace sparkmill::bttc
