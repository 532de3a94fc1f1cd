// SPDX-License-Identifier: Apache-2.0
// Times each row on slices of growing size: warm-up, repetitions, median. match: squares of tiles of synthetic
// templates; tensority: hashes of made-up headers with one seed; signature families: known signatures over and over.
#include "kernels/tune.h"

#include <algorithm>
#include <chrono>
#include <functional>

#include "base/hex.h"
#include "kernels/ed25519/ed25519.h"
#include "kernels/ed25519/known.h"
#include "kernels/match/match.h"
#include "kernels/registry.h"
#include "kernels/rsa/known.h"
#include "kernels/secp256k1/known.h"
#include "kernels/tensority/known.h"
#include "kernels/tensority/tensority.h"

namespace sparkmill::kernels {
namespace {

constexpr std::uint32_t kN = 2048;
constexpr unsigned kSizes = 7;  // each twice (match: four times) the one before
constexpr unsigned kRepetitions = 5;
constexpr double kGoodEnough = 0.97;

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// What one row is timed with. Sizes are numbered from 0.
class Workload {
 public:
  virtual ~Workload() = default;
  virtual std::uint64_t units(unsigned size) const = 0;
  /// Makes the inputs of a size; not timed. `run` uses them.
  virtual void set(unsigned size) = 0;
  virtual Done run(const StopToken& stop) = 0;
};

/// Masked random templates, threshold out of reach, digest on: what a real slice does, almost without hits.
class MatchWorkload final : public Workload {
 public:
  explicit MatchWorkload(match::Kernel& kernel)
      : kernel_(kernel), predicate_(match::Predicate::make({{match::OpCode::leaf_dot, 0, 0, 1000, {}}}).value()) {}

  std::uint64_t units(unsigned size) const override {
    const std::uint64_t rows = std::uint64_t{match::kTile} << size;
    return rows * rows;
  }
  Done run(const StopToken& stop) override { return kernel_.run(task_, out_, stop); }
  void set(unsigned size) override {
    const std::uint32_t side = 1u << size;  // tiles on each side of the square
    const std::uint32_t rows = side * match::kTile;
    grow(requests_, rows, 0x9e3779b97f4a7c15);
    grow(users_, rows, 0xd1b54a32d192ed03);
    words_ = match::expand_digest_words(Hash32{}, rows, rows);
    const auto planes = [&](const std::vector<std::uint64_t>& data, std::uint64_t id) {
      return match::Planes{reinterpret_cast<const std::uint8_t*>(data.data()), rows, kN, false, id + side};
    };
    field_ = {planes(requests_, 0x74756e6500000000), planes(users_, 0x74756e6500010000)};
    task_.fields = {&field_, 1};
    task_.predicate = &predicate_;
    task_.words = &words_;
    task_.tiles = {0, side, 0, side};
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

  match::Kernel& kernel_;
  match::Predicate predicate_;
  std::vector<std::uint64_t> requests_, users_;
  match::DigestWords words_;
  match::FieldPair field_;
  match::Task task_;
  match::TileResults out_;
};

/// Multiples of the row's own batch.
class TensorityWorkload final : public Workload {
 public:
  TensorityWorkload(tensority::Kernel& kernel, std::shared_ptr<const tensority::Epoch> epoch)
      : kernel_(kernel), epoch_(std::move(epoch)), batch_(std::max<std::size_t>(kernel.batch(), 1)) {}

  std::uint64_t units(unsigned size) const override { return std::uint64_t{batch_} << size; }
  Done run(const StopToken& stop) override { return kernel_.hash(*epoch_, headers_, results_, stop); }
  void set(unsigned size) override {
    results_.resize(units(size));
    for (std::uint64_t h = headers_.size(); h < results_.size(); ++h) {
      headers_.push_back(tensority::header_hash({}, h));
    }
    headers_.resize(results_.size());
  }

 private:
  tensority::Kernel& kernel_;
  std::shared_ptr<const tensority::Epoch> epoch_;
  std::size_t batch_;
  std::vector<Hash32> headers_, results_;
};

/// Multiples of the row's own batch. Signatures cost the same whether they are valid, so the known answers, repeated,
/// will do.
class SignatureWorkload final : public Workload {
 public:
  struct Item {
    Bytes key, signature, message;
  };
  using Verify = std::function<Done(const SignatureBatch&, const SignatureResults&, const StopToken&)>;
  SignatureWorkload(std::size_t batch, std::vector<Item> items, Verify verify)
      : batch_(std::max<std::size_t>(batch, 1)), items_(std::move(items)), verify_(std::move(verify)) {}

  std::uint64_t units(unsigned size) const override { return std::uint64_t{batch_} << size; }
  Done run(const StopToken& stop) override {
    return verify_({valid_.size(), keys_, signatures_, messages_, offsets_}, {valid_, {}}, stop);
  }
  void set(unsigned size) override {
    keys_.clear(), signatures_.clear(), messages_.clear();
    offsets_ = {0};
    valid_.resize(units(size));
    for (std::size_t i = 0; i < valid_.size(); ++i) {
      const Item& item = items_[i % items_.size()];
      keys_.insert(keys_.end(), item.key.begin(), item.key.end());
      signatures_.insert(signatures_.end(), item.signature.begin(), item.signature.end());
      messages_.insert(messages_.end(), item.message.begin(), item.message.end());
      offsets_.push_back(messages_.size());
    }
  }

 private:
  std::size_t batch_;
  std::vector<Item> items_;
  Verify verify_;
  Bytes keys_, signatures_, messages_, valid_;
  std::vector<std::uint64_t> offsets_{0};
};

std::unique_ptr<Workload> ed25519_workload(ed25519::Kernel& kernel) {
  std::vector<SignatureWorkload::Item> items;
  for (const ed25519::KnownAnswer& k : ed25519::known_answers()) {
    items.push_back({Bytes(k.key.begin(), k.key.end()), Bytes(k.signature.begin(), k.signature.end()),
                     Bytes(k.message.begin(), k.message.end())});
  }
  return std::make_unique<SignatureWorkload>(kernel.batch(), std::move(items),
                                             [&kernel](const auto& batch, const auto& results, const StopToken& stop) {
                                               return kernel.verify_vartime(ed25519::Policy::go, batch, results, stop);
                                             });
}

std::unique_ptr<Workload> secp256k1_workload(secp256k1::Kernel& kernel) {
  std::vector<SignatureWorkload::Item> items;
  for (const secp256k1::KnownAnswer& k : secp256k1::known_answers()) {
    if (k.question != secp256k1::Question::ecdsa || !k.valid) continue;
    items.push_back({from_hex(k.key).value(), from_hex(k.signature).value(), from_hex(k.message).value()});
  }
  return std::make_unique<SignatureWorkload>(
      kernel.batch(), std::move(items), [&kernel](const auto& batch, const auto& results, const StopToken& stop) {
        return kernel.verify_vartime(secp256k1::Check::ecdsa, batch, results, stop);
      });
}

std::unique_ptr<Workload> rsa_workload(rsa::Kernel& kernel) {
  std::vector<SignatureWorkload::Item> items;
  for (const rsa::KnownAnswer& k : rsa::known_answers()) {
    if (k.encoding != rsa::Encoding::draw || !k.valid) continue;
    items.push_back({Bytes(k.key.begin(), k.key.end()), Bytes(k.signature.begin(), k.signature.end()),
                     Bytes(k.message.begin(), k.message.end())});
  }
  return std::make_unique<SignatureWorkload>(kernel.batch(), std::move(items),
                                             [&kernel](const auto& batch, const auto& results, const StopToken& stop) {
                                               return kernel.verify_vartime(rsa::Encoding::draw, batch, results, stop);
                                             });
}

Result<std::unique_ptr<Workload>> make_workload(Family family, Kernel& kernel, const StopToken& stop) {
  if (auto* match_kernel = dynamic_cast<match::Kernel*>(&kernel)) {
    return std::unique_ptr<Workload>(std::make_unique<MatchWorkload>(*match_kernel));
  }
  if (auto* tensority_kernel = dynamic_cast<tensority::Kernel*>(&kernel)) {
    SPARKMILL_ASSIGN(auto epoch, tensority::Epoch::build(tensority::known_seed(), stop));
    return std::unique_ptr<Workload>(std::make_unique<TensorityWorkload>(*tensority_kernel, std::move(epoch)));
  }
  if (auto* ed25519_kernel = dynamic_cast<ed25519::Kernel*>(&kernel)) return ed25519_workload(*ed25519_kernel);
  if (auto* secp256k1_kernel = dynamic_cast<secp256k1::Kernel*>(&kernel)) return secp256k1_workload(*secp256k1_kernel);
  if (auto* rsa_kernel = dynamic_cast<rsa::Kernel*>(&kernel)) return rsa_workload(*rsa_kernel);
  return fail(Status::internal, "not a " + std::string(name(family)) + " kernel");
}

/// Runs a workload until `repetitions` are done or the time is over; at least once. Rates in units a second.
Done repeat(Workload& workload, unsigned size, unsigned repetitions, double seconds, const StopToken& stop,
            std::vector<double>& rates) {
  const double units = static_cast<double>(workload.units(size));
  const auto start = Clock::now();
  rates.clear();
  while (rates.empty() || (rates.size() < repetitions && seconds_since(start) < seconds)) {
    const auto begin = Clock::now();
    SPARKMILL_TRY(workload.run(stop));
    rates.push_back(units / std::max(seconds_since(begin), 1e-9));
  }
  std::sort(rates.begin(), rates.end());
  return done();
}

struct Point {
  unsigned size = 0;
  std::vector<double> rates;
  double median() const { return rates[rates.size() / 2]; }
};

Done measure(Workload& workload, double seconds, const TuneSettings& settings, const StopToken& stop, Tuned& result) {
  const auto start = Clock::now();
  std::vector<double> warm;
  workload.set(0);
  SPARKMILL_TRY(repeat(workload, 0, 2, seconds / 10, stop, warm));
  std::vector<Point> points;
  double expected = warm.back();  // units a second
  for (unsigned size = 0; size < kSizes; ++size) {
    Point point{size, {}};
    const double once = static_cast<double>(workload.units(size)) / expected;
    const double left = seconds - seconds_since(start);
    if (!points.empty() && (once * 1000 > settings.slice_ms || once * 2 > left)) break;
    workload.set(size);
    if (once * (kRepetitions + 1) < left) SPARKMILL_TRY(repeat(workload, size, 1, 0, stop, warm));  // uploads, caches
    SPARKMILL_TRY(repeat(workload, size, kRepetitions, std::max(left / 2, once), stop, point.rates));
    expected = std::max(expected, point.median());
    points.push_back(std::move(point));
  }
  const auto fastest = std::max_element(points.begin(), points.end(),
                                        [](const Point& a, const Point& b) { return a.median() < b.median(); });
  const auto chosen = std::find_if(points.begin(), points.end(),
                                   [&](const Point& p) { return p.median() >= kGoodEnough * fastest->median(); });
  result.units_per_s = chosen->median();
  result.batch_units = workload.units(chosen->size);
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

Done tune_row(const Row& row, const Device& device, double seconds, const TuneSettings& settings, const StopToken& stop,
              Tuned& result) {
  SPARKMILL_ASSIGN(const auto kernel, make_tested(row, device));
  SPARKMILL_ASSIGN(const auto workload, make_workload(row.family, *kernel, stop));
  return measure(*workload, seconds, settings, stop, result);
}

}  // namespace

Result<std::vector<Tuned>> tune(Family family, const Device& device, const TuneSettings& settings,
                                const StopToken& stop) {
  SPARKMILL_ASSIGN(const std::vector<const Row*> list, candidates(family, device, settings));
  std::vector<Tuned> results;
  for (const Row* row : list) {
    if (stop.stop_requested()) return fail(Status::cancelled, "tuning was stopped");
    Tuned result;
    result.row_id = row->id();
    result.revision = row->revision;
    const double seconds = settings.budget_ms / 1000.0 / static_cast<double>(list.size());
    const Done measured = tune_row(*row, device, seconds, settings, stop, result);
    if (measured.status() == Status::cancelled) return measured.error();
    if (!measured) result.error = measured.error().message;
    results.push_back(std::move(result));
  }
  std::stable_sort(results.begin(), results.end(),
                   [](const Tuned& a, const Tuned& b) { return a.units_per_s > b.units_per_s; });
  return results;
}

}  // namespace sparkmill::kernels
