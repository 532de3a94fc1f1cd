// SPDX-License-Identifier: Apache-2.0
#include "node/jobs/generator.h"

#include "base/hex.h"
#include "base/log.h"
#include "kernels/match/predicate_text.h"
#include "verify/job/ringers.h"
#include "verify/job/verify_batch.h"
#include "verify/job/verify_blocks.h"

namespace sparkmill::node {

namespace {

Error as_config(const Error& e, std::string_view what) {
  return fail(Status::bad_config, std::string(what) + ": " + e.message, e.hint);
}

}  // namespace

Done Generator::check(const GeneratorSettings& s) {
  const auto between = [](std::uint32_t v, std::uint32_t low, std::uint32_t high) { return v >= low && v <= high; };
  if (!between(s.requests, kMinRequests, match::kMaxRows)) {
    return fail(Status::bad_config, "requests: " + std::to_string(s.requests) + " is not in " +
                                        std::to_string(kMinRequests) + " to " + std::to_string(match::kMaxRows));
  }
  if (!between(s.users, kMinUsers, match::kMaxRows)) {
    return fail(Status::bad_config,
                "users: " + std::to_string(s.users) + " is not in " + std::to_string(kMinUsers) + " to " +
                    std::to_string(match::kMaxRows),
                std::to_string(kMatchRingers) + " of them are ringers");
  }
  if (s.n % 64 != 0 || !between(s.n, match::kMinN, match::kMaxN)) {
    return fail(Status::bad_config, "n: " + std::to_string(s.n) + " is not a multiple of 64 from 64 to 16384");
  }
  if (s.signatures != 0 && !between(s.signatures, kMinSignatures, job::kMaxBatchItems)) {
    return fail(Status::bad_config, "signatures: " + std::to_string(s.signatures) + " is not 0 and not in " +
                                        std::to_string(kMinSignatures) + " to " + std::to_string(job::kMaxBatchItems));
  }
  if (s.blocks != 0 && !between(s.blocks, kMinBlocks, job::kMaxBlockItems)) {
    return fail(Status::bad_config, "blocks: " + std::to_string(s.blocks) + " is not 0 and not in " +
                                        std::to_string(kMinBlocks) + " to " + std::to_string(job::kMaxBlockItems));
  }
  const auto predicate = match::parse_predicate(s.predicate, kMatchFields);
  if (!predicate) return as_config(predicate.error(), "predicate");
  return done();
}

Generator::Generator(GeneratorSettings settings, Ledger& ledger, BlobStore& blobs, const NodeTime& time,
                     std::function<void()> on_ready)
    : settings_(std::move(settings)), ledger_(ledger), blobs_(blobs), time_(time), on_ready_(std::move(on_ready)) {
  if (settings_.match) makers_.push_back(match_maker(settings_, blobs));
  if (settings_.signatures != 0) makers_.push_back(batch_maker(settings_, blobs));
  if (settings_.blocks != 0) makers_.push_back(blocks_maker(settings_, blobs));
}

Generator::~Generator() { stop(); }

void Generator::start() {
  thread_ = std::thread([this] { loop(); });
}

void Generator::stop() {
  stop_.request_stop();
  wake();
  if (thread_.joinable()) thread_.join();
}

void Generator::wake() {
  std::lock_guard lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

std::string Generator::reason() const {
  std::lock_guard lock(mutex_);
  return reason_;
}

void Generator::set_reason(const std::string& reason) {
  std::lock_guard lock(mutex_);
  if (reason == reason_) return;
  reason_ = reason;
  if (reason.empty()) {
    log::get("node")->info("jobs: generation goes on");
  } else {
    log::get("node")->warn("jobs: none are made: {}", reason);
  }
}

void Generator::loop() {
  while (!stop_.stop_requested()) {
    const auto worked = step();
    if (!worked && worked.status() != Status::cancelled) set_reason(worked.error().message);
    if (worked) set_reason("");
    if (worked && *worked) continue;
    // A failure is tried again soon: space may be freed, workers may finish.
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(worked ? 1'000 : 2'000),
                      [this] { return woken_ || stop_.stop_requested(); });
    woken_ = false;
  }
}

/// One attempt of each kind at most; true when there may be more to do at once. What one kind lacks does not hold up
/// the others.
Result<bool> Generator::step() {
  SPARKMILL_TRY(collect_garbage());
  bool worked = false;
  std::optional<Error> failed;
  for (const auto& maker : makers_) {
    auto made = step(*maker);
    if (!made && made.status() == Status::cancelled) return made.error();
    if (!made && !failed) failed = made.error();
    worked |= made && *made;
  }
  if (failed && !worked) return *failed;
  return worked;
}

Result<bool> Generator::step(Maker& maker) {
  const auto kind = static_cast<std::uint16_t>(maker.kind());
  SPARKMILL_ASSIGN(const LedgerStats stats, ledger_.stats(kind));
  if (stats.ready >= settings_.queue_ahead) return false;
  SPARKMILL_ASSIGN(const std::optional<Task> task, ledger_.task_without_attempt(kind));
  if (!task && settings_.max_jobs != 0) {
    SPARKMILL_ASSIGN(const LedgerStats all, ledger_.stats());
    if (all.tasks >= settings_.max_jobs) return false;
  }
  const std::uint64_t began = time_.steady_ms();
  if (began < rest_until_ms_[&maker]) return false;
  SPARKMILL_TRY(make_attempt(maker, task, stats.tasks));
  const std::uint64_t now = time_.steady_ms();
  rest_until_ms_[&maker] = now + static_cast<std::uint64_t>(static_cast<double>(now - began) * (1 / maker.duty() - 1));
  on_ready_();
  return true;
}

Done Generator::collect_garbage() {
  SPARKMILL_ASSIGN(const std::vector<Hash32> unused, ledger_.unused_blobs());
  for (const Hash32& sha : unused) {
    SPARKMILL_TRY(blobs_.remove(sha));
    SPARKMILL_TRY(ledger_.forget_blob(sha));
  }
  return done();
}

Done Generator::make_attempt(Maker& maker, const std::optional<Task>& again, std::uint64_t next_index) {
  const std::uint64_t now = time_.now_ms();
  SPARKMILL_ASSIGN(MadeAttempt made,
                   maker.make(again ? &*again : nullptr, next_index, now + kJobLifeMs, stop_.token()));
  job::Job& job = made.job;
  // Opening it here proves that workers can open it, and counts its units.
  SPARKMILL_ASSIGN(const std::unique_ptr<job::Work> work, job::open(job, blobs_, job::Binding{}));
  if (work->needs_quorum()) return fail(Status::internal, "jobs without evidence are not for single workers");
  const job::KindRow& row = *job::find_kind(job.kind);
  job.credit_microcobble = job::credit_microcobble(*work);
  job::seal(job);
  Task task;
  if (again) {
    task = *again;
  } else {
    SPARKMILL_ASSIGN(task,
                     ledger_.add_task(static_cast<std::uint16_t>(job.kind), made.spec, job.credit_microcobble, now));
  }
  SPARKMILL_TRY(
      ledger_.add_attempt({task.id, job.id, job::encode(job), made.secrets, job.blobs, job.deadline_unix_ms}, now));
  log::get("node")->info("job {}: {} task {}{}, {}", to_hex(job.id), row.name, task.id, again ? " again" : "",
                         made.text);
  return done();
}

}  // namespace sparkmill::node
