// SPDX-License-Identifier: Apache-2.0
// Signers of ECVRF: a fresh key's proof for a fresh alpha.
#include "verify/signatures/ecvrf.h"

#include <algorithm>

#include "verify/signatures/signers/ed25519_numbers.h"
#include "verify/signatures/signers/signers_impl.h"

namespace sparkmill::signatures {
namespace {

using namespace ed25519_numbers;

class EcvrfSigners final : public BaseSigners {
 public:
  EcvrfSigners(const Form& form, const SignerSettings& settings)
      : BaseSigners(form, settings), suite_(form.policy == 1 ? VrfSuite::tai : VrfSuite::ell2) {}

 protected:
  std::size_t usual_length() override { return 32 + draw().below(65); }
  Result<Sample> make(Flaw flaw, Bytes message) override {
    if (flaw == Flaw::small_order_key || flaw == Flaw::torsion_commitment) return odd_one(flaw, std::move(message));
    const Bytes32 secret = drawn<32>();
    const VrfKey key = vrf_public_key(secret);
    SPARKMILL_ASSIGN(const VrfProof proof, vrf_prove(suite_, secret, message));
    return Sample{{key.begin(), key.end()}, {proof.begin(), proof.end()}, std::move(message)};
  }

 private:
  Sample odd_one(Flaw flaw, Bytes message);
  VrfSuite suite_;
};

/// Equations that hold although the key, or a part of Gamma, has order 8: the challenge must be a multiple of 8, which
/// one of eight nonces makes it.
Sample EcvrfSigners::odd_one(Flaw flaw, Bytes message) {
  const bool small_key = flaw == Flaw::small_order_key;
  const Number secret = small_key ? Number{} : reduced(drawn<64>());
  const Number key = small_key ? kOrderEight : times_base(secret);
  const Number h = vrf_encode_to_curve(suite_, key, message);
  const Number gamma = small_key ? kNeutral : sum(times(secret, h), kOrderEight);
  for (;;) {
    const Number nonce = reduced(drawn<64>());
    const auto c = vrf_challenge(suite_, {key, h, gamma, times_base(nonce), times(nonce, h)});
    if ((c[0] & 7) != 0) continue;
    Number wide{};
    std::copy(c.begin(), c.end(), wide.begin());
    const Number s = product_plus(wide, secret, nonce);
    Bytes proof(gamma.begin(), gamma.end());
    proof.insert(proof.end(), c.begin(), c.end());
    proof.insert(proof.end(), s.begin(), s.end());
    return {{key.begin(), key.end()}, std::move(proof), std::move(message)};
  }
}

}  // namespace

std::unique_ptr<Signers> ecvrf_signers(const Form& form, const SignerSettings& settings) {
  return std::make_unique<EcvrfSigners>(form, settings);
}

}  // namespace sparkmill::signatures
