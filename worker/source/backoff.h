// SPDX-License-Identifier: Apache-2.0
// How long to wait before trying again: 1, 2, 4 s and so on up to a limit, each a quarter up or down at random, so that
// the workers of a farm do not come back all at once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

namespace sparkmill::mining {

class Backoff {
 public:
  /// `random` gives numbers in [0, 1).
  explicit Backoff(std::function<double()> random, std::uint64_t limit_ms = 60'000)
      : random_(std::move(random)), limit_ms_(limit_ms) {}
  std::uint64_t next_ms() {
    const std::uint64_t base = std::min(limit_ms_, std::uint64_t{1'000} << std::min(failures_, 12u));
    ++failures_;
    return static_cast<std::uint64_t>(static_cast<double>(base) * (0.75 + 0.5 * random_()));
  }
  void reset() { failures_ = 0; }
  /// Failures since the last reset.
  unsigned failures() const { return failures_; }

 private:
  std::function<double()> random_;
  std::uint64_t limit_ms_;
  unsigned failures_ = 0;
};

}  // namespace sparkmill::mining
