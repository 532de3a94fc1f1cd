// SPDX-License-Identifier: Apache-2.0
// Which seed a block is hashed with (Tensority page 4.5): the hash of the last block of the epoch before, the initial
// seed in the first epoch.
#pragma once

#include <optional>

#include "verify/chain/params.h"

namespace sparkmill::chain {

/// SHA3-256 of 32 zero bytes.
const Hash32& initial_seed();

/// Height of the block whose header hash is the seed of the block at `height`; none: the initial seed. Bytom: none up
/// to 256, 256 from 257 to 512, 512 from 513 on.
std::optional<std::uint64_t> seed_height(const Params& params, std::uint64_t height);

/// True when both heights are hashed with one seed.
bool same_seed(const Params& params, std::uint64_t a, std::uint64_t b);

}  // namespace sparkmill::chain
