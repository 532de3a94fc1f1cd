// SPDX-License-Identifier: Apache-2.0
// Between one source of mining work and the devices: the job of the moment, pieces of its nonces, the epoch they are
// hashed with; hits come back, are recomputed by another row, and go out as shares.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <thread>

#include "base/stop.h"
#include "worker/source/nonce_book.h"

namespace sparkmill::mining {

class Desk final : public Listener {
 public:
  struct Seams {
    /// Hash of a header by another row than the one that found it. Called by the desk's own thread only.
    std::function<Result<Hash32>(const tensority::Epoch& epoch, const Hash32& header_hash)> recompute;
    std::function<Result<std::shared_ptr<const tensority::Epoch>>(const Hash32& seed, const StopToken& stop)> build =
        tensority::Epoch::build;
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
    std::uint64_t hashes = 0;    ///< of finished pieces
    std::uint64_t hits = 0;      ///< that were right
    std::uint64_t wrong = 0;     ///< that were not
    std::uint64_t too_late = 0;  ///< right, and the source would not take them any more
    std::uint64_t used_up = 0;   ///< times a job's whole range had been given out
    std::uint64_t epochs = 0;    ///< built
    std::uint64_t waiting = 0;   ///< hits to be recomputed
  };

  /// `source` must outlive the desk's stop(). Starts one thread.
  Desk(Source& source, Seams seams);
  ~Desk() override;

  /// At most `count` nonces of the current job; none when there is nothing to do. Builds the epoch on the calling
  /// thread when it is the first to need it (26 ms); others wait for it. Thread-safe.
  std::optional<Piece> take(std::uint64_t count);
  /// Waits at most `ms` until take() may have something; false: not yet.
  bool wait(unsigned ms);
  /// What became of a piece: nonces that were not searched are given out again, hits go on. Thread-safe, never blocks
  /// for long.
  void finished(const Piece& piece, const std::string& device, const tensority::SearchResult& found);
  /// The device failed: all of the piece is given out again.
  void failed(const Piece& piece);

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
  Result<std::shared_ptr<const tensority::Epoch>> epoch_of(const Hash32& seed);
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
  std::deque<std::shared_ptr<const tensority::Epoch>> epochs_;  ///< newest first, at most two
  bool building_ = false;
  std::deque<Hit> hits_;
  bool checking_ = false;
  Counts counts_;
  NonceBook nonces_;
  std::thread thread_;
};

}  // namespace sparkmill::mining
