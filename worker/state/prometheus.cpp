// SPDX-License-Identifier: Apache-2.0
// The state in Prometheus text format 0.0.4. A value that is not known has no sample.
#include <fmt/format.h>

#include <map>

#include "worker/state/state.h"

namespace sparkmill::worker {

namespace {

std::string escaped(std::string_view value) {
  std::string out;
  for (char c : value) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '"') {
      out += "\\\"";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

using Labels = std::vector<std::pair<std::string_view, std::string>>;

class Page {
 public:
  void metric(std::string_view name, std::string_view type, std::string_view help) {
    name_ = "sparkmill_" + std::string(name);
    out_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name_, help, name_, type);
  }
  void sample(double value, const Labels& labels = {}) {
    out_ += name_;
    std::string inside;
    for (const auto& [key, text] : labels) {
      inside += fmt::format("{}{}=\"{}\"", inside.empty() ? "" : ",", key, escaped(text));
    }
    if (!inside.empty()) out_ += "{" + inside + "}";
    out_ += fmt::format(" {}\n", value);
  }
  void one(std::string_view name, std::string_view type, std::string_view help, double value) {
    metric(name, type, help);
    sample(value);
  }
  std::string text() && { return std::move(out_); }

 private:
  std::string out_;
  std::string name_;
};

void add_devices(Page& page, const Snapshot& s) {
  static constexpr Activity kAll[] = {Activity::running, Activity::waiting,     Activity::paused,
                                      Activity::cooling, Activity::quarantined, Activity::absent};
  page.metric("device_info", "gauge", "What a device is; always 1.");
  for (const auto& d : s.devices) {
    page.sample(1, {{"device", d.id}, {"name", d.name}, {"driver", d.driver}, {"kernel", d.kernel}});
  }
  page.metric("device_state", "gauge", "1 for the state a device is in, 0 for the others.");
  for (const auto& d : s.devices) {
    for (Activity a : kAll) page.sample(d.activity == a ? 1 : 0, {{"device", d.id}, {"state", std::string(name(a))}});
  }
  page.metric("device_reason", "gauge", "1 for each reason why a device does not run.");
  for (const auto& d : s.devices) {
    std::map<std::string, bool> once;
    for (const auto& r : d.reasons) {
      if (once.emplace(r.code, true).second) page.sample(1, {{"device", d.id}, {"code", r.code}});
    }
  }
  page.metric("device_rate_per_second", "gauge", "Units of work a second from finished slices.");
  for (const auto& d : s.devices) {
    if (d.slices == 0) continue;
    const std::string unit = d.rate_unit.substr(0, d.rate_unit.find('/'));
    page.sample(d.rate.s10, {{"device", d.id}, {"unit", unit}, {"window", "10s"}});
    page.sample(d.rate.s60, {{"device", d.id}, {"unit", unit}, {"window", "60s"}});
    page.sample(d.rate.m15, {{"device", d.id}, {"unit", unit}, {"window", "15m"}});
  }
  page.metric("device_hash_rate_per_second", "gauge", "Tensority hashes a second from finished slices.");
  for (const auto& d : s.devices) {
    if (d.hash_rate.m15 == 0) continue;
    page.sample(d.hash_rate.s10, {{"device", d.id}, {"window", "10s"}});
    page.sample(d.hash_rate.s60, {{"device", d.id}, {"window", "60s"}});
    page.sample(d.hash_rate.m15, {{"device", d.id}, {"window", "15m"}});
  }
  page.metric("device_signature_rate_per_second", "gauge", "Signatures a second from finished slices.");
  for (const auto& d : s.devices) {
    if (d.signature_rate.m15 == 0) continue;
    page.sample(d.signature_rate.s10, {{"device", d.id}, {"window", "10s"}});
    page.sample(d.signature_rate.s60, {{"device", d.id}, {"window", "60s"}});
    page.sample(d.signature_rate.m15, {{"device", d.id}, {"window", "15m"}});
  }
  page.metric("device_busy_seconds_total", "counter", "Time spent in kernels, summed over lanes.");
  for (const auto& d : s.devices) page.sample(static_cast<double>(d.busy_ms) / 1000, {{"device", d.id}});
  page.metric("device_lanes", "gauge", "Kernel instances of a device.");
  for (const auto& d : s.devices) page.sample(d.lanes, {{"device", d.id}});
  page.metric("device_slices_total", "counter", "Slices finished.");
  for (const auto& d : s.devices) page.sample(static_cast<double>(d.slices), {{"device", d.id}});
  page.metric("device_errors_total", "counter", "Slices that failed.");
  for (const auto& d : s.devices) page.sample(static_cast<double>(d.errors), {{"device", d.id}});
}

void add_source(Page& page, const SourceState& s) {
  page.metric("source_connected", "gauge", "1 while the source of jobs answers.");
  page.sample(s.state == "connected" ? 1 : 0, {{"source", s.name}});
  page.metric("source_latency_seconds", "gauge", "Round trip to the source.");
  if (s.state == "connected") page.sample(static_cast<double>(s.latency_ms) / 1000);
  page.one("source_switches_total", "counter", "Changes from one source to another.", static_cast<double>(s.switches));
  page.metric("source_height_blocks", "gauge", "Height of the last block of the source.");
  if (s.height != 0) page.sample(static_cast<double>(s.height));
}

void add_mining(Page& page, const MiningState& m) {
  if (!m.on) return;
  page.metric("mining_connected", "gauge", "1 while the source of mining work is connected.");
  page.sample(m.state == "connected" ? 1 : 0, {{"source", m.source}});
  page.one("mining_hashes_total", "counter", "Nonces tried.", static_cast<double>(m.hashes));
  page.metric("mining_shares_total", "counter", "Shares by how they ended.");
  page.sample(static_cast<double>(m.accepted), {{"end", "accepted"}});
  page.sample(static_cast<double>(m.stale), {{"end", "stale"}});
  page.sample(static_cast<double>(m.rejected), {{"end", "rejected"}});
  page.sample(static_cast<double>(m.unknown), {{"end", "unknown"}});
  page.sample(static_cast<double>(m.wrong), {{"end", "wrong"}});
  page.sample(static_cast<double>(m.too_late), {{"end", "too_late"}});
  page.metric("mining_share_reasons_total", "counter", "Shares that were not accepted, by end and reason.");
  for (const auto& [what, count] : m.reasons) {
    const std::size_t dot = what.find('.');
    page.sample(static_cast<double>(count), {{"end", what.substr(0, dot)}, {"reason", what.substr(dot + 1)}});
  }
  page.metric("mining_device_shares_total", "counter", "Shares of each device since the start, by how they ended.");
  for (const DeviceShareState& d : m.devices) {
    page.sample(static_cast<double>(d.accepted), {{"device", d.id}, {"end", "accepted"}});
    page.sample(static_cast<double>(d.stale), {{"device", d.id}, {"end", "stale"}});
    page.sample(static_cast<double>(d.rejected), {{"device", d.id}, {"end", "rejected"}});
    page.sample(static_cast<double>(d.unknown), {{"device", d.id}, {"end", "unknown"}});
    page.sample(static_cast<double>(d.wrong), {{"device", d.id}, {"end", "wrong"}});
  }
  page.one("mining_blocks_total", "counter", "Accepted shares that made a block.", static_cast<double>(m.blocks));
  page.metric("mining_share_difficulty_hashes", "gauge", "Hashes expected for a share.");
  if (m.share_difficulty != 0) page.sample(m.share_difficulty);
}

void add_boinc(Page& page, const BoincState& b) {
  if (!b.on) return;
  const bool there = b.state == "connected";
  page.one("boinc_connected", "gauge", "1 while a BOINC client answers on this machine.", there ? 1 : 0);
  page.one("boinc_results_total", "counter", "Finished BOINC results that were recorded.",
           static_cast<double>(b.results));
  page.one("boinc_results_failed_total", "counter", "Of these, failed ones.", static_cast<double>(b.failed));
  page.metric("boinc_receipts", "gauge", "Receipts of BOINC projects of our own, by what the node made of them.");
  page.sample(static_cast<double>(b.receipts_credited), {{"state", "credited"}});
  page.sample(static_cast<double>(b.receipts_waiting), {{"state", "waiting"}});
  page.sample(static_cast<double>(b.receipts_refused), {{"state", "refused"}});
  page.one("boinc_credit_cobblestones_total", "counter", "Credit of the node for these receipts.",
           static_cast<double>(b.credit_microcobble) / 1e6);
  if (!there) return;
  page.one("boinc_tasks", "gauge", "Tasks the BOINC client holds.", static_cast<double>(b.task_count));
  page.one("boinc_tasks_running", "gauge", "Tasks the BOINC client runs.", static_cast<double>(b.running));
  page.metric("boinc_suspended", "gauge", "1 for each reason why the BOINC client does not compute.");
  for (const std::string& code : b.suspended) page.sample(1, {{"code", code}});
  page.metric("boinc_host_credit_cobblestones", "gauge", "Credit of this host as the project last said.");
  for (const auto& p : b.projects) page.sample(p.host_credit, {{"project", p.url}});
}

void add_jobs(Page& page, const Snapshot& s) {
  std::map<std::string, double> phases;
  for (const auto& j : s.jobs) phases[j.phase] += 1;
  page.metric("jobs", "gauge", "Jobs held, by phase.");
  for (const auto& [phase, count] : phases) page.sample(count, {{"phase", phase}});
  page.metric("job_progress_ratio", "gauge", "Done part of each job, 0 to 1.");
  for (const auto& j : s.jobs) page.sample(j.progress, {{"job", j.id}, {"kind", j.kind}});
}

}  // namespace

std::string to_prometheus(const Snapshot& s, const Clock& clock) {
  Page page;
  page.metric("build_info", "gauge", "Version of the worker; always 1.");
  page.sample(1, {{"version", s.version}});
  const std::uint64_t now = clock.unix_ms();
  page.one("uptime_seconds", "gauge", "Time since the worker started.",
           now > s.started_ms ? static_cast<double>(now - s.started_ms) / 1000 : 0);
  page.metric("mode", "gauge", "1 for the mode the worker is in, 0 for the others.");
  for (const char* mode : {"running", "paused", "finishing", "stopping"}) {
    page.sample(s.mode == mode ? 1 : 0, {{"mode", mode}});
  }
  add_source(page, s.source);
  add_mining(page, s.mining);
  add_boinc(page, s.boinc);
  add_jobs(page, s);
  add_devices(page, s);
  page.metric("results_total", "counter", "Results by the node's verdict.");
  page.sample(static_cast<double>(s.results.accepted), {{"verdict", "accepted"}});
  page.sample(static_cast<double>(s.results.stale), {{"verdict", "stale"}});
  page.sample(static_cast<double>(s.results.rejected), {{"verdict", "rejected"}});
  page.sample(static_cast<double>(s.results.wrong), {{"verdict", "wrong"}});
  page.one("items_checked_total", "counter", "Signatures and blocks decided in accepted jobs.",
           static_cast<double>(s.items_checked));
  page.one("pairs_found_total", "counter", "Matched pairs found.", static_cast<double>(s.pairs_found));
  page.metric("credit_cobblestones", "gauge", "Credit of this worker as the node last said.");
  if (!s.source.node_pub.empty()) page.sample(static_cast<double>(s.credit_microcobble) / 1e6);
  page.metric("balance_btk", "gauge", "Balance of this worker as the node last said.");
  if (!s.source.node_pub.empty()) page.sample(static_cast<double>(s.balance_units) / 1e8);
  page.one("store_queued_results", "gauge", "Finished results without a receipt yet.",
           static_cast<double>(s.store_queued));
  page.one("store_bytes", "gauge", "Size of the store on disk.", static_cast<double>(s.store_bytes));
  return std::move(page).text();
}

}  // namespace sparkmill::worker
