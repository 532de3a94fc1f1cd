// SPDX-License-Identifier: Apache-2.0
// The running worker: owns devices, scheduler, source, store and submitter; start and stop order live here.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/keys/keys.h"
#include "base/result.h"
#include "worker/boinc/claimant.h"
#include "worker/boinc/companion.h"
#include "worker/pipeline/pipeline.h"
#include "worker/source/bytom_source.h"
#include "worker/source/pool_source.h"
#include "worker/state/state.h"

namespace sparkmill::worker {

/// What the worker needs to run; filled from the configuration (worker/config).
struct AppSettings {
  std::filesystem::path data;  ///< store.sqlite, blobs/; locked against a second worker
  std::string node_url;        ///< empty: no node, only mining for a pool or a Bytom node
  std::string name;            ///< shown to the node's operator
  std::string ca_file;
  std::vector<std::string> devices;  ///< ids to use; empty: all
  std::string backend;               ///< forced row ("cpu/avx2") for every device it fits; empty: choose
  unsigned cpu_lanes = 0;    ///< 0: as the profile says (cores, less one for `quiet` and `balanced` with > 2 cores)
  bool low_priority = true;  ///< nice 19 for CPU lanes
  std::uint64_t blob_cache_bytes = 4ull << 30;
  unsigned jobs_in_flight = 3;   ///< leases held at once, so that challenge waits overlap with work
  std::uint64_t slice_ms = 250;  ///< aimed-at slice length per lane
  /// "off"; "auto": for the node if its blocks need proof of work; "node": the same, and trouble if not; "pool";
  /// "bytom".
  std::string mining = "off";
  mining::PoolSourceSettings pools;  ///< of "pool"
  mining::BytomSettings bytom;       ///< of "bytom"
  double mining_weight = 1;          ///< share of lane time beside jobs of other kinds, which have weight 1
  boinc::CompanionSettings boinc;    ///< off unless the configuration says otherwise
  boinc::ClaimantSettings boinc_credit;
  std::uint64_t rounds = 0;  ///< > 0: finish after that many receipts
  /// > 0: give up (exit 6) when the node, or without one the source of mining work, is unreachable that long.
  std::uint64_t source_patience_ms = 0;
  std::uint64_t store_patience_ms = 600'000;  ///< a disk that stays full that long ends the worker (exit 75)
  std::string node_key;  ///< 64 hex digits: the node's public key; empty: the one of the first contact is remembered
  std::string pin_name;  ///< under which that key is remembered; empty: the URL
  std::function<void(const std::string&)> say;  ///< gets a sentence for each step a user may want to see; may be empty
  Hardware hardware;                            ///< seam for tests: devices and kernels
};

class App {
 public:
  /// Opens the store (locked: another worker runs; corrupt: damaged, moved aside), finds devices, runs self-tests,
  /// starts threads.
  static Result<std::unique_ptr<App>> start(AppSettings settings, keys::KeyFile key, State& state,
                                            const Clock& clock = system_clock());
  ~App();

  /// Control verbs, from CLI, API and signals. `device` empty: all.
  Done pause(const std::string& device, std::uint64_t until_unix_ms);
  Done resume(const std::string& device);
  Done finish();  ///< take no new work, deliver everything (without a node: shares that were found), then end
  /// That device takes no new slices until resumed; the worker goes on.
  Done finish(const std::string& device);
  void stop();  ///< end within one slice, keep everything for the next start

  /// Leases that are kept in the store for the next start.
  std::uint64_t unfinished() const;
  RunTotals totals() const;

  /// Blocks until it ended by itself (finish, rounds, patience, and without a node: a source that refuses us) or stop()
  /// was called. The error says why it gave up.
  Done wait();

 private:
  App();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sparkmill::worker
