// SPDX-License-Identifier: Apache-2.0
#include "worker/state/state.h"

#include <chrono>

namespace sparkmill::worker {

std::string_view name(Activity activity) {
  switch (activity) {
    case Activity::running: return "running";
    case Activity::waiting: return "waiting";
    case Activity::paused: return "paused";
    case Activity::cooling: return "cooling";
    case Activity::quarantined: return "quarantined";
    case Activity::absent: return "absent";
  }
  return "absent";
}

State::State(const Clock& clock) {
  tree_.version = SPARKMILL_VERSION;
  tree_.started_ms = clock.unix_ms();
}

void State::update(const std::function<void(Snapshot&)>& edit) {
  {
    std::lock_guard lock(mutex_);
    edit(tree_);
    ++version_;
  }
  changed_.notify_all();
}

Snapshot State::snapshot() const {
  std::lock_guard lock(mutex_);
  return tree_;
}

std::uint64_t State::version() const {
  std::lock_guard lock(mutex_);
  return version_;
}

std::uint64_t State::wait_change(std::uint64_t seen, unsigned timeout_ms) const {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [&] { return version_ > seen; });
  return version_;
}

void State::wake() {
  {
    std::lock_guard lock(mutex_);
    ++version_;
  }
  changed_.notify_all();
}

}  // namespace sparkmill::worker
