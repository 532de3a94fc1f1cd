// SPDX-License-Identifier: Apache-2.0
#include "worker/mining/miner.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "kernels/tensority/epoch_cache.h"
#include "verify/job/tensority_search.h"

namespace sparkmill::worker {

namespace {

/// Two runs at a time: while the last slices of one end, the lanes have those of the other.
constexpr unsigned kFeeders = 2;
constexpr std::size_t kMaxCandidates = 4096;
constexpr std::uint64_t kLongRange = std::uint64_t{1} << 62;
constexpr auto kFamily = kernels::Family::tensority;

}  // namespace

Miner::Miner(Scheduler& scheduler, State& state, const Clock& clock, Say say)
    : scheduler_(scheduler), state_(state), clock_(clock), say_(say ? std::move(say) : [](const std::string&) {}) {}

Miner::~Miner() { stop(); }

Done Miner::start(std::unique_ptr<mining::Source> source) {
  source_ = std::move(source);
  for (unsigned i = 0; i < kFeeders; ++i) threads_.emplace_back([this] { feed_loop(); });
  threads_.emplace_back([this] { check_loop(); });
  return source_->start(*this);
}

void Miner::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
    drop_work();
  }
  for (std::thread& t : threads_) t.join();
  if (source_) source_->stop();
}

void Miner::hold(bool on) {
  const std::lock_guard lock(mutex_);
  if (on == held_) return;
  held_ = on;
  cancel_.request_stop();
  cancel_ = StopSource();
  changed_.notify_all();
}

void Miner::drop_work() {
  job_.reset();
  cancel_.request_stop();
  cancel_ = StopSource();
  changed_.notify_all();
}

void Miner::nap(std::uint64_t ms) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return stopping_; });
}

void Miner::on_job(const mining::MiningJob& job) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  if (job.clean || !job_) drop_work();
  job_ = std::make_shared<const mining::MiningJob>(job);
  exhausted_ = false;
  changed_.notify_all();
}

void Miner::on_no_job(const std::string& why) {
  log::get("mining")->info("no work: {}", why);
  const std::lock_guard lock(mutex_);
  drop_work();
}

void Miner::on_answer(const mining::ShareAnswer& answer) {
  if (answer.block && answer.end == mining::ShareEnd::accepted) {
    say_(fmt::format("mining: block found (nonce {})", answer.nonce));
  } else if (answer.end == mining::ShareEnd::rejected) {
    say_(fmt::format("mining: share refused: {}{}{}", name(answer.reason), answer.text.empty() ? "" : ": ",
                     answer.text));
  }
  log::get("mining")->debug("share {}: {} {} {}", answer.nonce, name(answer.end), name(answer.reason), answer.text);
}

void Miner::on_report(const mining::SourceReport& report) {
  const std::string text = report.phase == mining::SourcePhase::connected
                               ? fmt::format("mining: {}: connected", report.name)
                               : fmt::format("mining: {}: {}{}{}", report.name, name(report.phase),
                                             report.detail.empty() ? "" : ": ", report.detail);
  {
    const std::lock_guard lock(mutex_);
    if (text == last_detail_) return;
    last_detail_ = text;
  }
  say_(text);
}

void Miner::feed_loop() {
  for (;;) {
    JobPtr job;
    StopToken stop;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || (job_ && !held_ && !exhausted_); });
      if (stopping_) return;
      job = job_;
      stop = cancel_.token();
    }
    search(job, stop);
  }
}

void Miner::search(const JobPtr& job, const StopToken& stop) {
  const unsigned lanes = scheduler_.lanes(kFamily);
  if (lanes == 0) return nap(1'000);  // every device that could is paused for good or lost
  const std::uint64_t size =
      std::clamp<std::uint64_t>(scheduler_.target_units(kFamily, kLongRange), 1, std::uint64_t{1} << 30);
  const auto piece = book_.take(*job, size * lanes);
  if (!piece) {
    const std::lock_guard lock(mutex_);
    if (job_ == job && !exhausted_) {
      exhausted_ = true;
      log::get("mining")->warn("job {}: all of its nonces are used; waiting for the next", job->id);
    }
    return;
  }
  job::TensorityParams params;
  params.preimage = mining::preimage(*job);
  params.seed = job->seed;
  params.share_target = params.block_target = mining::search_bound(*job);
  params.first_nonce = piece->first;
  params.count = piece->count;
  job::MemoryBlobs none;
  auto work = job::open(job::make_tensority_job(params, 0), none, {});
  if (!work) {
    log::get("mining")->error("job {}: {}", job->id, work.error().message);
    return nap(1'000);
  }
  const std::vector<job::Slice> slices = (*work)->slice(size);
  const auto collect = [&](const job::Slice&, Bytes bytes) -> Done {
    SPARKMILL_ASSIGN(const job::NonceReport report, job::decode_nonce_report(bytes));
    const std::lock_guard lock(mutex_);
    hashes_ += report.count;
    for (const tensority::Found& hit : report.hits) {
      if (candidates_.size() < kMaxCandidates) candidates_.push_back({job, hit});
    }
    if (!report.hits.empty()) changed_.notify_all();
    return done();
  };
  const Done ran = scheduler_.run(**work, slices, ~std::uint64_t{0}, collect, stop);
  if (ran || ran.status() == Status::cancelled) {
    // Searched again from its start if the same header comes back: the gate knows what was sent of it.
    if (!ran) book_.put_back(*job, *piece);
    return;
  }
  log::get("mining")->error("job {}: {}", job->id, ran.error().message);
  nap(1'000);
}

void Miner::check_loop() {
  for (;;) {
    Candidate next;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !candidates_.empty(); });
      if (stopping_) return;
      next = std::move(candidates_.front());
      candidates_.pop_front();
    }
    check(next);
  }
}

void Miner::check(const Candidate& candidate) {
  const auto epoch = tensority::epochs().get(candidate.job->seed);
  if (!epoch) return log::get("mining")->error("{}", epoch.error().message);
  const auto again =
      job::recompute(**epoch, mining::preimage(*candidate.job), candidate.found.nonce, scheduler_.rows(kFamily));
  if (!again) return log::get("mining")->error("{}", again.error().message);
  if (*again != candidate.found.result) {
    log::get("mining")->error("job {}: nonce {}: two rows disagree; the share is not sent, a device computes wrong",
                              candidate.job->id, candidate.found.nonce);
    say_("mining: a device found a nonce that another kernel does not confirm; it was not sent");
    const std::lock_guard lock(mutex_);
    ++wrong_;
    return;
  }
  mining::Share share;
  share.job_serial = candidate.job->serial;
  share.nonce = candidate.found.nonce;
  share.result = candidate.found.result;
  const auto ticket = source_->submit(share);
  if (ticket) return;
  log::get("mining")->debug("share {} not sent: {}", share.nonce, ticket.error().message);
  if (ticket.status() == Status::duplicate) return;
  const std::lock_guard lock(mutex_);
  ++lost_;
}

mining::SourceReport Miner::report() const { return source_ ? source_->report() : mining::SourceReport{}; }

std::uint64_t Miner::hashes() const {
  const std::lock_guard lock(mutex_);
  return hashes_;
}

std::uint64_t Miner::wrong() const {
  const std::lock_guard lock(mutex_);
  return wrong_;
}

void Miner::publish() {
  const mining::SourceReport r = report();
  MiningState m;
  m.on = true;
  m.source = r.name;
  m.state = name(r.phase);
  m.detail = r.detail;
  m.height = r.height;
  m.share_difficulty = r.difficulty;
  m.block_difficulty = r.block_difficulty;
  m.submitted = r.books.submitted;
  m.accepted = r.books.accepted;
  m.stale = r.books.stale;
  m.rejected = r.books.rejected;
  m.unknown = r.books.unknown;
  m.blocks = r.books.blocks;
  m.latency_ms = r.latency_ms;
  m.switches = r.switches;
  {
    const std::lock_guard lock(mutex_);
    m.hashes = hashes_;
    m.wrong = wrong_;
    m.too_late = lost_;
  }
  state_.update([&](Snapshot& s) { s.mining = m; });
}

}  // namespace sparkmill::worker
