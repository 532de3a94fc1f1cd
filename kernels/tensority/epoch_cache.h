// SPDX-License-Identifier: Apache-2.0
// The epochs in use: two at most (the current one and the next), shared by every thread of the process.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "kernels/tensority/tensority.h"

namespace sparkmill::tensority {

/// Thread-safe. An epoch that is being built by one thread is awaited by the others, not built twice.
class EpochCache {
 public:
  using Build = std::function<Result<std::shared_ptr<const Epoch>>(const Hash32& seed, const StopToken& stop)>;
  explicit EpochCache(Build build = Epoch::build) : build_(std::move(build)) {}
  ~EpochCache();
  /// From the cache, else built on the calling thread (26 ms); the epoch used longest ago goes when there are three.
  /// Errors: cancelled, internal (out of memory).
  Result<std::shared_ptr<const Epoch>> get(const Hash32& seed, const StopToken& stop = {});
  /// Builds it on a thread of the cache, for somebody who will soon ask for it; does nothing when it is there or under
  /// way. Of several at a time the last one counts. Never blocks for long.
  void prepare(const Hash32& seed);

 private:
  void prepare_loop();
  std::shared_ptr<const Epoch> find(const Hash32& seed);  ///< under mutex_; moves it to the front

  const Build build_;
  StopSource stop_;
  std::mutex mutex_;
  std::condition_variable built_;
  std::condition_variable wanted_changed_;
  std::optional<Hash32> wanted_;
  std::thread preparing_;  ///< started by the first prepare()
  std::set<Hash32> building_;
  std::vector<std::shared_ptr<const Epoch>> epochs_;  ///< used last first
};

/// The one of this process.
EpochCache& epochs();

}  // namespace sparkmill::tensority
