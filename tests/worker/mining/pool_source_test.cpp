// SPDX-License-Identifier: Apache-2.0
// One thing at a time that pools do: repeat jobs, close, ban, refuse, vanish, come back.
#include "tests/worker/mining/pool_rig.h"

namespace sparkmill::mining {
namespace {

using ::testing::HasSubstr;

fake::PoolManners btm() { return {}; }
fake::PoolManners btc() {
  fake::PoolManners m;
  m.btcpool = true;
  return m;
}

TEST(PoolSource, FirstJobComesTwiceAndIsNewsOnce) {
  PoolRig rig({btm()});
  rig.run(500);
  EXPECT_EQ(rig.miner.jobs_, 1u);
  EXPECT_EQ(rig.report().phase, SourcePhase::connected);
  EXPECT_EQ(rig.report().name, "stratum+tcp://pool0.test:6666");
  EXPECT_EQ(rig.report().height, rig.pool().height());
  EXPECT_NEAR(rig.report().difficulty, 64, 1e-3);
}

TEST(PoolSource, SharesAreAcceptedByBothKindsOfPool) {
  for (const auto& manners : {btm(), btc()}) {
    PoolRig rig({manners});
    rig.run(20'000, 20);
    rig.source->stop();
    EXPECT_GT(rig.books().accepted, 50u);
    EXPECT_EQ(rig.books().accepted, rig.books().submitted);
    EXPECT_EQ(rig.books().accepted, rig.pool().totals().accepted);
    EXPECT_EQ(rig.pool().totals().out_of_range, 0u) << "the byte order of the nonces is understood";
    EXPECT_EQ(rig.pool().totals().twice, 0u);
    EXPECT_EQ(rig.pool().totals().unknown_methods, 0u);
    EXPECT_TRUE(rig.miner.open_.empty());
  }
}

TEST(PoolSource, PiecesOfOneByte) {
  PoolRig rig({btm()});
  rig.wire().piece = 1;
  rig.run(10'000, 0, 2);
  rig.miner.search(*rig.source, 500);
  rig.run(8'000, 0, 2);
  EXPECT_GT(rig.books().accepted, 5u);
  EXPECT_EQ(rig.books().rejected + rig.books().stale, 0u);
}

TEST(PoolSource, NewBlockIsCleanNewDifficultyIsNot) {
  PoolRig rig({btm()});
  rig.run(300);
  const MiningJob first = *rig.miner.job_;
  rig.pool().set_difficulty(128);
  rig.run(300);
  ASSERT_EQ(rig.miner.jobs_, 2u);
  EXPECT_FALSE(rig.miner.job_->clean);
  EXPECT_TRUE(same_header(first, *rig.miner.job_));
  // A share of the job before is still good: same block, and the pool remembers eight jobs.
  Hash32 low{};
  EXPECT_TRUE(rig.miner.submit(*rig.source, {first.serial, 77, low, "a"}).ok());
  rig.run(300);
  rig.pool().new_block();
  rig.run(300);
  EXPECT_TRUE(rig.miner.job_->clean);
  ASSERT_EQ(rig.miner.answers_.size(), 1u);
  EXPECT_EQ(rig.miner.answers_[0].end, ShareEnd::rejected) << "it was not low at all, but it was judged";
  EXPECT_EQ(rig.miner.answers_[0].reason, ShareReason::low_difficulty);
  // One for the block before does not leave any more.
  EXPECT_TRUE(rig.miner.submit(*rig.source, {first.serial, 78, low, "a"}).ok());
  rig.run(300);
  ASSERT_EQ(rig.miner.answers_.size(), 2u);
  EXPECT_EQ(rig.miner.answers_[1].end, ShareEnd::not_sent);
  EXPECT_EQ(rig.books().submitted, 1u);
  EXPECT_EQ(rig.books().not_sent, 1u);
}

TEST(PoolSource, NothingGoesOutTwice) {
  PoolRig rig({btm()});
  rig.run(300);
  const MiningJob job = *rig.miner.job_;
  EXPECT_TRUE(rig.miner.submit(*rig.source, {job.serial, 5, {}, "a"}).ok());
  EXPECT_EQ(rig.miner.submit(*rig.source, {job.serial, 5, {}, "b"}).status(), Status::duplicate);
  rig.pool().set_difficulty(32);  // the same block under another job id
  rig.run(300);
  EXPECT_EQ(rig.miner.submit(*rig.source, {rig.miner.job_->serial, 5, {}, "a"}).status(), Status::duplicate);
  Hash32 high;
  high.fill(0xff);
  EXPECT_EQ(rig.miner.submit(*rig.source, {job.serial, 6, high, "a"}).status(), Status::bad_argument);
  EXPECT_EQ(rig.miner.submit(*rig.source, {job.serial, 1ull << 63, {}, "a"}).status(), Status::bad_argument);
  EXPECT_EQ(rig.miner.submit(*rig.source, {999, 7, {}, "a"}).status(), Status::late);
  rig.run(300);
  EXPECT_EQ(rig.pool().totals().received, 1u);
}

TEST(PoolSource, AnswersFindTheirSharesByIdOrInOrder) {
  fake::PoolManners manners;
  const ManualClock clock;
  fake::StratumPool pool(quick_judge, clock, manners, 4);  // only to have a job to copy
  const int connection = pool.open();
  pool.feed(connection, R"({"id":1,"method":"login","params":{"login":"u"}})"
                        "\n");
  std::atomic<std::uint64_t> serials{0};
  stratum::Session session({"u", "x", "agent", {}}, 1, serials, clock);
  session.hello();
  std::vector<stratum::Event> events;
  ASSERT_TRUE(session.feed(pool.output(connection), events).ok());
  ASSERT_NE(session.current_job(), nullptr);
  for (std::uint64_t ticket = 1; ticket <= 4; ++ticket) {
    ASSERT_TRUE(session.submit({ticket, {session.current_job()->serial, ticket, {}, ""}, false}).ok());
  }
  const auto say = [&](const std::string& text) {
    events.clear();
    EXPECT_TRUE(session.feed(text + "\n", events).ok());
    return events.size() == 1 && events[0].kind == stratum::Event::Kind::answer ? events[0].answer.ticket : 0;
  };
  EXPECT_EQ(say(R"({"id":3,"result":{"status":"OK"}})"), 2u) << "ids count from 2";
  EXPECT_EQ(say(R"({"id":3,"result":{"status":"OK"}})"), 0u) << "the same answer again is nobody's";
  EXPECT_EQ(say(R"({"id":12345,"result":true})"), 0u);
  EXPECT_EQ(say(R"({"id":1,"result":{"status":"OK"}})"), 1u);
  EXPECT_EQ(say(R"({"id":null,"result":{"status":"OK"}})"), 3u);
  EXPECT_EQ(say(R"({"result":null,"error":{"code":23}})"), 4u);
  EXPECT_EQ(say(R"({"id":1,"result":true})"), 0u);
  EXPECT_EQ(session.open_shares(), 0u);
}

TEST(PoolSource, ALoginWithoutAJobIsGivenUp) {
  PoolRig rig({btm()});
  rig.pool().manners().block_bits = 0;  // every job is impossible
  rig.pool().new_block();
  rig.run(59'000, 0, 1'000);
  EXPECT_EQ(rig.report().phase, SourcePhase::waiting);
  rig.run(2'000);
  EXPECT_THAT(rig.report().detail, HasSubstr("no job for 60 s"));
  rig.pool().manners().block_bits = 0x1e00000000011b68;
  rig.pool().new_block();
  rig.run(5'000);
  EXPECT_EQ(rig.report().phase, SourcePhase::connected);
}

TEST(PoolSource, ABrokenLineMakesOpenSharesUnknown) {
  PoolRig rig({btm()});
  rig.run(300);
  rig.wire().vanished = true;  // half-open: sending still works
  EXPECT_TRUE(rig.miner.submit(*rig.source, {rig.miner.job_->serial, 5, {}, "a"}).ok());
  rig.run(1'000);
  EXPECT_EQ(rig.books().open, 1u);
  rig.run(29'000);
  EXPECT_EQ(rig.books().unknown, 1u) << "noticed after thirty seconds without an answer";
  EXPECT_THAT(rig.miner.last_loss_, HasSubstr("no answer to a share for 30 s"));
  EXPECT_FALSE(rig.miner.job_);
  rig.wire().vanished = false;
  rig.run(5'000);
  EXPECT_TRUE(rig.miner.job_);
  EXPECT_EQ(rig.miner.submit(*rig.source, {rig.miner.job_->serial, 5, {}, "a"}).status(), Status::duplicate)
      << "the same block after a new login: it is not sent again";
  EXPECT_EQ(rig.pool().totals().received, 0u);
}

TEST(PoolSource, SilenceForAQuarterOfAnHourIsNotBelieved) {
  fake::PoolManners manners;
  manners.idle_close_ms = ~0ull;
  PoolRig rig({manners});
  rig.run(300);
  rig.wire().vanished = true;
  rig.run(890'000, 0, 1'000);
  EXPECT_EQ(rig.miner.losses_, 0u);
  rig.run(12'000, 0, 1'000);
  EXPECT_EQ(rig.miner.losses_, 1u);
  EXPECT_THAT(rig.miner.last_loss_, HasSubstr("not a word for 900 s"));
}

TEST(PoolSource, IdleCloseIsFollowedByANewLoginAfterASecond) {
  PoolRig rig({btm()});
  rig.run(299'000, 0, 1'000);
  EXPECT_EQ(rig.pool().totals().logins, 1u);
  rig.run(5'000);
  EXPECT_EQ(rig.miner.losses_, 1u);
  EXPECT_EQ(rig.pool().totals().logins, 2u);
  EXPECT_TRUE(rig.miner.job_);
  EXPECT_EQ(rig.report().books.unknown, 0u);
}

TEST(PoolSource, BackOffDoublesUpToAMinute) {
  PoolRig rig({btm()});
  rig.wire().down = true;
  std::vector<std::uint64_t> at;
  for (unsigned seen = 0; rig.clock.steady_ms() < 400'000;) {
    rig.run(100);
    if (rig.wire().connects != seen) at.push_back(rig.clock.steady_ms()), seen = rig.wire().connects;
  }
  ASSERT_GE(at.size(), 9u);
  const double aims[] = {1, 2, 4, 8, 16, 32, 60, 60};
  for (std::size_t i = 0; i < std::size(aims); ++i) {
    EXPECT_NEAR(static_cast<double>(at[i + 1] - at[i]) / 1000, aims[i], aims[i] * 0.25 + 0.2) << i;
  }
  EXPECT_EQ(rig.report().phase, SourcePhase::unreachable);
  EXPECT_THAT(rig.report().detail, HasSubstr("Connection refused"));
  EXPECT_GT(rig.report().retry_in_ms, 0u);
  rig.wire().down = false;
  rig.run(90'000);
  EXPECT_EQ(rig.report().phase, SourcePhase::connected);
}

TEST(PoolSource, ARefusedLoginIsNotTriedAgain) {
  fake::PoolManners manners;
  manners.only_login = "somebody.else";
  PoolRig rig({manners});
  rig.run(120'000);
  EXPECT_EQ(rig.pool().totals().logins, 1u);
  EXPECT_EQ(rig.report().phase, SourcePhase::refused);
  EXPECT_THAT(rig.report().detail, HasSubstr("login refused: Unauthorized Worker (24)"));
}

TEST(PoolSource, SilentClosesAreTakenForABan) {
  fake::PoolManners manners;
  manners.banned = true;
  manners.idle_close_ms = 3'600'000;
  PoolRig rig({manners});
  rig.run(600'000, 0, 1'000);
  EXPECT_LE(rig.pool().totals().logins, 6u) << "no hammering";
  EXPECT_THAT(rig.report().detail, HasSubstr("may be banned"));
  rig.pool().manners().banned = false;
  rig.run(310'000, 0, 1'000);
  EXPECT_EQ(rig.report().phase, SourcePhase::connected);
}

TEST(PoolSource, GarbageAndImpossibleJobsAreSurvived) {
  PoolRig rig({btm()});
  rig.run(300);
  const std::uint64_t logins = rig.pool().totals().logins;
  for (int i = 0; i < 7; ++i) rig.pool().send_bad_job(i);
  rig.pool().say(
      "]]]}{not json\n\n\n{\"id\":99,\"result\":true}\n{\"method\":\"mining.set_difficulty\",\"params\":[1]}\n");
  rig.run(2'000, 20);
  EXPECT_EQ(rig.pool().totals().logins, logins);
  EXPECT_EQ(rig.books().bad_jobs, 7u);
  EXPECT_EQ(rig.miner.jobs_, 1u);
  EXPECT_GT(rig.books().accepted, 0u);
  // But a peer that says nothing else, or never ends a message, is left.
  for (int i = 0; i < 20; ++i) rig.pool().say("HTTP/1.1 400 Bad Request\r\n");
  rig.run(1'000);
  EXPECT_EQ(rig.miner.losses_, 1u);
  rig.run(5'000);
  EXPECT_TRUE(rig.miner.job_);
  rig.pool().say("{" + std::string(70'000, ' '));
  rig.run(20'000);
  EXPECT_EQ(rig.miner.losses_, 2u);
  EXPECT_THAT(rig.miner.last_loss_, HasSubstr("65536"));
}

TEST(PoolSource, KeepaliveOnlyWhereItIsConfigured) {
  fake::PoolManners manners = btc();
  PoolRig quiet({manners});
  quiet.run(400'000, 0, 1'000);
  EXPECT_EQ(quiet.pool().totals().unknown_methods, 0u);
  EXPECT_EQ(quiet.pool().totals().logins, 2u) << "closed once for its silence";
  PoolRig rig({manners}, [](PoolSourceSettings& s) { s.pools[0].keepalive = "getwork"; });
  rig.run(400'000, 0, 1'000);
  EXPECT_EQ(rig.pool().totals().logins, 1u);
  EXPECT_EQ(rig.pool().totals().unknown_methods, 0u);
  rig.run(60'000, 5);
  EXPECT_GT(rig.books().accepted, 0u);
  EXPECT_EQ(rig.books().rejected + rig.books().unknown, 0u);
}

TEST(PoolSource, FailoverAfterThreeFailuresAndReturnToTheFirst) {
  PoolRig rig({btm(), btc(), btm()});
  rig.run(20'000, 5);
  EXPECT_EQ(rig.wire(1).connects, 0u) << "a pool that is not needed is left alone";
  rig.wire(0).down = true;
  rig.wire(0).cut();
  rig.run(10'000, 5);
  EXPECT_EQ(rig.report().name, "stratum+tcp://pool1.test:6666");
  EXPECT_EQ(rig.report().switches, 1u);
  EXPECT_EQ(rig.wire(2).connects, 0u);
  const std::uint64_t second = rig.pool(1).totals().accepted;
  rig.run(300'000, 2, 1'000);
  EXPECT_GT(rig.pool(1).totals().accepted, second);

  rig.wire(0).down = false;
  rig.run(59'000, 2, 1'000);
  EXPECT_EQ(rig.report().switches, 1u) << "it must prove itself first";
  rig.run(70'000, 2, 1'000);
  EXPECT_EQ(rig.report().name, "stratum+tcp://pool0.test:6666");
  EXPECT_EQ(rig.report().switches, 2u);
  rig.run(10'000, 2, 1'000);
  EXPECT_EQ(rig.miner.losses_, 1u) << "coming back costs nothing";
  EXPECT_GE(rig.pool(0).totals().logins, 2u);
  rig.source->stop();
  EXPECT_EQ(rig.books().submitted, rig.books().accepted);
  EXPECT_EQ(rig.pool(0).totals().twice + rig.pool(1).totals().twice, 0u);
}

TEST(PoolSource, AFirstPoolThatFlapsIsNotReturnedTo) {
  PoolRig rig({btm(), btm()});
  rig.wire(0).down = true;
  rig.run(20'000, 0, 1'000);
  ASSERT_EQ(rig.report().switches, 1u);
  for (int i = 0; i < 20; ++i) {
    rig.wire(0).down = false;
    rig.run(40'000, 0, 1'000);
    rig.wire(0).down = true;
    rig.wire(0).cut();
    rig.run(20'000, 0, 1'000);
  }
  EXPECT_EQ(rig.report().switches, 1u);
  EXPECT_LE(rig.miner.losses_, 5u) << "the second pool closes when it is idle, nothing else happens";
}

TEST(PoolSource, AllPoolsRefuse) {
  fake::PoolManners manners;
  manners.only_login = "x";
  PoolRig rig({manners, manners});
  rig.run(60'000);
  EXPECT_EQ(rig.report().phase, SourcePhase::refused);
  EXPECT_EQ(rig.pool(0).totals().logins + rig.pool(1).totals().logins, 2u);
}

TEST(PoolSource, StopEndsWhatIsOpen) {
  PoolRig rig({btm()});
  rig.run(300);
  rig.wire().vanished = true;
  EXPECT_TRUE(rig.miner.submit(*rig.source, {rig.miner.job_->serial, 5, {}, "a"}).ok());
  rig.run(300);
  EXPECT_TRUE(rig.miner.submit(*rig.source, {rig.miner.job_->serial, 6, {}, "a"}).ok());
  rig.source->stop();
  EXPECT_EQ(rig.books().unknown, 1u);
  EXPECT_EQ(rig.books().not_sent, 1u);
  EXPECT_EQ(rig.books().open, 0u);
  EXPECT_TRUE(rig.miner.open_.empty());
  EXPECT_EQ(rig.miner.submit(*rig.source, {1, 7, {}, "a"}).status(), Status::late);
}

TEST(PoolSource, SettingsAreChecked) {
  PoolSourceSettings settings;
  settings.agent = "a";
  EXPECT_EQ(PoolSource::make(settings).status(), Status::bad_config);
  settings.pools.push_back({"stratum+tcp://pool:1", "user\n", "x", {}, {}, {}, 60});
  EXPECT_EQ(PoolSource::make(settings).status(), Status::bad_config);
  settings.pools[0].user = "";
  EXPECT_EQ(PoolSource::make(settings).status(), Status::bad_config);
  settings.pools[0].user = "user";
  settings.pools[0].url = "pool:1";
  EXPECT_EQ(PoolSource::make(settings).status(), Status::bad_config);
}

}  // namespace
}  // namespace sparkmill::mining
