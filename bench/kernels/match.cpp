// SPDX-License-Identifier: Apache-2.0
// Match kernels: rate of each row, with the ceiling of its unit and the digest's price measured in turn with it, so
// that clock changes and neighbours meet all of them alike.
#include "bench/kernels/match.h"

#include <benchmark/benchmark.h>

#include "bench/kernels/ceiling.h"
#include "bench/kernels/data.h"
#include "bench/kernels/pair_runner.h"
#include "bench/measure.h"
#include "bench/report.h"

namespace sparkmill::bench {
namespace {

struct Case {
  Subject subject;
  std::uint32_t n;
  bool masked;
  std::string name() const { return subject.id() + (masked ? "/masked" : "/plain") + "/n:" + std::to_string(n); }
};

/// Tiles of a run. On a CPU one column of tiles, about a millisecond: short enough that most runs meet no interruption.
std::pair<std::uint32_t, std::uint32_t> tiles_of(const Case& c) {
  switch (c.subject.row->backend) {
    case kernels::Backend::reference: return {1, 1};
    case kernels::Backend::cuda: return {128, 128};
    case kernels::Backend::opencl:
    case kernels::Backend::torch: return {4, 4};
    case kernels::Backend::cpu: break;
  }
  return c.n <= 2048 ? std::pair{16u, 1u} : std::pair{8u, 1u};
}

/// Makes and checks the kernel before anything is timed.
std::unique_ptr<kernels::Kernel> prepare(benchmark::State& state, const Case& c, const Population& population) {
  std::string error;
  std::unique_ptr<kernels::Kernel> kernel = make(c.subject, error);
  bool wrong = false;
  if (kernel != nullptr) {
    error = verify(dynamic_cast<match::Kernel&>(*kernel), population);
    wrong = !error.empty();
  }
  if (error.empty()) return kernel;
  Report::instance().fail({c.name(), error, wrong});
  state.SkipWithError(error.c_str());
  return nullptr;
}

/// Time of one run of `body` on `clock`.
template <class Body>
double timed(double (*clock)(), Body body) {
  const double start = clock();
  body();
  return clock() - start;
}

/// One core: a run with the digest, one without, and the ceiling, in turn; the median of each within the repetition.
/// Processor time of this thread.
void run_cpu(benchmark::State& state, const Case& c) {
  const auto [request_tiles, user_tiles] = tiles_of(c);
  const Population population(c.n, c.masked, request_tiles, user_tiles);
  const auto owner = prepare(state, c, population);
  if (owner == nullptr) return;
  auto& kernel = dynamic_cast<match::Kernel&>(*owner);
  const match::Task with = population.task(true), without = population.task(false);
  const Ceiling* ceiling = find_ceiling(c.subject.row->isa, c.masked);
  const double pairs = static_cast<double>(population.pairs());
  const std::uint64_t rounds =
      ceiling != nullptr ? population.pairs() * (c.n / 64) / ceiling->pair_words : std::uint64_t{0};
  match::TileResults out;
  std::vector<double> digest_s, plain_s, ceiling_s;
  const auto run = [&](const match::Task& task) {
    if (!kernel.run(task, out, StopToken())) state.SkipWithError("the kernel failed");
  };
  bool digest_first = false;  // whoever is first finds the caches colder
  for (auto _ : state) {
    digest_first = !digest_first;
    if (!digest_first) plain_s.push_back(timed(thread_seconds, [&] { run(without); }));
    digest_s.push_back(timed(thread_seconds, [&] { run(with); }));
    state.SetIterationTime(digest_s.back());
    if (digest_first) plain_s.push_back(timed(thread_seconds, [&] { run(without); }));
    if (ceiling != nullptr) ceiling_s.push_back(timed(thread_seconds, [&] { ceiling->run(rounds); }));
  }
  const double with_digest = pairs / median(digest_s), no_digest = pairs / median(plain_s);
  state.counters["pairs_per_s"] = with_digest;
  state.counters["pairs_per_s_no_digest"] = no_digest;
  state.counters["digest_overhead"] = no_digest / with_digest - 1;
  if (ceiling == nullptr) return;
  const double limit = static_cast<double>(rounds) * ceiling->pair_words * 64 / c.n / median(ceiling_s);
  state.counters["ceiling_pairs_per_s"] = limit;
  state.counters["of_ceiling"] = with_digest / limit;
  state.counters["of_ceiling_no_digest"] = no_digest / limit;
}

/// Rows that use other processors or devices: wall time.
void run_device(benchmark::State& state, const Case& c) {
  const auto [request_tiles, user_tiles] = tiles_of(c);
  const Population population(c.n, c.masked, request_tiles, user_tiles);
  const auto owner = prepare(state, c, population);
  if (owner == nullptr) return;
  auto& kernel = dynamic_cast<match::Kernel&>(*owner);
  const match::Task task = population.task(true);
  match::TileResults out;
  double total = 0, runs = 0;
  for (auto _ : state) {
    const double t = timed(wall_seconds, [&] {
      if (!kernel.run(task, out, StopToken())) state.SkipWithError("the kernel failed");
    });
    state.SetIterationTime(t);
    total += t;
    runs += 1;
  }
  state.counters["pairs_per_s"] = runs * static_cast<double>(population.pairs()) / total;
}

/// The same work on one pinned core, then on two at once; wall time of both, and processor time beside it.
void run_two_cores(benchmark::State& state, const Case& c, unsigned other_core) {
  constexpr unsigned kRuns = 4;
  const auto [request_tiles, user_tiles] = tiles_of(c);
  const Population population(c.n, c.masked, request_tiles, user_tiles);
  const auto first = prepare(state, c, population);
  const auto second = first != nullptr ? prepare(state, c, population) : nullptr;
  if (second == nullptr) return;
  const match::Task task = population.task(true);
  const auto work = [&task](kernels::Kernel& kernel, match::TileResults& out) {
    for (unsigned r = 0; r < kRuns; ++r) (void)dynamic_cast<match::Kernel&>(kernel).run(task, out, StopToken());
  };
  match::TileResults mine, theirs;
  PairRunner pair(other_core, [&] { work(*second, theirs); });
  std::vector<double> one_wall, two_wall, one_cpu, both_cpu;
  for (auto _ : state) {
    const double cpu = thread_seconds();
    one_wall.push_back(timed(wall_seconds, [&] { work(*first, mine); }));
    one_cpu.push_back(thread_seconds() - cpu);
    two_wall.push_back(timed(wall_seconds, [&] { pair.run([&] { work(*first, mine); }); }));
    state.SetIterationTime(two_wall.back());
    both_cpu.push_back(pair.own_seconds() + pair.other_seconds());
  }
  const double pairs = kRuns * static_cast<double>(population.pairs());
  state.counters["pairs_per_s"] = 2 * pairs / median(two_wall);
  state.counters["speedup"] = 2 * median(one_wall) / median(two_wall);
  state.counters["speedup_cpu_time"] = 4 * median(one_cpu) / median(both_cpu);
}

template <class Function>
void add(const std::string& name, Function function) {
  benchmark::RegisterBenchmark(name.c_str(), function)->UseManualTime();
}

void register_case(const Case& c) {
  const std::string name = c.name();
  const bool cpu = c.subject.row->backend == kernels::Backend::cpu;
  if (cpu || c.subject.row->backend == kernels::Backend::reference) {
    add(name, [c](benchmark::State& state) { run_cpu(state, c); });
  } else {
    add(name, [c](benchmark::State& state) { run_device(state, c); });
  }
  if (!cpu || c.n != 2048) return;
  const bool wide = c.subject.row->isa == "avx512";
  Report::instance().expect({name + "/of_ceiling", wide ? 0.90 : 0.85, true});
  if (!c.masked) Report::instance().expect({name + "/digest_overhead", 0.03, false});
}

}  // namespace

void register_match(const std::vector<unsigned>& cores) {
  bool first_cpu_row = true;
  for (const Subject& subject : subjects()) {
    const bool cpu = subject.row->backend == kernels::Backend::cpu;
    for (const bool masked : {false, true}) {
      for (const std::uint32_t n : {512u, 2048u, 12800u}) {
        if (n == 2048 || cpu) register_case({subject, n, masked});
      }
      if (!cpu || !first_cpu_row || cores.size() < 2) continue;
      const Case c{subject, 2048, masked};
      const unsigned other = cores[cores.size() - 2];
      add(c.name() + "/two_cores", [c, other](benchmark::State& state) { run_two_cores(state, c, other); });
      Report::instance().expect({c.name() + "/two_cores/speedup", 1.9, true});
    }
    first_cpu_row = first_cpu_row && !cpu;
  }
}

}  // namespace sparkmill::bench
