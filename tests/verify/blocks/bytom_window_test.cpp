// SPDX-License-Identifier: Apache-2.0
// The sliding window: the same verdicts in the same order whatever its size and the number of lanes; first invalid
// block, errors, stop. Headers, state and the shelf of matrices beside it.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "tests/verify/blocks/bytom_support.h"
#include "verify/blocks/bytom_epochs.h"
#include "verify/chain/seed_rule.h"

namespace sparkmill {
namespace {

using namespace testing;

std::vector<Bytes> chain_18() {
  std::vector<Bytes> out;
  for (const auto& name : bytom_vectors()["windows"][0]["blocks"]) out.push_back(block_bytes(name.get<std::string>()));
  return out;
}

struct Course {
  std::vector<std::string> words;  ///< "valid" or the reason, in order of delivery
  Status status = Status::ok;
  bytom::WindowSummary summary;
};

struct Setting {
  std::size_t lanes = 1;
  bytom::WindowOptions options;
  bool work = false;
  std::size_t fail_at = SIZE_MAX;  ///< the source fails there
  std::size_t end_after = SIZE_MAX;
  StopToken stop;
};

Course run(const std::vector<Bytes>& blocks, const Setting& setting) {
  Course out;
  std::atomic<int> inside = 0;
  std::size_t at = 0;
  const auto next = [&]() -> Result<std::optional<Bytes>> {
    EXPECT_EQ(inside.fetch_add(1), 0);
    if (at == setting.fail_at) {
      inside.fetch_sub(1);
      return fail(Status::io_error, "the source broke");
    }
    std::optional<Bytes> block;
    if (at < blocks.size()) block = blocks[at++];
    inside.fetch_sub(1);
    return block;
  };
  bytom::HeaderWalk walk;
  if (setting.work) walk.set_seed(265, *context_of(bytom_case("p2wpkh_1in_2out"))->seed);
  bytom::AssumedCoins coins;
  bytom::State state(coins);
  const auto deliver = [&](const bytom::Delivery& d) {
    EXPECT_EQ(d.number, out.words.size());
    out.words.push_back(d.judged.verdict.ok ? "valid" : std::string(d.judged.verdict.reason));
    EXPECT_EQ(d.judged.verdict.facts.pow_ok.has_value(), setting.work && d.block != nullptr);
    return out.words.size() < setting.end_after;
  };
  const auto summary =
      bytom::judge_window(next, walk, &state, false, lanes(setting.lanes), setting.options, deliver, setting.stop);
  out.status = summary.status();
  if (summary) out.summary = *summary;
  return out;
}

TEST(BytomWindow, SameVerdictsForAnySizeAndLanes) {
  std::vector<Bytes> blocks = chain_18();
  const std::vector<std::string> all_valid(blocks.size(), "valid");
  std::vector<Bytes> broken = blocks;
  broken[5][broken[5].size() - 40] ^= 1;  // an amount or a program of the last output
  const std::vector<std::string> expected = run(broken, {}).words;
  ASSERT_EQ(expected.size(), 6u);
  EXPECT_NE(expected[5], "valid");
  constexpr std::pair<std::size_t, std::size_t> kBundleAndBytes[] = {{1, 1}, {2, 8000}, {64, 64 << 20}};
  for (const std::size_t count : {1u, 2u, 3u}) {
    for (const auto& [bundle, bytes] : kBundleAndBytes) {
      Setting setting;
      setting.lanes = count;
      setting.options.bundle = bundle;
      setting.options.bytes = bytes;
      const Course good = run(blocks, setting);
      EXPECT_EQ(good.words, all_valid);
      EXPECT_EQ(good.summary.valid, blocks.size());
      EXPECT_FALSE(good.summary.ended_early);
      const Course bad = run(broken, setting);
      EXPECT_EQ(bad.words, expected);
      EXPECT_TRUE(bad.summary.ended_early);
    }
  }
}

TEST(BytomWindow, WorkOfRealBlocksOnTwoLanes) {
  std::vector<Bytes> blocks = chain_18();
  blocks.resize(4);
  Setting setting;
  setting.work = true;
  setting.lanes = 2;
  setting.options.bundle = 1;
  EXPECT_EQ(run(blocks, setting).words, std::vector<std::string>(4, "valid"));
  blocks[2] = block_bytes("already_spent");
  EXPECT_EQ(run(blocks, setting).words, (std::vector<std::string>{"valid", "valid", "spent"}));
}

TEST(BytomWindow, GoesOnWhereAsked) {
  std::vector<Bytes> blocks = chain_18();
  blocks.insert(blocks.begin() + 2, Bytes{0x02});  // undecodable; what follows starts the chain afresh
  blocks.resize(5);
  EXPECT_EQ(run(blocks, {}).words, (std::vector<std::string>{"valid", "valid", "decode"}));
  Setting setting;
  setting.options.go_on = true;
  setting.lanes = 2;
  setting.options.bundle = 1;
  const Course all = run(blocks, setting);
  EXPECT_EQ(all.words, (std::vector<std::string>{"valid", "valid", "decode", "valid", "valid"}));
  EXPECT_EQ(all.summary.valid, 4u);
}

TEST(BytomWindow, BrokenSourceStopAndEnoughOfIt) {
  const std::vector<Bytes> blocks = chain_18();
  for (const std::size_t count : {1u, 2u}) {
    Setting setting;
    setting.lanes = count;
    setting.options.bundle = 2;
    setting.fail_at = 5;
    const Course broken = run(blocks, setting);
    EXPECT_EQ(broken.status, Status::io_error);
    EXPECT_EQ(broken.words, std::vector<std::string>(5, "valid"));  // those before it are delivered
    setting.fail_at = SIZE_MAX;
    setting.end_after = 3;
    const Course enough = run(blocks, setting);
    EXPECT_EQ(enough.words.size(), 3u);
    EXPECT_TRUE(enough.summary.ended_early);
    StopSource stop;
    stop.request_stop();
    setting.stop = stop.token();
    const Course stopped = run(blocks, setting);
    EXPECT_EQ(stopped.status, Status::cancelled);
    EXPECT_TRUE(stopped.words.empty());
    EXPECT_EQ(run({}, {}).summary.blocks, 0u);
  }
}

TEST(BytomWindow, BytesInFlightAreBounded) {
  const std::vector<Bytes> blocks = chain_18();
  constexpr std::size_t kRounds = 30;
  std::size_t largest = 0, total = 0;
  for (const Bytes& block : blocks) {
    largest = std::max(largest, block.size());
    total += kRounds * block.size();
  }
  for (const std::size_t count : {1u, 3u}) {
    bytom::WindowOptions options;
    options.bytes = 4 * largest;
    options.go_on = true;  // each round but the first begins with a block that does not fit the one before
    std::atomic<std::size_t> in_flight = 0, most = 0;
    std::size_t at = 0, delivered = 0;
    const auto next = [&]() -> Result<std::optional<Bytes>> {
      if (at == kRounds * blocks.size()) return std::optional<Bytes>();
      const Bytes& block = blocks[at++ % blocks.size()];
      in_flight += block.size();
      most = std::max(most.load(), in_flight.load());
      return std::optional(block);
    };
    const auto deliver = [&](const bytom::Delivery& d) {
      EXPECT_EQ(d.number, delivered);
      EXPECT_EQ(d.judged.verdict.ok, d.number < blocks.size() || d.number % blocks.size() != 0) << d.number;
      ++delivered;
      in_flight -= d.size;
      return true;
    };
    bytom::HeaderWalk walk;
    ASSERT_TRUE(bytom::judge_window(next, walk, nullptr, false, lanes(count), options, deliver).ok());
    EXPECT_EQ(delivered, kRounds * blocks.size());
    // The limit, and the block that was read when there was still room.
    EXPECT_LE(most, options.bytes + largest);
    EXPECT_GT(total, 10 * most);
  }
}

TEST(BytomWindow, ASourceThatWaitsHoldsNobody) {
  const std::vector<Bytes> blocks = chain_18();
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t delivered = 0;
  bool waited_in_vain = false;
  std::size_t at = 0;
  const auto next = [&]() -> Result<std::optional<Bytes>> {
    std::unique_lock lock(mutex);
    // With a bundle of one, each of two lanes reads two blocks before it judges one.
    if (at >= 3 && !changed.wait_for(lock, std::chrono::minutes(2), [&] { return delivered + 3 > at; })) {
      waited_in_vain = true;
      return std::optional<Bytes>();
    }
    return at < blocks.size() ? std::optional(blocks[at++]) : std::nullopt;
  };
  const auto deliver = [&](const bytom::Delivery&) {
    const std::lock_guard lock(mutex);
    ++delivered;
    changed.notify_all();
    return true;
  };
  bytom::WindowOptions options;
  options.bundle = 1;
  bytom::HeaderWalk walk;
  const auto summary = bytom::judge_window(next, walk, nullptr, false, lanes(2), options, deliver);
  EXPECT_FALSE(waited_in_vain);
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary->valid, blocks.size());
}

TEST(BytomWindow, AStopInTheMiddleEndsItSoon) {
  const std::vector<Bytes> blocks = chain_18();
  for (const std::size_t count : {1u, 2u}) {
    StopSource stop;
    std::chrono::steady_clock::time_point asked;
    std::size_t at = 0, after = 0;
    const auto next = [&]() -> Result<std::optional<Bytes>> { return std::optional(blocks[at++ % blocks.size()]); };
    const auto deliver = [&](const bytom::Delivery& d) {
      after += stop.stop_requested() ? 1 : 0;
      if (d.number == 100) {
        asked = std::chrono::steady_clock::now();
        stop.request_stop();
      }
      return true;
    };
    bytom::WindowOptions options;
    options.go_on = true;
    bytom::HeaderWalk walk;
    const auto summary = bytom::judge_window(next, walk, nullptr, false, lanes(count), options, deliver, stop.token());
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - asked).count();
    EXPECT_EQ(summary.status(), Status::cancelled);
    EXPECT_EQ(after, 0u);
    EXPECT_LT(seconds, 5.0);  // 0.1 s on a machine that has nothing else to do
    RecordProperty("stopped_after_ms_on_" + std::to_string(count) + "_lanes", static_cast<int>(seconds * 1e3));
  }
}

TEST(BytomEpochs, ShelfBuildsAheadAndGivesAway) {
  bytom::EpochShelf shelf(5);
  std::vector<Hash32> seeds(6);
  for (std::size_t i = 0; i < seeds.size(); ++i) seeds[i][0] = static_cast<std::uint8_t>(i);
  for (const Hash32& seed : seeds) shelf.expect(seed);
  const auto first = shelf.get(seeds[0], {});
  ASSERT_TRUE(first.ok());
  const auto alone = tensority::Epoch::build(seeds[4]);
  const auto ahead = shelf.get(seeds[4], {});
  ASSERT_TRUE(ahead.ok() && alone.ok());
  EXPECT_EQ((*ahead)->seed(), seeds[4]);
  EXPECT_TRUE(std::ranges::equal((*ahead)->matrices(), (*alone)->matrices()));
  EXPECT_EQ((*shelf.get(seeds[0], {}))->matrices().data(), (*first)->matrices().data());
  std::weak_ptr<const tensority::Epoch> watched = *shelf.get(seeds[1], {});
  shelf.done(seeds[1]);
  EXPECT_TRUE(watched.expired());
  StopSource stop;
  stop.request_stop();
  EXPECT_EQ(shelf.get(seeds[1], stop.token()).status(), Status::cancelled);
}

chain::BlockHeader child(const chain::BlockHeader& parent, const Hash32& id, std::uint64_t time) {
  chain::BlockHeader h = parent;
  h.height = parent.height + 1;
  h.previous = id;
  h.timestamp = time;
  return h;
}

TEST(BytomHeaders, TellsWhatTheChainDemands) {
  bytom::HeaderWalk walk;
  chain::BlockHeader h;
  h.bits = 0x1e00000000011b68;
  h.timestamp = 1000;
  bytom::Context context = walk.next(0);
  EXPECT_FALSE(context.parent_id || context.bits || context.seed || context.median_time);
  for (std::uint64_t height = 0; height <= 2 * 2016; ++height) {
    const Hash32 id = chain::header_hash(h);
    walk.append(h, id);
    context = walk.next(height + 1);
    ASSERT_EQ(context.parent_id, id);
    ASSERT_EQ(context.parent_height, height);
    if (height == 2) {
      EXPECT_EQ(context.median_time, 1150u);
    }
    if (height == 12) {
      EXPECT_EQ(context.median_time, 1000u + 7 * 150);
    }
    if (height == 255) {
      EXPECT_EQ(context.seed, chain::initial_seed());
    }
    if (height == 256) {
      EXPECT_EQ(context.seed, id);
    }
    if (height == 512) {
      EXPECT_EQ(context.seed, id);
    }
    if (height == 2015) {
      EXPECT_EQ(context.bits, h.bits);
    }
    if (height == 2016) {
      EXPECT_EQ(context.bits, *chain::next_bits(chain::bytom_params(), h, 1000));
    }
    if (height == 4032) {
      EXPECT_EQ(context.bits, *chain::next_bits(chain::bytom_params(), h, 1000 + 2016 * 150));
    }
    h = child(h, id, h.timestamp + (height < 2016 ? 150 : 300));
    h.bits = *context.bits;
  }
}

TEST(BytomHeaders, StartsInTheMiddleAndAfresh) {
  bytom::HeaderWalk walk;
  Hash32 seed{};
  seed[5] = 9;
  walk.set_seed(300, seed);
  EXPECT_EQ(walk.next(300).seed, seed);
  EXPECT_EQ(walk.next(512).seed, seed);
  EXPECT_FALSE(walk.next(513).seed);
  chain::BlockHeader h;
  h.height = 300;
  h.timestamp = 77;
  Hash32 id = chain::header_hash(h);
  walk.append(h, id);
  EXPECT_FALSE(walk.next(301).median_time);
  for (int k = 0; k < 10; ++k) {
    h = child(h, id, h.timestamp + 1);
    id = chain::header_hash(h);
    walk.append(h, id);
  }
  EXPECT_EQ(walk.next(311).median_time, 82u);
  h.previous[0] ^= 1;  // of another chain
  walk.append(h, chain::header_hash(h));
  EXPECT_FALSE(walk.next(311).median_time);
  EXPECT_EQ(walk.next(311).seed, seed);
  chain::BlockHeader at_retarget;
  at_retarget.height = 2016;
  walk.append(at_retarget, chain::header_hash(at_retarget));
  EXPECT_FALSE(walk.next(2017).bits);
}

/// A set that the test writes.
class Coins final : public bytom::CoinSource {
 public:
  std::map<Hash32, bytom::Coin> coins;
  Done find(std::span<const Hash32> ids, std::span<std::optional<bytom::Coin>> out) override {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (const auto at = coins.find(ids[i]); at != coins.end()) out[i] = at->second;
    }
    return done();
  }
};

TEST(BytomState, MissingSpentImmature) {
  const Bytes bytes = block_bytes("p2wpkh_1in_2out");
  const auto block = bytom::decode(bytes);
  const bytom::Item item{&*block, std::nullopt};
  const auto judged = judge({&item, 1});
  const Hash32 spent = judged[0].ids.transactions[1].spent[0];
  const auto apply = [&](std::optional<bytom::Coin> coin) {
    Coins coins;
    if (coin) coins.coins[spent] = *coin;
    bytom::State state(coins);
    const auto verdict = state.apply(*block, judged[0]);
    EXPECT_EQ(state.changes().empty(), !verdict->ok);
    return verdict->ok ? "valid" : std::string(verdict->reason);
  };
  EXPECT_EQ(apply(std::nullopt), "missing");
  EXPECT_EQ(apply(bytom::Coin{false, 264, false}), "valid");
  EXPECT_EQ(apply(bytom::Coin{false, 264, true}), "spent");
  EXPECT_EQ(apply(bytom::Coin{true, 165, false}), "valid");
  EXPECT_EQ(apply(bytom::Coin{true, 166, false}), "immature");
}

TEST(BytomState, WindowsOfTheFile) {
  for (const auto& window : bytom_vectors()["windows"]) {
    Coins coins;
    for (const auto& [id, coin] : window["initial_utxo"].items()) {
      coins.coins[*array_from_hex<32>(id)] = {coin["coinbase"], coin["height"], coin["spent"]};
    }
    bytom::State state(coins);
    for (std::size_t i = 0; i < window["blocks"].size(); ++i) {
      const Bytes bytes = block_bytes(window["blocks"][i]);
      const auto block = bytom::decode(bytes);
      const bytom::Item item{&*block, std::nullopt};
      const auto judged = judge({&item, 1});
      const auto verdict = state.apply(*block, judged[0]);
      EXPECT_EQ(verdict->ok ? "valid" : verdict->reason, window["verdicts"][i].get<std::string>())
          << window["name"] << " " << i;
    }
    EXPECT_FALSE(state.take_changes().empty());
    EXPECT_TRUE(state.changes().empty());
  }
}

}  // namespace
}  // namespace sparkmill
