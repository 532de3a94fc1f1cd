// SPDX-License-Identifier: Apache-2.0
// Progress of one long command on stderr: a bar with a rate and a remaining time on a terminal, plain lines elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace sparkmill::cli {

/// "1.24e+09", "873", "12.5": three significant digits.
std::string short_number(double value);
/// "3 s", "2 min 5 s", "1 h 12 min".
std::string short_time(double seconds);

class Progress {
 public:
  /// `unit` is what is counted ("pairs"). `total` 0: nobody knows; then counts are shown, and no remaining time.
  /// `quiet` prints nothing.
  Progress(std::string label, std::string unit, std::uint64_t total, bool quiet = false);
  /// Ends the bar's line if finish() was not reached.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Thread-safe; prints at most five times a second on a terminal, every five seconds elsewhere.
  void add(std::uint64_t units);
  /// Prints the total with the rate over the whole run.
  void finish();
  double seconds() const;

 private:
  using Clock = std::chrono::steady_clock;
  void print(bool last);

  const std::string label_;
  const std::string unit_;
  const std::uint64_t total_;
  const bool quiet_;
  const bool terminal_;
  const Clock::time_point start_;
  std::mutex mutex_;
  std::uint64_t done_ = 0;
  Clock::time_point printed_;
  bool open_line_ = false;
  bool finished_ = false;
};

}  // namespace sparkmill::cli
