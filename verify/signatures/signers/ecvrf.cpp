// SPDX-License-Identifier: Apache-2.0
// Signers of ECVRF: a fresh key's proof for a fresh alpha.
#include "verify/signatures/ecvrf.h"

#include "verify/signatures/signers/signers_impl.h"

namespace sparkmill::signatures {
namespace {

class EcvrfSigners final : public BaseSigners {
 public:
  EcvrfSigners(const Form& form, const SignerSettings& settings)
      : BaseSigners(form, settings), suite_(form.policy == 1 ? VrfSuite::tai : VrfSuite::ell2) {}

 protected:
  std::size_t usual_length() override { return 32 + draw().below(65); }
  Result<Sample> make(Flaw, Bytes message) override {
    const Bytes32 secret = drawn<32>();
    const VrfKey key = vrf_public_key(secret);
    SPARKMILL_ASSIGN(const VrfProof proof, vrf_prove(suite_, secret, message));
    return Sample{{key.begin(), key.end()}, {proof.begin(), proof.end()}, std::move(message)};
  }

 private:
  VrfSuite suite_;
};

}  // namespace

std::unique_ptr<Signers> ecvrf_signers(const Form& form, const SignerSettings& settings) {
  return std::make_unique<EcvrfSigners>(form, settings);
}

}  // namespace sparkmill::signatures
