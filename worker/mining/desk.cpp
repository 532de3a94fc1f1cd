// SPDX-License-Identifier: Apache-2.0
#include "worker/mining/desk.h"

#include <algorithm>

#include "base/hex.h"
#include "base/log.h"
#include "verify/chain/params.h"

namespace sparkmill::mining {

namespace {

constexpr std::size_t kHits = 4096;  // waiting to be recomputed; more than that come from a target far too easy

}  // namespace

tensority::SearchTask Desk::Piece::task() const {
  tensority::SearchTask t;
  t.epoch = epoch.get();
  t.preimage = preimage(job);
  t.first_nonce = nonces.first;
  t.count = nonces.count;
  t.target = search_bound(job);
  return t;
}

Desk::Desk(Source& source, Seams seams) : source_(source), seams_(std::move(seams)) {
  thread_ = std::thread([this] { check_hits(); });
}

Desk::~Desk() { stop(); }

void Desk::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    job_.reset();
    drop_work();
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Desk::drop_work() {
  running_.request_stop();
  running_ = StopSource();
  counts_.too_late += hits_.size();
  hits_.clear();
}

void Desk::on_job(const MiningJob& job) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      if (job.clean) drop_work();
      seams_.epochs->prepare(job.seed);  // now, not when the first device is free
      job_ = job;
      used_up_ = false;
    }
  }
  changed_.notify_all();
  if (seams_.next != nullptr) seams_.next->on_job(job);
}

void Desk::on_no_job(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    job_.reset();
    drop_work();
  }
  if (seams_.next != nullptr) seams_.next->on_no_job(why);
}

void Desk::on_answer(const ShareAnswer& answer) {
  if (seams_.next != nullptr) seams_.next->on_answer(answer);
}

void Desk::on_report(const SourceReport& report) {
  if (seams_.next != nullptr) seams_.next->on_report(report);
}

bool Desk::wait(unsigned ms) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return stopping_ || (job_ && !used_up_); }) &&
         !stopping_;
}

std::optional<Desk::Piece> Desk::take(std::uint64_t count) {
  Piece piece;
  {
    const std::lock_guard lock(mutex_);
    if (!job_ || used_up_ || count == 0) return std::nullopt;
    piece.job = *job_;
    piece.stop = running_.token();
  }
  auto epoch = seams_.epochs->get(piece.job.seed, piece.stop);
  if (!epoch) {
    if (epoch.error().code != Status::cancelled) log::get("mining")->error("{}", epoch.error().message);
    return std::nullopt;
  }
  piece.epoch = std::move(*epoch);
  const auto nonces = nonces_.take(piece.job, count);
  if (nonces) {
    piece.nonces = *nonces;
    return piece;
  }
  const std::lock_guard lock(mutex_);
  if (job_ && job_->serial == piece.job.serial && !used_up_) {
    used_up_ = true;
    ++counts_.used_up;
    log::get("mining")->warn("all nonces of job {} are tried; waiting for the next", printable(piece.job.id));
  }
  return std::nullopt;
}

void Desk::give_back(const Piece& piece, NonceRange part) {
  if (part.count == 0) return;
  nonces_.put_back(piece.job, part);
  {
    const std::lock_guard lock(mutex_);
    used_up_ = false;
  }
  changed_.notify_all();
}

void Desk::searched(const Piece& piece, const std::string& device, std::uint64_t nonces,
                    std::span<const tensority::Found> hits) {
  {
    const std::lock_guard lock(mutex_);
    counts_.hashes += nonces;
    if (piece.stop.stop_requested() || stopping_) {
      counts_.too_late += hits.size();
      return;
    }
    for (const tensority::Found& f : hits) {
      // Easy shares come faster than they are recomputed: what makes a block does not queue behind them.
      if (makes_block(piece.job, f.result)) {
        hits_.push_front({piece.job, piece.epoch, f, device});
      } else if (hits_.size() < kHits) {
        hits_.push_back({piece.job, piece.epoch, f, device});
      } else {
        ++counts_.too_late;
      }
    }
  }
  changed_.notify_all();
}

void Desk::check_hits() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !hits_.empty(); });
    if (stopping_) return;
    const Hit hit = std::move(hits_.front());
    hits_.pop_front();
    checking_ = true;
    lock.unlock();
    check(hit);
    lock.lock();
    checking_ = false;
  }
}

void Desk::check(const Hit& hit) {
  const Hash32 id = tensority::header_hash(preimage(hit.job), hit.found.nonce);
  const auto again = seams_.recompute(*hit.epoch, id);
  const bool right = again && *again == hit.found.result && tensority::meets(*again, search_bound(hit.job));
  if (!right) {
    const std::string what =
        "nonce " + std::to_string(hit.found.nonce) + ": " +
        (again ? "gave " + to_hex(hit.found.result) + ", recomputed " + to_hex(*again) : again.error().message);
    log::get("mining")->error("{}: a hit that is none: {}", hit.device, what);
    {
      const std::lock_guard lock(mutex_);
      ++counts_.wrong;
    }
    if (seams_.on_wrong) seams_.on_wrong(hit.device, what);
    return;
  }
  const Share share{hit.job.serial, hit.found.nonce, hit.found.result, hit.device};
  const bool block = makes_block(hit.job, hit.found.result);
  // If it is taken, it is the last block of its epoch, and its hash the seed of the next one.
  if (block && hit.job.header.height != 0 && hit.job.header.height % chain::bytom_params().epoch_blocks == 0) {
    seams_.epochs->prepare(id);
  }
  const Result<bool> fresh = seams_.record ? seams_.record(hit.job, share, id) : true;
  if (!fresh || !*fresh) {
    if (!fresh) log::get("mining")->error("nonce {} is not sent: {}", share.nonce, fresh.error().message);
    const std::lock_guard lock(mutex_);
    ++counts_.hits;
    ++(fresh ? counts_.known : counts_.too_late);
    return;
  }
  const auto ticket = source_.submit(share);
  if (!ticket && seams_.forget) seams_.forget(share);
  const std::lock_guard lock(mutex_);
  ++counts_.hits;
  if (!ticket) ++counts_.too_late;
  if (!ticket && ticket.error().code != Status::late) log::get("mining")->warn("{}", ticket.error().message);
}

Desk::Counts Desk::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts = counts_;
  counts.waiting = hits_.size() + (checking_ ? 1 : 0);
  return counts;
}

}  // namespace sparkmill::mining
