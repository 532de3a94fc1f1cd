// SPDX-License-Identifier: Apache-2.0
#include "node/mining/mining.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/hash.h"
#include "base/hex.h"
#include "base/log.h"
#include "kernels/backend/discover.h"
#include "kernels/registry.h"
#include "kernels/tensority/epoch_cache.h"
#include "verify/chain/seed_rule.h"
#include "verify/job/tensority_search.h"

namespace sparkmill::node {
namespace {

/// More nonces than any device searches between two blocks; 2^23 leases of a header fit below 2^63.
constexpr std::uint64_t kNoncesALease = std::uint64_t{1} << 40;
constexpr std::uint64_t kLeaseMs = 3'600'000;
/// A share later than so many blocks belongs to a lease that is forgotten.
constexpr std::size_t kPastHeaders = 16;

}  // namespace

Mining::Mining(MiningSettings settings, Ledger& ledger, const NodeTime& time,
               std::function<void(const AppendedBlock&)> on_block)
    : settings_(settings),
      params_(chain::node_params(settings.interval_ms)),
      ledger_(ledger),
      time_(time),
      on_block_(std::move(on_block)) {}

Result<std::unique_ptr<Mining>> Mining::make(MiningSettings settings, Ledger& ledger, const NodeTime& time,
                                             std::function<void(const AppendedBlock&)> on_block) {
  std::unique_ptr<Mining> mining(new Mining(settings, ledger, time, std::move(on_block)));
  const kernels::Device cpu = kernels::cpu_device();
  SPARKMILL_ASSIGN(const kernels::Choice choice, kernels::choose(kernels::Family::tensority, cpu));
  SPARKMILL_ASSIGN(mining->kernel_, kernels::make_tested(*choice.row, cpu));
  std::lock_guard lock(mining->mutex_);
  SPARKMILL_TRY(mining->renew());
  return mining;
}

Done Mining::renew() {
  auto next = std::make_shared<Header>();
  SPARKMILL_ASSIGN(next->header, ledger_.candidate(time_.now_ms()));
  const auto from = chain::seed_height(params_, next->header.height);
  next->seed = chain::initial_seed();
  if (from) {
    SPARKMILL_ASSIGN(const protocol::Block block, ledger_.block(*from));
    next->seed = block.hash;
  }
  SPARKMILL_ASSIGN(next->epoch, tensority::epochs().get(next->seed));
  next->block = chain::target_from_bits(next->header.bits);
  const double shares = chain::expected_hashes(next->block) / static_cast<double>(settings_.least_share_hashes);
  const auto wanted = static_cast<std::int64_t>(std::clamp(shares, 1.0, static_cast<double>(settings_.shares_a_block)));
  SPARKMILL_ASSIGN(const std::uint64_t share_bits, chain::scale_bits(next->header.bits, wanted, 1));
  next->share = chain::target_from_bits(share_bits);
  const double expected = std::round(chain::expected_hashes(next->share));
  next->hashes_a_share = expected < 1      ? 1
                         : expected > 1e18 ? std::uint64_t{1} << 60
                                           : static_cast<std::uint64_t>(expected);
  next->since_ms = time_.steady_ms();
  if (now_) {
    past_.emplace_front();
    for (const auto& [id, range] : now_->ranges) past_.front().insert(id);
    if (past_.size() > kPastHeaders) past_.pop_back();
  }
  now_ = std::move(next);
  renewed_.notify_all();
  return done();
}

Result<std::optional<protocol::Lease>> Mining::lease(const keys::PublicKey& worker,
                                                     const std::optional<std::vector<Id16>>& held,
                                                     std::uint32_t wait_ms) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
  std::unique_lock lock(mutex_);
  const auto holds = [&] {
    return held && std::any_of(held->begin(), held->end(), [&](const Id16& id) {
             const auto at = now_->ranges.find(id);
             return at != now_->ranges.end() && at->second.worker == worker;
           });
  };
  while (!stopping_ && holds()) {
    if (renewed_.wait_until(lock, until) == std::cv_status::timeout) break;
  }
  if (stopping_ || holds()) return std::optional<protocol::Lease>();
  const auto own = std::count_if(now_->ranges.begin(), now_->ranges.end(),
                                 [&](const auto& entry) { return entry.second.worker == worker; });
  if (own >= settings_.leases_of_a_worker || now_->ranges.size() >= settings_.leases_of_a_header) {
    return fail(Status::too_large, "too many searches of block " + std::to_string(now_->header.height),
                "one lease has nonces enough for any device; share it");
  }
  job::TensorityParams params;
  params.preimage = chain::preimage(now_->header);
  params.seed = now_->seed;
  params.share_target = now_->share.bound();
  params.block_target = now_->block.bound();
  params.first_nonce = now_->ranges.size() * kNoncesALease;
  params.count = kNoncesALease;
  protocol::Lease lease;
  lease.lease_id = random_array<16>();
  lease.deadline_ms = time_.now_ms() + kLeaseMs;
  const job::Job job = job::make_tensority_job(params, lease.deadline_ms);
  lease.job = job::encode(job);
  lease.openings = 1;
  now_->ranges[lease.lease_id] = Range{worker, job.id, params.first_nonce, 0, {}};
  return std::optional<protocol::Lease>(std::move(lease));
}

Result<Hash32> Mining::hash(const Header& header, std::uint64_t nonce) {
  const Hash32 message = tensority::header_hash(chain::preimage(header.header), nonce);
  Hash32 result{};
  std::lock_guard lock(kernel_mutex_);
  auto* kernel = dynamic_cast<tensority::Kernel*>(kernel_.get());
  if (kernel == nullptr) return fail(Status::internal, "the checking kernel is of another family");
  SPARKMILL_TRY(kernel->hash(*header.epoch, {&message, 1}, {&result, 1}, StopToken()));
  return result;
}

Result<protocol::SolutionAnswer> Mining::solve(const keys::PublicKey& worker, const protocol::Solution& solution) {
  protocol::SolutionAnswer answer;
  const auto no = [&](const char* reason) {
    answer.reason = reason;
    return answer;
  };
  std::unique_lock lock(mutex_);
  const std::shared_ptr<Header> header = now_;
  answer.height = header->header.height;
  const auto range = header->ranges.find(solution.lease_id);
  if (range == header->ranges.end()) {
    const bool past =
        std::any_of(past_.begin(), past_.end(), [&](const auto& ids) { return ids.count(solution.lease_id); });
    return no(past ? "stale" : "unknown_lease");
  }
  if (range->second.worker != worker) return no("unknown_lease");
  if (solution.nonce - range->second.first >= kNoncesALease) return no("out_of_range");
  if (range->second.nonces.count(solution.nonce)) return no("duplicate");
  lock.unlock();
  SPARKMILL_ASSIGN(const Hash32 result, hash(*header, solution.nonce));
  if (!chain::meets(result, header->share)) return no("high_hash");
  lock.lock();
  if (now_ != header) return no("stale");
  // Ranges are never taken out of a header, so `range` is still good.
  if (!range->second.nonces.insert(solution.nonce).second) return no("duplicate");
  ++range->second.shares;
  answer.accepted = true;
  answer.reason = "accepted";
  if (!chain::meets(result, header->block)) return answer;
  chain::BlockHeader solved = header->header;
  solved.nonce = solution.nonce;
  SPARKMILL_ASSIGN(const AppendedBlock block, ledger_.append_solved(solved, shares()));
  answer.block = true;
  fallbacks_ = 0;
  SPARKMILL_TRY(renew());
  lock.unlock();
  log::get("node")->info("block {} found by worker {}", block.block.height, to_hex(worker).substr(0, 16));
  on_block_(block);
  return answer;
}

std::vector<ShareCredit> Mining::shares() const {
  std::vector<ShareCredit> out;
  const job::KindRow* kind = job::find_kind(job::Kind::tensority);
  for (const auto& [id, range] : now_->ranges) {
    if (range.shares == 0) continue;
    out.push_back(
        {id, range.job_id, range.worker, range.shares * now_->hashes_a_share, kind->credit_microcobble_per_gi_unit});
  }
  return out;
}

Done Mining::tick() {
  std::unique_lock lock(mutex_);
  if (time_.steady_ms() - now_->since_ms < params_.fallback_intervals * settings_.interval_ms) return done();
  const std::uint64_t nonce = ByteReader(random_array<8>()).u64() >> 1;
  SPARKMILL_ASSIGN(const AppendedBlock block, ledger_.append_fallback(time_.now_ms(), nonce, shares()));
  SPARKMILL_TRY(renew());
  // A chain nobody mines for (its worker is paused, say) has nothing but these: one warning is enough.
  const auto level = fallbacks_++ == 0 ? spdlog::level::warn : spdlog::level::debug;
  lock.unlock();
  log::get("node")->log(level, "block {}: nobody solved it for {} intervals; made without work, the difficulty halves",
                        block.block.height, params_.fallback_intervals);
  on_block_(block);
  return done();
}

void Mining::stop() {
  std::lock_guard lock(mutex_);
  stopping_ = true;
  renewed_.notify_all();
}

}  // namespace sparkmill::node
