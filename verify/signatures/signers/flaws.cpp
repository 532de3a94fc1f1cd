// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/signers/flaws.h"

#include <algorithm>

namespace sparkmill::signatures {
namespace {

bool any(const Form&) { return true; }
bool ed25519(const Form& f) { return f.scheme == Scheme::ed25519; }
bool ecvrf(const Form& f) { return f.scheme == Scheme::ecvrf; }
bool rsa(const Form& f) { return f.scheme == Scheme::rsa2048; }
bool musig2(const Form& f) { return f.scheme == Scheme::musig2; }
bool schnorr(const Form& f) { return f.scheme == Scheme::bip340 || musig2(f); }
bool recovers(const Form& f) { return f.has_public_keys(); }
bool ecdsa(const Form& f) { return f.scheme == Scheme::ecdsa || recovers(f); }

constexpr FlawRow kFlaws[] = {
    {Flaw::key_bit, "key_bit", "bit of the key", [](const Form& f) { return f.key_bytes != 0 || musig2(f); }},
    {Flaw::signature_bit, "signature_bit", "bit of R, r, Gamma or the upper half", any},
    {Flaw::scalar_bit, "scalar_bit", "bit of S, s or the lower half", any},
    {Flaw::message_bit, "message_bit", "bit of the message", any},
    {Flaw::wrong_key, "wrong_key", "wrong key", [](const Form& f) { return f.key_bytes != 0 || musig2(f); }},
    {Flaw::wrong_message, "wrong_message", "wrong message", any},
    {Flaw::torsion_key, "torsion_key", "torsion added to A, signed for", ed25519},
    {Flaw::torsion_commitment, "torsion_commitment", "torsion added to R or Gamma, signed for",
     [](const Form& f) { return ed25519(f) || ecvrf(f); }},
    {Flaw::scalar_plus_order, "scalar_plus_order", "S + L, s + N",
     [](const Form& f) { return ed25519(f) || ecvrf(f) || ecdsa(f); }},
    {Flaw::small_order_key, "small_order_key", "A of small order, the equation holds",
     [](const Form& f) { return ed25519(f) || ecvrf(f); }},
    {Flaw::odd_key_encoding, "odd_key_encoding", "y of A not below p, the equation holds", ed25519},
    {Flaw::odd_point_encoding, "odd_point_encoding", "y of R not below p, the equation holds", ed25519},
    {Flaw::zero_scalar, "zero_scalar", "S or s zero", [](const Form& f) { return !rsa(f); }},
    {Flaw::high_s, "high_s", "N - s, with the other parity", ecdsa},
    {Flaw::r_plus_order, "r_plus_order", "r + N", ecdsa},
    {Flaw::flipped_v, "flipped_v", "the other parity of R", [](const Form& f) { return recovers(f) || schnorr(f); }},
    {Flaw::odd_v, "odd_v", "a v that the caller does not take", recovers},
    {Flaw::plus_modulus, "plus_modulus", "signature + n", rsa},
    {Flaw::other_padding, "other_padding", "the message in another padding", rsa},
    {Flaw::challenge_bit, "challenge_bit", "bit of the challenge", ecvrf},
    {Flaw::large_x, "large_x", "x of R not below N, the equation holds", ecdsa},
    {Flaw::odd_der, "odd_der", "DER that is not strict", [](const Form& f) { return f.signature_bytes == 0; }},
    {Flaw::neutral_commitment, "neutral_commitment", "R the neutral element, the equation holds", ed25519},
    {Flaw::missing_signer, "missing_signer", "the part of one signer is missing", musig2},
    {Flaw::swapped_signers, "swapped_signers", "the list of signers in another order", musig2},
    {Flaw::short_padding, "short_padding", "few FF and something behind the message", rsa},
};

const FlawRow* row(Flaw flaw) {
  const auto* it = std::find_if(std::begin(kFlaws), std::end(kFlaws), [&](const FlawRow& r) { return r.flaw == flaw; });
  return it == std::end(kFlaws) ? nullptr : it;
}

}  // namespace

std::span<const FlawRow> flaws() { return kFlaws; }

std::vector<Flaw> flaws_of(const Form& form) {
  std::vector<Flaw> out;
  for (const FlawRow& r : kFlaws) {
    if (r.in(form)) out.push_back(r.flaw);
  }
  return out;
}

std::string_view name(Flaw flaw) {
  if (flaw == Flaw::none) return "none";
  const FlawRow* r = row(flaw);
  return r == nullptr ? "?" : r->name;
}

std::string_view about(Flaw flaw) {
  if (flaw == Flaw::none) return "none";
  const FlawRow* r = row(flaw);
  return r == nullptr ? "?" : r->about;
}

}  // namespace sparkmill::signatures
