// SPDX-License-Identifier: Apache-2.0
// The oracle: the contract of match.h word for word, one pair after the other. No intrinsics, no threads.
#include <string>

#include "kernels/backend/cpu.h"
#include "kernels/match/match.h"
#include "kernels/match/rows.h"

namespace sparkmill::match {
namespace {

class Reference final : public Kernel {
 public:
  Done run(const Task& task, TileResults& out, const StopToken& stop) override {
    out.digests.clear();
    out.counts.clear();
    out.pairs.clear();
    SPARKMILL_TRY(check_task(task));
    for (std::uint32_t ti = task.tiles.ti_begin; ti < task.tiles.ti_end; ++ti) {
      for (std::uint32_t tj = task.tiles.tj_begin; tj < task.tiles.tj_end; ++tj) {
        if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
        SPARKMILL_TRY(tile(task, ti, tj, out));
      }
    }
    return done();
  }
  std::string row_id() const override { return "match/reference"; }

 private:
  Done tile(const Task& task, std::uint32_t ti, std::uint32_t tj, TileResults& out) {
    const Planes& requests = task.fields.front().requests;
    const Planes& users = task.fields.front().users;
    const std::uint32_t i_end = std::min((ti + 1) * kTile, requests.count);
    const std::uint32_t j_end = std::min((tj + 1) * kTile, users.count);
    const auto leaves = task.predicate->leaves();
    v_.resize(leaves.size());
    column_sums_.assign(leaves.size() * kTile, 0);
    const std::size_t pairs_before = out.pairs.size();
    for (std::uint32_t i = ti * kTile; i < i_end; ++i) {
      for (std::uint32_t j = tj * kTile; j < j_end; ++j) {
        for (std::size_t l = 0; l < leaves.size(); ++l) {
          const FieldPair& field = task.fields[leaves[l].field];
          v_[l] = score_word(field.requests.row(i), field.users.row(j), field.users.n);
          if (task.words != nullptr) column_sums_[l * kTile + j % kTile] += v_[l] ^ task.words->row[i];
        }
        if (!task.predicate->matches(v_)) continue;
        if (out.pairs.size() == kMaxPairsPerSlice) return too_many_pairs();
        out.pairs.push_back({i, j});
      }
    }
    out.counts.push_back(static_cast<std::uint32_t>(out.pairs.size() - pairs_before));
    for (std::size_t l = 0; task.words != nullptr && l < leaves.size(); ++l) {
      std::uint64_t digest = 0;
      for (std::uint32_t j = tj * kTile; j < j_end; ++j) {
        digest += task.words->column[j] * column_sums_[l * kTile + j % kTile];
      }
      out.digests.push_back(digest);
    }
    return done();
  }

  std::vector<std::uint32_t> v_;
  std::vector<std::uint32_t> column_sums_;  ///< S_j of each leaf: arithmetic mod 2^32
};

Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device&) {
  return std::unique_ptr<kernels::Kernel>(std::make_unique<Reference>());
}

}  // namespace

kernels::Row reference_row() {
  return {kernels::Family::match, kernels::Backend::reference, "", 0, 1, kernels::probe_plain, make};
}

}  // namespace sparkmill::match
