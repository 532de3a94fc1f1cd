// SPDX-License-Identifier: Apache-2.0
// Units and their results in the books.
#include <algorithm>

#include "base/hash.h"
#include "boinc/project/books.h"

namespace sparkmill::boinc::project {

namespace {

/// A result's name is the unit's and "_N"; an output's has a random part and a number more.
constexpr std::size_t kMaxUnitName = 200;
constexpr std::size_t kMaxCommandLine = 4096;
constexpr std::uint32_t kMaxInstances = 100;
constexpr std::uint64_t kMaxOutput = 256u << 20;  ///< what our own results may have, at most

Done check(const UnitSpec& u, Repeat repeat) {
  const auto bad = [&](const std::string& what, const std::string& hint = {}) {
    return fail(Status::bad_input, "work unit " + u.name.substr(0, 80) + ": " + what, hint);
  };
  if (!legal_name(u.name) || u.name.size() > kMaxUnitName) return bad("cannot be a name");
  if (u.command_line.size() > kMaxCommandLine) return bad("command_line is over 4096 bytes");
  if (u.fpops_est <= 0 || u.fpops_bound < u.fpops_est) {
    return bad("fpops_est must be positive and fpops_bound not below it");
  }
  if (u.memory_bytes <= 0 || u.disk_bytes <= 0) return bad("memory and disk bounds must be positive");
  if (u.delay_s < 1 || u.delay_s > 365 * 86'400) return bad("delay_bound is not in 1 s to a year");
  if (u.credit_microcobble < 0 || u.credit_microcobble > 1'000'000'000'000) return bad("credit is out of range");
  const Limits& l = u.limits;
  if (l.quorum < 1 || l.target < l.quorum || l.max_total < l.target || l.max_total > kMaxInstances ||
      l.max_success < l.quorum) {
    return bad(
        "limits must keep 1 <= min_quorum <= target_nresults <= max_total_results <= 100 and "
        "min_quorum <= max_success_results");
  }
  if (repeat == Repeat::any && l.quorum > 1) {
    return bad("one host could confirm itself", "quorum 2 needs --one-result-per user or host");
  }
  if (u.outputs.empty()) return bad("no output file");
  for (const OutputSlot& o : u.outputs) {
    if (!legal_name(o.open_name)) return bad("'" + o.open_name.substr(0, 80) + "' cannot be an output's open_name");
    if (o.max_nbytes == 0 || o.max_nbytes > kMaxOutput) return bad("max_nbytes of an output is not in 1 to 256 MiB");
  }
  for (const InputFile& i : u.inputs) {
    if (!legal_name(i.name) || (!i.open_name.empty() && !legal_name(i.open_name))) {
      return bad("'" + i.name.substr(0, 80) + "' cannot be an input's name");
    }
  }
  return done();
}

}  // namespace

Done Books::add_unit(const UnitSpec& u) {
  SPARKMILL_TRY(check(u, policy_.repeat));
  if (!catalog_.has_app(u.app)) {
    return fail(Status::not_found, "work unit " + u.name + ": there is no application '" + u.app + "'",
                "add its folder below the application folder and start again");
  }
  return transact("work unit " + u.name, [&]() -> Done {
    auto q = db_->prepare("SELECT id FROM unit WHERE name = ?");
    q.all(u.name);
    if (q.step()) return fail(Status::duplicate, "work unit " + u.name + ": is there already");
    q.reset();
    run("INSERT INTO unit(name, app, batch, command_line, fpops_est, fpops_bound, memory, disk, delay_s, credit, "
        "quorum, target, max_error, max_total, max_success, created_ms, look_ms) VALUES "
        "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        u.name, u.app, u.batch, u.command_line, u.fpops_est, u.fpops_bound, u.memory_bytes, u.disk_bytes, u.delay_s,
        u.credit_microcobble, u.limits.quorum, u.limits.target, u.limits.max_error, u.limits.max_total,
        u.limits.max_success, now(), now());
    const std::int64_t id = db_->last_insert_id();
    for (std::size_t i = 0; i < u.inputs.size(); ++i) {
      const InputFile& f = u.inputs[i];
      run("INSERT INTO input VALUES (?,?,?,?,?,?,?)", id, i, f.name, f.open_name, f.copy, f.nbytes, f.md5);
    }
    for (std::size_t i = 0; i < u.outputs.size(); ++i) {
      const OutputSlot& o = u.outputs[i];
      run("INSERT INTO slot VALUES (?,?,?,?,?)", id, i, o.open_name, o.max_nbytes, o.optional);
    }
    look_at(id);
    return done();
  });
}

Done Books::cancel_unit(const std::string& unit) {
  return transact("work unit " + unit, [&]() -> Done {
    run("UPDATE unit SET error_mask = error_mask | ?, look_ms = ? WHERE name = ? AND assimilation = 0 AND canonical IS "
        "NULL",
        kCancelled, now(), unit);
    if (db_->changes() == 0) return fail(Status::not_found, "work unit " + unit + ": not there, or decided already");
    return done();
  });
}

Done Books::reissue_unit(const std::string& unit) {
  return transact("work unit " + unit, [&]() -> Done {
    auto q = db_->prepare("SELECT id, error_mask, canonical IS NULL FROM unit WHERE name = ?");
    q.all(unit);
    if (!q.step()) return fail(Status::not_found, "work unit " + unit + ": not there");
    const std::int64_t id = q.integer(0);
    const bool given_up = q.integer(1) != 0 && q.integer(2) != 0;
    q.reset();
    if (!given_up) return fail(Status::refused, "work unit " + unit + ": is not given up");
    auto n = db_->prepare(
        "SELECT count(*), total(outcome IN (?1, ?2) OR validity = ?3), total(outcome = ?4), total(outcome = ?4 AND "
        "validity <> ?3) FROM result WHERE unit_id = ?5");
    n.all(Outcome::client_error, Outcome::validate_error, Validity::invalid, Outcome::success, id);
    n.step();
    const std::int64_t instances = n.integer(0), errors = n.integer(1), successes = n.integer(2), good = n.integer(3);
    n.reset();
    run("UPDATE unit SET error_mask = 0, assimilation = 0, assimilate_ms = NULL, note = '', max_error = max_error + "
        "?2, "
        "max_total = max_total + ?3, max_success = max_success + ?4, look_ms = ?5, target = iif(?7 > 0, "
        "max(target, ?7 + 1), target) WHERE id = ?1 AND max_total + ?3 <= ?6",
        id, errors, instances, successes, now(), kMaxInstances, good);
    if (db_->changes() == 0) {
      return fail(Status::refused,
                  "work unit " + unit + ": would have over " + std::to_string(kMaxInstances) + " instances",
                  "make its job again with another --salt");
    }
    return done();
  });
}

UnitSpec Books::unit_of(std::int64_t id) {
  UnitSpec u;
  auto q = db_->prepare(
      "SELECT name, app, command_line, batch, fpops_est, fpops_bound, memory, disk, delay_s, credit, quorum, target, "
      "max_error, max_total, max_success FROM unit WHERE id = ?");
  q.all(id);
  if (!q.step()) throw sqlite::Failure(Status::corrupt, "a result names a unit that is not there");
  u.name = q.str(0);
  u.app = q.str(1);
  u.command_line = q.str(2);
  u.batch = q.integer(3);
  u.fpops_est = q.integer(4);
  u.fpops_bound = q.integer(5);
  u.memory_bytes = q.integer(6);
  u.disk_bytes = q.integer(7);
  u.delay_s = q.integer(8);
  u.credit_microcobble = q.integer(9);
  const auto count = [&](int column) { return static_cast<std::uint32_t>(q.integer(column)); };
  u.limits = {count(10), count(11), count(12), count(13), count(14)};
  auto in = db_->prepare("SELECT name, open_name, copy, nbytes, md5 FROM input WHERE unit_id = ? ORDER BY pos");
  in.all(id);
  while (in.step()) {
    u.inputs.push_back(
        {in.str(0), in.str(1), in.integer(2) != 0, static_cast<std::uint64_t>(in.integer(3)), in.str(4)});
  }
  auto out = db_->prepare("SELECT open_name, max_nbytes, optional FROM slot WHERE unit_id = ? ORDER BY pos");
  out.all(id);
  while (out.step()) {
    u.outputs.push_back({out.str(0), static_cast<std::uint64_t>(out.integer(1)), out.integer(2) != 0});
  }
  return u;
}

std::vector<OutputFile> Books::outputs_of(std::int64_t result) {
  std::vector<OutputFile> out;
  auto q = db_->prepare("SELECT name, open_name, max_nbytes, optional FROM output WHERE result_id = ? ORDER BY pos");
  q.all(result);
  while (q.step()) {
    out.push_back({q.str(0), q.str(1), static_cast<std::uint64_t>(q.integer(2)), q.integer(3) != 0});
  }
  return out;
}

std::vector<std::string> Books::files_of(std::int64_t result) {
  std::vector<std::string> out;
  auto q = db_->prepare("SELECT name FROM output WHERE result_id = ? AND complete = 1 ORDER BY pos");
  q.all(result);
  while (q.step()) out.push_back(q.str(0));
  return out;
}

void Books::make_result(std::int64_t unit, const std::string& unit_name, std::uint32_t seq) {
  const std::string result = unit_name + "_" + std::to_string(seq);
  run("INSERT INTO result(name, unit_id, state) VALUES (?,?,?)", result, unit, ServerState::unsent);
  const std::int64_t id = db_->last_insert_id();
  // Nobody who knows the unit's name can guess where its result is uploaded.
  std::uint32_t random = 0;
  random_bytes({reinterpret_cast<std::uint8_t*>(&random), sizeof random});
  const std::string stem = result + "_r" + std::to_string(random) + "_";
  run("INSERT INTO output(result_id, pos, name, open_name, max_nbytes, optional) SELECT ?, pos, ? || pos, open_name, "
      "max_nbytes, optional FROM slot WHERE unit_id = ?",
      id, stem, unit);
}

Result<ExpectedFile> Books::expected_file(const std::string& file) {
  return transact("output " + file, [&]() -> Result<ExpectedFile> {
    auto q = db_->prepare(
        "SELECT o.max_nbytes, o.complete, o.md5, r.state, r.outcome FROM output o JOIN result r ON r.id = o.result_id "
        "WHERE o.name = ?");
    q.all(file);
    if (!q.step()) return fail(Status::not_found, "no result here has a file " + file);
    ExpectedFile out;
    out.max_nbytes = static_cast<std::uint64_t>(q.integer(0));
    out.complete = q.integer(1) != 0;
    out.md5 = q.str(2);
    const bool over = static_cast<ServerState>(q.integer(3)) == ServerState::over;
    out.frozen = over && static_cast<Outcome>(q.integer(4)) != Outcome::no_reply;
    return out;
  });
}

Done Books::file_arrived(const std::string& file, std::uint64_t nbytes, const std::string& md5) {
  return transact("output " + file, [&]() -> Done {
    run("UPDATE output SET complete = 1, nbytes = ?, md5 = ? WHERE name = ?", nbytes, md5, file);
    return db_->changes() == 1 ? done() : Done(fail(Status::not_found, "no result here has a file " + file));
  });
}

}  // namespace sparkmill::boinc::project
