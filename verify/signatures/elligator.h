// SPDX-License-Identifier: Apache-2.0
// Hashing to edwards25519 by Elligator 2 (RFC 9380), as points of the Ed25519 oracle.
#pragma once

#include "kernels/ed25519/reference.h"

namespace sparkmill::signatures::elligator {

using Group = ed25519::reference::Group<ed25519::reference::Curve25519>;

/// edwards25519_XMD:SHA-512_ELL2_NU_, the cofactor cleared. Requires dst of at most 255 bytes.
Group::Point encode_to_curve(ByteView message, ByteView dst);
/// edwards25519_XMD:SHA-512_ELL2_RO_.
Group::Point hash_to_curve(ByteView message, ByteView dst);

}  // namespace sparkmill::signatures::elligator
