// SPDX-License-Identifier: Apache-2.0
#include "boinc/app/run.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <thread>

#include "base/hash.h"
#include "base/hex.h"
#include "boinc/app/checkpoint.h"
#include "boinc/app/device.h"
#include "boinc/app/key.h"
#include "kernels/tune.h"
#include "verify/unit/result.h"

namespace sparkmill::boinc::app {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::string_view kUnitOpenName = "unit";
constexpr std::string_view kResultOpenName = "result";
constexpr auto kPoll = std::chrono::milliseconds(100);
constexpr unsigned kTuneMs = 300;
constexpr unsigned kSliceMs = 250;
constexpr std::uint64_t kMaxCheckpoint = 1ull << 30;

/// The unit with its inputs at hand, bound to this result.
struct Loaded {
  unit::Unit unit;
  Hash32 id{};
  job::MemoryBlobs blobs;
  std::unique_ptr<job::Work> work;
};

Result<unit::Unit> read_unit(Client& client, Hash32& id) {
  SPARKMILL_ASSIGN(const std::filesystem::path path, client.resolve(kUnitOpenName));
  SPARKMILL_ASSIGN(const Bytes file, read_file(path, unit::kMaxUnitBytes));
  id = unit::id_of(file);
  return unit::decode(file);
}

Done load_inputs(Client& client, Loaded& l) {
  for (const unit::Input& input : l.unit.inputs) {
    if (input.open_name.empty()) {
      l.blobs.add(input.content);
      continue;
    }
    SPARKMILL_ASSIGN(const std::filesystem::path path, client.resolve(input.open_name));
    SPARKMILL_ASSIGN(std::shared_ptr<const MappedFile> file, MappedFile::open(path));
    if (l.blobs.add(std::move(file)) != input.hash) {
      return fail(Status::corrupt, "input " + input.open_name + " (" + path.string() + ") is not what the unit names");
    }
  }
  return done();
}

/// Lanes that take slices from a list. The owner polls; lanes only compute.
class Lanes {
 public:
  Lanes(const job::Work& work, std::vector<job::Slice> slices, std::map<std::uint32_t, Bytes> results,
        std::vector<std::unique_ptr<kernels::Kernel>> kernels)
      : work_(work), results_(std::move(results)), kernels_(std::move(kernels)) {
    for (const job::Slice& slice : slices) {
      total_units_ += slice.units;
      if (results_.count(slice.index) != 0) {
        done_units_ += slice.units;
      } else {
        open_.push_back(slice);
      }
    }
    left_ = open_.size();
  }
  ~Lanes() { stop(); }

  void start() {
    // The library's timer signal is for the main thread; here it would only interrupt.
    sigset_t alarm;
    sigset_t before;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, &before);
    for (const auto& kernel : kernels_) threads_.emplace_back([this, k = kernel.get()] { lane(*k); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      token_.request_stop();
    }
    changed_.notify_all();
    for (std::thread& t : threads_) t.join();
    threads_.clear();
  }

  void pause(bool on) {
    const std::lock_guard lock(mutex_);
    if (on == paused_) return;
    paused_ = on;
    if (on)
      token_.request_stop();
    else
      token_ = StopSource();
    changed_.notify_all();
  }

  /// True when all slices are done or one failed; waits at most `kPoll`.
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPoll, [this] { return left_ == 0 || !error_.ok(); });
  }
  double fraction() {
    const std::lock_guard lock(mutex_);
    return total_units_ == 0 ? 1 : static_cast<double>(done_units_) / static_cast<double>(total_units_);
  }
  std::map<std::uint32_t, Bytes> results() {
    const std::lock_guard lock(mutex_);
    return results_;
  }
  Done error() {
    const std::lock_guard lock(mutex_);
    return error_;
  }

 private:
  void lane(kernels::Kernel& kernel) {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return ending_ || !error_.ok() || (!paused_ && !open_.empty()) || left_ == 0; });
      if (ending_ || !error_.ok() || left_ == 0) return;
      const job::Slice slice = open_.front();
      open_.pop_front();
      const StopToken token = token_.token();
      lock.unlock();
      auto bytes = work_.run(slice, kernel, token);
      lock.lock();
      if (bytes) {
        results_[slice.index] = std::move(*bytes);
        done_units_ += slice.units;
        --left_;
      } else if (bytes.status() == Status::cancelled && token.stop_requested()) {
        open_.push_front(slice);
      } else {
        error_ = bytes.error();
      }
      if (left_ == 0 || !error_.ok()) changed_.notify_all();
    }
  }

  const job::Work& work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<job::Slice> open_;
  std::map<std::uint32_t, Bytes> results_;
  std::size_t left_ = 0;
  std::uint64_t total_units_ = 0;
  std::uint64_t done_units_ = 0;
  bool paused_ = false;
  bool ending_ = false;
  Done error_ = done();
  StopSource token_;
  std::vector<std::unique_ptr<kernels::Kernel>> kernels_;
  std::vector<std::thread> threads_;
};

void note(const std::string& text) { std::fprintf(stderr, "sparkmill-boinc: %s\n", text.c_str()); }

/// What was finished before, or an empty checkpoint of this unit, result and key.
Checkpoint read_checkpoint(Checkpoint fresh) {
  const auto bytes = read_file(kCheckpointFile, kMaxCheckpoint);
  if (!bytes) return fresh;
  auto stored = decode_checkpoint(*bytes);
  if (!stored || !stored->fits(fresh)) {
    note("the checkpoint is not used: " + (stored ? "it belongs to another result or key" : stored.error().message));
    return fresh;
  }
  note("goes on after " + std::to_string(stored->slices.size()) + " slices");
  return std::move(*stored);
}

/// A failed checkpoint costs time after a restart, nothing else.
void write_checkpoint(const Checkpoint& checkpoint) {
  const Done written = write_file_atomic(kCheckpointFile, encode(checkpoint), 0600);
  if (!written) note(written.error().message);
}

/// Polls the client while `lanes` work. Finished means: all slices are there.
Result<End> supervise(Client& client, const Options& options, Lanes& lanes, Checkpoint& checkpoint) {
  const auto store = [&] {
    checkpoint.slices = lanes.results();
    write_checkpoint(checkpoint);
  };
  SteadyClock::time_point stored_at = SteadyClock::now();
  bool ready = false;
  while (!ready) {
    ready = lanes.wait();
    const Wish wish = client.wish();
    if (wish.abort) return End::aborted;
    if (wish.quit) {
      lanes.stop();
      store();
      return End::quit;
    }
    lanes.pause(wish.suspended);
    client.fraction_done(lanes.fraction());
    const bool own_time =
        options.checkpoint_s != 0 && SteadyClock::now() - stored_at >= std::chrono::seconds(options.checkpoint_s);
    const bool asked = client.time_to_checkpoint();
    if (asked || own_time) {
      store();
      stored_at = SteadyClock::now();
    }
    if (asked) client.checkpoint_completed();
  }
  SPARKMILL_TRY(lanes.error());
  checkpoint.slices = lanes.results();
  return End::finished;
}

/// Answer re-checked by another row, proof, signature, file. On a thread of its own, since a slow row may take its time
/// over the re-check while the client wants us gone.
Result<End> finish(Client& client, const Options& options, const Loaded& l, const Checkpoint& checkpoint,
                   unit::ResultFacts facts, const keys::SigningKey& key) {
  std::mutex mutex;
  std::condition_variable changed;
  bool ended = false;
  Done result = done();
  const auto body = [&]() -> Done {
    std::vector<Bytes> slices;
    for (const auto& [index, bytes] : checkpoint.slices) slices.push_back(bytes);
    SPARKMILL_ASSIGN(const job::Outcome outcome, l.work->assemble(slices));
    SPARKMILL_TRY(l.work->recheck(outcome));
    facts.statement = current_statement(client.task(), options.key, key.public_key());
    SPARKMILL_ASSIGN(const Bytes file, unit::encode_result(l.unit, l.id, *l.work, outcome, facts, key));
    SPARKMILL_ASSIGN(const std::filesystem::path path, client.resolve(kResultOpenName));
    SPARKMILL_TRY(write_file_atomic(path, file));
    note_result(client.task(), facts.result_name, sha256(file));
    return done();
  };
  std::thread thread([&] {
    Done r = body();
    const std::lock_guard lock(mutex);
    result = std::move(r);
    ended = true;
    changed.notify_all();
  });
  for (;;) {
    std::unique_lock lock(mutex);
    if (changed.wait_for(lock, kPoll, [&] { return ended; })) break;
    const Wish wish = client.wish();
    if (!wish.quit && !wish.abort) continue;
    // Everything is in the checkpoint; the process ends next, and the thread with it.
    if (wish.quit) write_checkpoint(checkpoint);
    std::fflush(nullptr);
    std::_Exit(wish.abort ? kExitAborted : 0);
  }
  thread.join();
  SPARKMILL_TRY(result);
  return End::finished;
}

Result<std::uint64_t> slice_target(const Selection& selection, kernels::Family family) {
  kernels::TuneSettings settings;
  settings.budget_ms = kTuneMs;
  settings.slice_ms = kSliceMs;
  settings.forced = selection.row->id();
  SPARKMILL_ASSIGN(const std::vector<kernels::Tuned> tuned, kernels::tune(family, selection.device, settings));
  if (tuned.empty() || !tuned.front().error.empty()) {
    return fail(Status::self_test_failed, selection.row->id() + ": " + (tuned.empty() ? "" : tuned.front().error));
  }
  const kernels::Tuned& t = tuned.front();
  // A slice is what a suspended task still finishes, and what a killed one loses.
  const double aimed = t.units_per_s * kSliceMs / 1000;
  return std::max<std::uint64_t>({1, t.batch_units, static_cast<std::uint64_t>(aimed)});
}

}  // namespace

Result<End> run_unit(Client& client, const Options& options) {
  const Task& task = client.task();
  Loaded l;
  SPARKMILL_ASSIGN(l.unit, read_unit(client, l.id));
  unit::ResultFacts facts;
  facts.result_name = !task.result_name.empty()      ? task.result_name
                      : !options.result_name.empty() ? options.result_name
                                                     : unit::unit_name(l.unit.whole_id, l.unit.index) + "_0";
  facts.user_id = task.user_id;
  facts.host_id = task.host_id;
  SPARKMILL_ASSIGN(const AppKey key, open_app_key(task, options.key));
  SPARKMILL_TRY(load_inputs(client, l));
  SPARKMILL_ASSIGN(l.work,
                   job::open(l.unit.piece.job, l.blobs, unit::binding(facts.result_name, key.key.public_key())));
  SPARKMILL_ASSIGN(const Selection selection, select(l.work->family(), options.plan, task));
  Checkpoint checkpoint = read_checkpoint({l.id, key.key.public_key(), facts.result_name, 0, {}});
  if (checkpoint.target_units == 0) {
    SPARKMILL_ASSIGN(checkpoint.target_units, slice_target(selection, l.work->family()));
  }
  const unsigned count = selection.device.backend == kernels::Backend::cpu ? std::max(1u, options.threads) : 1;
  std::vector<std::unique_ptr<kernels::Kernel>> kernels;
  for (unsigned k = 0; k < count; ++k) {
    SPARKMILL_ASSIGN(auto kernel, k == 0 ? kernels::make_tested(*selection.row, selection.device)
                                         : selection.row->make(selection.device));
    kernels.push_back(std::move(kernel));
  }
  note(facts.result_name + ": " + selection.row->id() + " on " + selection.device.id + ", " + std::to_string(count) +
       " lane(s), key " + to_hex(key.key.public_key()));
  End end = End::finished;
  {
    Lanes lanes(*l.work, l.work->slice(checkpoint.target_units), checkpoint.slices, std::move(kernels));
    lanes.start();
    SPARKMILL_ASSIGN(end, supervise(client, options, lanes, checkpoint));
  }
  return end == End::finished ? finish(client, options, l, checkpoint, facts, key.key) : end;
}

}  // namespace sparkmill::boinc::app
