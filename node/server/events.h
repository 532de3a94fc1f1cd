// SPDX-License-Identifier: Apache-2.0
// Hands each event to every listener of GET /v1/events.
#pragma once

#include <algorithm>
#include <mutex>
#include <vector>

#include "base/http/server.h"

namespace sparkmill::node {

class EventHub {
 public:
  static constexpr std::size_t kMaxListeners = 128;

  /// False when there are too many listeners.
  bool add(std::shared_ptr<http::EventStream> stream) {
    std::lock_guard lock(mutex_);
    drop_closed();
    if (streams_.size() >= kMaxListeners) return false;
    streams_.push_back(std::move(stream));
    return true;
  }
  void send(std::string_view event, std::string_view data) {
    std::lock_guard lock(mutex_);
    for (auto& s : streams_) s->send(event, data);
    drop_closed();
  }
  void clear() {
    std::lock_guard lock(mutex_);
    streams_.clear();
  }

 private:
  void drop_closed() {
    streams_.erase(std::remove_if(streams_.begin(), streams_.end(), [](const auto& s) { return !s->open(); }),
                   streams_.end());
  }
  std::mutex mutex_;
  std::vector<std::shared_ptr<http::EventStream>> streams_;
};

}  // namespace sparkmill::node
