// SPDX-License-Identifier: Apache-2.0
// One lease from its inputs to a stored commit.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/hash.h"
#include "base/log.h"
#include "verify/merkle/merkle.h"
#include "worker/pipeline/task.h"

namespace sparkmill::worker {

namespace {

/// An answer this long is not meant; it would not fit into a commit either.
constexpr std::uint64_t kMaxResultBytes = 96u << 20;

/// Our own disk or store: the run ends, the lease is kept.
bool local_trouble(Status code) {
  return code == Status::no_space || code == Status::io_error || code == Status::locked;
}

}  // namespace

void Pipeline::set_phase(Task& task, const char* phase) {
  std::lock_guard lock(mutex_);
  task.phase = phase;
}

void Pipeline::coordinator_loop() {
  NodeClient client(link_, stop_.token());
  for (;;) {
    TaskPtr task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || !ready_.empty(); });
      if (stopping_) return;
      task = std::move(ready_.front());
      ready_.pop_front();
    }
    process(client, task);
  }
}

void Pipeline::process(NodeClient& client, const TaskPtr& task) {
  auto result = [&]() -> Done {
    SPARKMILL_TRY(load(client, *task));
    SPARKMILL_TRY(compute(*task));
    return prove(*task);
  }();
  if (!result) return give_up(task, result.error());
  std::lock_guard lock(mutex_);
  task->phase = "waiting_for_challenge";
  task->delivering = true;
  changed_.notify_all();
}

void Pipeline::give_up(const TaskPtr& task, const Error& error) {
  std::string reason;
  {
    std::lock_guard lock(mutex_);
    reason = task->cancel_reason;
    if (reason.empty() && stopping_) return;  // kept: the next start goes on here
  }
  if (!reason.empty()) return drop(task, reason, "stale");
  if (local_trouble(error.code)) return end(error);
  if (error.code == Status::cancelled) return;  // the scheduler stops
  drop(task, error.message, error.code == Status::mismatch ? "wrong" : "stale");
}

void Pipeline::drop(const TaskPtr& task, const std::string& reason, std::string_view counter) {
  auto dropped = store_.drop(task->row.lease_id, reason, counter);
  if (!dropped) return end(dropped.error());
  log::get("pipeline")->warn("job {}: given up: {}", task->label, reason);
  say_("job " + task->label + ": given up: " + reason);
  {
    std::lock_guard lock(mutex_);
    if (*dropped) {
      ++(counter == "wrong" ? totals_.wrong : totals_.stale);
      ++(counter == "wrong" ? lifetime_.wrong : lifetime_.stale);
    }
  }
  forget(task);
}

void Pipeline::forget(const TaskPtr& task) {
  std::lock_guard lock(mutex_);
  tasks_.remove(task);
  changed_.notify_all();
}

Done Pipeline::fetch(NodeClient& client, Task& task, const Hash32& hash, job::Blob& blob) {
  const BlobCache::Fetch from_node = client.blob_fetch();
  std::uint64_t full_since_ms = 0;
  for (unsigned tries = 0;;) {
    auto got = blobs_.ensure(hash, from_node, task.cancel.token());
    if (got) {
      blob = std::move(*got);
      return done();
    }
    const Error& error = got.error();
    if (task.cancel.token().stop_requested()) return fail(Status::cancelled, "stopped");
    bool others = false;
    std::uint64_t deadline = 0;
    {
      std::lock_guard lock(mutex_);
      deadline = task.delivering ? task.row.open_by_ms : task.deadline_ms;
      others = tasks_.size() > 1;
    }
    if (link_->now_ms() >= deadline) return fail(Status::late, "its deadline passed while inputs were fetched");
    if (error.code == Status::too_large && error.hint.find("blob cache") != std::string::npos) {
      // Waiting jobs hold their inputs only for speed; running ones end.
      if (release_waiting()) continue;
      if (!others) return error;
    } else if (error.code == Status::no_space) {
      // A full disk is waited out like the store does; blobs that are held only for speed give way first.
      if (release_waiting()) continue;
      const std::uint64_t now = clock_.steady_ms();
      if (full_since_ms == 0) {
        full_since_ms = now;
        log::get("pipeline")->error("job {}: {}: the disk is full; waiting for room", task.label, error.message);
      }
      if (now - full_since_ms >= settings_.disk_patience_ms) return error;
      set_phase(task, "fetching");
    } else if (error.code != Status::unreachable && error.code != Status::timeout && error.code != Status::cancelled) {
      return error;
    } else {
      set_phase(task, "fetching");
      log::get("pipeline")->warn("job {}: {}", task.label, error.message);
    }
    sleep(backoff_ms(tries++, 300, 10'000));
  }
}

bool Pipeline::release_waiting() {
  std::lock_guard lock(mutex_);
  bool released = false;
  for (const TaskPtr& t : tasks_) {
    // The courier takes a task's work under the mutex, so what it is using is not seen here.
    if (!t->delivering || t->phase != "waiting_for_challenge" || t->inputs.empty()) continue;
    t->work.reset();
    t->outcome.reset();
    t->inputs.clear();
    released = true;
  }
  return released;
}

Done Pipeline::load(NodeClient& client, Task& task) {
  set_phase(task, "fetching");
  task.inputs.resize(task.job.blobs.size());
  for (std::size_t i = 0; i < task.job.blobs.size(); ++i) {
    SPARKMILL_TRY(fetch(client, task, task.job.blobs[i], task.inputs[i]));
  }
  SPARKMILL_ASSIGN(task.work,
                   job::open(task.job, blobs_, job::Binding::to_lease(task.row.lease_id, link_->worker_pub())));
  task.units_total = task.work->units();
  const kernels::Family family = task.work->family();
  if (scheduler_.lanes(family) == 0) {
    return fail(Status::unsupported, "no device here computes " + std::string(kernels::name(family)));
  }
  std::lock_guard lock(mutex_);
  task.family = family;
  return done();
}

Done Pipeline::compute(Task& task) {
  if (task.row.target_units == 0) {
    task.row.target_units = scheduler_.target_units(task.work->family(), task.work->units());
    SPARKMILL_TRY(store_.set_target(task.row.lease_id, task.row.target_units));
  }
  const std::vector<job::Slice> all = task.work->slice(task.row.target_units);
  SPARKMILL_ASSIGN(const std::vector<std::uint32_t> have, store_.slice_indices(task.row.lease_id));
  const std::set<std::uint32_t> stored(have.begin(), have.end());
  std::vector<job::Slice> todo;
  for (const job::Slice& slice : all) {
    if (stored.count(slice.index) != 0) {
      task.units_done += slice.units;
    } else {
      todo.push_back(slice);
    }
  }
  const bool resumed = !stored.empty();
  say_(fmt::format("job {}: {}, {:.3g} {} in {} slices, credit on offer {:.3f} cobblestones{}{}", task.label,
                   task.kind->name, static_cast<double>(task.work->units()), task.work->unit(), all.size(),
                   static_cast<double>(task.job.credit_microcobble) / 1e6,
                   task.kind->kind == job::Kind::match_h ? "; profile H: geometry is disclosed to the node" : "",
                   resumed ? fmt::format("; {} slices were done before", stored.size()) : ""));
  set_phase(task, "running");
  std::uint64_t bytes = 0;
  auto keep = [&](const job::Slice& slice, Bytes result) -> Done {
    bytes += result.size();
    if (bytes > kMaxResultBytes) {
      return fail(Status::bad_input, "its results pass 96 MiB: the threshold of the predicate is too low to be meant");
    }
    SPARKMILL_TRY(store_.put_slice(task.row.lease_id, {slice.index, std::move(result)}));
    task.units_done += slice.units;
    std::lock_guard lock(mutex_);
    meters_.try_emplace(task.family, clock_.steady_ms())
        .first->second.add(clock_.steady_ms(), static_cast<double>(slice.units));
    return done();
  };
  return scheduler_.run(*task.work, todo, task.row.deadline_ms, keep, task.cancel.token());
}

Done Pipeline::assemble(Task& task) {
  SPARKMILL_ASSIGN(const std::vector<SliceRow> rows, store_.slices(task.row.lease_id));
  std::vector<Bytes> results;
  results.reserve(rows.size());
  for (const SliceRow& row : rows) results.push_back(row.result);
  SPARKMILL_ASSIGN(task.outcome, task.work->assemble(results));
  return done();
}

Done Pipeline::prove(Task& task) {
  set_phase(task, "proving");
  SPARKMILL_TRY(assemble(task));
  SPARKMILL_TRY(task.work->recheck(*task.outcome));
  LeaseRow row = task.row;
  proof::Commit commit;
  commit.root = merkle::root(task.outcome->leaves);
  commit.leaf_count = task.outcome->leaves.size();
  commit.answer = task.outcome->answer;
  proof::Envelope envelope;
  envelope.kind = proof::EnvelopeKind::commit;
  envelope.node_pub = row.node_pub;
  envelope.job_id = row.job_id;
  envelope.lease_id = row.lease_id;
  envelope.body = proof::encode(commit);
  row.root = commit.root;
  row.leaf_count = commit.leaf_count;
  row.answer_hash = sha256(commit.answer);
  row.answers = answer_count(commit.answer);
  row.commit = proof::encode(std::move(envelope), link_->envelope_key());
  SPARKMILL_TRY(store_.put_commit(row));
  row.phase = Phase::committed;
  const std::uint64_t answers = row.answers;
  {
    std::lock_guard lock(mutex_);
    totals_.commit_bytes = std::max<std::uint64_t>(totals_.commit_bytes, row.commit.size());
    task.row = std::move(row);
  }
  say_(checks(*task.kind)
           ? fmt::format("job {}: computed; {} {} decided, each bad one recomputed by another row", task.label, answers,
                         task.kind->unit)
           : fmt::format("job {}: computed; {} pair(s) found, each recomputed by another row", task.label, answers));
  return done();
}

}  // namespace sparkmill::worker
