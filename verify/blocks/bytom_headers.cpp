// SPDX-License-Identifier: Apache-2.0
#include "verify/blocks/bytom_headers.h"

#include "verify/chain/seed_rule.h"

namespace sparkmill::blocks::bytom {
namespace {

const chain::Params& params() {
  static const chain::Params bytom = chain::bytom_params();
  return bytom;
}

/// 0 stands for the initial seed.
std::uint64_t epoch_of(std::uint64_t height) { return chain::seed_height(params(), height).value_or(0); }

}  // namespace

void HeaderWalk::set_seed(std::uint64_t height, const Hash32& seed) { given_seed_.emplace(epoch_of(height), seed); }

std::optional<Hash32> HeaderWalk::seed_for(std::uint64_t height) const {
  const std::uint64_t epoch = epoch_of(height);
  if (epoch == 0) return chain::initial_seed();
  if (const auto known = seeds_.find(epoch); known != seeds_.end()) return known->second;
  if (given_seed_ && given_seed_->first == epoch) return given_seed_->second;
  return std::nullopt;
}

std::optional<std::uint64_t> HeaderWalk::next_bits() const {
  if (!chain::retarget_due(params(), last_->height)) return last_->bits;
  if (times_.size() <= params().retarget_blocks) return std::nullopt;
  const auto bits = chain::next_bits(params(), *last_, times_[times_.size() - 1 - params().retarget_blocks]);
  return bits ? std::optional(*bits) : std::nullopt;
}

Context HeaderWalk::next(std::uint64_t height) const {
  Context out;
  out.now = now_;
  if (!last_) {
    if (height != 0) out.seed = seed_for(height);
    return out;
  }
  out.parent_id = last_id_;
  out.parent_height = last_->height;
  out.bits = next_bits();
  out.seed = seed_for(last_->height + 1);
  const std::size_t count = params().median_blocks;
  if (times_.size() >= count || times_.size() == last_->height + 1) {
    const std::size_t some = std::min(count, times_.size());
    const std::vector<std::uint64_t> recent(times_.end() - static_cast<std::ptrdiff_t>(some), times_.end());
    out.median_time = chain::median_timestamp(recent);
  }
  return out;
}

void HeaderWalk::append(const chain::BlockHeader& header, const Hash32& id) {
  if (last_ && (header.previous != last_id_ || header.height != last_->height + 1)) forget();
  last_ = header;
  last_id_ = id;
  times_.push_back(header.timestamp);
  if (times_.size() > params().retarget_blocks + 1) times_.pop_front();
  if (header.height != 0 && header.height % params().epoch_blocks == 0) {
    seeds_[header.height] = id;
    if (seeds_.size() > 2) seeds_.erase(seeds_.begin());
  }
}

void HeaderWalk::forget() {
  last_.reset();
  times_.clear();
  seeds_.clear();
}

}  // namespace sparkmill::blocks::bytom
