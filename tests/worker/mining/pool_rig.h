// SPDX-License-Identifier: Apache-2.0
// A pool source over fake pools in memory, on a clock that the test moves.
#pragma once

#include "tests/fake/memory_stream.h"
#include "tests/worker/mining/support.h"
#include "worker/source/pool_source.h"

namespace sparkmill::mining {

struct FakePool {
  FakePool(const Clock& clock, fake::PoolManners manners, std::uint64_t seed)
      : pool(quick_judge, clock, std::move(manners), seed), wire(pool, seed + 1) {}
  fake::StratumPool pool;
  fake::Wire wire;
};

class PoolRig {
 public:
  explicit PoolRig(std::vector<fake::PoolManners> manners, std::function<void(PoolSourceSettings&)> change = {}) {
    PoolSourceSettings settings;
    settings.agent = "sparkmill/test";
    for (std::size_t i = 0; i < manners.size(); ++i) {
      pools.push_back(std::make_unique<FakePool>(clock, manners[i], 100 * (i + 1)));
      PoolSettings pool;
      pool.url = "stratum+tcp://pool" + std::to_string(i) + ".test:6666";
      pool.user = "acct.rig1";
      settings.pools.push_back(pool);
    }
    if (change) change(settings);
    PoolSeams seams;
    seams.clock = &clock;
    seams.random = [this] { return static_cast<double>(random() >> 11) / 9007199254740992.0; };
    seams.open = [this](const StreamTarget& target) {
      const std::size_t i = opened++;
      return std::make_unique<fake::MemoryStream>(pools[i]->wire, target.url.text());
    };
    auto made = PoolSource::make(settings, seams);
    EXPECT_TRUE(made.ok()) << made.error().message;
    source = std::move(*made);
    source->attach(miner);
  }
  ~PoolRig() { source->stop(); }

  /// `ms` pass in steps of `step_ms`; each device tries `hashes` nonces a step.
  void run(std::uint64_t ms, std::uint64_t hashes = 0, std::uint64_t step_ms = 100) {
    for (std::uint64_t t = 0; t < ms; t += step_ms) {
      source->step();
      if (hashes != 0) miner.search(*source, hashes);
      clock.advance_ms(step_ms);
      for (auto& p : pools) p->pool.tick();
    }
    source->step();
  }
  fake::StratumPool& pool(std::size_t i = 0) { return pools[i]->pool; }
  fake::Wire& wire(std::size_t i = 0) { return pools[i]->wire; }
  SourceReport report() const { return source->report(); }
  const Books books() const { return source->report().books; }

  ManualClock clock;
  std::mt19937_64 random{42};
  std::vector<std::unique_ptr<FakePool>> pools;
  std::size_t opened = 0;
  TestMiner miner;
  std::unique_ptr<PoolSource> source;
};

}  // namespace sparkmill::mining
