// SPDX-License-Identifier: Apache-2.0
// Who tries which nonces. Devices take pieces of a job's range; a piece is given out once for a header, also when the
// header comes again under another job id, another range or after a new login.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <optional>

#include "worker/source/mining.h"

namespace sparkmill::mining {

class NonceBook {
 public:
  /// The next piece of at most `count` nonces that were not given out; shorter at the end of the range or before a used
  /// part, none when the range is used up. Requires count > 0. Thread-safe.
  std::optional<NonceRange> take(const MiningJob& job, std::uint64_t count);
  /// Gives back what was taken and not searched (a device stopped early).
  void put_back(const MiningJob& job, NonceRange piece);

 private:
  struct Page {
    Hash32 header{};                              ///< hash of the header with nonce 0, and the seed
    std::map<std::uint64_t, std::uint64_t> used;  ///< first -> one past the last; disjoint, not touching
  };
  Page& page(const MiningJob& job);
  std::mutex mutex_;
  std::deque<Page> pages_;  ///< newest first
};

}  // namespace sparkmill::mining
