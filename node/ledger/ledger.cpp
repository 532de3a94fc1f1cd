// SPDX-License-Identifier: Apache-2.0
// Opening the store, its tables, workers, nonces and small values.
#include "node/ledger/ledger.h"

#include "base/hash.h"
#include "node/ledger/rows.h"
#include "node/protocol/signing.h"

namespace sparkmill::node {

namespace {

constexpr char kSchema[] = R"sql(
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS workers(pub BLOB PRIMARY KEY, request_pub BLOB NOT NULL, name TEXT NOT NULL,
  kinds TEXT NOT NULL, devices TEXT NOT NULL, registered_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS nonces(nonce BLOB PRIMARY KEY, worker BLOB NOT NULL, time_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS nonces_by_time ON nonces(time_ms);
CREATE TABLE IF NOT EXISTS tasks(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, spec BLOB NOT NULL,
  requester BLOB NOT NULL, escrow INTEGER NOT NULL, state INTEGER NOT NULL, live INTEGER NOT NULL,
  attempts INTEGER NOT NULL, created_ms INTEGER NOT NULL, result BLOB);
CREATE INDEX IF NOT EXISTS tasks_waiting ON tasks(id) WHERE state = 0 AND live = 0;
CREATE TABLE IF NOT EXISTS jobs(id BLOB NOT NULL UNIQUE, seq INTEGER PRIMARY KEY, task INTEGER NOT NULL REFERENCES tasks,
  attempt INTEGER NOT NULL, state INTEGER NOT NULL, job BLOB NOT NULL, ringers BLOB NOT NULL,
  created_ms INTEGER NOT NULL, deadline_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs(state, seq);
CREATE INDEX IF NOT EXISTS jobs_by_task ON jobs(task);
CREATE TABLE IF NOT EXISTS blobs(sha BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS job_blobs(sha BLOB NOT NULL, job BLOB NOT NULL, PRIMARY KEY(sha, job)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS job_blobs_by_job ON job_blobs(job);
CREATE TABLE IF NOT EXISTS leases(id BLOB PRIMARY KEY, job BLOB NOT NULL UNIQUE, worker BLOB NOT NULL,
  state INTEGER NOT NULL, taken_ms INTEGER NOT NULL, deadline_ms INTEGER NOT NULL, openings INTEGER NOT NULL,
  commit_hash BLOB,
  commit_height INTEGER NOT NULL DEFAULT 0, open_by_height INTEGER NOT NULL DEFAULT 0,
  open_by_ms INTEGER NOT NULL DEFAULT 0, opening_hash BLOB) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS leases_live ON leases(worker, state) WHERE state < 4;
CREATE INDEX IF NOT EXISTS leases_by_state ON leases(state) WHERE state < 4;
CREATE TABLE IF NOT EXISTS bodies(lease BLOB NOT NULL, kind INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY(lease, kind));
CREATE TABLE IF NOT EXISTS receipts(seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, job BLOB NOT NULL,
  worker BLOB NOT NULL, requester BLOB NOT NULL, accepted INTEGER NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
  units INTEGER NOT NULL, credit INTEGER NOT NULL, answer_hash BLOB NOT NULL, height INTEGER NOT NULL,
  operator_trusted INTEGER NOT NULL, signature BLOB NOT NULL, leaf BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS receipts_by_height ON receipts(height, seq);
CREATE TABLE IF NOT EXISTS paid(task INTEGER NOT NULL, part BLOB NOT NULL, worker BLOB NOT NULL,
  PRIMARY KEY(task, part, worker)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks(height INTEGER PRIMARY KEY, hash BLOB NOT NULL, previous BLOB NOT NULL,
  receipts_root BLOB NOT NULL, time_ms INTEGER NOT NULL, nonce INTEGER NOT NULL, secret BLOB NOT NULL,
  beacon BLOB NOT NULL, anchor BLOB NOT NULL, bits INTEGER NOT NULL, reward INTEGER NOT NULL, receipts INTEGER NOT NULL,
  fallback INTEGER NOT NULL, carry_workers INTEGER NOT NULL, carry_requesters INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS accounts(pub BLOB PRIMARY KEY, unlocked INTEGER NOT NULL DEFAULT 0,
  credit INTEGER NOT NULL DEFAULT 0, accepted INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0,
  allowance INTEGER NOT NULL DEFAULT 0, capacity_t INTEGER NOT NULL DEFAULT 0, pledged INTEGER NOT NULL DEFAULT 0)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS locks(pub BLOB NOT NULL, rule INTEGER NOT NULL, day INTEGER NOT NULL, amount INTEGER NOT NULL,
  PRIMARY KEY(pub, rule, day)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chains(idx INTEGER PRIMARY KEY, start INTEGER NOT NULL, anchor BLOB NOT NULL);
)sql";

constexpr std::int64_t kSchemaVersion = 1;

Bytes encode_chain(const ChainParams& c) {
  ByteWriter w;
  w.u64(c.interval_ms).u32(c.beacon_length).u64(c.bits).u64(c.open_blocks).bytes(c.foundation).bytes(c.operations);
  return std::move(w).data();
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const auto& t : texts) out += (out.empty() ? "" : "\n") + t;
  return out;
}

}  // namespace

Ledger::Ledger(LedgerOptions options, const keys::SigningKey& receipt_key)
    : options_(std::move(options)), receipt_key_(receipt_key) {}

Result<std::unique_ptr<Ledger>> Ledger::open(LedgerOptions options, const keys::SigningKey& receipt_key,
                                             std::uint64_t now_ms) {
  std::unique_ptr<Ledger> ledger(new Ledger(std::move(options), receipt_key));
  const std::filesystem::path file = ledger->options_.folder / "ledger.sqlite";
  SPARKMILL_ASSIGN(ledger->db_, sqlite::Database::open(file, true));
  // Ringers of open jobs are in it. SQLite gives its side files the same rights.
  std::error_code ec;
  std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, ec);
  SPARKMILL_TRY(sqlite::guarded("ledger", [&] { return ledger->prepare(now_ms); }));
  return ledger;
}

Done Ledger::prepare(std::uint64_t now_ms) {
  {
    sqlite::Transaction t(*db_);
    db_->exec(kSchema);
    const auto stored = get_meta("schema");
    if (!stored) {
      put_meta("schema", ByteWriter().u64(kSchemaVersion).data());
      put_meta("node_pub", receipt_key_.public_key());
      db_->prepare("INSERT INTO accounts(pub, allowance) VALUES(?, ?)")
          .all(options_.requester, options_.requester_allowance_microcobble)
          .run();
    } else if (ByteReader(*stored).u64() != kSchemaVersion) {
      return fail(Status::bad_config, "ledger: made by another version of this program",
                  "start the version that made it, or choose a new data folder");
    }
    const auto pub = get_meta("node_pub");
    if (!pub || *pub != Bytes(receipt_key_.public_key().begin(), receipt_key_.public_key().end())) {
      return fail(Status::corrupt, "ledger: belongs to another node key", "restore node.key beside the ledger");
    }
    SPARKMILL_TRY(check_chain_params());
    t.commit();
  }
  SPARKMILL_TRY(load_beacon());
  if (auto latest = find_block(-1)) {
    tip_ = *latest;
    move_deadlines(now_ms);
    return done();
  }
  const std::uint64_t nonce = ByteReader(random_array<8>()).u64() >> 1;
  SPARKMILL_TRY(append_locked(now_ms, nonce, false, nullptr, {}));
  return done();
}

Done Ledger::check_chain_params() {
  const auto stored = get_meta("chain");
  if (!stored) {
    put_meta("chain", encode_chain(options_.chain));
    return done();
  }
  ByteReader reader(*stored);
  const std::uint64_t interval = reader.u64();
  reader.u32();
  const std::uint64_t bits = reader.u64();
  const bool works = bits != kNoWorkBits;
  if (works != (options_.chain.bits != kNoWorkBits)) {
    const std::string where = "ledger in " + options_.folder.string();
    return works ? fail(Status::bad_config, where + ": its blocks need proof of work, which is switched off here",
                        "start it without --no-pow, or name a new data folder")
                 : fail(Status::bad_config, where + ": it was made without proof of work, and a chain stays what it is",
                        "start it with --no-pow, or name a new data folder; this one is left as it is");
  }
  options_.chain.bits = bits;  // first difficulty: of new ledgers only
  if (*stored != encode_chain(options_.chain)) {
    return fail(Status::bad_config,
                "ledger: its chain has other parameters (block interval " + std::to_string(interval) + " ms)",
                "use the interval and the key files that it was made with, or a new data folder");
  }
  return done();
}

Done Ledger::load_beacon() {
  std::optional<Hash32> anchor;
  auto first = db_->prepare("SELECT anchor FROM chains WHERE idx = 0");
  if (first.step()) first_anchor_ = fixed<32>(first.blob(0));
  auto last = db_->prepare("SELECT idx, start, anchor FROM chains ORDER BY idx DESC LIMIT 1");
  if (last.step()) {
    beacon_index_ = static_cast<std::uint64_t>(last.integer(0));
    beacon_start_ = static_cast<std::uint64_t>(last.integer(1));
    anchor = fixed<32>(last.blob(2));
  }
  const auto file = options_.folder / ("beacon-" + std::to_string(beacon_index_) + ".chain");
  if (anchor) {
    SPARKMILL_ASSIGN(beacon_, BeaconChain::load(file, *anchor));
    return done();
  }
  SPARKMILL_ASSIGN(beacon_, BeaconChain::create(file, options_.chain.beacon_length));
  first_anchor_ = beacon_->anchor();
  db_->prepare("INSERT INTO chains(idx, start, anchor) VALUES(0, 0, ?)").all(first_anchor_).run();
  return done();
}

/// A node that was away must not make its workers late.
void Ledger::move_deadlines(std::uint64_t now_ms) {
  if (now_ms <= tip_.time_ms) return;
  const std::uint64_t away = now_ms - tip_.time_ms;
  sqlite::Transaction t(*db_);
  db_->prepare("UPDATE leases SET deadline_ms = deadline_ms + ?1, taken_ms = taken_ms + ?1 WHERE state = 1")
      .all(away)
      .run();
  db_->prepare("UPDATE leases SET open_by_ms = open_by_ms + ? WHERE state = 2").all(away).run();
  t.commit();
}

std::optional<Bytes> Ledger::get_meta(std::string_view key) {
  auto s = db_->prepare("SELECT value FROM meta WHERE key = ?");
  s.all(key);
  if (!s.step()) return std::nullopt;
  return s.blob(0);
}

void Ledger::put_meta(std::string_view key, ByteView value) {
  db_->prepare("INSERT INTO meta(key, value) VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value")
      .all(key, value)
      .run();
}

Result<std::optional<Bytes>> Ledger::meta(std::string_view key) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<std::optional<Bytes>> { return get_meta(key); });
}

Done Ledger::set_meta(std::string_view key, ByteView value) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&] { return put_meta(key, value), done(); });
}

Done Ledger::register_worker(const protocol::Registration& r, std::uint64_t now_ms) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Done {
    sqlite::Transaction t(*db_);
    auto count = db_->prepare("SELECT count(*), sum(pub = ?) FROM workers");
    count.all(r.worker_pub);
    if (count.step() && count.integer(0) >= options_.max_workers && count.integer(1) == 0) {
      return fail(Status::locked, "this node takes no more workers", "choose another node");
    }
    count.reset();
    db_->prepare(
           "INSERT INTO workers(pub, request_pub, name, kinds, devices, registered_ms, seen_ms) "
           "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT(pub) DO UPDATE SET request_pub = excluded.request_pub, "
           "name = excluded.name, kinds = excluded.kinds, devices = excluded.devices, seen_ms = excluded.seen_ms")
        .all(r.worker_pub, r.request_pub, r.name, joined(r.kinds), joined(r.devices), now_ms)
        .run();
    t.commit();
    return done();
  });
}

Result<keys::PublicKey> Ledger::request_key(const keys::PublicKey& worker_pub) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<keys::PublicKey> {
    auto s = db_->prepare("SELECT request_pub FROM workers WHERE pub = ?");
    s.all(worker_pub);
    if (!s.step()) return fail(Status::not_found, "this worker is not registered here", "POST /v1/workers first");
    return fixed<32>(s.blob(0));
  });
}

Done Ledger::use_nonce(const keys::PublicKey& worker_pub, const Id16& nonce, std::uint64_t now_ms) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Done {
    sqlite::Transaction t(*db_);
    // A request may carry a time up to one window ahead, so its nonce matters for two windows.
    const std::uint64_t keep = 2 * protocol::kSignatureWindowMs;
    db_->prepare("DELETE FROM nonces WHERE time_ms < ?").all(now_ms > keep ? now_ms - keep : 0).run();
    auto seen = db_->prepare("SELECT 1 FROM nonces WHERE nonce = ?");
    seen.all(nonce);
    if (seen.step()) return fail(Status::duplicate, "this request was used before", "sign each request afresh");
    seen.reset();
    db_->prepare("INSERT INTO nonces(nonce, worker, time_ms) VALUES(?, ?, ?)").all(nonce, worker_pub, now_ms).run();
    t.commit();
    return done();
  });
}

}  // namespace sparkmill::node
