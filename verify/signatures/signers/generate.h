// SPDX-License-Identifier: Apache-2.0
// Sets of signatures made from a seed, with bad items of every kind among them: for streams of any length and tests.
#pragma once

#include <vector>

#include "verify/signatures/signers/signers.h"

namespace sparkmill::signatures {

struct GenerateSettings {
  Hash32 seed{};
  std::uint32_t bad_one_in = 64;     ///< every item is bad with probability 1 / n; 0: none
  std::uint32_t message_bytes = 32;  ///< where the form leaves it open
};
struct Generated {
  ItemList items;
  std::vector<Flaw> flaws;  ///< of each item
};
/// Same form, count and settings, same items (RSA: other keys in each process). All messages have one length. Flaws
/// come in turn, from a drawn one on. Errors: as make_signers and Signers.
Result<Generated> generate(const Form& form, std::size_t count, const GenerateSettings& settings);

}  // namespace sparkmill::signatures
