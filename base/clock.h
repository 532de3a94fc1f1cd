// SPDX-License-Identifier: Apache-2.0
// Time as a seam: production uses `system_clock()`, tests hand in a ManualClock.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace sparkmill {

class Clock {
 public:
  virtual ~Clock() = default;
  /// Wall clock, may jump in either direction.
  virtual std::uint64_t unix_ms() const = 0;
  /// Never goes back; origin unspecified.
  virtual std::uint64_t steady_ms() const = 0;
};

inline const Clock& system_clock() {
  struct System final : Clock {
    std::uint64_t unix_ms() const override {
      using namespace std::chrono;
      return static_cast<std::uint64_t>(duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());
    }
    std::uint64_t steady_ms() const override {
      using namespace std::chrono;
      return static_cast<std::uint64_t>(duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count());
    }
  };
  static const System clock;
  return clock;
}

/// A clock that moves only when told to.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(std::uint64_t unix_ms = 1'700'000'000'000) : unix_(unix_ms) {}
  std::uint64_t unix_ms() const override { return unix_; }
  std::uint64_t steady_ms() const override { return steady_; }
  void advance_ms(std::uint64_t ms) { unix_ += ms, steady_ += ms; }
  void set_unix_ms(std::uint64_t ms) { unix_ = ms; }

 private:
  std::atomic<std::uint64_t> unix_;
  std::atomic<std::uint64_t> steady_{0};
};

}  // namespace sparkmill
