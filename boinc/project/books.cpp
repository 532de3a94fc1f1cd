// SPDX-License-Identifier: Apache-2.0
#include "boinc/project/books.h"

namespace sparkmill::boinc::project {

namespace {

constexpr std::string_view kSchema = R"(
CREATE TABLE IF NOT EXISTS user(
  id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL, passwd TEXT NOT NULL,
  authenticator TEXT NOT NULL UNIQUE, cross_project_id TEXT NOT NULL, created_ms INTEGER NOT NULL,
  credit INTEGER NOT NULL DEFAULT 0, average INTEGER NOT NULL DEFAULT 0, average_ms INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS host(
  id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES user(id), cpid TEXT NOT NULL, seqno INTEGER NOT NULL,
  created_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, name TEXT NOT NULL, cpu TEXT NOT NULL,
  credit INTEGER NOT NULL DEFAULT 0, average INTEGER NOT NULL DEFAULT 0, average_ms INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS unit(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, app TEXT NOT NULL, batch INTEGER NOT NULL,
  command_line TEXT NOT NULL, fpops_est INTEGER NOT NULL, fpops_bound INTEGER NOT NULL, memory INTEGER NOT NULL,
  disk INTEGER NOT NULL, delay_s INTEGER NOT NULL, credit INTEGER NOT NULL, quorum INTEGER NOT NULL,
  target INTEGER NOT NULL, max_error INTEGER NOT NULL, max_total INTEGER NOT NULL, max_success INTEGER NOT NULL,
  created_ms INTEGER NOT NULL, canonical INTEGER, error_mask INTEGER NOT NULL DEFAULT 0,
  assimilation INTEGER NOT NULL DEFAULT 0, look_ms INTEGER, validate_ms INTEGER, assimilate_ms INTEGER,
  note TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS unit_look ON unit(look_ms) WHERE look_ms IS NOT NULL;
CREATE TABLE IF NOT EXISTS input(
  unit_id INTEGER NOT NULL REFERENCES unit(id), pos INTEGER NOT NULL, name TEXT NOT NULL, open_name TEXT NOT NULL,
  copy INTEGER NOT NULL, nbytes INTEGER NOT NULL, md5 TEXT NOT NULL, PRIMARY KEY(unit_id, pos));
CREATE TABLE IF NOT EXISTS slot(
  unit_id INTEGER NOT NULL REFERENCES unit(id), pos INTEGER NOT NULL, open_name TEXT NOT NULL,
  max_nbytes INTEGER NOT NULL, optional INTEGER NOT NULL, PRIMARY KEY(unit_id, pos));
CREATE TABLE IF NOT EXISTS result(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, unit_id INTEGER NOT NULL REFERENCES unit(id),
  state INTEGER NOT NULL, outcome INTEGER NOT NULL DEFAULT 0, validity INTEGER NOT NULL DEFAULT 0,
  host_id INTEGER NOT NULL DEFAULT 0, user_id INTEGER NOT NULL DEFAULT 0, version INTEGER NOT NULL DEFAULT 0,
  platform TEXT NOT NULL DEFAULT '', plan_class TEXT NOT NULL DEFAULT '', device TEXT NOT NULL DEFAULT '',
  flops INTEGER NOT NULL DEFAULT 0, sent_ms INTEGER NOT NULL DEFAULT 0, deadline_ms INTEGER NOT NULL DEFAULT 0,
  received_ms INTEGER NOT NULL DEFAULT 0, exit_status INTEGER NOT NULL DEFAULT 0, cpu_ms INTEGER NOT NULL DEFAULT 0,
  elapsed_ms INTEGER NOT NULL DEFAULT 0, stderr TEXT NOT NULL DEFAULT '', credit INTEGER NOT NULL DEFAULT 0,
  note TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS result_unit ON result(unit_id);
CREATE INDEX IF NOT EXISTS result_state ON result(state, id);
CREATE INDEX IF NOT EXISTS result_host ON result(host_id, state);
CREATE TABLE IF NOT EXISTS output(
  result_id INTEGER NOT NULL REFERENCES result(id), pos INTEGER NOT NULL, name TEXT NOT NULL UNIQUE,
  open_name TEXT NOT NULL, max_nbytes INTEGER NOT NULL, optional INTEGER NOT NULL, complete INTEGER NOT NULL DEFAULT 0,
  nbytes INTEGER NOT NULL DEFAULT 0, md5 TEXT NOT NULL DEFAULT '', PRIMARY KEY(result_id, pos));
)";
constexpr std::int64_t kVersion = 1;

}  // namespace

Result<std::unique_ptr<Books>> Books::open(const std::filesystem::path& file, const Catalog& catalog,
                                           const Clock& clock, Policy policy) {
  SPARKMILL_ASSIGN(auto db, sqlite::Database::open(file, true));
  std::unique_ptr<Books> out(new Books(std::move(db), catalog, clock, policy));
  const Done made = sqlite::guarded(file.string(), [&]() -> Done {
    auto version = out->db_->prepare("PRAGMA user_version");
    version.step();
    const std::int64_t found = version.integer(0);
    version.reset();
    if (found > kVersion) {
      return fail(Status::unsupported, file.string() + ": made by a newer sparkmill-project",
                  "use that one, or another folder");
    }
    sqlite::Transaction transaction(*out->db_);
    out->db_->exec(kSchema);
    out->db_->exec("PRAGMA user_version = " + std::to_string(kVersion));
    transaction.commit();
    return done();
  });
  if (!made) return made.error();
  return out;
}

std::string UserView::external_cpid() const { return md5_hex(cross_project_id + email); }

std::string_view name(ServerState state) {
  switch (state) {
    case ServerState::unsent: return "unsent";
    case ServerState::in_progress: return "in progress";
    case ServerState::over: return "over";
  }
  return "over";
}

std::string_view name(Outcome outcome) {
  switch (outcome) {
    case Outcome::none: return "";
    case Outcome::success: return "success";
    case Outcome::could_not_send: return "could not send";
    case Outcome::client_error: return "client error";
    case Outcome::no_reply: return "no reply";
    case Outcome::not_needed: return "not needed";
    case Outcome::validate_error: return "validate error";
    case Outcome::detached: return "detached";
  }
  return "";
}

std::string_view name(Validity validity) {
  switch (validity) {
    case Validity::init: return "waits";
    case Validity::valid: return "valid";
    case Validity::invalid: return "invalid";
    case Validity::no_check: return "no check";
    case Validity::inconclusive: return "inconclusive";
    case Validity::too_late: return "too late";
  }
  return "waits";
}

std::string error_mask_text(unsigned mask) {
  std::string out;
  const auto add = [&](unsigned bit, std::string_view text) {
    if ((mask & bit) != 0) out += (out.empty() ? "" : ", ") + std::string(text);
  };
  add(kTooManyErrors, "too many errors");
  add(kTooManySuccesses, "too many results without agreement");
  add(kTooManyTotal, "too many instances");
  add(kCancelled, "cancelled");
  return out;
}

}  // namespace sparkmill::boinc::project
