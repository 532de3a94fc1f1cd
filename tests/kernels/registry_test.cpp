// SPDX-License-Identifier: Apache-2.0
// How rows are chosen, forced, tested and tuned.
#include "kernels/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/match/known.h"
#include "kernels/selftest.h"
#include "kernels/tune.h"

namespace sparkmill::kernels {
namespace {

using testing::HasSubstr;

Device cpu() { return discover_devices().front(); }

TEST(Registry, RowsAreUniqueAndBestFirst) {
  std::vector<std::string> ids;
  const Row* before = nullptr;
  for (const Row& row : rows()) {
    if (before != nullptr && before->family == row.family) {
      EXPECT_LE(row.rank, before->rank) << row.id();
    } else if (before != nullptr) {
      EXPECT_EQ(before->backend, Backend::reference) << "the oracle is the last resort";
    }
    before = &row;
    for (const std::string& other : ids) EXPECT_NE(other, row.id());
    ids.push_back(row.id());
    EXPECT_EQ(find_row(row.family, row.id()), &row);
    EXPECT_EQ(find_row(row.family, row.id().substr(row.id().find('/') + 1)), &row);
  }
  ASSERT_NE(before, nullptr);
  EXPECT_EQ(before->backend, Backend::reference) << "of the last family too";
  EXPECT_EQ(find_row(Family::match, "cpu"), nullptr);
  EXPECT_EQ(find_row(Family::match, ""), nullptr);
}

TEST(Registry, EveryBackendIsARowOrAbsentWithAReason) {
  for (const std::string backend : {"opencl", "cuda", "torch"}) {
    const bool present = find_row(Family::match, backend) != nullptr;
    bool absent = false;
    for (const AbsentBackend& a : absent_backends()) {
      EXPECT_FALSE(a.why.empty());
      absent |= a.backend == backend;
    }
    EXPECT_NE(present, absent) << backend;
  }
}

TEST(Registry, DevicesStartWithTheCpu) {
  std::vector<std::string> notes;
  const std::vector<Device> devices = discover_devices(&notes);
  ASSERT_FALSE(devices.empty());
  EXPECT_EQ(devices[0].id, "cpu");
  EXPECT_GE(devices[0].lanes, 1u);
  EXPECT_GT(devices[0].memory_bytes, 0u);
  EXPECT_FALSE(devices[0].name.empty());
  bool opencl = false;
  bool cuda = false;
  for (const Device& d : devices) {
    opencl |= d.backend == Backend::opencl;
    cuda |= d.backend == Backend::cuda;
  }
  EXPECT_GE(notes.size(), (opencl ? 0u : 1u) + (cuda ? 0u : 1u)) << "a backend without devices says why";
}

TEST(Registry, EveryProbeSaysWhy) {
  for (const Device& device : discover_devices()) {
    for (const Row& row : rows()) EXPECT_FALSE(row.probe(device).why.empty()) << row.id() << " on " << device.id;
  }
}

TEST(Choice, ByRankUnlessTunedUnlessForced) {
  const auto by_rank = choose(Family::match, cpu());
  ASSERT_TRUE(by_rank);
  EXPECT_EQ(by_rank->reason, "rank");
  const auto tuned = choose(Family::match, cpu(), {}, "match/reference");
  ASSERT_TRUE(tuned);
  EXPECT_EQ(tuned->row->id(), "match/reference");
  EXPECT_EQ(tuned->reason, "tuned");
  const auto forced = choose(Family::match, cpu(), "reference", by_rank->row->id());
  ASSERT_TRUE(forced);
  EXPECT_EQ(forced->row->id(), "match/reference");
  EXPECT_EQ(forced->reason, "forced");
  const auto stale = choose(Family::match, cpu(), {}, "match/gone");
  ASSERT_TRUE(stale);
  EXPECT_EQ(stale->row, by_rank->row) << "a tuned row that no longer exists is not forced";
}

TEST(Choice, AForcedRowThatCannotRunIsAnErrorThatListsThePossible) {
  const auto unknown = choose(Family::match, cpu(), "cpu/avx9000");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.status(), Status::bad_argument);
  EXPECT_THAT(unknown.error().message, HasSubstr("cpu/avx9000"));
  EXPECT_THAT(unknown.error().hint, HasSubstr("match/reference"));
  Device card;
  card.id = "cuda:0000:00:00.0";
  card.backend = Backend::cuda;
  card.ordinal = 99;
  const auto wrong = choose(Family::match, card, "reference");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.status(), Status::no_device);
  EXPECT_THAT(wrong.error().message, HasSubstr("match/reference cannot run on cuda:0000:00:00.0"));
}

TEST(SelfTest, EveryRowOnEveryDevicePasses) {
  for (const Device& device : discover_devices()) {
    for (const Row& row : rows()) {
      if (!row.probe(device).ok) continue;
      const auto kernel = make_tested(row, device);
      EXPECT_TRUE(kernel) << row.id() << ": " << kernel.error().message;
    }
  }
}

/// A device that went wrong: gives the oracle's results with one value changed.
class Liar final : public match::Kernel {
 public:
  explicit Liar(int what) : what_(what), honest_(std::move(*find_row(Family::match, "reference")->make(cpu()))) {}
  Done run(const match::Task& task, match::TileResults& out, const StopToken& stop) override {
    SPARKMILL_TRY(dynamic_cast<match::Kernel&>(*honest_).run(task, out, stop));
    if (what_ == 0) out.digests.back() ^= 1;
    if (what_ == 1) out.pairs.pop_back();
    if (what_ == 2) out.pairs.front().j ^= 1;
    if (what_ == 3) out.counts.front() += 1;
    return done();
  }

 private:
  int what_;
  std::unique_ptr<kernels::Kernel> honest_;
};

TEST(SelfTest, AWrongResultOfAnyKindIsFound) {
  for (int what = 0; what < 4; ++what) {
    Liar liar(what);
    const Done result = self_test(Family::match, "liar", liar);
    ASSERT_FALSE(result) << what;
    EXPECT_EQ(result.status(), Status::self_test_failed);
    EXPECT_THAT(result.error().message, HasSubstr("liar"));
  }
}

TEST(Tune, MeasuresEveryRowThatCanRunAndPutsTheFastestFirst) {
  TuneSettings settings;
  settings.budget_ms = 400;
  settings.include_reference = true;
  const auto tuned = tune(Family::match, cpu(), settings);
  ASSERT_TRUE(tuned);
  std::size_t can_run = 0;
  for (const Row& row : rows()) can_run += row.family == Family::match && row.probe(cpu()).ok ? 1 : 0;
  EXPECT_EQ(tuned->size(), can_run);
  for (std::size_t t = 0; t < tuned->size(); ++t) {
    const Tuned& row = (*tuned)[t];
    EXPECT_EQ(row.error, "") << row.row_id;
    EXPECT_GT(row.units_per_s, 0) << row.row_id;
    EXPECT_EQ(row.batch_units % (match::kTile * match::kTile), 0u) << row.row_id;
    EXPECT_EQ(row.revision, find_row(Family::match, row.row_id)->revision);
    EXPECT_GE(tuned->front().units_per_s, row.units_per_s);
  }
}

TEST(Tune, TensorityInHashesASecond) {
  TuneSettings settings;
  settings.budget_ms = 300;
  const auto tuned = tune(Family::tensority, cpu(), settings);
  ASSERT_TRUE(tuned);
  EXPECT_FALSE(tuned->empty());
  for (const Tuned& row : *tuned) {
    EXPECT_EQ(row.error, "") << row.row_id;
    EXPECT_EQ(row.row_id.rfind("tensority/", 0), 0u);
    EXPECT_GT(row.units_per_s, 0.01) << row.row_id;
    EXPECT_LT(row.units_per_s, 1e4) << row.row_id;
    EXPECT_GE(row.batch_units, 1u) << row.row_id;
    EXPECT_EQ(row.revision, find_row(Family::tensority, row.row_id)->revision);
  }
  StopSource stop;
  stop.request_stop();
  EXPECT_EQ(tune(Family::tensority, cpu(), settings, stop.token()).status(), Status::cancelled);
}

TEST(Tune, ForcedRowAndStop) {
  TuneSettings settings;
  settings.budget_ms = 50;
  settings.forced = "reference";
  const auto tuned = tune(Family::match, cpu(), settings);
  ASSERT_TRUE(tuned);
  ASSERT_EQ(tuned->size(), 1u);
  EXPECT_EQ(tuned->front().row_id, "match/reference");
  settings.forced = "nonsense";
  EXPECT_EQ(tune(Family::match, cpu(), settings).status(), Status::bad_argument);
  StopSource stop;
  stop.request_stop();
  EXPECT_EQ(tune(Family::match, cpu(), {}, stop.token()).status(), Status::cancelled);
}

}  // namespace
}  // namespace sparkmill::kernels
