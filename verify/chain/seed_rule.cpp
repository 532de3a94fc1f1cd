// SPDX-License-Identifier: Apache-2.0
#include "verify/chain/seed_rule.h"

#include <string>

#include "base/hash.h"
#include "base/hex.h"

namespace sparkmill::chain {

const Hash32& initial_seed() {
  static const Hash32 seed = sha3_256(Hash32{});
  return seed;
}

std::optional<std::uint64_t> seed_height(const Params& params, std::uint64_t height) {
  if (height <= params.epoch_blocks) return std::nullopt;
  return (height - 1) / params.epoch_blocks * params.epoch_blocks;
}

bool same_seed(const Params& params, std::uint64_t a, std::uint64_t b) {
  return seed_height(params, a) == seed_height(params, b);
}

Done check_seed(const Params& params, const BlockHeader& header, const Hash32& seed) {
  const auto from = seed_height(params, header.height);
  std::optional<Hash32> known;
  if (!from) known = initial_seed();
  if (from && *from + 1 == header.height) known = header.previous;
  const std::string block = "seed of another epoch: block " + std::to_string(header.height);
  if (known && *known != seed) {
    return fail(Status::bad_input, block + " is hashed with " + to_hex(*known) + ", not with " + to_hex(seed));
  }
  if (from && seed == initial_seed()) {
    return fail(Status::bad_input,
                block + " is hashed with the hash of block " + std::to_string(*from) + ", not with the initial seed");
  }
  return done();
}

}  // namespace sparkmill::chain
