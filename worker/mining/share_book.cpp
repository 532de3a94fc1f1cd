// SPDX-License-Identifier: Apache-2.0
#include "worker/mining/share_book.h"

#include "base/log.h"

namespace sparkmill::worker {

Result<std::uint64_t> ShareBook::open() {
  SPARKMILL_ASSIGN(const std::uint64_t lost, store_.close_open_shares());
  SPARKMILL_ASSIGN(ShareTotals totals, store_.share_totals());
  const std::lock_guard lock(mutex_);
  totals_ = std::move(totals);
  return lost;
}

Result<bool> ShareBook::begin(const std::string& source, const mining::MiningJob& job, const mining::Share& share,
                              const Hash32& id) {
  {
    const std::lock_guard lock(mutex_);
    open_[{share.job_serial, share.nonce}] = id;
  }
  auto fresh = store_.begin_share({id, source, share.device, job.header.height, share.nonce});
  if (!fresh || !*fresh) {
    const std::lock_guard lock(mutex_);
    open_.erase({share.job_serial, share.nonce});
  }
  return fresh;
}

void ShareBook::withdraw(std::uint64_t job_serial, std::uint64_t nonce) {
  Hash32 id{};
  {
    const std::lock_guard lock(mutex_);
    const auto at = open_.find({job_serial, nonce});
    if (at == open_.end()) return;
    id = at->second;
    open_.erase(at);
  }
  if (const Done dropped = store_.drop_share(id); !dropped) log::get("mining")->error("{}", dropped.error().message);
}

void ShareBook::end(const mining::ShareAnswer& answer) {
  using mining::ShareEnd;
  if (answer.end == ShareEnd::not_sent) return withdraw(answer.job_serial, answer.nonce);
  const bool plain = answer.reason == mining::ShareReason::none;
  ShareResult result{std::string(name(answer.end)), plain ? "" : std::string(name(answer.reason)), answer.text,
                     answer.block};
  Hash32 id{};
  {
    const std::lock_guard lock(mutex_);
    const auto at = open_.find({answer.job_serial, answer.nonce});
    if (at == open_.end()) return;
    id = at->second;
    open_.erase(at);
    DeviceShares& device = devices_[answer.device];
    switch (answer.end) {
      case ShareEnd::accepted:
        ++totals_.accepted, ++device.accepted;
        totals_.blocks += answer.block;
        break;
      case ShareEnd::stale: ++totals_.stale, ++device.stale; break;
      case ShareEnd::rejected: ++totals_.rejected, ++device.rejected; break;
      default: ++totals_.unknown, ++device.unknown; break;
    }
    if (!plain) ++totals_.reasons[result.end + "." + result.reason];
  }
  if (const Done ended = store_.end_share(id, result); !ended) log::get("mining")->error("{}", ended.error().message);
}

void ShareBook::wrong(const std::string& device) {
  const std::lock_guard lock(mutex_);
  ++devices_[device].wrong;
}

ShareTotals ShareBook::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

std::uint64_t ShareBook::waiting() const {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

std::map<std::string, DeviceShares> ShareBook::devices() const {
  const std::lock_guard lock(mutex_);
  return devices_;
}

}  // namespace sparkmill::worker
