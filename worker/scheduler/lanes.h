// SPDX-License-Identifier: Apache-2.0
// Inside the scheduler: runs, devices and lanes. Everything here is guarded by the scheduler's mutex unless said.
#pragma once

#include <atomic>

#include "worker/scheduler/scheduler.h"

namespace sparkmill::worker {

/// One Executor::run call: the slices of one job that are not done yet.
struct Scheduler::Run {
  const job::Work* work = nullptr;
  std::uint64_t deadline_ms = 0;
  std::uint64_t order = 0;
  std::deque<job::Slice> pending;
  std::size_t running = 0;
  std::optional<Error> error;  ///< set once; no slice is started after that
  std::map<std::uint32_t, unsigned> faults;
  StopSource cancel;
  std::mutex
      done_mutex;  ///< keeps `done` from being called twice at a time; never taken with the scheduler's mutex held
  const Scheduler::DoneBy* done = nullptr;

  bool over() const { return running == 0 && (error || pending.empty()); }
};

struct Scheduler::Device {
  kernels::Device info;
  std::map<kernels::Family, kernels::Choice> rows;
  std::map<kernels::Family, kernels::Tuned> tuned;
  bool used = false;
  std::string unused_code;  ///< reason code when not used
  std::string unused_text;
  bool paused = false;
  bool finishing = false;
  std::uint64_t paused_until_ms = 0;  ///< wall clock; 0: until resumed
  std::uint64_t paused_since_ms = 0;
  bool quarantined = false;
  unsigned generation = 1;     ///< raised when the device was lost: lanes make their kernels again
  unsigned failures = 0;       ///< in a row, without a finished slice between
  std::uint64_t retry_at = 0;  ///< steady clock; no work before
  std::vector<std::string> failure_texts;
  std::uint64_t failed_since_ms = 0;
  std::uint64_t errors = 0;
  std::uint64_t slices = 0;
  std::uint64_t units = 0;
  unsigned running = 0;
  std::map<kernels::Family, double> lane_rate;  ///< units a second of one lane: tuned, then followed
  std::map<kernels::Family, std::uint64_t> batch_units;
  std::uint64_t wall_us = 0;
  std::uint64_t cpu_us = 0;
  std::map<kernels::Family, RateMeter> meters;
  std::list<Lane> lanes;
};

struct Scheduler::Lane {
  Device* device = nullptr;
  unsigned number = 0;
  unsigned generation = 0;  ///< of the kernels it holds
  std::map<kernels::Family, std::unique_ptr<kernels::Kernel>> kernels;
  std::uint64_t slice_since_us = 0;  ///< steady; 0: idle
  std::thread thread;
};

/// Microseconds of a clock that never goes back. Measures durations only, so it is not a seam.
std::uint64_t steady_us();
/// CPU time of the calling thread.
std::uint64_t thread_cpu_us();

}  // namespace sparkmill::worker
