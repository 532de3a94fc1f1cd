// SPDX-License-Identifier: Apache-2.0
// The desk between a source and devices: pieces, cancels, hits that are right, wrong or late, epochs.
#include "worker/source/desk.h"

#include <chrono>

#include "tests/worker/mining/support.h"

namespace sparkmill::mining {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Keeps what is submitted; says late to jobs it is told to.
class ListSource final : public Source {
 public:
  Done start(Listener&) override { return done(); }
  Result<std::uint64_t> submit(const Share& share) override {
    const std::lock_guard lock(mutex);
    if (share.job_serial < oldest) return fail(Status::late, "late");
    shares.push_back(share);
    return shares.size();
  }
  SourceReport report() const override { return {}; }
  void stop() override {}
  std::size_t count() {
    const std::lock_guard lock(mutex);
    return shares.size();
  }
  std::mutex mutex;
  std::uint64_t oldest = 0;
  std::vector<Share> shares;
};

MiningJob job_of(std::uint64_t serial, std::uint8_t parent, bool clean, std::uint64_t nonces = 1000) {
  MiningJob job;
  job.serial = serial;
  job.header.previous = {parent};
  job.nonces = {0, nonces};
  job.share_target = job.block_target = chain::target_of_difficulty(8);
  job.clean = clean;
  return job;
}

class DeskTest : public ::testing::Test {
 protected:
  DeskTest() {
    Desk::Seams seams;
    seams.recompute = [](const tensority::Epoch& epoch, const Hash32& header) -> Result<Hash32> {
      return quick_judge(header, epoch.seed());
    };
    seams.on_wrong = [this](const std::string& device, const std::string& what) { wrong_ = device + " " + what; };
    seams.build = [this](const Hash32& seed, const StopToken& stop) {
      ++built_;
      return tensority::Epoch::build(seed, stop);
    };
    desk_ = std::make_unique<Desk>(source_, seams);
  }
  ~DeskTest() override { desk_->stop(); }
  tensority::SearchResult search(const Desk::Piece& piece, std::uint64_t stop_after = ~0ull) {
    const tensority::SearchTask task = piece.task();
    tensority::SearchResult out;
    for (; out.count < std::min(task.count, stop_after); ++out.count) {
      const std::uint64_t nonce = task.first_nonce + out.count;
      const Hash32 result = quick_judge(tensority::header_hash(task.preimage, nonce), task.epoch->seed());
      if (tensority::meets(result, task.target)) out.hits.push_back({nonce, result});
    }
    return out;
  }
  template <class Holds>
  bool soon(Holds holds) {
    for (int i = 0; i < 5'000; ++i) {
      if (holds()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  ListSource source_;
  std::string wrong_;
  std::atomic<int> built_{0};
  std::unique_ptr<Desk> desk_;
};

TEST_F(DeskTest, HitsAreRecomputedAndSubmitted) {
  EXPECT_FALSE(desk_->take(10));
  EXPECT_FALSE(desk_->wait(1));
  desk_->on_job(job_of(1, 1, true));
  EXPECT_TRUE(desk_->wait(1'000));
  const auto piece = desk_->take(400);
  ASSERT_TRUE(piece);
  const auto found = search(*piece);
  ASSERT_GT(found.hits.size(), 20u);
  desk_->finished(*piece, "cpu", found);
  EXPECT_TRUE(soon([&] { return desk_->counts().hits == found.hits.size(); }));
  EXPECT_EQ(source_.count(), found.hits.size());
  EXPECT_EQ(desk_->counts().hashes, 400u);
  EXPECT_EQ(source_.shares[0].device, "cpu");
  EXPECT_EQ(desk_->counts().wrong, 0u);
}

TEST_F(DeskTest, AWrongHitStaysHereAndNamesItsDevice) {
  desk_->on_job(job_of(1, 1, true));
  const auto piece = desk_->take(100);
  auto found = search(*piece);
  found.hits.resize(1);
  found.hits[0].result[3] ^= 1;
  desk_->finished(*piece, "cuda:0000:01:00.0", found);
  EXPECT_TRUE(soon([&] { return desk_->counts().wrong == 1; }));
  desk_->stop();
  EXPECT_THAT(wrong_, HasSubstr("cuda:0000:01:00.0 nonce " + std::to_string(found.hits[0].nonce)));
  EXPECT_EQ(source_.count(), 0u);
}

TEST_F(DeskTest, OnlyACleanJobStopsWhatRuns) {
  desk_->on_job(job_of(1, 1, true));
  const auto first = desk_->take(100);
  desk_->on_job(job_of(2, 1, false));
  const auto second = desk_->take(100);
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(first->stop.stop_requested());
  EXPECT_EQ(second->job.serial, 2u);
  EXPECT_EQ(second->nonces, (NonceRange{100, 100})) << "the same header: it goes on";
  desk_->on_job(job_of(3, 2, true));
  EXPECT_TRUE(first->stop.stop_requested() && second->stop.stop_requested());
  const auto third = desk_->take(100);
  EXPECT_EQ(third->nonces, (NonceRange{0, 100}));
  EXPECT_FALSE(third->stop.stop_requested());
  desk_->on_no_job("the line broke");
  EXPECT_TRUE(third->stop.stop_requested());
  EXPECT_FALSE(desk_->take(100));
}

TEST_F(DeskTest, WhatWasNotSearchedIsGivenOutAgain) {
  desk_->on_job(job_of(1, 1, true, 300));
  const auto a = desk_->take(200);
  const auto b = desk_->take(200);
  EXPECT_EQ(b->nonces, (NonceRange{200, 100}));
  EXPECT_FALSE(desk_->take(1));
  EXPECT_EQ(desk_->counts().used_up, 1u);
  EXPECT_FALSE(desk_->wait(1)) << "nothing to do until something comes back";
  desk_->finished(*a, "cpu", search(*a, 150));
  EXPECT_TRUE(desk_->wait(1'000));
  EXPECT_EQ(desk_->take(200)->nonces, (NonceRange{150, 50}));
  desk_->failed(*b);
  EXPECT_EQ(desk_->take(200)->nonces, (NonceRange{200, 100}));
  EXPECT_EQ(desk_->counts().hashes, 150u);
}

TEST_F(DeskTest, LateHitsAreCounted) {
  desk_->on_job(job_of(1, 1, true));
  const auto piece = desk_->take(100);
  {
    const std::lock_guard lock(source_.mutex);
    source_.oldest = 2;
  }
  auto found = search(*piece);
  ASSERT_FALSE(found.hits.empty());
  desk_->finished(*piece, "cpu", found);
  EXPECT_TRUE(soon([&] { return desk_->counts().too_late == found.hits.size(); }));
}

TEST_F(DeskTest, EpochsAreBuiltOnceAndTwoAreKept) {
  std::vector<std::thread> lanes;
  desk_->on_job(job_of(1, 1, true));
  std::atomic<int> pieces{0};
  for (int i = 0; i < 4; ++i) lanes.emplace_back([&] { pieces += desk_->take(10).has_value(); });
  for (std::thread& t : lanes) t.join();
  EXPECT_EQ(pieces, 4);
  EXPECT_EQ(built_, 1);
  const auto visit = [&](std::uint8_t seed) {
    MiningJob job = job_of(10 + seed, seed, true);
    job.seed = {seed};
    desk_->on_job(job);
    ASSERT_TRUE(desk_->take(1));
  };
  visit(1);
  visit(0);  // still there
  EXPECT_EQ(built_, 2);
  visit(2);  // the oldest goes
  visit(1);
  EXPECT_EQ(built_, 3);
  visit(0);
  EXPECT_EQ(built_, 4);
}

}  // namespace
}  // namespace sparkmill::mining
