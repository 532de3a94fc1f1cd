// SPDX-License-Identifier: Apache-2.0
#include "worker/source/share_gate.h"

namespace sparkmill::mining {

namespace {

constexpr std::size_t kRemembered = 1u << 16;

}  // namespace

Done ShareGate::admit(const MiningJob& job, const Share& share) {
  if (share.nonce > chain::kMaxVarint63) return fail(Status::bad_argument, "share: a nonce of 2^63 or more");
  if (!makes_block(job, share.result) && !chain::meets(share.result, job.share_target)) {
    return fail(Status::bad_argument, "share: its result is above the target");
  }
  const Hash32 id = tensority::header_hash(preimage(job), share.nonce);
  std::string key(text(id));
  if (!seen_.insert(key).second) {
    return fail(Status::duplicate, "share: this header with this nonce was submitted before");
  }
  order_.push_back(std::move(key));
  if (order_.size() > kRemembered) {
    seen_.erase(order_.front());
    order_.pop_front();
  }
  return done();
}

}  // namespace sparkmill::mining
