// SPDX-License-Identifier: Apache-2.0
#include "boinc/project/transition.h"

#include <algorithm>
#include <cmath>

namespace sparkmill::boinc::project {

Change look(const Unit& unit, std::span<const Instance> instances, std::int64_t now_ms) {
  Change out;
  std::uint32_t unsent = 0, running = 0, good = 0, errors = 0;
  std::uint32_t unchecked = 0;  // successes that the validator has not decided on
  bool fresh_success = false;   // one of them was never looked at
  for (const Instance& i : instances) {
    switch (i.state) {
      case ServerState::unsent: ++unsent; break;
      case ServerState::in_progress:
        if (now_ms >= i.deadline_ms) {
          out.no_reply.push_back(i.id);
        } else {
          ++running;
          out.next_ms = std::min(out.next_ms, i.deadline_ms);
        }
        break;
      case ServerState::over:
        if (i.outcome == Outcome::client_error || i.outcome == Outcome::validate_error) ++errors;
        if (i.outcome != Outcome::success) break;
        if (i.validity == Validity::invalid) {
          ++errors;  // it lost against the canonical result
          break;
        }
        ++good;
        if (i.validity == Validity::init) fresh_success = true;
        if (i.validity == Validity::init || i.validity == Validity::inconclusive) ++unchecked;
        break;
    }
  }
  const Limits& limits = unit.limits;
  unsigned mask = unit.error_mask;
  if (!unit.canonical && mask == 0) {
    if (errors > limits.max_error) mask |= kTooManyErrors;
    if (good > limits.max_success) mask |= kTooManySuccesses;
    const std::uint32_t have = unsent + running + good;
    const std::uint32_t wanted = limits.target > have ? limits.target - have : 0;
    if (mask == 0 && instances.size() + wanted > limits.max_total) mask |= kTooManyTotal;
    if (mask == 0) out.fresh = wanted;
  }
  out.error_mask = mask;
  const bool decided = unit.canonical.has_value() || mask != 0;
  if (decided) {
    for (const Instance& i : instances) {
      if (i.state == ServerState::unsent) out.not_needed.push_back(i.id);
    }
  }
  out.validate = fresh_success && mask == 0 && (unit.canonical || unchecked >= limits.quorum);
  out.assimilate = decided && unit.assimilation == Assimilation::init;
  return out;
}

std::optional<std::size_t> canonical_of(const std::vector<std::vector<bool>>& equal, std::uint32_t quorum) {
  const std::size_t needed = quorum / 2 + 1;
  for (std::size_t i = 0; i < equal.size(); ++i) {
    if (static_cast<std::size_t>(std::count(equal[i].begin(), equal[i].end(), true)) >= needed) return i;
  }
  return {};
}

double average_credit(double average, std::int64_t then_ms, std::int64_t now_ms, double work) {
  constexpr double kDayMs = 86'400'000.0;
  constexpr double kHalfLifeDays = 7.0;
  const double days = std::max(0.0, static_cast<double>(now_ms - then_ms) / kDayMs);
  const double rate = std::log(2.0) / kHalfLifeDays;
  const double kept = std::exp(-days * rate);
  // Work spread over the time since the last grant; for short times the limit, in which the division cancels out.
  const double added = days > 1e-4 ? work * (1.0 - kept) / days : work * rate;
  return average * kept + added;
}

}  // namespace sparkmill::boinc::project
