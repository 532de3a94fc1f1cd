// SPDX-License-Identifier: Apache-2.0
// What a policy asks of 32 bytes as they stand, without decoding them.
#pragma once

#include "kernels/ed25519/scalar.h"

namespace sparkmill::ed25519 {

inline constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;

inline Words4 without_sign(Words4 a) {
  a[3] &= ~kSignBit;
  return a;
}

/// The encoding that encode() gives, if the bytes are a point's at all: y < p, and no sign where x = 0 (y = 1, -1).
bool is_canonical(const Words4& a);

/// Of a point whose order divides 8, whatever its sign and whether or not y < p. Requires that the bytes decode.
bool has_small_order(const Words4& a);

}  // namespace sparkmill::ed25519
