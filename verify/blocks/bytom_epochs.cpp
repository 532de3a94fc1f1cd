// SPDX-License-Identifier: Apache-2.0
#include "verify/blocks/bytom_epochs.h"

#include <algorithm>

namespace sparkmill::blocks::bytom {

void EpochShelf::expect(const Hash32& seed) {
  const std::lock_guard lock(mutex_);
  const auto [at, fresh] = entries_.try_emplace(seed);
  if (fresh) at->second.order = orders_++;
  ++at->second.blocks;
}

void EpochShelf::done(const Hash32& seed) {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(seed);
  if (at == entries_.end() || at->second.blocks == 0) return;
  if (--at->second.blocks == 0 && !at->second.building) entries_.erase(at);
}

Result<std::shared_ptr<const tensority::Epoch>> EpochShelf::get(const Hash32& seed, const StopToken& stop) {
  std::unique_lock lock(mutex_);
  while (true) {
    const auto found = entries_.find(seed);
    if (found != entries_.end() && found->second.epoch) return found->second.epoch;
    if (found == entries_.end() || !found->second.building) break;
    built_.wait(lock);
  }
  std::vector<std::pair<std::uint64_t, Hash32>> missing;
  std::size_t held = 0;
  for (const auto& [other, entry] : entries_) {
    if (entry.epoch || entry.building) {
      ++held;
    } else if (other != seed) {
      missing.emplace_back(entry.order, other);
    }
  }
  std::sort(missing.begin(), missing.end());
  std::vector<Hash32> seeds{seed};
  for (const auto& [order, other] : missing) {
    if (held + seeds.size() < most_) seeds.push_back(other);
  }
  for (const Hash32& one : seeds) entries_[one].building = true;
  lock.unlock();
  const auto epochs = tensority::Epoch::build_many(seeds, stop);
  lock.lock();
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    Entry& entry = entries_[seeds[i]];
    entry.building = false;
    if (epochs) entry.epoch = (*epochs)[i];
    if (entry.blocks == 0) entries_.erase(seeds[i]);
  }
  built_.notify_all();
  if (!epochs) return epochs.error();
  return epochs->front();
}

}  // namespace sparkmill::blocks::bytom
