// SPDX-License-Identifier: Apache-2.0
#include "boinc/server/receipts.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/hex.h"
#include "boinc/server/assimilate.h"
#include "verify/merkle/merkle.h"
#include "verify/unit/receipt.h"

namespace sparkmill::boinc::server {
namespace {

template <std::size_t N>
std::array<std::uint8_t, N> fixed(const Bytes& bytes) {
  if (bytes.size() != N) throw sqlite::Failure(Status::corrupt, "a stored key or hash has another size");
  std::array<std::uint8_t, N> out{};
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

std::vector<unit::Receipt> due_receipts(Project& project) {
  sqlite::Statement q = project.db().prepare(
      "SELECT r.result, r.flags, r.user_id, r.host_id, s.unit, s.file_hash, s.app_pub, s.worker_pub, u.job, u.units, "
      "u.credit FROM receipts r JOIN results s ON s.name = r.result JOIN units u ON u.name = s.unit "
      "WHERE r.bytes IS NULL AND r.void = 0 AND r.due_ms <= ? ORDER BY r.result");
  q.all(project.clock().unix_ms());
  std::vector<unit::Receipt> out;
  while (q.step()) {
    unit::Receipt r;
    r.result = q.str(0);
    r.flags = static_cast<std::uint16_t>(q.integer(1));
    r.user_id = static_cast<std::uint64_t>(q.integer(2));
    r.host_id = static_cast<std::uint64_t>(q.integer(3));
    r.unit = q.str(4);
    r.output_hash = fixed<32>(q.blob(5));
    r.app_pub = fixed<32>(q.blob(6));
    r.worker_pub = fixed<32>(q.blob(7));
    r.job_id = fixed<16>(q.blob(8));
    r.units = static_cast<std::uint64_t>(q.integer(9));
    r.credit_microcobble = static_cast<std::uint64_t>(q.integer(10));
    r.node_pub = project.settings().node_pub;
    r.project = project.settings().url;
    r.unix_ms = project.clock().unix_ms();
    out.push_back(std::move(r));
  }
  return out;
}

std::filesystem::path receipt_file(const Project& project, const std::string& result) {
  return project.public_folder() / "receipts" / (result + ".receipt");
}

Done publish_day(Project& project, std::uint32_t day) {
  sqlite::Statement q = project.db().prepare("SELECT bytes FROM receipts WHERE day = ?");
  q.all(day);
  std::vector<Hash32> leaves;
  while (q.step()) leaves.push_back(unit::receipt_leaf(q.blob(0)));
  std::sort(leaves.begin(), leaves.end());
  unit::DayRoot root;
  root.day = day;
  root.receipts = static_cast<std::uint32_t>(leaves.size());
  root.root = merkle::root(leaves);
  root.secret_hash = sha256(project.day_secret(day));
  ByteWriter list;
  for (const Hash32& leaf : leaves) list.bytes(leaf);
  const std::filesystem::path stem = project.public_folder() / "days" / date_text(day);
  SPARKMILL_TRY(write_file_atomic(stem.string() + ".leaves", list.data()));
  return write_file_atomic(stem.string() + ".root", unit::encode(root, project.key()));
}

/// Hashes of the secrets of days to come, and the secrets of those that are over.
Done publish_draws(Project& project) {
  const std::uint32_t today = project.today();
  project.day_secret(today);
  sqlite::Statement q = project.db().prepare("SELECT day, secret FROM days ORDER BY day");
  nlohmann::ordered_json days = nlohmann::ordered_json::array();
  while (q.step()) {
    const auto day = static_cast<std::uint32_t>(q.integer(0));
    const Bytes secret = q.blob(1);
    nlohmann::ordered_json entry{{"day", date_text(day)}, {"secret_hash", to_hex(sha256(secret))}};
    if (day < today) entry["secret"] = to_hex(secret);
    days.push_back(std::move(entry));
  }
  const nlohmann::ordered_json all{{"project_pub", to_hex(project.key().public_key())}, {"days", std::move(days)}};
  return write_file_atomic(project.public_folder() / "draws.json", view(all.dump(1) + "\n"));
}

}  // namespace

Result<std::uint64_t> sign_due_receipts(Project& project) {
  return sqlite::guarded("boinc.db", [&]() -> Result<std::uint64_t> {
    std::uint64_t count = 0;
    for (const unit::Receipt& receipt : due_receipts(project)) {
      const Bytes bytes = unit::encode(receipt, project.key());
      // One statement decides: of two programs at once one signs, and a receipt never has two texts.
      project.db()
          .prepare("UPDATE receipts SET bytes = ?, day = ? WHERE result = ? AND bytes IS NULL AND void = 0")
          .all(bytes, project.today(), receipt.result)
          .run();
      count += static_cast<std::uint64_t>(project.db().changes());
    }
    // Written from the database, so that a crash between the two is mended by the next call.
    sqlite::Statement q = project.db().prepare("SELECT result, bytes FROM receipts WHERE bytes NOT NULL AND day >= ?");
    q.all(project.today() == 0 ? 0 : project.today() - 1);
    std::error_code ec;
    while (q.step()) {
      const std::filesystem::path file = receipt_file(project, q.str(0));
      if (!std::filesystem::exists(file, ec)) SPARKMILL_TRY(write_file_atomic(file, q.blob(1)));
    }
    return count;
  });
}

Result<std::uint64_t> publish(Project& project, bool today) {
  SPARKMILL_ASSIGN(const std::uint64_t count, sign_due_receipts(project));
  const Done published = sqlite::guarded("boinc.db", [&]() -> Done {
    std::vector<std::uint32_t> days;
    sqlite::Statement q =
        project.db().prepare("SELECT DISTINCT day FROM receipts WHERE bytes NOT NULL AND day <= ? ORDER BY day");
    q.all(static_cast<std::int64_t>(project.today()) - (today ? 0 : 1));
    while (q.step()) days.push_back(static_cast<std::uint32_t>(q.integer(0)));
    std::error_code ec;
    for (const std::uint32_t day : days) {
      const bool there = std::filesystem::exists(project.public_folder() / "days" / (date_text(day) + ".root"), ec);
      if (!there || day + 1 >= project.today()) SPARKMILL_TRY(publish_day(project, day));
    }
    return publish_draws(project);
  });
  if (!published) return published.error();
  return count;
}

Result<std::string> status_json(Project& project) {
  return sqlite::guarded("boinc.db", [&]() -> Result<std::string> {
    nlohmann::ordered_json jobs = nlohmann::ordered_json::array();
    sqlite::Statement q = project.db().prepare(
        "SELECT id, kind, units, done_ms, (SELECT count(*) FROM units WHERE job = id AND canonical NOT NULL), "
        "(SELECT count(*) FROM units WHERE job = id AND canonical IS NULL AND error_mask NOT NULL) FROM jobs "
        "ORDER BY made_ms, id");
    while (q.step()) {
      const Bytes id = q.blob(0);
      nlohmann::ordered_json job{{"id", to_hex(id)},
                                 {"kind", q.str(1)},
                                 {"units", q.integer(2)},
                                 {"done", q.integer(4)},
                                 {"failed", q.integer(5)}};
      if (!q.is_null(3)) job["answer"] = (project.folder() / "jobs" / to_hex(id) / "answer").string();
      jobs.push_back(std::move(job));
    }
    sqlite::Statement r = project.db().prepare(
        "SELECT ifnull(sum(bytes IS NULL AND void = 0), 0), ifnull(sum(bytes NOT NULL), 0), ifnull(sum(void), 0) FROM "
        "receipts");
    r.step();
    nlohmann::ordered_json out{
        {"project_pub", to_hex(project.key().public_key())},
        {"jobs", std::move(jobs)},
        {"receipts", {{"held", r.integer(0)}, {"signed", r.integer(1)}, {"void", r.integer(2)}}}};
    return out.dump(1) + "\n";
  });
}

}  // namespace sparkmill::boinc::server
