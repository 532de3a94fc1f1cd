// SPDX-License-Identifier: Apache-2.0
// The self-test of the family.
#include "kernels/hash/known.h"

#include <string>
#include <vector>

#include "base/hex.h"
#include "kernels/hash/vectors.h"

namespace sparkmill::hashes {

std::span<const KnownAnswer> known_answers() { return kKnownAnswers; }

Done check_known_answers(std::string_view row_id, Kernel& kernel) {
  Bytes messages;
  std::vector<std::uint64_t> offsets{0};
  for (const KnownAnswer& k : kKnownAnswers) {
    for (std::size_t i = 0; i < k.bytes; ++i) messages.push_back(static_cast<std::uint8_t>(7 * i + 1));
    offsets.push_back(messages.size());
  }
  for (const Algorithm algorithm : kAlgorithms) {
    const std::size_t each = digest_bytes(algorithm);
    Bytes digests(std::size(kKnownAnswers) * each);
    SPARKMILL_TRY(kernel.hash(algorithm, {messages, offsets}, digests, StopToken()));
    for (std::size_t i = 0; i < std::size(kKnownAnswers); ++i) {
      if (to_hex(ByteView(digests).subspan(i * each, each)) == kKnownAnswers[i].digest(algorithm)) continue;
      return fail(Status::self_test_failed,
                  "row " + std::string(row_id) + ": " + std::string(name(algorithm)) + " of " +
                      std::to_string(kKnownAnswers[i].bytes) + " known bytes is wrong",
                  "this device or its driver computes wrong results; it must not be used");
    }
  }
  return done();
}

}  // namespace sparkmill::hashes
