// SPDX-License-Identifier: Apache-2.0
// Who gets a table: keys that come again, never keys that do not; tables of one call stay while it uses them.
#include "kernels/backend/key_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>

namespace sparkmill::kernels {
namespace {

constexpr std::size_t kKeyBytes = 32;

/// A cache whose tables remember what they were made of.
struct Rig {
  explicit Rig(const KeyCache::Plan& plan) : cache(plan), lot(plan.lot) {}
  /// Tables of these keys; every table given must have been made of that key and kind.
  std::vector<std::uint16_t> ask(const std::vector<std::uint64_t>& keys, std::uint8_t kind = 0) {
    Bytes bytes(keys.size() * kKeyBytes);
    for (std::size_t i = 0; i < keys.size(); ++i) std::memcpy(&bytes[i * kKeyBytes + 8], &keys[i], sizeof keys[i]);
    std::vector<std::uint16_t> table(keys.size());
    cache.assign(kind, bytes, kKeyBytes, table,
                 [&](std::span<const ByteView> made, std::span<const std::uint16_t> tables) {
                   EXPECT_EQ(made.size(), tables.size());
                   EXPECT_LE(made.size(), lot);
                   for (std::size_t k = 0; k < made.size(); ++k) {
                     content[tables[k]] = {kind, Bytes(made[k].begin(), made[k].end())};
                     ++tables_made;
                   }
                   ++lots;
                 });
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (table[i] == KeyCache::kNone) continue;
      const auto its = content.find(table[i]);
      EXPECT_TRUE(its != content.end() && its->second.first == kind &&
                  std::equal(its->second.second.begin(), its->second.second.end(),
                             bytes.begin() + static_cast<long>(i * kKeyBytes)))
          << "item " << i;
    }
    return table;
  }
  static std::size_t known(const std::vector<std::uint16_t>& table) {
    return table.size() - static_cast<std::size_t>(std::count(table.begin(), table.end(), KeyCache::kNone));
  }
  KeyCache cache;
  std::size_t lot, lots = 0, tables_made = 0;
  std::map<std::uint16_t, std::pair<std::uint8_t, Bytes>> content;
};

/// `count` keys from `first` on, `times` times over.
std::vector<std::uint64_t> keys(std::uint64_t first, std::size_t count, std::size_t times = 1) {
  std::vector<std::uint64_t> list;
  for (std::size_t t = 0; t < times; ++t) {
    for (std::size_t k = 0; k < count; ++k) list.push_back(first + k);
  }
  return list;
}

TEST(KeyCache, AStreamWithoutRepeatsMakesNoTable) {
  Rig rig({256, 8, 48, 1});
  for (std::uint64_t call = 0; call < 40; ++call) EXPECT_EQ(Rig::known(rig.ask(keys(call * 4096, 4096))), 0u);
  // Nor one that comes round after more keys than are remembered.
  for (int call = 0; call < 40; ++call) EXPECT_EQ(Rig::known(rig.ask(keys(0, 4096))), 0u);
  EXPECT_EQ(rig.lots, 0u);
}

TEST(KeyCache, KeysThatPayGetTablesAtOnceAndKeepThem) {
  Rig rig({256, 8, 48, 1});
  EXPECT_EQ(Rig::known(rig.ask(keys(0, 64, 5))), 0u);  // 40 sights a lot
  EXPECT_EQ(Rig::known(rig.ask(keys(0, 64))), 64u);    // and 8 more, counted over calls
  EXPECT_EQ(rig.tables_made, 64u);
  for (std::uint64_t call = 0; call < 10; ++call) rig.ask(keys(1000000 + call * 4096, 4096));  // a flood of others
  EXPECT_EQ(Rig::known(rig.ask(keys(0, 64, 3))), 192u);
  EXPECT_EQ(rig.tables_made, 64u);
  // One key alone pays for a whole lot when it comes often enough.
  EXPECT_EQ(Rig::known(rig.ask(keys(7777777, 1, 47))), 0u);
  EXPECT_EQ(Rig::known(rig.ask(keys(7777777, 1))), 1u);
}

TEST(KeyCache, TablesGoFromKeyToKeyButNotWithinACall) {
  Rig rig({16, 8, 16, 1});
  EXPECT_EQ(Rig::known(rig.ask(keys(0, 16, 4))), 64u);
  // Sixteen others in the same call as the old ones: no table is free.
  auto both = keys(0, 16);
  for (const std::uint64_t k : keys(100, 16, 4)) both.push_back(k);
  EXPECT_EQ(Rig::known(rig.ask(both)), 16u);
  EXPECT_EQ(Rig::known(rig.ask(keys(100, 16, 4))), 64u);
  EXPECT_EQ(Rig::known(rig.ask(keys(0, 16))), 0u);
  EXPECT_EQ(rig.tables_made, 32u);
}

TEST(KeyCache, TheSameBytesOfAnotherKindAreAnotherKey) {
  Rig rig({64, 8, 8, 1});
  EXPECT_EQ(Rig::known(rig.ask(keys(5, 1, 20), 1)), 20u);
  EXPECT_EQ(Rig::known(rig.ask(keys(5, 1, 1), 2)), 0u);
  EXPECT_EQ(Rig::known(rig.ask(keys(5, 1, 20), 2)), 20u);
  EXPECT_EQ(Rig::known(rig.ask(keys(5, 1, 1), 1)), 1u);
}

TEST(KeyCache, ASplitHasEveryItemOnceAndKnownOnesByTheirTables) {
  for (const std::size_t repeats : {0u, 6u, 40u}) {
    KeyCache cache({32, 8, 16, 8});
    const std::size_t count = 100 + 3 * repeats;
    Bytes bytes(count * kKeyBytes);
    for (std::size_t i = 0; i < count; ++i)
      bytes[i * kKeyBytes + i % 3] = static_cast<std::uint8_t>(i < 100 ? i + 1 : 200 + i % 3);
    const auto split = cache.split(0, bytes, kKeyBytes, count, [](auto, auto) {});
    std::vector<int> times(count);
    for (const std::uint32_t i : split.plain) ++times[i];
    for (std::size_t k = 0; k < split.known.size(); ++k) {
      ++times[split.known[k]];
      EXPECT_NE(cache.table_of(split.known[k]), KeyCache::kNone);
      if (k != 0) {
        EXPECT_LE(cache.table_of(split.known[k - 1]), cache.table_of(split.known[k]));
      }
    }
    EXPECT_EQ(times, std::vector<int>(count, 1));
    EXPECT_EQ(split.known.empty(), repeats == 0) << repeats;
    EXPECT_TRUE(split.known.empty() || split.plain.size() == 104) << split.plain.size();  // 100 are filled up
  }
}

TEST(KeyCache, EveryTableIsTheKeysWhateverComes) {
  Rig rig({32, 4, 6, 1});
  std::uint64_t state = 1;
  std::size_t known = 0;
  for (int call = 0; call < 400; ++call) {
    std::vector<std::uint64_t> list(1 + (state >> 40) % 700);
    const std::uint64_t range = call % 5 == 0 ? 20000 : 3 + state % 900;
    for (std::uint64_t& k : list) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      k = (state >> 33) % range;
    }
    known += Rig::known(rig.ask(list, static_cast<std::uint8_t>(call % 2)));
  }
  EXPECT_GT(known, 1000u);
  EXPECT_GT(rig.tables_made, 100u);
}

}  // namespace
}  // namespace sparkmill::kernels
