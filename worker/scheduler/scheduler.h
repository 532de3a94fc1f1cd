// SPDX-License-Identifier: Apache-2.0
// Decides who runs what: devices, their lanes (one thread and one kernel each), and the slices of the jobs in flight.
// Oldest deadline first. A failing device gives its slice back, is made and self-tested again, and is quarantined after
// three failures in a row. Nothing here knows a job kind, a node or a file.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "kernels/registry.h"
#include "kernels/tune.h"
#include "verify/job/job.h"
#include "worker/scheduler/rates.h"
#include "worker/state/state.h"

namespace sparkmill::worker {

/// What verify.batch and verify.blocks run on.
inline constexpr kernels::Family kSignatureFamilies[] = {kernels::Family::ed25519, kernels::Family::secp256k1,
                                                         kernels::Family::rsa};

struct SchedulerSettings {
  std::vector<std::string> devices;  ///< ids to use; empty: all that make sense
  std::string backend;               ///< forced row, for every device that has it
  unsigned cpu_lanes = 0;            ///< 0: all cores, less one when there are more than two
  bool low_priority = true;          ///< nice 19 and SCHED_BATCH for CPU lanes
  std::uint64_t slice_ms = 250;
  std::uint64_t retry_ms = 1'000;  ///< first wait after a lost device; doubles
  /// What the lanes make kernels for. A device that has none for some of them serves the others.
  std::vector<kernels::Family> families = {kernels::Family::match};
  /// When runs of several families wait, their lane time is shared in this proportion. Families that are not named
  /// stand in one queue, whose weight is 1.
  std::map<kernels::Family, double> weights;
};

/// How much of a device is left to us, and why not all of it: what a good neighbour decides.
struct GiveWay {
  double share = 1;  ///< 0: none of its lanes; 0.5 of two lanes: one of them; of one lane: half of the time
  std::string code;  ///< of the reason shown, "boinc_runs"
  std::string text;
};

/// Where devices and kernels come from: a seam for tests and fault injection.
struct Hardware {
  std::function<std::vector<kernels::Device>(std::vector<std::string>*)> discover = kernels::discover_devices;
  std::function<Result<std::unique_ptr<kernels::Kernel>>(const kernels::Row&, const kernels::Device&)> make =
      kernels::make_tested;
  /// Measured rows of the family on the device, fastest first (from the store, else measured now); may be empty.
  std::function<std::vector<kernels::Tuned>(kernels::Family, const kernels::Device&)> tuned;
};

class Scheduler {
 public:
  /// Chooses rows, runs the self-tests of the first lane of each device, starts lanes. Errors: no_device,
  /// self_test_failed (every device failed), bad_argument (unknown device or row in the settings).
  /// `say` gets a sentence for everything a user may want to know about the choice; may be empty.
  static Result<std::unique_ptr<Scheduler>> start(SchedulerSettings settings, Hardware hardware, State& state,
                                                  const Clock& clock, std::function<void(const std::string&)> say = {});
  ~Scheduler();

  /// Runs the slices on the lanes and blocks until all are done: job::Executor::run with a place in the order.
  /// Errors: cancelled (stop token, or the scheduler stops), what `done` returned, what a slice returned.
  Done run(const job::Work& work, std::span<const job::Slice> slices, std::uint64_t deadline_ms,
           const std::function<Done(const job::Slice&, Bytes)>& done, const StopToken& stop);
  /// The same, and `done` hears which device ran the slice.
  using DoneBy = std::function<Done(const job::Slice& slice, Bytes result, const std::string& device)>;
  Done run(const job::Work& work, std::span<const job::Slice> slices, std::uint64_t deadline_ms, const DoneBy& done,
           const StopToken& stop);

  /// Size of a slice that takes about slice_ms on one lane, for a job of that many units.
  std::uint64_t target_units(kernels::Family family, std::uint64_t total_units) const;
  unsigned lanes(kernels::Family family) const;                 ///< of devices in use that serve the family
  std::vector<std::string> rows(kernels::Family family) const;  ///< ids of the rows they run

  /// `device` empty: all of them. Error: not_found.
  Done pause(const std::string& device, std::uint64_t until_unix_ms);
  Done resume(const std::string& device);
  Done finish(const std::string& device);  ///< no new slices there; until resume()

  /// By device id; devices that are not named are ours alone again. Lanes obey within one slice.
  void give_way(const std::map<std::string, GiveWay>& ways);
  /// True while no device in use may work because others go first: no point in taking new jobs.
  bool given_away() const;
  std::vector<kernels::Device> used_devices() const;

  /// Ends within one slice; run() calls return `cancelled` once their running slices are handed over.
  void stop();
  /// Writes devices and reasons into the state tree; call now and then.
  void publish();
  /// True when no device is left that could ever run something.
  bool dead() const;
  std::string devices_text() const;               ///< why no device is left
  std::vector<std::string> descriptions() const;  ///< "cpu: AMD EPYC, 2 lanes, match/cpu/avx512"

  struct Busy {
    std::uint64_t wall_us = 0;  ///< summed over lanes, from finished and running slices
    std::uint64_t cpu_us = 0;   ///< CPU time of the lanes in these slices
    unsigned lanes = 0;         ///< lanes of devices in use
    std::uint64_t units = 0;
  };
  Busy busy() const;

 private:
  struct Run;
  struct Device;
  struct Lane;

  Scheduler(SchedulerSettings settings, Hardware hardware, State& state, const Clock& clock);
  Done prepare(const std::function<void(const std::string&)>& say);
  /// Why this device is not used although it could be; empty: it is used.
  std::string unused_because(const kernels::Device& device, const std::vector<kernels::Device>& all) const;
  Done adopt(Device& device);
  Done choose_row(Device& device, kernels::Family family);
  void lane_loop(Lane& lane);
  void wait_for_turn(std::unique_lock<std::mutex>& lock, const Device& device);
  bool allowed(const Device& device) const;
  /// Part of the time that this lane may work: 0 to 1.
  static double duty(const Lane& lane);
  Run* next_run(const Lane& lane) const;
  kernels::Family queue_of(kernels::Family family) const;
  void join_race(kernels::Family family);
  bool make_kernels(Lane& lane, std::unique_lock<std::mutex>& lock);
  void run_slice(Lane& lane, Run& run, std::unique_lock<std::mutex>& lock);
  void settle(Lane& lane, Run& run, const job::Slice& slice, Result<Bytes>& result);
  void device_failed(Device& device, unsigned generation, const Error& error);
  DeviceState describe(Device& device, std::uint64_t now_ms) const;
  Result<std::vector<Device*>> named(const std::string& id) const;

  SchedulerSettings settings_;
  Hardware hardware_;
  State& state_;
  const Clock& clock_;
  const std::uint64_t started_ms_;

  mutable std::mutex mutex_;
  std::condition_variable work_, progress_;
  std::list<Run*> runs_;
  std::map<kernels::Family, double> spent_;  ///< lane time used, over the family's weight: the least goes next
  std::vector<std::unique_ptr<Device>> devices_;
  bool stopping_ = false;
};

/// The scheduler as one job sees it.
class JobExecutor final : public job::Executor {
 public:
  JobExecutor(Scheduler& scheduler, std::uint64_t deadline_ms) : scheduler_(scheduler), deadline_ms_(deadline_ms) {}
  Done run(const job::Work& work, std::span<const job::Slice> slices,
           const std::function<Done(const job::Slice&, Bytes)>& done, const StopToken& stop) override {
    return scheduler_.run(work, slices, deadline_ms_, done, stop);
  }

 private:
  Scheduler& scheduler_;
  std::uint64_t deadline_ms_;
};

}  // namespace sparkmill::worker
