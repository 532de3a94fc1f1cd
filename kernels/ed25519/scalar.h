// SPDX-License-Identifier: Apache-2.0
// Numbers mod L = 2^252 + 27742317777372353535851937790883648493 for the fast rows: reduction, range, signed digits.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/ed25519/cpu_ops.h"

namespace sparkmill::ed25519 {

using Words4 = std::array<std::uint64_t, 4>;  ///< little-endian

/// 512 bits mod L, by Barrett's method (Handbook of Applied Cryptography 14.42).
Words4 modulo_order(const std::uint64_t wide[8]);

bool below_order(const Words4& s);

namespace cpu {

/// Digits every kWindowA (kWindowB) bits, signed, from bit 0; or, with evidence, unsigned ones below bit 16 and signed
/// ones from there, so that the sum after the digits from bit 16 on is exactly the number >> 16.
const Schedule& plain_schedule();
const Schedule& evidence_schedule();

/// Writes the digits of k (S), one every `stride` entries. Require numbers below 2^253.
void write_digits_a(const Words4& k, bool evidence, std::int16_t* out, std::size_t stride);
void write_digits_b(const Words4& s, bool evidence, std::int16_t* out, std::size_t stride);

}  // namespace cpu
}  // namespace sparkmill::ed25519
