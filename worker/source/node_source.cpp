// SPDX-License-Identifier: Apache-2.0
#include "worker/source/node_source.h"

#include <algorithm>

#include "base/hash.h"
#include "base/hex.h"
#include "base/log.h"
#include "verify/job/tensority_search.h"
#include "worker/source/backoff.h"

namespace sparkmill::mining {

namespace {

constexpr std::uint32_t kLongPollMs = 10'000;
constexpr std::uint64_t kUnsupportedWaitMs = 60'000;
constexpr std::size_t kKnown = 8;
constexpr std::size_t kQueue = 1024;

double system_random() {
  const auto b = random_array<4>();
  return ByteReader(b).u32() / 4294967296.0;
}

ShareReason reason_of(const std::string& word) {
  if (word == "stale") return ShareReason::job_gone;
  if (word == "unknown_lease") return ShareReason::job_gone;
  if (word == "duplicate") return ShareReason::duplicate;
  if (word == "high_hash") return ShareReason::low_difficulty;
  if (word == "out_of_range") return ShareReason::bad_format;
  return ShareReason::other;
}

}  // namespace

NodeSource::NodeSource(std::shared_ptr<worker::NodeLink> link, bool if_needed)
    : link_(std::move(link)), if_needed_(if_needed) {
  report_.name = link_->settings().url;
}

NodeSource::~NodeSource() { stop(); }

Done NodeSource::start(Listener& listener) {
  if (listener_ != nullptr) return fail(Status::bad_argument, "node source: started twice");
  listener_ = &listener;
  searching_ = std::thread([this] { search_loop(); });
  submitting_ = std::thread([this] { submit_loop(); });
  return done();
}

void NodeSource::stop() {
  if (listener_ == nullptr) return;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
    report_.phase = SourcePhase::stopped;
  }
  stop_.request_stop();
  changed_.notify_all();
  searching_.join();
  submitting_.join();
  for (const Queued& q : queue_) {
    ShareAnswer a;
    a.ticket = q.ticket;
    a.job_serial = q.share.job_serial;
    a.nonce = q.share.nonce;
    a.device = q.share.device;
    a.end = ShareEnd::not_sent;
    a.reason = ShareReason::line_broke;
    settle(a);
  }
  queue_.clear();
}

SourceReport NodeSource::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

void NodeSource::rest(std::uint64_t ms) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return stopping_; });
}

void NodeSource::search_loop() {
  worker::NodeClient client(link_, stop_.token());
  Backoff backoff(system_random);
  std::vector<Id16> held;
  while (!stop_.stop_requested()) {
    // The pipeline enlists this worker when it first reaches the node; before that a search would be refused.
    if (!link_->known()) {
      rest(100);
      continue;
    }
    const std::uint64_t asked = link_->clock().steady_ms();
    auto lease = client.search(held, kLongPollMs);
    if (stop_.stop_requested()) return;
    if (!lease) {
      lost(lease.error());
      const bool never = lease.status() == Status::unsupported;
      held.clear();
      rest(never ? kUnsupportedWaitMs : std::min<std::uint64_t>(backoff.next_ms(), 10'000));
      continue;
    }
    backoff.reset();
    if (!*lease) continue;
    const std::uint64_t took = link_->clock().steady_ms() - asked;
    if (const Done taken = take(**lease); !taken) {
      lost(taken.error());
      rest(1'000);
      continue;
    }
    held.assign(1, (*lease)->lease_id);
    const std::lock_guard lock(mutex_);
    if (report_.latency_ms == 0) report_.latency_ms = took;
  }
}

Done NodeSource::take(const protocol::Lease& lease) {
  SPARKMILL_ASSIGN(const job::Job work, job::decode(lease.job));
  if (work.kind != job::Kind::tensority)
    return fail(Status::bad_input, "the node gave another kind of job as a search");
  SPARKMILL_ASSIGN(const job::TensorityParams params, job::decode_tensority_params(work.params));
  MiningJob job;
  job.id = to_hex(lease.lease_id);
  job.header = chain::header_of(params.preimage);
  job.seed = params.seed;
  const auto target = [](const Hash32& bound) {
    Hash32 all;
    all.fill(0xff);
    return bound == all ? chain::Target{chain::Target::Kind::everything, {}}
                        : chain::Target{chain::Target::Kind::limit, bound};
  };
  job.share_target = target(params.share_target);
  job.block_target = target(params.block_target);
  if (job.block_target != chain::target_from_bits(job.header.bits)) {
    return fail(Status::bad_input, "the search's block target is not that of its header's bits");
  }
  job.nonces = {params.first_nonce, params.count};
  job.session = 1;
  const std::lock_guard telling(telling_);
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return done();
    job.serial = ++serial_;
    known_.push_back({job, lease.lease_id});
    if (known_.size() > kKnown) known_.pop_front();
    ++report_.books.jobs;
    report_.phase = SourcePhase::connected;
    report_.detail.clear();
    report_.height = job.header.height;
    report_.difficulty = chain::expected_hashes(job.share_target);
    report_.block_difficulty = chain::expected_hashes(job.block_target);
  }
  listener_->on_job(job);
  listener_->on_report(report());
  return done();
}

void NodeSource::lost(const Error& error) {
  if (error.code == Status::cancelled) return;
  const std::lock_guard telling(telling_);
  bool had_work = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    if (report_.detail != error.message) log::get("source")->debug("mining: {}", error.message);
    had_work = report_.phase == SourcePhase::connected;
    report_.phase = error.code != Status::unsupported ? SourcePhase::unreachable
                    : if_needed_                      ? SourcePhase::idle
                                                      : SourcePhase::refused;
    report_.detail = error.message;
    known_.clear();  // the searches of a node that was away are over: their leases live in its memory only
  }
  if (had_work) listener_->on_no_job(error.message);
  listener_->on_report(report());
}

Result<std::uint64_t> NodeSource::submit(const Share& share) {
  const std::lock_guard lock(mutex_);
  const auto at =
      std::find_if(known_.begin(), known_.end(), [&](const Known& k) { return k.job.serial == share.job_serial; });
  // A block has ended the searches before the newest one: their shares are worth nothing any more.
  if (stopping_ || at == known_.end() || at->job.header.previous != known_.back().job.header.previous) {
    return fail(Status::late, "share: its search is over");
  }
  if (queue_.size() >= kQueue) return fail(Status::too_large, "share: too many wait for the node");
  SPARKMILL_TRY(gate_.admit(at->job, share));
  queue_.push_back({next_ticket_, share, at->job, at->lease_id});
  ++report_.books.submitted;
  ++report_.books.open;
  changed_.notify_all();
  return next_ticket_++;
}

void NodeSource::submit_loop() {
  worker::NodeClient client(link_, stop_.token());
  for (;;) {
    Queued next;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      next = queue_.front();
      queue_.pop_front();
    }
    settle(send(client, next));
  }
}

ShareAnswer NodeSource::send(worker::NodeClient& client, const Queued& queued) {
  ShareAnswer a;
  a.ticket = queued.ticket;
  a.job_serial = queued.share.job_serial;
  a.nonce = queued.share.nonce;
  a.device = queued.share.device;
  const std::uint64_t sent = link_->clock().steady_ms();
  const auto answer = client.solve({queued.lease_id, queued.share.nonce});
  a.latency_ms = link_->clock().steady_ms() - sent;
  if (!answer) {
    a.end = ShareEnd::unknown;  // it may have arrived; a lost block shows in the chain
    a.reason = ShareReason::line_broke;
    a.text = printable(answer.error().message, 200);
    return a;
  }
  a.text = printable(answer->reason, 200);
  a.block = answer->block;
  a.reason = answer->accepted ? ShareReason::none : reason_of(answer->reason);
  a.end = answer->accepted                    ? ShareEnd::accepted
          : a.reason == ShareReason::job_gone ? ShareEnd::stale
                                              : ShareEnd::rejected;
  return a;
}

void NodeSource::settle(const ShareAnswer& answer) {
  const std::lock_guard telling(telling_);
  {
    const std::lock_guard lock(mutex_);
    if (answer.end == ShareEnd::not_sent) {  // counted as submitted when it was queued
      --report_.books.submitted;
      --report_.books.open;
    }
    report_.books.count(answer);
    if (answer.latency_ms != 0) report_.latency_ms = answer.latency_ms;
  }
  listener_->on_answer(answer);
  listener_->on_report(report());
}

}  // namespace sparkmill::mining
