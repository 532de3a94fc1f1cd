// SPDX-License-Identifier: Apache-2.0
#include "bench/kernels/signature_rows.h"

#include "bench/kernels/mul_ceiling.h"
#include "bench/kernels/pair_runner.h"
#include "bench/measure.h"
#include "bench/report.h"
#include "kernels/selftest.h"

namespace sparkmill::bench {

const MulCeiling* find_mul_ceiling(std::string_view isa) {
#if defined(SPARKMILL_HAVE_X86)
  static const MulCeiling table[] = {avx512_mul(), avx2_mul()};
  if (isa == "avx512") return &table[0];
  if (isa == "avx2") return &table[1];
#endif
  (void)isa;
  return nullptr;
}
namespace {

constexpr const char* kWrong = "an answer that was timed is wrong";

}  // namespace

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

void run_on_core(benchmark::State& state, const Subject& subject, const SignatureLoad& load, double instructions,
                 bool whole, const std::vector<SignaturePeer>& peers) {
  const auto kernel = prepare(state, subject);
  if (kernel == nullptr) return;
  const MulCeiling* ceiling = find_mul_ceiling(subject.row->isa);
  const auto rounds = ceiling != nullptr ? static_cast<std::uint64_t>(instructions / ceiling->instructions) : 0;
  const auto row = [&](bool with_evidence) {
    return timed(thread_seconds, [&] {
      if (!load.run(*kernel, with_evidence)) state.SkipWithError("the kernel failed");
    });
  };
  std::vector<double> plain_s, evidence_s, ceiling_s;
  std::vector<std::vector<double>> peers_s(peers.size());
  bool peers_right = true;
  for (auto _ : state) {
    plain_s.push_back(row(false));
    state.SetIterationTime(plain_s.back());
    if (ceiling != nullptr) ceiling_s.push_back(timed(thread_seconds, [&] { ceiling->run(rounds); }));
    if (!whole) continue;
    evidence_s.push_back(row(true));
    for (std::size_t k = 0; k < peers.size(); ++k)
      peers_s[k].push_back(timed(thread_seconds, [&] { peers_right &= peers[k].run(); }));
  }
  if (!load.right()) return give_up(state, subject.id(), kWrong, true);
  if (!peers_right) return give_up(state, subject.id(), "a peer gives another answer", true);
  const double rate = static_cast<double>(load.items) / median(plain_s);
  state.counters["signatures_per_s"] = rate;
  if (ceiling != nullptr) {
    state.counters["ceiling_signatures_per_s"] = static_cast<double>(load.items) / median(ceiling_s);
    state.counters["of_ceiling"] = median(ceiling_s) / median(plain_s);
  }
  if (!whole) return;
  state.counters["signatures_per_s_with_evidence"] = static_cast<double>(load.items) / median(evidence_s);
  state.counters["evidence_cost"] = median(evidence_s) / median(plain_s) - 1;
  for (std::size_t k = 0; k < peers.size(); ++k) {
    const double peer_rate = static_cast<double>(peers[k].items) / median(peers_s[k]);
    state.counters[peers[k].name + "_per_s"] = peer_rate;
    state.counters["of_" + peers[k].name] = rate / peer_rate;
  }
}

void run_repeated_keys(benchmark::State& state, const Subject& subject, const SignatureLoad& load,
                       const SignatureLoad& plain) {
  const auto knows = prepare(state, subject), others = prepare(state, subject);
  if (knows == nullptr || others == nullptr) return;
  const auto row = [&](kernels::Kernel& kernel, const SignatureLoad& of, bool with_evidence) {
    return timed(thread_seconds, [&] {
      if (!of.run(kernel, with_evidence)) state.SkipWithError("the kernel failed");
    });
  };
  row(*others, plain, false);
  row(*knows, load, false);
  std::vector<double> load_s, evidence_s, ratio, new_ratio;
  for (auto _ : state) {
    const auto fresh = subject.row->make(subject.device);
    if (!fresh) return give_up(state, subject.id(), fresh.error().message, false);
    load_s.push_back(row(*knows, load, false));
    state.SetIterationTime(load_s.back());
    const double plain_s = row(*others, plain, false);
    ratio.push_back(plain_s / load_s.back());
    evidence_s.push_back(row(*knows, load, true));
    new_ratio.push_back(plain_s / row(**fresh, load, false));
  }
  if (!load.right() || !plain.right()) return give_up(state, subject.id(), kWrong, true);
  const double sizes = static_cast<double>(load.items) / static_cast<double>(plain.items);
  state.counters["signatures_per_s"] = static_cast<double>(load.items) / median(load_s);
  state.counters["signatures_per_s_with_evidence"] = static_cast<double>(load.items) / median(evidence_s);
  state.counters["speedup"] = median(ratio) * sizes;
  state.counters["speedup_of_new_keys"] = median(new_ratio) * sizes;
}

void run_on_device(benchmark::State& state, const Subject& subject, const SignatureLoad& load) {
  const auto kernel = prepare(state, subject);
  if (kernel == nullptr) return;
  std::vector<double> seconds;
  for (auto _ : state) {
    seconds.push_back(timed(wall_seconds, [&] {
      if (!load.run(*kernel, false)) state.SkipWithError("the kernel failed");
    }));
    state.SetIterationTime(seconds.back());
  }
  if (!load.right()) return give_up(state, subject.id(), kWrong, true);
  state.counters["signatures_per_s"] = static_cast<double>(load.items) / median(seconds);
}

void run_on_two_cores(benchmark::State& state, const Subject& subject, unsigned other_core, const SignatureLoad& mine,
                      const SignatureLoad& theirs) {
  const auto first = prepare(state, subject);
  const auto second = first != nullptr ? prepare(state, subject) : nullptr;
  if (second == nullptr) return;
  PairRunner pair(other_core, [&] { (void)theirs.run(*second, false); });
  const auto own = [&] { (void)mine.run(*first, false); };
  std::vector<double> one_wall, two_wall, one_cpu, both_cpu;
  for (auto _ : state) {
    const double cpu = thread_seconds();
    one_wall.push_back(timed(wall_seconds, own));
    one_cpu.push_back(thread_seconds() - cpu);
    two_wall.push_back(timed(wall_seconds, [&] { pair.run(own); }));
    state.SetIterationTime(two_wall.back());
    both_cpu.push_back(pair.own_seconds() + pair.other_seconds());
  }
  if (!mine.right() || !theirs.right()) return give_up(state, subject.id(), kWrong, true);
  state.counters["signatures_per_s"] = 2 * static_cast<double>(mine.items) / median(two_wall);
  state.counters["speedup"] = 2 * median(one_wall) / median(two_wall);
  state.counters["speedup_cpu_time"] = 4 * median(one_cpu) / median(both_cpu);
}

}  // namespace sparkmill::bench
