// SPDX-License-Identifier: Apache-2.0
// The epochs in use: two at most (the current one and the next), shared by every thread of the process.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>

#include "kernels/tensority/tensority.h"

namespace sparkmill::tensority {

/// Thread-safe. An epoch that is being built by one thread is awaited by the others, not built twice.
class EpochCache {
 public:
  /// From the cache, else built on the calling thread (26 ms); the epoch used longest ago goes when there are three.
  /// Errors: cancelled, internal (out of memory).
  Result<std::shared_ptr<const Epoch>> get(const Hash32& seed, const StopToken& stop = {});

 private:
  std::shared_ptr<const Epoch> find(const Hash32& seed);  ///< under mutex_; moves it to the front

  std::mutex mutex_;
  std::condition_variable built_;
  std::set<Hash32> building_;
  std::vector<std::shared_ptr<const Epoch>> epochs_;  ///< used last first
};

/// The one of this process.
EpochCache& epochs();

}  // namespace sparkmill::tensority
