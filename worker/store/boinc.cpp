// SPDX-License-Identifier: Apache-2.0
// Finished BOINC results and what became of their claims.
#include "worker/store/store.h"

namespace sparkmill::worker {

Result<bool> Store::put_boinc_result(const BoincRow& row) {
  bool fresh = false;
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    db.prepare(
          "INSERT OR IGNORE INTO boinc_results(project, name, app, exit_status, elapsed_ms, cpu_ms, completed_ms, "
          "user_id, host_id, cpid, acknowledged) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")
        .all(row.project_url, row.name, row.app, row.exit_status, row.elapsed_ms, row.cpu_ms, row.completed_ms,
             row.user_id, row.host_id, ByteView(row.cpid), row.acknowledged)
        .run();
    fresh = db.changes() == 1;
    if (fresh) return;
    db.prepare(
          "UPDATE boinc_results SET app = iif(app = '', ?3, app), acknowledged = max(acknowledged, ?4), "
          "elapsed_ms = max(elapsed_ms, ?5), cpu_ms = max(cpu_ms, ?6), completed_ms = iif(completed_ms = 0, ?7, "
          "completed_ms), user_id = iif(user_id = 0, ?8, user_id), host_id = iif(host_id = 0, ?9, host_id), "
          "cpid = iif(cpid = zeroblob(16), ?10, cpid) WHERE project = ?1 AND name = ?2")
        .all(row.project_url, row.name, row.app, row.acknowledged, row.elapsed_ms, row.cpu_ms, row.completed_ms,
             row.user_id, row.host_id, ByteView(row.cpid))
        .run();
  }));
  return fresh;
}

Result<std::vector<BoincRow>> Store::boinc_unclaimed(std::size_t limit) {
  std::vector<BoincRow> out;
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    out.clear();
    sqlite::Statement s = db.prepare(
        "SELECT project, name, app, exit_status, elapsed_ms, cpu_ms, completed_ms, user_id, host_id, cpid FROM "
        "boinc_results WHERE acknowledged = 1 AND exit_status = 0 AND claim = '' ORDER BY completed_ms LIMIT ?1");
    s.all(static_cast<std::uint64_t>(limit));
    while (s.step()) {
      BoincRow r;
      r.project_url = s.str(0);
      r.name = s.str(1);
      r.app = s.str(2);
      r.exit_status = static_cast<std::int32_t>(s.integer(3));
      r.elapsed_ms = static_cast<std::uint64_t>(s.integer(4));
      r.cpu_ms = static_cast<std::uint64_t>(s.integer(5));
      r.completed_ms = static_cast<std::uint64_t>(s.integer(6));
      r.user_id = static_cast<std::uint64_t>(s.integer(7));
      r.host_id = static_cast<std::uint64_t>(s.integer(8));
      const Bytes cpid = s.blob(9);
      if (cpid.size() != r.cpid.size()) throw sqlite::Failure(Status::corrupt, "a stored CPID has the wrong length");
      std::copy(cpid.begin(), cpid.end(), r.cpid.begin());
      r.acknowledged = true;
      out.push_back(std::move(r));
    }
  }));
  return out;
}

Done Store::set_boinc_claim(const BoincRow& row, const protocol::BoincClaimAnswer& answer) {
  return call([&](sqlite::Database& db) {
    db.prepare("UPDATE boinc_results SET claim = ?3, claim_reason = ?4, credit = ?5 WHERE project = ?1 AND name = ?2")
        .all(row.project_url, row.name, answer.state, answer.reason, answer.credit_microcobble)
        .run();
  });
}

Result<BoincCounts> Store::boinc_counts() {
  BoincCounts c;
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    sqlite::Statement s = db.prepare(
        "SELECT count(*), total(exit_status <> 0), total(acknowledged AND exit_status = 0 AND claim = ''), "
        "total(claim = 'credited') FROM boinc_results");
    if (!s.step()) return;
    c.results = static_cast<std::uint64_t>(s.integer(0));
    c.failed = static_cast<std::uint64_t>(s.integer(1));
    c.unclaimed = static_cast<std::uint64_t>(s.integer(2));
    c.credited = static_cast<std::uint64_t>(s.integer(3));
  }));
  return c;
}

}  // namespace sparkmill::worker
