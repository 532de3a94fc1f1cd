// SPDX-License-Identifier: Apache-2.0
// Signers of Ed25519: S = r + k a for exactly the bytes of A and R that stand in the item.
#include "verify/signatures/signers/ed25519_numbers.h"
#include "verify/signatures/signers/signers_impl.h"

namespace sparkmill::signatures {
namespace {

using namespace ed25519_numbers;

class Ed25519Signers final : public BaseSigners {
 public:
  Ed25519Signers(const Form& form, const SignerSettings& settings)
      : BaseSigners(form, settings), bytom_(form.policy_name == "go" || form.policy_name == "bytom_legacy") {}

 protected:
  /// Bytom signs hashes.
  std::size_t usual_length() override { return bytom_ ? 32 : 24 + draw().below(105); }
  Result<Sample> make(Flaw flaw, Bytes message) override;

 private:
  Number scalar() { return reduced(drawn<64>()); }
  Number small_order() {
    Number out = kOrderEight;
    for (std::uint64_t times = draw().below(7); times > 0; --times) out = sum(out, kOrderEight);
    return out;
  }
  bool bytom_;
};

Result<Sample> Ed25519Signers::make(Flaw flaw, Bytes message) {
  Number secret = scalar(), nonce = scalar();
  Number a = times_base(secret), r = times_base(nonce);
  switch (flaw) {
    case Flaw::torsion_key: a = sum(a, small_order()); break;
    case Flaw::torsion_commitment: r = sum(r, small_order()); break;
    case Flaw::small_order_key:
    case Flaw::odd_key_encoding:
      a = flaw == Flaw::small_order_key ? kOrderEight : kOddNeutral;
      secret = {};
      break;
    case Flaw::odd_point_encoding:
    case Flaw::neutral_commitment:
      r = flaw == Flaw::odd_point_encoding ? kOddNeutral : kNeutral;
      nonce = {};
      break;
    default: break;
  }
  Number k = challenge(r, a, message);
  // With a key of order 8 the hash must be a multiple of 8: one of eight commitments does it.
  while (flaw == Flaw::small_order_key && (k[0] & 7) != 0) {
    nonce = scalar();
    r = times_base(nonce);
    k = challenge(r, a, message);
  }
  const Number s = product_plus(k, secret, nonce);
  Bytes signature(r.begin(), r.end());
  signature.insert(signature.end(), s.begin(), s.end());
  return Sample{{a.begin(), a.end()}, std::move(signature), std::move(message)};
}

}  // namespace

std::unique_ptr<Signers> ed25519_signers(const Form& form, const SignerSettings& settings) {
  return std::make_unique<Ed25519Signers>(form, settings);
}

}  // namespace sparkmill::signatures
