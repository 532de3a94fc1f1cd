// SPDX-License-Identifier: Apache-2.0
// A stop request that travels backwards: kernels and loops poll it, anybody may set it.
#pragma once

#include <atomic>
#include <memory>

namespace sparkmill {

/// Cheap copyable view of a stop request. A default token never stops.
class StopToken {
 public:
  StopToken() = default;
  bool stop_requested() const {
    return (flag_ && flag_->load(std::memory_order_relaxed)) || (other_ && other_->load(std::memory_order_relaxed));
  }
  /// Stops when one of two plain tokens does; neither may be such a pair itself.
  friend StopToken either(const StopToken& a, const StopToken& b) {
    StopToken both(a.flag_);
    both.other_ = b.flag_;
    return both;
  }

 private:
  friend class StopSource;
  explicit StopToken(std::shared_ptr<std::atomic<bool>> flag) : flag_(std::move(flag)) {}
  std::shared_ptr<std::atomic<bool>> flag_;
  std::shared_ptr<std::atomic<bool>> other_;
};

class StopSource {
 public:
  StopSource() : flag_(std::make_shared<std::atomic<bool>>(false)) {}
  void request_stop() { flag_->store(true, std::memory_order_relaxed); }
  bool stop_requested() const { return flag_->load(std::memory_order_relaxed); }
  StopToken token() const { return StopToken(flag_); }

 private:
  std::shared_ptr<std::atomic<bool>> flag_;
};

}  // namespace sparkmill
