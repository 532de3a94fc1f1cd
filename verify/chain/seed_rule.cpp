// SPDX-License-Identifier: Apache-2.0
#include "verify/chain/seed_rule.h"

#include "base/hash.h"

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

}  // namespace sparkmill::chain
