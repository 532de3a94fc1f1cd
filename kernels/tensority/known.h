// SPDX-License-Identifier: Apache-2.0
// The type of the table in vectors.h.
#pragma once

#include <span>
#include <string_view>

#include "base/bytes.h"

namespace sparkmill::tensority {

struct KnownAnswer {
  std::string_view name;
  Hash32 header_hash;
  Hash32 result;
};

/// The seed of all known answers.
const Hash32& known_seed();
/// The table of vectors.h. A row that needs a second a hash is tested with the first alone.
std::span<const KnownAnswer> known_answers();

}  // namespace sparkmill::tensority
