// SPDX-License-Identifier: Apache-2.0
// Compact bits, targets and work (Tensority page 3). A result passes when, read as a little-endian 256-bit number, it
// is not above the target.
//
// bits = exponent (8 bits) | sign (1) | mantissa (55), so a target may be negative, zero, or far above 2^256 (at most
// 2^2071). Targets above 2^256 are exact where they are multiplied or printed; for comparing it is enough to know that
// everything passes. Big numbers are Boost.Multiprecision's, inside the .cpp only: they are needed once a block, where
// a tested library counts and speed does not.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace sparkmill::chain {

struct Target {
  enum class Kind : std::uint8_t {
    negative,   ///< nothing passes
    limit,      ///< results up to and including `value` pass; 0: the all-zero result only
    everything  ///< 2^256 or more
  };
  Kind kind = Kind::limit;
  Hash32 value{};  ///< little-endian; zero unless kind is limit
  friend bool operator==(const Target&, const Target&) = default;

  /// False when no result that anybody will ever see can pass: negative or zero.
  bool possible() const { return kind == Kind::everything || (kind == Kind::limit && value != Hash32{}); }
  /// The bound for kernels, which know 256 bits only: ff..ff for everything. Requires kind != negative.
  Hash32 bound() const;
};

Target target_from_bits(std::uint64_t bits);
/// Exact hex of the target of `bits`, "-" in front if negative, no leading zeros.
std::string target_text(std::uint64_t bits);
/// Truncates to the three most significant bytes. Zero gives 0; `everything` gives 0x2100000000010000 (2^256).
/// Negative ones give the bits of zero: there is nothing to represent.
std::uint64_t bits_from_target(const Target& target);
/// From big-endian hex digits of any length up to 512, e.g. "ccccc00"; the exact number counts, also above 2^256.
Result<std::uint64_t> bits_from_target_text(std::string_view hex);

bool meets(const Hash32& result, const Target& target);

/// floor(2^256 / difficulty); `everything` for 0 and 1.
Target target_of_difficulty(std::uint64_t difficulty);
/// The most significant bytes of a target, least significant of them first, the rest being zero: how pools write it
/// (mining page B.3). Error: bad_input unless there are 1 to 32.
Result<Target> target_from_top_bytes(ByteView reversed);

/// floor(2^256 / (target + 1)) as a little-endian number: hashes expected for a block. 0 for zero and negative targets
/// (as Bytom counts) and above 2^256.
Hash32 work(const Target& target);
/// The same as a real number, for display: 1 for `everything`, infinity where nothing passes.
double expected_hashes(const Target& target);

/// bits of floor(target(bits) * numerator / denominator), exact before it is cut to bits. Requires denominator > 0.
/// Error: too_large when the exponent leaves its 8 bits.
Result<std::uint64_t> scale_bits(std::uint64_t bits, std::int64_t numerator, std::uint64_t denominator);
/// target(a) <= target(b).
bool harder_or_equal(std::uint64_t a, std::uint64_t b);

}  // namespace sparkmill::chain
