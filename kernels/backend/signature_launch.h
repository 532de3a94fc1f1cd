// SPDX-License-Identifier: Apache-2.0
// A batch of signatures cut into launches of a device, with offsets from the launch's own first byte.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/stop.h"
#include "kernels/backend/signature_batch.h"

namespace sparkmill::kernels {

/// How many items a launch takes: follows the device's speed, so that a stop is honoured soon and the device is not
/// asked too often. Doubles while a launch is short, halves when it is long.
class LaunchSize {
 public:
  LaunchSize(std::size_t start, std::size_t least, std::size_t most) : items_(start), least_(least), most_(most) {}
  std::size_t items() const { return items_; }
  /// A launch of `items` took so long; one of another size, the last of a batch, says nothing.
  void took(std::size_t items, double seconds) {
    if (items != items_) return;
    if (seconds < kAimed / 2) items_ = std::min(2 * items_, most_);
    if (seconds > 2 * kAimed) items_ = std::max(items_ / 2, least_);
  }

 private:
  static constexpr double kAimed = 0.030;  // seconds
  std::size_t items_, least_, most_;
};

/// The items first .. first + count - 1 of a batch.
struct Launch {
  std::size_t first = 0, count = 0;
  ByteView messages;  ///< theirs alone
};

/// At most `most` items, and of messages at most `most_bytes` unless it is one item. Requires first < batch.count and
/// a batch that passed check().
inline Launch next_launch(const SignatureBatch& batch, std::size_t first, std::size_t most, std::uint64_t most_bytes) {
  const auto offsets = batch.message_offsets;
  Launch launch{first, 0, {}};
  while (launch.count < most && first + launch.count < batch.count) {
    if (launch.count != 0 && offsets[first + launch.count + 1] - offsets[first] > most_bytes) break;
    ++launch.count;
  }
  launch.messages = batch.messages.subspan(offsets[first], offsets[first + launch.count] - offsets[first]);
  return launch;
}

/// run(launch) for all launches of a batch, one after the other, `size` following their time. Requires a batch that
/// passed check(). Errors: cancelled between two launches, those of `run`.
template <class Run>
Done each_launch(const SignatureBatch& batch, LaunchSize& size, std::uint64_t most_bytes, const StopToken& stop,
                 Run run) {
  using Clock = std::chrono::steady_clock;
  for (std::size_t first = 0; first < batch.count;) {
    if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
    const Launch launch = next_launch(batch, first, size.items(), most_bytes);
    const Clock::time_point start = Clock::now();
    SPARKMILL_TRY(run(launch));
    size.took(launch.count, std::chrono::duration<double>(Clock::now() - start).count());
    first += launch.count;
  }
  return done();
}

/// out[0 .. count]: the launch's offsets, from its first message on.
inline void launch_offsets(const SignatureBatch& batch, const Launch& launch, std::uint64_t* out) {
  const auto offsets = batch.message_offsets;
  for (std::size_t i = 0; i <= launch.count; ++i) out[i] = offsets[launch.first + i] - offsets[launch.first];
}

}  // namespace sparkmill::kernels
