// SPDX-License-Identifier: Apache-2.0
// Proof of work on our own chain: the header being searched, the nonce ranges handed out for it, the shares that come
// back, and the block that one of them makes. Leases of searches live as long as their header, so they are kept in
// memory only; what is credited goes into the ledger with the block.
// Source: DESIGN 8; jobs and proofs 6 and 9; "Tensority" 3 and 4.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <set>

#include "kernels/tensority/tensority.h"
#include "node/ledger/ledger.h"
#include "node/server/node_time.h"
#include "verify/chain/difficulty.h"
#include "verify/chain/params.h"

namespace sparkmill::node {

struct MiningSettings {
  std::uint64_t interval_ms = 10'000;
  std::uint32_t shares_a_block = 16;      ///< share targets are this many times the block's ...
  std::uint64_t least_share_hashes = 32;  ///< ... but no share is easier: it is hashed twice more, there and here
  std::uint32_t leases_of_a_worker = 16;  ///< of one header
  std::uint32_t leases_of_a_header = 4096;
};

/// Thread-safe. A share is hashed outside the lock, one at a time.
class Mining {
 public:
  /// Takes the best CPU row for checking. `on_block` is called after each block, without a lock held. Errors:
  /// no_device, self_test_failed, what the ledger says.
  static Result<std::unique_ptr<Mining>> make(MiningSettings settings, Ledger& ledger, const NodeTime& time,
                                              std::function<void(const AppendedBlock&)> on_block);

  /// A nonce range of the current header. With `held`: waits until a header comes of which the worker holds no lease
  /// named there, at most `wait_ms`; then nothing. Errors: too_large (the worker's or the header's limit).
  Result<std::optional<protocol::Lease>> lease(const keys::PublicKey& worker,
                                               const std::optional<std::vector<Id16>>& held, std::uint32_t wait_ms);

  /// Judges a nonce. Not accepted, with a reason: "stale", "unknown_lease", "out_of_range", "duplicate", "high_hash".
  /// Errors: what kernel and ledger report.
  Result<protocol::SolutionAnswer> solve(const keys::PublicKey& worker, const protocol::Solution& solution);

  /// Makes the fallback block when no solution came for six intervals. Call every interval or more often.
  Done tick();
  /// Wakes everybody who waits; they get nothing.
  void stop();

 private:
  struct Range {
    keys::PublicKey worker{};
    Id16 job_id{};
    std::uint64_t first = 0;
    std::uint64_t shares = 0;
    std::set<std::uint64_t> nonces;  ///< accepted, so that none is paid twice
  };
  struct Header {
    chain::BlockHeader header;
    Hash32 seed{};
    std::shared_ptr<const tensority::Epoch> epoch;
    chain::Target block;
    chain::Target share;
    std::uint64_t hashes_a_share = 1;
    std::map<Id16, Range> ranges;
    std::uint64_t since_ms = 0;  ///< steady
  };

  Mining(MiningSettings settings, Ledger& ledger, const NodeTime& time,
         std::function<void(const AppendedBlock&)> on_block);
  Done renew();  ///< under mutex_: a header for the block after the tip
  std::vector<ShareCredit> shares() const;
  Result<Hash32> hash(const Header& header, std::uint64_t nonce);

  const MiningSettings settings_;
  const chain::Params params_;
  Ledger& ledger_;
  const NodeTime& time_;
  const std::function<void(const AppendedBlock&)> on_block_;
  std::mutex kernel_mutex_;
  std::unique_ptr<kernels::Kernel> kernel_;
  std::mutex mutex_;
  std::condition_variable renewed_;
  std::shared_ptr<Header> now_;
  std::deque<std::set<Id16>> past_;  ///< leases of the last headers, newest first: their nonces are stale, not unknown
  std::uint64_t fallbacks_ = 0;      ///< in a row
  bool stopping_ = false;
};

}  // namespace sparkmill::node
