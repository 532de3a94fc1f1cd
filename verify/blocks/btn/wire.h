// SPDX-License-Identifier: Apache-2.0
// Big-endian fields, as BTN's JVM writes them.
#pragma once

#include "base/bytes.h"

namespace sparkmill::btn {

inline void put_be(Bytes& out, std::uint64_t value, int bytes) {
  for (int k = bytes - 1; k >= 0; --k) out.push_back(static_cast<std::uint8_t>(value >> (8 * k)));
}
/// Requires bytes <= 8 and in.size() >= at + bytes.
inline std::uint64_t get_be(ByteView in, std::size_t at, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t k = 0; k < bytes; ++k) value = value << 8 | in[at + k];
  return value;
}

}  // namespace sparkmill::btn
