// SPDX-License-Identifier: Apache-2.0
// The type of the table in vectors.h, and the messages it speaks of.
#pragma once

#include <span>
#include <string_view>

#include "kernels/hash/hash.h"

namespace sparkmill::hashes {

/// Digests in hex, in the order of kAlgorithms, of `bytes` bytes by the rule of vectors.h.
struct KnownAnswer {
  std::size_t bytes;
  std::string_view sha256, sha512, sha3_256, keccak256;
  std::string_view digest(Algorithm a) const {
    switch (a) {
      case Algorithm::sha256: return sha256;
      case Algorithm::sha512: return sha512;
      case Algorithm::sha3_256: return sha3_256;
      case Algorithm::keccak256: break;
    }
    return keccak256;
  }
};

std::span<const KnownAnswer> known_answers();

/// Runs the kernel on all of them, a batch an algorithm. Error: self_test_failed naming algorithm and length.
Done check_known_answers(std::string_view row_id, Kernel& kernel);

}  // namespace sparkmill::hashes
