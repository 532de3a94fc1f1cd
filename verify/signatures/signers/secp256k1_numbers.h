// SPDX-License-Identifier: Apache-2.0
// Multiples of secp256k1's generator for signers, by the oracle's arithmetic and one table a process: [n]G by 32
// additions, some ten times as fast as the oracle's ladder. Variable time.
#pragma once

#include "base/bytes.h"
#include "kernels/secp256k1/reference.h"

namespace sparkmill::signatures::secp256k1_numbers {

using Group = secp256k1::reference::Group<secp256k1::reference::Secp256k1>;
using Field = Group::F;
using Scalar = Group::S;
using Point = Group::Affine;

/// Requires n that is not 0.
Point times_generator(const Scalar& n);

/// 32 bytes, big-endian, mod N.
Scalar scalar_of(ByteView bytes);
/// x(P) mod N.
Scalar x_as_scalar(const Point& p);
void append(const secp256k1::Words4& n, Bytes& out);
Bytes xy(const Point& p);                                 ///< X || Y
std::array<std::uint8_t, 33> compressed(const Point& p);  ///< 02 or 03 || X

}  // namespace sparkmill::signatures::secp256k1_numbers
