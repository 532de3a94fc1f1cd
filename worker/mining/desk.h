// SPDX-License-Identifier: Apache-2.0
// Between one source of mining work and the devices: the job of the moment, pieces of its nonces, the epoch they are
// hashed with; hits come back, are recomputed by another row, and go out as shares.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <thread>

#include "base/stop.h"
#include "kernels/tensority/epoch_cache.h"
#include "worker/mining/nonce_book.h"

namespace sparkmill::mining {

class Desk final : public Listener {
 public:
  struct Seams {
    /// Hash of a header by another row than the one that found it. Called by the desk's own thread only.
    std::function<Result<Hash32>(const tensority::Epoch& epoch, const Hash32& header_hash)> recompute;
    /// Where epochs come from; the same one that the devices' work asks.
    tensority::EpochCache* epochs = &tensority::epochs();
    /// Called for each right hit before it goes out, with the hash of its header; false: it went out before. An error:
    /// it cannot be written down, so it does not go out. May be empty.
    std::function<Result<bool>(const MiningJob& job, const Share& share, const Hash32& id)> record;
    /// The source did not take it after all. May be empty.
    std::function<void(const Share& share)> forget;
    /// A device gave a hit that is none: it computes wrongly. May be empty.
    std::function<void(const std::string& device, const std::string& what)> on_wrong;
    /// Gets what the source says, after the desk has looked at it. May be null.
    Listener* next = nullptr;
  };

  /// A stretch of nonces for one device. The stop token fires when its shares would be worth nothing any more.
  struct Piece {
    MiningJob job;
    std::shared_ptr<const tensority::Epoch> epoch;
    NonceRange nonces;
    StopToken stop;
    /// What Kernel::search takes; points into this piece.
    tensority::SearchTask task() const;
  };

  struct Counts {
    std::uint64_t hashes = 0;    ///< nonces that devices tried
    std::uint64_t hits = 0;      ///< that were right
    std::uint64_t wrong = 0;     ///< that were not
    std::uint64_t too_late = 0;  ///< not sent: their job was over before they were looked at or taken, or too many came
    std::uint64_t known = 0;     ///< right, but sent before: by an earlier run of the program
    std::uint64_t used_up = 0;   ///< times a job's whole range had been given out
    std::uint64_t waiting = 0;   ///< hits to be recomputed
  };

  /// `source` must outlive the desk's stop(). Starts one thread.
  Desk(Source& source, Seams seams);
  ~Desk() override;

  /// At most `count` nonces of the current job; none when there is nothing to do. Builds the epoch on the calling
  /// thread when it is the first to need it and the cache has not begun with it (26 ms); others wait. Thread-safe.
  std::optional<Piece> take(std::uint64_t count);
  /// Waits at most `ms` until take() may have something; false: not yet.
  bool wait(unsigned ms);
  /// A device searched a part of the piece: nonces are counted, hits go on. Thread-safe, never blocks for long.
  void searched(const Piece& piece, const std::string& device, std::uint64_t nonces,
                std::span<const tensority::Found> hits);
  /// A part of the piece that nobody searched is given out again. Thread-safe.
  void give_back(const Piece& piece, NonceRange part);

  Counts counts() const;
  /// Ends the thread; hits that wait are dropped and running pieces told to stop. Call before the source's stop() to
  /// leave nothing behind, or after it.
  void stop();

  void on_job(const MiningJob& job) override;
  void on_no_job(const std::string& why) override;
  void on_answer(const ShareAnswer& answer) override;
  void on_report(const SourceReport& report) override;

 private:
  struct Hit {
    MiningJob job;
    std::shared_ptr<const tensority::Epoch> epoch;
    tensority::Found found;
    std::string device;
  };
  void drop_work();  ///< under mutex_: all pieces and hits are worth nothing any more
  void check_hits();
  void check(const Hit& hit);

  Source& source_;
  const Seams seams_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<MiningJob> job_;
  StopSource running_;  ///< of all pieces given out since the last clean job
  bool used_up_ = false;
  bool stopping_ = false;
  std::deque<Hit> hits_;
  bool checking_ = false;
  Counts counts_;
  NonceBook nonces_;
  std::thread thread_;
};

}  // namespace sparkmill::mining
