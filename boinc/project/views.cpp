// SPDX-License-Identifier: Apache-2.0
// What the pages and the statistics show.
#include "boinc/project/books.h"

namespace sparkmill::boinc::project {

Result<Overview> Books::overview(std::size_t rows) {
  return transact("overview", [&]() -> Result<Overview> {
    Overview out;
    {
      auto q = db_->prepare(
          "SELECT id, created_ms, name, email, cross_project_id, credit, average, average_ms FROM user ORDER BY credit "
          "DESC, id");
      q.reset();
      while (q.step()) {
        out.users.push_back({q.integer(0), q.integer(1), q.str(2), q.str(3), q.str(4), q.integer(5),
                             static_cast<double>(q.integer(6)), q.integer(7)});
      }
    }
    {
      auto q = db_->prepare("SELECT id, user_id, seen_ms, credit, name, cpu FROM host ORDER BY id");
      while (q.step()) {
        out.hosts.push_back({q.integer(0), q.integer(1), q.integer(2), q.integer(3), q.str(4), q.str(5)});
      }
    }
    {
      auto q = db_->prepare(
          "SELECT u.id, u.name, u.app, coalesce(r.name, ''), u.note, u.error_mask, u.assimilation FROM unit u LEFT "
          "JOIN "
          "result r ON r.id = u.canonical ORDER BY u.id DESC LIMIT ?");
      q.all(rows);
      while (q.step()) {
        out.units.push_back({q.integer(0), q.str(1), q.str(2), q.str(3), q.str(4), static_cast<unsigned>(q.integer(5)),
                             static_cast<Assimilation>(q.integer(6)) == Assimilation::done});
      }
    }
    {
      auto q = db_->prepare(
          "SELECT r.name, u.name, r.outcome, r.validity, r.state, r.note, r.host_id, r.user_id, r.exit_status, "
          "r.sent_ms, "
          "r.deadline_ms, r.received_ms, r.credit, r.device, r.elapsed_ms, r.cpu_ms FROM result r JOIN unit u ON u.id "
          "= r.unit_id ORDER BY "
          "r.id "
          "DESC LIMIT ?");
      q.all(rows);
      while (q.step()) {
        ResultView v;
        v.name = q.str(0);
        v.unit = q.str(1);
        const auto outcome = static_cast<Outcome>(q.integer(2));
        v.outcome = std::string(name(outcome));
        const bool checked = outcome == Outcome::success || outcome == Outcome::validate_error;
        v.validity = checked ? std::string(name(static_cast<Validity>(q.integer(3)))) : std::string();
        v.state = std::string(name(static_cast<ServerState>(q.integer(4))));
        v.note = q.str(5);
        v.host = q.integer(6);
        v.user = q.integer(7);
        v.exit_status = q.integer(8);
        v.sent_ms = q.integer(9);
        v.deadline_ms = q.integer(10);
        v.received_ms = q.integer(11);
        v.credit_microcobble = q.integer(12);
        v.device = q.str(13);
        v.elapsed_ms = q.integer(14);
        v.cpu_ms = q.integer(15);
        out.results.push_back(std::move(v));
      }
    }
    const auto count = [&](const char* what, const char* sql) {
      auto q = db_->prepare(sql);
      q.step();
      out.counts[what] = q.integer(0);
    };
    count("units", "SELECT count(*) FROM unit");
    count("units_assimilated", "SELECT count(*) FROM unit WHERE assimilation = 2 AND error_mask = 0");
    count("units_failed", "SELECT count(*) FROM unit WHERE error_mask != 0");
    count("results_unsent", "SELECT count(*) FROM result WHERE state = 2");
    count("results_in_progress", "SELECT count(*) FROM result WHERE state = 4");
    count("results_valid", "SELECT count(*) FROM result WHERE validity = 1");
    count("results_invalid", "SELECT count(*) FROM result WHERE validity = 2");
    count("results_no_reply", "SELECT count(*) FROM result WHERE outcome = 4");
    count("results_error", "SELECT count(*) FROM result WHERE outcome = 3");
    return out;
  });
}

}  // namespace sparkmill::boinc::project
