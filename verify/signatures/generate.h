// SPDX-License-Identifier: Apache-2.0
// Sets of signatures made from a seed, with bad items of every kind among them: for streams of any length, tests, and
// the sets that a node hands out. The keys are throw-away; their arithmetic takes variable time.
// Source: jobs-and-proofs 7 (kinds of planted items).
#pragma once

#include <string_view>
#include <vector>

#include "verify/signatures/batch.h"

namespace sparkmill::signatures {

/// What was done to an item. Some policies accept some of them: the verdict is the form's, not the flaw's.
enum class Flaw : std::uint8_t {
  none,
  key_bit,         ///< one bit of the key
  signature_bit,   ///< one bit of the signature
  message_bit,     ///< one bit of the message
  other_key,       ///< the key of another item
  other_message,   ///< the message of another item
  order_added,     ///< S + L (Ed25519, ECVRF), the twin N - s (ECDSA)
  torsion_in_r,    ///< Ed25519: R and a point of order 8, signed for these bytes
  torsion_in_key,  ///< Ed25519: A and a point of order 8, signed for these bytes
  odd_key,         ///< Ed25519: the neutral element as key, y = p + 1
  odd_r,           ///< Ed25519: the neutral element as R, y = p + 1
};
std::string_view name(Flaw flaw);
/// The flaws that items of this form can have.
std::vector<Flaw> flaws_of(const Form& form);

struct GenerateSettings {
  Hash32 seed{};
  std::uint32_t bad_one_in = 64;     ///< every item is bad with probability 1 / n; 0: none
  std::uint32_t message_bytes = 32;  ///< where the form leaves it open
};
struct Generated {
  ItemList items;
  std::vector<Flaw> flaws;  ///< of each item
};
/// Same form, count and settings, same items (RSA: other keys each time, OpenSSL draws them). A signature costs some
/// 0.2 ms, an RSA one 1 ms. Errors: internal (a library refuses).
Result<Generated> generate(const Form& form, std::size_t count, const GenerateSettings& settings);

}  // namespace sparkmill::signatures
