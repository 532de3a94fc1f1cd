// SPDX-License-Identifier: Apache-2.0
// Fresh signatures of a scheme, good ones and, from the same keys and kinds of messages, bad ones: what a node gives
// out as generated work, with the planted items among it. Signing is not in constant time: these keys sign nothing
// else. Source: jobs and proofs 7; "Signatures and proofs" 1 to 4.
#pragma once

#include <memory>

#include "base/hash.h"
#include "verify/signatures/batch.h"

namespace sparkmill::job {

/// What is done to an item. Whether a policy then refuses it is the policy's: planted items are decided before they are
/// planted. Numbers are part of the layout of job::Plants.
enum class PlantKind : std::uint8_t {
  key_bit = 1,         ///< one bit of the key
  signature_bit,       ///< one bit of the first half of the signature (R, r)
  scalar_bit,          ///< one bit of its second half (S, s)
  message_bit,         ///< one bit of the message
  wrong_key,           ///< another signer's key
  wrong_message,       ///< another message
  torsion_key,         ///< Ed25519: A plus a point of small order, signed under that key
  torsion_commitment,  ///< Ed25519: R plus a point of small order, signed under that R
  scalar_plus_order,   ///< S + L, s + N: the same number, another text
  small_order_key,     ///< Ed25519: A of small order, the equation holds
  odd_key_encoding,    ///< Ed25519: y of A not below p, the equation holds
  odd_point_encoding,  ///< Ed25519: y of R not below p, the equation holds
  zero_scalar,         ///< S, s = 0
  high_s,              ///< ECDSA: N - s, with the other parity where there is one
  r_plus_order,        ///< ECDSA: r + N where it fits
  flipped_v,           ///< ECDSA: the other parity
  odd_v,               ///< ECDSA: a v that no caller takes
  plus_modulus,        ///< RSA: signature + n where it fits
  other_padding,       ///< RSA: a signature of the same hash in another padding
};

struct SampleItem {
  Bytes key, signature, message;
};

/// Not thread-safe.
class Signers {
 public:
  virtual ~Signers() = default;
  virtual const signatures::Form& form() const = 0;
  virtual SampleItem good() = 0;
  /// The kinds that this form has.
  virtual std::span<const PlantKind> kinds() const = 0;
  /// A fresh item of the kind. Requires a kind of kinds().
  virtual SampleItem bad(PlantKind kind) = 0;
};

/// All draws come from `seed`, but for RSA keys, which are made once a process. Error: unsupported for forms that
/// nobody here can sign for.
Result<std::unique_ptr<Signers>> make_signers(const signatures::Form& form, const Hash32& seed);

std::string_view name(PlantKind kind);

}  // namespace sparkmill::job
