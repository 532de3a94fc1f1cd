// SPDX-License-Identifier: Apache-2.0
#include "verify/chain/params.h"

#include <algorithm>
#include <string>
#include <vector>

#include "verify/chain/difficulty.h"

namespace sparkmill::chain {

Params bytom_params() {
  Params p;
  p.name = "bytom";
  return p;
}

Params node_params(std::uint64_t interval_ms) {
  Params p;
  p.name = "sparkmill";
  p.ticks_per_second = 1000;
  p.interval = interval_ms;
  p.retarget_blocks = 1;
  p.retarget_weight = 16;
  p.fallback_intervals = 6;
  p.retarget_max_intervals = p.fallback_intervals;
  p.easiest_bits = 0x2000000000ffffff;
  p.max_ahead = 3'600'000;
  p.median_blocks = 1;
  return p;
}

bool retarget_due(const Params& params, std::uint64_t parent_height) {
  return parent_height != 0 && parent_height % params.retarget_blocks == 0;
}

Result<std::uint64_t> next_bits(const Params& params, const BlockHeader& parent, std::uint64_t earlier_timestamp,
                                bool parent_is_fallback) {
  std::uint64_t bits = parent.bits;
  if (parent_is_fallback) {
    SPARKMILL_ASSIGN(bits, scale_bits(bits, 2, 1));
  } else if (retarget_due(params, parent.height)) {
    const std::uint64_t aim = params.retarget_blocks * params.interval;
    auto span = static_cast<std::int64_t>(parent.timestamp - earlier_timestamp);
    if (params.retarget_max_intervals != 0) {
      span = std::clamp<std::int64_t>(span, 0, static_cast<std::int64_t>(aim * params.retarget_max_intervals));
    }
    const std::uint64_t weight = params.retarget_weight;
    SPARKMILL_ASSIGN(bits, scale_bits(bits, static_cast<std::int64_t>((weight - 1) * aim) + span, weight * aim));
  }
  if (params.easiest_bits != 0 && harder_or_equal(params.easiest_bits, bits)) return params.easiest_bits;
  return bits;
}

std::uint64_t median_timestamp(std::span<const std::uint64_t> last) {
  if (last.empty()) return 0;
  std::vector<std::uint64_t> sorted(last.begin(), last.end());
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

Done check_timestamp(const Params& params, std::uint64_t timestamp, std::uint64_t now,
                     std::span<const std::uint64_t> last) {
  if (timestamp > now && timestamp - now > params.max_ahead) {
    return fail(Status::bad_input, "timestamp " + std::to_string(timestamp) + ": more than " +
                                       std::to_string(params.max_ahead / params.ticks_per_second) + " s ahead of now");
  }
  const std::uint64_t median = median_timestamp(last);
  if (!last.empty() && timestamp <= median) {
    return fail(Status::bad_input, "timestamp " + std::to_string(timestamp) + ": not above " + std::to_string(median) +
                                       ", the median of the " + std::to_string(last.size()) + " blocks before");
  }
  return done();
}

}  // namespace sparkmill::chain
