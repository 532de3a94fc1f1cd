// SPDX-License-Identifier: Apache-2.0
// Times each row on growing squares of tiles of synthetic templates: warm-up, repetitions, median.
#include "kernels/tune.h"

#include <algorithm>
#include <chrono>

#include "kernels/match/match.h"
#include "kernels/registry.h"

namespace sparkmill::kernels {
namespace {

constexpr std::uint32_t kN = 2048;
constexpr std::uint32_t kSides[] = {1, 2, 4, 8, 16, 32, 64};  // tiles on each side of the square
constexpr unsigned kRepetitions = 5;
constexpr double kGoodEnough = 0.97;

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Masked random templates, threshold out of reach, digest on: what a real slice does, almost without hits.
class Workload {
 public:
  Workload() : predicate_(match::Predicate::make({{match::OpCode::leaf_dot, 0, 0, 1000, {}}}).value()) {}

  match::Task task(std::uint32_t side) {
    const std::uint32_t rows = side * match::kTile;
    grow(requests_, rows, 0x9e3779b97f4a7c15);
    grow(users_, rows, 0xd1b54a32d192ed03);
    words_ = match::expand_digest_words(Hash32{}, rows, rows);
    const auto planes = [&](const std::vector<std::uint64_t>& data, std::uint64_t id) {
      return match::Planes{reinterpret_cast<const std::uint8_t*>(data.data()), rows, kN, false, id + side};
    };
    field_ = {planes(requests_, 0x74756e6500000000), planes(users_, 0x74756e6500010000)};
    match::Task t;
    t.fields = {&field_, 1};
    t.predicate = &predicate_;
    t.words = &words_;
    t.tiles = {0, side, 0, side};
    return t;
  }

 private:
  static void grow(std::vector<std::uint64_t>& data, std::uint32_t rows, std::uint64_t seed) {
    constexpr std::size_t kWords = kN / 64;
    for (std::size_t row = data.size() / (2 * kWords); row < rows; ++row) {
      data.resize((row + 1) * 2 * kWords);
      for (std::size_t w = 0; w < kWords; ++w) {
        std::uint64_t x = (row * kWords + w + 1) * seed;
        x = (x ^ x >> 31) * 0x94d049bb133111eb;
        const std::uint64_t valid = (x ^ x >> 29) | x << 17;
        data[row * 2 * kWords + w] = (x ^ x << 23) & valid;
        data[row * 2 * kWords + kWords + w] = valid;
      }
    }
  }

  match::Predicate predicate_;
  std::vector<std::uint64_t> requests_, users_;
  match::DigestWords words_;
  match::FieldPair field_;
};

/// Runs a task until `repetitions` are done or the time is over; at least once. Rates in units a second.
Done repeat(match::Kernel& kernel, const match::Task& task, unsigned repetitions, double seconds, const StopToken& stop,
            std::vector<double>& rates) {
  match::TileResults out;
  const double units = static_cast<double>(task.tiles.tiles()) * match::kTile * match::kTile;
  const auto start = Clock::now();
  rates.clear();
  while (rates.empty() || (rates.size() < repetitions && seconds_since(start) < seconds)) {
    const auto begin = Clock::now();
    SPARKMILL_TRY(kernel.run(task, out, stop));
    rates.push_back(units / std::max(seconds_since(begin), 1e-9));
  }
  std::sort(rates.begin(), rates.end());
  return done();
}

struct Point {
  std::uint32_t side = 1;
  std::vector<double> rates;
  double median() const { return rates[rates.size() / 2]; }
  std::uint64_t units() const { return std::uint64_t{side} * side * match::kTile * match::kTile; }
};

Done measure(match::Kernel& kernel, Workload& workload, double seconds, const TuneSettings& settings,
             const StopToken& stop, Tuned& result) {
  const auto start = Clock::now();
  std::vector<double> warm;
  SPARKMILL_TRY(repeat(kernel, workload.task(1), 2, seconds / 10, stop, warm));
  std::vector<Point> points;
  double expected = warm.back();  // units a second
  for (const std::uint32_t side : kSides) {
    Point point{side, {}};
    const double once = static_cast<double>(point.units()) / expected;
    const double left = seconds - seconds_since(start);
    if (!points.empty() && (once * 1000 > settings.slice_ms || once * 2 > left)) break;
    const match::Task task = workload.task(side);
    if (once * (kRepetitions + 1) < left) SPARKMILL_TRY(repeat(kernel, task, 1, 0, stop, warm));  // uploads, caches
    SPARKMILL_TRY(repeat(kernel, task, kRepetitions, std::max(left / 2, once), stop, point.rates));
    expected = std::max(expected, point.median());
    points.push_back(std::move(point));
  }
  const auto fastest = std::max_element(points.begin(), points.end(),
                                        [](const Point& a, const Point& b) { return a.median() < b.median(); });
  const auto chosen = std::find_if(points.begin(), points.end(),
                                   [&](const Point& p) { return p.median() >= kGoodEnough * fastest->median(); });
  result.units_per_s = chosen->median();
  result.batch_units = chosen->units();
  result.spread = (chosen->rates.back() - chosen->rates.front()) / chosen->median();
  return done();
}

/// The rows to measure, or why a forced one cannot be.
Result<std::vector<const Row*>> candidates(Family family, const Device& device, const TuneSettings& settings) {
  std::vector<const Row*> list;
  if (!settings.forced.empty()) {
    SPARKMILL_ASSIGN(const Choice choice, choose(family, device, settings.forced));
    list.push_back(choice.row);
    return list;
  }
  for (const Row& row : rows()) {
    if (row.family != family || !row.probe(device).ok) continue;
    if (row.backend == Backend::reference && !settings.include_reference) continue;
    list.push_back(&row);
  }
  if (list.empty()) {
    SPARKMILL_ASSIGN(const Choice choice, choose(family, device));  // the oracle alone is better than nothing
    list.push_back(choice.row);
  }
  return list;
}

}  // namespace

Result<std::vector<Tuned>> tune(Family family, const Device& device, const TuneSettings& settings,
                                const StopToken& stop) {
  SPARKMILL_ASSIGN(const std::vector<const Row*> list, candidates(family, device, settings));
  Workload workload;
  std::vector<Tuned> results;
  for (const Row* row : list) {
    if (stop.stop_requested()) return fail(Status::cancelled, "tuning was stopped");
    Tuned result;
    result.row_id = row->id();
    result.revision = row->revision;
    auto kernel = make_tested(*row, device);
    auto* match_kernel = kernel ? dynamic_cast<match::Kernel*>(kernel->get()) : nullptr;
    if (match_kernel == nullptr) {
      result.error = kernel ? "not a match kernel" : kernel.error().message;
    } else {
      const double seconds = settings.budget_ms / 1000.0 / static_cast<double>(list.size());
      const Done measured = measure(*match_kernel, workload, seconds, settings, stop, result);
      if (measured.status() == Status::cancelled) return measured.error();
      if (!measured) result.error = measured.error().message;
    }
    results.push_back(std::move(result));
  }
  std::stable_sort(results.begin(), results.end(),
                   [](const Tuned& a, const Tuned& b) { return a.units_per_s > b.units_per_s; });
  return results;
}

}  // namespace sparkmill::kernels
