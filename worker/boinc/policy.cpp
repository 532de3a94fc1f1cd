// SPDX-License-Identifier: Apache-2.0
#include "worker/boinc/policy.h"

#include <fmt/format.h>

#include <algorithm>

namespace sparkmill::worker::boinc {

namespace rpc = ::sparkmill::boinc::rpc;

namespace {

constexpr const char* kCpu = "cpu";
constexpr unsigned kLongest = 6;  // times work_ms

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// Values from kSuspendOs on are no bits.
bool suspended_by(int reason, int bit) { return reason < rpc::kSuspendOs && (reason & bit) != 0; }

std::string vendor_of(const kernels::Device& d) {
  if (d.backend == kernels::Backend::cuda || has(d.name, "NVIDIA") || has(d.driver, "NVIDIA")) return "NVIDIA";
  if (has(d.name, "AMD") || has(d.name, "Radeon") || has(d.driver, "AMD") || has(d.name, "gfx")) return "AMD";
  if (has(d.name, "Intel") || has(d.driver, "Intel")) return "Intel";
  return {};
}

}  // namespace

std::vector<std::string> obeyable() {
  return {"battery", "user_active", "user_request", "schedule", "exclusive_app", "no_recent_input", "overheated"};
}

std::vector<Gpu> gpus_among(const std::vector<kernels::Device>& devices) {
  std::vector<Gpu> out;
  for (const kernels::Device& d : devices) {
    if (d.backend != kernels::Backend::cuda && d.backend != kernels::Backend::opencl) continue;
    // BOINC numbers NVIDIA devices as CUDA does. How it numbers the others is not known to us.
    const bool numbered = d.backend == kernels::Backend::cuda;
    out.push_back({d.id, vendor_of(d), numbered ? static_cast<int>(d.ordinal) : -1});
  }
  return out;
}

Policy::Want Policy::cpu_want(const View& view) const {
  Want want;
  if (!view.connected) return want;
  const int reason = view.status.task_suspend_reason;
  const bool runnable = std::any_of(view.tasks.begin(), view.tasks.end(), [](const auto& t) { return t.runnable(); });
  want.runs = std::any_of(view.tasks.begin(), view.tasks.end(),
                          [](const rpc::Task& t) { return t.running() && !t.uses_gpu(); });
  // The throttle stops tasks for parts of each second; benchmarks want a quiet processor.
  want.runs = want.runs || (runnable && suspended_by(reason, rpc::kSuspendThrottle)) ||
              suspended_by(reason, rpc::kSuspendBenchmarks);
  want.waits = !want.runs && runnable && suspended_by(reason, rpc::kSuspendCpuBusy);
  return want;
}

GiveWay Policy::give(const std::string& code, const std::string& text) const {
  if (settings_.kind != Neighbour::share) return {0, code, text};
  return {settings_.share, code, fmt::format("{}; our share is {:.0f} %", text, 100 * settings_.share)};
}

/// BOINC does not run beside our share, so time is shared instead of lanes.
GiveWay Policy::take_turns(std::uint64_t now_ms) {
  const std::uint64_t at = (now_ms - turns_since_ms_) % settings_.cycle_ms;
  const auto boincs = static_cast<std::uint64_t>(static_cast<double>(settings_.cycle_ms) * (1 - settings_.share));
  remark_ = fmt::format("BOINC suspends itself beside our share of {:.0f} %, so we take turns: {} s BOINC, {} s we",
                        100 * settings_.share, boincs / 1000, (settings_.cycle_ms - boincs) / 1000);
  if (at < boincs) return {0, "boinc_turn", "BOINC's turn: it does not run beside our share"};
  return {};
}

GiveWay Policy::decide_cpu(const View& view, std::uint64_t now_ms) {
  const Want want = cpu_want(view);
  if (settings_.kind == Neighbour::first) {
    if (want.waits) remark_ = "BOINC waits because the CPU is busy; the policy `first` lets it wait";
    return {};
  }
  if (!want.runs && !want.waits) {
    silent_since_ms_ = work_until_ms_ = turns_since_ms_ = 0;
    in_vain_ = 0;
    // Between two of its tasks BOINC wants nothing for a moment.
    if (last_want_ms_ != 0 && now_ms - last_want_ms_ < settings_.linger_ms) return last_;
    last_want_ms_ = 0;
    return {};
  }
  last_want_ms_ = now_ms;
  if (settings_.kind == Neighbour::share && (turns_since_ms_ != 0 || want.waits)) {
    if (turns_since_ms_ == 0) turns_since_ms_ = now_ms;
    return last_ = take_turns(now_ms);
  }
  if (want.runs) {
    silent_since_ms_ = work_until_ms_ = 0;
    in_vain_ = 0;
    return last_ = give("boinc_runs", "BOINC computes on the CPU");
  }
  if (work_until_ms_ != 0 && now_ms < work_until_ms_) {
    remark_ = "BOINC waits because the CPU is busy, and did so while we were silent: other programs keep it busy";
    return last_ = {};
  }
  if (work_until_ms_ != 0) work_until_ms_ = silent_since_ms_ = 0;  // another try
  if (silent_since_ms_ == 0) silent_since_ms_ = now_ms;
  if (now_ms - silent_since_ms_ >= settings_.patience_ms) {
    ++in_vain_;
    work_until_ms_ = now_ms + settings_.work_ms * std::min(1u << std::min(in_vain_ - 1, 8u), kLongest);
    return last_ = {};
  }
  return last_ = give("boinc_waits", "BOINC waits because the CPU is busy");
}

std::string Policy::obeyed(int reason) const {
  for (const std::string& name : rpc::suspend_names(reason)) {
    if (std::find(settings_.obey.begin(), settings_.obey.end(), name) != settings_.obey.end()) return name;
  }
  return {};
}

bool Policy::concerns(const rpc::Task& task, const Gpu& gpu) const {
  const std::string type = task.gpu_type();
  // A vendor that either of us does not name may be this one.
  if (!type.empty() && !gpu.vendor.empty() && !has(type, gpu.vendor) && !(gpu.vendor == "AMD" && type == "ATI")) {
    return false;
  }
  return task.gpu_device() < 0 || gpu.ordinal < 0 || task.gpu_device() == gpu.ordinal;
}

std::map<std::string, GiveWay> Policy::decide(const View& view, std::uint64_t now_ms) {
  remark_.clear();
  std::map<std::string, GiveWay> out;
  if (settings_.kind == Neighbour::off) return out;
  out[kCpu] = decide_cpu(view, now_ms);
  const bool cpu_busy = view.connected && suspended_by(view.status.task_suspend_reason, rpc::kSuspendCpuBusy);
  for (const Gpu& gpu : gpus_) {
    bool wants = false;
    for (const rpc::Task& t : view.tasks) {
      // After a silence of the CPU lanes that was in vain, the thread that feeds our GPU may be what keeps the CPU
      // busy.
      const bool waits = cpu_busy && t.runnable() && (t.uses_gpu() ? concerns(t, gpu) : in_vain_ > 0);
      wants = wants || (view.connected && ((t.uses_gpu() && t.running() && concerns(t, gpu)) || waits));
    }
    if (cpu_busy && work_until_ms_ != 0) wants = false;  // our time: silence was in vain
    std::uint64_t& last = gpu_want_ms_[gpu.id];
    if (wants) last = now_ms;
    const bool lingers = last != 0 && now_ms - last < settings_.linger_ms;
    if (!lingers) last = 0;
    if ((wants || lingers) && settings_.kind != Neighbour::first)
      out[gpu.id] = give("boinc_runs", "BOINC uses this GPU");
  }
  if (!view.connected) return out;
  const std::string all = obeyed(view.status.task_suspend_reason);
  const std::string gpu_only = obeyed(view.status.gpu_suspend_reason);
  const auto obey = [&](const std::string& id, const std::string& name) {
    if (!name.empty()) out[id] = {0, "boinc_" + name, "BOINC is suspended (" + name + "), and boinc.obey follows it"};
  };
  obey(kCpu, all);
  for (const Gpu& gpu : gpus_) obey(gpu.id, all.empty() ? gpu_only : all);
  return out;
}

}  // namespace sparkmill::worker::boinc
