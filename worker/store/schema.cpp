// SPDX-License-Identifier: Apache-2.0
#include "worker/store/schema.h"

namespace sparkmill::worker {

namespace {

// Version 1. Ids and hashes are blobs; times are milliseconds of the node's clock.
constexpr char kTables[] = R"sql(
CREATE TABLE leases(
  lease_id BLOB PRIMARY KEY, job_id BLOB NOT NULL, node_pub BLOB NOT NULL, deadline_ms INTEGER NOT NULL,
  attempt INTEGER NOT NULL, openings INTEGER NOT NULL, phase INTEGER NOT NULL, target_units INTEGER NOT NULL DEFAULT 0,
  reason TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
CREATE INDEX leases_by_phase ON leases(phase);
CREATE TABLE jobs(job_id BLOB PRIMARY KEY, job BLOB NOT NULL);
CREATE TABLE slices(
  lease_id BLOB NOT NULL, slice INTEGER NOT NULL, result BLOB NOT NULL,
  PRIMARY KEY(lease_id, slice));
CREATE TABLE commits(
  lease_id BLOB PRIMARY KEY, root BLOB NOT NULL, leaf_count INTEGER NOT NULL, answer_hash BLOB NOT NULL,
  answers INTEGER NOT NULL, envelope BLOB NOT NULL, height INTEGER NOT NULL DEFAULT 0,
  open_by_height INTEGER NOT NULL DEFAULT 0, open_by_ms INTEGER NOT NULL DEFAULT 0);
CREATE TABLE openings(lease_id BLOB PRIMARY KEY, envelope BLOB NOT NULL);
CREATE TABLE receipts(
  lease_id BLOB PRIMARY KEY, accepted INTEGER NOT NULL, reason TEXT NOT NULL, units INTEGER NOT NULL,
  credit INTEGER NOT NULL, answers INTEGER NOT NULL, height INTEGER NOT NULL, json TEXT NOT NULL);
CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE tuning(
  device TEXT NOT NULL, driver TEXT NOT NULL, kernel TEXT NOT NULL, revision INTEGER NOT NULL, rate INTEGER NOT NULL,
  batch INTEGER NOT NULL,
  PRIMARY KEY(device, driver, kernel)) WITHOUT ROWID;
CREATE TABLE nodes(url TEXT PRIMARY KEY, node_pub BLOB NOT NULL) WITHOUT ROWID;
)sql";

// Version 2: shares of mining work. `id` is the hash of the header with its nonce.
// `state` is "open" until an answer is known, then how it ended (ShareEnd).
constexpr char kShares[] = R"sql(
CREATE TABLE shares(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, source TEXT NOT NULL, device TEXT NOT NULL,
  height INTEGER NOT NULL, nonce INTEGER NOT NULL, at_ms INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'open',
  reason TEXT NOT NULL DEFAULT '', words TEXT NOT NULL DEFAULT '', block INTEGER NOT NULL DEFAULT 0);
CREATE INDEX shares_open ON shares(state) WHERE state = 'open';
)sql";

// Version 3: finished results of the BOINC client beside us. Times are the client's clock.
constexpr char kBoincTables[] = R"sql(
CREATE TABLE boinc_results(
  project TEXT NOT NULL, name TEXT NOT NULL, app TEXT NOT NULL, exit_status INTEGER NOT NULL, elapsed_ms INTEGER NOT NULL,
  cpu_ms INTEGER NOT NULL, completed_ms INTEGER NOT NULL, user_id INTEGER NOT NULL, host_id INTEGER NOT NULL,
  cpid BLOB NOT NULL, acknowledged INTEGER NOT NULL, claim TEXT NOT NULL DEFAULT '', claim_reason TEXT NOT NULL DEFAULT '',
  credit INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(project, name)) WITHOUT ROWID;
)sql";

// Version 4: what becomes of a claim or receipt is asked again. `..._at_ms` is when (unix time), 0: never again.
constexpr char kBoincCredit[] = R"sql(
ALTER TABLE boinc_results ADD COLUMN output_hash BLOB NOT NULL DEFAULT x'';
ALTER TABLE boinc_results ADD COLUMN claim_tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE boinc_results ADD COLUMN claim_at_ms INTEGER NOT NULL DEFAULT 1;
ALTER TABLE boinc_results ADD COLUMN receipt TEXT NOT NULL DEFAULT '';
ALTER TABLE boinc_results ADD COLUMN receipt_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE boinc_results ADD COLUMN receipt_tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE boinc_results ADD COLUMN receipt_at_ms INTEGER NOT NULL DEFAULT 1;
ALTER TABLE boinc_results ADD COLUMN receipt_credit INTEGER NOT NULL DEFAULT 0;
)sql";

std::int64_t single(sqlite::Database& db, std::string_view sql) {
  sqlite::Statement s = db.prepare(sql);
  return s.step() ? s.integer(0) : 0;
}

}  // namespace

Done migrate(sqlite::Database& db, const std::string& name) {
  {
    sqlite::Statement check = db.prepare("PRAGMA quick_check(1)");
    const std::string verdict = check.step() ? check.str(0) : "no answer";
    if (verdict != "ok") return fail(Status::corrupt, verdict);
  }
  const std::int64_t version = single(db, "PRAGMA user_version");
  if (version > kSchemaVersion) {
    return fail(Status::corrupt,
                name + ": schema version " + std::to_string(version) + ", this program knows up to " +
                    std::to_string(kSchemaVersion),
                kNewerHint);
  }
  if (version == 0 && single(db, "SELECT count(*) FROM sqlite_master") != 0) {
    return fail(Status::corrupt, "not a store of this program");
  }
  sqlite::Transaction transaction(db);
  if (version < 1) db.exec(kTables);
  if (version < 2) db.exec(kShares);
  if (version < 3) db.exec(kBoincTables);
  if (version < 4) db.exec(kBoincCredit);
  db.exec("PRAGMA user_version = " + std::to_string(kSchemaVersion));
  transaction.commit();
  return done();
}

}  // namespace sparkmill::worker
