// SPDX-License-Identifier: Apache-2.0
// What the signers of all schemes share: draws, lengths of messages, and the flaws that need no signing. One file a
// scheme derives from it.
#pragma once

#include "verify/signatures/signers/signers.h"

namespace sparkmill::signatures {

using Bytes32 = std::array<std::uint8_t, 32>;

class BaseSigners : public Signers {
 public:
  BaseSigners(const Form& form, const SignerSettings& settings);
  const Form& form() const final { return form_; }
  std::span<const Flaw> flaws() const final { return flaws_; }
  Result<Sample> good() final { return make(Flaw::none, message()); }
  Result<Sample> bad(Flaw flaw) final;

 protected:
  /// Signs `message`. Flaws that must be signed for, or that only this scheme has, are made here; for all others the
  /// item is honest.
  virtual Result<Sample> make(Flaw flaw, Bytes message) = 0;
  /// Lengths of messages as callers of the form have them, where it leaves them open.
  virtual std::size_t usual_length() = 0;
  /// Bytes of keys in front of the message (MuSig2), the count before them not included.
  virtual std::size_t keys_in_message() const { return 0; }

  ChaChaWords& draw() { return draw_; }
  Bytes random(std::size_t size);
  template <std::size_t N>
  std::array<std::uint8_t, N> drawn() {
    std::array<std::uint8_t, N> out{};
    for (std::uint8_t& b : out) b = static_cast<std::uint8_t>(draw_.u32());
    return out;
  }
  /// Removes a flaw that these settings cannot give.
  void without(Flaw flaw) { std::erase(flaws_, flaw); }

 private:
  Bytes message();
  Done bend(Flaw flaw, Sample& item);

  const Form& form_;
  std::optional<std::size_t> message_bytes_;
  std::vector<Flaw> flaws_;
  ChaChaWords draw_;
};

/// Flips one drawn bit of bytes [from, to). Requires from < to <= bytes.size().
void flip_bit(Bytes& bytes, std::size_t from, std::size_t to, ChaChaWords& draw);

std::unique_ptr<Signers> ed25519_signers(const Form& form, const SignerSettings& settings);
std::unique_ptr<Signers> ecdsa_signers(const Form& form, const SignerSettings& settings);
std::unique_ptr<Signers> schnorr_signers(const Form& form, const SignerSettings& settings);
std::unique_ptr<Signers> ecvrf_signers(const Form& form, const SignerSettings& settings);
Result<std::unique_ptr<Signers>> rsa_signers(const Form& form, const SignerSettings& settings);

}  // namespace sparkmill::signatures
