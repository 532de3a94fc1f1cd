// SPDX-License-Identifier: Apache-2.0
// Tasks, attempts, blobs and leases.
#include <algorithm>

#include "base/hash.h"
#include "base/hex.h"
#include "node/ledger/ledger.h"
#include "node/ledger/rows.h"

namespace sparkmill::node {

namespace {

Task read_task(const sqlite::Statement& s) {
  Task t;
  t.id = s.integer(0);
  t.kind = static_cast<std::uint16_t>(s.integer(1));
  t.spec = s.blob(2);
  t.requester = fixed<32>(s.blob(3));
  t.escrow_microcobble = natural(s, 4);
  t.attempts = static_cast<std::uint32_t>(s.integer(5));
  return t;
}

}  // namespace

Result<Task> Ledger::add_task(std::uint16_t kind, ByteView spec, std::uint64_t escrow, std::uint64_t now_ms) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<Task> {
    sqlite::Transaction t(*db_);
    db_->prepare("UPDATE accounts SET allowance = allowance - ?2 WHERE pub = ?1 AND allowance >= ?2")
        .all(options_.requester, escrow)
        .run();
    if (db_->changes() != 1) {
      return fail(Status::refused, "the requester's allowance is spent",
                  "raise the allowance of the requester account");
    }
    db_->prepare(
           "INSERT INTO tasks(kind, spec, requester, escrow, state, live, attempts, created_ms) "
           "VALUES(?,?,?,?,0,0,0,?)")
        .all(kind, spec, options_.requester, escrow, now_ms)
        .run();
    Task task;
    task.id = db_->last_insert_id();
    task.kind = kind;
    task.spec.assign(spec.begin(), spec.end());
    task.requester = options_.requester;
    task.escrow_microcobble = escrow;
    t.commit();
    return task;
  });
}

Result<std::optional<Task>> Ledger::task_without_attempt(std::optional<std::uint16_t> kind) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<std::optional<Task>> {
    auto s = db_->prepare(
        "SELECT id, kind, spec, requester, escrow, attempts FROM tasks WHERE state = 0 AND live = 0 AND (?1 < 0 OR "
        "kind = ?1) ORDER BY id LIMIT 1");
    s.all(kind ? std::int64_t{*kind} : -1);
    if (!s.step()) return std::optional<Task>();
    return std::optional<Task>(read_task(s));
  });
}

Result<Task> Ledger::task_of(const Id16& job_id) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<Task> {
    auto s = db_->prepare(
        "SELECT k.id, k.kind, k.spec, k.requester, k.escrow, k.attempts FROM tasks k JOIN jobs j ON j.task = k.id "
        "WHERE j.id = ?");
    s.all(job_id);
    if (!s.step()) return fail(Status::not_found, "job " + to_hex(job_id) + ": unknown");
    return read_task(s);
  });
}

Done Ledger::add_attempt(const Attempt& a, std::uint64_t now_ms) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Done {
    sqlite::Transaction t(*db_);
    db_->prepare("UPDATE tasks SET live = 1, attempts = attempts + 1 WHERE id = ? AND state = 0 AND live = 0")
        .all(a.task)
        .run();
    if (db_->changes() != 1) {
      return fail(Status::duplicate, "task " + std::to_string(a.task) + " has a live attempt or is over");
    }
    db_->prepare(
           "INSERT INTO jobs(id, task, attempt, state, job, ringers, created_ms, deadline_ms) "
           "VALUES(?, ?2, (SELECT attempts FROM tasks WHERE id = ?2), 0, ?3, ?4, ?5, ?6)")
        .all(a.job_id, a.task, a.job, a.ringers, now_ms, a.deadline_ms)
        .run();
    for (const Hash32& sha : a.blobs) {
      db_->prepare("INSERT OR IGNORE INTO blobs(sha) VALUES(?)").all(sha).run();
      db_->prepare("INSERT OR IGNORE INTO job_blobs(sha, job) VALUES(?, ?)").all(sha, a.job_id).run();
    }
    t.commit();
    return done();
  });
}

Result<std::vector<Hash32>> Ledger::blobs() {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<std::vector<Hash32>> {
    std::vector<Hash32> out;
    auto s = db_->prepare("SELECT sha FROM blobs");
    while (s.step()) out.push_back(fixed<32>(s.blob(0)));
    return out;
  });
}

Done Ledger::drop_attempts_with(const Hash32& sha) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&] {
    sqlite::Transaction t(*db_);
    std::vector<Id16> jobs;
    auto s = db_->prepare("SELECT b.job FROM job_blobs b JOIN jobs j ON j.id = b.job WHERE b.sha = ? AND j.state = 0");
    s.all(sha);
    while (s.step()) jobs.push_back(fixed<16>(s.blob(0)));
    for (const Id16& job : jobs) close_attempt(job);
    t.commit();
    return done();
  });
}

Result<std::vector<Hash32>> Ledger::unused_blobs() {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<std::vector<Hash32>> {
    std::vector<Hash32> out;
    auto s = db_->prepare("SELECT sha FROM blobs WHERE sha NOT IN (SELECT sha FROM job_blobs)");
    while (s.step()) out.push_back(fixed<32>(s.blob(0)));
    return out;
  });
}

Done Ledger::forget_blob(const Hash32& sha) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&] {
    db_->prepare("DELETE FROM blobs WHERE sha = ?1 AND NOT EXISTS(SELECT 1 FROM job_blobs WHERE sha = ?1)")
        .all(sha)
        .run();
    return done();
  });
}

Result<LedgerStats> Ledger::stats(std::optional<std::uint16_t> kind) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<LedgerStats> {
    LedgerStats out;
    const std::int64_t of = kind ? std::int64_t{*kind} : -1;
    auto jobs = db_->prepare(
        "SELECT count(*) FROM jobs j WHERE state = 0 AND (?1 < 0 OR (SELECT kind FROM tasks k WHERE k.id = j.task) = "
        "?1)");
    jobs.all(of);
    if (jobs.step()) out.ready = natural(jobs, 0);
    auto tasks = db_->prepare("SELECT count(*), coalesce(sum(state = 1), 0) FROM tasks WHERE ?1 < 0 OR kind = ?1");
    tasks.all(of);
    if (tasks.step()) out.tasks = natural(tasks, 0), out.tasks_done = natural(tasks, 1);
    auto receipts = db_->prepare("SELECT count(*) FROM receipts");
    if (receipts.step()) out.receipts = natural(receipts, 0);
    return out;
  });
}

Result<Bytes> Ledger::task_result(std::int64_t task) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<Bytes> {
    auto s = db_->prepare("SELECT result FROM tasks WHERE id = ?");
    s.all(task);
    if (!s.step()) return fail(Status::not_found, "task " + std::to_string(task) + " does not exist");
    return s.blob(0);
  });
}

Result<std::vector<protocol::Lease>> Ledger::take(const keys::PublicKey& worker_pub,
                                                  const std::vector<std::uint16_t>& kinds, std::uint32_t max,
                                                  std::uint32_t openings, std::uint64_t now_ms,
                                                  const std::optional<std::vector<Id16>>& held) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<std::vector<protocol::Lease>> {
    std::vector<protocol::Lease> out;
    if (held) out = lost_leases(worker_pub, *held, max, now_ms);
    if (!out.empty()) return out;
    sqlite::Transaction t(*db_);
    auto count = db_->prepare("SELECT count(*) FROM leases WHERE worker = ? AND state < 4");
    count.all(worker_pub);
    const std::uint64_t holds = count.step() ? natural(count, 0) : 0;
    count.reset();
    if (holds >= options_.max_open_leases) {
      return fail(Status::too_large, "this worker holds " + std::to_string(holds) + " open leases",
                  "commit and open some of them first");
    }
    // A worker that has tried the task waits until others had their chance.
    auto find = db_->prepare(
        "SELECT j.id, j.job, j.attempt, k.escrow FROM jobs j JOIN tasks k ON k.id = j.task "
        "WHERE j.state = 0 AND k.kind = ?1 AND j.deadline_ms > ?2 AND (j.created_ms + ?3 <= ?4 OR NOT EXISTS("
        "SELECT 1 FROM jobs o JOIN leases l ON l.job = o.id WHERE o.task = j.task AND l.worker = ?5)) "
        "ORDER BY j.seq LIMIT 1");
    std::vector<std::uint16_t> open = kinds;  // those that may have a job for this worker
    while (!open.empty() && out.size() < max && holds + out.size() < options_.max_open_leases) {
      const auto next = std::min_element(open.begin(), open.end(),
                                         [&](std::uint16_t a, std::uint16_t b) { return turn_of(a) < turn_of(b); });
      find.all(*next, now_ms + options_.lease_ms, options_.reissue_grace_ms, now_ms, worker_pub);
      if (!find.step()) {
        find.reset();
        open.erase(next);
        continue;
      }
      const Id16 job_id = fixed<16>(find.blob(0));
      protocol::Lease lease;
      lease.lease_id = random_array<16>();
      lease.job = find.blob(1);
      lease.attempt = static_cast<std::uint32_t>(find.integer(2));
      lease.deadline_ms = now_ms + options_.lease_ms;
      lease.openings = openings;
      const std::uint64_t credit = natural(find, 3);
      find.reset();
      db_->prepare("UPDATE jobs SET state = 1 WHERE id = ?").all(job_id).run();
      db_->prepare(
             "INSERT INTO leases(id, job, worker, state, taken_ms, deadline_ms, openings) VALUES(?, ?, ?, 1, ?, ?, ?)")
          .all(lease.lease_id, job_id, worker_pub, now_ms, lease.deadline_ms, openings)
          .run();
      out.push_back(std::move(lease));
      const auto share = options_.kind_shares.find(*next);
      turn_ = turn_of(*next);
      turns_[*next] = turn_ + static_cast<double>(credit) / (share == options_.kind_shares.end() ? 1.0 : share->second);
    }
    if (!out.empty()) t.commit();
    return out;
  });
}

/// Start-time fair queueing: a kind without ready jobs saves nothing up for later.
double Ledger::turn_of(std::uint16_t kind) const {
  const auto turn = turns_.find(kind);
  return turn == turns_.end() ? turn_ : std::max(turn->second, turn_);
}

/// What was handed out but never arrived: the node or the worker was killed between the ledger and the worker's store.
std::vector<protocol::Lease> Ledger::lost_leases(const keys::PublicKey& worker_pub, const std::vector<Id16>& held,
                                                 std::uint32_t max, std::uint64_t now_ms) {
  std::vector<protocol::Lease> out;
  auto s = db_->prepare(
      "SELECT l.id, j.job, j.attempt, l.deadline_ms, l.openings FROM leases l JOIN jobs j ON j.id = l.job "
      "WHERE l.worker = ? AND l.state = 1 AND l.deadline_ms > ? ORDER BY l.taken_ms");
  s.all(worker_pub, now_ms);
  while (out.size() < max && s.step()) {
    protocol::Lease lease;
    lease.lease_id = fixed<16>(s.blob(0));
    if (std::find(held.begin(), held.end(), lease.lease_id) != held.end()) continue;
    lease.job = s.blob(1);
    lease.attempt = static_cast<std::uint32_t>(s.integer(2));
    lease.deadline_ms = natural(s, 3);
    lease.openings = static_cast<std::uint32_t>(s.integer(4));
    out.push_back(std::move(lease));
  }
  return out;
}

std::optional<Ledger::LeaseRow> Ledger::find_lease(const Id16& id) {
  auto s = db_->prepare(
      "SELECT job, worker, state, taken_ms, deadline_ms, commit_hash, commit_height, open_by_height, open_by_ms, "
      "opening_hash, openings FROM leases WHERE id = ?");
  s.all(id);
  if (!s.step()) return std::nullopt;
  LeaseRow row;
  row.id = id;
  row.job = fixed<16>(s.blob(0));
  row.worker = fixed<32>(s.blob(1));
  row.state = static_cast<LeaseState>(s.integer(2));
  row.taken_ms = natural(s, 3);
  row.deadline_ms = natural(s, 4);
  row.commit_hash = s.blob(5);
  row.commit_height = natural(s, 6);
  row.open_by_height = natural(s, 7);
  row.open_by_ms = natural(s, 8);
  row.opening_hash = s.blob(9);
  row.openings = static_cast<std::uint32_t>(s.integer(10));
  return row;
}

Result<Ledger::LeaseRow> Ledger::lease_of(const Id16& id, const keys::PublicKey& worker_pub, const Id16* job_id) {
  auto row = find_lease(id);
  if (!row) return fail(Status::not_found, "lease " + to_hex(id) + ": unknown");
  if (row->worker != worker_pub) return fail(Status::refused, "lease " + to_hex(id) + ": belongs to another worker");
  if (job_id && row->job != *job_id) return fail(Status::bad_input, "lease " + to_hex(id) + ": is for another job");
  return *row;
}

Result<protocol::Renewal> Ledger::renew(const Id16& id, const keys::PublicKey& worker_pub, std::uint64_t now_ms) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<protocol::Renewal> {
    sqlite::Transaction t(*db_);
    SPARKMILL_ASSIGN(const LeaseRow row, lease_of(id, worker_pub, nullptr));
    if (row.state != LeaseState::taken) {
      return fail(Status::duplicate, "lease " + to_hex(id) + ": has its commit already", "nothing is left to renew");
    }
    if (now_ms > row.deadline_ms) return fail(Status::late, "lease " + to_hex(id) + ": its deadline has passed");
    protocol::Renewal out;
    out.deadline_ms =
        std::max(row.deadline_ms, std::min(now_ms + options_.lease_ms, row.taken_ms + options_.max_lease_ms));
    db_->prepare("UPDATE leases SET deadline_ms = ? WHERE id = ?").all(out.deadline_ms, id).run();
    t.commit();
    return out;
  });
}

bool Ledger::may_read(const keys::PublicKey& worker_pub, const Hash32& blob) {
  std::lock_guard lock(mutex_);
  auto answer = sqlite::guarded("ledger", [&]() -> Result<bool> {
    auto s = db_->prepare(
        "SELECT 1 FROM job_blobs b JOIN leases l ON l.job = b.job WHERE b.sha = ? AND l.worker = ? AND l.state < 4");
    s.all(blob, worker_pub);
    return s.step();
  });
  return answer.ok() && *answer;
}

Result<LeaseState> Ledger::lease_state(const Id16& lease) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<LeaseState> {
    auto row = find_lease(lease);
    if (!row) return fail(Status::not_found, "lease " + to_hex(lease) + ": unknown");
    return row->state;
  });
}

}  // namespace sparkmill::node
