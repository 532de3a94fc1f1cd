// SPDX-License-Identifier: Apache-2.0
// The desk between a source and devices: pieces, cancels, hits that are right, wrong or late, epochs.
#include "worker/mining/desk.h"

#include <chrono>
#include <set>

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
    seams.epochs = &epochs_;
    seams.record = [this](const MiningJob&, const Share& share, const Hash32& id) -> Result<bool> {
      const std::lock_guard lock(source_.mutex);
      if (!sent_before_.count(share.nonce)) recorded_.push_back(id);
      return !sent_before_.count(share.nonce);
    };
    seams.forget = [this](const Share&) { ++forgotten_; };
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
  /// As a device that searched the piece, or its beginning.
  void hand_in(const Desk::Piece& piece, const std::string& device, const tensority::SearchResult& found) {
    desk_->searched(piece, device, found.count, found.hits);
    desk_->give_back(piece, {piece.nonces.first + found.count, piece.nonces.count - found.count});
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
  tensority::EpochCache epochs_{[this](const Hash32& seed, const StopToken& stop) {
    ++built_;
    return tensority::Epoch::build(seed, stop);
  }};
  std::set<std::uint64_t> sent_before_;  ///< nonces
  std::vector<Hash32> recorded_;
  std::atomic<int> forgotten_{0};
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
  hand_in(*piece, "cpu", found);
  EXPECT_TRUE(soon([&] { return desk_->counts().hits == found.hits.size(); }));
  EXPECT_EQ(source_.count(), found.hits.size());
  EXPECT_EQ(desk_->counts().hashes, 400u);
  EXPECT_EQ(source_.shares[0].device, "cpu");
  EXPECT_EQ(desk_->counts().wrong, 0u);
  ASSERT_EQ(recorded_.size(), found.hits.size()) << "each is written down before it goes out";
  EXPECT_EQ(recorded_[0], tensority::header_hash(preimage(piece->job), source_.shares[0].nonce));
}

TEST_F(DeskTest, WhatAnEarlierRunSentIsNotSentAgain) {
  desk_->on_job(job_of(1, 1, true));
  const auto piece = desk_->take(200);
  const auto found = search(*piece);
  ASSERT_GT(found.hits.size(), 3u);
  sent_before_ = {found.hits[0].nonce, found.hits[2].nonce};
  hand_in(*piece, "cpu", found);
  EXPECT_TRUE(soon([&] { return desk_->counts().hits == found.hits.size(); }));
  EXPECT_EQ(desk_->counts().known, 2u);
  EXPECT_EQ(source_.count(), found.hits.size() - 2);
}

TEST_F(DeskTest, HitsOfLostWorkAreCountedAndNotSent) {
  desk_->on_job(job_of(1, 1, true));
  const auto piece = desk_->take(400);
  const auto found = search(*piece);
  std::unique_lock hold(source_.mutex);  // the first one stays with the source, the others wait
  hand_in(*piece, "cpu", found);
  EXPECT_TRUE(soon([&] { return desk_->counts().waiting == found.hits.size(); }));
  desk_->on_no_job("the line broke");
  EXPECT_LE(desk_->counts().waiting, 1u);
  EXPECT_GE(desk_->counts().too_late, found.hits.size() - 1);
  hold.unlock();
  hand_in(*piece, "cpu", found);  // a slice that ended after the line broke
  EXPECT_TRUE(soon([&] { return desk_->counts().waiting == 0; }));
  EXPECT_EQ(desk_->counts().too_late + source_.count(), 2 * found.hits.size());
  desk_->on_job(job_of(2, 1, false));  // the line is back, and says nothing of clean
  const auto next = desk_->take(10);
  ASSERT_TRUE(next);
  EXPECT_FALSE(next->stop.stop_requested());
}

TEST_F(DeskTest, AWrongHitStaysHereAndNamesItsDevice) {
  desk_->on_job(job_of(1, 1, true));
  const auto piece = desk_->take(100);
  auto found = search(*piece);
  found.hits.resize(1);
  found.hits[0].result[3] ^= 1;
  hand_in(*piece, "cuda:0000:01:00.0", found);
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
  hand_in(*a, "cpu", search(*a, 150));
  EXPECT_TRUE(desk_->wait(1'000));
  EXPECT_EQ(desk_->take(200)->nonces, (NonceRange{150, 50}));
  desk_->give_back(*b, b->nonces);
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
  hand_in(*piece, "cpu", found);
  EXPECT_TRUE(soon([&] { return desk_->counts().too_late == found.hits.size(); }));
  EXPECT_EQ(forgotten_, static_cast<int>(found.hits.size())) << "they never left";
}

TEST_F(DeskTest, EpochsAreMadeBeforeTheyAreAskedFor) {
  MiningJob job = job_of(1, 1, true);
  job.header.height = 256;
  desk_->on_job(job);
  EXPECT_TRUE(soon([&] { return built_ == 1; })) << "the job is there, no device has asked";
  const auto piece = desk_->take(100);
  ASSERT_TRUE(piece);
  const auto found = search(*piece);
  ASSERT_FALSE(found.hits.empty());
  EXPECT_EQ(built_, 1);
  // The hash of the last block of an epoch is the seed of the next.
  hand_in(*piece, "cpu", {{found.hits.front()}, {}, 100});
  EXPECT_TRUE(soon([&] { return built_ == 2; }));
  MiningJob next = job_of(2, 2, true);
  next.header.height = 257;
  next.header.previous = next.seed = tensority::header_hash(preimage(job), found.hits.front().nonce);
  desk_->on_job(next);
  ASSERT_TRUE(desk_->take(100));
  EXPECT_EQ(built_, 2);
}

}  // namespace
}  // namespace sparkmill::mining
