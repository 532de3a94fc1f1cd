// SPDX-License-Identifier: Apache-2.0
// SHA-512 (FIPS 180-4), portable and plain: the oracle of the lane-parallel form in sha512_lanes.h, and its constants.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace sparkmill::ed25519 {

// Plain arrays: the files with wider instructions must not bring their own copies of library functions.
inline constexpr std::uint64_t kSha512Start[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                                                  0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                                                  0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
extern const std::uint64_t kSha512Round[80];

/// The digest of all parts, one after the other.
std::array<std::uint8_t, 64> sha512(std::initializer_list<ByteView> parts);

}  // namespace sparkmill::ed25519
