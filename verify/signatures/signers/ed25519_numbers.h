// SPDX-License-Identifier: Apache-2.0
// Points and scalars of edwards25519 for signers, by libsodium: little-endian, 32 bytes each.
#pragma once

#include <array>

#include "base/bytes.h"

namespace sparkmill::signatures::ed25519_numbers {

using Number = std::array<std::uint8_t, 32>;

/// A point of order 8.
inline constexpr Number kOrderEight = {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
                                       0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
                                       0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a};
/// y = 1, the neutral element, and y = p + 1, the same in a form that no encoder gives.
inline constexpr Number kNeutral = {1};
inline constexpr Number kOddNeutral = {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};

/// 512 bits mod L.
Number reduced(const std::array<std::uint8_t, 64>& wide);
/// [n]B; the neutral element for 0.
Number times_base(const Number& n);
/// [n]P. Requires a point of the prime-order group that is not neutral, and n that is not 0.
Number times(const Number& n, const Number& p);
/// Requires points of the curve in canonical form.
Number sum(const Number& p, const Number& q);
/// a b + c mod L.
Number product_plus(const Number& a, const Number& b, const Number& c);
/// SHA-512(R | A | M) mod L.
Number challenge(ByteView r, ByteView a, ByteView m);
/// Adds L to the 32 bytes at `s`, as a number mod 2^256; below it for s < L.
void add_order(std::uint8_t* s);

}  // namespace sparkmill::signatures::ed25519_numbers
