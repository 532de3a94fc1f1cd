// SPDX-License-Identifier: Apache-2.0
// What the CPU rows do to scalars before the ladder: inverses of many at once, halves by the endomorphism, digits.
#pragma once

#include <span>

#include "kernels/secp256k1/cpu_ops.h"

namespace sparkmill::secp256k1::cpu {

/// Every n becomes its inverse mod N, by one inversion (Montgomery's trick). Requires that none is 0; `prefix` has as
/// many entries.
void invert_all(std::span<Scalar> n, std::span<Scalar> prefix);

/// An odd number below 2^130 with a sign.
struct Half {
  std::uint64_t words[3];
  bool negative;
};
/// n = half[0] + half[1] lambda mod N, both odd: the nearest point of the lattice of (a, b) with a + b lambda = 0
/// (Gallant, Lambert, Vanstone 2001), moved by basis vectors until both are odd.
void split(const Words4& n, Half half[2]);

template <std::size_t kDigits>
void put_digit(Digits<kDigits>& out, std::size_t item, std::size_t lanes, std::size_t digit, int row, bool negative) {
  const std::size_t group = item / lanes, lane = item % lanes;
  out.row[(group * kDigits + digit) * lanes + lane] = static_cast<std::uint16_t>(row);
  out.negative[group * kDigits + digit] |= static_cast<std::uint32_t>(negative) << lane;
}
/// The row of an odd multiple.
inline int odd_row(int multiple) { return ((multiple < 0 ? -multiple : multiple) - 1) / 2; }

/// Digits 2^w - 1 at most in absolute value, all odd: n = sum of digit[i] 2^(w i). n is odd and below 2^(w kDigits).
template <unsigned kWindow, std::size_t kDigits>
void write_digits(const Half& n, std::size_t item, std::size_t lanes, Digits<kDigits>& out) {
  for (std::size_t i = 0; i < kDigits; ++i) {
    const std::size_t at = i * kWindow;
    std::uint64_t bits = n.words[at / 64] >> (at % 64);
    if (at % 64 != 0 && at / 64 < 2) bits |= n.words[at / 64 + 1] << (64 - at % 64);
    // (n >> at) | 1 is what remains once the lower digits are taken off; all but the last of them gives up 2^w.
    const int value = static_cast<int>((bits | 1) & ((2u << kWindow) - 1));
    const int digit = i + 1 < kDigits ? value - (1 << kWindow) : value;
    put_digit(out, item, lanes, i, odd_row(digit), (digit < 0) != n.negative);
  }
}

/// The low digits of the item: u1 and u2 mod 2^16, by two and by four additions. Requires cleared signs.
void write_low_digits(unsigned u1, unsigned u2, std::size_t item, std::size_t lanes, Chunk& chunk);

/// The multiples of G for Ops::run; made once.
const std::uint64_t* base_table();

}  // namespace sparkmill::secp256k1::cpu
