// SPDX-License-Identifier: Apache-2.0
// A whole worker against a whole node: rounds, restarts, pauses, clocks, deadlines, two workers.
#include "worker/app.h"

#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include "base/http/client.h"
#include "kernels/match/match.h"
#include "tests/worker/app_support.h"

namespace sparkmill::worker {
namespace {

using testing::Hand;
using testing::Town;

protocol::Account account_at(const std::string& url, const std::string& worker_pub) {
  http::Client client(*http::Url::parse(url));
  http::Request request;
  request.target = "/v1/accounts/" + worker_pub;
  auto answer = client.call(request);
  EXPECT_TRUE(answer);
  auto account = protocol::account_from_json(text(answer->body));
  EXPECT_TRUE(account);
  return account ? *account : protocol::Account{};
}

TEST(App, EndsAfterItsRoundsWithCreditOnBothSides) {
  Town town;
  ASSERT_NO_FATAL_FAILURE(town.start_node());
  Hand hand(town.folder, "alice", town.node->url(), 3);
  ASSERT_NO_FATAL_FAILURE(hand.start());
  ASSERT_TRUE(hand.ends(60)) << hand.all_said();
  EXPECT_TRUE(hand.result) << hand.result.error().message;
  const RunTotals t = hand.app->totals();
  EXPECT_EQ(t.accepted, 3u) << hand.all_said();
  EXPECT_EQ(t.rejected + t.wrong + t.stale, 0u) << hand.all_said();
  EXPECT_GT(t.answers, 0u) << "the hidden faces and ringers must be found";
  EXPECT_GT(t.busy(), 0);
  EXPECT_LE(t.busy(), 1.0);
  const auto account = account_at(town.node->url(), hand.state.snapshot().worker_pub);
  EXPECT_EQ(account.accepted, 3u);
  EXPECT_EQ(account.credit_microcobble, t.credit_microcobble);
  EXPECT_EQ(account.balance, t.balance_units);
  EXPECT_EQ(hand.app->unfinished(), 0u);
  EXPECT_TRUE(hand.says("profile H: geometry is disclosed to the node"));
  EXPECT_TRUE(hand.says("operator-trusted"));
}

TEST(App, GoesOnAfterAStopInTheMiddle) {
  Town town;
  town.settings.job_requests = town.settings.job_users = 4096;
  ASSERT_NO_FATAL_FAILURE(town.start_node());
  std::uint64_t receipts = 0, credit = 0;
  std::string worker_pub;
  for (int round = 0; round < 4; ++round) {
    Hand hand(town.folder, "bob", town.node->url(), 0);
    hand.settings.slice_ms = 10;
    ASSERT_NO_FATAL_FAILURE(hand.start());
    ::usleep(400'000 + 150'000 * static_cast<unsigned>(round));
    hand.app->stop();
    EXPECT_EQ(hand.app->wait().status(), Status::cancelled);
    EXPECT_EQ(hand.app->totals().rejected, 0u) << hand.all_said();
    receipts += hand.app->totals().accepted;
    credit += hand.app->totals().credit_microcobble;
  }
  Hand last(town.folder, "bob", town.node->url(), 2);
  ASSERT_NO_FATAL_FAILURE(last.start());
  ASSERT_TRUE(last.ends(60)) << last.all_said();
  receipts += last.app->totals().accepted;
  credit += last.app->totals().credit_microcobble;
  const auto account = account_at(town.node->url(), last.state.snapshot().worker_pub);
  EXPECT_EQ(account.accepted, receipts);
  EXPECT_EQ(account.credit_microcobble, credit);
  EXPECT_EQ(last.state.snapshot().results.accepted, receipts) << "the store's total spans all runs";
}

TEST(App, PausesResumesAndFinishes) {
  Town town;
  ASSERT_NO_FATAL_FAILURE(town.start_node());
  Hand hand(town.folder, "carol", town.node->url(), 0);
  ASSERT_NO_FATAL_FAILURE(hand.start());
  ASSERT_TRUE(hand.will_say("proof accepted", 30));
  ASSERT_TRUE(hand.app->pause("", 0));
  EXPECT_EQ(hand.state.snapshot().mode, "paused");
  ::usleep(600'000);  // what was running ends
  const std::uint64_t slices = hand.state.snapshot().devices.at(0).slices;
  ::usleep(1'200'000);
  EXPECT_EQ(hand.state.snapshot().devices.at(0).slices, slices) << "a paused worker computes nothing";
  EXPECT_EQ(hand.app->pause("gpu7", 0).status(), Status::not_found);
  ASSERT_TRUE(hand.app->resume(""));
  for (int i = 0; i < 500 && hand.state.snapshot().devices.at(0).slices == slices; ++i) ::usleep(20'000);
  EXPECT_GT(hand.state.snapshot().devices.at(0).slices, slices);
  ASSERT_TRUE(hand.app->finish());
  EXPECT_EQ(hand.state.snapshot().mode, "finishing");
  ASSERT_TRUE(hand.ends(60)) << hand.all_said();
  EXPECT_TRUE(hand.result);
  EXPECT_EQ(hand.app->unfinished(), 0u);
}

TEST(App, TwoWorkersShareANode) {
  Town town;
  ASSERT_NO_FATAL_FAILURE(town.start_node());
  Hand a(town.folder, "anna", town.node->url(), 2), b(town.folder, "bert", town.node->url(), 2);
  ASSERT_NO_FATAL_FAILURE(a.start());
  ASSERT_NO_FATAL_FAILURE(b.start());
  EXPECT_TRUE(a.ends(60)) << a.all_said();
  EXPECT_TRUE(b.ends(60)) << b.all_said();
  for (Hand* h : {&a, &b}) {
    EXPECT_EQ(h->app->totals().accepted, 2u) << h->all_said();
    const auto account = account_at(town.node->url(), h->state.snapshot().worker_pub);
    EXPECT_EQ(account.credit_microcobble, h->app->totals().credit_microcobble);
  }
}

TEST(App, ASecondWorkerOnTheSameFolderIsRefused) {
  Town town;
  ASSERT_NO_FATAL_FAILURE(town.start_node());
  Hand first(town.folder, "dora", town.node->url(), 0), second(town.folder, "dora", town.node->url(), 0);
  ASSERT_NO_FATAL_FAILURE(first.start());
  auto again = App::start(second.settings, keys::KeyFile::from_seed(second.seed), second.state);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.status(), Status::locked);
  EXPECT_EQ(exit_code(again.status()), 10);
}

/// The worker's wall clock is its own business: only the node's time and a steady clock count.
TEST(App, AWallClockThatJumpsChangesNothing) {
  struct Jumping final : Clock {
    std::atomic<std::int64_t> jump_ms{0};
    std::uint64_t unix_ms() const override {
      return static_cast<std::uint64_t>(static_cast<std::int64_t>(system_clock().unix_ms()) + jump_ms);
    }
    std::uint64_t steady_ms() const override { return system_clock().steady_ms(); }
  } clock;
  Town town;
  ASSERT_NO_FATAL_FAILURE(town.start_node());
  clock.jump_ms = -400ll * 86'400'000;  // more than a year behind from the start
  Hand hand(town.folder, "emil", town.node->url(), 4, clock);
  ASSERT_NO_FATAL_FAILURE(hand.start());
  ASSERT_TRUE(hand.will_say("proof accepted", 30)) << hand.all_said();
  clock.jump_ms = 3'000'000'000;
  ::usleep(300'000);
  clock.jump_ms = -7'200'000;
  ASSERT_TRUE(hand.ends(60)) << hand.all_said();
  EXPECT_EQ(hand.app->totals().accepted, 4u) << hand.all_said();
  EXPECT_EQ(hand.app->totals().rejected + hand.app->totals().stale, 0u) << hand.all_said();
}

/// A lease that runs out while its worker was away is dropped, with the reason, and counted as stale.
TEST(App, ALeasePastItsDeadlineIsDroppedAndCounted) {
  Town town;
  town.settings.lease_ms = 1'500;
  ASSERT_NO_FATAL_FAILURE(town.start_node());
  {
    Hand hand(town.folder, "fritz", town.node->url(), 0);
    ASSERT_NO_FATAL_FAILURE(hand.start());
    ASSERT_TRUE(hand.app->pause("cpu", 0));
    for (int i = 0; i < 500 && hand.state.snapshot().jobs.empty(); ++i) ::usleep(20'000);
    hand.app->stop();
    ASSERT_GT(hand.app->unfinished(), 0u) << hand.all_said();
  }
  ::usleep(2'500'000);
  Hand hand(town.folder, "fritz", town.node->url(), 1);
  ASSERT_NO_FATAL_FAILURE(hand.start());
  ASSERT_TRUE(hand.will_say("given up", 20)) << hand.all_said();
  ASSERT_TRUE(hand.ends(60)) << hand.all_said();
  EXPECT_GT(hand.app->totals().stale, 0u);
  EXPECT_EQ(hand.app->totals().accepted, 1u);
}

TEST(App, SurvivesARestartOfTheNode) {
  Town town;
  ASSERT_NO_FATAL_FAILURE(town.start_node());
  Hand hand(town.folder, "gina", town.node->url(), 6);
  ASSERT_NO_FATAL_FAILURE(hand.start());
  ASSERT_TRUE(hand.will_say("commit recorded", 30));
  town.node.reset();
  ::usleep(700'000);
  ASSERT_NO_FATAL_FAILURE(town.start_node());
  ASSERT_TRUE(hand.ends(90)) << hand.all_said();
  EXPECT_EQ(hand.app->totals().accepted, 6u) << hand.all_said();
  const auto account = account_at(town.node->url(), hand.state.snapshot().worker_pub);
  EXPECT_EQ(account.accepted, 6u);
  EXPECT_EQ(account.credit_microcobble, hand.app->totals().credit_microcobble);
}

/// A kernel that invents a match: nothing of it may leave the machine.
class InventingKernel final : public match::Kernel {
 public:
  InventingKernel(std::unique_ptr<kernels::Kernel> inner, std::atomic<int>& lies)
      : inner_(std::move(inner)), lies_(lies) {}
  Done run(const match::Task& task, match::TileResults& out, const StopToken& stop) override {
    SPARKMILL_TRY(dynamic_cast<match::Kernel&>(*inner_).run(task, out, stop));
    if (lies_.fetch_sub(1) > 0) {
      match::Pair invented{task.tiles.ti_begin * match::kTile, task.tiles.tj_begin * match::kTile};
      while (!out.pairs.empty() && std::find(out.pairs.begin(), out.pairs.end(), invented) != out.pairs.end())
        ++invented.j;
      out.pairs.insert(out.pairs.begin(), invented);
      ++out.counts.at(0);
      std::sort(out.pairs.begin(), out.pairs.begin() + out.counts[0]);
    }
    return done();
  }

 private:
  std::unique_ptr<kernels::Kernel> inner_;
  std::atomic<int>& lies_;
};

TEST(App, AnInventedMatchIsFoundBeforeItIsSubmitted) {
  Town town;
  ASSERT_NO_FATAL_FAILURE(town.start_node());
  Hand hand(town.folder, "jana", town.node->url(), 2);
  std::atomic<int> lies{1};
  hand.settings.hardware.make = [&](const kernels::Row& row,
                                    const kernels::Device& device) -> Result<std::unique_ptr<kernels::Kernel>> {
    auto kernel = kernels::make_tested(row, device);
    if (!kernel) return kernel.error();
    return std::unique_ptr<kernels::Kernel>(std::make_unique<InventingKernel>(std::move(*kernel), lies));
  };
  ASSERT_NO_FATAL_FAILURE(hand.start());
  ASSERT_TRUE(hand.ends(60)) << hand.all_said();
  EXPECT_EQ(hand.app->totals().wrong, 1u) << hand.all_said();
  EXPECT_EQ(hand.app->totals().rejected, 0u) << "the node never saw it";
  EXPECT_EQ(hand.app->totals().accepted, 2u);
  EXPECT_EQ(hand.state.snapshot().results.wrong, 1u);
}

TEST(App, EndsWith75WhenTheDiskStaysFull) {
  Town town;
  testing::SmallDisk disk(town.folder.path() / "ida",
                          24 * 1024);  // room for the books and the blobs of all open leases
  if (!disk.ok) GTEST_SKIP() << "this user may not mount a tmpfs";
  ASSERT_NO_FATAL_FAILURE(town.start_node());
  Hand hand(town.folder, "ida", town.node->url(), 0);
  hand.settings.store_patience_ms = 1'000;
  ASSERT_NO_FATAL_FAILURE(hand.start());
  ASSERT_TRUE(hand.will_say("proof accepted", 30)) << hand.all_said();
  // The worker gives room back when it drops blobs of finished jobs: somebody else must go on taking it.
  std::atomic<bool> sated = false;
  std::thread glutton([&] {
    std::ofstream ballast(town.folder.path() / "ida/ballast", std::ios::binary);
    const std::string block(4096, 'x');
    while (!sated) {
      if (ballast.write(block.data(), 4096).flush()) continue;
      ballast.clear();
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });
  const bool ended = hand.ends(60);
  sated = true;
  glutton.join();
  ASSERT_TRUE(ended) << hand.all_said();
  EXPECT_EQ(hand.result.status(), Status::no_space) << hand.result.error().message;
  EXPECT_EQ(exit_code(hand.result.status()), 75);
  EXPECT_EQ(hand.app->totals().rejected, 0u);
}

TEST(App, GivesUpAnAbsentNodeAfterItsPatience) {
  testing::TempFolder folder;
  Hand hand(folder, "hans", "http://127.0.0.1:9", 0);
  hand.settings.source_patience_ms = 1'500;
  ASSERT_NO_FATAL_FAILURE(hand.start());
  ASSERT_TRUE(hand.ends(20));
  EXPECT_EQ(hand.result.status(), Status::unreachable);
  EXPECT_EQ(exit_code(hand.result.status()), 6);
  EXPECT_EQ(hand.state.snapshot().source.state, "unreachable");
}

}  // namespace
}  // namespace sparkmill::worker
