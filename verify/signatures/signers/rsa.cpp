// SPDX-License-Identifier: Apache-2.0
// Signers with RSA-2048 keys: draws (block type 1, no DigestInfo) and PKCS #1 v1.5 with SHA-256.
#include "kernels/rsa/rsa.h"

#include <algorithm>

#include "verify/signatures/signers/rsa_key.h"
#include "verify/signatures/signers/signers_impl.h"

namespace sparkmill::signatures {
namespace {

/// What BTN's roles sign: a seal, a draw, a later seal, a vote.
constexpr std::size_t kRoleLengths[] = {32, 36, 37, 41};
constexpr std::size_t kLeastPadding = 8;

/// signature + n, where the sum has 256 bytes; nothing where it has more.
std::optional<Bytes> plus(const Bytes& signature, const Bytes& modulus) {
  Bytes out(signature.size());
  unsigned carry = 0;
  for (std::size_t k = out.size(); k-- > 0;) {
    carry += unsigned{signature[k]} + modulus[k];
    out[k] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
  return carry == 0 ? std::optional(std::move(out)) : std::nullopt;
}

class RsaSigners final : public BaseSigners {
 public:
  RsaSigners(const Form& form, const SignerSettings& settings, std::span<const RsaKey> keys)
      : BaseSigners(form, settings), keys_(keys), draw_form_(form.policy_name == "draw") {
    if (settings.message_bytes == rsa::kMostDrawBytes) without(Flaw::short_padding);  // nothing fits behind it
  }

 protected:
  std::size_t usual_length() override { return kRoleLengths[draw().below(std::size(kRoleLengths))]; }
  Result<Sample> make(Flaw flaw, Bytes message) override;

 private:
  static Bytes with_digest_info(const Bytes& message) {
    Bytes out(std::begin(kSha256DigestInfo), std::end(kSha256DigestInfo));
    out.insert(out.end(), message.begin(), message.end());
    return out;
  }
  Bytes encoded(Flaw flaw, const Bytes& message);

  std::span<const RsaKey> keys_;
  bool draw_form_;
};

Bytes RsaSigners::encoded(Flaw flaw, const Bytes& message) {
  const Bytes content = draw_form_ ? message : with_digest_info(message);
  if (flaw == Flaw::other_padding) {
    const bool other_content = message.size() + sizeof kSha256DigestInfo <= rsa::kMostDrawBytes;
    if (other_content && draw().below(2) == 0)
      return rsa_block_type_1(draw_form_ ? with_digest_info(message) : message);
    Bytes em = rsa_block_type_1(content);  // block type 2: random padding without zeros
    em[1] = 2;
    for (std::size_t k = 2; em[k] == 0xff; ++k) em[k] = static_cast<std::uint8_t>(1 + draw().below(254));
    return em;
  }
  Bytes em = rsa_block_type_1(content);
  if (flaw == Flaw::short_padding) {
    const std::size_t behind = em.size() - content.size() - 3 - kLeastPadding;
    std::rotate(em.begin() + 2, em.begin() + static_cast<std::ptrdiff_t>(2 + behind), em.end());
    for (std::size_t k = em.size() - behind; k < em.size(); ++k) em[k] = static_cast<std::uint8_t>(draw().u32());
  }
  return em;
}

Result<Sample> RsaSigners::make(Flaw flaw, Bytes message) {
  for (;;) {
    const RsaKey& key = keys_[draw().below(keys_.size())];
    SPARKMILL_ASSIGN(Bytes signature, key.sign_encoded(encoded(flaw, message)));
    if (flaw == Flaw::plus_modulus) {
      // Where the sum has a bit too many, another message is signed.
      const auto sum = plus(signature, key.modulus());
      if (!sum) {
        message = random(message.size());
        continue;
      }
      signature = *sum;
    }
    return Sample{key.modulus(), std::move(signature), std::move(message)};
  }
}

}  // namespace

Result<std::unique_ptr<Signers>> rsa_signers(const Form& form, const SignerSettings& settings) {
  SPARKMILL_ASSIGN(const std::span<const RsaKey> keys, process_rsa_keys());
  return std::unique_ptr<Signers>(std::make_unique<RsaSigners>(form, settings, keys));
}

}  // namespace sparkmill::signatures
