// SPDX-License-Identifier: Apache-2.0
// What can be wrong with a signature, or odd about it: one table for everything that is made here, the streams of
// `verify-batch --generate` as well as the items that a node plants.
// Source: jobs-and-proofs 7 (kinds of planted items); the specification "Signatures and proofs" 1 to 5.
#pragma once

#include <string_view>
#include <vector>

#include "verify/signatures/scheme.h"

namespace sparkmill::signatures {

/// What was done to an item. Whether a policy then refuses it is the policy's business. Numbers are part of the layout
/// of job::Plants: they are never reused.
enum class Flaw : std::uint8_t {
  none = 0,
  key_bit = 1,
  signature_bit,
  scalar_bit,
  message_bit,
  wrong_key,
  wrong_message,
  torsion_key,
  torsion_commitment,
  scalar_plus_order,
  small_order_key,
  odd_key_encoding,
  odd_point_encoding,
  zero_scalar,
  high_s,
  r_plus_order,
  flipped_v,
  odd_v,
  plus_modulus,
  other_padding,
  challenge_bit,
  large_x,
  odd_der,
  neutral_commitment,
  missing_signer,
  swapped_signers,
  short_padding,
};

struct FlawRow {
  Flaw flaw;
  std::string_view name;   ///< "torsion_key": in texts for programs
  std::string_view about;  ///< "torsion added to A": in texts for people
  bool (*in)(const Form& form);
};
/// All of them, by number, without `none`.
std::span<const FlawRow> flaws();
/// Those that items of this form can have, by number.
std::vector<Flaw> flaws_of(const Form& form);
/// "none" and "?" where there is no row.
std::string_view name(Flaw flaw);
std::string_view about(Flaw flaw);

}  // namespace sparkmill::signatures
