// SPDX-License-Identifier: Apache-2.0
#include "boinc/server/assimilate.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "base/hash.h"
#include "base/hex.h"
#include "boinc/server/receipts.h"
#include "boinc/server/validate.h"
#include "verify/unit/receipt.h"
#include "verify/unit/result.h"

namespace sparkmill::boinc::server {
namespace {

constexpr std::uint64_t kMaxJobBytes = 128 * 1024;

struct Ids {
  std::uint64_t user = 0;
  std::uint64_t host = 0;
  bool confirmed = false;
};

std::optional<Ids> two_numbers(std::string_view text) {
  Ids ids;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, ids.user);
  if (first.ec != std::errc() || first.ptr == end || (*first.ptr != ' ' && *first.ptr != '\t')) return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, ids.host);
  if (second.ec != std::errc()) return std::nullopt;
  ids.confirmed = true;
  return ids;
}

/// The project's word on whose a result is: SPARKMILL_RESULT_IDS="RESULT USER HOST;.." from the server that calls, or
/// the program bin/sparkmill-result-ids RESULT, which prints "USER HOST". Without either, what the application
/// reported.
Ids ids_of(const Project& project, const std::string& result, const Ids& reported) {
  if (const char* told = std::getenv("SPARKMILL_RESULT_IDS")) {
    std::string_view rest = told;
    while (!rest.empty()) {
      const std::string_view entry = rest.substr(0, rest.find(';'));
      rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
      const std::size_t space = entry.find(' ');
      if (space == std::string_view::npos || entry.substr(0, space) != result) continue;
      if (const auto ids = two_numbers(entry.substr(space + 1))) return *ids;
    }
  }
  const std::filesystem::path program = project.project_folder() / "bin" / "sparkmill-result-ids";
  std::error_code ec;
  const std::string path = program.string();
  if (!std::filesystem::exists(program, ec) || path.find('\'') != std::string::npos) return reported;
  // The name is of [a-z0-9_] only: parse_result_name saw to that.
  std::FILE* pipe = ::popen(("'" + path + "' " + result).c_str(), "r");
  if (pipe == nullptr) return reported;
  char line[128] = {};
  const bool read = std::fgets(line, sizeof line, pipe) != nullptr;
  const bool well = ::pclose(pipe) == 0;
  if (!read || !well) return reported;
  return two_numbers(line).value_or(reported);
}

/// Receipts for every accepted result of the unit with this answer, due when the hold is over.
void hold_receipts(Project& project, const std::string& unit, ByteView answer_hash) {
  struct Row {
    std::string name;
    Ids reported;
  };
  std::vector<Row> rows;
  sqlite::Statement q = project.db().prepare(
      "SELECT name, user_id, host_id FROM results WHERE unit = ? AND verdict = 'accepted' AND answer_hash = ? "
      "ORDER BY name");
  q.all(unit, answer_hash);
  while (q.step()) {
    rows.push_back({q.str(0), {static_cast<std::uint64_t>(q.integer(1)), static_cast<std::uint64_t>(q.integer(2))}});
  }
  sqlite::Statement add = project.db().prepare(
      "INSERT OR IGNORE INTO receipts(result, flags, user_id, host_id, due_ms) VALUES(?, ?, ?, ?, ?)");
  for (const Row& row : rows) {
    const Ids ids = ids_of(project, row.name, row.reported);
    const int flags = (ids.confirmed ? unit::kIdsConfirmed : 0) | (rows.size() > 1 ? unit::kQuorum : 0);
    add.all(row.name, flags, ids.user, ids.host, project.clock().unix_ms() + project.settings().hold_s * 1000ull).run();
  }
}

/// The answer of a job all of whose units are done; idempotent.
Done combine_job(Project& project, const Id16& job_id) {
  const std::filesystem::path folder = project.job_folder(job_id);
  SPARKMILL_ASSIGN(const Bytes encoded, read_file(folder / "job", kMaxJobBytes));
  SPARKMILL_ASSIGN(const job::Job whole, job::decode(encoded));
  sqlite::Statement q = project.db().prepare("SELECT name, canonical FROM units WHERE job = ? ORDER BY idx");
  q.all(job_id);
  std::vector<job::Piece> pieces;
  std::vector<Bytes> answers;
  while (q.step()) {
    SPARKMILL_ASSIGN(const unit::ResultName name, unit::parse_unit_name(q.str(0)));
    SPARKMILL_ASSIGN(StoredUnit stored, load_unit(project, name));
    SPARKMILL_ASSIGN(const Bytes file, read_file(folder / "results" / q.str(1), unit::kMaxResultBytes));
    SPARKMILL_ASSIGN(Bytes answer, unit::answer_of(file));
    pieces.push_back(std::move(stored.unit.piece));
    answers.push_back(std::move(answer));
  }
  std::vector<job::PieceAnswer> parts;
  for (std::size_t k = 0; k < pieces.size(); ++k) parts.push_back({&pieces[k], answers[k]});
  SPARKMILL_ASSIGN(const Bytes answer, job::combine(whole, parts));
  SPARKMILL_TRY(write_file_atomic(folder / "answer", answer));
  project.db()
      .prepare("UPDATE jobs SET done_ms = coalesce(done_ms, ?) WHERE id = ?")
      .all(project.clock().unix_ms(), job_id)
      .run();
  return done();
}

/// Marks the unit done, once. True when it was before.
Result<bool> mark_done(Project& project, const unit::ResultName& name) {
  sqlite::Transaction t(project.db());
  sqlite::Statement u = project.db().prepare("SELECT canonical FROM units WHERE name = ?");
  if (!u.all(name.unit).step()) {
    return fail(Status::not_found, "unit " + name.unit + " is not in boinc.db", "was its job made in this project?");
  }
  const std::string canonical = u.is_null(0) ? std::string() : u.str(0);
  u.reset();
  if (canonical == name.result) return true;
  if (!canonical.empty()) {
    return fail(Status::refused, "unit " + name.unit + " was assimilated with result " + canonical + "; " +
                                     name.result + " is not counted");
  }
  sqlite::Statement r = project.db().prepare("SELECT answer_hash FROM results WHERE name = ?");
  r.all(name.result).step();
  const Bytes answer_hash = r.blob(0);
  r.reset();
  project.db()
      .prepare("UPDATE units SET canonical = ?, answer_hash = ?, error_mask = NULL WHERE name = ?")
      .all(name.result, answer_hash, name.unit)
      .run();
  hold_receipts(project, name.unit, answer_hash);
  t.commit();
  return false;
}

}  // namespace

Result<Assimilated> assimilate(Project& project, const std::filesystem::path& file) {
  SPARKMILL_ASSIGN(const unit::ResultName name, unit::parse_result_name(file.string()));
  Assimilated out;
  out.unit = name.unit;
  out.result = name.result;
  const auto verdict = validate(project, file);
  if (!verdict) return verdict.error();
  if (!verdict->accepted) {
    return fail(Status::refused, name.result + " is not valid: " + verdict->reason + ", " + verdict->detail);
  }
  const Done marked = sqlite::guarded("boinc.db", [&]() -> Done {
    SPARKMILL_ASSIGN(out.again, mark_done(project, name));
    sqlite::Statement left = project.db().prepare("SELECT count(*) FROM units WHERE job = ? AND canonical IS NULL");
    left.all(name.whole_id).step();
    out.units_left = static_cast<std::uint64_t>(left.integer(0));
    sqlite::Statement finished = project.db().prepare("SELECT done_ms FROM jobs WHERE id = ?");
    finished.all(name.whole_id).step();
    out.job_done = !finished.is_null(0);
    if (out.units_left == 0 && !out.job_done) {
      SPARKMILL_TRY(combine_job(project, name.whole_id));
      out.job_done = true;
    }
    return done();
  });
  if (!marked) return marked.error();
  SPARKMILL_ASSIGN(const std::uint64_t signed_now, sign_due_receipts(project));
  (void)signed_now;
  return out;
}

Result<std::string> give_up(Project& project, std::string_view unit, std::uint32_t mask) {
  SPARKMILL_ASSIGN(const unit::ResultName name, unit::parse_unit_name(unit));
  return sqlite::guarded("boinc.db", [&]() -> Result<std::string> {
    project.db()
        .prepare("UPDATE units SET error_mask = ? WHERE name = ? AND canonical IS NULL")
        .all(mask, name.unit)
        .run();
    if (project.db().changes() == 0) {
      sqlite::Statement q = project.db().prepare("SELECT canonical FROM units WHERE name = ?");
      if (!q.all(name.unit).step()) return fail(Status::not_found, "unit " + name.unit + " is not in boinc.db");
      return "unit " + name.unit + " has a result already; the error is ignored";
    }
    return "unit " + name.unit + " failed with error mask " + std::to_string(mask) +
           "; the job waits until it is made again";
  });
}

}  // namespace sparkmill::boinc::server
