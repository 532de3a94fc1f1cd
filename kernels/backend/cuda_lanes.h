// SPDX-License-Identifier: Apache-2.0
// Two launches of a signature family in flight on a CUDA device, so that one computes while the next one's items are
// copied.
#pragma once

#include <chrono>

#include "kernels/backend/cuda.h"
#include "kernels/backend/signature_launch.h"

namespace sparkmill::kernels::cuda {

/// One launch in flight. Host memory is page-locked, so that copies overlap with kernels.
struct Lane {
  Stream stream;
  DeviceBuffer in, messages, scratch, out;  ///< those that the family needs
  PinnedBuffer host_in, host_messages, host_out;
  Launch launch;  ///< count 0: idle
  std::chrono::steady_clock::time_point started;

  /// The row calls this before it puts the first copy of a launch on the stream.
  void begin(const Launch& what) {
    launch = what;
    started = std::chrono::steady_clock::now();
  }
};

class Lanes {
 public:
  Lanes(std::size_t least, std::size_t most) : size_(least, least, most) {}
  Done open() {
    for (Lane& lane : lanes_) SPARKMILL_TRY(lane.stream.open());
    return done();
  }
  std::size_t items() const { return size_.items(); }

  /// All launches of a batch that passed check(). start(lane, launch) fills the lane and puts everything on its stream;
  /// take(lane, launch) copies results out of host_out when they are there. Nothing is under way when this returns.
  /// Errors: cancelled between two launches, those of `start`, `take` and the stream.
  template <class Start, class Take>
  Done run(const SignatureBatch& batch, std::uint64_t most_bytes, const StopToken& stop, Start start, Take take) {
    const Done ran = launches(batch, most_bytes, stop, start, take);
    if (!ran) {
      for (Lane& lane : lanes_) {
        (void)lane.stream.wait();
        lane.launch.count = 0;
      }
    }
    return ran;
  }

 private:
  template <class Start, class Take>
  Done launches(const SignatureBatch& batch, std::uint64_t most_bytes, const StopToken& stop, Start& start,
                Take& take) {
    std::size_t turn = 0;
    for (std::size_t first = 0; first < batch.count; ++turn) {
      if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
      Lane& lane = lanes_[turn % 2];
      SPARKMILL_TRY(finish(lane, take));
      const Launch launch = next_launch(batch, first, size_.items(), most_bytes);
      SPARKMILL_TRY(start(lane, launch));
      first += launch.count;
    }
    SPARKMILL_TRY(finish(lanes_[turn % 2], take));
    return finish(lanes_[(turn + 1) % 2], take);
  }
  template <class Take>
  Done finish(Lane& lane, Take& take) {
    const Launch launch = lane.launch;
    if (launch.count == 0) return done();
    SPARKMILL_TRY(lane.stream.wait());
    lane.launch.count = 0;
    size_.took(launch.count, std::chrono::duration<double>(std::chrono::steady_clock::now() - lane.started).count());
    take(lane, launch);
    return done();
  }

  LaunchSize size_;  // for two launches, from start to results
  Lane lanes_[2];
};

}  // namespace sparkmill::kernels::cuda
