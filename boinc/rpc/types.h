// SPDX-License-Identifier: Apache-2.0
// What the local BOINC client says over its GUI RPC, as values. All of it is unsigned text of another program: it
// serves to show and to decide what to run, and proves nothing. Source: BOINC page 1.3, 1.4, 6.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sparkmill::boinc::rpc {

struct Version {
  int major = 0, minor = 0, release = 0;
  std::string text() const;
};

/// Why the client does not compute. Values below 4096 are bits; from 4096 on they are numbers of their own.
enum Suspend : int {
  kSuspendBatteries = 1,
  kSuspendUserActive = 2,
  kSuspendUserRequest = 4,
  kSuspendTimeOfDay = 8,
  kSuspendBenchmarks = 16,
  kSuspendDisk = 32,
  kSuspendThrottle = 64,
  kSuspendNoRecentInput = 128,
  kSuspendInitialDelay = 256,
  kSuspendExclusiveApp = 512,
  kSuspendCpuBusy = 1024,  ///< other programs, perhaps we, use the CPU
  kSuspendNetworkQuota = 2048,
  kSuspendOs = 4096,
  kSuspendWifi = 4097,
  kSuspendBatteryCharging = 4098,
  kSuspendOverheated = 4099,
  kSuspendNoKeepalive = 4100,
};
/// Stable names, "battery", "user_active", "cpu_busy"; unknown bits as "reason_N". Empty: not suspended.
std::vector<std::string> suspend_names(int reason);

enum class Mode : int { unknown = 0, always = 1, automatic = 2, never = 3, restore = 4 };
std::string_view name(Mode mode);

struct CcStatus {
  int network_status = 0;
  int task_suspend_reason = 0, gpu_suspend_reason = 0, network_suspend_reason = 0;
  Mode task_mode = Mode::unknown, gpu_mode = Mode::unknown, network_mode = Mode::unknown;
  double task_mode_delay_s = 0;  ///< left of a temporary mode
  bool disallow_attach = false;
};

struct Coproc {
  std::string type;  ///< "NVIDIA", "ATI", "intel_gpu" or as the client names it
  std::string name;
  unsigned count = 0;
};

struct HostInfo {
  std::string domain_name, host_cpid, vendor, model, os_name, os_version;
  unsigned cpus = 0;
  double fpops = 0;  ///< benchmark; 1e9: not run
  double memory_bytes = 0;
  std::vector<Coproc> coprocs;
};

struct Project {
  std::string url;  ///< master URL in canonical form: the key of everything about it
  std::string name, user_name, team_name;
  std::string cpid;  ///< external_cpid, 32 hex digits
  std::string dir;   ///< DATA_DIR/projects/...; empty in old clients
  std::int64_t user_id = 0, host_id = 0;
  double user_credit = 0, user_rac = 0, host_credit = 0, host_rac = 0;
  double resource_share = 0;
  int rpc_failures = 0, master_fetch_failures = 0;
  bool suspended = false, no_more_work = false, rpc_in_progress = false, detach_when_done = false;
};

struct Task {
  std::string name, wu_name, project_url, plan_class, resources, wait_reason;
  int state = 0;
  int exit_status = 0;
  double report_deadline = 0, received_time = 0, completed_time = 0;  ///< seconds UTC
  double final_cpu_s = 0, final_elapsed_s = 0, left_s = 0;
  bool ready_to_report = false, acknowledged = false;
  bool suspended = false, project_suspended = false, coproc_missing = false;
  bool scheduler_wait = false, network_wait = false;
  bool active = false;  ///< has a slot; what follows is only known then
  int active_state = 0, scheduler_state = 0, slot = 0, pid = 0;
  double fraction_done = 0, elapsed_s = 0, cpu_s = 0, checkpoint_cpu_s = 0;

  bool running() const { return active && active_state == 1 && scheduler_state == 2; }
  /// All input is there, it is not over, and nobody but the client's own scheduling keeps it from running.
  bool runnable() const;
  /// Over, well or not: computed, uploading or waiting to be reported.
  bool over() const { return state >= 3 || ready_to_report; }
  bool uses_gpu() const;
  /// "NVIDIA" of "0.1 CPUs + 1 NVIDIA GPU (device 1)"; empty for a CPU task.
  std::string gpu_type() const;
  /// 1 in that example; -1 when it is not said.
  int gpu_device() const;
};
/// "downloading", "ready", "running", "waiting", "postponed" (its application asked for it), "GPU missing",
/// "suspended", "uploading", "to be reported", "failed", "aborted".
std::string_view phase(const Task& task);

/// A result that the server has acknowledged; the client keeps it for about an hour.
struct OldResult {
  std::string project_url, name, app;
  int exit_status = 0;
  double elapsed_s = 0, cpu_s = 0, completed_time = 0;
};

struct Message {
  std::string project, body;
  int priority = 1;  ///< 1 information, 2 for the user, 3 internal error
  std::int64_t number = 0;
  double time = 0;
};

struct Notice {
  std::string title, description, project, category;
  std::int64_t number = 0;
  double time = 0;
};

struct FileTransfer {
  std::string name, project_url;
  double bytes = 0;
  int status = 0, retries = 0;
  bool upload = false;
  double next_request_time = 0;
};

struct DayCredit {
  double day = 0, user_credit = 0, user_rac = 0, host_credit = 0, host_rac = 0;
};
struct ProjectStatistics {
  std::string url;
  std::vector<DayCredit> days;
};

struct ClientState {
  Version core;
  HostInfo host;
  std::vector<Project> projects;
  std::vector<Task> tasks;  ///< their project_url is filled in from their place
  std::vector<std::string> platforms;
};

/// What a project says about itself, or error_num.
struct ProjectConfig {
  int error_num = 0;
  std::string error_text, name, master_url;
  unsigned min_password = 0;
  bool creation_disabled = false, uses_username = false, web_stopped = false, account_manager = false, terms = false;
};

struct AccountReply {
  int error_num = 0;
  std::string error_text, authenticator;
};

struct AttachReply {
  int error_num = 0;
  std::vector<std::string> messages;
};

/// These take what stands inside <boinc_gui_rpc_reply>. Error: bad_input when the element that must be there is not.
Result<Version> parse_version(std::string_view reply);
Result<CcStatus> parse_cc_status(std::string_view reply);
Result<HostInfo> parse_host_info(std::string_view reply);
Result<std::vector<Project>> parse_projects(std::string_view reply);  ///< get_project_status
Result<std::vector<Task>> parse_results(std::string_view reply);
Result<std::vector<OldResult>> parse_old_results(std::string_view reply);
Result<std::vector<Message>> parse_messages(std::string_view reply);
Result<std::vector<Notice>> parse_notices(std::string_view reply);
Result<std::vector<FileTransfer>> parse_file_transfers(std::string_view reply);
Result<std::vector<ProjectStatistics>> parse_statistics(std::string_view reply);
Result<ClientState> parse_state(std::string_view reply);
Result<ProjectConfig> parse_project_config(std::string_view reply);
Result<AccountReply> parse_account(std::string_view reply);
Result<AttachReply> parse_attach(std::string_view reply);

/// "the server is unreachable or answers with an error" for -184; for others a sentence or "BOINC error N".
std::string error_text(int boinc_error);

/// A line of job_log_<project>.txt: "1795234564 ue 60.0 ct 8.8 fe 60000000000 nm NAME et 9.0 es 0"; nothing when it is
/// no such line.
bool parse_job_log_line(std::string_view line, OldResult& out);
/// "127.0.0.1_8099_demo" of a master URL: as the client names job logs and project folders.
std::string escaped_url(std::string_view master_url);

}  // namespace sparkmill::boinc::rpc
