// SPDX-License-Identifier: Apache-2.0
// Mining on the scheduler's lanes: pieces that the desk gives become slices beside those of other jobs, what they find
// goes back to the desk. Says what a user wants to know and writes the part `mining` of the state tree.
#pragma once

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "worker/scheduler/scheduler.h"
#include "worker/source/desk.h"
#include "worker/state/state.h"

namespace sparkmill::worker {

class Miner final : public mining::Listener {
 public:
  using Say = std::function<void(const std::string&)>;
  Miner(Scheduler& scheduler, State& state, Say say, const Clock& clock = system_clock());
  ~Miner() override;

  /// Starts threads and the source. Error: the source's.
  Done start(std::unique_ptr<mining::Source> source);
  /// While true no new piece is begun; the source stays connected. Paused devices leave what runs where it is.
  void hold(bool on);
  /// Stops the lanes' work, then the source. Shares that have no answer yet end as unknown.
  void stop();
  void publish();
  /// Why nothing can come of this any more: the source refuses us (refused), or, with patience > 0, could not be
  /// reached for that long (unreachable). Call now and then: time without a source is counted from one call to the
  /// next.
  std::optional<Error> lost(std::uint64_t patience_ms);
  /// While held: every piece that was begun has ended, and all that was found has its answer.
  bool quiet() const;

  void on_job(const mining::MiningJob&) override {}
  void on_no_job(const std::string& why) override;
  void on_answer(const mining::ShareAnswer& answer) override;
  void on_report(const mining::SourceReport& report) override;

 private:
  void feed_loop();
  void search(const mining::Desk::Piece& piece, std::uint64_t slice_nonces);

  Scheduler& scheduler_;
  State& state_;
  Say say_;
  const Clock& clock_;
  std::unique_ptr<mining::Source> source_;
  std::unique_ptr<mining::Desk> desk_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  bool stopping_ = false;
  unsigned searching_ = 0;
  bool was_connected_ = false;
  std::uint64_t away_since_ms_ = 0;  ///< steady; 0: not away
  std::string last_report_;
  std::optional<std::uint64_t> said_block_ms_;
  std::vector<std::thread> threads_;
};

}  // namespace sparkmill::worker
