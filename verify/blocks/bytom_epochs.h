// SPDX-License-Identifier: Apache-2.0
// The matrix lists of a window: those of all seeds in flight, built side by side (tensority::Epoch::build_many), given
// away when their last block is done.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>

#include "verify/blocks/bytom.h"

namespace sparkmill::blocks::bytom {

/// Thread-safe.
class EpochShelf final : public EpochSource {
 public:
  explicit EpochShelf(std::size_t most) : most_(most == 0 ? 1 : most) {}
  /// A block that will ask for this seed has been read; done() says that it has been judged.
  void expect(const Hash32& seed);
  void done(const Hash32& seed);
  /// From the shelf; else the calling thread builds this one and those that are expected next, as many as there is
  /// room for, while others wait only if they need one of them. Errors: as Epoch::build_many.
  Result<std::shared_ptr<const tensority::Epoch>> get(const Hash32& seed, const StopToken& stop) override;

 private:
  struct Entry {
    std::uint64_t blocks = 0;  ///< expected and not done
    std::uint64_t order = 0;   ///< of the first expectation
    bool building = false;
    std::shared_ptr<const tensority::Epoch> epoch;
  };
  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable built_;
  std::map<Hash32, Entry> entries_;
  std::uint64_t orders_ = 0;
};

}  // namespace sparkmill::blocks::bytom
