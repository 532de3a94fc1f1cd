// SPDX-License-Identifier: Apache-2.0
// Tensority: hashes a second of each row, CPU rows in turn with the ceiling of the unit that multiplies, so that clock
// changes and neighbours meet both alike; the seed stage; two cores.
#include "bench/kernels/tensority.h"

#include <benchmark/benchmark.h>

#include <algorithm>

#include "bench/kernels/data.h"
#include "bench/kernels/mac_ceiling.h"
#include "bench/kernels/pair_runner.h"
#include "bench/measure.h"
#include "bench/report.h"
#include "kernels/tensority/known.h"
#include "kernels/tensority/tensority.h"

namespace sparkmill::bench {

const MacCeiling* find_mac_ceiling(std::string_view isa) {
#if defined(SPARKMILL_HAVE_X86)
  static const MacCeiling table[] = {avx512_mac(), avx2_mac(), avxvnni_mac()};
  if (isa == "avx512") return &table[0];
  if (isa == "avx2") return &table[1];
  if (isa == "avxvnni") return &table[2];
#endif
  (void)isa;
  return nullptr;
}

namespace {

template <class Body>
double timed(double (*clock)(), Body body) {
  const double start = clock();
  body();
  return clock() - start;
}

/// Known headers first, so that what was timed is checked, then as many others as asked for.
class Work {
 public:
  explicit Work(std::size_t count) : results_(count) {
    for (std::size_t h = 0; h < count; ++h) {
      const auto known = tensority::known_answers();
      headers_.push_back(h < known.size() ? known[h].header_hash : tensority::header_hash({}, h));
    }
  }
  std::size_t count() const { return headers_.size(); }
  Done run(tensority::Kernel& kernel, const tensority::Epoch& epoch) {
    return kernel.hash(epoch, headers_, results_, StopToken());
  }
  bool right() const {
    const auto known = tensority::known_answers();
    for (std::size_t h = 0; h < std::min(known.size(), results_.size()); ++h) {
      if (results_[h] != known[h].result) return false;
    }
    return true;
  }

 private:
  std::vector<Hash32> headers_, results_;
};

std::shared_ptr<const tensority::Epoch> known_epoch() {
  static const auto epoch = tensority::Epoch::build(tensority::known_seed());
  return epoch ? *epoch : nullptr;
}

void give_up(benchmark::State& state, const std::string& name, const std::string& why, bool wrong) {
  Report::instance().fail({name, why, wrong});
  state.SkipWithError(why.c_str());
}

/// A kernel that gave the known answers, its epoch ready.
std::unique_ptr<kernels::Kernel> prepare(benchmark::State& state, const Subject& subject) {
  auto kernel = kernels::make_tested(*subject.row, subject.device);
  if (!kernel) {
    give_up(state, subject.id(), kernel.error().message, kernel.status() == Status::self_test_failed);
    return nullptr;
  }
  const auto epoch = known_epoch();
  const Done ready = epoch != nullptr ? dynamic_cast<tensority::Kernel&>(**kernel).prepare(*epoch)
                                      : Done(fail(Status::internal, "no memory for an epoch"));
  if (ready) return std::move(*kernel);
  give_up(state, subject.id(), ready.error().message, false);
  return nullptr;
}

/// One core: a hash and the ceiling in turn; the median of each within the repetition. Processor time of this thread.
void run_cpu(benchmark::State& state, const Subject& subject) {
  const auto owner = prepare(state, subject);
  if (owner == nullptr) return;
  auto& kernel = dynamic_cast<tensority::Kernel&>(*owner);
  const MacCeiling* ceiling = find_mac_ceiling(subject.row->isa);
  const std::uint64_t rounds = ceiling != nullptr ? tensority::kMacsPerHash / ceiling->macs : std::uint64_t{0};
  Work work(1);
  std::vector<double> hash_s, ceiling_s;
  for (auto _ : state) {
    hash_s.push_back(timed(thread_seconds, [&] {
      if (!work.run(kernel, *known_epoch())) state.SkipWithError("the kernel failed");
    }));
    state.SetIterationTime(hash_s.back());
    if (ceiling != nullptr) ceiling_s.push_back(timed(thread_seconds, [&] { ceiling->run(rounds); }));
  }
  if (!work.right()) return give_up(state, subject.id(), "a hash that was timed is wrong", true);
  state.counters["hashes_per_s"] = 1 / median(hash_s);
  if (ceiling == nullptr) return;
  state.counters["ceiling_hashes_per_s"] = 1 / median(ceiling_s);
  state.counters["of_ceiling"] = median(ceiling_s) / median(hash_s);
}

/// Rows that use other processors or devices: a batch, wall time.
void run_device(benchmark::State& state, const Subject& subject) {
  const auto owner = prepare(state, subject);
  if (owner == nullptr) return;
  auto& kernel = dynamic_cast<tensority::Kernel&>(*owner);
  Work work(std::max<std::size_t>(kernel.batch(), 1));
  double total = 0, runs = 0;
  for (auto _ : state) {
    const double t = timed(wall_seconds, [&] {
      if (!work.run(kernel, *known_epoch())) state.SkipWithError("the kernel failed");
    });
    state.SetIterationTime(t);
    total += t;
    runs += 1;
  }
  if (!work.right()) return give_up(state, subject.id(), "a hash that was timed is wrong", true);
  state.counters["hashes_per_s"] = runs * static_cast<double>(work.count()) / total;
  state.counters["int8_macs_per_s"] =
      runs * static_cast<double>(work.count()) * static_cast<double>(tensority::kMacsPerHash) / total;
}

/// The same hashes on one pinned core, then on two at once; wall time of both, and processor time beside it.
void run_two_cores(benchmark::State& state, const Subject& subject, unsigned other_core) {
  const auto first = prepare(state, subject);
  const auto second = first != nullptr ? prepare(state, subject) : nullptr;
  if (second == nullptr) return;
  Work mine(3), theirs(3);
  const auto run = [](kernels::Kernel& kernel, Work& work) {
    (void)work.run(dynamic_cast<tensority::Kernel&>(kernel), *known_epoch());
  };
  PairRunner pair(other_core, [&] { run(*second, theirs); });
  std::vector<double> one_wall, two_wall, one_cpu, both_cpu;
  for (auto _ : state) {
    const double cpu = thread_seconds();
    one_wall.push_back(timed(wall_seconds, [&] { run(*first, mine); }));
    one_cpu.push_back(thread_seconds() - cpu);
    two_wall.push_back(timed(wall_seconds, [&] { pair.run([&] { run(*first, mine); }); }));
    state.SetIterationTime(two_wall.back());
    both_cpu.push_back(pair.own_seconds() + pair.other_seconds());
  }
  if (!mine.right() || !theirs.right()) return give_up(state, subject.id(), "a hash that was timed is wrong", true);
  state.counters["hashes_per_s"] = 2 * static_cast<double>(mine.count()) / median(two_wall);
  state.counters["speedup"] = 2 * median(one_wall) / median(two_wall);
  state.counters["speedup_cpu_time"] = 4 * median(one_cpu) / median(both_cpu);
}

/// The serial chain of Salsa20/8 cores. Processor time.
void run_seed(benchmark::State& state) {
  std::vector<double> seconds;
  Hash32 seed{};
  for (auto _ : state) {
    ++seed[0];
    seconds.push_back(timed(thread_seconds, [&] {
      if (!tensority::Epoch::build(seed)) state.SkipWithError("the seed stage failed");
    }));
    state.SetIterationTime(seconds.back());
  }
  state.counters["ms"] = 1e3 * median(seconds);
}

/// Sixteen seeds in turn and at once, for one seed. Processor time.
void run_many_seeds(benchmark::State& state) {
  constexpr std::size_t kSeeds = 16;
  std::vector<Hash32> seeds(kSeeds);
  std::vector<double> in_turn, at_once;
  std::uint8_t turn = 0;
  for (auto _ : state) {
    ++turn;
    for (std::size_t s = 0; s < kSeeds; ++s) seeds[s] = {static_cast<std::uint8_t>(s), turn};
    std::vector<std::shared_ptr<const tensority::Epoch>> one_by_one, together;
    in_turn.push_back(timed(thread_seconds, [&] {
      for (const Hash32& seed : seeds) {
        if (auto built = tensority::Epoch::build(seed)) one_by_one.push_back(std::move(*built));
      }
    }));
    at_once.push_back(timed(thread_seconds, [&] {
      if (auto built = tensority::Epoch::build_many(seeds)) together = std::move(*built);
    }));
    state.SetIterationTime(at_once.back());
    const auto same = [](const auto& a, const auto& b) {
      return std::equal(a->matrices().begin(), a->matrices().end(), b->matrices().begin());
    };
    if (together.size() != kSeeds ||
        !std::equal(together.begin(), together.end(), one_by_one.begin(), one_by_one.end(), same)) {
      return give_up(state, "tensority/seeds", "epochs that were built at once differ from single ones", true);
    }
  }
  state.counters["ms"] = 1e3 * median(at_once) / kSeeds;
  state.counters["single_ms"] = 1e3 * median(in_turn) / kSeeds;
  state.counters["speedup"] = median(in_turn) / median(at_once);
}

/// An epoch into the form of a row: repacking or upload. Wall time.
void run_prepare(benchmark::State& state, const Subject& subject) {
  std::vector<double> seconds;
  for (auto _ : state) {
    const auto kernel = subject.row->make(subject.device);  // a new one each time: the old form goes with the old one
    if (!kernel) return give_up(state, subject.id(), kernel.error().message, false);
    seconds.push_back(timed(wall_seconds, [&] {
      if (!dynamic_cast<tensority::Kernel&>(**kernel).prepare(*known_epoch())) state.SkipWithError("prepare failed");
    }));
    state.SetIterationTime(seconds.back());
  }
  state.counters["ms"] = 1e3 * median(seconds);
}

template <class Function>
auto* add(const std::string& name, Function function) {
  return benchmark::RegisterBenchmark(name.c_str(), function)->UseManualTime();
}

void register_cpu(const Subject& subject, const std::vector<unsigned>& cores, bool best) {
  add(subject.id(), [subject](benchmark::State& state) { run_cpu(state, subject); });
  if (subject.row->isa == "avx512") Report::instance().expect({subject.id() + "/of_ceiling", 0.90, true});
  if (subject.row->isa == "avx2") Report::instance().expect({subject.id() + "/hashes_per_s", 14, true});
  if (!best || cores.size() < 2) return;
  const std::string name = subject.id() + "/two_cores";
  const unsigned other = cores[cores.size() - 2];
  add(name, [subject, other](benchmark::State& state) { run_two_cores(state, subject, other); });
  Report::instance().expect({name + "/speedup", 1.9, true});
}

}  // namespace

void register_tensority(const std::vector<unsigned>& cores) {
  add("tensority/seed", run_seed);
  add("tensority/16_seeds", run_many_seeds)->Iterations(1);
  bool best = true;  // rows come best first
  for (const Subject& subject : subjects(kernels::Family::tensority)) {
    if (subject.row->backend == kernels::Backend::reference) {
      add(subject.id(), [subject](benchmark::State& state) { run_cpu(state, subject); })->Iterations(1);
      continue;
    }
    add(subject.id() + "/prepare", [subject](benchmark::State& state) { run_prepare(state, subject); });
    if (subject.row->backend == kernels::Backend::cpu) {
      register_cpu(subject, cores, best);
      best = false;
    } else {
      add(subject.id(), [subject](benchmark::State& state) { run_device(state, subject); });
    }
  }
}

}  // namespace sparkmill::bench
