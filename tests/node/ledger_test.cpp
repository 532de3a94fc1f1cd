// SPDX-License-Identifier: Apache-2.0
// The ledger alone: restarts, idempotency, deadlines, reissue, the beacon chain, and that money adds up.
#include "node/ledger/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/file.h"
#include "base/hash.h"
#include "node/ledger/economy.h"
#include "temp_folder.h"
#include "verify/chain/header.h"
#include "verify/merkle/merkle.h"

namespace sparkmill::node {
namespace {

constexpr std::uint64_t kNow = 1'700'000'000'000;
constexpr std::uint64_t kUnits = std::uint64_t{1} << 30;

keys::PublicKey worker(std::uint8_t n) {
  keys::PublicKey out{};
  out.fill(n);
  return out;
}

class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() {
    options_.folder = folder_.path();
    options_.chain.interval_ms = 10'000;
    options_.chain.beacon_length = 5'000;
    options_.chain.foundation = worker(201);
    options_.chain.operations = worker(202);
    options_.requester = worker(200);
    open();
  }

  void open() {
    ledger_.reset();
    auto opened = Ledger::open(options_, key_, now_);
    ASSERT_TRUE(opened) << opened.error().message;
    ledger_ = std::move(*opened);
  }
  void enlist(const keys::PublicKey& pub) {
    protocol::Registration r;
    r.worker_pub = pub;
    r.request_pub = pub;
    ASSERT_TRUE(ledger_->register_worker(r, now_));
  }
  protocol::Block block() {
    now_ += options_.chain.interval_ms;
    auto made = ledger_->append_block(now_, 1);
    EXPECT_TRUE(made) << made.error().message;
    return made->block;
  }
  std::int64_t add_task(std::uint64_t escrow = 1'000) {
    auto task = ledger_->add_task(1, view("spec"), escrow, now_);
    EXPECT_TRUE(task);
    return task->id;
  }
  Id16 add_attempt(std::int64_t task) {
    Attempt a;
    a.task = task;
    a.job_id = random_array<16>();
    a.job = {1, 2, 3};
    a.ringers = {4};
    a.blobs = {sha256(a.job_id)};
    a.deadline_ms = now_ + 86'400'000;
    EXPECT_TRUE(ledger_->add_attempt(a, now_));
    return a.job_id;
  }
  protocol::Lease take(const keys::PublicKey& who) {
    auto leases = ledger_->take(who, {1}, 1, 128, now_);
    EXPECT_TRUE(leases);
    EXPECT_EQ(leases->size(), 1u);
    return leases->empty() ? protocol::Lease{} : leases->front();
  }
  Decision yes(std::uint64_t units = kUnits, std::uint64_t weight = 500) {
    Decision d;
    d.accepted = true;
    d.reason = "accepted";
    d.units = units;
    d.microcobble_per_gi_unit = weight;
    d.result = {0, 0, 0, 0};
    return d;
  }
  /// Lease, commit, three blocks, opening.
  protocol::Lease opened(const keys::PublicKey& who, const Id16& job) {
    const protocol::Lease lease = take(who);
    EXPECT_TRUE(ledger_->commit(lease.lease_id, who, job, view("commit"), now_));
    for (int i = 0; i < 3; ++i) block();
    auto recorded = ledger_->open_lease(lease.lease_id, who, job, view("opening"), now_);
    EXPECT_TRUE(recorded) << recorded.error().message;
    return lease;
  }

  testing::TempFolder folder_;
  keys::SigningKey key_ = keys::KeyFile::from_seed(Hash32{7}).role("receipt");
  LedgerOptions options_;
  std::uint64_t now_ = kNow;
  std::unique_ptr<Ledger> ledger_;
};

TEST_F(LedgerTest, KindsGetTheirSharesOfTheCredit) {
  constexpr std::uint16_t kLarge = 1, kSmall = 4;
  options_.kind_shares = {{kLarge, 3}, {kSmall, 1}};
  options_.max_open_leases = 1'000;
  open();
  const auto fill = [&](std::uint16_t kind, std::uint64_t credit, int count) {
    for (int k = 0; k < count; ++k) {
      const auto task = ledger_->add_task(kind, view("spec"), credit, now_);
      ASSERT_TRUE(task);
      Attempt a;
      a.task = task->id;
      a.job_id = random_array<16>();
      a.job = {static_cast<std::uint8_t>(kind)};
      a.deadline_ms = now_ + 86'400'000;
      ASSERT_TRUE(ledger_->add_attempt(a, now_));
    }
  };
  fill(kLarge, 1'000, 40);
  fill(kSmall, 100, 200);
  EXPECT_EQ(ledger_->stats(kSmall)->ready, 200u);
  EXPECT_EQ(ledger_->stats(kLarge)->tasks, 40u);
  EXPECT_EQ(ledger_->stats()->tasks, 240u);
  EXPECT_FALSE(*ledger_->task_without_attempt(kSmall));
  const auto take_credit = [&](int leases) {
    std::map<std::uint16_t, std::uint64_t> credit;
    for (int k = 0; k < leases; ++k) {
      const auto got = ledger_->take(worker(1), {kLarge, kSmall}, 1, 128, now_);
      EXPECT_TRUE(got);
      if (got->empty()) break;
      const std::uint16_t kind = got->front().job[0];
      credit[kind] += kind == kLarge ? 1'000 : 100;
    }
    return credit;
  };
  auto credit = take_credit(65);  // three to one in credit: 15 large ones to 50 small ones
  EXPECT_NEAR(static_cast<double>(credit[kLarge]) / static_cast<double>(credit[kSmall]), 3.0, 0.7);
  // A worker that wants one kind only gets it; and that saves up nothing for the other.
  for (int k = 0; k < 20; ++k) {
    ASSERT_EQ(ledger_->take(worker(1), {kLarge}, 1, 128, now_)->size(), 1u);
  }
  credit = take_credit(13);
  EXPECT_GE(credit[kLarge], 1'000u);
  EXPECT_GE(credit[kSmall], 100u);
}

TEST_F(LedgerTest, BlocksGoOnAfterARestart) {
  for (int i = 0; i < 5; ++i) block();
  const protocol::Block before = ledger_->tip();
  const Hash32 anchor = ledger_->first_anchor();
  open();
  EXPECT_EQ(protocol::to_json(ledger_->tip()), protocol::to_json(before));
  EXPECT_EQ(ledger_->first_anchor(), anchor);
  const protocol::Block next = block();
  EXPECT_EQ(next.height, before.height + 1);
  EXPECT_EQ(next.previous, before.hash);
  EXPECT_EQ(sha256(next.beacon_secret), before.beacon_secret);
}

TEST_F(LedgerTest, EverySecretHashesDownToTheAnchorAndNoneIsShownEarly) {
  for (int i = 0; i < 10; ++i) block();
  Hash32 expected = ledger_->first_anchor();
  for (std::uint64_t h = 0; h <= 10; ++h) {
    const auto b = ledger_->block(h);
    ASSERT_TRUE(b);
    EXPECT_EQ(sha256(b->beacon_secret), expected) << h;
    EXPECT_EQ(b->beacon, beacon(b->hash, b->beacon_secret));
    // The status hash's place holds the anchor, the timestamp is in milliseconds.
    const std::uint64_t version = chain::kBlockVersion;
    const chain::BlockHeader header{version,          b->height,        b->previous, b->time_ms,
                                    b->receipts_root, b->beacon_anchor, b->bits,     b->nonce};
    EXPECT_EQ(b->hash, chain::header_hash(header));
    EXPECT_EQ(b->beacon_anchor, ledger_->first_anchor());
    expected = b->beacon_secret;
  }
  EXPECT_EQ(ledger_->block(11).status(), Status::not_found);
}

TEST_F(LedgerTest, AnEndedBeaconChainIsFollowedByOneAnchoredInABlock) {
  ledger_.reset();
  testing::TempFolder other;
  options_.folder = other.path();
  options_.chain.beacon_length = 4;
  open();
  for (int i = 0; i < 3; ++i) block();
  const protocol::Block last = ledger_->tip();  // height 3: the fourth secret, the last
  EXPECT_NE(last.beacon_anchor, ledger_->first_anchor());
  open();
  protocol::Block next = block();
  EXPECT_EQ(sha256(next.beacon_secret), last.beacon_anchor);
  for (int i = 0; i < 20; ++i) {
    const protocol::Block b = block();
    const Hash32 down = sha256(b.beacon_secret);
    EXPECT_TRUE(down == next.beacon_secret || down == next.beacon_anchor);
    next = b;
    if (i % 7 == 0) open();
  }
  ledger_.reset();
}

TEST_F(LedgerTest, BlockTimesRiseEvenWhenTheClockIsSetBack) {
  const protocol::Block first = block();
  auto back = ledger_->append_block(first.time_ms - 3'600'000, 1);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->block.time_ms, first.time_ms + 1);
}

TEST_F(LedgerTest, AnotherChainOrKeyIsRefused) {
  ledger_.reset();
  options_.chain.interval_ms = 2'000;
  EXPECT_EQ(Ledger::open(options_, key_, now_).status(), Status::bad_config);
  options_.chain.interval_ms = 10'000;
  const auto other = keys::KeyFile::from_seed(Hash32{8}).role("receipt");
  EXPECT_EQ(Ledger::open(options_, other, now_).status(), Status::corrupt);
  open();
  EXPECT_EQ(Ledger::open(options_, key_, now_).status(), Status::locked);
}

TEST_F(LedgerTest, ADamagedBeaconFileIsNoticed) {
  ledger_.reset();
  const auto file = folder_.path() / "beacon-0.chain";
  auto bytes = read_file(file, 1 << 20);
  ASSERT_TRUE(bytes);
  (*bytes)[40] ^= 1;
  ASSERT_TRUE(write_file_atomic(file, *bytes));
  EXPECT_EQ(Ledger::open(options_, key_, now_).status(), Status::corrupt);
}

TEST_F(LedgerTest, NoncesAreKeptThroughARestartAndForgottenAfterTheWindow) {
  enlist(worker(1));
  const Id16 nonce = random_array<16>();
  EXPECT_TRUE(ledger_->use_nonce(worker(1), nonce, now_));
  EXPECT_EQ(ledger_->use_nonce(worker(1), nonce, now_).status(), Status::duplicate);
  open();
  EXPECT_EQ(ledger_->use_nonce(worker(1), nonce, now_ + 119'000).status(), Status::duplicate);
  EXPECT_TRUE(ledger_->use_nonce(worker(1), nonce, now_ + 121'000));
}

TEST_F(LedgerTest, OneCommitALease) {
  const Id16 job = add_attempt(add_task());
  const protocol::Lease lease = take(worker(1));
  const auto first = ledger_->commit(lease.lease_id, worker(1), job, view("a"), now_);
  ASSERT_TRUE(first);
  block();
  const auto again = ledger_->commit(lease.lease_id, worker(1), job, view("a"), now_);
  ASSERT_TRUE(again);
  EXPECT_EQ(protocol::to_json(*again), protocol::to_json(*first));
  EXPECT_EQ(ledger_->commit(lease.lease_id, worker(1), job, view("b"), now_).status(), Status::duplicate);
  EXPECT_EQ(ledger_->commit(lease.lease_id, worker(2), job, view("a"), now_).status(), Status::refused);
  EXPECT_EQ(ledger_->commit(lease.lease_id, worker(1), Id16{1}, view("a"), now_).status(), Status::bad_input);
  EXPECT_EQ(ledger_->commit(Id16{1}, worker(1), job, view("a"), now_).status(), Status::not_found);
  EXPECT_EQ(ledger_->renew(lease.lease_id, worker(1), now_).status(), Status::duplicate);
  open();
  EXPECT_EQ(protocol::to_json(*ledger_->commit(lease.lease_id, worker(1), job, view("a"), now_ + 99'999'999)),
            protocol::to_json(*first));
}

TEST_F(LedgerTest, OpeningOnlyAfterThreeBlocksAndOnlyOne) {
  const Id16 job = add_attempt(add_task());
  const protocol::Lease lease = take(worker(1));
  EXPECT_EQ(ledger_->open_lease(lease.lease_id, worker(1), job, view("o"), now_).status(), Status::duplicate);
  ASSERT_TRUE(ledger_->commit(lease.lease_id, worker(1), job, view("c"), now_));
  block(), block();
  EXPECT_EQ(ledger_->open_lease(lease.lease_id, worker(1), job, view("o"), now_).status(), Status::duplicate);
  EXPECT_TRUE(ledger_->unjudged()->empty());
  const std::uint64_t height = block().height;
  const auto first = ledger_->open_lease(lease.lease_id, worker(1), job, view("o"), now_);
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->fresh);
  EXPECT_FALSE(first->receipt);
  EXPECT_EQ(ledger_->open_lease(lease.lease_id, worker(1), job, view("p"), now_).status(), Status::duplicate);
  open();  // a crash between opening and judgement
  EXPECT_THAT(*ledger_->unjudged(), ::testing::ElementsAre(lease.lease_id));
  const auto input = ledger_->check_input(lease.lease_id);
  ASSERT_TRUE(input);
  EXPECT_EQ(text(input->commit), "c");
  EXPECT_EQ(text(input->opening), "o");
  EXPECT_EQ(input->openings, 128u);
  EXPECT_EQ(input->beacon2, ledger_->block(height - 1)->beacon);
  EXPECT_EQ(input->beacon3, ledger_->block(height)->beacon);
  ASSERT_TRUE(ledger_->settle(lease.lease_id, yes(), now_));
  const auto after = ledger_->open_lease(lease.lease_id, worker(1), job, view("o"), now_);
  ASSERT_TRUE(after);
  ASSERT_TRUE(after->receipt);
  EXPECT_TRUE(after->receipt->accepted);
}

TEST_F(LedgerTest, SettlingTwiceCountsOnce) {
  const Id16 job = add_attempt(add_task(1'000));
  const protocol::Lease lease = opened(worker(1), job);
  const auto first = ledger_->settle(lease.lease_id, yes(), now_);
  open();
  const auto second = ledger_->settle(lease.lease_id, yes(kUnits * 7), now_);
  ASSERT_TRUE(first);
  ASSERT_TRUE(second);
  EXPECT_EQ(protocol::to_json(*first), protocol::to_json(*second));
  EXPECT_EQ(first->credit_microcobble, 500u);
  EXPECT_TRUE(
      keys::verify(key_.public_key(), "sparkmill/receipt/v1", protocol::signed_bytes(*first), first->signature));
  const auto account = ledger_->account(worker(1));
  ASSERT_TRUE(account);
  EXPECT_EQ(account->credit_microcobble, 500u);
  EXPECT_EQ(account->accepted, 1u);
  EXPECT_FALSE(*ledger_->task_without_attempt());
  EXPECT_EQ(ledger_->stats()->tasks_done, 1u);
}

TEST_F(LedgerTest, CreditNeverExceedsTheEscrowAndTheRestGoesBack) {
  options_.requester_allowance_microcobble = 1'000;
  ledger_.reset();
  testing::TempFolder other;
  options_.folder = other.path();
  open();
  const Id16 job = add_attempt(add_task(700));
  EXPECT_EQ(ledger_->add_task(1, view("x"), 301, now_).status(), Status::refused);
  const protocol::Lease lease = opened(worker(1), job);
  const auto r = ledger_->settle(lease.lease_id, yes(kUnits, 5'000), now_);
  EXPECT_EQ(r->credit_microcobble, 700u);
  EXPECT_TRUE(ledger_->add_task(1, view("x"), 300, now_));
  EXPECT_EQ(ledger_->add_task(1, view("x"), 1, now_).status(), Status::refused);
  ledger_.reset();
}

TEST_F(LedgerTest, RefusedWorkGoesToAnotherWorkerFirst) {
  const std::int64_t task = add_task();
  const protocol::Lease lease = opened(worker(1), add_attempt(task));
  Decision no;
  no.reason = "leaf_mismatch";
  const auto r = ledger_->settle(lease.lease_id, no, now_);
  ASSERT_TRUE(r);
  EXPECT_FALSE(r->accepted);
  EXPECT_EQ(r->credit_microcobble, 0u);
  const auto open_task = ledger_->task_without_attempt();
  ASSERT_TRUE(open_task);
  ASSERT_TRUE(*open_task);
  EXPECT_EQ((*open_task)->id, task);
  EXPECT_EQ((*open_task)->attempts, 1u);
  add_attempt(task);
  EXPECT_TRUE(ledger_->take(worker(1), {1}, 1, 128, now_)->empty()) << "the one who failed must wait";
  const auto other = ledger_->take(worker(2), {1}, 1, 128, now_);
  ASSERT_EQ(other->size(), 1u);
  EXPECT_EQ(other->front().attempt, 2u);
}

TEST_F(LedgerTest, ALoneWorkerGetsItsTaskBackAfterTheGrace) {
  const std::int64_t task = add_task();
  const protocol::Lease lease = opened(worker(1), add_attempt(task));
  ASSERT_TRUE(ledger_->settle(lease.lease_id, Decision{}, now_));
  add_attempt(task);
  EXPECT_TRUE(ledger_->take(worker(1), {1}, 1, 128, now_ + options_.reissue_grace_ms - 1)->empty());
  EXPECT_EQ(ledger_->take(worker(1), {1}, 1, 128, now_ + options_.reissue_grace_ms)->size(), 1u);
}

TEST_F(LedgerTest, ALeasePastItsDeadlineIsLateAndReissued) {
  const std::int64_t task = add_task();
  const Id16 job = add_attempt(task);
  const protocol::Lease lease = take(worker(1));
  now_ += options_.lease_ms;
  EXPECT_TRUE(ledger_->expire(now_)->empty());
  const auto renewed = ledger_->renew(lease.lease_id, worker(1), now_);
  ASSERT_TRUE(renewed);
  EXPECT_EQ(renewed->deadline_ms, now_ + options_.lease_ms);
  now_ += options_.lease_ms + 1;
  EXPECT_EQ(ledger_->renew(lease.lease_id, worker(1), now_).status(), Status::late);
  EXPECT_EQ(ledger_->commit(lease.lease_id, worker(1), job, view("c"), now_).status(), Status::late);
  EXPECT_THAT(*ledger_->expire(now_), ::testing::ElementsAre(lease.lease_id));
  EXPECT_TRUE(ledger_->expire(now_)->empty());
  const auto r = ledger_->receipt(lease.lease_id);
  ASSERT_TRUE(r);
  EXPECT_EQ(r->reason, "late");
  EXPECT_EQ(ledger_->commit(lease.lease_id, worker(1), job, view("c"), now_).status(), Status::late);
  EXPECT_TRUE(*ledger_->task_without_attempt());
}

TEST_F(LedgerTest, ALateOpeningCountsAsWrong) {
  const std::int64_t task = add_task();
  const Id16 job = add_attempt(task);
  const protocol::Lease lease = take(worker(1));
  const auto answer = ledger_->commit(lease.lease_id, worker(1), job, view("c"), now_);
  ASSERT_TRUE(answer);
  while (ledger_->tip().height <= answer->open_by_height) block();
  // Six blocks have passed and both times: at least min_open_ms after the third block and as announced.
  const std::uint64_t due =
      std::max(answer->open_by_ms, ledger_->block(answer->height + 3)->time_ms + options_.min_open_ms);
  if (now_ <= due) {
    EXPECT_TRUE(ledger_->expire(due)->empty());
  }
  now_ = std::max(now_, due) + 1;
  EXPECT_EQ(ledger_->open_lease(lease.lease_id, worker(1), job, view("o"), now_).status(), Status::late);
  EXPECT_THAT(*ledger_->expire(now_), ::testing::ElementsAre(lease.lease_id));
  EXPECT_EQ(ledger_->receipt(lease.lease_id)->reason, "late");
  EXPECT_EQ(ledger_->account(worker(1))->refused, 1u);
  EXPECT_TRUE(*ledger_->task_without_attempt());
}

TEST_F(LedgerTest, TimeWhileTheNodeWasAwayMakesNobodyLate) {
  const Id16 job = add_attempt(add_task());
  const protocol::Lease lease = take(worker(1));
  now_ += 10 * options_.lease_ms;
  open();
  EXPECT_TRUE(ledger_->expire(now_)->empty());
  EXPECT_TRUE(ledger_->commit(lease.lease_id, worker(1), job, view("c"), now_));
}

TEST_F(LedgerTest, ATaskIsGivenUpAfterItsAttempts) {
  options_.max_attempts = 2;
  open();
  const std::int64_t task = add_task();
  for (std::uint8_t i = 1; i <= 2; ++i) {
    const protocol::Lease lease = opened(worker(i), add_attempt(task));
    ASSERT_TRUE(ledger_->settle(lease.lease_id, Decision{}, now_));
  }
  EXPECT_FALSE(*ledger_->task_without_attempt());
}

TEST_F(LedgerTest, OneLiveAttemptATask) {
  const std::int64_t task = add_task();
  add_attempt(task);
  Attempt second;
  second.task = task;
  second.job_id = random_array<16>();
  EXPECT_EQ(ledger_->add_attempt(second, now_).status(), Status::duplicate);
}

TEST_F(LedgerTest, BlobsAreReadableByTheirLeaseOnlyAndFreedAfterwards) {
  const Id16 job = add_attempt(add_task());
  const Hash32 blob = sha256(job);
  EXPECT_FALSE(ledger_->may_read(worker(1), blob));
  const protocol::Lease lease = opened(worker(1), job);
  EXPECT_TRUE(ledger_->may_read(worker(1), blob));
  EXPECT_FALSE(ledger_->may_read(worker(2), blob));
  EXPECT_TRUE(ledger_->unused_blobs()->empty());
  ASSERT_TRUE(ledger_->settle(lease.lease_id, yes(), now_));
  EXPECT_FALSE(ledger_->may_read(worker(1), blob));
  EXPECT_THAT(*ledger_->unused_blobs(), ::testing::ElementsAre(blob));
  ASSERT_TRUE(ledger_->forget_blob(blob));
  EXPECT_TRUE(ledger_->unused_blobs()->empty());
}

TEST_F(LedgerTest, OpenLeasesOfAWorkerAreLimited) {
  options_.max_open_leases = 2;
  open();
  for (int i = 0; i < 4; ++i) add_attempt(add_task(1));
  EXPECT_EQ(ledger_->take(worker(1), {1}, 16, 128, now_)->size(), 2u);
  EXPECT_EQ(ledger_->take(worker(1), {1}, 1, 128, now_).status(), Status::too_large);
  EXPECT_EQ(ledger_->take(worker(2), {1}, 1, 128, now_)->size(), 1u);
  EXPECT_TRUE(ledger_->take(worker(2), {2}, 1, 128, now_)->empty()) << "another kind";
}

TEST_F(LedgerTest, LeasesWhoseAnswerWasLostAreHandedOutAgain) {
  options_.max_open_leases = 2;
  open();
  for (int i = 0; i < 4; ++i) add_attempt(add_task(1));
  const auto first = ledger_->take(worker(1), {1}, 2, 128, now_);
  ASSERT_EQ(first->size(), 2u);
  const std::vector<Id16> one{first->front().lease_id};
  const auto again = ledger_->take(worker(1), {1}, 16, 128, now_ + 5, one);
  ASSERT_EQ(again->size(), 1u) << "at the limit too";
  EXPECT_EQ(again->front().lease_id, first->back().lease_id);
  EXPECT_EQ(again->front().job, first->back().job);
  EXPECT_EQ(again->front().deadline_ms, first->back().deadline_ms);
  EXPECT_EQ(ledger_->take(worker(1), {1}, 1, 128, now_, std::vector<Id16>())->size(), 1u) << "at most max";
  const std::vector<Id16> both{first->front().lease_id, first->back().lease_id};
  EXPECT_EQ(ledger_->take(worker(1), {1}, 1, 128, now_, both).status(), Status::too_large) << "nothing was lost";
  const auto other = ledger_->take(worker(2), {1}, 1, 128, now_, std::vector<Id16>());
  ASSERT_EQ(other->size(), 1u);
  EXPECT_EQ(std::find(both.begin(), both.end(), other->front().lease_id), both.end()) << "another worker's are its own";
  const auto past = ledger_->take(worker(1), {1}, 1, 128, first->front().deadline_ms, std::vector<Id16>());
  EXPECT_EQ(past.status(), Status::too_large) << "past its deadline it is not worth having";
}

TEST_F(LedgerTest, ReceiptsStandInTheNextBlockAndItsRoot) {
  std::vector<Hash32> leaves;
  for (std::uint8_t i = 1; i <= 3; ++i) {
    const protocol::Lease lease = opened(worker(i), add_attempt(add_task()));
    const auto r = ledger_->settle(lease.lease_id, yes(), now_);
    const protocol::Block b = block();
    EXPECT_EQ(r->height, b.height);
    EXPECT_EQ(b.receipts, 1u);
    EXPECT_EQ(b.receipts_root,
              merkle::root(std::vector<Hash32>{sha256(ByteWriter().u8(0).bytes(protocol::signed_bytes(*r)).data())}));
  }
}

TEST_F(LedgerTest, EveryUnitOfEveryRewardIsPaidOrCarried) {
  std::uint64_t rewards = ledger_->tip().reward_units;
  const auto check = [&] {
    std::uint64_t sum = 0;
    for (std::uint64_t h = 0; h <= ledger_->tip().height; ++h) sum += ledger_->block(h)->reward_units;
    rewards = sum;
    EXPECT_EQ(*ledger_->total_paid_and_carried(), rewards);
  };
  for (int i = 0; i < 4; ++i) block();
  check();
  for (std::uint8_t i = 1; i <= 3; ++i) {
    const protocol::Lease lease = opened(worker(i), add_attempt(add_task()));
    ASSERT_TRUE(ledger_->settle(lease.lease_id, yes(kUnits / i), now_));
    if (i == 2) open();
    block();
    check();
  }
  // The workers' share of all blocks so far has been paid to the three, less rounding.
  std::uint64_t paid = 0;
  for (std::uint8_t i = 1; i <= 3; ++i) paid += ledger_->account(worker(i))->balance;
  const std::uint64_t expected = economy::split(rewards).workers;
  EXPECT_NEAR(static_cast<double>(paid), static_cast<double>(expected), 100);
  const auto one = ledger_->account(worker(1));
  EXPECT_EQ(one->free + one->locked, one->balance);
  EXPECT_EQ(one->free, economy::free_at_once(one->balance));
  EXPECT_EQ(ledger_->account(worker(201))->free, 0u);
  EXPECT_GT(ledger_->account(worker(201))->locked, 0u);
  EXPECT_EQ(ledger_->account(worker(99)).status(), Status::not_found);
}

TEST_F(LedgerTest, IncomeIsReleasedDayByDay) {
  ledger_.reset();
  testing::TempFolder other;
  options_.folder = other.path();
  options_.chain.interval_ms = 86'400'000;  // a block is a day
  open();
  const protocol::Lease lease = opened(worker(1), add_attempt(add_task()));
  ASSERT_TRUE(ledger_->settle(lease.lease_id, yes(), now_));
  block();
  const std::uint64_t balance = ledger_->account(worker(1))->balance;
  ASSERT_GT(balance, 0u);
  const std::uint64_t rest = balance - economy::free_at_once(balance);
  EXPECT_EQ(ledger_->account(worker(1))->locked, rest);
  for (int day = 1; day <= 180; ++day) {
    block();
    if (day % 45 == 0) {
      EXPECT_EQ(ledger_->account(worker(1))->locked, rest - economy::released_income(rest, day)) << day;
    }
  }
  EXPECT_EQ(ledger_->account(worker(1))->locked, 0u);
  EXPECT_EQ(ledger_->account(worker(1))->free, balance);
  ledger_.reset();
}

}  // namespace
}  // namespace sparkmill::node
