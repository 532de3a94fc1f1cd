// SPDX-License-Identifier: Apache-2.0
#include "worker/cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace sparkmill::cli {

namespace {

constexpr auto kOnTerminal = std::chrono::milliseconds(200);
constexpr auto kElsewhere = std::chrono::seconds(5);
constexpr std::size_t kBarWidth = 24;
/// Before that much time no rate is worth extrapolating.
constexpr double kWarmUpSeconds = 0.5;

}  // namespace

std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, std::abs(value) >= 1e5 ? "%.2e" : "%.3g", value);
  return text;
}

std::string short_time(double seconds) {
  const auto s = static_cast<long long>(std::ceil(std::clamp(seconds, 0.0, 1e9)));
  if (s < 60) return std::to_string(s) + " s";
  if (s < 3600) return std::to_string(s / 60) + " min " + std::to_string(s % 60) + " s";
  return std::to_string(s / 3600) + " h " + std::to_string(s % 3600 / 60) + " min";
}

Progress::Progress(std::string label, std::string unit, std::uint64_t total, bool quiet)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      quiet_(quiet),
      terminal_(::isatty(STDERR_FILENO) == 1),
      start_(Clock::now()),
      printed_(start_) {}

Progress::~Progress() {
  if (open_line_) std::fputc('\n', stderr);
}

double Progress::seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

void Progress::add(std::uint64_t units) {
  const std::lock_guard lock(mutex_);
  done_ += units;
  const auto now = Clock::now();
  if (quiet_ || finished_ ||
      now - printed_ < (terminal_ ? Clock::duration(kOnTerminal) : Clock::duration(kElsewhere))) {
    return;
  }
  printed_ = now;
  print(false);
}

void Progress::finish() {
  const std::lock_guard lock(mutex_);
  if (quiet_ || finished_) return;
  finished_ = true;
  print(true);
}

void Progress::print(bool last) {
  const double elapsed = std::max(seconds(), 1e-9);
  const double rate = static_cast<double>(done_) / elapsed;
  const double part = total_ == 0 ? 1.0 : std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
  std::string line = label_ + ": ";
  const bool sized = total_ != 0;
  if (terminal_ && !last && sized) {
    const auto filled = static_cast<std::size_t>(part * static_cast<double>(kBarWidth));
    line += "[" + std::string(filled, '#') + std::string(kBarWidth - filled, '.') + "] ";
  }
  char percent[16];
  std::snprintf(percent, sizeof percent, "%.0f %%", std::floor(part * 100));
  const std::string so_far = short_number(static_cast<double>(done_)) + " " + unit_;
  line += last ? so_far + " in " + short_time(elapsed) : sized ? std::string(percent) : so_far;
  line += ", " + short_number(rate) + " " + unit_ + "/s";
  if (!last && sized) {
    const bool known = elapsed >= kWarmUpSeconds && done_ > 0;
    line += known ? ", about " + short_time(static_cast<double>(total_ - std::min(done_, total_)) / rate) + " left"
                  : ", remaining time not known yet";
  }
  // "\033[K" clears what a longer line before left behind.
  std::fprintf(stderr, terminal_ ? "\r%s\033[K" : "%s\n", line.c_str());
  open_line_ = terminal_ && !last;
  if (terminal_ && last) std::fputc('\n', stderr);
  std::fflush(stderr);
}

}  // namespace sparkmill::cli
