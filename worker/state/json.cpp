// SPDX-License-Identifier: Apache-2.0
// The state as JSON. Key names and meanings are stable; what is not known is null.
#include <nlohmann/json.hpp>

#include "worker/state/state.h"

namespace sparkmill::worker {

namespace {

using Json = nlohmann::ordered_json;

Json known(const std::string& s) { return s.empty() ? Json(nullptr) : Json(s); }
Json known(std::uint64_t v) { return v == 0 ? Json(nullptr) : Json(v); }

Json known_rate(double v) { return v == 0 ? Json(nullptr) : Json(v); }

Json reasons_json(const std::vector<Reason>& reasons) {
  Json out = Json::array();
  for (const Reason& r : reasons) {
    out.push_back(
        {{"code", r.code}, {"text", r.text}, {"since_ms", known(r.since_ms)}, {"until_ms", known(r.until_ms)}});
  }
  return out;
}

Json eta(const JobState& job) {
  if (job.eta_lo_s < 0 || job.eta_hi_s < 0) return nullptr;
  return Json::array({job.eta_lo_s, job.eta_hi_s});
}

std::string family(const std::string& kind) { return kind.substr(0, kind.find('.')); }

Json device_json(const DeviceState& d) {
  const bool measured = d.slices != 0;  // before the first slice there is no rate, and that is not 0
  const auto rate = [&](double v) { return measured ? Json(v) : Json(nullptr); };
  return {{"id", d.id},
          {"name", known(d.name)},
          {"backend", known(d.backend)},
          {"driver", known(d.driver)},
          {"pci", known(d.pci)},
          {"memory_bytes", known(d.memory_bytes)},
          {"lanes", d.lanes},
          {"state", name(d.activity)},
          {"reasons", reasons_json(d.reasons)},
          {"kernel", known(d.kernel)},
          {"kernel_reason", known(d.kernel_reason)},
          {"batch", known(d.batch)},
          {"rate", rate(d.rate.s60)},
          {"rates", {{"s10", rate(d.rate.s10)}, {"s60", rate(d.rate.s60)}, {"m15", rate(d.rate.m15)}}},
          {"rate_unit", d.rate_unit},
          {"hash_rates",
           {{"s10", known_rate(d.hash_rate.s10)},
            {"s60", known_rate(d.hash_rate.s60)},
            {"m15", known_rate(d.hash_rate.m15)}}},
          {"signature_rates",
           {{"s10", known_rate(d.signature_rate.s10)},
            {"s60", known_rate(d.signature_rate.s60)},
            {"m15", known_rate(d.signature_rate.m15)}}},
          {"busy_ms", d.busy_ms},
          {"slices", d.slices},
          {"temp_c", nullptr},
          {"power_w", nullptr},
          {"fan_pct", nullptr},
          {"errors", d.errors}};
}

Json source_json(const SourceState& s) {
  const bool reached = s.state == "connected";
  return {{"name", known(s.name)},
          {"state", s.state},
          {"detail", known(s.detail)},
          {"latency_ms", reached ? Json(s.latency_ms) : Json(nullptr)},
          {"switches", s.switches},
          {"height", known(s.height)},
          {"node_pub", known(s.node_pub)},
          {"operator_trusted", s.node_pub.empty() ? Json(nullptr) : Json(s.operator_trusted)}};
}

Json mining_json(const MiningState& m) {
  if (!m.on) return nullptr;
  Json devices = Json::array();
  for (const DeviceShareState& d : m.devices) {
    devices.push_back({{"id", d.id},
                       {"accepted", d.accepted},
                       {"stale", d.stale},
                       {"rejected", d.rejected},
                       {"unknown", d.unknown},
                       {"wrong", d.wrong}});
  }
  return {{"source", known(m.source)},
          {"state", m.state},
          {"detail", known(m.detail)},
          {"height", known(m.height)},
          {"share_difficulty", known_rate(m.share_difficulty)},
          {"block_difficulty", known_rate(m.block_difficulty)},
          {"hashes", m.hashes},
          {"shares",
           {{"submitted", m.submitted},
            {"accepted", m.accepted},
            {"stale", m.stale},
            {"rejected", m.rejected},
            {"unknown", m.unknown},
            {"wrong", m.wrong},
            {"too_late", m.too_late}}},
          {"reasons", m.reasons.empty() ? Json::object() : Json(m.reasons)},
          {"devices", devices},
          {"blocks", m.blocks},
          {"latency_ms", known(m.latency_ms)},
          {"switches", m.switches}};
}

Json boinc_json(const BoincState& b) {
  if (!b.on) return nullptr;
  const bool there = b.state == "connected";
  Json projects = Json::array(), tasks = Json::array(), gives = Json::array();
  for (const BoincProjectState& p : b.projects) {
    projects.push_back({{"url", p.url},
                        {"name", known(p.name)},
                        {"host_id", p.host_id == 0 ? Json(nullptr) : Json(p.host_id)},
                        {"user_credit", p.user_credit},
                        {"host_credit", p.host_credit},
                        {"suspended", p.suspended},
                        {"no_more_work", p.no_more_work}});
  }
  for (const BoincGiveState& g : b.gives) {
    gives.push_back({{"device", g.device}, {"share", g.share}, {"code", g.code}, {"text", g.text}});
  }
  for (const BoincTaskState& t : b.tasks) {
    tasks.push_back({{"name", t.name},
                     {"project", t.project},
                     {"phase", t.phase},
                     {"resources", known(t.resources)},
                     {"progress", t.progress},
                     {"elapsed_s", t.elapsed_s},
                     {"left_s", t.left_s}});
  }
  return {{"policy", b.policy},
          {"state", b.state},
          {"address", known(b.address)},
          {"version", known(b.version)},
          {"detail", known(b.detail)},
          {"remark", known(b.remark)},
          {"mode", known(b.mode)},
          {"suspended", there ? Json(b.suspended) : Json(nullptr)},
          {"gpu_suspended", there ? Json(b.gpu_suspended) : Json(nullptr)},
          {"projects", there ? projects : Json(nullptr)},
          {"tasks", there ? tasks : Json(nullptr)},
          {"task_count", there ? Json(b.task_count) : Json(nullptr)},
          {"running", there ? Json(b.running) : Json(nullptr)},
          {"gives", gives},
          {"results",
           {{"finished", b.results},
            {"failed", b.failed},
            {"claims_waiting", b.claims_waiting},
            {"claims_credited", b.claims_credited},
            {"receipts_waiting", b.receipts_waiting},
            {"receipts_credited", b.receipts_credited},
            {"receipts_refused", b.receipts_refused},
            {"credit_microcobble", b.credit_microcobble}}}};
}

}  // namespace

std::string to_json(const Snapshot& s, const Clock& clock, int indent) {
  const std::uint64_t now = clock.unix_ms();
  Json jobs = Json::array();
  Json first = nullptr;
  for (const JobState& j : s.jobs) {
    jobs.push_back({{"id", j.id},
                    {"family", family(j.kind)},
                    {"kind", j.kind},
                    {"phase", j.phase},
                    {"progress", j.progress},
                    {"eta_s", eta(j)},
                    {"units", known(j.units)},
                    {"answers", j.answers},
                    {"deadline_ms", known(j.deadline_ms)}});
    const bool better = first.is_null() || (first["phase"] != "running" && j.phase == "running");
    if (better) first = jobs.back();
  }
  Json devices = Json::array();
  for (const DeviceState& d : s.devices) devices.push_back(device_json(d));
  const bool account_known = !s.source.node_pub.empty();
  const Json tree = {
      {"version", s.version},
      {"uptime_s", now > s.started_ms ? (now - s.started_ms) / 1000 : 0},
      {"mode", s.mode},
      {"reasons", reasons_json(s.reasons)},
      {"worker_pub", known(s.worker_pub)},
      {"source", source_json(s.source)},
      {"mining", mining_json(s.mining)},
      {"boinc", boinc_json(s.boinc)},
      {"job", first},
      {"jobs", jobs},
      {"devices", devices},
      {"results",
       {{"accepted", s.results.accepted},
        {"stale", s.results.stale},
        {"rejected", s.results.rejected},
        {"wrong", s.results.wrong}}},
      {"pairs_found", s.pairs_found},
      {"items_checked", s.items_checked},
      {"credit_microcobble", account_known ? Json(s.credit_microcobble) : Json(nullptr)},
      {"balance_units", account_known ? Json(s.balance_units) : Json(nullptr)},
      {"store", {{"queued", s.store_queued}, {"bytes", s.store_bytes}}},
  };
  return tree.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace sparkmill::worker
