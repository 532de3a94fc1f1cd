// SPDX-License-Identifier: Apache-2.0
// The life of a work unit as pure functions (specs/boinc.md 4.2): what a look at its instances changes, what the good
// results agree on, and how credit averages. No database, no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sparkmill::boinc::project {

// The numbers are BOINC's, specs/boinc.md 6.
enum class ServerState : std::uint8_t { unsent = 2, in_progress = 4, over = 5 };
enum class Outcome : std::uint8_t {
  none = 0,
  success = 1,
  could_not_send = 2,
  client_error = 3,
  no_reply = 4,
  not_needed = 5,
  validate_error = 6,
  detached = 7
};
enum class Validity : std::uint8_t { init = 0, valid = 1, invalid = 2, no_check = 3, inconclusive = 4, too_late = 5 };
enum class Assimilation : std::uint8_t { init = 0, ready = 1, done = 2 };

/// Bits of a work unit's error mask.
inline constexpr unsigned kTooManyErrors = 2;
inline constexpr unsigned kTooManySuccesses = 4;
inline constexpr unsigned kTooManyTotal = 8;
inline constexpr unsigned kCancelled = 16;

struct Instance {
  std::int64_t id = 0;
  ServerState state = ServerState::unsent;
  Outcome outcome = Outcome::none;
  Validity validity = Validity::init;
  std::int64_t deadline_ms = 0;
};

struct Limits {
  std::uint32_t quorum = 1;
  std::uint32_t target = 1;  ///< instances wanted at once, at least the quorum
  std::uint32_t max_error = 3;
  std::uint32_t max_total = 10;
  std::uint32_t max_success = 6;
};

struct Unit {
  Limits limits;
  std::optional<std::int64_t> canonical;  ///< id of the instance that stands for the unit
  unsigned error_mask = 0;
  Assimilation assimilation = Assimilation::init;
};

/// What a look at a unit changes.
struct Change {
  std::vector<std::int64_t> no_reply;    ///< in progress past their deadline
  std::vector<std::int64_t> not_needed;  ///< unsent instances of a unit that is decided
  std::uint32_t fresh = 0;               ///< instances to make
  unsigned error_mask = 0;
  bool validate = false;             ///< enough good results wait for the validator
  bool assimilate = false;           ///< decided, and not handed to the assimilator yet
  std::int64_t next_ms = INT64_MAX;  ///< the next deadline
};

/// A unit without a canonical result keeps `target` instances unsent, in progress or successful; one past its deadline
/// is written off and another takes its place, until errors, successes or all instances are over their limits.
/// Failed results and results that failed their check count as errors; silence counts towards the total only.
Change look(const Unit& unit, std::span<const Instance> instances, std::int64_t now_ms);

/// Good results (init check passed) and who equals whom: equal[i][j] for i, j < n, symmetric. The index of the first
/// result that more than half of the quorum agree with (itself included); nothing when there is none.
std::optional<std::size_t> canonical_of(const std::vector<std::vector<bool>>& equal, std::uint32_t quorum);

/// Recent average credit: a running average in micro-cobblestones a day with a half-life of a week. `average` was true
/// at `then_ms`; `work` was granted just now. The first grant counts as an instant.
double average_credit(double average, std::int64_t then_ms, std::int64_t now_ms, double work);

}  // namespace sparkmill::boinc::project
