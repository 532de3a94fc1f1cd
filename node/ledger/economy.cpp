// SPDX-License-Identifier: Apache-2.0
#include "node/ledger/economy.h"

#include <algorithm>
#include <limits>

namespace sparkmill::node::economy {

namespace {

__extension__ using Wide = unsigned __int128;

/// floor(a * b / c) for results that fit 64 bits.
std::uint64_t mul_div(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  return static_cast<std::uint64_t>(Wide{a} * b / c);
}

}  // namespace

std::uint64_t blocks_per_day(std::uint64_t interval_ms) {
  return std::max<std::uint64_t>(1, 86'400'000 / std::max<std::uint64_t>(1, interval_ms));
}

std::uint64_t halvings(std::uint64_t height, std::uint64_t blocks_per_day) {
  return height / (kHalvingDays * blocks_per_day);
}

std::uint64_t reward(std::uint64_t height, std::uint64_t blocks_per_day) {
  const std::uint64_t period = halvings(height, blocks_per_day);
  if (period >= 64) return 0;
  const std::uint64_t emission = kEmissionPerDay >> period;
  // Counting from the period's first block gives the same differences, because 2,100 * b * E / b is whole.
  const std::uint64_t h = height - period * kHalvingDays * blocks_per_day;
  return mul_div(h + 1, emission, blocks_per_day) - mul_div(h, emission, blocks_per_day);
}

Shares split(std::uint64_t reward) {
  Shares s;
  s.requesters = mul_div(reward, 15, 100);
  s.foundation = mul_div(reward, 5, 100);
  s.operations = mul_div(reward, 5, 100);
  s.workers = reward - s.requesters - s.foundation - s.operations;
  return s;
}

Payout distribute(std::uint64_t pot, std::span<const Claim> claims) {
  Payout out;
  out.amounts.reserve(claims.size());
  out.carried = pot;
  Wide total = 0;
  for (const Claim& c : claims) total += c.weight;
  for (const Claim& c : claims) {
    std::uint64_t amount = total == 0 ? 0 : static_cast<std::uint64_t>(Wide{pot} * c.weight / total);
    if (!c.pledge_met) amount /= 2;
    out.amounts.push_back(amount);
    out.carried -= amount;
  }
  return out;
}

std::uint64_t pledge_required(std::uint64_t capacity_t, std::uint64_t halvings) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  Wide need = Wide{capacity_t} * kPledgePerT;
  for (std::uint64_t i = 0; i < halvings && need < kMost; ++i) need *= 2;
  return need > kMost ? kMost : static_cast<std::uint64_t>(need);
}

std::uint64_t free_at_once(std::uint64_t income) { return mul_div(income, 20, 100); }

std::uint64_t released_income(std::uint64_t rest, std::uint64_t days) {
  return mul_div(rest, std::min<std::uint64_t>(days, 180), 180);
}

std::uint64_t released_fund(std::uint64_t amount, std::uint64_t days) {
  return mul_div(amount, std::min<std::uint64_t>(days / 30, 10), 10);
}

std::uint64_t credit(std::uint64_t units, std::uint64_t microcobble_per_gi_unit, std::uint64_t escrow) {
  const Wide due = (Wide{units} * microcobble_per_gi_unit) >> 30;
  return due > escrow ? escrow : static_cast<std::uint64_t>(due);
}

}  // namespace sparkmill::node::economy
