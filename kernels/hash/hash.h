// SPDX-License-Identifier: Apache-2.0
// Contract of the family `hash`: SHA-256 and SHA-512 (FIPS 180-4), SHA3-256 (FIPS 202, pad byte 06) and Keccak-256 (the
// pad byte 01 of Ethereum and TRON), of many independent messages at once: a message a lane, not parallel inside one.
//
// Cost of a message of n bytes, in compressions or permutations: SHA-256 (n + 72) / 64, SHA-512 (n + 144) / 128, SHA3
// and Keccak n / 136 + 1 (rounded down). Variable time in the lengths, constant time in the content.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/stop.h"
#include "kernels/kernel.h"

namespace sparkmill::hashes {

enum class Algorithm : std::uint8_t { sha256, sha512, sha3_256, keccak256 };
inline constexpr std::array kAlgorithms = {Algorithm::sha256, Algorithm::sha512, Algorithm::sha3_256,
                                           Algorithm::keccak256};
/// "sha256", "sha512", "sha3_256", "keccak256": the columns of the vector files.
std::string_view name(Algorithm algorithm);
constexpr std::size_t digest_bytes(Algorithm a) { return a == Algorithm::sha512 ? 64 : 32; }
/// Bytes that a compression or permutation takes in.
constexpr std::size_t block_bytes(Algorithm a) {
  return a == Algorithm::sha256 ? 64 : a == Algorithm::sha512 ? 128 : 136;
}
/// Blocks of a message of `bytes`, its padding included.
constexpr std::uint64_t blocks(Algorithm a, std::uint64_t bytes) {
  return a == Algorithm::sha256   ? bytes / 64 + (bytes % 64 < 56 ? 1 : 2)
         : a == Algorithm::sha512 ? bytes / 128 + (bytes % 128 < 112 ? 1 : 2)
                                  : bytes / 136 + 1;
}

/// Message i is messages[offsets[i] .. offsets[i + 1]). The caller keeps the memory.
struct Batch {
  ByteView messages;
  std::span<const std::uint64_t> offsets;  ///< one more than messages, never falling; may be empty: no message

  std::size_t count() const { return offsets.empty() ? 0 : offsets.size() - 1; }
  ByteView message(std::size_t i) const { return messages.subspan(offsets[i], offsets[i + 1] - offsets[i]); }
};

/// The start of every row. Errors: bad_argument when `out_bytes` is not count x digest_bytes; bad_input naming the
/// message that does not lie within `messages`.
Done check(Algorithm algorithm, const Batch& batch, std::size_t out_bytes);

class Kernel : public kernels::Kernel {
 public:
  /// out[i * digest_bytes ..] = digest of message i. `out` must not overlap the messages. The stop token is honoured
  /// within 50 ms (a single message of more than some 50 MB takes longer); then the error is cancelled and `out` holds
  /// nothing of meaning.
  virtual Done hash(Algorithm algorithm, const Batch& batch, std::span<std::uint8_t> out, const StopToken& stop) = 0;
};

}  // namespace sparkmill::hashes
