// SPDX-License-Identifier: Apache-2.0
#include "boinc/server/validate.h"

#include "base/hash.h"
#include "base/hex.h"
#include "kernels/backend/discover.h"
#include "kernels/registry.h"
#include "verify/unit/result.h"

namespace sparkmill::boinc::server {
namespace {

proof::Verdict refuse(std::string reason, std::string detail) { return {false, std::move(reason), std::move(detail)}; }

/// What was drawn for a result, before anything of it was looked at.
struct Draw {
  std::uint32_t day = 0;
  std::uint32_t openings = 0;
  std::optional<proof::Verdict> verdict;  ///< of an earlier call
  bool exchanged = false;
};

std::uint32_t openings_for(Project& project, const std::optional<keys::PublicKey>& app_pub) {
  const Settings& s = project.settings();
  if (!app_pub) return s.openings_new;
  sqlite::Statement q = project.db().prepare(
      "SELECT sum(verdict = 'accepted'), sum(verdict != 'accepted') FROM results WHERE app_pub = ? AND verdict NOT "
      "NULL");
  q.all(*app_pub).step();
  return q.integer(0) >= s.known_after && q.integer(1) == 0 ? s.openings_known : s.openings_new;
}

/// Logs the file's hash; or what was logged when this result was first seen.
Draw log_draw(Project& project, const unit::ResultName& name, const Hash32& file_hash,
              const std::optional<keys::PublicKey>& app_pub) {
  sqlite::Transaction t(project.db());
  Draw draw;
  sqlite::Statement q =
      project.db().prepare("SELECT file_hash, day, openings, verdict, detail FROM results WHERE name = ?");
  if (q.all(name.result).step()) {
    const Bytes logged = q.blob(0);
    draw.exchanged = !std::equal(logged.begin(), logged.end(), file_hash.begin(), file_hash.end());
    draw.day = static_cast<std::uint32_t>(q.integer(1));
    draw.openings = static_cast<std::uint32_t>(q.integer(2));
    if (!q.is_null(3)) {
      const std::string reason = q.str(3);
      draw.verdict = proof::Verdict{reason == "accepted", reason, q.str(4)};
    }
    return draw;
  }
  draw.day = project.today();
  draw.openings = openings_for(project, app_pub);
  project.day_secret(draw.day);
  project.db()
      .prepare("INSERT INTO results(name, unit, file_hash, day, openings, seen_ms) VALUES(?, ?, ?, ?, ?, ?)")
      .all(name.result, name.unit, file_hash, draw.day, draw.openings, project.clock().unix_ms())
      .run();
  t.commit();
  return draw;
}

void keep_verdict(Project& project, const unit::ResultName& name, const proof::Verdict& verdict,
                  const unit::UnitResult* result, const Bytes& answer) {
  sqlite::Transaction t(project.db());
  project.db()
      .prepare("UPDATE results SET verdict = ?, detail = ? WHERE name = ?")
      .all(verdict.reason, verdict.detail, name.result)
      .run();
  // A copied file is no lie of the key inside: only the name's owner may be blamed for what he signed for this name.
  if (result != nullptr && result->result_name == name.result) {
    project.db()
        .prepare(
            "UPDATE results SET app_pub = ?, worker_pub = ?, user_id = ?, host_id = ?, answer_hash = ? "
            "WHERE name = ?")
        .all(result->app_pub, result->beneficiary(), result->user_id & 0x7fffffff, result->host_id & 0x7fffffff,
             sha256(answer), name.result)
        .run();
    if (!verdict.accepted) {
      project.db()
          .prepare(
              "UPDATE receipts SET void = 1 WHERE bytes IS NULL AND result IN "
              "(SELECT name FROM results WHERE app_pub = ?)")
          .all(result->app_pub)
          .run();
    }
  }
  t.commit();
}

Result<std::unique_ptr<job::Executor>> cpu_executor(kernels::Family family) {
  const kernels::Device cpu = kernels::cpu_device();
  SPARKMILL_ASSIGN(const kernels::Choice choice, kernels::choose(family, cpu));
  SPARKMILL_ASSIGN(auto kernel, kernels::make_tested(*choice.row, cpu));
  return std::unique_ptr<job::Executor>(std::make_unique<job::InlineExecutor>(std::move(kernel)));
}

Result<proof::Verdict> decide(Project& project, const unit::ResultName& name, const Draw& draw, const Hash32& file_hash,
                              const unit::UnitResult& result) {
  SPARKMILL_ASSIGN(const StoredUnit stored, load_unit(project, name));
  InputFiles inputs(project);
  SPARKMILL_ASSIGN(const auto work,
                   job::open(stored.unit.piece.job, inputs, unit::binding(name.result, result.app_pub)));
  SPARKMILL_ASSIGN(const auto executor, cpu_executor(work->family()));
  const Hash32 seed = proof::verifier_seed(project.day_secret(draw.day), file_hash, name.result, nullptr);
  return unit::check_result(stored.unit, stored.id, name.result, result, *work, seed, draw.openings, *executor);
}

}  // namespace

Result<proof::Verdict> validate(Project& project, const std::filesystem::path& file) {
  const auto name = unit::parse_result_name(file.string());
  if (!name) return refuse("wrong_name", name.error().message);
  auto bytes = read_file(file, unit::kMaxResultBytes);
  if (!bytes) {
    std::error_code ec;
    if (bytes.status() == Status::too_large) return refuse("malformed", bytes.error().message);
    // A missing upload is the host's fault, a missing folder is ours.
    if (bytes.status() == Status::not_found && std::filesystem::is_directory(file.parent_path(), ec)) {
      return refuse("no_file", bytes.error().message);
    }
    return bytes.error();
  }
  // A unit that is unknown is our own failure, and nothing is logged for it.
  SPARKMILL_ASSIGN(const StoredUnit known, load_unit(project, *name));
  const Hash32 file_hash = sha256(*bytes);
  auto result = unit::decode_result(*bytes);
  return sqlite::guarded("boinc.db", [&]() -> Result<proof::Verdict> {
    const Draw draw = log_draw(project, *name, file_hash, result ? std::optional(result->app_pub) : std::nullopt);
    if (draw.exchanged) return refuse("exchanged", "not the file that was uploaded first as " + name->result);
    if (draw.verdict) return *draw.verdict;
    SPARKMILL_TRY(write_file_atomic(project.job_folder(name->whole_id) / "results" / name->result, *bytes));
    proof::Verdict verdict;
    Bytes answer;
    if (!result) {
      verdict = refuse(result.status() == Status::refused ? "bad_signature" : "malformed", result.error().message);
    } else {
      SPARKMILL_ASSIGN(verdict, decide(project, *name, draw, file_hash, *result));
      if (auto claimed = proof::file_proof_answer(result->proof)) answer = std::move(*claimed);
    }
    keep_verdict(project, *name, verdict, result ? &*result : nullptr, answer);
    return verdict;
  });
}

Result<bool> same_answers(std::span<const std::filesystem::path> a, std::span<const std::filesystem::path> b) {
  if (a.size() != b.size() || a.empty()) return false;
  for (std::size_t k = 0; k < a.size(); ++k) {
    SPARKMILL_ASSIGN(const Bytes left, read_file(a[k], unit::kMaxResultBytes));
    SPARKMILL_ASSIGN(const Bytes right, read_file(b[k], unit::kMaxResultBytes));
    const auto answer_left = unit::answer_of(left);
    const auto answer_right = unit::answer_of(right);
    if (!answer_left || !answer_right || *answer_left != *answer_right) return false;
    if (unit::decode_result(left)->unit_id != unit::decode_result(right)->unit_id) return false;
  }
  return true;
}

}  // namespace sparkmill::boinc::server
