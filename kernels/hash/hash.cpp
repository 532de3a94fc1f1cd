// SPDX-License-Identifier: Apache-2.0
// What all rows of the family share: names and the check of a batch.
#include "kernels/hash/hash.h"

#include <string>

namespace sparkmill::hashes {

std::string_view name(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::sha256: return "sha256";
    case Algorithm::sha512: return "sha512";
    case Algorithm::sha3_256: return "sha3_256";
    case Algorithm::keccak256: return "keccak256";
  }
  return "unknown";
}

Done check(Algorithm algorithm, const Batch& batch, std::size_t out_bytes) {
  const std::size_t each = digest_bytes(algorithm), count = batch.count();
  if (out_bytes % each != 0 || out_bytes / each != count) {
    return fail(Status::bad_argument, std::string(name(algorithm)) + ": room for " + std::to_string(out_bytes) +
                                          " bytes of digests, " + std::to_string(count) + " messages need " +
                                          std::to_string(each) + " each");
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t from = batch.offsets[i], to = batch.offsets[i + 1];
    if (from <= to && to <= batch.messages.size()) continue;
    return fail(Status::bad_input,
                std::string(name(algorithm)) + ": message " + std::to_string(i) + ", bytes " + std::to_string(from) +
                    " to " + std::to_string(to) + ", does not lie within the " + std::to_string(batch.messages.size()) +
                    " bytes given",
                "offsets must not fall and must end within the messages");
  }
  return done();
}

}  // namespace sparkmill::hashes
