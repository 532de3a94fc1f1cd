// SPDX-License-Identifier: Apache-2.0
// What the headers so far demand of the next block (Bytom blocks 9, step 1; "Tensority" 3, 4.5, 4.6): a serial walk,
// some nanoseconds a block.
#pragma once

#include <deque>
#include <map>

#include "verify/blocks/bytom.h"
#include "verify/chain/params.h"

namespace sparkmill::blocks::bytom {

/// Starts anywhere: what the headers given do not tell stays unknown, and Context leaves it out. From block 0 on
/// everything is known.
class HeaderWalk {
 public:
  explicit HeaderWalk(std::uint64_t now = chain::kMaxVarint63) : now_(now) {}
  /// The seed of the block at `height` and of those of its epoch, for walks that start inside one.
  void set_seed(std::uint64_t height, const Hash32& seed);
  /// Of the next block, which claims to be `height`: that counts only where no parent is known.
  Context next(std::uint64_t height) const;
  /// `id`: the header's hash. A header that does not follow the last one starts the walk afresh.
  void append(const chain::BlockHeader& header, const Hash32& id);
  /// The next block's parent is not known.
  void forget();

 private:
  std::optional<std::uint64_t> next_bits() const;
  std::optional<Hash32> seed_for(std::uint64_t height) const;

  std::uint64_t now_;
  std::optional<chain::BlockHeader> last_;
  Hash32 last_id_{};
  std::deque<std::uint64_t> times_;        ///< of the last blocks, as many as the median and a retarget need
  std::map<std::uint64_t, Hash32> seeds_;  ///< ids of blocks that end an epoch, the last few
  std::optional<std::pair<std::uint64_t, Hash32>> given_seed_;  ///< with the height whose id it is
};

}  // namespace sparkmill::blocks::bytom
