// SPDX-License-Identifier: Apache-2.0
// The node's clock: wall time at start, then the steady clock, so that it never goes back while the node runs and never
// starts before the last block.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace sparkmill::node {

class NodeTime {
 public:
  explicit NodeTime(const Clock& clock) : clock_(clock), origin_(clock.unix_ms()), steady_origin_(clock.steady_ms()) {}
  /// Call once, before other threads read: a wall clock that was set back must not go under what is in the ledger.
  void not_before(std::uint64_t unix_ms) { origin_ = std::max(origin_, unix_ms); }
  std::uint64_t now_ms() const { return origin_ + (clock_.steady_ms() - steady_origin_); }
  std::uint64_t steady_ms() const { return clock_.steady_ms(); }

 private:
  const Clock& clock_;
  std::uint64_t origin_;
  std::uint64_t steady_origin_;
};

}  // namespace sparkmill::node
