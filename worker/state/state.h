// SPDX-License-Identifier: Apache-2.0
// The one observable state tree: every part writes its share, and CLI, API, metrics, events and log read it from here
// only.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"

namespace sparkmill::worker {

/// Why something is not running, as data.
struct Reason {
  std::string code;  ///< stable: "user_pause", "waiting_for_work", "self_test_failed", "finishing", "quarantined", ...
  std::string text;  ///< one sentence
  std::uint64_t since_ms = 0;
  std::uint64_t until_ms = 0;  ///< 0: not known
};

enum class Activity : std::uint8_t { running, waiting, paused, cooling, quarantined, absent };
std::string_view name(Activity activity);

struct Rates {
  double s10 = 0, s60 = 0, m15 = 0;  ///< units a second, from finished slices
};

struct DeviceState {
  std::string id;
  std::string name;
  std::string backend;
  std::string driver;
  std::string pci;
  std::uint64_t memory_bytes = 0;
  unsigned lanes = 1;
  Activity activity = Activity::waiting;
  std::vector<Reason> reasons;
  std::string kernel;         ///< chosen row
  std::string kernel_reason;  ///< "forced", "tuned: ...", "rank"
  std::uint64_t batch = 0;    ///< units a slice
  Rates rate;
  std::string rate_unit = "pairs/s";
  Rates hash_rate;            ///< Tensority hashes a second; 0 when it does not mine
  Rates signature_rate;       ///< signatures a second, in units of verify.batch
  std::uint64_t busy_ms = 0;  ///< summed over lanes
  std::uint64_t slices = 0;
  std::uint64_t errors = 0;
};

struct JobState {
  std::string id;
  std::string kind;
  std::string phase;    ///< "fetching", "running", "proving", "waiting_for_challenge", "opening", "done"
  double progress = 0;  ///< 0..1, monotone
  std::uint64_t units = 0;
  std::uint64_t answers = 0;            ///< pairs found so far
  double eta_lo_s = -1, eta_hi_s = -1;  ///< -1: not known yet
  std::uint64_t deadline_ms = 0;
};

struct SourceState {
  std::string name;                  ///< URL
  std::string state = "connecting";  ///< connecting, connected, unreachable, refused; none: mining only
  std::string detail;
  std::uint64_t latency_ms = 0;
  std::uint64_t switches = 0;
  std::uint64_t height = 0;
  std::string node_pub;
  bool operator_trusted = true;
};

/// Shares of one device since the start of the program.
struct DeviceShareState {
  std::string id;
  std::uint64_t accepted = 0, stale = 0, rejected = 0, unknown = 0;
  std::uint64_t wrong = 0;
};

/// Search for proofs of work, whatever the source. Shares and blocks are counted over the life of the store.
struct MiningState {
  bool on = false;
  std::string source;  ///< URL without credentials
  std::string state;   ///< connecting, connected, waiting, unreachable, refused, idle, stopped
  std::string detail;
  std::uint64_t height = 0;
  double share_difficulty = 0;  ///< hashes expected
  double block_difficulty = 0;
  std::uint64_t hashes = 0;
  std::uint64_t submitted = 0, accepted = 0, stale = 0, rejected = 0, unknown = 0;  ///< shares
  std::uint64_t blocks = 0;
  std::map<std::string, std::uint64_t> reasons;  ///< "rejected.low_difficulty", "stale.job_gone", ...
  std::vector<DeviceShareState> devices;         ///< those that found something
  std::uint64_t wrong = 0;                       ///< not confirmed by another row, not sent
  std::uint64_t too_late = 0;                    ///< found after their job was over, not sent
  std::uint64_t latency_ms = 0;
  std::uint64_t switches = 0;
};

struct BoincProjectState {
  std::string url, name;
  std::int64_t host_id = 0;
  double user_credit = 0, host_credit = 0;
  bool suspended = false, no_more_work = false;
};

struct BoincTaskState {
  std::string name, project, phase, resources;
  double progress = 0;
  double elapsed_s = 0, left_s = 0;  ///< left_s: the client's own guess
};

/// What a device of ours leaves to BOINC now, and why.
struct BoincGiveState {
  std::string device;
  double share = 1;  ///< that stays ours
  std::string code, text;
};

/// The BOINC client beside this worker, and how they get along.
struct BoincState {
  bool on = false;
  std::string policy;            ///< yield, share, first
  std::string state = "absent";  ///< absent, connected, unreachable, refused, not_boinc
  std::string address, version, detail;
  std::string remark;                                 ///< one sentence when the two of us are in each other's way
  std::string mode;                                   ///< of the client: always, auto, never
  std::vector<std::string> suspended, gpu_suspended;  ///< why it does not compute
  std::vector<BoincProjectState> projects;
  std::vector<BoincTaskState> tasks;  ///< the first 64
  std::uint64_t task_count = 0, running = 0;
  std::vector<BoincGiveState> gives;  ///< devices that are not wholly ours at the moment
  std::uint64_t results = 0, failed = 0, claims_waiting = 0, claims_credited = 0;
  std::uint64_t receipts_waiting = 0, receipts_credited = 0, receipts_refused = 0;  ///< of projects of our own
  std::uint64_t credit_microcobble = 0;                                             ///< by these receipts
};

struct ResultCounts {
  std::uint64_t accepted = 0, stale = 0, rejected = 0, wrong = 0;
};

struct Snapshot {
  std::string version;
  std::uint64_t started_ms = 0;
  std::string worker_pub;
  std::string mode = "running";  ///< running, paused, finishing, stopping
  std::vector<Reason> reasons;
  SourceState source;
  MiningState mining;
  BoincState boinc;
  std::vector<JobState> jobs;
  std::vector<DeviceState> devices;
  ResultCounts results;
  std::uint64_t pairs_found = 0;
  std::uint64_t items_checked = 0;  ///< signatures and blocks decided in accepted jobs
  std::uint64_t credit_microcobble = 0;
  std::uint64_t balance_units = 0;  ///< 1e-8 BTK, as the node last said
  std::uint64_t store_queued = 0;   ///< finished, not yet receipted
  std::uint64_t store_bytes = 0;
};

/// Thread-safe holder. Writers pass a function that edits the tree; readers take copies.
class State {
 public:
  /// Starts with the version of this program and the time of now.
  explicit State(const Clock& clock = system_clock());
  void update(const std::function<void(Snapshot&)>& edit);
  Snapshot snapshot() const;
  std::uint64_t version() const;
  /// Waits until version() > `seen` or the time is over; returns the version.
  std::uint64_t wait_change(std::uint64_t seen, unsigned timeout_ms) const;
  /// Wakes all waiters (shutdown).
  void wake();

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::uint64_t version_ = 0;
  Snapshot tree_;
};

/// The stable JSON of ux.md 3, used by /v1/state, `status --json` and the events. Values that are not known are null,
/// never 0.
std::string to_json(const Snapshot& snapshot, const Clock& clock, int indent = -1);
/// Prometheus text, stable names with units.
std::string to_prometheus(const Snapshot& snapshot, const Clock& clock);
/// People's text for `status`; `color` only when the output is a terminal.
std::string to_text(const Snapshot& snapshot, const Clock& clock, bool color);

}  // namespace sparkmill::worker
