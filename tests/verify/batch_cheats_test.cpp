// SPDX-License-Identifier: Apache-2.0
// Every cheat of verify.batch, with fixed seeds and its measured rate: 4,096 signatures, 64 planted bad ones, 128
// openings, real recomputation. docs/verify-batch.md has the table.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>

#include "tests/verify/batch_support.h"
#include "verify/merkle/merkle.h"

namespace sparkmill::proof {
namespace {

using testing::BatchSample;
using testing::seed_of;

constexpr std::uint32_t kItems = 4096;
constexpr std::uint32_t kOpenings = 128;
constexpr int kTrials = testing::kSanitized ? 100 : 1000;
constexpr std::size_t kEvidence = 32;

struct World {
  BatchSample sample{*testing::form("ed25519", "go"), kItems, true, "cheats"};
  job::Outcome truth = testing::batch_outcome(*sample.work, 1u << 20);
  Bytes verdicts = *job::decode_batch_answer(truth.answer, kItems);
  job::InlineExecutor executor = testing::batch_executor(kernels::Family::ed25519);
};
World& world() {
  static World w;
  return w;
}

Bytes answer_of(ByteView verdicts) {
  Bytes bits((verdicts.size() + 7) / 8);
  for (std::size_t k = 0; k < verdicts.size(); ++k) bits[k / 8] |= static_cast<std::uint8_t>(verdicts[k] << (k % 8));
  ByteWriter w;
  w.u32(static_cast<std::uint32_t>(verdicts.size())).bytes(bits);
  return std::move(w).data();
}

struct Caught {
  bool by_plants = false;
  bool by_proof = false;  ///< claims of "invalid" and openings
  std::string reason;
};

/// What the node does with a commit and its opening.
Caught check_lie(const job::Work& work, const job::Outcome& lie, const job::Plants& plants, std::string_view seed) {
  Caught caught;
  const job::Finding planted = job::check_plants(plants, lie.answer);
  caught.by_plants = !planted.ok();
  Commit commit;
  commit.root = seed_of(seed);  // the draw follows the root; the tree itself is tested elsewhere
  commit.leaf_count = lie.leaves.size();
  commit.answer = lie.answer;
  const auto indices = challenge_indices(seed_of(seed), commit.leaf_count, kOpenings);
  const auto opening = work.open(lie, indices);
  EXPECT_TRUE(opening.ok());
  const Done claims = work.check_answer(lie.answer);
  const auto opened = work.check_opening(*opening, indices, lie.answer, world().executor);
  EXPECT_TRUE(opened.ok());
  caught.by_proof = !claims.ok() || !opened->finding.ok();
  caught.reason = !planted.ok() ? planted.reason : !claims.ok() ? "false_claim" : opened->finding.reason;
  return caught;
}

/// A worker that leaves `skipped` items out: it calls them valid and writes zeros as evidence.
job::Outcome skip(const job::Outcome& truth, Bytes verdicts, std::span<const std::uint64_t> items) {
  job::Outcome lie = truth;
  for (const std::uint64_t at : items) {
    std::fill_n(lie.evidence.begin() + static_cast<std::ptrdiff_t>(at * kEvidence), kEvidence, std::uint8_t{0});
    verdicts[at] = 1;
  }
  lie.answer = answer_of(verdicts);
  return lie;
}

TEST(BatchCheats, HonestWorkIsNeverCaught) {
  World& w = world();
  for (int trial = 0; trial < 50; ++trial) {
    const Caught c = check_lie(*w.sample.work, w.truth, w.sample.plants, "honest" + std::to_string(trial));
    ASSERT_FALSE(c.by_plants || c.by_proof) << trial << ": " << c.reason;
  }
  // And through the whole check, tree and all.
  Commit commit{merkle::root(w.truth.leaves), w.truth.leaves.size(), w.truth.answer};
  const auto indices = challenge_indices(seed_of("whole"), kItems, kOpenings);
  const auto opening = make_opening(*w.sample.work, w.truth, indices);
  EXPECT_EQ(check(*w.sample.work, commit, indices, *opening, w.executor)->reason, "accepted");
}

TEST(BatchCheats, AllValidWithoutWork) {
  World& w = world();
  int plants = 0, proof = 0;
  constexpr int kLeases = 50;
  for (int trial = 0; trial < kLeases; ++trial) {
    job::Outcome lie = w.truth;
    chacha20_stream(seed_of("invented" + std::to_string(trial)), 0, 0, lie.evidence);
    lie.answer = answer_of(Bytes(kItems, 1));
    const Caught c = check_lie(*w.sample.work, lie, w.sample.plants, "none" + std::to_string(trial));
    plants += c.by_plants ? 1 : 0;
    proof += c.by_proof ? 1 : 0;
  }
  std::printf("all valid without work: caught by planted items %d, by openings %d of %d\n", plants, proof, kLeases);
  EXPECT_EQ(plants, kLeases);
  EXPECT_EQ(proof, kLeases);
}

// A worker that does everything but one test: what only that test refuses is called valid. Evidence and all other
// verdicts are true.
TEST(BatchCheats, EachKindOfPlantedItemSkipped) {
  constexpr int kLeases = 8;
  for (const char* policy : {"go", "bytom_legacy", "rfc8032_canonical_cofactorless", "rfc8032_canonical_cofactored",
                             "zip215", "dalek_strict"}) {
    std::map<signatures::Flaw, int> caught, shown;
    for (int lease = 0; lease < kLeases; ++lease) {
      BatchSample sample(*testing::form("ed25519", policy), 512, true, "kinds" + std::to_string(lease));
      const job::Outcome truth = testing::batch_outcome(*sample.work, 1u << 20);
      const Bytes verdicts = *job::decode_batch_answer(truth.answer, 512);
      for (const signatures::Flaw flaw : signatures::flaws_of(sample.form)) {
        Bytes lie = verdicts;
        bool any = false;
        for (const job::Plant& p : sample.plants.list) {
          if (p.flaw != flaw || p.valid) continue;
          lie[p.index] = 1;
          any = true;
        }
        if (!any) continue;  // the policy accepts this kind
        job::Outcome told = truth;
        told.answer = answer_of(lie);
        ++shown[flaw];
        const job::Finding found = job::check_plants(sample.plants, told.answer);
        caught[flaw] += found.reason == "plant_missed" ? 1 : 0;
      }
    }
    for (const auto& [flaw, times] : shown) {
      std::printf("%s, %s skipped: caught %d of %d\n", policy, std::string(signatures::about(flaw)).c_str(),
                  caught[flaw], times);
      EXPECT_EQ(caught[flaw], times);
    }
    EXPECT_GE(shown.size(), 8u) << policy;
  }
}

TEST(BatchCheats, FivePercentSkipped) {
  World& w = world();
  int plants = 0, proof = 0, either = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    const auto items = challenge_indices(seed_of("skip" + std::to_string(trial)), kItems, kItems / 20);
    const job::Outcome lie = skip(w.truth, w.verdicts, items);
    const Caught c = check_lie(*w.sample.work, lie, w.sample.plants, "five" + std::to_string(trial));
    plants += c.by_plants ? 1 : 0;
    proof += c.by_proof ? 1 : 0;
    either += c.by_plants || c.by_proof ? 1 : 0;
  }
  std::printf("5 %% skipped: caught by planted items %d, by openings %d, by either %d of %d\n", plants, proof, either,
              kTrials);
  EXPECT_GE(plants, kTrials * 88 / 100);  // 1 - 0.95^64 = 96.2 %
  EXPECT_GE(proof, kTrials * 97 / 100);   // 1 - 0.95^128 = 99.86 %
  EXPECT_GE(either, kTrials - 2);
}

TEST(BatchCheats, VerdictsFlipped) {
  World& w = world();
  constexpr int kFlips = 250;
  int to_invalid = 0, to_valid = 0;
  ChaChaWords draw(seed_of("flips"));
  for (int trial = 0; trial < kFlips; ++trial) {
    // One good item called invalid: slander is recomputed.
    Bytes lie = w.verdicts;
    std::size_t at = draw.below(kItems);
    while (lie[at] == 0) at = draw.below(kItems);
    lie[at] = 0;
    to_invalid += w.sample.work->check_answer(answer_of(lie)).status() == Status::mismatch ? 1 : 0;
    // One bad item called valid: all bad ones are planted.
    lie = w.verdicts;
    while (lie[at] != 0) at = draw.below(kItems);
    lie[at] = 1;
    to_valid += job::check_plants(w.sample.plants, answer_of(lie)).reason == "plant_missed" ? 1 : 0;
  }
  std::printf("one verdict flipped: to invalid caught %d of %d, to valid %d of %d\n", to_invalid, kFlips, to_valid,
              kFlips);
  EXPECT_EQ(to_invalid, kFlips);
  EXPECT_EQ(to_valid, kFlips);
}

TEST(BatchCheats, EvidenceCopiedFromAnotherWorker) {
  World& w = world();
  int caught = 0;
  constexpr int kLeases = 50;
  for (int trial = 0; trial < kLeases; ++trial) {
    const auto mine = w.sample.work->rebind(
        job::Binding::to_lease({}, trial % 2 == 0 ? seed_of("thief") : w.sample.binding.worker_pub));
    const Caught c = check_lie(*mine, w.truth, w.sample.plants, "copied" + std::to_string(trial));
    EXPECT_EQ(c.reason, "leaf_mismatch");
    caught += c.by_proof ? 1 : 0;
  }
  std::printf("evidence of another worker or lease: caught %d of %d\n", caught, kLeases);
  EXPECT_EQ(caught, kLeases);
}

}  // namespace
}  // namespace sparkmill::proof
