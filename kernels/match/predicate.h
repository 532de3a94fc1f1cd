// SPDX-License-Identifier: Apache-2.0
// Predicate byte-code over the score leaves of several fields: validated form, binary codec, evaluation on bit masks.
// Postfix, 8 bytes an op: u8 op, u8 field, u16 arg, i32 imm; WSUM is followed by `arg` words {u16 leaf, u16 0, i32
// weight}. Source: "PCB double-blind matching" 1.4, completed by jobs and proofs 5 and docs/decisions.md.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace sparkmill::match {

enum class OpCode : std::uint8_t {
  leaf_dot = 0,
  leaf_frac = 1,
  op_and = 2,
  op_or = 3,
  any = 4,
  op_not = 5,
  seq = 6,
  limit = 7,
  wsum = 8
};

/// A leaf holds iff w1 * dot - w2 * K >= threshold. LEAF_DOT: w1 = 1, w2 = 0, threshold = imm.
/// LEAF_FRAC: w1 = arg >> 8, w2 = arg & 255, threshold = imm (0 for the plain fractional test).
struct Leaf {
  std::uint16_t field = 0;
  std::int32_t w1 = 1;
  std::int32_t w2 = 0;
  std::int32_t threshold = 0;
  std::int64_t score(std::uint32_t v) const {
    const std::int64_t ham = v & 0xffff;
    const std::int64_t k = v >> 16;
    return w1 * (k - 2 * ham) - w2 * k;
  }
  bool holds(std::uint32_t v) const { return score(v) >= threshold; }
};

struct WeightedTerm {
  std::uint16_t leaf = 0;  ///< ordinal of the leaf in program order
  std::int32_t weight = 0;
};

struct Op {
  OpCode code = OpCode::leaf_dot;
  std::uint8_t field = 0;
  std::uint16_t arg = 0;
  std::int32_t imm = 0;
  std::vector<WeightedTerm> terms;  ///< wsum only
};

/// Limits of a valid program.
inline constexpr std::size_t kMaxOps = 256;
inline constexpr std::size_t kMaxLeaves = 16;
inline constexpr std::size_t kMaxFields = 8;

/// A validated predicate. Immutable.
///
/// Stack rules: LEAF_* push one decision; AND/OR/ANY pop `arg` >= 1 decisions and push one; NOT pops one; SEQ pops two
/// and counts as AND (profile H); WSUM pops `arg` decisions, which must be leaves, its words name exactly these leaves,
/// and it pushes (sum of weight * leaf score >= imm); LIMIT pops and pushes one and may only be the last op. One
/// decision is left. A predicate that is true where no leaf and no WSUM holds is refused (pure NOT).
class Predicate {
 public:
  /// Error: bad_input with the op's index and the reason.
  static Result<Predicate> make(std::vector<Op> ops);
  static Result<Predicate> decode(ByteView code);
  Bytes encode() const;

  std::span<const Op> ops() const { return ops_; }
  std::span<const Leaf> leaves() const { return leaves_; }
  std::uint32_t field_count() const { return fields_; }  ///< highest field + 1
  std::uint32_t limit() const { return limit_; }         ///< 0: none; else n best per request over the whole job
  bool needs_scores() const { return has_wsum_; }        ///< WSUM present: decisions alone are not enough

  /// The decision for one pair from the score words of all leaves (in leaf order). LIMIT counts as true.
  bool matches(std::span<const std::uint32_t> v) const;

  /// The same on `words` 64-bit masks at once: leaf_masks[leaf * words + w] holds decisions of 64 pairs;
  /// wsum_masks likewise, one per WSUM in program order (empty if none); out gets `words` masks. Allocates only
  /// `scratch`.
  void combine(std::span<const std::uint64_t> leaf_masks, std::span<const std::uint64_t> wsum_masks, std::size_t words,
               std::span<std::uint64_t> out, std::vector<std::uint64_t>& scratch) const;

  /// The ranking score of LIMIT: the score of the first leaf. Ties: lower H(job_id | u32 i | u32 j) first.
  std::int64_t rank_score(std::span<const std::uint32_t> v) const { return leaves_.front().score(v.front()); }

 private:
  Predicate() = default;
  std::vector<Op> ops_;
  std::vector<Leaf> leaves_;
  std::uint32_t fields_ = 0;
  std::uint32_t limit_ = 0;
  bool has_wsum_ = false;
};

}  // namespace sparkmill::match
