// SPDX-License-Identifier: Apache-2.0
// SHA-256 of many short messages that all begin with the same block, as BIP-340's tagged hashes do: a message a lane,
// begun behind that block. For CPU rows of other families; baseline code.
#pragma once

#include <span>

#include "base/bytes.h"
#include "kernels/hash/cpu_ops.h"

namespace sparkmill::hashes::cpu {

/// One digest: SHA-256(common block | head | tail).
struct BehindBlock {
  std::uint8_t head[64];
  ByteView tail;  ///< of any length
  Hash32 digest;
};

class BehindBlockHasher {
 public:
  /// `block`: 64 bytes.
  BehindBlockHasher(const Ops& ops, ByteView block);
  /// Fills every digest. Tails of like length should stand together: a group of lanes takes as long as its longest.
  void run(std::span<BehindBlock> items) const;

 private:
  void run_group(std::span<BehindBlock> items) const;

  const Ops& ops_;
  alignas(64) std::uint32_t start_[8 * kMostLanes];  ///< behind the block, [word][lane]
};

}  // namespace sparkmill::hashes::cpu
