// SPDX-License-Identifier: Apache-2.0
// Mining between a source and the scheduler: pieces of a job's nonce range become slices on the lanes, what they find
// is recomputed by another row and handed to the source. A clean job or the end of work stops what runs.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "worker/scheduler/scheduler.h"
#include "worker/source/mining.h"
#include "worker/source/nonce_book.h"
#include "worker/state/state.h"

namespace sparkmill::worker {

class Miner final : public mining::Listener {
 public:
  using Say = std::function<void(const std::string&)>;
  Miner(Scheduler& scheduler, State& state, const Clock& clock, Say say);
  ~Miner() override;

  /// Starts threads and the source. Error: the source's.
  Done start(std::unique_ptr<mining::Source> source);
  /// While true no lane searches; the source stays connected.
  void hold(bool on);
  /// Stops the lanes' work, then the source. Shares that have no answer yet are counted as unknown.
  void stop();
  /// Writes the part `mining` of the state tree.
  void publish();
  mining::SourceReport report() const;
  std::uint64_t hashes() const;
  std::uint64_t wrong() const;

  void on_job(const mining::MiningJob& job) override;
  void on_no_job(const std::string& why) override;
  void on_answer(const mining::ShareAnswer& answer) override;
  void on_report(const mining::SourceReport& report) override;

 private:
  using JobPtr = std::shared_ptr<const mining::MiningJob>;
  struct Candidate {
    JobPtr job;
    tensority::Found found;
  };
  void feed_loop();
  void check_loop();
  void search(const JobPtr& job, const StopToken& stop);
  void drop_work();  ///< under mutex_
  void check(const Candidate& candidate);
  void nap(std::uint64_t ms);

  Scheduler& scheduler_;
  State& state_;
  const Clock& clock_;
  Say say_;
  std::unique_ptr<mining::Source> source_;
  mining::NonceBook book_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  JobPtr job_;
  StopSource cancel_;       ///< of everything that runs for job_
  bool exhausted_ = false;  ///< the job's nonces are used up
  bool held_ = false;
  bool stopping_ = false;
  std::deque<Candidate> candidates_;
  std::uint64_t hashes_ = 0;
  std::uint64_t wrong_ = 0;
  std::uint64_t lost_ = 0;  ///< shares that were too late to be sent
  std::string last_detail_;
  std::vector<std::thread> threads_;
};

}  // namespace sparkmill::worker
