// SPDX-License-Identifier: Apache-2.0
// Commits, openings, receipts and what is late.
#include "base/hash.h"
#include "base/hex.h"
#include "node/ledger/economy.h"
#include "node/ledger/ledger.h"
#include "node/ledger/rows.h"

namespace sparkmill::node {

namespace {

bool same(const Bytes& stored, const Hash32& hash) {
  return stored.size() == hash.size() && std::memcmp(stored.data(), hash.data(), hash.size()) == 0;
}

std::string named(const Id16& lease) { return "lease " + to_hex(lease); }

constexpr std::size_t kMaxReason = 64;
constexpr std::size_t kMaxDetail = 512;

}  // namespace

Result<protocol::CommitAnswer> Ledger::commit(const Id16& id, const keys::PublicKey& worker_pub, const Id16& job_id,
                                              ByteView body, std::uint64_t now_ms) {
  const Hash32 hash = sha256(body);
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<protocol::CommitAnswer> {
    sqlite::Transaction t(*db_);
    SPARKMILL_ASSIGN(LeaseRow row, lease_of(id, worker_pub, &job_id));
    if (!row.commit_hash.empty()) {
      if (!same(row.commit_hash, hash)) {
        return fail(Status::duplicate, named(id) + ": has another commit already", "one final commit a lease");
      }
      return protocol::CommitAnswer{row.commit_height, row.open_by_height, row.open_by_ms};
    }
    if (row.state != LeaseState::taken || now_ms > row.deadline_ms) {
      return fail(Status::late, named(id) + ": the commit is past its deadline", "take a new lease");
    }
    protocol::CommitAnswer out;
    out.height = tip_.height;
    out.open_by_height = tip_.height + kBeaconDelay + options_.chain.open_blocks;
    out.open_by_ms = now_ms + kBeaconDelay * options_.chain.interval_ms + options_.min_open_ms;
    db_->prepare(
           "UPDATE leases SET state = 2, commit_hash = ?, commit_height = ?, open_by_height = ?, open_by_ms = ? "
           "WHERE id = ?")
        .all(hash, out.height, out.open_by_height, out.open_by_ms, id)
        .run();
    db_->prepare("INSERT INTO bodies(lease, kind, body) VALUES(?, ?, ?)").all(id, BodyKind::commit, body).run();
    t.commit();
    return out;
  });
}

Result<OpeningAnswer> Ledger::open_lease(const Id16& id, const keys::PublicKey& worker_pub, const Id16& job_id,
                                         ByteView body, std::uint64_t now_ms) {
  const Hash32 hash = sha256(body);
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<OpeningAnswer> {
    sqlite::Transaction t(*db_);
    SPARKMILL_ASSIGN(LeaseRow row, lease_of(id, worker_pub, &job_id));
    OpeningAnswer out;
    if (!row.opening_hash.empty()) {
      if (!same(row.opening_hash, hash)) {
        return fail(Status::duplicate, named(id) + ": has another opening already", "one opening a commit");
      }
      out.receipt = find_receipt(id);
      return out;
    }
    if (row.state == LeaseState::settled) {
      return fail(Status::late, named(id) + ": is settled", "GET /v1/receipts/" + to_hex(id) + " says why");
    }
    if (row.state == LeaseState::taken) {
      return fail(Status::duplicate, named(id) + ": has no commit yet", "commit first, open after three blocks");
    }
    const auto drawn = find_block(static_cast<std::int64_t>(row.commit_height + kBeaconDelay));
    if (!drawn) {
      return fail(
          Status::duplicate,
          named(id) + ": the challenge is not drawn before block " + std::to_string(row.commit_height + kBeaconDelay),
          "wait for that block");
    }
    const std::uint64_t due = std::max(row.open_by_ms, drawn->time_ms + options_.min_open_ms);
    if (tip_.height > row.open_by_height && now_ms > due) {
      return fail(Status::late, named(id) + ": the opening is past its deadline",
                  "it counts as wrong; take a new lease");
    }
    db_->prepare("UPDATE leases SET state = 3, opening_hash = ? WHERE id = ?").all(hash, id).run();
    db_->prepare("INSERT INTO bodies(lease, kind, body) VALUES(?, ?, ?)").all(id, BodyKind::opening, body).run();
    t.commit();
    out.fresh = true;
    return out;
  });
}

Result<std::vector<Id16>> Ledger::unjudged() {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<std::vector<Id16>> {
    std::vector<Id16> out;
    auto s = db_->prepare("SELECT id FROM leases WHERE state = 3");
    while (s.step()) out.push_back(fixed<16>(s.blob(0)));
    return out;
  });
}

Result<CheckInput> Ledger::check_input(const Id16& id) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<CheckInput> {
    auto row = find_lease(id);
    if (!row || row->state != LeaseState::opened) {
      return fail(Status::not_found, named(id) + ": has no opening to check");
    }
    CheckInput in;
    in.lease_id = id;
    in.worker_pub = row->worker;
    in.openings = row->openings;
    auto job = db_->prepare("SELECT job, ringers FROM jobs WHERE id = ?");
    job.all(row->job);
    if (!job.step()) return fail(Status::corrupt, named(id) + ": its job is missing from the ledger");
    in.job = job.blob(0);
    in.ringers = job.blob(1);
    auto body = db_->prepare("SELECT body FROM bodies WHERE lease = ? AND kind = ?");
    body.all(id, BodyKind::commit);
    if (body.step()) in.commit = body.blob(0);
    body.all(id, BodyKind::opening);
    if (body.step()) in.opening = body.blob(0);
    const auto second = find_block(static_cast<std::int64_t>(row->commit_height + 2));
    const auto third = find_block(static_cast<std::int64_t>(row->commit_height + 3));
    if (!second || !third) return fail(Status::internal, named(id) + ": opened before its beacons");
    in.beacon2 = second->beacon;
    in.beacon3 = third->beacon;
    return in;
  });
}

Result<protocol::Receipt> Ledger::settle(const Id16& id, const Decision& decision, std::uint64_t now_ms) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<protocol::Receipt> {
    sqlite::Transaction t(*db_);
    if (auto known = find_receipt(id)) return *known;
    protocol::Receipt out = write_receipt(id, decision, now_ms);
    t.commit();
    return out;
  });
}

protocol::Receipt Ledger::write_receipt(const Id16& id, const Decision& decision, std::uint64_t) {
  const auto row = find_lease(id);
  if (!row) throw sqlite::Failure(Status::not_found, named(id) + ": unknown");
  auto task_row = db_->prepare("SELECT task FROM jobs WHERE id = ?");
  task_row.all(row->job);
  if (!task_row.step()) throw sqlite::Failure(Status::corrupt, named(id) + ": its job is missing");
  const std::int64_t task = task_row.integer(0);
  task_row.reset();

  protocol::Receipt r;
  r.id = id;
  r.job_id = row->job;
  r.worker_pub = row->worker;
  r.accepted = decision.accepted;
  r.reason = decision.reason.substr(0, kMaxReason);
  r.detail = decision.detail.substr(0, kMaxDetail);
  r.answer_hash = decision.answer_hash;
  r.height = receipt_height();
  r.operator_trusted = true;
  if (decision.accepted) pay_credit(task, r, decision);
  auto payer = db_->prepare("SELECT requester FROM tasks WHERE id = ?");
  payer.all(task);
  if (!payer.step()) throw sqlite::Failure(Status::corrupt, named(id) + ": its task is missing");
  const Bytes requester = payer.blob(0);
  payer.reset();
  insert_receipt(r, requester);
  db_->prepare("UPDATE leases SET state = 4 WHERE id = ?").all(id).run();
  db_->prepare("DELETE FROM bodies WHERE lease = ?").all(id).run();
  close_attempt(row->job);
  if (!r.accepted) fail_task_if_tired(task);
  return r;
}

void Ledger::insert_receipt(protocol::Receipt& r, ByteView requester) {
  const Bytes covered = protocol::signed_bytes(r);
  r.signature = receipt_key_.sign("sparkmill/receipt/v1", covered);
  const Hash32 leaf = sha256(ByteWriter().u8(0).bytes(covered).data());
  db_->prepare(
         "INSERT INTO receipts(id, job, worker, requester, accepted, reason, detail, units, credit, answer_hash, "
         "height, operator_trusted, signature, leaf) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)")
      .all(r.id, r.job_id, r.worker_pub, requester, r.accepted, r.reason, r.detail, r.units, r.credit_microcobble,
           r.answer_hash, r.height, r.signature, leaf)
      .run();
  db_->prepare(
         "INSERT INTO accounts(pub, credit, accepted, refused) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(pub) DO UPDATE SET "
         "credit = credit + ?2, accepted = accepted + ?3, refused = refused + ?4")
      .all(r.worker_pub, r.credit_microcobble, r.accepted ? 1 : 0, r.accepted ? 0 : 1)
      .run();
}

/// Credit within the task's escrow, once a task, part and worker; the rest of the escrow goes back.
void Ledger::pay_credit(std::int64_t task, protocol::Receipt& r, const Decision& decision) {
  auto s = db_->prepare("SELECT state, escrow, requester FROM tasks WHERE id = ?");
  s.all(task);
  if (!s.step()) throw sqlite::Failure(Status::corrupt, "a job's task is missing");
  const bool open = static_cast<TaskState>(s.integer(0)) == TaskState::open;
  const std::uint64_t escrow = natural(s, 1);
  const Bytes requester = s.blob(2);
  s.reset();
  // A match.h attempt covers its whole task, so there is one part.
  db_->prepare("INSERT OR IGNORE INTO paid(task, part, worker) VALUES(?, ?, ?)")
      .all(task, view("all"), r.worker_pub)
      .run();
  if (!open || db_->changes() != 1) {
    r.accepted = false;
    r.reason = "duplicate";
    r.detail = "this part of the task was paid before";
    return;
  }
  r.units = decision.units;
  r.credit_microcobble = economy::credit(decision.units, decision.microcobble_per_gi_unit, escrow);
  db_->prepare("UPDATE tasks SET state = 1, result = ? WHERE id = ?").all(decision.result, task).run();
  db_->prepare("UPDATE accounts SET allowance = allowance + ? WHERE pub = ?")
      .all(escrow - r.credit_microcobble, requester)
      .run();
}

void Ledger::close_attempt(const Id16& job_id) {
  db_->prepare("UPDATE jobs SET state = 2, ringers = x'' WHERE id = ?").all(job_id).run();
  db_->prepare("DELETE FROM job_blobs WHERE job = ?").all(job_id).run();
  db_->prepare("UPDATE tasks SET live = 0 WHERE id = (SELECT task FROM jobs WHERE id = ?)").all(job_id).run();
}

/// A task that nobody can do must not be handed out for ever.
void Ledger::fail_task_if_tired(std::int64_t task) {
  auto s = db_->prepare("SELECT escrow, requester FROM tasks WHERE id = ? AND state = 0 AND attempts >= ?");
  s.all(task, options_.max_attempts);
  if (!s.step()) return;
  const std::int64_t escrow = s.integer(0);
  const Bytes requester = s.blob(1);
  s.reset();
  db_->prepare("UPDATE tasks SET state = 2 WHERE id = ?").all(task).run();
  db_->prepare("UPDATE accounts SET allowance = allowance + ? WHERE pub = ?").all(escrow, requester).run();
}

Result<std::vector<Id16>> Ledger::expire(std::uint64_t now_ms) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<std::vector<Id16>> {
    sqlite::Transaction t(*db_);
    std::vector<std::pair<Id16, std::string>> late;
    auto taken = db_->prepare("SELECT id FROM leases WHERE state = 1 AND deadline_ms < ?");
    taken.all(now_ms);
    while (taken.step()) late.emplace_back(fixed<16>(taken.blob(0)), "no commit before the lease's deadline");
    auto committed = db_->prepare(
        "SELECT l.id FROM leases l JOIN blocks b ON b.height = l.commit_height + 3 "
        "WHERE l.state = 2 AND l.open_by_height < ? AND l.open_by_ms < ?2 AND b.time_ms + ?3 < ?2");
    committed.all(tip_.height, now_ms, options_.min_open_ms);
    while (committed.step()) late.emplace_back(fixed<16>(committed.blob(0)), "no opening before its deadline");
    std::vector<Id16> out;
    for (const auto& [id, why] : late) {
      Decision decision;
      decision.reason = "late";
      decision.detail = why;
      write_receipt(id, decision, now_ms);
      out.push_back(id);
    }
    std::vector<Id16> stale;
    auto ready = db_->prepare("SELECT id FROM jobs WHERE state = 0 AND deadline_ms <= ?");
    ready.all(now_ms + options_.lease_ms);
    while (ready.step()) stale.push_back(fixed<16>(ready.blob(0)));
    for (const Id16& job : stale) close_attempt(job);
    if (!out.empty() || !stale.empty()) t.commit();
    return out;
  });
}

std::optional<protocol::Receipt> Ledger::find_receipt(const Id16& id) {
  auto s = db_->prepare(
      "SELECT job, worker, accepted, reason, detail, units, credit, answer_hash, height, operator_trusted, signature "
      "FROM receipts WHERE id = ?");
  s.all(id);
  if (!s.step()) return std::nullopt;
  protocol::Receipt r;
  r.id = id;
  r.job_id = fixed<16>(s.blob(0));
  r.worker_pub = fixed<32>(s.blob(1));
  r.accepted = s.integer(2) != 0;
  r.reason = s.str(3);
  r.detail = s.str(4);
  r.units = natural(s, 5);
  r.credit_microcobble = natural(s, 6);
  r.answer_hash = fixed<32>(s.blob(7));
  r.height = natural(s, 8);
  r.operator_trusted = s.integer(9) != 0;
  r.signature = fixed<64>(s.blob(10));
  return r;
}

Result<protocol::Receipt> Ledger::receipt(const Id16& id) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<protocol::Receipt> {
    auto r = find_receipt(id);
    if (!r) return fail(Status::not_found, "receipt " + to_hex(id) + ": unknown");
    return *r;
  });
}

}  // namespace sparkmill::node
