// SPDX-License-Identifier: Apache-2.0
// Seeded populations for the match benchmarks, and a kernel with its task.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/match/match.h"
#include "kernels/registry.h"

namespace sparkmill::bench {

/// Random rows of one field; masked: validity bits are ones with probability 3/4. The threshold lets about one impostor
/// in 10^6 pass, as the thresholds in use do.
class Population {
 public:
  Population(std::uint32_t n, bool masked, std::uint32_t request_tiles, std::uint32_t user_tiles);
  Population(const Population&) = delete;
  Population& operator=(const Population&) = delete;

  match::Task task(bool digest) const;
  const match::FieldPair& field() const { return field_; }
  std::uint64_t pairs() const { return std::uint64_t{field_.requests.count} * field_.users.count; }
  std::int32_t threshold() const { return threshold_; }

 private:
  std::vector<std::uint64_t> requests_, users_;
  match::FieldPair field_;
  std::int32_t threshold_;
  match::Predicate predicate_;
  match::DigestWords words_;
};

/// One row on one device that can run here.
struct Subject {
  const kernels::Row* row;
  kernels::Device device;
  std::string id() const { return row->id() + (device.id == "cpu" ? "" : "@" + device.id); }
};
std::vector<Subject> subjects(kernels::Family family = kernels::Family::match);
std::unique_ptr<kernels::Kernel> make(const Subject& subject, std::string& error);

/// Compares the row with the oracle on one tile of the population; "" when equal.
std::string verify(match::Kernel& kernel, const Population& population);

}  // namespace sparkmill::bench
