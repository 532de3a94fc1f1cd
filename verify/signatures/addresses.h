// SPDX-License-Identifier: Apache-2.0
// Ethereum addresses of many keys, by the best hash row of the CPU.
#pragma once

#include <span>

#include "base/bytes.h"

namespace sparkmill::signatures {

/// The last 20 bytes of Keccak-256 of each 64-byte key. Requires keys.size() = 64 n, out.size() = 20 n.
void addresses_of(ByteView keys, std::span<std::uint8_t> out);

/// The address that java-tron gives to the point at infinity: that of the empty key.
std::array<std::uint8_t, 20> address_of_nothing();

}  // namespace sparkmill::signatures
