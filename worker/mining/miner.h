// SPDX-License-Identifier: Apache-2.0
// Mining on the scheduler's lanes: pieces that the desk gives become slices beside those of other jobs, what they find
// goes back to the desk. Says what a user wants to know and writes the part `mining` of the state tree.
#pragma once

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "worker/mining/desk.h"
#include "worker/mining/share_book.h"
#include "worker/scheduler/scheduler.h"
#include "worker/state/state.h"

namespace sparkmill::worker {

class Miner final : public mining::Listener {
 public:
  using Say = std::function<void(const std::string&)>;
  /// All must outlive it.
  Miner(Scheduler& scheduler, Store& store, State& state, Say say, const Clock& clock = system_clock());
  ~Miner() override;

  /// Starts threads and the source. Error: the source's, the store's.
  Done start(std::unique_ptr<mining::Source> source);
  /// While true no new piece is begun; the source stays connected. Paused devices leave what runs where it is.
  void hold(bool on);
  /// Stops the lanes' work, then the source. Shares that have no answer yet end as unknown.
  void stop();
  void publish();
  /// Why nothing can come of this any more: the source refuses us (refused), could not be reached for `patience_ms` > 0
  /// (unreachable), or shares cannot be written down (what the store says). Call now and then: time without a source is
  /// counted from one call to the next.
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
  Result<bool> record(const mining::MiningJob& job, const mining::Share& share, const Hash32& id);
  void watch_refusals(const mining::ShareAnswer& answer);

  Scheduler& scheduler_;
  State& state_;
  Say say_;
  const Clock& clock_;
  ShareBook book_;
  std::unique_ptr<mining::Source> source_;
  std::unique_ptr<mining::Desk> desk_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  bool stopping_ = false;
  unsigned searching_ = 0;
  bool was_connected_ = false;
  std::uint64_t away_since_ms_ = 0;  ///< steady; 0: not away
  std::optional<Error> store_error_;
  unsigned too_easy_in_row_ = 0;  ///< shares refused as of low difficulty since the last accepted one
  std::string last_report_;
  std::optional<std::uint64_t> said_block_ms_;
  std::vector<std::thread> threads_;
};

}  // namespace sparkmill::worker
