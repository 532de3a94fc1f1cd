// SPDX-License-Identifier: Apache-2.0
// The type of the table in vectors.h, and the self-test with it.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "kernels/rsa/rsa.h"

namespace sparkmill::rsa {

struct KnownAnswer {
  std::string_view name;
  Encoding encoding;
  std::array<std::uint8_t, kModulusBytes> key;
  std::array<std::uint8_t, kSignatureBytes> signature;
  std::array<std::uint8_t, kHashBytes> message;
  bool valid;
  std::array<std::uint8_t, kEvidenceBytes> evidence;
};

/// The table of vectors.h.
std::span<const KnownAnswer> known_answers();

/// All answers through `kernel`, a batch for each encoding. Error: self_test_failed naming row and answer; whatever the
/// kernel reports.
Done check_known_answers(std::string_view row_id, Kernel& kernel);

}  // namespace sparkmill::rsa
