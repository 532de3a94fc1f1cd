// SPDX-License-Identifier: Apache-2.0
// Contract of the family `ed25519`: exact verification of many Ed25519 signatures under the rules of a chain. Key A
// and signature R || S are the bytes received; k = SHA-512(R || A || M) mod L hashes exactly these bytes.
//
// Every row gives the same verdict for the same bytes and policy, whatever else is in the batch: each signature is
// decided by its own equation, there is no randomised batch equation. Variable time throughout (names end in
// `_vartime`): keys, messages and signatures are public.
//
// Cost of an item: one decoding of A (one 252-bit power), 252 doublings and about 80 additions, 2 SHA-512 blocks for a
// message of up to 47 bytes and one more for each 128 after that; policies that decode R cost one more power. Memory is
// taken when a kernel is made; the loop allocates nothing.
// Source: RFC 8032 5.1; the specification "Signatures and proofs" 1 and 9; jobs-and-proofs 7 for the evidence.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "base/stop.h"
#include "kernels/backend/signature_batch.h"
#include "kernels/kernel.h"

namespace sparkmill::ed25519 {

inline constexpr std::size_t kKeyBytes = 32;
inline constexpr std::size_t kSignatureBytes = 64;
inline constexpr std::size_t kEvidenceBytes = 32;
inline constexpr unsigned kEvidenceShift = 16;

/// Who accepts what. "Decoded leniently": y is taken mod p and x = 0 may carry a sign bit.
enum class Policy : std::uint8_t {
  go,            ///< S < L; A decoded leniently; enc(SB - kA) equals the bytes of R. Bytom 2, Go, OpenSSL
  bytom_legacy,  ///< as `go`, but S < 2^253 only. Every Bytom 1.x release
  rfc8032_canonical_cofactorless,  ///< S < L; A and R in canonical form only; enc(SB - kA) equals R
  rfc8032_canonical_cofactored,    ///< S < L; A and R in canonical form only; 8 (SB - R - kA) = 0
  zip215,                          ///< S < L; A and R decoded leniently; 8 (SB - R - kA) = 0
  dalek_strict,  ///< as `go`, and A or R of small order is refused. Solana, libsodium, our own envelopes
};
inline constexpr std::array kPolicies = {
    Policy::go,     Policy::bytom_legacy, Policy::rfc8032_canonical_cofactorless, Policy::rfc8032_canonical_cofactored,
    Policy::zip215, Policy::dalek_strict};
/// "go", "bytom_legacy", ...: the names of the vector files.
std::string_view name(Policy policy);
std::optional<Policy> policy_named(std::string_view name);

/// What a policy asks beside the equation.
struct Rules {
  bool s_below_order;  ///< else S < 2^253
  bool canonical_a;
  bool small_order_refused;  ///< of A and of R
  bool cofactored;           ///< R is decoded, and the equation multiplied by 8; else bytes are compared
  bool canonical_r;          ///< asked where R is decoded; comparing bytes implies it
};
constexpr Rules rules(Policy policy) {
  switch (policy) {
    case Policy::go: return {true, false, false, false, false};
    case Policy::bytom_legacy: return {false, false, false, false, false};
    case Policy::rfc8032_canonical_cofactorless: return {true, true, false, false, false};
    case Policy::rfc8032_canonical_cofactored: return {true, true, false, true, true};
    case Policy::zip215: return {true, false, false, true, false};
    case Policy::dalek_strict: return {true, false, true, false, false};
  }
  return {true, true, true, false, true};
}

class Kernel : public kernels::Kernel {
 public:
  /// results.valid[i] = 1 when item i passes under `policy`, else 0; messages of any length, also none.
  /// results.evidence, where wanted: item i gets enc([S >> 16]B - [k >> 16]A), the point that a left-to-right
  /// computation passes 16 bits before its end, or 32 zero bytes when S is out of the policy's range or A is not
  /// decodable under it (small order and R play no part). Neighbours in a batch never change each other's bytes.
  /// Errors: those of kernels::check (bad_argument, bad_input naming the item), cancelled (the stop token, honoured
  /// within some milliseconds; results then hold nothing of meaning), what a device reports.
  virtual Done verify_vartime(Policy policy, const kernels::SignatureBatch& batch,
                              const kernels::SignatureResults& results, const StopToken& stop) = 0;
  /// How many items this row likes to be given at once.
  virtual std::size_t batch() const { return 1; }
};

/// kernels::check with the sizes of this family.
Done check(const kernels::SignatureBatch& batch, const kernels::SignatureResults& results);

}  // namespace sparkmill::ed25519
