// SPDX-License-Identifier: Apache-2.0
#include "worker/source/desk.h"

#include <algorithm>

#include "base/hex.h"
#include "base/log.h"

namespace sparkmill::mining {

namespace {

constexpr std::size_t kHits = 4096;  // waiting to be recomputed; more than that come from a target far too easy
constexpr std::size_t kEpochs = 2;

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
    running_.request_stop();
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Desk::on_job(const MiningJob& job) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      if (job.clean) {
        running_.request_stop();
        running_ = StopSource();
        hits_.clear();  // of jobs whose shares are stale now
      }
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
    running_.request_stop();
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

Result<std::shared_ptr<const tensority::Epoch>> Desk::epoch_of(const Hash32& seed) {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto it = std::find_if(epochs_.begin(), epochs_.end(), [&seed](const auto& e) { return e->seed() == seed; });
    if (it != epochs_.end()) return *it;
    if (stopping_) return fail(Status::cancelled, "mining: stopped");
    if (!building_) break;
    changed_.wait(lock);
  }
  building_ = true;
  const StopToken stop = running_.token();
  lock.unlock();
  auto built = seams_.build(seed, stop);
  lock.lock();
  building_ = false;
  if (built) {
    ++counts_.epochs;
    epochs_.push_front(*built);
    if (epochs_.size() > kEpochs) epochs_.pop_back();
  }
  lock.unlock();
  changed_.notify_all();
  return built;
}

std::optional<Desk::Piece> Desk::take(std::uint64_t count) {
  Piece piece;
  {
    const std::lock_guard lock(mutex_);
    if (!job_ || used_up_ || count == 0) return std::nullopt;
    piece.job = *job_;
    piece.stop = running_.token();
  }
  auto epoch = epoch_of(piece.job.seed);
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

void Desk::failed(const Piece& piece) {
  nonces_.put_back(piece.job, piece.nonces);
  {
    const std::lock_guard lock(mutex_);
    used_up_ = false;
  }
  changed_.notify_all();
}

void Desk::finished(const Piece& piece, const std::string& device, const tensority::SearchResult& found) {
  const std::uint64_t done = std::min(found.count, piece.nonces.count);
  {
    const std::lock_guard lock(mutex_);
    counts_.hashes += done;
    for (const tensority::Found& f : found.hits) {
      // Easy shares come faster than they are recomputed: what makes a block does not queue behind them.
      if (makes_block(piece.job, f.result)) {
        hits_.push_front({piece.job, piece.epoch, f, device});
      } else if (hits_.size() < kHits) {
        hits_.push_back({piece.job, piece.epoch, f, device});
      }
    }
    if (done < piece.nonces.count) {
      nonces_.put_back(piece.job, {piece.nonces.first + done, piece.nonces.count - done});
      used_up_ = false;
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
  const auto header = preimage(hit.job);
  const auto again = seams_.recompute(*hit.epoch, tensority::header_hash(header, hit.found.nonce));
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
  const auto ticket = source_.submit({hit.job.serial, hit.found.nonce, hit.found.result, hit.device});
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
