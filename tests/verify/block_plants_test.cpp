// SPDX-License-Identifier: Apache-2.0
// Generated items of verify.blocks: good ones are valid, each planted kind has its reason, and nothing but the flaw
// tells them apart.
#include "verify/job/block_plants.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <set>

#include "tests/verify/batch_support.h"

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

}  // namespace
}  // namespace sparkmill::job
