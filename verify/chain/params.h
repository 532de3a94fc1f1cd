// SPDX-License-Identifier: Apache-2.0
// What makes one proof-of-work chain differ from another, and the rules that follow: retarget, emergency retarget, and
// which timestamps a block may have. Bytom and our node are two sets of these parameters.
#pragma once

#include <span>
#include <string_view>

#include "verify/chain/header.h"

namespace sparkmill::chain {

/// Times are in ticks: the unit of the header's timestamp.
struct Params {
  std::string_view name;
  std::uint64_t ticks_per_second = 1;
  std::uint64_t interval = 150;              ///< aimed at between two blocks, ticks
  std::uint64_t epoch_blocks = 256;          ///< blocks hashed with one seed
  std::uint64_t retarget_blocks = 2016;      ///< the target changes after each height that is a multiple of it
  std::uint64_t retarget_weight = 1;         ///< the measured span counts 1 / weight, the aim the rest
  std::uint64_t retarget_max_intervals = 0;  ///< a longer span counts as this many aimed ones; 0: unclamped
  std::uint64_t easiest_bits = 0;            ///< no target above that of these bits; 0: no bound
  std::uint64_t fallback_intervals = 0;      ///< without a block that long the node makes one; 0: never
  std::uint64_t max_ahead = 3600;            ///< a timestamp may be so far ahead of now, ticks
  std::size_t median_blocks = 11;            ///< and must be above the median of so many blocks before it
};

/// Tensority page 3, 4.5 and 4.6.
Params bytom_params();

/// Our node: retargets at every block by 1/16 of the surprise, so that 16 intervals take in 63 % of a change of hash
/// rate and single lucky blocks move it little; a span counts as at most 6 intervals, the time after which a fallback
/// block comes. Times are milliseconds and strictly rising. Easiest: 0x2000000000ffffff, where one nonce is enough.
/// `interval_ms` >= 1.
Params node_params(std::uint64_t interval_ms);

/// True when the block after `parent_height` needs another target than its parent.
bool retarget_due(const Params& params, std::uint64_t parent_height);

/// Bits of the block after `parent`. `earlier_timestamp`: of the block params.retarget_blocks before the parent; it is
/// read only when retarget_due(). `parent_is_fallback`: it carries no proof of work, so the difficulty halves instead.
/// Error: too_large (a span that no chain has).
Result<std::uint64_t> next_bits(const Params& params, const BlockHeader& parent, std::uint64_t earlier_timestamp,
                                bool parent_is_fallback = false);

/// Median of the timestamps of the last blocks, as many as there are up to params.median_blocks, in any order; 0 for
/// none. The upper of the two middle ones if their count is even.
std::uint64_t median_timestamp(std::span<const std::uint64_t> last);

/// Error: bad_input saying which bound is broken.
Done check_timestamp(const Params& params, std::uint64_t timestamp, std::uint64_t now,
                     std::span<const std::uint64_t> last);

}  // namespace sparkmill::chain
