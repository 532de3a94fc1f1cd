// SPDX-License-Identifier: Apache-2.0
// The encoded message that a signature must give, for the rows on the host.
#pragma once

#include <array>

#include "kernels/rsa/rsa.h"

namespace sparkmill::rsa {

/// DigestInfo of SHA-256 in DER (RFC 8017 9.2, note 1), before the hash.
inline constexpr std::uint8_t kDigestInfo[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                               0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

/// EM, big-endian. Requires a message of a length that `check` lets pass.
std::array<std::uint8_t, kModulusBytes> encoded(Encoding encoding, ByteView message);

/// n is odd and its top bit is set.
inline bool usable_modulus(ByteView n) { return (n[0] & 0x80) != 0 && (n[kModulusBytes - 1] & 1) != 0; }

}  // namespace sparkmill::rsa
