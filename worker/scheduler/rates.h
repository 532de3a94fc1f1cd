// SPDX-License-Identifier: Apache-2.0
// Units a second over 10 s, 60 s and 15 min from finished slices only.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "worker/state/state.h"

namespace sparkmill::worker {

/// Not thread-safe. Time is milliseconds of a steady clock. A window that has not passed yet is divided by its age.
class RateMeter {
 public:
  explicit RateMeter(std::uint64_t now_ms) : start_ms_(now_ms), second_(now_ms / 1000) {}

  void add(std::uint64_t now_ms, double units) {
    advance(now_ms);
    buckets_[second_ % kSeconds] += units;
  }

  Rates rates(std::uint64_t now_ms) {
    advance(now_ms);
    return {over(now_ms, 10), over(now_ms, 60), over(now_ms, kSeconds)};
  }

 private:
  static constexpr std::uint64_t kSeconds = 900;

  void advance(std::uint64_t now_ms) {
    const std::uint64_t now = now_ms / 1000;
    if (now <= second_) return;
    for (std::uint64_t s = std::max(second_ + 1, now >= kSeconds ? now - kSeconds + 1 : 0); s <= now; ++s) {
      buckets_[s % kSeconds] = 0;
    }
    second_ = now;
  }

  double over(std::uint64_t now_ms, std::uint64_t seconds) const {
    double sum = 0;
    for (std::uint64_t s = 0; s < seconds && s <= second_; ++s) sum += buckets_[(second_ - s) % kSeconds];
    // The window reaches from the start of its oldest second to now.
    const std::uint64_t from_ms = std::max(start_ms_, (second_ + 1 >= seconds ? second_ + 1 - seconds : 0) * 1000);
    return now_ms > from_ms ? sum * 1000.0 / static_cast<double>(now_ms - from_ms) : 0;
  }

  std::uint64_t start_ms_;
  std::uint64_t second_;
  std::array<double, kSeconds> buckets_{};
};

}  // namespace sparkmill::worker
