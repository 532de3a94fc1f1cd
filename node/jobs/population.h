// SPDX-License-Identifier: Apache-2.0
// The demo's people: real faces hidden among an endless seeded sequence of synthetic ones. Task t looks at a window of
// that sequence that moves by a fraction a task, so a new task costs few enrolments and any task can be built again.
// Synthetic rows are counted apart from real ones everywhere.
#pragma once

#include "base/stop.h"
#include "kernels/match/match.h"
#include "verify/template/enrol.h"
#include "verify/template/population.h"

namespace sparkmill::node {

/// Everything that decides what a task asks. Codec: u16 version = 1 | u64 index | u32 requests | u32 users | u32 n |
/// seed[32] | len predicate text.
struct TaskSpec {
  std::uint64_t index = 0;
  std::uint32_t requests = 0;
  std::uint32_t users = 0;  ///< before ringers
  std::uint32_t n = 0;
  Hash32 seed{};  ///< of the population
  std::string predicate;
};
Bytes encode(const TaskSpec& spec);
Result<TaskSpec> decode_task_spec(ByteView bytes);

/// Which rows a task shows, in order: >= 0 is a row of templates::real_faces(), otherwise -1 - (number in the synthetic
/// sequence of that side).
struct Layout {
  std::vector<std::int64_t> requests;
  std::vector<std::int64_t> users;
  std::uint32_t real_requests = 0;
  std::uint32_t real_users = 0;
};
Layout layout_of(const TaskSpec& spec);

/// What a finished task's pairs say about the real faces.
struct TaskReport {
  std::uint32_t altered_found = 0, altered_shown = 0;  ///< (photo, altered photo) of one person
  std::uint32_t real_false = 0;                        ///< pairs of different real persons
  std::uint32_t synthetic_false = 0;                   ///< pairs with a synthetic row
};
TaskReport report_of(const TaskSpec& spec, std::span<const match::Pair> pairs);

struct TaskRows {
  templates::Features request_features;
  Bytes request_rows;
  Bytes user_rows;
};

/// Enrols what tasks need and keeps the windows of the last one. One thread at a time.
class Population {
 public:
  static Result<Population> make(const Hash32& seed, std::uint32_t n);
  /// Errors: cancelled, bad_argument.
  Result<TaskRows> rows(const TaskSpec& spec, const Layout& layout, const StopToken& stop);
  const Hash32& seed() const { return seed_; }
  const templates::Enroller& enroller() const { return enroller_; }
  std::span<const float> mean() const { return mean_; }
  const Id16& app() const { return app_; }

 private:
  struct Window {
    Hash32 seed{};
    std::uint64_t first = 0;
    std::vector<float> features;
    Bytes rows;
  };
  Population(const Hash32& seed, templates::Enroller enroller, std::vector<float> mean, const Id16& app);
  Done move(Window& window, std::uint64_t first, std::uint32_t count, const StopToken& stop) const;
  Hash32 seed_;
  templates::Enroller enroller_;
  std::vector<float> mean_;
  Id16 app_{};
  Bytes real_rows_;
  Window requests_;
  Window users_;
};

}  // namespace sparkmill::node
