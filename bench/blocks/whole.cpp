// SPDX-License-Identifier: Apache-2.0
#include "bench/blocks/whole.h"

#include "bench/kernels/signature_rows.h"
#include "bench/measure.h"
#include "kernels/backend/discover.h"

namespace sparkmill::bench {
namespace {

double rate_of(const WholeLoad& load, std::size_t unit, const std::vector<double>& seconds) {
  return load.units[unit].second / median(seconds);
}

}  // namespace

void run_whole(benchmark::State& state, const std::string& id, const WholeLoad& ours,
               const std::vector<WholePeer>& peers) {
  std::vector<double> ours_s;
  std::vector<std::vector<double>> peers_s(peers.size());
  Done problem = done();
  const auto timed_run = [&](const WholeLoad& load) {
    return timed(thread_seconds, [&] {
      if (Done ran = load.run(); !ran && problem) problem = ran.error();
    });
  };
  for (auto _ : state) {
    ours_s.push_back(timed_run(ours));
    state.SetIterationTime(ours_s.back());
    for (std::size_t k = 0; k < peers.size(); ++k) peers_s[k].push_back(timed_run(peers[k].load));
  }
  if (!problem) return give_up(state, id, problem.error().message, false);
  if (!ours.right()) return give_up(state, id, "an answer that was timed is wrong", true);
  for (const WholePeer& peer : peers) {
    if (!peer.load.right()) return give_up(state, id, peer.name + " gives another answer", true);
  }
  for (std::size_t u = 0; u < ours.units.size(); ++u) {
    state.counters[ours.units[u].first + "_per_s"] = rate_of(ours, u, ours_s);
  }
  for (std::size_t k = 0; k < peers.size(); ++k) {
    const double peer_rate = rate_of(peers[k].load, 0, peers_s[k]);
    state.counters[peers[k].name + "_per_s"] = peer_rate;
    state.counters["of_" + peers[k].name] = rate_of(ours, 0, ours_s) / peer_rate;
  }
}

Result<std::pair<std::unique_ptr<kernels::Kernel>, std::string>> best_row(kernels::Family family,
                                                                          const std::string& forced) {
  const kernels::Device cpu = kernels::cpu_device();
  SPARKMILL_ASSIGN(const kernels::Choice choice, kernels::choose(family, cpu, forced));
  SPARKMILL_ASSIGN(std::unique_ptr<kernels::Kernel> kernel, kernels::make_tested(*choice.row, cpu));
  return std::pair(std::move(kernel), choice.row->id());
}

std::string best_name(kernels::Family family) {
  const auto choice = kernels::choose(family, kernels::cpu_device());
  if (!choice) return "none";
  const std::string id = choice->row->id();
  return id.substr(id.find('/') + 1);
}

}  // namespace sparkmill::bench
