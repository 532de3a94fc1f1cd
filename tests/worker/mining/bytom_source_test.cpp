// SPDX-License-Identifier: Apache-2.0
// Mining for a fake Bytom node on a clock that the test moves: changes of work, timestamps, refusals, lost nodes.
#include "worker/source/bytom_source.h"
#include "tests/fake/bytom_node.h"
#include "tests/worker/mining/support.h"

namespace sparkmill::mining {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kEasy = 0x20000000000ccccc;  // 20 hashes a block

struct Rig {
  explicit Rig(const std::function<void(BytomSettings&)>& change = {}, std::uint64_t bits = kEasy)
      : node(quick_judge, clock, bits) {
    BytomSettings settings;
    settings.url = "http://node.test:9888";
    settings.first_nonce = 5ull << 32;
    if (change) change(settings);
    BytomSeams seams;
    seams.clock = &clock;
    seams.random = [] { return 0.5; };
    seams.call = [this](const http::Request& request) -> Result<http::Response> {
      if (down) return fail(Status::unreachable, "http://node.test:9888: Connection refused");
      const bool submits = request.target.rfind("/submit", 0) == 0;
      auto answer = node.handle(request);
      if (submits && lose_answers) return fail(Status::timeout, "http://node.test:9888: no answer in time");
      return answer;
    };
    auto made = BytomSource::make(settings, seams);
    EXPECT_TRUE(made.ok()) << made.error().message;
    source = std::move(*made);
    source->attach(miner);
  }
  ~Rig() { source->stop(); }
  void run(std::uint64_t ms, std::uint64_t hashes = 0, std::uint64_t step_ms = 100) {
    for (std::uint64_t t = 0; t < ms; t += step_ms) {
      source->step();
      if (hashes != 0) miner.search(*source, hashes);
      clock.advance_ms(step_ms);
    }
    source->step();
  }
  Books books() const { return source->report().books; }
  ManualClock clock{1'795'234'024'000};
  fake::BytomNode node;
  bool down = false, lose_answers = false;
  TestMiner miner;
  std::unique_ptr<BytomSource> source;
};

TEST(BytomSource, MinesInBothForms) {
  for (const bool json : {false, true}) {
    Rig rig([json](BytomSettings& s) { s.json = json; });
    rig.run(30'000, 1);
    rig.source->stop();
    EXPECT_GT(rig.node.blocks, 10u);
    EXPECT_EQ(rig.books().accepted, rig.node.blocks);
    EXPECT_EQ(rig.books().submitted, rig.books().accepted + rig.books().stale);
    EXPECT_EQ(rig.books().blocks, rig.books().accepted);
    EXPECT_EQ(rig.node.twice, 0u);
    EXPECT_TRUE(rig.miner.open_.empty());
    EXPECT_EQ(rig.miner.job_->nonces.first, 5ull << 32);
  }
}

TEST(BytomSource, SeedsChangeAfter256Blocks) {
  Rig rig;
  for (int i = 0; i < 250; ++i) rig.node.foreign_block(1);
  rig.run(60'000, 2);
  EXPECT_GT(rig.node.height(), 260u);
  EXPECT_EQ(rig.books().rejected, 0u);
}

TEST(BytomSource, ChangesAreNoticedWithinAPoll) {
  Rig rig;
  rig.run(100);
  EXPECT_EQ(rig.miner.jobs_, 1u);
  const MiningJob old = *rig.miner.job_;
  rig.run(5'000);
  EXPECT_EQ(rig.miner.jobs_, 1u) << "the time that every answer stamps is no news";
  EXPECT_LE(rig.node.work_calls, 13u);
  rig.node.foreign_block(150);
  rig.run(600);
  EXPECT_EQ(rig.miner.jobs_, 2u);
  EXPECT_TRUE(rig.miner.job_->clean);
  EXPECT_EQ(rig.miner.submit(*rig.source, {old.serial, 1, {}, "a"}).status(), Status::late);
  rig.node.new_transactions();
  rig.run(600);
  EXPECT_EQ(rig.miner.jobs_, 3u) << "another coinbase under the same parent";
  EXPECT_TRUE(rig.miner.job_->clean);
}

TEST(BytomSource, TimestampsAreRefreshedAndOlderOnesStayGood) {
  Rig rig([](BytomSettings&) {}, 0x1e00000000011b68);
  rig.run(31'000);
  ASSERT_EQ(rig.miner.jobs_, 2u);
  EXPECT_FALSE(rig.miner.job_->clean);
  EXPECT_GE(rig.miner.job_->header.timestamp, 1'795'234'024u + 30);
  // The node takes the timestamp from the submission, so a solution of the first job goes out as it is.
  EXPECT_TRUE(rig.miner.submit(*rig.source, {1, 7, {}, "a"}).ok());
  rig.run(100);
  ASSERT_EQ(rig.miner.answers_.size(), 1u);
  EXPECT_EQ(rig.miner.answers_[0].reason, ShareReason::low_difficulty) << "judged, not stale";
}

TEST(BytomSource, AFastChainMovesTimestampsAhead) {
  Rig rig([](BytomSettings& s) { s.poll_ms = 20; });
  // Many blocks in little time: the median is half a minute ahead of the clock.
  for (int i = 0; i < 40; ++i) rig.node.foreign_block(5);
  rig.run(2'000, 4, 20);
  rig.source->stop();
  EXPECT_GT(rig.node.blocks, 20u);
  EXPECT_EQ(rig.books().reasons[static_cast<std::size_t>(ShareReason::bad_timestamp)], 0u);
  EXPECT_GT(rig.miner.job_->header.timestamp, rig.clock.unix_ms() / 1000 + 10);
  EXPECT_LT(rig.node.header_calls, rig.node.height() + 20) << "one look at each block";
}

TEST(BytomSource, ARefusedTimestampIsRaisedEvenWithoutTheMedian) {
  Rig rig;
  rig.run(100);
  rig.node.foreign_block(150);
  rig.node.foreign_block(3'000);
  rig.run(600, 0);
  const std::uint64_t before = rig.miner.job_->header.timestamp;
  for (int i = 0; i < 12; ++i) rig.node.foreign_block(1);  // the median is now ahead of the node's own clock
  rig.run(600);
  EXPECT_GT(rig.miner.job_->header.timestamp, before + 3'000);
  rig.run(5'000, 2);
  EXPECT_GT(rig.books().accepted, 0u);
  EXPECT_EQ(rig.books().rejected, 0u);
}

TEST(BytomSource, LostAnswersAreUnknownAndNotSentAgain) {
  Rig rig;
  rig.lose_answers = true;
  rig.run(20'000, 1);
  EXPECT_GT(rig.books().unknown, 5u);
  EXPECT_EQ(rig.books().accepted, 0u);
  EXPECT_EQ(rig.node.submissions, rig.books().submitted);
  EXPECT_EQ(rig.node.twice, 0u);
}

TEST(BytomSource, ANodeThatIsSilentForHalfAMinuteEndsTheWork) {
  Rig rig;
  rig.run(1'000);
  rig.down = true;
  rig.run(29'000);
  EXPECT_TRUE(rig.miner.job_) << "a block found now may still count";
  EXPECT_EQ(rig.source->report().phase, SourcePhase::unreachable);
  EXPECT_GT(rig.source->report().retry_in_ms, 0u);
  rig.run(3'000);
  EXPECT_FALSE(rig.miner.job_);
  EXPECT_THAT(rig.miner.last_loss_, HasSubstr("Connection refused"));
  rig.down = false;
  rig.run(61'000);
  EXPECT_TRUE(rig.miner.job_);
  EXPECT_EQ(rig.source->report().phase, SourcePhase::connected);
}

TEST(BytomSource, TokensAreSentAndTheirRefusalIsShown) {
  Rig rig([](BytomSettings& s) { s.token = "miner1:" + std::string(64, 'b'); });
  rig.node.token = "miner1:" + std::string(64, 'c');
  rig.run(120'000);
  EXPECT_EQ(rig.source->report().phase, SourcePhase::refused);
  EXPECT_THAT(rig.source->report().detail, HasSubstr("invalid token"));
  EXPECT_EQ(rig.node.work_calls, 0u);
  rig.node.token = "miner1:" + std::string(64, 'b');
  rig.run(61'000);
  EXPECT_EQ(rig.source->report().phase, SourcePhase::connected) << "mended without a restart";
}

TEST(BytomSource, StaleAndWrongSubmissions) {
  Rig rig([](BytomSettings& s) { s.poll_ms = 60'000; });
  rig.run(100);
  rig.node.foreign_block(150);  // not noticed yet
  rig.miner.search(*rig.source, 200);
  rig.run(100);
  ASSERT_FALSE(rig.miner.answers_.empty());
  EXPECT_EQ(rig.miner.answers_[0].end, ShareEnd::stale);
  EXPECT_EQ(rig.miner.answers_[0].text, "pending mining block has been changed");
  EXPECT_EQ(rig.miner.job_->header.height, rig.node.height() + 1) << "and that is the news";
  Hash32 high;
  high.fill(0xff);
  EXPECT_EQ(rig.miner.submit(*rig.source, {rig.miner.job_->serial, 1, high, "a"}).status(), Status::bad_argument);
  rig.source->stop();
  EXPECT_EQ(rig.books().submitted, rig.books().accepted + rig.books().stale + rig.books().rejected);
}

TEST(BytomSource, SettingsAreChecked) {
  BytomSettings s;
  s.url = "node";
  EXPECT_EQ(BytomSource::make(s).status(), Status::bad_config);
  s.url = "http://node:9888";
  s.token = "no colon";
  EXPECT_EQ(BytomSource::make(s).status(), Status::bad_config);
  s.token.clear();
  s.first_nonce = 1ull << 63;
  EXPECT_EQ(BytomSource::make(s).status(), Status::bad_config);
}

}  // namespace
}  // namespace sparkmill::mining
