// SPDX-License-Identifier: Apache-2.0
#include "node/jobs/generator.h"

#include "base/hash.h"
#include "base/hex.h"
#include "base/log.h"
#include "kernels/match/predicate_text.h"
#include "verify/template/template_file.h"

namespace sparkmill::node {

namespace {

const std::vector<std::string> kFields = {"face"};
constexpr std::uint32_t kRingers = 2 * job::kRingersEachSide;

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
                std::to_string(kRingers) + " of them are ringers");
  }
  if (s.n % 64 != 0 || !between(s.n, match::kMinN, match::kMaxN)) {
    return fail(Status::bad_config, "n: " + std::to_string(s.n) + " is not a multiple of 64 from 64 to 16384");
  }
  const auto predicate = match::parse_predicate(s.predicate, kFields);
  if (!predicate) return as_config(predicate.error(), "predicate");
  return done();
}

Generator::Generator(GeneratorSettings settings, Ledger& ledger, BlobStore& blobs, const NodeTime& time,
                     std::function<void()> on_ready)
    : settings_(std::move(settings)), ledger_(ledger), blobs_(blobs), time_(time), on_ready_(std::move(on_ready)) {}

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

/// One attempt at most; true when there may be more to do at once.
Result<bool> Generator::step() {
  SPARKMILL_TRY(collect_garbage());
  SPARKMILL_ASSIGN(const LedgerStats stats, ledger_.stats());
  if (stats.ready >= settings_.queue_ahead) return false;
  SPARKMILL_ASSIGN(std::optional<Task> task, ledger_.task_without_attempt());
  if (!task && settings_.max_jobs != 0 && stats.tasks >= settings_.max_jobs) return false;
  SPARKMILL_TRY(make_attempt(std::move(task), stats.tasks));
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

Done Generator::make_attempt(std::optional<Task> task, std::uint64_t next_index) {
  TaskSpec spec;
  if (task) {
    SPARKMILL_ASSIGN(spec, decode_task_spec(task->spec));
  } else {
    spec = {next_index,  settings_.requests, settings_.users - kRingers,
            settings_.n, settings_.seed,     settings_.predicate};
  }
  SPARKMILL_ASSIGN(match::Predicate predicate, match::parse_predicate(spec.predicate, kFields));
  if (!population_ || population_->seed() != spec.seed || population_->enroller().n() != spec.n) {
    SPARKMILL_ASSIGN(population_, Population::make(spec.seed, spec.n));
  }
  const Layout layout = layout_of(spec);
  SPARKMILL_ASSIGN(const TaskRows rows, population_->rows(spec, layout, stop_.token()));
  const job::RingerField field{&rows.request_features, &population_->enroller(), population_->mean(), rows.request_rows,
                               rows.user_rows};
  SPARKMILL_ASSIGN(const job::Planted planted, job::plant(std::span(&field, 1), predicate, random_array<32>()));
  if (stop_.stop_requested()) return fail(Status::cancelled, "stopped");

  templates::Header header;
  header.n = spec.n;
  header.app = population_->app();
  header.rows = spec.requests;
  SPARKMILL_ASSIGN(const Hash32 requests, blobs_.put(templates::build(header, rows.request_rows)));
  header.rows = planted.ringers.users;
  SPARKMILL_ASSIGN(const Hash32 users, blobs_.put(templates::build(header, planted.user_rows.front())));

  const std::uint64_t now = time_.now_ms();
  job::Job job = job::make_match_job({spec.requests, planted.ringers.users, 1, std::move(predicate)}, {requests, users},
                                     now + kJobLifeMs);
  // Opening it here proves that workers can open it, and counts its units.
  SPARKMILL_ASSIGN(const std::unique_ptr<job::Work> work, job::open(job, blobs_, job::Binding{}));
  job.credit_microcobble = job::credit_microcobble(*job::find_kind(job.kind), work->units());
  job::seal(job);
  const bool reissue = task.has_value();
  if (!reissue) {
    SPARKMILL_ASSIGN(task,
                     ledger_.add_task(static_cast<std::uint16_t>(job.kind), encode(spec), job.credit_microcobble, now));
  }
  SPARKMILL_TRY(ledger_.add_attempt(
      {task->id, job.id, job::encode(job), job::encode(planted.ringers), {requests, users}, job.deadline_unix_ms},
      now));
  log::get("node")->info(
      "job {}: task {}{}, {} x {} at n = {}: {} real and {} synthetic requests, {} real and {} synthetic users, {} "
      "ringers",
      to_hex(job.id), task->id, reissue ? " again" : "", spec.requests, planted.ringers.users, spec.n,
      layout.real_requests, spec.requests - layout.real_requests, layout.real_users, spec.users - layout.real_users,
      kRingers);
  return done();
}

}  // namespace sparkmill::node
