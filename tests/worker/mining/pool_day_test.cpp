// SPDX-License-Identifier: Apache-2.0
// A day of two bad pools in seconds: everything they do goes wrong at random, and in the evening the books add up.
#include "tests/worker/mining/pool_rig.h"

namespace sparkmill::mining {
namespace {

constexpr std::uint64_t kSecond = 1'000;
constexpr std::uint64_t kMinute = 60 * kSecond;
constexpr std::uint64_t kHour = 60 * kMinute;

/// Events with a mean distance, drawn as memoryless ones.
class Weather {
 public:
  Weather(PoolRig& rig, std::uint64_t seed) : rig_(rig), random_(seed) {}

  void step(std::uint64_t ms) {
    for (std::size_t i = 0; i < rig_.pools.size(); ++i) pool(i, ms);
  }
  std::uint64_t happened() const { return happened_; }

 private:
  bool now(std::uint64_t mean_ms, std::uint64_t step_ms) {
    const bool yes = random_() % mean_ms < step_ms;
    happened_ += yes;
    return yes;
  }
  void pool(std::size_t i, std::uint64_t ms) {
    fake::StratumPool& pool = rig_.pool(i);
    fake::Wire& wire = rig_.wire(i);
    if (now(150 * kSecond, ms)) pool.new_block();
    if (now(15 * kMinute, ms)) pool.set_difficulty(std::uint64_t{32} << random_() % 4);
    if (now(20 * kMinute, ms)) wire.cut();
    if (now(10 * kMinute, ms)) pool.say(garbage());
    if (now(20 * kMinute, ms)) pool.send_bad_job(static_cast<int>(random_() % 7));
    if (now(60 * kMinute, ms)) storm_until_[i] = rig_.clock.steady_ms() + 20 * kSecond;
    if (now(90 * kMinute, ms)) down_until_[i] = rig_.clock.steady_ms() + kMinute * (1 + random_() % 10);
    if (now(3 * kHour, ms)) vanished_until_[i] = rig_.clock.steady_ms() + 2 * kMinute;
    const bool down = rig_.clock.steady_ms() < down_until_[i];
    if (down && !wire.down) wire.cut();
    wire.down = down;
    const bool vanished = rig_.clock.steady_ms() < vanished_until_[i];
    if (wire.vanished && !vanished) wire.cut();  // the cable is back, the connections are not
    wire.vanished = vanished;
    if (rig_.clock.steady_ms() < storm_until_[i]) {  // five jobs a second
      for (std::uint64_t t = 0; t < ms; t += 200) random_() % 3 == 0 ? pool.new_block() : pool.set_difficulty(64);
    }
  }
  std::string garbage() {
    const char* const kinds[] = {"\n\n\r\n",
                                 "}}}{\n",
                                 "{\"method\":\"client.reconnect\",\"params\":[]}\n",
                                 "{\"id\":12345,\"result\":true,\"error\":null}\n",
                                 "{\"jsonrpc\":\"2.0\"}\n",
                                 "\x01\x02\xff\xfe binary\n",
                                 "{\"method\":\"job\",\"params\":{\"job_id\":\n"};
    return kinds[random_() % std::size(kinds)];
  }
  PoolRig& rig_;
  std::mt19937_64 random_;
  std::uint64_t happened_ = 0;
  std::map<std::size_t, std::uint64_t> storm_until_, down_until_, vanished_until_;
};

TEST(PoolDay, BooksAddUp) {
  fake::PoolManners first;
  fake::PoolManners second;
  second.btcpool = true;
  PoolRig rig({first, second});
  Weather weather(rig, 2019);
  std::uint64_t with_job = 0;
  std::uint64_t steps = 0;
  constexpr std::uint64_t kStep = 500;
  while (rig.clock.steady_ms() < 24 * kHour) {
    weather.step(kStep);
    rig.run(kStep, 1, kStep);  // two devices of 2 H/s each
    ++steps;
    with_job += rig.miner.job_.has_value();
  }
  // A fair evening, so that the first pool can be returned to.
  rig.wire(0).down = rig.wire(0).vanished = rig.wire(1).vanished = false;
  rig.run(5 * kMinute, 1, kStep);
  EXPECT_EQ(rig.report().name, "stratum+tcp://pool0.test:6666");
  rig.source->stop();

  const Books b = rig.books();
  const fake::PoolTotals& p = rig.pool(0).totals();
  const fake::PoolTotals& q = rig.pool(1).totals();
  EXPECT_EQ(b.submitted, b.accepted + b.rejected + b.stale + b.unknown);
  EXPECT_EQ(b.open, 0u);
  EXPECT_TRUE(rig.miner.open_.empty()) << "every ticket ended";
  EXPECT_EQ(rig.miner.submitted_, b.submitted + b.not_sent);
  EXPECT_EQ(rig.miner.ended(ShareEnd::accepted), b.accepted);
  EXPECT_EQ(rig.miner.ended(ShareEnd::unknown), b.unknown);
  // What the pools saw: each share at most once, none out of range, and nothing they would close for.
  EXPECT_EQ(p.twice + q.twice, 0u);
  EXPECT_EQ(p.out_of_range + q.out_of_range, 0u);
  EXPECT_EQ(p.malformed + q.malformed, 0u);
  EXPECT_EQ(p.low + q.low, 0u) << "every share was as good as the job it names asks";
  EXPECT_EQ(p.unauthorised + q.unauthorised + p.unknown_methods + q.unknown_methods, 0u);
  EXPECT_LE(p.received + q.received, b.submitted);
  EXPECT_GE(p.accepted + q.accepted, b.accepted);
  EXPECT_LE(p.accepted + q.accepted, b.accepted + b.unknown);
  EXPECT_EQ(b.rejected, 0u);
  // It was a bad day, and still a working one.
  EXPECT_GT(weather.happened(), 1'000u);
  EXPECT_GT(b.accepted, 3'000u);
  EXPECT_GT(b.unknown, 0u);
  EXPECT_GT(b.bad_jobs, 20u);
  EXPECT_GT(rig.report().switches, 4u);
  EXPECT_GT(static_cast<double>(with_job) / static_cast<double>(steps), 0.95);
  EXPECT_LT(static_cast<double>(b.stale + b.unknown + b.not_sent), 0.05 * static_cast<double>(b.submitted));
  const auto record = [](const char* what, std::uint64_t n) {
    ::testing::Test::RecordProperty(what, static_cast<int>(n));
  };
  record("events", weather.happened());
  record("jobs", b.jobs);
  record("bad_jobs", b.bad_jobs);
  record("logins", p.logins + q.logins);
  record("switches", rig.report().switches);
  record("submitted", b.submitted);
  record("accepted", b.accepted);
  record("stale", b.stale);
  record("unknown", b.unknown);
  record("not_sent", b.not_sent);
  record("permille_with_work", 1000 * with_job / steps);
}

}  // namespace
}  // namespace sparkmill::mining
