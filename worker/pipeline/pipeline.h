// SPDX-License-Identifier: Apache-2.0
// The life of a lease: taken -> inputs fetched -> slices -> outcome -> commit -> challenge -> opening -> receipt.
// Each step is in the store before the next begins, so a killed worker goes on where it was; while one lease waits for
// its challenge, others compute.
//
// Threads: one that takes leases, `jobs_in_flight` coordinators that fetch, run and prove, one courier that commits,
// opens, renews and collects receipts, one that listens to the node's events.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "worker/scheduler/scheduler.h"
#include "worker/source/node_client.h"
#include "worker/store/store.h"

namespace sparkmill::worker {

struct PipelineSettings {
  std::string name;
  unsigned jobs_in_flight = 3;               ///< leases that are fetched, computed or proved at once
  unsigned open_leases = 60;                 ///< with those that wait for a challenge or a receipt
  std::uint64_t rounds = 0;                  ///< > 0: end after that many receipts
  std::uint64_t source_patience_ms = 0;      ///< > 0: end (unreachable) after that long without an answer
  std::uint64_t disk_patience_ms = 600'000;  ///< a disk that stays full that long ends the run (no_space)
  std::uint64_t warm_bytes = 64u << 20;      ///< outcomes kept in memory while they wait; others are read back
};

/// What one run of the program did, for the summary.
struct RunTotals {
  std::uint64_t accepted = 0, rejected = 0, stale = 0, wrong = 0;
  std::uint64_t units = 0;    ///< of matching: pairs compared
  std::uint64_t answers = 0;  ///< pairs found
  std::uint64_t checked = 0;  ///< signatures and blocks decided
  std::uint64_t credit_microcobble = 0;
  std::uint64_t balance_units = 0;
  std::uint64_t first_height = 0, last_height = 0;
  std::uint64_t wall_us = 0;       ///< first lease to last receipt
  std::uint64_t busy_wall_us = 0;  ///< lanes in slices within that time, summed
  std::uint64_t busy_cpu_us = 0;   ///< CPU time of these lanes
  unsigned lanes = 0;
  std::uint64_t commit_bytes = 0;                         ///< largest commit envelope
  std::uint64_t opening_bytes = 0;                        ///< largest opening envelope
  double busy() const { return share(busy_wall_us); }     ///< of the lanes' time
  double lane_cpu() const { return share(busy_cpu_us); }  ///< less where others took the processor

 private:
  double share(std::uint64_t us) const {
    return wall_us == 0 || lanes == 0 ? 0 : static_cast<double>(us) / (static_cast<double>(wall_us) * lanes);
  }
};

class Pipeline {
 public:
  using Say = std::function<void(const std::string&)>;
  Pipeline(PipelineSettings settings, std::shared_ptr<NodeLink> link, Store& store, BlobCache& blobs,
           Scheduler& scheduler, State& state, const Clock& clock, Say say);
  ~Pipeline();

  /// Takes up what the store holds and starts the threads. Error: the store's.
  Done start();
  void finish(bool on);
  /// No new leases while true; what is taken goes on as far as the devices run.
  void hold(bool on);
  void stop();
  /// After stop(): waits until nothing moves any more, so that totals() are final. One caller.
  void join();
  bool ended() const;
  /// Waits up to `timeout_ms` for the end; nullopt: not yet.
  std::optional<Done> wait(unsigned timeout_ms);
  /// Writes jobs, source and results into the state tree.
  void publish();
  /// Credit came from elsewhere: the account is asked for once the next blocks are there.
  void expect_credit();
  std::uint64_t unfinished() const;
  RunTotals totals() const;
  void end(Done result);  ///< ends the run from outside (no device left, ...)

 private:
  struct Task;
  using TaskPtr = std::shared_ptr<Task>;

  // pipeline.cpp: leases
  void source_loop();
  bool connect(NodeClient& client);
  bool take_leases(NodeClient& client);
  unsigned capacity() const;
  bool accept(const protocol::Lease& lease);  ///< false: not taken
  void revive(NodeClient& client);
  void source_lost(const Error& error);
  void source_found();
  void sleep(std::uint64_t ms);
  void event_loop();
  void on_event(std::string_view event, std::string_view data);
  void saw_block(const protocol::Block& block);

  // compute.cpp: one lease up to its commit
  void coordinator_loop();
  void process(NodeClient& client, const TaskPtr& task);
  Done load(NodeClient& client, Task& task);
  Done fetch(NodeClient& client, Task& task, const Hash32& hash, job::Blob& blob);
  bool release_waiting();
  Done compute(Task& task);
  Done prove(Task& task);
  Done assemble(Task& task);
  void give_up(const TaskPtr& task, const Error& error);
  void drop(const TaskPtr& task, const std::string& reason, std::string_view counter);
  void set_phase(Task& task, const char* phase);

  // courier.cpp: from the commit to the receipt
  void courier_loop();
  void renew_leases(NodeClient& client);
  bool deliver(NodeClient& client, const TaskPtr& task);  ///< false: the line is down
  Done send_commit(NodeClient& client, Task& task);
  Done make_opening(NodeClient& client, Task& task);
  Done send_opening(NodeClient& client, const TaskPtr& task);
  bool undeliverable(NodeClient& client, const TaskPtr& task, const Error& error);
  void settle(const TaskPtr& task, const protocol::Receipt& receipt);
  void keep_warm();
  void look_at_chain(NodeClient& client);
  void look_at_account(NodeClient& client);
  bool finished_all() const;
  void forget(const TaskPtr& task);

  // publish.cpp
  JobState describe(const Task& task, std::uint64_t ahead_units, const Rates& rates) const;

  PipelineSettings settings_;
  std::shared_ptr<NodeLink> link_;
  Store& store_;
  BlobCache& blobs_;
  Scheduler& scheduler_;
  State& state_;
  const Clock& clock_;
  Say say_;
  StopSource stop_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;  ///< anything below
  std::list<TaskPtr> tasks_;         ///< every lease that is not finished
  std::deque<TaskPtr> ready_;        ///< for the coordinators
  std::deque<JobState> done_jobs_;   ///< the last few, for the display
  std::optional<Done> ended_;
  bool stopping_ = false;
  bool finishing_ = false;
  bool held_ = false;
  bool revived_ = false;
  bool connected_ = false;
  std::uint64_t unreachable_since_ms_ = 0;  ///< steady; 0: reachable
  SourceState source_;
  std::uint64_t height_ = 0;
  std::uint64_t block_at_ms_ = 0;  ///< steady time of the last news of a block
  std::uint64_t account_wanted_height_ = 0;
  std::uint64_t account_height_ = 0;
  std::uint64_t last_receipt_ms_ = 0;
  std::uint64_t receipts_ = 0;
  RunTotals totals_;
  Counters lifetime_;
  std::uint64_t first_lease_us_ = 0;
  Scheduler::Busy busy_at_first_lease_;
  std::map<kernels::Family, RateMeter> meters_;

  std::vector<std::thread> threads_;
};

}  // namespace sparkmill::worker
