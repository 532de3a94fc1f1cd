// SPDX-License-Identifier: Apache-2.0
// Lower-case hex text.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace sparkmill {

std::string to_hex(ByteView bytes);

/// Requires an even number of hex digits of either case; `what` names the input in the error.
Result<Bytes> from_hex(std::string_view hex, std::string_view what = "hex text");

/// As from_hex, and the text must give exactly N bytes.
template <std::size_t N>
Result<std::array<std::uint8_t, N>> array_from_hex(std::string_view hex, std::string_view what = "hex text") {
  if (hex.size() != 2 * N) {
    return fail(Status::bad_input, std::string(what) + ": " + std::to_string(hex.size()) + " hex digits, expected " +
                                       std::to_string(2 * N));
  }
  auto bytes = from_hex(hex, what);
  if (!bytes) return bytes.error();
  std::array<std::uint8_t, N> out{};
  std::memcpy(out.data(), bytes->data(), N);
  return out;
}

}  // namespace sparkmill
