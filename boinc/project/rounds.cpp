// SPDX-License-Identifier: Apache-2.0
// Transitioner, and what validator and assimilator do to the books.
#include <algorithm>

#include "boinc/project/books.h"

namespace sparkmill::boinc::project {

namespace {

constexpr std::size_t kNoteBytes = 500;

std::string short_note(const std::string& note) { return note.substr(0, kNoteBytes); }

}  // namespace

void Books::look_at(std::int64_t id) {
  Unit unit;
  std::string unit_name;
  {
    auto q = db_->prepare(
        "SELECT name, quorum, target, max_error, max_total, max_success, canonical, error_mask, assimilation FROM unit "
        "WHERE id = ?");
    q.all(id);
    if (!q.step()) return;
    unit_name = q.str(0);
    const auto count = [&](int column) { return static_cast<std::uint32_t>(q.integer(column)); };
    unit.limits = {count(1), count(2), count(3), count(4), count(5)};
    if (!q.is_null(6)) unit.canonical = q.integer(6);
    unit.error_mask = static_cast<unsigned>(q.integer(7));
    unit.assimilation = static_cast<Assimilation>(q.integer(8));
  }
  std::vector<Instance> instances;
  {
    auto q = db_->prepare("SELECT id, state, outcome, validity, deadline_ms FROM result WHERE unit_id = ? ORDER BY id");
    q.all(id);
    while (q.step()) {
      instances.push_back({q.integer(0), static_cast<ServerState>(q.integer(1)), static_cast<Outcome>(q.integer(2)),
                           static_cast<Validity>(q.integer(3)), q.integer(4)});
    }
  }
  Change change = look(unit, instances, now());
  for (const std::int64_t result : change.no_reply) {
    run("UPDATE result SET state = ?, outcome = ?, note = 'no answer before its deadline' WHERE id = ?",
        ServerState::over, Outcome::no_reply, result);
  }
  for (const std::int64_t result : change.not_needed) {
    run("UPDATE result SET state = ?, outcome = ? WHERE id = ?", ServerState::over, Outcome::not_needed, result);
  }
  for (std::uint32_t i = 0; i < change.fresh; ++i) {
    make_result(id, unit_name, static_cast<std::uint32_t>(instances.size()) + i);
  }
  run("UPDATE unit SET error_mask = ? WHERE id = ?", change.error_mask, id);
  if (change.validate) run("UPDATE unit SET validate_ms = coalesce(validate_ms, ?) WHERE id = ?", now(), id);
  if (change.assimilate) {
    run("UPDATE unit SET assimilation = ?, assimilate_ms = ? WHERE id = ?", Assimilation::ready, now(), id);
  }
  if (change.next_ms == INT64_MAX) {
    run("UPDATE unit SET look_ms = NULL WHERE id = ?", id);
  } else {
    run("UPDATE unit SET look_ms = ? WHERE id = ?", change.next_ms, id);
  }
}

Result<std::size_t> Books::transition() {
  return transact("transitioner", [&]() -> Result<std::size_t> {
    std::vector<std::int64_t> due;
    {
      auto q = db_->prepare("SELECT id FROM unit WHERE look_ms IS NOT NULL AND look_ms <= ? ORDER BY id LIMIT 1000");
      q.all(now());
      while (q.step()) due.push_back(q.integer(0));
    }
    for (const std::int64_t id : due) look_at(id);
    return due.size();
  });
}

Result<std::optional<ToValidate>> Books::next_to_validate() {
  return transact("validator", [&]() -> Result<std::optional<ToValidate>> {
    ToValidate out;
    std::int64_t canonical = 0;
    {
      auto q = db_->prepare(
          "SELECT id, name, quorum, target, max_error, max_total, max_success, coalesce(canonical, 0) FROM unit WHERE "
          "validate_ms IS NOT NULL AND validate_ms <= ? ORDER BY validate_ms, id LIMIT 1");
      q.all(now());
      if (!q.step()) return std::optional<ToValidate>();
      out.unit = q.integer(0);
      out.name = q.str(1);
      const auto count = [&](int column) { return static_cast<std::uint32_t>(q.integer(column)); };
      out.limits = {count(2), count(3), count(4), count(5), count(6)};
      canonical = q.integer(7);
    }
    auto q = db_->prepare(
        "SELECT id, name FROM result WHERE unit_id = ? AND state = ? AND outcome = ? AND (validity IN (?, ?) OR id = "
        "?) "
        "ORDER BY id");
    q.all(out.unit, ServerState::over, Outcome::success, Validity::init, Validity::inconclusive, canonical);
    while (q.step()) out.items.push_back({q.integer(0), q.str(1), q.integer(0) == canonical, {}});
    q.reset();
    for (ToValidate::Item& item : out.items) item.files = files_of(item.result);
    return std::optional<ToValidate>(std::move(out));
  });
}

Done Books::validated(std::int64_t unit, const Validation& validation) {
  return transact("validator", [&]() -> Done {
    std::int64_t credit = 0;
    {
      auto q = db_->prepare("SELECT credit FROM unit WHERE id = ?");
      q.all(unit);
      if (!q.step()) return fail(Status::not_found, "that unit is not there");
      credit = q.integer(0);
    }
    for (const Verdict& v : validation.verdicts) {
      // Only what is still open changes: a verdict that comes twice grants nothing twice.
      run("UPDATE result SET validity = ?, outcome = ?, note = ? WHERE id = ? AND unit_id = ? AND validity IN (?, ?)",
          v.validity, v.init_failed ? Outcome::validate_error : Outcome::success, short_note(v.note), v.result, unit,
          Validity::init, Validity::inconclusive);
      if (v.validity == Validity::valid && db_->changes() == 1) grant(v.result, credit);
    }
    if (validation.canonical) {
      run("UPDATE unit SET canonical = coalesce(canonical, ?) WHERE id = ?", *validation.canonical, unit);
    }
    if (validation.target) run("UPDATE unit SET target = max(target, ?) WHERE id = ?", *validation.target, unit);
    run("UPDATE unit SET error_mask = error_mask | ?, validate_ms = NULL, look_ms = ?, note = '' WHERE id = ?",
        validation.error_mask, now(), unit);
    return done();
  });
}

Result<std::optional<ToAssimilate>> Books::next_to_assimilate() {
  return transact("assimilator", [&]() -> Result<std::optional<ToAssimilate>> {
    ToAssimilate out;
    std::int64_t canonical = 0;
    {
      auto q = db_->prepare(
          "SELECT id, name, batch, error_mask, coalesce(canonical, 0) FROM unit WHERE assimilation = ? AND "
          "assimilate_ms "
          "<= ? ORDER BY assimilate_ms, id LIMIT 1");
      q.all(Assimilation::ready, now());
      if (!q.step()) return std::optional<ToAssimilate>();
      out.unit = q.integer(0);
      out.name = q.str(1);
      out.batch = q.integer(2);
      out.error_mask = static_cast<unsigned>(q.integer(3));
      canonical = q.integer(4);
    }
    if (canonical != 0) {
      auto q =
          db_->prepare("SELECT id, name, user_id, host_id FROM result WHERE unit_id = ? AND validity = ? ORDER BY id");
      q.all(out.unit, Validity::valid);
      while (q.step()) {
        if (q.integer(0) == canonical) out.result = q.str(1);
        out.owners.push_back({q.str(1), q.integer(2), q.integer(3)});
      }
      out.files = files_of(canonical);
    }
    return std::optional<ToAssimilate>(std::move(out));
  });
}

Done Books::assimilated(std::int64_t unit) {
  return transact("assimilator", [&]() -> Done {
    run("UPDATE unit SET assimilation = ?, assimilate_ms = NULL, note = '' WHERE id = ?", Assimilation::done, unit);
    return done();
  });
}

Result<std::vector<std::string>> Books::deletable_files(std::size_t limit) {
  return transact("file deleter", [&]() -> Result<std::vector<std::string>> {
    std::vector<std::string> out;
    auto q = db_->prepare(
        "SELECT o.name FROM output o JOIN result r ON r.id = o.result_id JOIN unit u ON u.id = r.unit_id WHERE "
        "o.complete = 1 AND u.assimilation = ?1 AND r.received_ms <= ?2 AND NOT EXISTS (SELECT 1 FROM result x WHERE "
        "x.unit_id = u.id AND x.state <> ?3) ORDER BY o.result_id, o.pos LIMIT ?4");
    q.all(Assimilation::done, now() - std::int64_t{policy_.keep_files_s} * 1000, ServerState::over, limit);
    while (q.step()) out.push_back(q.str(0));
    return out;
  });
}

Done Books::file_deleted(const std::string& name) {
  return transact("file deleter", [&]() -> Done {
    run("UPDATE output SET complete = 2 WHERE name = ?", name);  // known, so that a late upload brings it back not
    return done();
  });
}

Done Books::try_later(std::int64_t unit, const std::string& note) {
  return transact("unit", [&]() -> Done {
    const std::int64_t then = now() + static_cast<std::int64_t>(policy_.retry_ms);
    run("UPDATE unit SET note = ?, validate_ms = CASE WHEN validate_ms IS NULL THEN NULL ELSE ? END, assimilate_ms = "
        "CASE "
        "WHEN assimilate_ms IS NULL THEN NULL ELSE ? END WHERE id = ?",
        short_note(note), then, then, unit);
    return done();
  });
}

}  // namespace sparkmill::boinc::project
