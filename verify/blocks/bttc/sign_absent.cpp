// SPDX-License-Identifier: Apache-2.0
// In place of sign.cpp where libsecp256k1 was not there at configure time.
#include "verify/blocks/bttc/sign.h"

namespace sparkmill::bttc {

struct Signer::Secret {};

Signer::Signer() = default;
Signer::~Signer() = default;
Signer::Signer(Signer&&) noexcept = default;
Signer& Signer::operator=(Signer&&) noexcept = default;

std::string_view signing_absent() { return "built without libsecp256k1"; }

Result<Signer> Signer::from_secret(const Hash32&, hashes::Kernel&) {
  return fail(Status::unsupported, "this build cannot sign: libsecp256k1 was not there when it was configured",
              "install libsecp256k1-dev and build again");
}

Signature Signer::sign_hash(const Hash32&) const { return {}; }

}  // namespace sparkmill::bttc
