// SPDX-License-Identifier: Apache-2.0
// What stands before every share on its way out: it must be worth sending, and none goes out twice, whatever job id,
// login or source it comes under.
#pragma once

#include <deque>
#include <string>
#include <unordered_set>

#include "worker/source/mining.h"

namespace sparkmill::mining {

class ShareGate {
 public:
  /// Remembers the share when it may go. Errors: bad_argument (a nonce of 2^63 or more, a result above both targets),
  /// duplicate.
  Done admit(const MiningJob& job, const Share& share);

 private:
  std::unordered_set<std::string> seen_;  ///< header hashes
  std::deque<std::string> order_;
};

}  // namespace sparkmill::mining
