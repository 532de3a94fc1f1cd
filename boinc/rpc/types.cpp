// SPDX-License-Identifier: Apache-2.0
// Names and meanings of the client's numbers.
#include "boinc/rpc/types.h"

#include <charconv>

namespace sparkmill::boinc::rpc {

namespace {

struct Named {
  int value;
  std::string_view name;
};
constexpr Named kSuspends[] = {
    {kSuspendBatteries, "battery"},
    {kSuspendUserActive, "user_active"},
    {kSuspendUserRequest, "user_request"},
    {kSuspendTimeOfDay, "schedule"},
    {kSuspendBenchmarks, "benchmarks"},
    {kSuspendDisk, "disk"},
    {kSuspendThrottle, "throttle"},
    {kSuspendNoRecentInput, "no_recent_input"},
    {kSuspendInitialDelay, "initial_delay"},
    {kSuspendExclusiveApp, "exclusive_app"},
    {kSuspendCpuBusy, "cpu_busy"},
    {kSuspendNetworkQuota, "network_quota"},
    {kSuspendOs, "os"},
    {kSuspendWifi, "wifi"},
    {kSuspendBatteryCharging, "battery_charging"},
    {kSuspendOverheated, "overheated"},
    {kSuspendNoKeepalive, "no_keepalive"},
};

constexpr Named kErrors[] = {
    {-102, "reading failed"},
    {-103, "writing failed"},
    {-107, "cannot connect to the project's server"},
    {-108, "a file of the BOINC client cannot be opened"},
    {-112, "the server's answer makes no sense"},
    {-113, "the project's host name cannot be resolved"},
    {-130, "already attached"},
    {-136, "there is no account with this address"},
    {-137, "there is an account with this address, with another password"},
    {-155, "the account key is wrong"},
    {-161, "not found"},
    {-182, "the project's server does not answer in time"},
    {-183, "the project is down"},
    {-184, "the project's server is unreachable or answers with an error"},
    {-188, "the user name is not accepted"},
    {-189, "this is not a valid project URL"},
    {-203, "the client has no network connection"},
    {-204, "still in progress"},
    {-205, "the e-mail address is not accepted"},
    {-206, "wrong password"},
    {-207, "the e-mail address is in use already"},
    {-208, "the project does not accept new accounts this way"},
    {-209, "attaching could not begin"},
    {-210, "the project's page cannot be downloaded"},
    {-211, "the project's page makes no sense"},
    {-212, "the account key is wrong"},
    {-213, "the BOINC client cannot write its account file"},
    {-214, "the project's server reports an error"},
    {-219, "the project is at another URL"},
    {-224, "the project's server refuses this address"},
    {-238, "the project wants https"},
    {-242, "the project wants consent to its terms of use"},
};

bool has_gpu_word(std::string_view resources) { return resources.find("GPU") != std::string_view::npos; }

}  // namespace

std::string Version::text() const {
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(release);
}

std::vector<std::string> suspend_names(int reason) {
  std::vector<std::string> out;
  if (reason >= kSuspendOs) {
    for (const Named& n : kSuspends) {
      if (n.value == reason) out.emplace_back(n.name);
    }
    if (out.empty()) out.push_back("reason_" + std::to_string(reason));
    return out;
  }
  for (int bit = 1; bit < kSuspendOs; bit <<= 1) {
    if ((reason & bit) == 0) continue;
    for (const Named& n : kSuspends) {
      if (n.value == bit) out.emplace_back(n.name);
    }
  }
  return out;
}

std::string_view name(Mode mode) {
  switch (mode) {
    case Mode::unknown: return "unknown";
    case Mode::always: return "always";
    case Mode::automatic: return "auto";
    case Mode::never: return "never";
    case Mode::restore: return "restore";
  }
  return "unknown";
}

bool Task::runnable() const {
  return state == 2 && !ready_to_report && !suspended && !project_suspended && !coproc_missing && !scheduler_wait;
}

bool Task::uses_gpu() const { return has_gpu_word(resources); }

std::string Task::gpu_type() const {
  // "0.1 CPUs + 1 NVIDIA GPU", "0.5 CPUs + 0.5 AMD/ATI GPUs (device 0)", "1 CPU + 1 Intel GPU"
  const std::size_t plus = resources.find('+');
  const std::size_t gpu = resources.find(" GPU");
  if (gpu == std::string::npos) return {};
  std::string words = resources.substr(plus == std::string::npos ? 0 : plus + 1);
  words = words.substr(0, words.find(" GPU"));
  const std::size_t number = words.find_first_not_of(" 0123456789.");
  return number == std::string::npos ? std::string() : words.substr(number);
}

int Task::gpu_device() const {
  constexpr std::string_view kDevice = "(device ";
  const std::size_t at = resources.find(kDevice);
  if (at == std::string::npos) return -1;
  int n = -1;
  const char* const begin = resources.data() + at + kDevice.size();
  const auto [end, error] = std::from_chars(begin, resources.data() + resources.size(), n);
  return error == std::errc() && n >= 0 ? n : -1;
}

std::string_view phase(const Task& t) {
  switch (t.state) {
    case 0:
    case 1: return "downloading";
    case 3: return "failed";
    case 4: return "uploading";
    case 5: return "to be reported";
    case 6: return "aborted";
    case 7: return "upload failed";
    default: break;
  }
  if (t.suspended || t.project_suspended) return "suspended";
  if (t.coproc_missing) return "GPU missing";
  if (t.running()) return "running";
  if (t.scheduler_wait) return "postponed";
  return t.active ? "waiting" : "ready";
}

std::string error_text(int boinc_error) {
  for (const Named& n : kErrors) {
    if (n.value == boinc_error) return std::string(n.name) + " (BOINC error " + std::to_string(boinc_error) + ")";
  }
  return "BOINC error " + std::to_string(boinc_error);
}

std::string escaped_url(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  std::string out;
  for (const char c : url) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
    out += plain ? c : '_';
  }
  while (!out.empty() && out.back() == '_') out.pop_back();
  return out;
}

}  // namespace sparkmill::boinc::rpc
