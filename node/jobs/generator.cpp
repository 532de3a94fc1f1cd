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
  const auto add = [this](std::unique_ptr<Maker> maker) { lines_.emplace_back().maker = std::move(maker); };
  if (settings_.match) add(match_maker(settings_, blobs));
  if (settings_.signatures != 0) add(batch_maker(settings_, blobs));
  if (settings_.blocks != 0) add(blocks_maker(settings_, blobs));
}

Generator::~Generator() { stop(); }

void Generator::start() {
  for (Line& line : lines_) line.thread = std::thread([this, &line] { loop(line); });
}

void Generator::stop() {
  stop_.request_stop();
  wake();
  for (Line& line : lines_) {
    if (line.thread.joinable()) line.thread.join();
  }
}

void Generator::wake() {
  std::lock_guard lock(mutex_);
  ++wakes_;
  changed_.notify_all();
}

std::string Generator::reason() const {
  std::lock_guard lock(mutex_);
  for (const Line& line : lines_) {
    if (!line.reason.empty()) return line.reason;
  }
  return "";
}

void Generator::set_reason(Line& line, const std::string& reason) {
  std::lock_guard lock(mutex_);
  if (reason == line.reason) return;
  line.reason = reason;
  const std::string_view kind = job::find_kind(line.maker->kind())->name;
  if (reason.empty()) {
    log::get("node")->info("jobs: generation of {} goes on", kind);
  } else {
    log::get("node")->warn("jobs: none of {} are made: {}", kind, reason);
  }
}

void Generator::loop(Line& line) {
  while (!stop_.stop_requested()) {
    const auto worked = step(line);
    if (!worked && worked.status() != Status::cancelled) set_reason(line, worked.error().message);
    if (worked) set_reason(line, "");
    if (worked && *worked) continue;
    // A failure is tried again soon: space may be freed, workers may finish.
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(worked ? 1'000 : 2'000),
                      [&] { return wakes_ != line.seen || stop_.stop_requested(); });
    line.seen = wakes_;
  }
}

/// One attempt at most; true when there may be more to do at once.
Result<bool> Generator::step(Line& line) {
  // By one thread, that of the kind whose attempts at a task share a blob: it is not taken away while it comes back.
  if (&line == &lines_.front()) SPARKMILL_TRY(collect_garbage());
  const auto kind = static_cast<std::uint16_t>(line.maker->kind());
  SPARKMILL_ASSIGN(const LedgerStats stats, ledger_.stats(kind));
  if (stats.ready >= settings_.queue_ahead) return false;
  SPARKMILL_ASSIGN(const std::optional<Task> task, ledger_.task_without_attempt(kind));
  const std::uint64_t began = time_.steady_ms();
  if (began < line.rest_until_ms) return false;
  if (!task) {
    SPARKMILL_ASSIGN(const bool room, reserve());
    if (!room) return false;
  }
  const Done attempt = make_attempt(*line.maker, task, stats.tasks);
  if (!task) made();
  if (!attempt) return attempt.error();
  const std::uint64_t now = time_.steady_ms();
  line.rest_until_ms =
      now + static_cast<std::uint64_t>(static_cast<double>(now - began) * (1 / line.maker->duty() - 1));
  on_ready_();
  return true;
}

Result<bool> Generator::reserve() {
  std::lock_guard lock(room_mutex_);
  if (settings_.max_jobs != 0) {
    SPARKMILL_ASSIGN(const LedgerStats all, ledger_.stats());
    if (all.tasks + under_way_ >= settings_.max_jobs) return false;
  }
  ++under_way_;
  return true;
}

void Generator::made() {
  std::lock_guard lock(room_mutex_);
  --under_way_;
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
  log::get("node")->info("job {}: {} task {}{}, {}", to_hex(job.id), job::find_kind(job.kind)->name, task.id,
                         again ? " again" : "", made.text);
  return done();
}

}  // namespace sparkmill::node
