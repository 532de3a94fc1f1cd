// SPDX-License-Identifier: Apache-2.0
// What the benchmarks of all signature families do alike: make and test the kernel, time it in turn with its form with
// evidence and the ceiling of the unit that multiplies, on a device, on two cores. Every verdict that was timed is
// compared.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/kernels/data.h"
#include "kernels/kernel.h"

namespace sparkmill::bench {

template <class Body>
double timed(double (*clock)(), Body body) {
  const double start = clock();
  body();
  return clock() - start;
}

/// The subject fails in the report; `wrong` when an answer was wrong, not only absent.
void give_up(benchmark::State& state, const std::string& id, const std::string& why, bool wrong);
/// A kernel that passed its self-test, or nullptr after give_up().
std::unique_ptr<kernels::Kernel> prepare(benchmark::State& state, const Subject& subject);

/// A batch that one kernel works on. `run` gives false when the kernel failed; `right` compares what was timed last.
struct SignatureLoad {
  std::size_t items = 0;
  std::function<bool(kernels::Kernel&, bool with_evidence)> run;
  std::function<bool()> right;
};

/// A library that decides some of the same items in the same run.
struct SignaturePeer {
  std::string name;  ///< counters NAME_per_s and of_NAME
  std::size_t items = 0;
  std::function<bool()> run;  ///< false: another verdict than ours
};

/// One core, processor time: the row, its form with evidence, the ceiling and the peers in turn; medians.
/// `instructions`: multiplications of the whole load, 0 where no ceiling is known. Without `whole` only the rate of the
/// row and the ceiling are taken (small batches, the oracle).
void run_on_core(benchmark::State& state, const Subject& subject, const SignatureLoad& load, double instructions,
                 bool whole, const std::vector<SignaturePeer>& peers);
/// One core, processor time: `load`, whose keys repeat, in turn with `plain`, whose keys do not. Counters: `speedup` on
/// a kernel that has seen the load before, `speedup_of_new_keys` on one that has seen nothing.
void run_repeated_keys(benchmark::State& state, const Subject& subject, const SignatureLoad& load,
                       const SignatureLoad& plain);
/// Rows that use other processors or devices: a batch, wall time.
void run_on_device(benchmark::State& state, const Subject& subject, const SignatureLoad& load);
/// The same batch on one pinned core, then on two at once; wall time, and processor time beside it. The loads share no
/// memory that is written.
void run_on_two_cores(benchmark::State& state, const Subject& subject, unsigned other_core, const SignatureLoad& mine,
                      const SignatureLoad& theirs);

template <class Function>
auto* add_rows(const std::string& name, Function function) {
  return benchmark::RegisterBenchmark(name.c_str(), function)->UseManualTime();
}

}  // namespace sparkmill::bench
