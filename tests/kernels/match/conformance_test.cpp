// SPDX-License-Identifier: Apache-2.0
// Every row on every device against the oracle, bit for bit: all forms, all ops, awkward sizes, degenerate inputs.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/kernels/match/rows.h"
#include "tests/kernels/match/sample.h"

namespace sparkmill::match::test {
namespace {

std::vector<std::string> g_failures;
std::vector<Runner>& runners() {
  static std::vector<Runner> list = make_runners(g_failures);
  return list;
}
Kernel& reference() {
  static std::unique_ptr<kernels::Kernel> kernel = make_reference();
  return dynamic_cast<Kernel&>(*kernel);
}

/// "" when equal, otherwise the first difference.
std::string difference(const TileResults& want, const TileResults& got) {
  if (want.counts != got.counts) return "pair counts of the tiles differ";
  if (want.pairs.size() != got.pairs.size()) return "number of pairs differs";
  for (std::size_t p = 0; p < want.pairs.size(); ++p) {
    if (want.pairs[p] != got.pairs[p]) {
      return "pair " + std::to_string(p) + " is (" + std::to_string(got.pairs[p].i) + "," +
             std::to_string(got.pairs[p].j) + "), not (" + std::to_string(want.pairs[p].i) + "," +
             std::to_string(want.pairs[p].j) + ")";
    }
  }
  if (want.digests.size() != got.digests.size()) return "number of digests differs";
  for (std::size_t d = 0; d < want.digests.size(); ++d) {
    if (want.digests[d] != got.digests[d]) return "digest " + std::to_string(d) + " differs";
  }
  return {};
}

/// Runs a task everywhere; returns the oracle's number of pairs.
std::size_t compare(const Task& task, const std::string& what) {
  TileResults want;
  const Done expected = reference().run(task, want, StopToken());
  EXPECT_TRUE(expected.ok()) << what << ": " << (expected.ok() ? "" : expected.error().message);
  for (Runner& r : runners()) {
    TileResults got;
    const Done ran = r.kernel->run(task, got, StopToken());
    EXPECT_TRUE(ran.ok()) << r.label << ", " << what << ": " << (ran.ok() ? "" : ran.error().message);
    EXPECT_EQ(difference(want, got), "") << r.label << ", " << what;
  }
  return want.pairs.size();
}

/// About one impostor in a thousand reaches it.
std::int32_t rare(std::uint32_t n) { return static_cast<std::int32_t>(2.3 * std::sqrt(static_cast<double>(n))); }

TEST(Rows, AForcedRowIsTheOneThatRuns) {
  EXPECT_FALSE(runners().empty()) << "not a single row beside the oracle can run here";
  for (const std::string& failure : g_failures) ADD_FAILURE() << failure;
}

TEST(Conformance, EveryLengthInEveryForm) {
  for (const std::uint32_t n : {64u, 128u, 192u, 512u, 832u, 2048u, 4096u, 12800u, 16384u}) {
    for (const Kind kind : {Kind::random, Kind::all_valid}) {
      const Sample sample({67, 131, {n}, kind}, n + 1);
      const std::string what = "n " + std::to_string(n) + ", " + std::string(name(kind));
      for (const auto& ops : std::vector<std::vector<Op>>{{dot(0, rare(n))}, {frac(0, 7, 2, 0)}, {frac(0, 3, 1, -9)}}) {
        const Predicate p = predicate(ops);
        Task t = sample.task(p);
        EXPECT_GT(compare(t, what), 0u) << what;
        t.force_masked = true;
        compare(t, what + ", masked by force");
        t.words = nullptr;
        compare(t, what + ", masked, no digest");
        t.force_masked = false;
        compare(t, what + ", no digest");
      }
    }
  }
}

TEST(Conformance, AwkwardSizes) {
  constexpr std::uint32_t kSizes[] = {0, 1, 7, 8, 9, 15, 16, 17, 31, 33, 127, 255, 256, 257, 311, 521};
  for (const std::uint32_t size : kSizes) {
    for (const auto& [requests, users] : {std::pair{size, 41u}, std::pair{41u, size}, std::pair{size, size}}) {
      for (const Kind kind : {Kind::random, Kind::all_valid}) {
        const Sample sample({requests, users, {128}, kind}, size + 1000);
        const Predicate p = predicate({dot(0, rare(128))});
        compare(sample.task(p),
                std::to_string(requests) + " x " + std::to_string(users) + ", " + std::string(name(kind)));
      }
    }
  }
}

TEST(Conformance, DegenerateInputs) {
  for (const Kind kind : kKinds) {
    const Sample sample({260, 19, {192, 64}, kind}, 5);
    // Thresholds at, just above and just below what these inputs score; everything and nothing matching.
    for (const std::int32_t tau : {-100000, -1, 0, 1, 64, 191, 192, 193, 100000, INT32_MIN, INT32_MAX}) {
      const std::string what = std::string(name(kind)) + ", threshold " + std::to_string(tau);
      for (const auto& ops : std::vector<std::vector<Op>>{
               {dot(0, tau)}, {frac(0, 255, 255, tau)}, {frac(0, 0, 1, tau)}, {frac(0, 1, 0, tau)}}) {
        auto p = Predicate::make(ops);
        if (p) compare(sample.task(*p), what);
      }
    }
  }
}

TEST(Conformance, SeveralLeavesAndFieldsWithEveryOp) {
  Op sum2 = op(OpCode::wsum, 2, 30);
  sum2.terms = {{0, 3}, {1, -2}};
  Op sum3 = op(OpCode::wsum, 3, -70000);
  sum3.terms = {{1, 1000}, {2, -7}, {3, 2147483647}};
  const std::vector<std::vector<Op>> programs{
      {dot(0, 10), dot(1, 8), op(OpCode::op_and, 2)},
      {dot(0, 30), dot(1, 26), dot(2, 20), op(OpCode::op_or, 3)},
      {dot(0, 4), dot(1, 4), dot(2, 4), frac(1, 4, 1, -10), op(OpCode::any, 4, 3)},
      {dot(0, 12), frac(0, 0, 1, 1 - 100), op(OpCode::op_not), op(OpCode::op_and, 2)},
      {dot(2, 8), dot(1, 3), op(OpCode::seq), op(OpCode::limit, 0, 3)},
      {dot(1, 25), op(OpCode::limit, 0, 1)},
      {dot(0, 0), dot(1, 0), sum2},
      {dot(2, 9), dot(0, 0), frac(1, 3, 1, 5), frac(2, 9, 4, 0), sum3, op(OpCode::op_and, 2)},
      {dot(0, 20), dot(0, 15), dot(0, 10), dot(0, 5), op(OpCode::any, 4, 2)},
      {dot(2, 18)},
  };
  for (const Kind kind : {Kind::random, Kind::all_valid}) {
    for (const auto& [requests, users] : {std::pair{45u, 83u}, std::pair{257u, 30u}, std::pair{9u, 270u}}) {
      const Sample sample({requests, users, {320, 128, 192}, kind}, requests);
      for (std::size_t k = 0; k < programs.size(); ++k) {
        const Predicate p = predicate(programs[k]);
        Task t = sample.task(p);
        const std::string what = "program " + std::to_string(k) + ", " + std::string(name(kind));
        EXPECT_GT(compare(t, what), 0u) << what;
        t.words = nullptr;
        t.force_masked = true;
        compare(t, what + ", masked, no digest");
      }
    }
  }
}

TEST(Conformance, PartsOfTheTilesAreThePartsOfTheWhole) {
  const Sample sample({800, 1100, {64, 64}, Kind::random}, 77);
  const Predicate one = predicate({dot(0, 24)});
  const Predicate two = predicate({dot(0, 20), dot(1, 16), op(OpCode::op_and, 2)});
  for (const Predicate* p : {&one, &two}) {
    for (const TileRange range :
         {TileRange{0, 4, 0, 5}, TileRange{1, 3, 2, 4}, TileRange{3, 4, 0, 5}, TileRange{0, 4, 4, 5},
          TileRange{3, 4, 4, 5}, TileRange{2, 2, 0, 5}, TileRange{0, 1, 3, 3}}) {
      Task t = sample.task(*p);
      t.tiles = range;
      compare(t, "rows " + std::to_string(range.ti_begin) + ".." + std::to_string(range.ti_end) + ", columns " +
                     std::to_string(range.tj_begin) + ".." + std::to_string(range.tj_end));
    }
  }
}

TEST(Conformance, KernelsKeepNothingFromOneTaskToTheNext) {
  const Predicate wide = predicate({dot(0, 5), dot(1, 5), op(OpCode::op_or, 2)});
  const Predicate narrow = predicate({dot(0, rare(64))});
  const Sample large({300, 300, {2048, 512}, Kind::random}, 1);
  const Sample small({3, 5, {64}, Kind::all_valid}, 2);
  compare(large.task(wide), "large");
  compare(small.task(narrow), "small after large");
  compare(large.task(narrow), "large after small");
}

TEST(Contract, AStopRequestEndsTheRun) {
  const Sample sample({300, 300, {64}, Kind::random}, 3);
  const Predicate p = predicate({dot(0, 30)});
  StopSource stop;
  stop.request_stop();
  TileResults out;
  EXPECT_EQ(reference().run(sample.task(p), out, stop.token()).status(), Status::cancelled);
  for (Runner& r : runners()) {
    EXPECT_EQ(r.kernel->run(sample.task(p), out, stop.token()).status(), Status::cancelled) << r.label;
  }
}

TEST(Contract, TooManyPairsIsAnError) {
  const Sample sample({2048, 2049, {64}, Kind::identical}, 4);  // 4,196,352 pairs, limit 4,194,304
  const Predicate one = predicate({dot(0, 1)});
  const Predicate two = predicate({dot(0, 1), dot(0, 2), op(OpCode::op_or, 2)});
  TileResults out;
  for (Runner& r : runners()) {
    EXPECT_EQ(r.kernel->run(sample.task(one), out, StopToken()).status(), Status::too_large) << r.label;
    EXPECT_EQ(r.kernel->run(sample.task(two), out, StopToken()).status(), Status::too_large) << r.label;
  }
  EXPECT_EQ(reference().run(sample.task(one), out, StopToken()).status(), Status::too_large);
}

TEST(Contract, EveryRowRefusesABrokenTask) {
  const Sample sample({20, 30, {128, 64}, Kind::random}, 6);
  const Predicate p = predicate({dot(0, 1), dot(1, 1), op(OpCode::op_and, 2)});
  const Task good = sample.task(p);
  std::vector<std::pair<std::string, Task>> broken;
  const auto add = [&](const std::string& what) -> Task& { return broken.emplace_back(what, good).second; };
  static DigestWords short_words;
  static std::vector<FieldPair> other_n, other_count, unaligned;
  add("no predicate").predicate = nullptr;
  add("a field is missing").fields = good.fields.first(1);
  add("rows beyond the end").tiles.ti_end = 2;
  add("columns beyond the end").tiles.tj_end = 2;
  add("range upside down").tiles = {1, 0, 0, 1};
  add("words too few").words = &short_words;
  other_n.assign(good.fields.begin(), good.fields.end());
  other_n[1].users.n = 128;
  add("n differs").fields = other_n;
  other_count.assign(good.fields.begin(), good.fields.end());
  other_count[1].users.count = 29;
  add("counts differ").fields = other_count;
  unaligned.assign(good.fields.begin(), good.fields.end());
  unaligned[0].requests.rows += 4;
  add("rows are not aligned").fields = unaligned;
  for (const auto& [what, task] : broken) {
    TileResults out;
    EXPECT_EQ(reference().run(task, out, StopToken()).status(), Status::bad_argument) << what;
    for (Runner& r : runners()) {
      EXPECT_EQ(r.kernel->run(task, out, StopToken()).status(), Status::bad_argument) << r.label << ", " << what;
    }
  }
}

}  // namespace
}  // namespace sparkmill::match::test
