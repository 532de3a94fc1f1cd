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
  Scalar secret;              ///< their sum
  Point point;                ///< of the sum
  void add_up() {
    secret = Scalar::zero();
    for (const Scalar& part : parts) secret = secret + part;
    point = times_generator(secret);
  }
};

class SchnorrSigners final : public BaseSigners {
 public:
  SchnorrSigners(const Form& form, const SignerSettings& settings)
      : BaseSigners(form, settings), musig2_(form.scheme == Scheme::musig2), multiples_(draw()) {}

 protected:
  std::size_t usual_length() override { return musig2_ ? 32 : 32 + draw().below(65); }
  std::size_t keys_in_message() const override { return musig2_ ? kMembers * sizeof(PlainKey) : 0; }
  Result<Sample> make(Flaw flaw, Bytes message) override;

 private:
  /// Under the secret d of p, whose y may be odd.
  Bytes sign(Scalar d, const Point& p, bool odd_commitment, ByteView message) {
    if (p.y.odd()) d = Scalar::zero() - d;
    const Multiple nonce = multiples_.next();
    const Scalar k = nonce.point.y.odd() != odd_commitment ? Scalar::zero() - nonce.n : nonce.n;
    Bytes out, key;
    append(nonce.point.x.number(), out);
    append(p.x.number(), key);
    const Scalar e = Scalar::reduced(secp256k1::reference::bip340_challenge(out, key, message));
    append((k + e * d).number(), out);
    return out;
  }
  Committee make_committee();

  const bool musig2_;
  Multiples multiples_;
  Committee committee_;
  std::size_t used_ = 0;  ///< items of this committee
};

Committee SchnorrSigners::make_committee() {
  Committee out;
  std::vector<Scalar> secrets;
  for (std::size_t k = 0; k < kMembers; ++k) {
    const Multiple member = multiples_.next();
    secrets.push_back(member.n);
    out.keys.push_back(compressed(member.point));
  }
  // Compressed keys keep the sign of y, so that the secrets need no turn.
  for (std::size_t k = 0; k < kMembers; ++k) {
    out.parts.push_back(scalar_of(key_coefficient(out.keys, out.keys[k])) * secrets[k]);
  }
  out.add_up();
  return out;
}

Result<Sample> SchnorrSigners::make(Flaw flaw, Bytes message) {
  const bool odd = flaw == Flaw::flipped_v;
  if (!musig2_) {
    const Multiple own = multiples_.next();
    Bytes key;
    append(own.point.x.number(), key);
    Bytes signature = sign(own.n, own.point, odd, message);
    return Sample{std::move(key), std::move(signature), std::move(message)};
  }
  if (flaw == Flaw::wrong_key || used_ % kItemsOfCommittee == 0) committee_ = make_committee();
  ++used_;
  Committee signers = committee_;
  if (flaw == Flaw::missing_signer) {
    signers.parts.pop_back();
    signers.add_up();
  }
  Bytes signature = sign(signers.secret, signers.point, odd, message);
  if (flaw == Flaw::swapped_signers) std::swap(signers.keys[0], signers.keys[1]);
  return Sample{{}, std::move(signature), musig2_message(signers.keys, message)};
}

}  // namespace

std::unique_ptr<Signers> schnorr_signers(const Form& form, const SignerSettings& settings) {
  return std::make_unique<SchnorrSigners>(form, settings);
}

}  // namespace sparkmill::signatures
