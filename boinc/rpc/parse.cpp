// SPDX-License-Identifier: Apache-2.0
// Replies to values.
#include <charconv>

#include "boinc/rpc/types.h"
#include "boinc/xml/children.h"

namespace sparkmill::boinc::rpc {

namespace {

using xml::Children;
using xml::Element;

constexpr std::size_t kUrlLimit = 1024;

Error lacks(std::string_view element) {
  return fail(Status::bad_input, "the BOINC client's reply lacks <" + std::string(element) + ">",
              "is this really the port of a BOINC client?");
}

Result<Children> inside(std::string_view reply, std::string_view element) {
  const auto e = xml::find(reply, element);
  if (!e) return lacks(element);
  return Children(e->inner);
}

/// One value for each child of that name.
template <class T>
Result<std::vector<T>> list(std::string_view reply, std::string_view outer, std::string_view name,
                            T (*parse)(const Children&)) {
  SPARKMILL_ASSIGN(const Children children, inside(reply, outer));
  std::vector<T> out;
  for (const Element& e : children.all()) {
    if (e.name == name) out.push_back(parse(Children(e.inner)));
  }
  return out;
}

Mode mode(const Children& c, std::string_view name) {
  const int v = c.integer<int>(name);
  return v >= 1 && v <= 4 ? static_cast<Mode>(v) : Mode::unknown;
}

Version version(const Children& c, const std::string& prefix) {
  return {c.integer<int>(prefix + "major" + (prefix.empty() ? "" : "_version")),
          c.integer<int>(prefix + "minor" + (prefix.empty() ? "" : "_version")), c.integer<int>(prefix + "release")};
}

HostInfo host_info(const Children& c) {
  HostInfo h;
  h.domain_name = c.text("domain_name");
  h.host_cpid = c.text("host_cpid");
  h.vendor = c.text("p_vendor");
  h.model = c.text("p_model");
  h.os_name = c.text("os_name");
  h.os_version = c.text("os_version");
  h.cpus = c.integer<unsigned>("p_ncpus");
  h.fpops = c.real("p_fpops");
  h.memory_bytes = c.real("m_nbytes");
  const Element* coprocs = c.find("coprocs");
  if (coprocs == nullptr) return h;
  const Children listed(coprocs->inner);
  for (const Element& e : listed.all()) {
    const Children g(e.inner);
    Coproc coproc;
    coproc.type = e.name == "coproc_cuda"        ? "NVIDIA"
                  : e.name == "coproc_ati"       ? "ATI"
                  : e.name == "coproc_intel_gpu" ? "intel_gpu"
                                                 : g.text("type");
    coproc.name = g.text("name");
    coproc.count = g.integer<unsigned>("count");
    h.coprocs.push_back(std::move(coproc));
  }
  return h;
}

Project project(const Children& c) {
  Project p;
  p.url = c.text("master_url", kUrlLimit);
  p.name = c.text("project_name");
  p.user_name = c.text("user_name");
  p.team_name = c.text("team_name");
  p.cpid = c.text("external_cpid", 64);
  p.dir = c.text("project_dir");
  p.user_id = c.integer("userid");
  p.host_id = c.integer("hostid");
  p.user_credit = c.real("user_total_credit");
  p.user_rac = c.real("user_expavg_credit");
  p.host_credit = c.real("host_total_credit");
  p.host_rac = c.real("host_expavg_credit");
  p.resource_share = c.real("resource_share");
  p.rpc_failures = c.integer<int>("nrpc_failures");
  p.master_fetch_failures = c.integer<int>("master_fetch_failures");
  p.suspended = c.flag("suspended_via_gui");
  p.no_more_work = c.flag("dont_request_more_work");
  p.rpc_in_progress = c.flag("scheduler_rpc_in_progress");
  p.detach_when_done = c.flag("detach_when_done");
  return p;
}

Task task(const Children& c) {
  Task t;
  t.name = c.text("name");
  t.wu_name = c.text("wu_name");
  t.project_url = c.text("project_url", kUrlLimit);
  t.plan_class = c.text("plan_class");
  t.resources = c.text("resources");
  t.wait_reason = c.text("scheduler_wait_reason");
  t.state = c.integer<int>("state");
  t.exit_status = c.integer<int>("exit_status");
  t.report_deadline = c.real("report_deadline");
  t.received_time = c.real("received_time");
  t.completed_time = c.real("completed_time");
  t.final_cpu_s = c.real("final_cpu_time");
  t.final_elapsed_s = c.real("final_elapsed_time");
  t.left_s = c.real("estimated_cpu_time_remaining");
  t.ready_to_report = c.flag("ready_to_report");
  t.acknowledged = c.flag("got_server_ack");
  t.suspended = c.flag("suspended_via_gui");
  t.project_suspended = c.flag("project_suspended_via_gui");
  t.coproc_missing = c.flag("coproc_missing");
  t.scheduler_wait = c.flag("scheduler_wait");
  t.network_wait = c.flag("network_wait");
  if (const Element* active = c.find("active_task")) {
    const Children a(active->inner);
    t.active = true;
    t.active_state = a.integer<int>("active_task_state");
    t.scheduler_state = a.integer<int>("scheduler_state");
    t.slot = a.integer<int>("slot");
    t.pid = a.integer<int>("pid");
    t.fraction_done = a.real("fraction_done");
    t.elapsed_s = a.real("elapsed_time");
    t.cpu_s = a.real("current_cpu_time");
    t.checkpoint_cpu_s = a.real("checkpoint_cpu_time");
  }
  return t;
}

OldResult old_result(const Children& c) {
  OldResult r;
  r.project_url = c.text("project_url", kUrlLimit);
  r.name = c.text("result_name");
  r.app = c.text("app_name");
  r.exit_status = c.integer<int>("exit_status");
  r.elapsed_s = c.real("elapsed_time");
  r.cpu_s = c.real("cpu_time");
  r.completed_time = c.real("completed_time");
  return r;
}

Message message(const Children& c) {
  Message m;
  m.project = c.text("project");
  m.body = c.text("body");
  m.priority = c.integer<int>("pri", 1);
  m.number = c.integer("seqno");
  m.time = c.real("time");
  return m;
}

Notice notice(const Children& c) {
  Notice n;
  n.title = c.text("title");
  n.description = c.text("description", 16u << 10);
  n.project = c.text("project_name");
  n.category = c.text("category");
  n.number = c.integer("seqno");
  n.time = c.real("create_time");
  return n;
}

FileTransfer file_transfer(const Children& c) {
  FileTransfer f;
  f.name = c.text("name");
  f.project_url = c.text("project_url", kUrlLimit);
  f.bytes = c.real("nbytes");
  f.status = c.integer<int>("status");
  if (const Element* waiting = c.find("persistent_file_xfer")) {
    const Children w(waiting->inner);
    f.retries = w.integer<int>("num_retries");
    f.upload = w.flag("is_upload");
    f.next_request_time = w.real("next_request_time");
  }
  return f;
}

ProjectStatistics statistics(const Children& c) {
  ProjectStatistics s;
  s.url = c.text("master_url", kUrlLimit);
  for (const Element& e : c.all()) {
    if (e.name != "daily_statistics") continue;
    const Children d(e.inner);
    s.days.push_back({d.real("day"), d.real("user_total_credit"), d.real("user_expavg_credit"),
                      d.real("host_total_credit"), d.real("host_expavg_credit")});
  }
  return s;
}

}  // namespace

Result<Version> parse_version(std::string_view reply) {
  SPARKMILL_ASSIGN(const Children c, inside(reply, "server_version"));
  return version(c, "");
}

Result<CcStatus> parse_cc_status(std::string_view reply) {
  SPARKMILL_ASSIGN(const Children c, inside(reply, "cc_status"));
  CcStatus s;
  s.network_status = c.integer<int>("network_status");
  s.task_suspend_reason = c.integer<int>("task_suspend_reason");
  s.gpu_suspend_reason = c.integer<int>("gpu_suspend_reason");
  s.network_suspend_reason = c.integer<int>("network_suspend_reason");
  s.task_mode = mode(c, "task_mode");
  s.gpu_mode = mode(c, "gpu_mode");
  s.network_mode = mode(c, "network_mode");
  s.task_mode_delay_s = c.real("task_mode_delay");
  s.disallow_attach = c.flag("disallow_attach");
  return s;
}

Result<HostInfo> parse_host_info(std::string_view reply) {
  SPARKMILL_ASSIGN(const Children c, inside(reply, "host_info"));
  return host_info(c);
}

Result<std::vector<Project>> parse_projects(std::string_view reply) {
  return list(reply, "projects", "project", project);
}
Result<std::vector<Task>> parse_results(std::string_view reply) { return list(reply, "results", "result", task); }
Result<std::vector<OldResult>> parse_old_results(std::string_view reply) {
  return list(reply, "old_results", "old_result", old_result);
}
Result<std::vector<Message>> parse_messages(std::string_view reply) { return list(reply, "msgs", "msg", message); }
Result<std::vector<Notice>> parse_notices(std::string_view reply) { return list(reply, "notices", "notice", notice); }
Result<std::vector<FileTransfer>> parse_file_transfers(std::string_view reply) {
  return list(reply, "file_transfers", "file_transfer", file_transfer);
}
Result<std::vector<ProjectStatistics>> parse_statistics(std::string_view reply) {
  return list(reply, "statistics", "project_statistics", statistics);
}

Result<ClientState> parse_state(std::string_view reply) {
  SPARKMILL_ASSIGN(const Children c, inside(reply, "client_state"));
  ClientState s;
  s.core = version(c, "core_client_");
  for (const Element& e : c.all()) {
    if (e.name == "host_info") {
      s.host = host_info(Children(e.inner));
    } else if (e.name == "project") {
      s.projects.push_back(project(Children(e.inner)));
    } else if (e.name == "result") {
      s.tasks.push_back(task(Children(e.inner)));
      if (s.tasks.back().project_url.empty() && !s.projects.empty()) {
        s.tasks.back().project_url = s.projects.back().url;
      }
    } else if (e.name == "platform") {
      s.platforms.push_back(xml::text(e, 256));
    }
  }
  return s;
}

Result<ProjectConfig> parse_project_config(std::string_view reply) {
  ProjectConfig p;
  const auto config = xml::find(reply, "project_config");
  if (!config) {
    const auto error = xml::find(reply, "error");
    if (!error) return lacks("project_config");
    const Children e(error->inner);
    p.error_num = e.integer<int>("error_num", -1);
    p.error_text = e.text("error_msg");
    return p;
  }
  const Children c(config->inner);
  p.error_num = c.integer<int>("error_num");
  p.error_text = c.text("error_msg");
  p.name = c.text("name");
  p.master_url = c.text("master_url", kUrlLimit);
  p.min_password = c.integer<unsigned>("min_passwd_length");
  p.creation_disabled = c.flag("account_creation_disabled");
  p.uses_username = c.flag("uses_username");
  p.web_stopped = c.flag("web_stopped");
  p.account_manager = c.flag("account_manager");
  p.terms = c.find("terms_of_use") != nullptr;
  return p;
}

Result<AccountReply> parse_account(std::string_view reply) {
  auto e = xml::find(reply, "account_out");
  if (!e) e = xml::find(reply, "error");
  if (!e) return lacks("account_out");
  const Children c(e->inner);
  AccountReply r;
  r.error_num = c.integer<int>("error_num");
  r.error_text = c.text("error_msg");
  r.authenticator = c.text("authenticator", 256);
  return r;
}

Result<AttachReply> parse_attach(std::string_view reply) {
  SPARKMILL_ASSIGN(const Children c, inside(reply, "project_attach_reply"));
  AttachReply r;
  r.error_num = c.integer<int>("error_num");
  for (const Element& e : c.all()) {
    if (e.name == "message") r.messages.push_back(xml::text(e, 1024));
  }
  return r;
}

bool parse_job_log_line(std::string_view line, OldResult& out) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; (at = line.find_first_not_of(" \t\r\n", at)) != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(" \t\r\n", at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  const auto number = [](std::string_view word, auto& value) {
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    return error == std::errc() && end == word.data() + word.size();
  };
  OldResult r;
  if (words.size() % 2 != 1 || !number(words[0], r.completed_time)) return false;
  bool ended = false;
  for (std::size_t i = 1; i + 1 < words.size(); i += 2) {
    bool good = true;
    if (words[i] == "nm") r.name = words[i + 1];
    if (words[i] == "ct") good = number(words[i + 1], r.cpu_s);
    if (words[i] == "et") good = number(words[i + 1], r.elapsed_s);
    if (words[i] == "es") good = ended = number(words[i + 1], r.exit_status);
    if (!good) return false;
  }
  if (r.name.empty() || r.name.size() > 256 || !ended) return false;
  out = std::move(r);
  return true;
}

}  // namespace sparkmill::boinc::rpc
