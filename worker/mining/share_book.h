// SPDX-License-Identifier: Apache-2.0
// The books of shares: each is in the store before it leaves this machine and its end as soon as it is known, so that
// counts survive a restart and no share is ever sent again, whatever source or run it comes from.
#pragma once

#include <map>
#include <mutex>

#include "worker/source/mining.h"
#include "worker/store/store.h"

namespace sparkmill::worker {

/// Of one device, in this run.
struct DeviceShares {
  std::uint64_t accepted = 0, stale = 0, rejected = 0, unknown = 0;
  std::uint64_t wrong = 0;  ///< hits that another row did not confirm
};

/// Thread-safe.
class ShareBook {
 public:
  explicit ShareBook(Store& store) : store_(store) {}
  /// Shares that an earlier run left without an answer end as unknown; reads the totals. How many there were. Error:
  /// the store's.
  Result<std::uint64_t> open();
  /// Before the share goes out; returns when it is on disk. False: it went out before. Error: the store's.
  Result<bool> begin(const std::string& source, const mining::MiningJob& job, const mining::Share& share,
                     const Hash32& id);
  /// It did not go out after all.
  void withdraw(std::uint64_t job_serial, std::uint64_t nonce);
  /// The answer to a share that began. Does not wait for the disk.
  void end(const mining::ShareAnswer& answer);
  void wrong(const std::string& device);

  ShareTotals totals() const;     ///< over the life of the store
  std::uint64_t waiting() const;  ///< begun, no answer yet
  std::map<std::string, DeviceShares> devices() const;

 private:
  using Key = std::pair<std::uint64_t, std::uint64_t>;  ///< job serial, nonce
  Store& store_;
  mutable std::mutex mutex_;
  std::map<Key, Hash32> open_;
  ShareTotals totals_;
  std::map<std::string, DeviceShares> devices_;
};

}  // namespace sparkmill::worker
