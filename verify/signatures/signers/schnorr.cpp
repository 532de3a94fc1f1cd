// SPDX-License-Identifier: Apache-2.0
// Signers of BIP-340 and of MuSig2. A committee's members sign as one here: their secrets, each times its coefficient,
// add up as their keys do, which gives the bytes that nonces and partial signatures would give.
#include "verify/signatures/musig2.h"
#include "verify/signatures/signers/secp256k1_numbers.h"
#include "verify/signatures/signers/signers_impl.h"

namespace sparkmill::signatures {
namespace {

using namespace secp256k1_numbers;

/// Votes of one committee come together; a new one costs three multiples of G here and three of its keys to verify.
constexpr std::size_t kMembers = 3;
constexpr std::size_t kItemsOfCommittee = 64;

struct Committee {
  std::vector<PlainKey> keys;
  std::vector<Scalar> parts;  ///< a_i d_i
  Scalar secret() const {
    Scalar sum = Scalar::zero();
    for (const Scalar& part : parts) sum = sum + part;
    return sum;
  }
};

class SchnorrSigners final : public BaseSigners {
 public:
  SchnorrSigners(const Form& form, const SignerSettings& settings)
      : BaseSigners(form, settings), musig2_(form.scheme == Scheme::musig2) {}

 protected:
  std::size_t usual_length() override { return musig2_ ? 32 : 32 + draw().below(65); }
  std::size_t keys_in_message() const override { return musig2_ ? kMembers * sizeof(PlainKey) : 0; }
  Result<Sample> make(Flaw flaw, Bytes message) override;

 private:
  Scalar scalar() { return scalar_of(random(32)); }
  /// Under the secret d, whose public point may have odd y.
  Bytes sign(Scalar d, bool odd_commitment, ByteView message) {
    const Point p = times_generator(d);
    if (p.y.odd()) d = Scalar::zero() - d;
    Scalar k = scalar();
    const Point r = times_generator(k);
    if (r.y.odd() != odd_commitment) k = Scalar::zero() - k;
    Bytes out, key;
    append(r.x.number(), out);
    append(p.x.number(), key);
    const Scalar e = Scalar::reduced(secp256k1::reference::bip340_challenge(out, key, message));
    append((k + e * d).number(), out);
    return out;
  }
  Committee make_committee();

  const bool musig2_;
  Committee committee_;
  std::size_t used_ = 0;  ///< items of this committee
};

Committee SchnorrSigners::make_committee() {
  Committee out;
  std::vector<Scalar> secrets;
  for (std::size_t k = 0; k < kMembers; ++k) {
    secrets.push_back(scalar());
    out.keys.push_back(compressed(times_generator(secrets.back())));
  }
  // Compressed keys keep the sign of y, so that the secrets need no turn.
  for (std::size_t k = 0; k < kMembers; ++k) {
    out.parts.push_back(scalar_of(key_coefficient(out.keys, out.keys[k])) * secrets[k]);
  }
  return out;
}

Result<Sample> SchnorrSigners::make(Flaw flaw, Bytes message) {
  const bool odd = flaw == Flaw::flipped_v;
  if (!musig2_) {
    const Scalar d = scalar();
    Bytes key;
    append(times_generator(d).x.number(), key);
    Bytes signature = sign(d, odd, message);
    return Sample{std::move(key), std::move(signature), std::move(message)};
  }
  if (flaw == Flaw::wrong_key || used_ % kItemsOfCommittee == 0) committee_ = make_committee();
  ++used_;
  Committee signers = committee_;
  if (flaw == Flaw::missing_signer) signers.parts.pop_back();
  Bytes signature = sign(signers.secret(), odd, message);
  if (flaw == Flaw::swapped_signers) std::swap(signers.keys[0], signers.keys[1]);
  return Sample{{}, std::move(signature), musig2_message(signers.keys, message)};
}

}  // namespace

std::unique_ptr<Signers> schnorr_signers(const Form& form, const SignerSettings& settings) {
  return std::make_unique<SchnorrSigners>(form, settings);
}

}  // namespace sparkmill::signatures
