// SPDX-License-Identifier: Apache-2.0
// A stream through reader, lanes and taker: order, totals, a fixed number of chunks, and errors from every side.
#include "verify/signatures/pipeline.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "base/ordered_stages.h"
#include "kernels/registry.h"
#include "verify/signatures/signers/generate.h"

namespace sparkmill::signatures {
namespace {

const Form& form() { return **form_named("bip340", ""); }

std::vector<std::unique_ptr<kernels::Kernel>> lanes(std::size_t count) {
  std::vector<std::unique_ptr<kernels::Kernel>> out;
  kernels::Device cpu;
  cpu.id = "cpu";
  for (std::size_t k = 0; k < count; ++k) {
    out.push_back(std::move(*kernels::find_row(kernels::Family::secp256k1, "reference")->make(cpu)));
  }
  return out;
}

/// `rounds` lists of `each` items from a generated set, then what `end` says.
struct Source {
  Generated made = *generate(form(), 12, {Hash32{9}, 3, 32});
  std::size_t rounds = 10, each = 7;
  Done end = done();
  std::size_t at = 0, calls = 0;

  std::size_t index(std::uint64_t item) const { return static_cast<std::size_t>(item * 5 % made.items.count()); }
  Done next(ItemList& list) {
    list.clear();
    if (calls++ >= rounds) return end;
    const Items items = made.items.view();
    for (std::size_t k = 0; k < each; ++k, ++at) {
      const std::size_t i = index(at);
      SPARKMILL_TRY(list.add(items.key(form(), i), items.signature(form(), i), items.message(i)));
    }
    return done();
  }
};

Result<StreamTotals> run(Source& source, const TakeChunk& take, std::size_t lane_count, const StopToken& stop = {}) {
  const auto kernels = lanes(lane_count);
  return run_stream(
      form(), [&](ItemList& list, std::size_t, std::size_t) { return source.next(list); }, take, kernels, {}, stop);
}

TEST(Pipeline, VerdictsComeInOrderFromFewChunks) {
  for (const std::size_t lane_count : {1u, 3u}) {
    Source source;
    std::uint64_t next = 0, valid = 0;
    std::set<const Chunk*> chunks;
    const auto totals = run(
        source,
        [&](const Chunk& chunk) {
          EXPECT_EQ(chunk.first, next);
          chunks.insert(&chunk);
          for (std::size_t i = 0; i < chunk.valid.size(); ++i, ++next) {
            const bool honest = source.made.flaws[source.index(next)] == Flaw::none;
            EXPECT_EQ(chunk.valid[i] != 0, honest) << next;
            valid += chunk.valid[i];
          }
          return done();
        },
        lane_count);
    ASSERT_TRUE(totals);
    EXPECT_EQ(totals->items, 70u);
    EXPECT_EQ(totals->items, next);
    EXPECT_EQ(totals->valid, valid);
    EXPECT_LE(chunks.size(), 2 * lane_count + 2);
  }
}

TEST(Pipeline, AnEmptyStreamIsRight) {
  Source source;
  source.rounds = 0;
  const auto totals = run(
      source, [](const Chunk&) { return done(); }, 2);
  ASSERT_TRUE(totals);
  EXPECT_EQ(totals->items, 0u);
}

TEST(Pipeline, ItemsBeforeABrokenOneAreDecided) {
  Source source;
  source.rounds = 4;
  source.end = fail(Status::bad_input, "item 28");
  std::uint64_t taken = 0;
  const auto totals = run(
      source,
      [&](const Chunk& chunk) {
        taken += chunk.valid.size();
        return done();
      },
      2);
  ASSERT_EQ(totals.status(), Status::bad_input);
  EXPECT_EQ(totals.error().message, "item 28");
  EXPECT_EQ(taken, 28u);
}

TEST(Pipeline, ATakerThatFailsEndsEverything) {
  Source source;
  source.rounds = 1000000;  // would take minutes
  unsigned calls = 0;
  const auto totals = run(
      source, [&](const Chunk&) { return ++calls < 3 ? done() : Done(fail(Status::io_error, "no room")); }, 2);
  EXPECT_EQ(totals.status(), Status::io_error);
  EXPECT_EQ(calls, 3u);
}

TEST(Pipeline, AStopEndsEverything) {
  Source source;
  source.rounds = 1000000;
  StopSource stop;
  const auto totals = run(
      source,
      [&](const Chunk&) {
        stop.request_stop();
        return done();
      },
      2, stop.token());
  EXPECT_EQ(totals.status(), Status::cancelled);
}

// -- the stages below, with chunks that are numbers

struct Course {
  std::vector<std::size_t> taken;
  std::size_t most_held = 0;
  Done how = done();
};
/// Chunk k holds weights[k]. `end` comes behind the last one, `break_at` fails on a lane.
Course run_weights(const std::vector<std::size_t>& weights, std::size_t lane_count, std::size_t most, Done end,
                   std::size_t break_at = SIZE_MAX) {
  Course out;
  std::atomic<std::size_t> held = 0;
  std::size_t at = 0;
  OrderedStages<std::size_t> stages;
  stages.make = [] { return std::make_unique<std::size_t>(); };
  stages.read = [&](std::size_t& chunk) -> ReadStep {
    if (at == weights.size()) return {0, true, end};
    chunk = at++;
    out.most_held = std::max(out.most_held, held += weights[chunk]);
    return {weights[chunk], false, done()};
  };
  stages.work = [&](std::size_t& chunk, std::size_t lane) -> Done {
    EXPECT_LT(lane, lane_count);
    return chunk == break_at ? Done(fail(Status::internal, "a lane broke")) : done();
  };
  stages.take = [&](const std::size_t& chunk) {
    out.taken.push_back(chunk);
    held -= weights[chunk];
    return done();
  };
  out.how = run_ordered(stages, lane_count, most, StopToken());
  return out;
}

TEST(OrderedStages, WhatChunksHoldTogetherIsBounded) {
  std::vector<std::size_t> weights(200, 10);
  weights[50] = 1000;  // more than the limit: one always fits
  std::vector<std::size_t> all(weights.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  for (const std::size_t lane_count : {1u, 4u}) {
    const Course course = run_weights(weights, lane_count, 25, done());
    EXPECT_TRUE(course.how.ok());
    EXPECT_EQ(course.taken, all);
    EXPECT_LE(course.most_held, 25u + 1000u);
    const Course small = run_weights(std::vector<std::size_t>(200, 10), lane_count, 25, done());
    EXPECT_LE(small.most_held, 25u + 10u);
  }
}

TEST(OrderedStages, ErrorsOfReaderAndLane) {
  const Course read = run_weights(std::vector<std::size_t>(20, 1), 3, 100, fail(Status::bad_input, "line 21"));
  EXPECT_EQ(read.how.status(), Status::bad_input);
  EXPECT_EQ(read.taken.size(), 20u);  // what was read before is taken
  const Course lane = run_weights(std::vector<std::size_t>(2000, 1), 3, 100, done(), 7);
  EXPECT_EQ(lane.how.status(), Status::internal);
  EXPECT_LE(lane.taken.size(), 7u);
}

}  // namespace
}  // namespace sparkmill::signatures
