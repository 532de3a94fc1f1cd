// SPDX-License-Identifier: Apache-2.0
// How whole items (blocks, checkpoints, trees) are timed: the check on our rows in turn with the same check on Debian's
// libraries, processor time of one pinned core. Every answer that was timed is compared.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "kernels/registry.h"

namespace sparkmill::bench {

/// One side: runs the check over its items; `right` compares what it gave last.
struct WholeLoad {
  /// Units and how many of each a run does, the first one compares: {"blocks", 16}, {"inputs", 1600}.
  std::vector<std::pair<std::string, double>> units;
  std::function<Done()> run;
  std::function<bool()> right;
};
struct WholePeer {
  std::string name;  ///< counters NAME_per_s and of_NAME, in the first unit
  WholeLoad load;
};

/// Counters UNIT_per_s of `ours`, and of the peers. A failure or a wrong answer goes to the report under `id`.
void run_whole(benchmark::State& state, const std::string& id, const WholeLoad& ours,
               const std::vector<WholePeer>& peers);

/// The best row of the processor, self-tested; its id is "family/cpu/avx512".
template <class FamilyKernel>
struct Best {
  std::unique_ptr<kernels::Kernel> owner;
  FamilyKernel* kernel = nullptr;
  std::string id;
};
Result<std::pair<std::unique_ptr<kernels::Kernel>, std::string>> best_row(kernels::Family family,
                                                                          const std::string& forced = {});
template <class FamilyKernel>
Result<Best<FamilyKernel>> best(kernels::Family family, const std::string& forced = {}) {
  SPARKMILL_ASSIGN(auto made, best_row(family, forced));
  auto* kernel = dynamic_cast<FamilyKernel*>(made.first.get());
  return Best<FamilyKernel>{std::move(made.first), kernel, std::move(made.second)};
}
/// "cpu/avx512" of the best row, without making it: the second part of the names.
std::string best_name(kernels::Family family);

}  // namespace sparkmill::bench
