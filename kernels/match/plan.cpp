// SPDX-License-Identifier: Apache-2.0
// Host side that the device rows share.
#include "kernels/match/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace sparkmill::match {

Plan make_plan(const Predicate& predicate) {
  Plan plan;
  std::int32_t leaf = 0;
  auto push = [&](std::int32_t code, std::int32_t arg, std::int32_t imm) {
    plan.program.insert(plan.program.end(), {code, arg, imm});
  };
  for (const Op& op : predicate.ops()) {
    switch (op.code) {
      case OpCode::leaf_dot:
      case OpCode::leaf_frac: push(SM_OP_LEAF, leaf++, 0); break;
      case OpCode::op_and: push(SM_OP_AND, op.arg, 0); break;
      case OpCode::seq: push(SM_OP_AND, 2, 0); break;
      case OpCode::op_or: push(SM_OP_OR, op.arg, 0); break;
      case OpCode::any: push(SM_OP_ANY, op.arg, op.imm); break;
      case OpCode::op_not: push(SM_OP_NOT, 1, 0); break;
      case OpCode::limit: break;  // applied when the job is combined
      case OpCode::wsum: {
        Plan::Wsum w{op.imm, {}};
        for (const WeightedTerm& t : op.terms) {
          const Leaf& l = predicate.leaves()[t.leaf];
          w.terms.insert(w.terms.end(), {t.leaf, t.weight, l.w1, l.w2});
        }
        push(SM_OP_WSUM, op.arg, static_cast<std::int32_t>(plan.wsums.size()));
        plan.wsums.push_back(std::move(w));
        break;
      }
    }
  }
  return plan;
}

void prepare(const Task& task, TileResults& out) {
  const std::size_t tiles = task.tiles.tiles();
  out.digests.assign(task.words != nullptr ? tiles * task.predicate->leaves().size() : 0, 0);
  out.counts.assign(tiles, 0);
  out.pairs.clear();
}

void append_pairs(std::span<const std::uint64_t> mask, TileAt tile, std::vector<Pair>& pairs) {
  for (std::uint32_t w = 0; w < kTileWords; ++w) {
    for (std::uint64_t bits = mask[w]; bits != 0; bits &= bits - 1) {
      const auto bit = static_cast<std::uint32_t>(std::countr_zero(bits));
      pairs.push_back({tile.ti * kTile + w / SM_ROW_WORDS, tile.tj * kTile + w % SM_ROW_WORDS * 64 + bit});
    }
  }
}

Done check_pair_count(std::uint64_t total) {
  if (total <= kMaxPairsPerSlice) return done();
  return fail(
      Status::too_large,
      fmt::format("a slice matched more than {} pairs: the predicate's threshold is too low", kMaxPairsPerSlice),
      "raise the threshold, or cut smaller slices");
}

void LaunchSize::took(std::uint64_t tiles, double seconds) {
  constexpr double kTarget = 0.025;
  const double fit = static_cast<double>(tiles) * kTarget / std::max(seconds, 1e-6);
  const auto most = static_cast<double>(std::min(limit_, tiles_ * 4));
  tiles_ = static_cast<std::uint64_t>(std::clamp(fit, 1.0, std::max(most, 1.0)));
}

namespace {
RowSpan span_of(std::uint32_t begin, std::uint32_t end, std::uint32_t count) {
  const std::uint32_t first = begin * kTile;
  const std::uint64_t last = std::min<std::uint64_t>(std::uint64_t{end} * kTile, count);
  return {first, last > first ? static_cast<std::uint32_t>(last - first) : 0};
}
}  // namespace

RowSpan request_rows(const Task& task) {
  return span_of(task.tiles.ti_begin, task.tiles.ti_end, task.fields.empty() ? 0 : task.fields[0].requests.count);
}
RowSpan user_rows(const Task& task) {
  return span_of(task.tiles.tj_begin, task.tiles.tj_end, task.fields.empty() ? 0 : task.fields[0].users.count);
}

}  // namespace sparkmill::match
