// SPDX-License-Identifier: Apache-2.0
#include "boinc/project/reply.h"

#include <boost/crc.hpp>
#include <set>

#include "boinc/xml/write.h"

namespace sparkmill::boinc::project {

namespace {

constexpr double kMicro = 1e6;
constexpr int kSchedulerVersion = 803;  ///< from 507 on clients keep their own preferences

double cobblestones(std::int64_t micro) { return static_cast<double>(micro) / kMicro; }

/// Keys and signatures: lines of hex that must not be touched.
void block(xml::Writer& w, std::string_view name, const std::string& lines) {
  w.open(name).raw(lines);
  if (lines.empty() || lines.back() != '\n') w.raw("\n");
  w.close(name);
}

void version_files(xml::Writer& w, const Version& v, const Face& face) {
  for (const VersionFile& f : v.files) {
    w.open("file_info").text("name", f.name).text("url", face.download(f.name)).flag("executable", f.main);
    block(w, "file_signature", f.signature);
    w.integer("nbytes", static_cast<std::int64_t>(f.nbytes)).close("file_info");
  }
}

void version(xml::Writer& w, const Version& v, double flops) {
  w.open("app_version").text("app_name", v.app).integer("version_num", v.number).text("api_version", v.api_version);
  w.text("platform", v.platform);
  if (!v.plan_class.empty()) w.text("plan_class", v.plan_class);
  w.real("avg_ncpus", v.cpus).real("flops", flops);
  if (!v.command_line.empty()) w.text("cmdline", v.command_line);
  if (v.device != "CPU") w.open("coproc").text("type", v.device).real("count", v.device_count).close("coproc");
  for (const VersionFile& f : v.files) {
    w.open("file_ref").text("file_name", f.name);
    if (!f.open_name.empty()) w.text("open_name", f.open_name);
    w.flag("main_program", f.main).flag("copy_file", f.copy).close("file_ref");
  }
  w.close("app_version");
}

void unit(xml::Writer& w, const UnitSpec& u, const Face& face) {
  for (const InputFile& f : u.inputs) {
    w.open("file_info").text("name", f.name).text("url", face.download(f.name)).text("md5_cksum", f.md5);
    w.integer("nbytes", static_cast<std::int64_t>(f.nbytes)).close("file_info");
  }
  w.open("workunit").text("name", u.name).text("app_name", u.app);
  if (!u.command_line.empty()) w.text("command_line", u.command_line);
  w.real("rsc_fpops_est", static_cast<double>(u.fpops_est)).real("rsc_fpops_bound", static_cast<double>(u.fpops_bound));
  w.real("rsc_memory_bound", static_cast<double>(u.memory_bytes));
  w.real("rsc_disk_bound", static_cast<double>(u.disk_bytes));
  for (const InputFile& f : u.inputs) {
    w.open("file_ref").text("file_name", f.name);
    if (!f.open_name.empty()) w.text("open_name", f.open_name);
    w.flag("copy_file", f.copy).close("file_ref");
  }
  w.close("workunit");
}

void result(xml::Writer& w, const Task& task, const Face& face, const SigningKey& upload_key) {
  for (const OutputFile& f : task.outputs) {
    w.open("file_info").text("name", f.name).flag("generated_locally").flag("upload_when_present");
    w.integer("max_nbytes", static_cast<std::int64_t>(f.max_nbytes)).text("upload_url", face.upload());
    block(w, "xml_signature", upload_key.sign(upload_text(f.name, f.max_nbytes)));
    w.close("file_info");
  }
  w.open("result").text("name", task.result).text("wu_name", task.unit.name);
  w.integer("report_deadline", task.deadline_ms / 1000).text("platform", task.version->platform);
  w.integer("version_num", task.version->number);
  if (!task.version->plan_class.empty()) w.text("plan_class", task.version->plan_class);
  for (const OutputFile& f : task.outputs) {
    w.open("file_ref").text("file_name", f.name).text("open_name", f.open_name).flag("optional", f.optional);
    w.close("file_ref");
  }
  w.flag("report_immediately").close("result");
}

std::string le32(std::uint32_t v) { return {reinterpret_cast<const char*>(&v), sizeof v}; }
std::string le16(std::uint16_t v) { return {reinterpret_cast<const char*>(&v), sizeof v}; }

}  // namespace

std::string Face::download(std::string_view file) const {
  return master + "download/" + spread(file) + "/" + std::string(file);
}

std::string reply_text(const Answer& answer, const Face& face, const Policy& policy, const SigningKey& code_key,
                       const SigningKey& upload_key) {
  xml::Writer w;
  w.open("scheduler_reply").integer("scheduler_version", kSchedulerVersion).flag("dont_use_dcf");
  w.text("master_url", face.master).text("project_name", face.name).integer("request_delay", answer.delay_s);
  for (const auto& [notice, text] : answer.messages) {
    w.raw(notice ? "<message priority=\"notice\">" : "<message priority=\"low\">").raw(xml::escape(text));
    w.raw("</message>\n");
  }
  if (!answer.user) return std::move(w.close("scheduler_reply")).str();
  const UserView& user = *answer.user;
  if (policy.next_rpc_delay_s != 0) w.integer("next_rpc_delay", policy.next_rpc_delay_s);
  w.integer("userid", user.id).text("user_name", user.name).text("team_name", "");
  w.real("user_total_credit", cobblestones(user.credit_microcobble));
  w.real("user_expavg_credit", user.average_microcobble / kMicro);
  w.integer("user_create_time", user.created_ms / 1000);
  w.real("host_total_credit", cobblestones(answer.host_credit_microcobble));
  w.real("host_expavg_credit", answer.host_average_microcobble / kMicro);
  w.text("email_hash", md5_hex(user.email)).text("cross_project_id", user.cross_project_id);
  w.text("external_cpid", user.external_cpid());
  if (answer.new_host != 0) w.integer("hostid", answer.new_host);
  if (answer.needs_key) block(w, "code_sign_key", code_key.public_text());
  for (const std::string& name : answer.acks) w.open("result_ack").text("name", name).close("result_ack");
  for (const std::string& name : answer.aborts) w.open("result_abort").text("name", name).close("result_abort");
  for (const std::string& name : answer.aborts_if_not_started) {
    w.open("result_abort_if_not_started").text("name", name).close("result_abort_if_not_started");
  }
  std::set<std::string> apps, units;
  std::set<const Version*> versions;
  for (const Task& t : answer.tasks) {
    if (apps.insert(t.unit.app).second) {
      w.open("app").text("name", t.unit.app).text("user_friendly_name", t.unit.app).close("app");
    }
    if (versions.insert(t.version).second) {
      version_files(w, *t.version, face);
      version(w, *t.version, t.flops);
    }
    if (units.insert(t.unit.name).second) unit(w, t.unit, face);
    result(w, t, face, upload_key);
  }
  return std::move(w.close("scheduler_reply")).str();
}

std::string refusal_text(const Face& face, const std::string& message, std::uint32_t delay_s) {
  Answer answer;
  answer.delay_s = delay_s;
  xml::Writer w;
  w.open("scheduler_reply").integer("scheduler_version", kSchedulerVersion).text("project_name", face.name);
  w.integer("request_delay", delay_s).raw("<message priority=\"low\">").raw(xml::escape(message)).raw("</message>\n");
  return std::move(w.close("scheduler_reply")).str();
}

std::string config_text(const Face& face, const Catalog& catalog, const std::string& ownership_key) {
  xml::Writer w;
  w.open("project_config").text("name", face.name).text("master_url", face.master);
  w.text("web_rpc_url_base", face.master).text("server_version", "1.1.0").integer("web_stopped", 0);
  w.integer("sched_stopped", 0).integer("min_passwd_length", 6).open("platforms");
  for (const std::string& p : catalog.platforms()) {
    w.open("platform").text("platform_name", p).text("user_friendly_name", p).close("platform");
  }
  w.close("platforms");
  if (!ownership_key.empty()) w.text("account_ownership_public_key", ownership_key);
  return std::move(w.close("project_config")).str();
}

std::string account_text(const std::string& authenticator) {
  xml::Writer w;
  w.open("account_out");
  if (authenticator.empty()) {
    w.flag("success");
  } else {
    w.text("authenticator", authenticator);
  }
  return std::move(w.close("account_out")).str();
}

std::string account_error_text(int number, const std::string& message) {
  xml::Writer w;
  w.open("error").integer("error_num", number).text("error_msg", message).close("error");
  return std::move(w).str();
}

std::string user_stats_text(const std::vector<UserView>& users) {
  xml::Writer w;
  w.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").open("users");
  for (const UserView& u : users) {
    w.open("user").integer("id", u.id).text("name", u.name).integer("create_time", u.created_ms / 1000);
    w.real("total_credit", cobblestones(u.credit_microcobble)).real("expavg_credit", u.average_microcobble / kMicro);
    w.real("expavg_time", static_cast<double>(u.average_ms) / 1000).text("cpid", u.external_cpid()).close("user");
  }
  return std::move(w.close("users")).str();
}

Bytes gzip_stored(std::string_view content) {
  std::string out("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
  constexpr std::size_t kBlock = 65'535;
  std::size_t at = 0;
  do {
    const std::string_view piece = content.substr(at, kBlock);
    at += piece.size();
    out.push_back(at == content.size() ? '\1' : '\0');
    const auto n = static_cast<std::uint16_t>(piece.size());
    out += le16(n) + le16(static_cast<std::uint16_t>(~n));
    out += piece;
  } while (at < content.size());
  boost::crc_32_type crc;
  crc.process_bytes(content.data(), content.size());
  out += le32(crc.checksum()) + le32(static_cast<std::uint32_t>(content.size()));
  return {out.begin(), out.end()};
}

}  // namespace sparkmill::boinc::project
