// SPDX-License-Identifier: Apache-2.0
// Finished BOINC results and what became of their claims.
#include "worker/store/store.h"

namespace sparkmill::worker {

namespace {

/// Good and in the project's hands: what may be worth something.
constexpr char kDone[] = "acknowledged = 1 AND exit_status = 0";
constexpr char kClaimOpen[] = "claim IN ('', 'recorded') AND claim_at_ms > 0";
constexpr char kReceiptOpen[] = "name GLOB 'smk_*' AND receipt_at_ms > 0";

template <std::size_t N>
void fixed(const Bytes& from, std::array<std::uint8_t, N>& to, const char* what) {
  if (from.empty()) return;
  if (from.size() != N)
    throw sqlite::Failure(Status::corrupt, std::string("a stored ") + what + " has the wrong length");
  std::copy(from.begin(), from.end(), to.begin());
}

std::vector<BoincRow> due(sqlite::Database& db, const std::string& prefix, const char* open, std::size_t limit,
                          std::uint64_t now_ms) {
  std::vector<BoincRow> out;
  sqlite::Statement s = db.prepare(
      "SELECT project, name, app, exit_status, elapsed_ms, cpu_ms, completed_ms, user_id, host_id, cpid, "
      "output_hash, " +
      prefix + "_tries FROM boinc_results WHERE " + kDone + " AND " + open + " AND " + prefix +
      "_at_ms <= ?1 ORDER BY " + prefix + "_at_ms, completed_ms LIMIT ?2");
  s.all(now_ms, static_cast<std::uint64_t>(limit));
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
    fixed(s.blob(9), r.cpid, "CPID");
    fixed(s.blob(10), r.output_hash, "hash of a result file");
    r.tries = static_cast<unsigned>(s.integer(11));
    r.acknowledged = true;
    out.push_back(std::move(r));
  }
  return out;
}

}  // namespace

Result<bool> Store::put_boinc_result(const BoincRow& row) {
  bool fresh = false;
  const ByteView hash = row.output_hash == Hash32{} ? ByteView() : ByteView(row.output_hash);
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    db.prepare(
          "INSERT OR IGNORE INTO boinc_results(project, name, app, exit_status, elapsed_ms, cpu_ms, completed_ms, "
          "user_id, host_id, cpid, acknowledged, output_hash) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
          "?12)")
        .all(row.project_url, row.name, row.app, row.exit_status, row.elapsed_ms, row.cpu_ms, row.completed_ms,
             row.user_id, row.host_id, ByteView(row.cpid), row.acknowledged, hash)
        .run();
    fresh = db.changes() == 1;
    if (fresh) return;
    db.prepare(
          "UPDATE boinc_results SET app = iif(app = '', ?3, app), acknowledged = max(acknowledged, ?4), "
          "elapsed_ms = max(elapsed_ms, ?5), cpu_ms = max(cpu_ms, ?6), completed_ms = iif(completed_ms = 0, ?7, "
          "completed_ms), user_id = iif(user_id = 0, ?8, user_id), host_id = iif(host_id = 0, ?9, host_id), "
          "cpid = iif(cpid = zeroblob(16), ?10, cpid), output_hash = iif(length(output_hash) = 0, ?11, output_hash) "
          "WHERE project = ?1 AND name = ?2")
        .all(row.project_url, row.name, row.app, row.acknowledged, row.elapsed_ms, row.cpu_ms, row.completed_ms,
             row.user_id, row.host_id, ByteView(row.cpid), hash)
        .run();
  }));
  return fresh;
}

Result<std::vector<BoincRow>> Store::boinc_claims_due(std::size_t limit, std::uint64_t now_ms) {
  std::vector<BoincRow> out;
  SPARKMILL_TRY(call([&](sqlite::Database& db) { out = due(db, "claim", kClaimOpen, limit, now_ms); }));
  return out;
}

Result<std::vector<BoincRow>> Store::boinc_receipts_due(std::size_t limit, std::uint64_t now_ms) {
  std::vector<BoincRow> out;
  SPARKMILL_TRY(call([&](sqlite::Database& db) { out = due(db, "receipt", kReceiptOpen, limit, now_ms); }));
  return out;
}

Done Store::set_boinc_claim(const BoincRow& row, const BoincFate& fate) {
  return call([&](sqlite::Database& db) {
    db.prepare(
          "UPDATE boinc_results SET claim = ?3, claim_reason = ?4, credit = ?5, claim_at_ms = ?6, claim_tries = "
          "claim_tries + 1 WHERE project = ?1 AND name = ?2")
        .all(row.project_url, row.name, fate.state, fate.reason, fate.credit_microcobble, fate.again_ms)
        .run();
  });
}

Done Store::set_boinc_receipt(const BoincRow& row, const BoincFate& fate) {
  return call([&](sqlite::Database& db) {
    db.prepare(
          "UPDATE boinc_results SET receipt = ?3, receipt_reason = ?4, receipt_credit = ?5, receipt_at_ms = ?6, "
          "receipt_tries = receipt_tries + 1, claim_at_ms = iif(?3 = 'credited' AND claim = 'recorded', 1, "
          "claim_at_ms) WHERE project = ?1 AND name = ?2")
        .all(row.project_url, row.name, fate.state, fate.reason, fate.credit_microcobble, fate.again_ms)
        .run();
  });
}

Result<BoincCounts> Store::boinc_counts() {
  BoincCounts c;
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    sqlite::Statement s = db.prepare(
        std::string("SELECT count(*), total(exit_status <> 0), total(") + kDone + " AND " + kClaimOpen +
        "), total(claim = 'credited'), total(" + kDone + " AND " + kReceiptOpen +
        "), total(receipt = 'credited'), total(receipt = 'refused'), total(receipt_credit) FROM boinc_results");
    if (!s.step()) return;
    const auto count = [&](int column) { return static_cast<std::uint64_t>(s.integer(column)); };
    c = {count(0), count(1), count(2), count(3), count(4), count(5), count(6), count(7)};
  }));
  return c;
}

}  // namespace sparkmill::worker
