// SPDX-License-Identifier: Apache-2.0
// Proof of work on our chain through the node's own HTTP: searches, shares, blocks, seeds, fallback blocks, lies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>

#include "base/hash.h"
#include "kernels/backend/discover.h"
#include "kernels/registry.h"
#include "kernels/tensority/epoch_cache.h"
#include "node/node.h"
#include "scripted_worker.h"
#include "temp_folder.h"
#include "verify/chain/difficulty.h"
#include "verify/chain/header.h"
#include "verify/chain/seed_rule.h"
#include "verify/job/tensority_search.h"

namespace sparkmill::node {
namespace {

using testing::ScriptedWorker;

/// Time that only a test moves, so that no fallback block comes because a machine is slow.
class PushedClock final : public Clock {
 public:
  std::uint64_t unix_ms() const override { return 1'800'000'000'000 + pushed_; }
  std::uint64_t steady_ms() const override { return 1'000'000 + pushed_; }
  void push(std::uint64_t ms) { pushed_ += ms; }

 private:
  std::atomic<std::uint64_t> pushed_{0};
};

struct Search {
  Id16 lease_id{};
  job::TensorityParams params;
};

class MiningTest : public ::testing::Test {
 protected:
  void start(std::uint64_t interval_ms, std::uint64_t first_difficulty) {
    Settings s;
    s.data = folder_.path() / "node";
    s.interval_ms = interval_ms;
    s.first_difficulty = first_difficulty;
    s.generate = false;
    auto started = Node::start(s, clock_);
    ASSERT_TRUE(started.ok()) << started.error().message;
    node_ = std::move(*started);
    const kernels::Device cpu = kernels::cpu_device();
    const auto choice = kernels::choose(kernels::Family::tensority, cpu);
    ASSERT_TRUE(choice.ok());
    kernel_ = std::move(choice->row->make(cpu)).value();
  }

  static std::vector<protocol::Lease> leases(ScriptedWorker& w, const std::optional<std::vector<Id16>>& held = {},
                                             std::uint32_t wait_ms = 0) {
    const std::string body = protocol::to_json(protocol::LeaseRequest{{"tensority"}, 1, wait_ms, held});
    const auto answer = w.send("POST", "/v1/leases", Bytes(body.begin(), body.end()));
    EXPECT_EQ(answer.status, 200) << text(answer.body);
    return protocol::leases_from_json(text(answer.body)).value();
  }

  static Search search(ScriptedWorker& w) {
    const auto list = leases(w);
    EXPECT_EQ(list.size(), 1u);
    const auto job = job::decode(list.front().job);
    EXPECT_TRUE(job.ok());
    return {list.front().lease_id, job::decode_tensority_params(job->params).value()};
  }

  /// The next nonce at or after `from` whose result is not above `target`; `tried` counts hashes.
  tensority::Found find(const Search& s, const Hash32& target, std::uint64_t from, std::uint64_t* tried = nullptr) {
    auto& kernel = dynamic_cast<tensority::Kernel&>(*kernel_);
    tensority::SearchTask task;
    const auto epoch = tensority::epochs().get(s.params.seed).value();
    task.epoch = epoch.get();
    task.preimage = s.params.preimage;
    task.count = 1;
    task.target = target;
    for (task.first_nonce = from;; ++task.first_nonce) {
      if (tried != nullptr) ++*tried;
      const auto found = kernel.search(task, StopToken()).value();
      if (!found.hits.empty()) return found.hits.front();
    }
  }

  static protocol::SolutionAnswer solve(ScriptedWorker& w, const Id16& lease, std::uint64_t nonce) {
    const std::string body = protocol::to_json(protocol::Solution{lease, nonce});
    const auto answer = w.send("POST", "/v1/solutions", Bytes(body.begin(), body.end()));
    EXPECT_EQ(answer.status, 200) << text(answer.body);
    return protocol::solution_answer_from_json(text(answer.body)).value();
  }

  protocol::Block block(ScriptedWorker& w, std::uint64_t height) {
    return protocol::block_from_json(text(w.get("/v1/blocks/" + std::to_string(height)).body)).value();
  }

  testing::TempFolder folder_;
  PushedClock clock_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<kernels::Kernel> kernel_;
};

TEST_F(MiningTest, AShareIsJudgedPaidAndMakesTheBlock) {
  start(60'000, 2);
  ScriptedWorker w(node_->url(), 1);
  ASSERT_EQ(w.enlist().status, 200);
  const Search s = search(w);
  EXPECT_EQ(s.params.seed, chain::initial_seed());
  EXPECT_TRUE(tensority::meets(s.params.block_target, s.params.share_target));
  EXPECT_EQ(solve(w, Id16{9, 9}, 0).reason, "unknown_lease");
  EXPECT_EQ(solve(w, s.lease_id, s.params.first_nonce + s.params.count).reason, "out_of_range");

  const tensority::Found hit = find(s, s.params.block_target, s.params.first_nonce);
  const auto answer = solve(w, s.lease_id, hit.nonce);
  EXPECT_TRUE(answer.accepted) << answer.reason;
  EXPECT_TRUE(answer.block);
  EXPECT_EQ(answer.height, 1u);
  const protocol::Block made = block(w, 1);
  EXPECT_EQ(made.nonce, hit.nonce);
  EXPECT_FALSE(made.fallback);
  const chain::BlockHeader header{chain::kBlockVersion, 1,         made.previous, made.time_ms, made.receipts_root,
                                  made.beacon_anchor,   made.bits, made.nonce};
  EXPECT_EQ(made.hash, chain::header_hash(header));
  EXPECT_TRUE(chain::meets(hit.result, chain::target_from_bits(made.bits)));
  EXPECT_EQ(solve(w, s.lease_id, hit.nonce).reason, "stale") << "the search ended with the block";

  const auto receipt = protocol::receipt_from_json(text(w.get("/v1/receipts/" + to_hex(s.lease_id)).body));
  ASSERT_TRUE(receipt.ok());
  EXPECT_TRUE(receipt->accepted);
  EXPECT_EQ(receipt->units, 2u) << "shares are not easier than so easy a block";
  EXPECT_GT(receipt->credit_microcobble, 0u);
  EXPECT_EQ(receipt->height, 3u) << "block 2 is being searched already";
}

TEST_F(MiningTest, SharesAreCountedOnceAndBelowTheTargetOnly) {
  start(60'000, 512);  // shares are a sixteenth of that
  ScriptedWorker w(node_->url(), 1), other(node_->url(), 2);
  ASSERT_EQ(w.enlist().status, 200);
  ASSERT_EQ(other.enlist().status, 200);
  const Search s = search(w);
  const Search theirs = search(other);
  EXPECT_NE(s.params.first_nonce, theirs.params.first_nonce) << "two searches never share a nonce";
  EXPECT_EQ(s.params.preimage, theirs.params.preimage);

  // One nonce above the share target, and shares until two are known that are no block.
  std::vector<std::uint64_t> shares;
  std::optional<std::uint64_t> dud;
  auto& kernel = dynamic_cast<tensority::Kernel&>(*kernel_);
  const auto epoch = tensority::epochs().get(s.params.seed).value();
  for (std::uint64_t nonce = s.params.first_nonce; shares.size() < 2 || !dud; ++nonce) {
    const Hash32 message = tensority::header_hash(s.params.preimage, nonce);
    Hash32 result{};
    ASSERT_TRUE(kernel.hash(*epoch, {&message, 1}, {&result, 1}, StopToken()));
    if (!tensority::meets(result, s.params.share_target)) dud = nonce;
    if (tensority::meets(result, s.params.share_target) && !tensority::meets(result, s.params.block_target)) {
      shares.push_back(nonce);
    }
  }
  EXPECT_EQ(solve(w, s.lease_id, *dud).reason, "high_hash");
  EXPECT_EQ(solve(other, s.lease_id, shares[0]).reason, "unknown_lease") << "somebody else's lease";
  EXPECT_TRUE(solve(w, s.lease_id, shares[0]).accepted);
  EXPECT_FALSE(solve(w, s.lease_id, shares[0]).accepted);
  EXPECT_EQ(solve(w, s.lease_id, shares[0]).reason, "duplicate");
  EXPECT_TRUE(solve(w, s.lease_id, shares[1]).accepted);
  EXPECT_EQ(w.get("/v1/receipts/" + to_hex(s.lease_id)).status, 404) << "paid with the block only";

  clock_.push(6 * 60'000 + 1'000);  // nobody solves it: a fallback block pays the shares, too
  const protocol::Block fallback = w.wait_block(1);
  EXPECT_TRUE(fallback.fallback);
  const auto receipt = protocol::receipt_from_json(text(w.get("/v1/receipts/" + to_hex(s.lease_id)).body));
  ASSERT_TRUE(receipt.ok());
  EXPECT_EQ(receipt->units, 2u * 32u) << "two shares of 32 expected hashes";
  EXPECT_EQ(solve(w, s.lease_id, shares[1]).reason, "stale");
  const Search next = search(w);
  const double harder = chain::expected_hashes(chain::target_from_bits(fallback.bits));
  Hash32 now = next.params.block_target;
  EXPECT_NEAR(harder / 2, chain::expected_hashes({chain::Target::Kind::limit, now}), 1.0) << "half as hard";
}

TEST_F(MiningTest, ABlockEndsTheWaitOfEverybodyElse) {
  start(60'000, 2);
  ScriptedWorker w(node_->url(), 1), waiter(node_->url(), 2);
  ASSERT_EQ(w.enlist().status, 200);
  ASSERT_EQ(waiter.enlist().status, 200);
  const Search mine = search(w);
  const Search held = search(waiter);
  EXPECT_TRUE(leases(waiter, std::vector<Id16>{held.lease_id}, 50).empty()) << "nothing new yet";
  const tensority::Found hit = find(mine, mine.params.block_target, mine.params.first_nonce);
  std::atomic<std::int64_t> heard_us{0}, solved_us{0};
  const auto now_us = [] {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  };
  std::vector<protocol::Lease> next;
  std::thread waiting([&] {
    next = leases(waiter, std::vector<Id16>{held.lease_id}, 20'000);
    heard_us = now_us();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_TRUE(solve(w, mine.lease_id, hit.nonce).block);
  solved_us = now_us();
  waiting.join();
  ASSERT_EQ(next.size(), 1u);
  EXPECT_LT(heard_us - solved_us, 1'000'000) << "of 20 s; a quiet machine needs a millisecond";
}

TEST_F(MiningTest, KindsAreNotMixedAndTimerNodesSaySo) {
  start(60'000, 2);
  ScriptedWorker w(node_->url(), 1);
  ASSERT_EQ(w.enlist().status, 200);
  const std::string mixed = protocol::to_json(protocol::LeaseRequest{{"match.h", "tensority"}, 1, 0, {}});
  const auto answer = w.send("POST", "/v1/leases", Bytes(mixed.begin(), mixed.end()));
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(std::string(text(answer.body)), ::testing::HasSubstr("request of their own"));
  node_->stop();

  Settings s;
  s.data = folder_.path() / "timer";
  s.proof_of_work = false;
  s.interval_ms = 60'000;
  s.generate = false;
  auto timer = Node::start(s, clock_);
  ASSERT_TRUE(timer.ok());
  ScriptedWorker v((*timer)->url(), 1);
  ASSERT_EQ(v.enlist().status, 200);
  const std::string ask = protocol::to_json(protocol::LeaseRequest{{"tensority"}, 1, 0, {}});
  EXPECT_THAT(std::string(text(v.send("POST", "/v1/leases", Bytes(ask.begin(), ask.end())).body)),
              ::testing::HasSubstr("no proof of work"));
}

TEST_F(MiningTest, ALedgerStaysWhatItWasMadeAs) {
  Settings s;
  s.data = folder_.path() / "node";
  s.generate = false;
  s.interval_ms = 60'000;
  const auto refusal = [&](bool proof_of_work) {
    s.proof_of_work = proof_of_work;
    const auto node = Node::start(s, clock_);
    EXPECT_EQ(node.status(), Status::bad_config);
    return node ? std::string() : node.error().message + " / " + node.error().hint;
  };
  s.proof_of_work = false;
  ASSERT_TRUE(Node::start(s, clock_));
  EXPECT_THAT(refusal(true),
              ::testing::AllOf(::testing::HasSubstr(s.data.string()),
                               ::testing::HasSubstr("made without proof of work"), ::testing::HasSubstr("--no-pow")))
      << "nothing of it is lost";
  s.proof_of_work = false;
  EXPECT_TRUE(Node::start(s, clock_)) << "it is still there";

  s.data = folder_.path() / "pow";
  s.proof_of_work = true;
  ASSERT_TRUE(Node::start(s, clock_));
  EXPECT_THAT(refusal(false), ::testing::HasSubstr("without --no-pow"));
  s.proof_of_work = true;
  s.first_difficulty = 7;
  EXPECT_TRUE(Node::start(s, clock_)) << "the first difficulty is that of new ledgers";
}

/// The seed changes after block 256, difficulty follows the worker, and luck is what it should be.
TEST_F(MiningTest, ThreeHundredBlocksAcrossASeedChange) {
  start(50, 2);
  ScriptedWorker w(node_->url(), 1);
  ASSERT_EQ(w.enlist().status, 200);
  std::uint64_t hashes = 0;
  double expected = 0, variance = 0;
  for (std::uint64_t height = 1; height <= 300;) {
    const Search s = search(w);
    const chain::Target target{chain::Target::Kind::limit, s.params.block_target};
    const double p = 1 / chain::expected_hashes(target);
    std::uint64_t tried = 0;
    const tensority::Found hit = find(s, s.params.block_target, s.params.first_nonce, &tried);
    clock_.push(tried * 25);  // 40 hashes a second: a difficulty of two
    const auto answer = solve(w, s.lease_id, hit.nonce);
    if (!answer.accepted) {
      ASSERT_EQ(answer.reason, "stale") << "only a fallback block may come between";
      height = answer.height;
      continue;
    }
    ASSERT_TRUE(answer.block);
    ASSERT_GE(answer.height, height) << "after bad luck a fallback block may have come between";
    height = answer.height;
    hashes += tried;
    expected += 1 / p;
    variance += (1 - p) / (p * p);
    if (height <= 256) {
      EXPECT_EQ(s.params.seed, chain::initial_seed());
    } else {
      EXPECT_EQ(s.params.seed, block(w, 256).hash);
    }
    ++height;
  }
  RecordProperty("hashes", std::to_string(hashes));
  EXPECT_NEAR(static_cast<double>(hashes), expected, 3 * std::sqrt(variance) + 1);
}

}  // namespace
}  // namespace sparkmill::node
