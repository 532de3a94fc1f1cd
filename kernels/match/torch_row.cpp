// SPDX-License-Identifier: Apache-2.0
// The torch row of `match`: score words of a tile from the plug-in's matrix products, then decisions and digest by the
// same integer arithmetic as the device rows.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "kernels/backend/torch.h"
#include "kernels/match/plan.h"
#include "kernels/match/rows.h"

namespace sparkmill::match {
namespace {

struct FreeSide {
  const SparkmillTorchApi* api;
  void operator()(SparkmillTorchSide* side) const { api->match_free(side); }
};
using Side = std::unique_ptr<SparkmillTorchSide, FreeSide>;

class TorchKernel final : public Kernel {
 public:
  explicit TorchKernel(const SparkmillTorchApi* api) : api_(api) {}
  Done run(const Task& task, TileResults& out, const StopToken& stop) override;
  std::string row_id() const override { return "match/torch"; }

 private:
  Result<Side> side(const Task& task, std::size_t field, bool users, std::uint32_t tile);
  Done tile(const Task& task, TileAt at, std::uint64_t index, const std::vector<Side>& requests, TileResults& out);
  void leaf_mask(const Leaf& leaf, const std::vector<std::uint32_t>& v, std::uint64_t* mask) const;
  void wsum_mask(const Plan::Wsum& sum, std::span<const Leaf> leaves, std::uint64_t* mask) const;
  std::uint64_t digest(const Task& task, TileAt at, const std::vector<std::uint32_t>& v) const;

  const SparkmillTorchApi* api_;
  Plan plan_;
  std::vector<bool> used_;                     ///< fields that a leaf reads
  std::uint32_t rows_ = 0, columns_ = 0;       ///< real ones of the tile at hand
  std::vector<std::vector<std::uint32_t>> v_;  ///< per field, [row][column] of the tile at hand
  std::vector<std::uint64_t> leaf_masks_, wsum_masks_, hits_;
};

Result<Side> TorchKernel::side(const Task& task, std::size_t field, bool users, std::uint32_t tile) {
  const FieldPair& f = task.fields[field];
  const Planes& p = users ? f.users : f.requests;
  const bool masked = task.force_masked || !f.requests.all_valid || !f.users.all_valid;
  const std::uint32_t first = tile * kTile;
  char error[256] = "";
  Side s(api_->match_side(p.row(first), std::min(kTile, p.count - first), p.n, masked ? 1 : 0, error, sizeof error),
         FreeSide{api_});
  if (s == nullptr) return fail(Status::internal, fmt::format("torch: {}", error));
  return s;
}

void TorchKernel::leaf_mask(const Leaf& leaf, const std::vector<std::uint32_t>& v, std::uint64_t* mask) const {
  std::fill_n(mask, kTileWords, 0);
  for (std::uint32_t i = 0; i < rows_; ++i) {
    for (std::uint32_t j = 0; j < columns_; ++j) {
      const bool holds = sm_holds(v[std::size_t{i} * columns_ + j], leaf.w1, leaf.w2, leaf.threshold) != 0;
      mask[i * SM_ROW_WORDS + j / 64] |= std::uint64_t{holds} << (j % 64);
    }
  }
}

void TorchKernel::wsum_mask(const Plan::Wsum& sum, std::span<const Leaf> leaves, std::uint64_t* mask) const {
  std::fill_n(mask, kTileWords, 0);
  for (std::uint32_t i = 0; i < rows_; ++i) {
    for (std::uint32_t j = 0; j < columns_; ++j) {
      std::int64_t total = 0;
      for (std::size_t t = 0; t < sum.terms.size(); t += 4) {
        const std::uint16_t field = leaves[static_cast<std::size_t>(sum.terms[t])].field;
        total +=
            sm_weighted(v_[field][std::size_t{i} * columns_ + j], sum.terms[t + 2], sum.terms[t + 3], sum.terms[t + 1]);
      }
      mask[i * SM_ROW_WORDS + j / 64] |= std::uint64_t{total >= sum.imm} << (j % 64);
    }
  }
}

std::uint64_t TorchKernel::digest(const Task& task, TileAt at, const std::vector<std::uint32_t>& v) const {
  std::vector<std::uint32_t> sums(columns_, 0);
  for (std::uint32_t i = 0; i < rows_; ++i) {
    const std::uint32_t a = task.words->row[at.ti * kTile + i];
    for (std::uint32_t j = 0; j < columns_; ++j) sums[j] += sm_bind(v[std::size_t{i} * columns_ + j], a);
  }
  std::uint64_t total = 0;
  for (std::uint32_t j = 0; j < columns_; ++j) total += sm_column(task.words->column[at.tj * kTile + j], sums[j]);
  return total;
}

Done TorchKernel::tile(const Task& task, TileAt at, std::uint64_t index, const std::vector<Side>& requests,
                       TileResults& out) {
  rows_ = std::min(kTile, task.fields[0].requests.count - at.ti * kTile);
  columns_ = std::min(kTile, task.fields[0].users.count - at.tj * kTile);
  for (std::size_t f = 0; f < task.fields.size(); ++f) {
    if (!used_[f]) continue;
    SPARKMILL_ASSIGN(const Side users, side(task, f, true, at.tj));
    v_[f].resize(std::size_t{rows_} * columns_);
    char error[256] = "";
    if (api_->match_scores(requests[f].get(), users.get(), v_[f].data(), error, sizeof error) != 0)
      return fail(Status::internal, fmt::format("torch: {}", error));
  }
  const std::span<const Leaf> leaves = task.predicate->leaves();
  for (std::size_t l = 0; l < leaves.size(); ++l) {
    const std::vector<std::uint32_t>& v = v_[leaves[l].field];
    leaf_mask(leaves[l], v, leaf_masks_.data() + l * kTileWords);
    if (task.words != nullptr) out.digests[index * leaves.size() + l] = digest(task, at, v);
  }
  for (std::size_t w = 0; w < plan_.wsums.size(); ++w)
    wsum_mask(plan_.wsums[w], leaves, wsum_masks_.data() + w * kTileWords);
  std::uint32_t count = 0;
  for (std::uint32_t w = 0; w < kTileWords; ++w) {
    const std::uint64_t word =
        sm_eval(plan_.program.data(), plan_.ops(), leaf_masks_.data(), kTileWords, wsum_masks_.data(), kTileWords, w);
    hits_[w] = w / SM_ROW_WORDS < rows_ ? word & sm_clip(columns_, w % SM_ROW_WORDS) : 0;
    count += sm_popc64(hits_[w]);
  }
  out.counts[index] = count;
  SPARKMILL_TRY(check_pair_count(out.pairs.size() + count));
  if (count != 0) append_pairs(hits_, at, out.pairs);
  return done();
}

Done TorchKernel::run(const Task& task, TileResults& out, const StopToken& stop) {
  SPARKMILL_TRY(check_task(task));
  prepare(task, out);
  plan_ = make_plan(*task.predicate);
  used_.assign(task.fields.size(), false);
  for (const Leaf& l : task.predicate->leaves()) used_[l.field] = true;
  v_.resize(task.fields.size());
  leaf_masks_.resize(task.predicate->leaves().size() * kTileWords);
  wsum_masks_.resize(plan_.wsums.size() * kTileWords);
  hits_.resize(kTileWords);
  std::vector<Side> requests;
  for (std::uint64_t t = 0; t < task.tiles.tiles(); ++t) {
    if (stop.stop_requested()) return fail(Status::cancelled, "match: stopped between tiles");
    const TileAt at = tile_at(task.tiles, t);
    if (at.tj == task.tiles.tj_begin) {
      requests.clear();
      for (std::size_t f = 0; f < task.fields.size(); ++f) {
        Side s(nullptr, FreeSide{api_});
        if (used_[f]) {
          SPARKMILL_ASSIGN(s, side(task, f, false, at.ti));
        }
        requests.push_back(std::move(s));
      }
    }
    SPARKMILL_TRY(tile(task, at, t, requests, out));
  }
  return done();
}

}  // namespace

kernels::Row torch_row() {
  return {kernels::Family::match, kernels::Backend::torch,         "", 15, 1,
          kernels::probe_torch,   kernels::make_torch<TorchKernel>};
}

}  // namespace sparkmill::match
