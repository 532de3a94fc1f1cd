// SPDX-License-Identifier: Apache-2.0
// The type of the table in vectors.h, and the self-test that runs it.
#pragma once

#include <span>
#include <string_view>

#include "kernels/secp256k1/secp256k1.h"

namespace sparkmill::secp256k1 {

enum class Question : std::uint8_t { ecdsa, ecdsa_compressed, bip340, recover_in_range, recover_unranged };
inline constexpr Question kQuestions[] = {Question::ecdsa, Question::ecdsa_compressed, Question::bip340,
                                          Question::recover_in_range, Question::recover_unranged};

/// Bytes are hex.
struct KnownAnswer {
  std::string_view name;
  Question question;
  bool valid;
  std::string_view key, signature, message;
  std::string_view evidence;
  std::string_view public_key;  ///< of a recovery
};

/// The table of vectors.h.
std::span<const KnownAnswer> known_answers();

/// All answers, a batch for each question. Errors: self_test_failed naming the answer; what the kernel reports.
Done check_known_answers(std::string_view row_id, Kernel& kernel);

}  // namespace sparkmill::secp256k1
