// SPDX-License-Identifier: Apache-2.0
// Generated items of verify.blocks: good ones are valid, each planted kind has its reason, and nothing but the flaw
// tells them apart.
#include "verify/job/block_plants.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <numeric>
#include <set>

#include "tests/verify/batch_support.h"
#include "verify/blocks/bttc/sign.h"

namespace sparkmill::job {
namespace {

using testing::seed_of;

TEST(BlockPlants, EveryKindHasItsReason) {
  const auto start = std::chrono::steady_clock::now();
  const auto made = plant_bytom_blocks({}, kMinPlantedBlocks, seed_of("plants"));
  ASSERT_TRUE(made.ok()) << made.error().message;
  const auto end = std::chrono::steady_clock::now();
  std::printf("made in %.1f ms, %llu hashes, %u with work\n", std::chrono::duration<double>(end - start).count() * 1e3,
              static_cast<unsigned long long>(made->hashes), made->with_work);
  ASSERT_EQ(made->items.size(), kMinPlantedBlocks);
  std::map<BlockPlantKind, int> seen;
  std::size_t bad = 0;
  for (const BlockPlant& plant : made->plants.list) {
    const BlockPlantRow* row = find_block_plant(plant.kind);
    ASSERT_NE(row, nullptr);
    ++seen[plant.kind];
    const std::string_view word = block_reason(plant.verdict);
    if (row->reason.empty()) {
      EXPECT_NE(word, "valid") << row->name;
    } else {
      EXPECT_EQ(word, row->reason) << row->name;
    }
    bad += word == "valid" ? 0 : 1;
  }
  EXPECT_EQ(bad, bad_items_for(kMinPlantedBlocks));
  EXPECT_EQ(seen.size(), block_plant_kinds(Chain::bytom).size());

  // As a job, run as any worker runs it: planted verdicts, and valid for everything else.
  std::vector<BlockItem> items;
  for (const SampleBlock& item : made->items) items.push_back({item.context, item.block});
  MemoryBlobs blobs;
  blobs.add(encode_block_items(items));
  const Job job = make_blocks_job(items, true, 0);
  const auto work = open(job, blobs, {});
  ASSERT_TRUE(work.ok());
  const auto before = std::chrono::steady_clock::now();
  const Outcome outcome = testing::batch_outcome(**work, 1u << 20);
  std::printf("done in %.1f ms, %llu units\n",
              std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count() * 1e3,
              static_cast<unsigned long long>((*work)->units()));
  EXPECT_TRUE(check_plants(made->plants, outcome.answer).ok()) << check_plants(made->plants, outcome.answer).detail;
  const Bytes rest = *strip_plants(made->plants, outcome.answer);
  ASSERT_EQ(rest.size(), 4 + items.size() - made->plants.list.size());
  EXPECT_TRUE(std::all_of(rest.begin() + 4, rest.end(), [](std::uint8_t v) { return v == 1; }));
}

/// A job of another chain, run as any worker runs it.
void expect_planted(Chain chain, const Result<PlantedBlob>& made) {
  ASSERT_TRUE(made.ok()) << made.error().message;
  const BlockPlants& plants = made->plants;
  EXPECT_EQ(plants.list.size(), block_plants_for(kMinPlantedBlocks));
  std::set<BlockPlantKind> kinds;
  for (const BlockPlant& plant : plants.list) kinds.insert(plant.kind);
  EXPECT_EQ(kinds.size(), block_plant_kinds(chain).size());
  MemoryBlobs blobs;
  const auto work = open(make_blocks_job({chain, plants.items}, blobs.add(made->blob), true, 0), blobs, {});
  ASSERT_TRUE(work.ok()) << work.error().message;
  const Outcome outcome = testing::batch_outcome(**work, 1u << 20);
  EXPECT_TRUE((*work)->recheck(outcome).ok());
  const BlockPlants kept = *decode_block_plants(encode(plants));
  EXPECT_EQ(kept.chain, chain);
  EXPECT_TRUE(check_plants(kept, outcome.answer).ok()) << check_plants(kept, outcome.answer).detail;
  const Bytes rest = *strip_plants(kept, outcome.answer);
  ASSERT_EQ(rest.size(), 4 + plants.items - plants.list.size());
  EXPECT_TRUE(std::all_of(rest.begin() + 4, rest.end(), [](std::uint8_t v) { return v == 1; }));
  // All valid without work; evidence of another lease, and of another worker.
  Bytes all = outcome.answer;
  std::fill(all.begin() + 4, all.end(), std::uint8_t{1});
  EXPECT_EQ(check_plants(kept, all).reason, "plant_missed");
  job::InlineExecutor executor = testing::batch_executor((*work)->family());
  std::vector<std::uint64_t> leaves(kept.items);
  std::iota(leaves.begin(), leaves.end(), std::uint64_t{0});
  const Bytes opening = *(*work)->open(outcome, leaves);
  EXPECT_TRUE((*work)->check_opening(opening, leaves, outcome.answer, executor)->finding.ok());
  for (const Binding& other : {Binding{Bytes{9}, {}}, Binding{{}, seed_of("thief")}}) {
    const auto mine = (*work)->rebind(other);
    EXPECT_EQ(mine->check_opening(opening, leaves, outcome.answer, executor)->finding.reason, "leaf_mismatch");
  }
  // A verdict changed: to valid, to another reason, or from valid.
  for (const BlockPlant& plant : kept.list) {
    Bytes lie = outcome.answer;
    lie[4 + plant.index] = plant.verdict == 4 ? 5 : 4;
    EXPECT_EQ(check_plants(kept, lie).reason, "plant_reason");
  }
  Bytes slander = outcome.answer;
  *std::find(slander.begin() + 4, slander.end(), std::uint8_t{1}) = 4;
  EXPECT_EQ((*work)->check_answer(slander).status(), Status::mismatch);
  // Each kind skipped: called valid although all else is true.
  for (const BlockPlantRow& row : block_plant_kinds(chain)) {
    Bytes lie = outcome.answer;
    for (const BlockPlant& plant : kept.list) {
      if (plant.kind == row.kind) lie[4 + plant.index] = 1;
    }
    EXPECT_EQ(check_plants(kept, lie).reason, "plant_missed") << row.name;
  }
}

TEST(BlockPlants, Checkpoints) {
  if (!bttc::signing_absent().empty()) GTEST_SKIP() << bttc::signing_absent();
  expect_planted(Chain::bttc, plant_bttc_items(kMinPlantedBlocks, seed_of("checkpoints")));
}

TEST(BlockPlants, Seals) { expect_planted(Chain::btn, plant_btn_items(kMinPlantedBlocks, seed_of("seals"))); }

TEST(BlockPlants, TablesAreReadStrictly) {
  const BlockPlants plants{Chain::bttc, 10, {{2, BlockPlantKind::bttc_gap, 7}, {5, BlockPlantKind::bttc_left, 14}}};
  const Bytes good = encode(plants);
  EXPECT_EQ(decode_block_plants(good)->list, plants.list);
  for (const auto& [at, value] : std::map<std::size_t, std::uint8_t>{
           {0, 2}, {4, 5}, {8, 3}, {12, 6}, {16, 31}, {16, 0}, {17, 0}, {17, 100}, {22, 1}}) {
    Bytes bad = good;
    bad[at] = value;
    EXPECT_EQ(decode_block_plants(bad).status(), Status::bad_input) << at;
  }
  EXPECT_EQ(decode_block_plants(ByteView(good).first(good.size() - 1)).status(), Status::bad_input);
}

}  // namespace
}  // namespace sparkmill::job
