// SPDX-License-Identifier: Apache-2.0
// A hand-made state that uses every field, for the tests of its faces.
#pragma once

#include "worker/state/state.h"

namespace sparkmill::test {

inline worker::Snapshot full_snapshot(std::uint64_t now_ms) {
  using namespace worker;
  Snapshot s;
  s.version = "1.2.3";
  s.started_ms = now_ms - 125'000;
  s.worker_pub = std::string(64, 'a');
  s.mode = "running";
  s.source = {"http://node:1", "connected", "", 12, 1, 77, std::string(64, 'b'), true};
  DeviceState cpu;
  cpu.id = "cpu";
  cpu.name = "A \"quoted\" CPU\\x";
  cpu.backend = "cpu";
  cpu.lanes = 2;
  cpu.activity = Activity::running;
  cpu.kernel = "match/cpu/avx512";
  cpu.batch = 65'536;
  cpu.rate = {1.25e9, 1.5e9, 1e9};
  cpu.busy_ms = 2'500;
  cpu.slices = 10;
  DeviceState gpu;
  gpu.id = "cuda:0000:01:00.0";
  gpu.name = "GPU";
  gpu.activity = Activity::paused;
  gpu.reasons = {{"user_pause", "Paused by the user", now_ms - 5'000, now_ms + 3'600'000}};
  gpu.errors = 3;
  s.devices = {cpu, gpu};
  JobState waiting;
  waiting.id = "11112222333344445555666677778888";
  waiting.kind = "match.h";
  waiting.phase = "waiting_for_challenge";
  waiting.progress = 1;
  JobState running = waiting;
  running.id = "99992222333344445555666677778888";
  running.phase = "running";
  running.progress = 0.25;
  running.answers = 4;
  running.eta_lo_s = 3;
  running.eta_hi_s = 70;
  s.jobs = {waiting, running};
  s.results = {5, 1, 2, 3};
  s.pairs_found = 42;
  s.credit_microcobble = 1'500'000;
  s.balance_units = 250'000'001;
  s.mining.on = true;
  s.mining.source = "stratum+tcp://pool:6666";
  s.mining.state = "connected";
  s.mining.submitted = 9;
  s.mining.accepted = 6;
  s.mining.stale = 1;
  s.mining.rejected = 2;
  s.mining.reasons = {{"rejected.low_difficulty", 2}, {"stale.job_gone", 1}};
  s.mining.devices = {{"cuda:0000:01:00.0", 6, 1, 2, 0, 4}};
  s.store_queued = 2;
  s.store_bytes = 4'096;
  return s;
}

}  // namespace sparkmill::test
