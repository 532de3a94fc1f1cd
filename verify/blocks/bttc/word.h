// SPDX-License-Identifier: Apache-2.0
// Addresses, and the 32-byte big-endian words of contracts.
#pragma once

#include <algorithm>
#include <optional>

#include "base/bytes.h"

namespace sparkmill::bttc {

using Address = std::array<std::uint8_t, 20>;
using Word = Hash32;  ///< big-endian, so words compare as numbers do

constexpr Word word_of(std::uint64_t value) {
  Word w{};
  for (std::size_t k = 0; k < 8; ++k) w[31 - k] = static_cast<std::uint8_t>(value >> (8 * k));
  return w;
}
inline Word word_of(const Address& address) {
  Word w{};
  std::copy(address.begin(), address.end(), w.begin() + 12);
  return w;
}
/// nullopt: 2^64 or more.
inline std::optional<std::uint64_t> number(const Word& word) {
  if (std::any_of(word.begin(), word.begin() + 24, [](std::uint8_t b) { return b != 0; })) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t k = 24; k < 32; ++k) value = value << 8 | word[k];
  return value;
}
/// The low 20 bytes.
inline Address address_of(const Word& word) {
  Address a;
  std::copy(word.begin() + 12, word.end(), a.begin());
  return a;
}

}  // namespace sparkmill::bttc
