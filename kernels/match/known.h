// SPDX-License-Identifier: Apache-2.0
// Known answers of the family and the tasks they belong to. Template planes are ChaCha20 streams, so that vectors.h
// holds only seeds and answers; tests/oracle/match_oracle.py computes both independently.
#pragma once

#include <span>
#include <string_view>

#include "kernels/match/match.h"

namespace sparkmill::match {

struct KnownField {
  std::uint32_t n = 0;
  bool all_valid = false;  ///< else validity bits are ones with probability 3/4
};

struct KnownAnswer {
  std::string_view name;
  std::uint8_t seed = 0;  ///< every key of the task is this byte 32 times
  std::uint32_t requests = 0, users = 0;
  std::uint32_t planted = 0;  ///< users 5 + 7 r, r < planted, repeat request r with every 16th sign flipped
  std::span<const KnownField> fields;
  std::span<const std::uint8_t> predicate;  ///< byte-code
  TileRange tiles;
  std::span<const std::uint64_t> digests;
  std::span<const std::uint32_t> counts;
  std::span<const Pair> pairs;
};

/// The table of vectors.h.
std::span<const KnownAnswer> known_answers();

/// The inputs of one known answer, made from its seed.
///
/// Field f, side s (0 requests, 1 users): bytes of ChaCha20(key = seed, nonce = 16 + 2 f + s), 3 n/8 bytes a row:
/// sign plane x, then y and z of the same length; validity = y | z, or all ones; sign = x & validity.
/// Digest words: expand_digest_words(key = seed).
class KnownTask {
 public:
  explicit KnownTask(const KnownAnswer& known);
  Task task(bool force_masked) const;

 private:
  std::vector<std::vector<std::uint64_t>> storage_;
  std::vector<FieldPair> fields_;
  std::vector<Predicate> predicate_;  ///< one; a vector because Predicate has no default
  DigestWords words_;
  TileRange tiles_;
};

}  // namespace sparkmill::match
