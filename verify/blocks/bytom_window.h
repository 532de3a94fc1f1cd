// SPDX-License-Identifier: Apache-2.0
// A run of consecutive blocks, judged in parallel over a sliding window (Bytom blocks 11): read and decoded in order,
// judged on all lanes in any order, delivered in order. Memory is bounded by bytes in flight and by the number of
// matrix lists; verdicts depend on neither, nor on the number of lanes.
#pragma once

#include <functional>

#include "kernels/registry.h"
#include "verify/blocks/bytom.h"
#include "verify/blocks/bytom_headers.h"
#include "verify/blocks/bytom_state.h"

namespace sparkmill::blocks::bytom {

/// Blocks in chain order, as bytes; nothing at the end. Called by one thread at a time; the others go on while it
/// waits. A source that may wait for long looks at the stop token itself.
using NextBlock = std::function<Result<std::optional<Bytes>>()>;

/// One judged block, in chain order. `block` is null for bytes that could not be decoded. Returns false to end the
/// run. Called by one thread at a time.
struct Delivery {
  std::uint64_t number = 0;  ///< from 0, in the order of reading
  std::size_t size = 0;      ///< bytes as read
  const Block* block = nullptr;
  const Judged& judged;
};
using Deliver = std::function<bool(const Delivery& delivery)>;

/// What runs the window: the worker's lanes, or threads.
class Lanes {
 public:
  virtual ~Lanes() = default;
  /// Calls `loop` once on each lane, at the same time, with that lane's kernels, and returns when all have returned:
  /// the first error in order of lanes.
  virtual Done run(const std::function<Done(const Engines& engines)>& loop) = 0;
};

struct WindowOptions {
  std::size_t bytes = std::size_t{64} << 20;  ///< of blocks in flight, decoded form included; one block always fits
  std::size_t bundle = 8;                     ///< blocks that a lane judges in one go
  std::size_t epochs = 16;                    ///< matrix lists built ahead, 16 MiB each; every lane may need one more
  bool go_on = false;                         ///< judge the blocks above the first invalid one, too
};

struct WindowSummary {
  std::uint64_t blocks = 0;  ///< delivered
  std::uint64_t valid = 0;
  std::uint64_t transactions = 0;
  std::uint64_t signatures = 0;
  bool ended_early = false;  ///< by an invalid block or by `deliver`
};

/// Judges what `next` yields. `walk` knows the headers before and is left behind the last block read; `state` (may be
/// null) gets every valid block, and its refusals become the block's verdict; `real_state`: it stands for the whole
/// set, so that Scope::state is set. Errors: what `next`, a kernel or the state reports, after the blocks before it
/// have been delivered (up to a bundle less); cancelled by the stop token at once.
Result<WindowSummary> judge_window(const NextBlock& next, HeaderWalk& walk, State* state, bool real_state, Lanes& lanes,
                                   const WindowOptions& options, const Deliver& deliver, const StopToken& stop = {});

/// Lanes of one device, a thread each.
class ThreadLanes final : public Lanes {
 public:
  struct Rows {
    std::string hash, signatures, work;  ///< row ids; empty: the best that runs
  };
  /// `count` 0: as many as the device has. Every kernel has passed its self-test. Errors: bad_argument (a row that
  /// does not exist), no_device, self_test_failed.
  static Result<std::unique_ptr<ThreadLanes>> make(const kernels::Device& device, std::size_t count, const Rows& rows);
  Done run(const std::function<Done(const Engines& engines)>& loop) override;
  std::size_t count() const { return lanes_.size(); }
  const Rows& rows() const { return rows_; }  ///< what was chosen

 private:
  struct Lane {
    std::unique_ptr<kernels::Kernel> hash, signatures, second, work;
    Engines engines;
  };
  Rows rows_;
  std::vector<Lane> lanes_;
};

}  // namespace sparkmill::blocks::bytom
