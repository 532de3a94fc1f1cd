// SPDX-License-Identifier: Apache-2.0
#include "kernels/tensority/epoch_cache.h"

#include <algorithm>
#include <chrono>

namespace sparkmill::tensority {

namespace {
constexpr std::size_t kKept = 2;
}

std::shared_ptr<const Epoch> EpochCache::find(const Hash32& seed) {
  const auto at = std::find_if(epochs_.begin(), epochs_.end(), [&](const auto& e) { return e->seed() == seed; });
  if (at == epochs_.end()) return nullptr;
  std::rotate(epochs_.begin(), at, at + 1);
  return epochs_.front();
}

Result<std::shared_ptr<const Epoch>> EpochCache::get(const Hash32& seed, const StopToken& stop) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (auto epoch = find(seed)) return epoch;
    if (stop.stop_requested()) return fail(Status::cancelled, "stopped while an epoch was built");
    if (building_.insert(seed).second) break;
    built_.wait_for(lock, std::chrono::milliseconds(10));
  }
  lock.unlock();
  auto epoch = build_(seed, stop);
  lock.lock();
  building_.erase(seed);
  built_.notify_all();
  if (!epoch) return epoch.error();
  epochs_.insert(epochs_.begin(), *epoch);
  if (epochs_.size() > kKept) epochs_.resize(kKept);
  return *epoch;
}

EpochCache::~EpochCache() {
  stop_.request_stop();
  {
    const std::lock_guard lock(mutex_);
    wanted_changed_.notify_all();
  }
  if (preparing_.joinable()) preparing_.join();
}

void EpochCache::prepare(const Hash32& seed) {
  const std::lock_guard lock(mutex_);
  const bool here = std::any_of(epochs_.begin(), epochs_.end(), [&](const auto& e) { return e->seed() == seed; });
  if (here || building_.count(seed) != 0 || stop_.stop_requested()) return;
  wanted_ = seed;
  wanted_changed_.notify_all();
  if (!preparing_.joinable()) preparing_ = std::thread([this] { prepare_loop(); });
}

void EpochCache::prepare_loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_changed_.wait(lock, [this] { return wanted_ || stop_.stop_requested(); });
    if (stop_.stop_requested()) return;
    const Hash32 seed = *wanted_;
    wanted_.reset();
    lock.unlock();
    (void)get(seed, stop_.token());  // who asks for it in earnest gets the error
    lock.lock();
  }
}

EpochCache& epochs() {
  static EpochCache cache;
  return cache;
}

}  // namespace sparkmill::tensority
