// SPDX-License-Identifier: Apache-2.0
// Runs two bodies at the same time on two pinned cores; spins instead of sleeping, so that starts cost microseconds.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "bench/measure.h"

namespace sparkmill::bench {

class PairRunner {
 public:
  PairRunner(unsigned core, std::function<void()> body)
      : body_(std::move(body)), thread_([this, core] { loop(core); }) {}
  ~PairRunner() {
    quit_ = true;
    round_.fetch_add(1, std::memory_order_release);
    thread_.join();
  }
  PairRunner(const PairRunner&) = delete;
  PairRunner& operator=(const PairRunner&) = delete;

  /// Starts the other body, runs `own` here, waits for both.
  void run(const std::function<void()>& own) {
    const unsigned round = round_.fetch_add(1, std::memory_order_release) + 1;
    const double start = thread_seconds();
    own();
    own_s_ = thread_seconds() - start;
    while (finished_.load(std::memory_order_acquire) != round) std::this_thread::yield();
  }
  double own_seconds() const { return own_s_; }
  double other_seconds() const { return other_s_; }

 private:
  void loop(unsigned core) {
    pin_to(core);
    for (unsigned seen = 0;;) {
      while (round_.load(std::memory_order_acquire) == seen) std::this_thread::yield();
      ++seen;
      if (quit_) return;
      const double start = thread_seconds();
      body_();
      other_s_ = thread_seconds() - start;
      finished_.store(seen, std::memory_order_release);
    }
  }

  std::function<void()> body_;
  std::atomic<unsigned> round_{0};
  std::atomic<unsigned> finished_{0};
  std::atomic<bool> quit_{false};
  double own_s_ = 0, other_s_ = 0;
  std::thread thread_;
};

}  // namespace sparkmill::bench
