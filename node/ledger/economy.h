// SPDX-License-Identifier: Apache-2.0
// Rewards, shares, pledges and locks as pure integer functions (jobs and proofs 9, DESIGN 8).
// 1 BTK = 10^8 units. A day is `blocks_per_day` blocks of the chain, so no clock decides about money.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sparkmill::node::economy {

inline constexpr std::uint64_t kUnitsPerBtk = 100'000'000;
inline constexpr std::uint64_t kEmissionPerDay = 500'000 * kUnitsPerBtk;
inline constexpr std::uint64_t kHalvingDays = 2'100;
inline constexpr std::uint64_t kPledgePerT = 100 * kUnitsPerBtk;

/// floor(86,400,000 / interval_ms), at least 1.
std::uint64_t blocks_per_day(std::uint64_t interval_ms);

/// How often the emission has halved before block `height`.
std::uint64_t halvings(std::uint64_t height, std::uint64_t blocks_per_day);

/// floor((h+1) E / b) - floor(h E / b), E halved (rounded down) after every 2,100 * b blocks: a day's blocks always sum
/// to exactly E. Requires blocks_per_day >= 1.
std::uint64_t reward(std::uint64_t height, std::uint64_t blocks_per_day);

/// The four parts of a reward. Each of the three smaller ones is rounded down and the workers get what is left, so the
/// parts always sum to the reward.
struct Shares {
  std::uint64_t workers = 0;     ///< 75 %
  std::uint64_t requesters = 0;  ///< 15 %
  std::uint64_t foundation = 0;  ///< 5 %
  std::uint64_t operations = 0;  ///< 5 %
};
Shares split(std::uint64_t reward);

/// One claim on a pot: `weight` is accepted credit in the block.
struct Claim {
  std::uint64_t weight = 0;
  bool pledge_met = true;
};
/// pot * weight / total, rounded down, halved (rounded down) for a claim whose pledge is not met.
/// What is not paid (rounding, halved parts, or all of it when nothing was claimed) is `carried` into the next block.
struct Payout {
  std::vector<std::uint64_t> amounts;
  std::uint64_t carried = 0;
};
Payout distribute(std::uint64_t pot, std::span<const Claim> claims);

/// 100 BTK for each T of registered storage, doubled at each halving; saturates at 2^63 - 1.
std::uint64_t pledge_required(std::uint64_t capacity_t, std::uint64_t halvings);

/// Income of workers and requesters: 20 % (rounded down) is free at once, of the rest floor(rest * days / 180) after
/// `days` whole days, all after 180.
std::uint64_t free_at_once(std::uint64_t income);
std::uint64_t released_income(std::uint64_t rest, std::uint64_t days);
/// Foundation and operations: nothing at once, 10 % after each 30 days, all after 300.
std::uint64_t released_fund(std::uint64_t amount, std::uint64_t days);

/// units * microcobble_per_gi_unit / 2^30, rounded down, never more than `escrow`.
std::uint64_t credit(std::uint64_t units, std::uint64_t microcobble_per_gi_unit, std::uint64_t escrow);

}  // namespace sparkmill::node::economy
