// SPDX-License-Identifier: Apache-2.0
// The type of the table in vectors.h.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace sparkmill::ed25519 {

struct KnownAnswer {
  std::string_view name;
  Hash32 key;
  std::array<std::uint8_t, 64> signature;
  std::array<std::uint8_t, 64> message;
  std::size_t message_bytes;
  std::uint8_t valid;  ///< bit p: the verdict under kPolicies[p]
  Hash32 evidence;     ///< under `go`
};

/// The table of vectors.h.
std::span<const KnownAnswer> known_answers();

}  // namespace sparkmill::ed25519
