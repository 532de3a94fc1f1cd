// SPDX-License-Identifier: Apache-2.0
#include "boinc/project/pages.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "boinc/xml/write.h"

namespace sparkmill::boinc::project {

namespace {

using xml::escape;

constexpr double kMicro = 1e6;

std::string ago(std::int64_t then_ms, std::int64_t now_ms) {
  if (then_ms == 0) return "";
  const std::int64_t s = (now_ms - then_ms) / 1000;
  return s < 120 ? fmt::format("{} s ago", s) : fmt::format("{} min ago", s / 60);
}

std::string credit(double micro) { return micro == 0 ? "" : fmt::format("{:.6f}", micro / kMicro); }

std::string row(std::initializer_list<std::string> cells) {
  std::string out = "<tr>";
  for (const std::string& c : cells) out += "<td>" + c + "</td>";
  return out + "</tr>\n";
}

std::string table(const std::string& title, std::initializer_list<std::string> heads, const std::string& rows) {
  std::string out = "<h2>" + title + "</h2>\n<table><tr>";
  for (const std::string& h : heads) out += "<th>" + h + "</th>";
  return out + "</tr>\n" + (rows.empty() ? "<tr><td>none</td></tr>\n" : rows) + "</table>\n";
}

std::string unit_state(const UnitView& u) {
  if (u.error_mask != 0) return "failed: " + error_mask_text(u.error_mask);
  if (u.assimilated) return "assimilated";
  return u.canonical.empty() ? "open" : "decided";
}

}  // namespace

std::string status_page(const Face& face, const Overview& o, const Catalog& catalog, std::int64_t now_ms) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<title>" + escape(face.name) +
      "</title>\n<meta name=\"viewport\" content=\"width=device-width\">\n"
      "<style>body{font:16px/1.4 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em}\n"
      "table{border-collapse:collapse}td,th{text-align:left;padding:.15em 1em .15em 0;vertical-align:top}\n"
      "th{border-bottom:1px solid #888}.note{background:#fe9;color:#000;padding:.5em 1em}</style>\n"
      "<!-- BOINC clients look for this line:\n<scheduler>" +
      escape(face.scheduler()) + "</scheduler>\n-->\n</head><body>\n<h1>" + escape(face.name) +
      "</h1>\n<p class=\"note\">A small BOINC project server <b>for tests and demos</b>. Its credit is for show. "
      "Production uses a real BOINC server with the same validator and assimilator.</p>\n";
  out += "<p>Attach: <code>boinccmd --project_attach " + escape(face.master) + " ACCOUNT_KEY</code></p>\n<p>";
  for (const auto& [what, n] : o.counts) out += escape(what) + " " + std::to_string(n) + " &middot; ";
  out +=
      "<a href=\"status.json\">status.json</a> &middot; <a href=\"stats/user.gz\">stats/user.gz</a> &middot; receipts: "
      "<code>public/receipts/RESULT.receipt</code>";
  out += "</p>\n";

  std::string rows;
  for (const UserView& u : o.users) {
    rows += row({std::to_string(u.id), escape(u.name), credit(static_cast<double>(u.credit_microcobble)),
                 credit(u.average_microcobble)});
  }
  out += table("Users", {"id", "name", "credit", "a day"}, rows);
  rows.clear();
  for (const HostView& h : o.hosts) {
    rows += row({std::to_string(h.id), std::to_string(h.user), escape(h.name), escape(h.cpu), ago(h.seen_ms, now_ms),
                 credit(static_cast<double>(h.credit_microcobble))});
  }
  out += table("Hosts", {"id", "user", "name", "processor", "seen", "credit"}, rows);
  rows.clear();
  for (const UnitView& u : o.units) {
    rows +=
        row({std::to_string(u.id), escape(u.name), escape(u.app), unit_state(u), escape(u.canonical), escape(u.note)});
  }
  out += table("Work units, newest first", {"id", "name", "application", "state", "canonical result", "note"}, rows);
  rows.clear();
  for (const ResultView& r : o.results) {
    rows += row({escape(r.name), r.state, r.outcome, r.validity, r.host == 0 ? "" : std::to_string(r.host), r.device,
                 ago(r.sent_ms, now_ms), credit(static_cast<double>(r.credit_microcobble)), escape(r.note)});
  }
  out += table("Results, newest first",
               {"name", "state", "outcome", "validation", "host", "device", "sent", "credit", "note"}, rows);
  rows.clear();
  for (const Version& v : catalog.versions()) {
    rows += row({escape(v.app), fmt::format("{}.{:02}", v.number / 100, v.number % 100), escape(v.platform),
                 escape(v.plan_class), v.device});
  }
  out += table("Applications", {"name", "version", "platform", "plan class", "device"}, rows);
  return out + "</body></html>\n";
}

std::string status_json(const Face& face, const Overview& o) {
  nlohmann::ordered_json j;
  j["purpose"] = "tests and demos";
  j["name"] = face.name;
  j["master_url"] = face.master;
  j["counts"] = o.counts;
  auto& users = j["users"] = nlohmann::ordered_json::array();
  for (const UserView& u : o.users) {
    users.push_back({{"id", u.id},
                     {"name", u.name},
                     {"cpid", u.external_cpid()},
                     {"credit", static_cast<double>(u.credit_microcobble) / kMicro},
                     {"credit_a_day", u.average_microcobble / kMicro}});
  }
  auto& hosts = j["hosts"] = nlohmann::ordered_json::array();
  for (const HostView& h : o.hosts) {
    hosts.push_back({{"id", h.id},
                     {"user", h.user},
                     {"name", h.name},
                     {"seen_ms", h.seen_ms},
                     {"credit", static_cast<double>(h.credit_microcobble) / kMicro}});
  }
  auto& units = j["units"] = nlohmann::ordered_json::array();
  for (const UnitView& u : o.units) {
    units.push_back({{"id", u.id},
                     {"name", u.name},
                     {"app", u.app},
                     {"state", unit_state(u)},
                     {"canonical", u.canonical},
                     {"error_mask", u.error_mask},
                     {"assimilated", u.assimilated},
                     {"note", u.note}});
  }
  auto& results = j["results"] = nlohmann::ordered_json::array();
  for (const ResultView& r : o.results) {
    results.push_back({{"name", r.name},
                       {"unit", r.unit},
                       {"state", r.state},
                       {"outcome", r.outcome},
                       {"validity", r.validity},
                       {"host", r.host},
                       {"user", r.user},
                       {"device", r.device},
                       {"exit_status", r.exit_status},
                       {"sent_ms", r.sent_ms},
                       {"deadline_ms", r.deadline_ms},
                       {"received_ms", r.received_ms},
                       {"elapsed_s", static_cast<double>(r.elapsed_ms) / 1e3},
                       {"cpu_s", static_cast<double>(r.cpu_ms) / 1e3},
                       {"credit", static_cast<double>(r.credit_microcobble) / kMicro},
                       {"note", r.note}});
  }
  return j.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace sparkmill::boinc::project
