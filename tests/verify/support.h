// SPDX-License-Identifier: Apache-2.0
// Small real match jobs for the tests of verify/: seeded template files with some users equal to requests.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "kernels/match/match.h"
#include "verify/job/match_h.h"
#include "verify/proof/proof.h"

namespace sparkmill::testing {

Hash32 seed_of(std::string_view text);
Id16 id_of(std::string_view text);

/// Rows whose elements are valid with probability 3/4 and otherwise uniform.
Bytes random_rows(const Hash32& seed, std::uint32_t count, std::uint32_t n);
/// A template file of these rows.
Bytes template_file(ByteView rows, std::uint32_t n, std::uint32_t field = 0, std::string_view app = "tests");

/// The best match kernel of the CPU, self-tested.
std::unique_ptr<kernels::Kernel> cpu_kernel();
job::InlineExecutor cpu_executor();

/// and(leaf of field 0 >= thresholds[0], leaf of field 1 >= thresholds[1], ...); one threshold: the leaf alone.
match::Predicate dots_at_least(std::span<const std::int32_t> thresholds);

struct Shape {
  std::uint32_t requests = 700;
  std::uint32_t users = 900;
  std::uint32_t n = 64;
  std::uint32_t fields = 1;
  std::uint32_t twins = 40;  ///< users that equal a request, spread over the job
  std::int32_t threshold = 44;
};

/// A job with its blobs, opened for one lease.
struct Sample {
  explicit Sample(const Shape& shape, std::string_view name = "sample");
  std::unique_ptr<job::Work> open(const job::Binding& binding);

  Shape shape;
  job::MemoryBlobs blobs;
  job::Job job;
  job::Binding binding;
  std::unique_ptr<job::Work> work;
};

/// Runs all slices inline.
std::vector<Bytes> run_all(const job::Work& work, std::uint64_t target_units);
job::Outcome outcome_of(const job::Work& work, std::uint64_t target_units = 1u << 24);
proof::Commit commit_of(const job::Outcome& outcome);

/// Answers single tiles from results that a real kernel computed before; so a thousand checks cost one job.
class ReplayExecutor final : public job::Executor {
 public:
  explicit ReplayExecutor(const job::Work& work);
  Done run(const job::Work& work, std::span<const job::Slice> slices,
           const std::function<Done(const job::Slice&, Bytes)>& done_with, const StopToken& stop) override;

 private:
  std::map<std::array<std::uint32_t, 4>, Bytes> results_;
};

}  // namespace sparkmill::testing
