// SPDX-License-Identifier: Apache-2.0
// secp256k1: verifications and recoveries a second of each row, CPU rows in turn with the form with evidence, the
// ceiling of the unit that multiplies, libsecp256k1 and OpenSSL, so that clock changes and neighbours meet all alike;
// two cores.
#include "bench/kernels/secp256k1.h"

#include <benchmark/benchmark.h>

#include "bench/kernels/data.h"
#include "bench/kernels/mul_ceiling.h"
#include "bench/kernels/pair_runner.h"
#include "bench/kernels/secp256k1_work.h"
#include "bench/measure.h"
#include "bench/report.h"

namespace sparkmill::bench {
namespace {

constexpr std::size_t kBatch = 4096;

// Field products and squarings of one item (kernels/secp256k1/README.md counts them), and multiplications of each.
double instructions_an_item(std::string_view isa, Mode mode) {
  const double products = mode == Mode::ecdsa ? 1159 : mode == Mode::ecdsa_compressed ? 1172 : 1177;
  const double squarings = mode == Mode::ecdsa ? 783 : mode == Mode::ecdsa_compressed ? 1036 : 1068;
  return isa == "avx512" ? (products * 63 + squarings * 43) / 8 : (products * 111 + squarings * 66) / 4;
}
double goal(std::string_view isa, Mode mode) {
  if (isa == "avx512") return mode == Mode::recover ? 120e3 : 150e3;
  return mode == Mode::ecdsa ? 60e3 : 45e3;
}

template <class Body>
double timed(double (*clock)(), Body body) {
  const double start = clock();
  body();
  return clock() - start;
}

SecpWork& shared_work(Mode mode) {
  static SecpWork work[] = {
      {Mode::ecdsa, kBatch}, {Mode::ecdsa_compressed, kBatch}, {Mode::bip340, kBatch}, {Mode::recover, kBatch}};
  return work[static_cast<std::size_t>(mode)];
}

void give_up(benchmark::State& state, const std::string& id, const std::string& why, bool wrong) {
  Report::instance().fail({id, why, wrong});
  state.SkipWithError(why.c_str());
}

std::unique_ptr<kernels::Kernel> prepare(benchmark::State& state, const Subject& subject) {
  auto kernel = kernels::make_tested(*subject.row, subject.device);
  if (kernel) return std::move(*kernel);
  give_up(state, subject.id(), kernel.error().message, kernel.status() == Status::self_test_failed);
  return nullptr;
}

/// One core, processor time: the row, its form with evidence, the ceiling and the peers in turn; medians.
void run_cpu(benchmark::State& state, const Subject& subject, Mode mode, std::size_t batch) {
  const auto owner = prepare(state, subject);
  if (owner == nullptr) return;
  auto& kernel = dynamic_cast<secp256k1::Kernel&>(*owner);
  const MulCeiling* ceiling = find_mul_ceiling(subject.row->isa);
  const double instructions = static_cast<double>(batch) * instructions_an_item(subject.row->isa, mode);
  const auto rounds = ceiling != nullptr ? static_cast<std::uint64_t>(instructions / ceiling->instructions) : 0;
  SecpWork& work = shared_work(mode);
  std::vector<double> plain_s, evidence_s, ceiling_s, libsecp_s, openssl_s;
  std::optional<bool> libsecp = true, openssl = true;
  for (auto _ : state) {
    plain_s.push_back(timed(thread_seconds, [&] {
      if (!work.run(kernel, batch, false)) state.SkipWithError("the kernel failed");
    }));
    state.SetIterationTime(plain_s.back());
    if (ceiling != nullptr) ceiling_s.push_back(timed(thread_seconds, [&] { ceiling->run(rounds); }));
    if (batch != kBatch) continue;
    evidence_s.push_back(timed(thread_seconds, [&] {
      if (!work.run(kernel, batch, true)) state.SkipWithError("the kernel failed");
    }));
    if (libsecp.value_or(false)) libsecp_s.push_back(timed(thread_seconds, [&] { libsecp = work.libsecp256k1(); }));
    if (openssl.value_or(false)) openssl_s.push_back(timed(thread_seconds, [&] { openssl = work.openssl(); }));
  }
  if (!work.right(batch)) return give_up(state, subject.id(), "an answer that was timed is wrong", true);
  if (!libsecp.value_or(true) || !openssl.value_or(true))
    return give_up(state, subject.id(), "a peer gives another answer", true);
  const double items = static_cast<double>(batch);
  state.counters["signatures_per_s"] = items / median(plain_s);
  if (ceiling != nullptr) {
    state.counters["ceiling_signatures_per_s"] = items / median(ceiling_s);
    state.counters["of_ceiling"] = median(ceiling_s) / median(plain_s);
  }
  if (batch != kBatch) return;
  state.counters["signatures_per_s_with_evidence"] = items / median(evidence_s);
  state.counters["evidence_cost"] = median(evidence_s) / median(plain_s) - 1;
  const auto add_peer = [&](const std::string& peer, const std::vector<double>& seconds) {
    const double rate = static_cast<double>(SecpWork::kPeerItems) / median(seconds);
    state.counters[peer + "_per_s"] = rate;
    state.counters["of_" + peer] = items / median(plain_s) / rate;
  };
  if (libsecp) add_peer("libsecp256k1", libsecp_s);
  if (openssl) add_peer("openssl", openssl_s);
}

/// Rows that use other processors or devices: a batch, wall time.
void run_device(benchmark::State& state, const Subject& subject, Mode mode) {
  const auto owner = prepare(state, subject);
  if (owner == nullptr) return;
  auto& kernel = dynamic_cast<secp256k1::Kernel&>(*owner);
  SecpWork& work = shared_work(mode);
  std::vector<double> seconds;
  for (auto _ : state) {
    seconds.push_back(timed(wall_seconds, [&] {
      if (!work.run(kernel, kBatch, false)) state.SkipWithError("the kernel failed");
    }));
    state.SetIterationTime(seconds.back());
  }
  if (!work.right(kBatch)) return give_up(state, subject.id(), "an answer that was timed is wrong", true);
  state.counters["signatures_per_s"] = static_cast<double>(kBatch) / median(seconds);
}

/// The same batch on one pinned core, then on two at once; wall time, and processor time beside it.
void run_two_cores(benchmark::State& state, const Subject& subject, unsigned other_core) {
  const auto first = prepare(state, subject);
  const auto second = first != nullptr ? prepare(state, subject) : nullptr;
  if (second == nullptr) return;
  SecpWork& mine = shared_work(Mode::ecdsa);
  SecpWork theirs = mine;
  const auto run = [](kernels::Kernel& kernel, SecpWork& work) {
    (void)work.run(dynamic_cast<secp256k1::Kernel&>(kernel), kBatch, false);
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
  if (!mine.right(kBatch) || !theirs.right(kBatch))
    return give_up(state, subject.id(), "an answer that was timed is wrong", true);
  state.counters["signatures_per_s"] = 2 * static_cast<double>(kBatch) / median(two_wall);
  state.counters["speedup"] = 2 * median(one_wall) / median(two_wall);
  state.counters["speedup_cpu_time"] = 4 * median(one_cpu) / median(both_cpu);
}

template <class Function>
auto* add(const std::string& name, Function function) {
  return benchmark::RegisterBenchmark(name.c_str(), function)->UseManualTime();
}

}  // namespace

void register_secp256k1(const std::vector<unsigned>& cores) {
  bool best = true;  // rows come best first
  for (const Subject& subject : subjects(kernels::Family::secp256k1)) {
    for (const Mode mode : kModes) {
      const std::string id = subject.id() + "/" + name(mode);
      if (subject.row->backend == kernels::Backend::reference) {
        add(id, [subject, mode](benchmark::State& state) { run_cpu(state, subject, mode, 16); })->Iterations(1);
      } else if (subject.row->backend != kernels::Backend::cpu) {
        add(id, [subject, mode](benchmark::State& state) { run_device(state, subject, mode); });
      } else {
        add(id, [subject, mode](benchmark::State& state) { run_cpu(state, subject, mode, kBatch); });
        Report::instance().expect({id + "/signatures_per_s", goal(subject.row->isa, mode), true});
        Report::instance().expect({id + "/evidence_cost", 0.10, false});
      }
    }
    if (subject.row->backend != kernels::Backend::cpu) continue;
    for (const std::size_t batch : {1u, 16u, 128u}) {
      add(subject.id() + "/ecdsa/batch:" + std::to_string(batch),
          [subject, batch](benchmark::State& state) { run_cpu(state, subject, Mode::ecdsa, batch); });
    }
    if (!best || cores.size() < 2) continue;
    best = false;
    const std::string two = subject.id() + "/two_cores";
    const unsigned other = cores[cores.size() - 2];
    add(two, [subject, other](benchmark::State& state) { run_two_cores(state, subject, other); });
    Report::instance().expect({two + "/speedup", 1.9, true});
  }
}

}  // namespace sparkmill::bench
