// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/lanes.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

namespace sparkmill::signatures {

Done InlineLanes::run(std::size_t slices, const Part& part, const StopToken& stop) {
  for (std::size_t slice = 0; slice < slices; ++slice) {
    if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
    SPARKMILL_TRY(part(slice, kernel_));
  }
  return done();
}

Done ThreadLanes::run(std::size_t slices, const Part& part, const StopToken& stop) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::optional<std::pair<std::size_t, Error>> first;
  const auto lane = [&](kernels::Kernel* kernel) {
    while (!failed && !stop.stop_requested()) {
      const std::size_t slice = next++;
      if (slice >= slices) return;
      Done result = part(slice, kernel);
      if (result) continue;
      failed = true;
      const std::lock_guard lock(mutex);
      if (!first || slice < first->first) first = {slice, result.error()};
    }
  };
  // No more threads than slices; the first lane is the caller's own thread.
  std::vector<std::thread> threads;
  for (std::size_t k = 1; k < std::min(kernels_.size(), slices); ++k) threads.emplace_back(lane, kernels_[k].get());
  if (!kernels_.empty()) lane(kernels_.front().get());
  for (std::thread& thread : threads) thread.join();
  if (first) return first->second;
  if (next < slices || stop.stop_requested()) return fail(Status::cancelled, "stopped");
  return done();
}

}  // namespace sparkmill::signatures
