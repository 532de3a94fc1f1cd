// SPDX-License-Identifier: Apache-2.0
// Good neighbour of the BOINC client on this machine: from what it does, how much of each of our devices we take. Pure;
// time is handed in. Source: BOINC page 1.5, jobs and proofs 8.
//
// Our own load makes a client with default preferences suspend ("CPU is busy", reason 1024), so tasks that wait for
// that reason alone count as running: otherwise we would wait for nothing to run, and it for us to stop. When it still
// does not run after a minute of our silence, other programs keep the CPU busy; then we work for a while and give way
// again, so that nobody waits for ever.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "boinc/rpc/types.h"
#include "worker/scheduler/scheduler.h"

namespace sparkmill::worker::boinc {

enum class Neighbour : std::uint8_t { off, yield, share, first };

struct PolicySettings {
  Neighbour kind = Neighbour::off;
  double share = 0.5;                  ///< ours while BOINC has work, of `share`
  std::vector<std::string> obey;       ///< names of suspend reasons of BOINC that hold us too: "battery", ...
  std::uint64_t linger_ms = 2'000;     ///< goes on giving way that long after BOINC's last task
  std::uint64_t patience_ms = 60'000;  ///< of silence while BOINC waits for the CPU
  std::uint64_t work_ms = 300'000;     ///< worked after that, doubling up to six times as much
  std::uint64_t cycle_ms = 120'000;    ///< of taking turns, when BOINC does not run beside our share
};
/// What boinc.obey may name.
std::vector<std::string> obeyable();

/// A GPU of ours as BOINC would name it.
struct Gpu {
  std::string id;      ///< of our device
  std::string vendor;  ///< "NVIDIA", "AMD", "Intel"
  int ordinal = -1;    ///< BOINC's device number; -1: not known
};
/// The GPUs among our devices.
std::vector<Gpu> gpus_among(const std::vector<kernels::Device>& devices);

/// What the client said last.
struct View {
  bool connected = false;
  ::sparkmill::boinc::rpc::CcStatus status;
  std::vector<::sparkmill::boinc::rpc::Task> tasks;
};

class Policy {
 public:
  Policy(PolicySettings settings, std::vector<Gpu> gpus) : settings_(std::move(settings)), gpus_(std::move(gpus)) {}

  /// Shares by device id, "cpu" for the processor; devices that are not named are ours. Call about once a second.
  std::map<std::string, GiveWay> decide(const View& view, std::uint64_t now_ms);
  /// One sentence on how BOINC and we get along now; empty: nothing to say.
  const std::string& remark() const { return remark_; }

 private:
  struct Want {
    bool runs = false;   ///< a task runs, or would but for the throttle or the benchmarks
    bool waits = false;  ///< a task waits because the CPU is busy
  };
  Want cpu_want(const View& view) const;
  GiveWay decide_cpu(const View& view, std::uint64_t now_ms);
  GiveWay give(const std::string& code, const std::string& text) const;
  GiveWay take_turns(std::uint64_t now_ms);
  /// The first of BOINC's reasons that we are told to obey; empty: none.
  std::string obeyed(int reason) const;
  bool concerns(const ::sparkmill::boinc::rpc::Task& task, const Gpu& gpu) const;

  PolicySettings settings_;
  std::vector<Gpu> gpus_;
  std::string remark_;
  std::uint64_t last_want_ms_ = 0;     ///< 0: BOINC wanted nothing lately
  GiveWay last_;                       ///< given then
  std::uint64_t silent_since_ms_ = 0;  ///< we are silent for one that waits; 0: no
  std::uint64_t work_until_ms_ = 0;    ///< silence was in vain: we work until then
  unsigned in_vain_ = 0;               ///< times in a row
  std::uint64_t turns_since_ms_ = 0;   ///< taking turns since; 0: no
  std::map<std::string, std::uint64_t> gpu_want_ms_;
};

}  // namespace sparkmill::worker::boinc
