// SPDX-License-Identifier: Apache-2.0
// The same search by faiss (IndexBinaryFlat, range search), in turn with our best CPU row on the same data and core.
#include <benchmark/benchmark.h>
#include <faiss/IndexBinaryFlat.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <omp.h>

#include "bench/kernels/data.h"
#include "bench/kernels/match.h"
#include "bench/measure.h"
#include "bench/report.h"

namespace sparkmill::bench {
namespace {

/// Sign planes alone, row after row, as faiss wants them.
std::vector<std::uint8_t> signs(const match::Planes& planes) {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(std::size_t{planes.count} * planes.n / 8);
  for (std::uint32_t r = 0; r < planes.count; ++r)
    bytes.insert(bytes.end(), planes.row(r), planes.row(r) + planes.n / 8);
  return bytes;
}

void run_faiss(benchmark::State& state, std::uint32_t n, const std::string& name) {
  omp_set_num_threads(1);
  const Population population(n, false, 2, 4);
  const match::FieldPair& field = population.field();
  const std::vector<std::uint8_t> requests = signs(field.requests), users = signs(field.users);
  faiss::IndexBinaryFlat index(static_cast<faiss::IndexBinary::idx_t>(n));
  index.add(field.users.count, users.data());
  // dot >= tau is ham <= (n - tau) / 2; faiss reports distances strictly below the radius.
  const int radius = static_cast<int>((static_cast<std::int32_t>(n) - population.threshold()) / 2) + 1;

  std::string error;
  const kernels::Row* row = kernels::choose(kernels::Family::match, kernels::discover_devices().front())->row;
  const auto owner = make({row, kernels::discover_devices().front()}, error);
  auto* kernel = dynamic_cast<match::Kernel*>(owner.get());
  match::TileResults ours;
  const match::Task task = population.task(true);
  faiss::RangeSearchResult check(field.requests.count);
  index.range_search(field.requests.count, requests.data(), radius, &check);
  if (kernel == nullptr || !kernel->run(task, ours, StopToken()) ||
      check.lims[field.requests.count] != ours.pairs.size()) {
    error = error.empty() ? "faiss and " + row->id() + " do not find the same number of pairs" : error;
    Report::instance().fail({name, error, true});
    state.SkipWithError(error.c_str());
    return;
  }
  std::vector<double> faiss_s, ours_s;
  for (auto _ : state) {
    const double start = thread_seconds();
    faiss::RangeSearchResult found(field.requests.count);
    index.range_search(field.requests.count, requests.data(), radius, &found);
    const double middle = thread_seconds();
    (void)kernel->run(task, ours, StopToken());
    state.SetIterationTime(middle - start);
    faiss_s.push_back(middle - start);
    ours_s.push_back(thread_seconds() - middle);
  }
  const double pairs = static_cast<double>(population.pairs());
  state.counters["pairs_per_s"] = pairs / median(faiss_s);
  state.counters["ours_pairs_per_s"] = pairs / median(ours_s);
  state.counters["ours_over_faiss"] = median(faiss_s) / median(ours_s);
}

}  // namespace

void register_peers() {
  for (const std::uint32_t n : {512u, 2048u, 12800u}) {
    const std::string name = "peer/faiss/IndexBinaryFlat/plain/n:" + std::to_string(n);
    benchmark::RegisterBenchmark(name.c_str(), [n, name](benchmark::State& state) {
      run_faiss(state, n, name);
    })->UseManualTime();
    if (n == 2048) Report::instance().expect({name + "/ours_over_faiss", 15, true});
  }
}

const char* peers_absent() { return ""; }

}  // namespace sparkmill::bench
