// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/scheme.h"

#include <algorithm>
#include <string>

#include "kernels/ed25519/ed25519.h"
#include "kernels/rsa/rsa.h"
#include "kernels/secp256k1/secp256k1.h"
#include "verify/signatures/ecdsa.h"
#include "verify/signatures/ecvrf.h"

namespace sparkmill::signatures {
namespace {

using kernels::Family;

constexpr Form ed25519_form(ed25519::Policy policy, std::string_view name, std::string_view about) {
  return {Scheme::ed25519,
          static_cast<std::uint16_t>(static_cast<unsigned>(policy) + 1),
          "ed25519",
          name,
          Family::ed25519,
          ed25519::kKeyBytes,
          ed25519::kSignatureBytes,
          0,
          ed25519::kEvidenceBytes,
          0,
          about};
}

constexpr Form ecdsa_form(EcdsaPolicy policy, std::string_view name, std::size_t key_bytes, bool der,
                          std::string_view about) {
  return {Scheme::ecdsa,
          static_cast<std::uint16_t>(policy),
          "ecdsa",
          name,
          Family::secp256k1,
          key_bytes,
          der ? 0 : secp256k1::kSignatureBytes,
          secp256k1::kDigestBytes,
          secp256k1::kEvidenceBytes,
          0,
          about};
}

constexpr Form caller_form(Scheme scheme, Caller caller, std::string_view name, bool v_word, bool tron,
                           std::string_view about) {
  const std::size_t address = tron ? 21 : 20;
  const bool recover = scheme == Scheme::ecdsa_recover;
  return {scheme,
          static_cast<std::uint16_t>(caller),
          recover ? "ecdsa_recover" : "ecdsa_address",
          name,
          Family::secp256k1,
          recover ? 0 : address,
          v_word ? std::size_t{96} : std::size_t{65},
          secp256k1::kDigestBytes,
          secp256k1::kEvidenceBytes,
          address,
          about};
}

constexpr std::string_view kEvm = "v a 32-byte word, 27 or 28; high s accepted";
constexpr std::string_view kTransaction = "v a 32-byte word: 0, 1, 27, 28 or 35 + 2 chain + parity; low s only";
constexpr std::string_view kHomestead = "v a 32-byte word, 27 or 28; low s only";
constexpr std::string_view kOpenZeppelin = "v a byte, 27 or 28; low s only";
constexpr std::string_view kTronPrecompile = "as evm_precompile, address with 41 in front";
constexpr std::string_view kTronMultisign = "v a byte, 0, 1, 27 or 28; high s accepted; address with 41 in front";
constexpr std::string_view kTronTransaction =
    "v a byte, 0 to 7 or 27 to 34; r and s not ranged; address with 41 in front";

constexpr Form kForms[] = {
    ed25519_form(ed25519::Policy::go, "go", "Bytom 2, Go, OpenSSL: lenient key, cofactorless"),
    ed25519_form(ed25519::Policy::bytom_legacy, "bytom_legacy", "every Bytom 1.x release: as go, S below 2^253"),
    ed25519_form(ed25519::Policy::rfc8032_canonical_cofactorless, "rfc8032_canonical_cofactorless",
                 "RFC 8032 with canonical encodings, cofactorless"),
    ed25519_form(ed25519::Policy::rfc8032_canonical_cofactored, "rfc8032_canonical_cofactored",
                 "RFC 8032 with canonical encodings, times 8"),
    ed25519_form(ed25519::Policy::zip215, "zip215", "Zcash: lenient encodings, times 8"),
    ed25519_form(ed25519::Policy::dalek_strict, "dalek_strict", "Solana, libsodium: as go, no small order"),
    ecdsa_form(EcdsaPolicy::raw, "raw", 64, false, "key X || Y, signature r || s"),
    ecdsa_form(EcdsaPolicy::uncompressed, "uncompressed", 65, false, "key 04 || X || Y, signature r || s"),
    ecdsa_form(EcdsaPolicy::compressed, "compressed", 33, false, "key 02 or 03 || X, signature r || s"),
    ecdsa_form(EcdsaPolicy::raw_der, "raw_der", 64, true, "key X || Y, signature strict DER"),
    ecdsa_form(EcdsaPolicy::uncompressed_der, "uncompressed_der", 65, true, "key 04 || X || Y, signature strict DER"),
    ecdsa_form(EcdsaPolicy::compressed_der, "compressed_der", 33, true, "key 02 or 03 || X, signature strict DER"),
    ecdsa_form(EcdsaPolicy::raw_low_s, "raw_low_s", 64, false, "as raw, s at most N/2"),
    ecdsa_form(EcdsaPolicy::uncompressed_low_s, "uncompressed_low_s", 65, false, "as uncompressed, s at most N/2"),
    ecdsa_form(EcdsaPolicy::compressed_low_s, "compressed_low_s", 33, false, "as compressed, s at most N/2"),
    ecdsa_form(EcdsaPolicy::raw_der_low_s, "raw_der_low_s", 64, true, "as raw_der, s at most N/2"),
    ecdsa_form(EcdsaPolicy::uncompressed_der_low_s, "uncompressed_der_low_s", 65, true,
               "as uncompressed_der, s at most N/2"),
    ecdsa_form(EcdsaPolicy::compressed_der_low_s, "compressed_der_low_s", 33, true,
               "as compressed_der, s at most N/2: Bitcoin"),
    caller_form(Scheme::ecdsa_recover, Caller::evm_precompile, "evm_precompile", true, false, kEvm),
    caller_form(Scheme::ecdsa_recover, Caller::ethereum_transaction, "ethereum_transaction", true, false, kTransaction),
    caller_form(Scheme::ecdsa_recover, Caller::ethereum_homestead, "ethereum_homestead", true, false, kHomestead),
    caller_form(Scheme::ecdsa_recover, Caller::openzeppelin, "openzeppelin", false, false, kOpenZeppelin),
    caller_form(Scheme::ecdsa_recover, Caller::tron_precompile, "tron_precompile", true, true, kTronPrecompile),
    caller_form(Scheme::ecdsa_recover, Caller::tron_multisign, "tron_multisign", false, true, kTronMultisign),
    caller_form(Scheme::ecdsa_recover, Caller::tron_transaction, "tron_transaction", false, true, kTronTransaction),
    caller_form(Scheme::ecdsa_address, Caller::evm_precompile, "evm_precompile", true, false, kEvm),
    caller_form(Scheme::ecdsa_address, Caller::ethereum_transaction, "ethereum_transaction", true, false, kTransaction),
    caller_form(Scheme::ecdsa_address, Caller::ethereum_homestead, "ethereum_homestead", true, false, kHomestead),
    caller_form(Scheme::ecdsa_address, Caller::openzeppelin, "openzeppelin", false, false, kOpenZeppelin),
    caller_form(Scheme::ecdsa_address, Caller::tron_precompile, "tron_precompile", true, true, kTronPrecompile),
    caller_form(Scheme::ecdsa_address, Caller::tron_multisign, "tron_multisign", false, true, kTronMultisign),
    caller_form(Scheme::ecdsa_address, Caller::tron_transaction, "tron_transaction", false, true, kTronTransaction),
    {Scheme::bip340, 1, "bip340", "bip340", Family::secp256k1, secp256k1::kXOnlyKeyBytes, secp256k1::kSignatureBytes, 0,
     secp256k1::kEvidenceBytes, 0, "key x only, message of any length"},
    {Scheme::musig2, 1, "musig2", "bip327", Family::secp256k1, 0, secp256k1::kSignatureBytes, 0,
     secp256k1::kEvidenceBytes, 0, "message: u16 signers | signers x 33-byte keys | message"},
    {Scheme::rsa2048, 1, "rsa2048", "draw", Family::rsa, rsa::kModulusBytes, rsa::kSignatureBytes, 0,
     rsa::kEvidenceBytes, 0, "BTN draws, seals, votes: block type 1, no DigestInfo", 1, rsa::kMostDrawBytes},
    {Scheme::rsa2048, 2, "rsa2048", "pkcs1_sha256", Family::rsa, rsa::kModulusBytes, rsa::kSignatureBytes,
     rsa::kHashBytes, rsa::kEvidenceBytes, 0, "RSASSA-PKCS1-v1_5 of a SHA-256 hash"},
    {Scheme::ecvrf, 1, "ecvrf", "tai", std::nullopt, kVrfKeyBytes, kVrfProofBytes, 0, sizeof(VrfEvidence),
     sizeof(VrfOutput), "RFC 9381 suite 03, try and increment"},
    {Scheme::ecvrf, 2, "ecvrf", "ell2", std::nullopt, kVrfKeyBytes, kVrfProofBytes, 0, sizeof(VrfEvidence),
     sizeof(VrfOutput), "RFC 9381 suite 04, Elligator 2"},
};

}  // namespace

std::string Form::message_lengths() const {
  if (message_bytes != 0) return std::to_string(message_bytes) + " bytes";
  const std::string most = std::to_string(most_message_bytes) + " bytes";
  return least_message_bytes == 0 ? "at most " + most : std::to_string(least_message_bytes) + " to " + most;
}

std::span<const Form> forms() { return kForms; }

const Form* find_form(std::uint16_t scheme, std::uint16_t policy) {
  const auto* it = std::find_if(std::begin(kForms), std::end(kForms), [&](const Form& f) {
    return static_cast<std::uint16_t>(f.scheme) == scheme && f.policy == policy;
  });
  return it == std::end(kForms) ? nullptr : it;
}

Result<const Form*> form_named(std::string_view scheme, std::string_view policy) {
  std::string schemes, policies;
  for (const Form& form : kForms) {
    if (form.policy == 1) schemes += (schemes.empty() ? "" : ", ") + std::string(form.scheme_name);
    if (form.scheme_name != scheme) continue;
    if (policy.empty() || form.policy_name == policy) return &form;
    policies += (policies.empty() ? "" : ", ") + std::string(form.policy_name);
  }
  if (policies.empty()) {
    return fail(Status::bad_argument, "there is no scheme '" + std::string(scheme.substr(0, 64)) + "'",
                "schemes: " + schemes);
  }
  return fail(Status::bad_argument, std::string(scheme) + " has no policy '" + std::string(policy.substr(0, 64)) + "'",
              "policies: " + policies);
}

}  // namespace sparkmill::signatures
