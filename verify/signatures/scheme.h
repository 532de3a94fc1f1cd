// SPDX-License-Identifier: Apache-2.0
// The schemes of signatures and proofs that we decide, each under the rules of its callers: one table row, a *form*,
// for each scheme and policy. Sizes here are those of the bytes that callers hold (a v word, a DER signature, a
// compressed key); verify/signatures/batch.h translates them into the shapes of the kernels.
// Numbers and names are part of formats (docs/formats.md): they are never reused.
// Source: the specification "Signatures and proofs" 1 to 5; jobs-and-proofs 7 for the evidence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "kernels/kernel.h"

namespace sparkmill::signatures {

enum class Scheme : std::uint16_t {
  ed25519 = 1,        ///< policies go, bytom_legacy, rfc8032_canonical_*, zip215, dalek_strict
  ecdsa = 2,          ///< secp256k1 with a known key over a 32-byte digest; policies are encodings
  ecdsa_recover = 3,  ///< secp256k1: valid when an address is recovered, which is the output; policies are callers
  ecdsa_address = 4,  ///< as ecdsa_recover, valid when the recovered address is the one given as key
  bip340 = 5,         ///< Schnorr, x-only key, message of any length
  musig2 = 6,         ///< BIP-340 under the key aggregated (BIP-327) from the keys in front of the message
  rsa2048 = 7,        ///< e = 65537; policies draw (1 to 245 bytes), pkcs1_sha256 (a 32-byte hash)
  ecvrf = 8,          ///< ECVRF-EDWARDS25519-SHA512; the proof is the signature, beta the output; policies tai, ell2
};

inline constexpr std::size_t kMaxSignatureBytes = 1024;
inline constexpr std::size_t kMaxMessageBytes = 16u << 20;

/// One scheme under one policy.
struct Form {
  Scheme scheme;
  std::uint16_t policy;          ///< from 1, within the scheme
  std::string_view scheme_name;  ///< "ed25519"
  std::string_view policy_name;  ///< "go"
  /// Whose kernels decide; nothing: portable code on the host, no kernel is used.
  std::optional<kernels::Family> family;
  std::size_t key_bytes;        ///< 0: the form has no key
  std::size_t signature_bytes;  ///< 0: any length up to kMaxSignatureBytes (DER)
  std::size_t message_bytes;    ///< 0: any length from least_message_bytes to most_message_bytes
  std::size_t evidence_bytes;   ///< jobs-and-proofs 7; 0: none
  std::size_t output_bytes;     ///< 0: none; else an address (20; TRON 21) or beta (64)
  std::string_view about;       ///< one sentence for users
  std::size_t least_message_bytes = 0;
  std::size_t most_message_bytes = kMaxMessageBytes;
  bool takes_message_of(std::size_t bytes) const {
    return message_bytes != 0 ? bytes == message_bytes : bytes >= least_message_bytes && bytes <= most_message_bytes;
  }
  /// "32 bytes", "1 to 245 bytes", "at most 16777216 bytes": for errors.
  std::string message_lengths() const;
  bool has_public_keys() const { return scheme == Scheme::ecdsa_recover || scheme == Scheme::ecdsa_address; }
};

/// All forms, by scheme and policy number.
std::span<const Form> forms();
/// nullptr when there is none.
const Form* find_form(std::uint16_t scheme, std::uint16_t policy);
/// By names; an empty policy is the scheme's first. Error: bad_argument listing the schemes, or the scheme's policies.
Result<const Form*> form_named(std::string_view scheme, std::string_view policy);

}  // namespace sparkmill::signatures
