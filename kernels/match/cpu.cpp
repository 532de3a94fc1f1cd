// SPDX-License-Identifier: Apache-2.0
// The CPU rows: order of work, buffers, predicate and hits, over the inner functions of one ISA. Compiled for the
// baseline; only what cpu_ops.h lists runs with wider instructions.
#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

#include "kernels/backend/cpu.h"
#include "kernels/match/cpu_ops.h"
#include "kernels/match/match.h"
#include "kernels/match/rows.h"

namespace sparkmill::match {
namespace {

constexpr std::size_t kMaskWords = kTile * kTile / 64;

/// 64-byte aligned memory that only grows.
template <class T>
class Aligned {
 public:
  T* get(std::size_t count) {
    if (count > size_) {
      const std::size_t bytes = (count * sizeof(T) + 63) / 64 * 64;
      data_.reset(static_cast<T*>(std::aligned_alloc(64, bytes)));
      if (data_ == nullptr) throw std::bad_alloc();
      size_ = count;
    }
    return data_.get();
  }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::unique_ptr<T, Free> data_;
  std::size_t size_ = 0;
};

/// A leaf in the form of the inner functions: score = c0 ham + c1 K, held as two i16.
struct LeafPlan {
  std::uint16_t field = 0;
  std::int32_t coefficients = 0;
  std::int32_t threshold = 0;
};

LeafPlan plan_leaf(const Leaf& leaf) {
  const auto c0 = static_cast<std::uint16_t>(-2 * leaf.w1);
  const auto c1 = static_cast<std::uint16_t>(leaf.w1 - leaf.w2);
  return {leaf.field, static_cast<std::int32_t>(c0 | std::uint32_t{c1} << 16), leaf.threshold};
}

/// Largest ham at which a leaf with w1 > 0 holds when all n elements are valid; -1: never.
std::int32_t plain_limit(const Leaf& leaf, std::uint32_t n) {
  const std::int64_t rest = std::int64_t{leaf.w1 - leaf.w2} * n - leaf.threshold;
  if (rest < 0) return -1;
  return static_cast<std::int32_t>(std::min<std::int64_t>(rest / (2 * leaf.w1), n));
}

class CpuKernel final : public Kernel {
 public:
  explicit CpuKernel(const cpu::Ops& ops) : ops_(ops) {}
  Done run(const Task& task, TileResults& out, const StopToken& stop) override;
  std::string row_id() const override { return std::string("match/cpu/") + ops_.isa; }

 private:
  struct Field {
    bool used = false;
    bool masked = false;
    cpu::Panels users;
    cpu::RequestRows requests;
    Aligned<std::uint64_t> packed;
    Aligned<std::uint8_t> tail;
    Aligned<std::uint32_t> scores;  ///< [256][P] of one panel
    std::vector<std::uint32_t> keys;
    std::vector<std::uint32_t> sums;
  };

  Done plan(const Task& task);
  void pack_users(const Task& task, std::uint32_t tj);
  void set_requests(const Task& task, std::uint32_t ti);
  bool fused_tile(const Task& task, std::uint32_t next_ti);
  bool general_tile(const Task& task);
  void decide_wsums(const Task& task, std::uint32_t panel);
  void put_digests(const Task& task, std::uint32_t tj, std::uint64_t* digests) const;
  Done put_pairs(std::uint32_t ti, std::uint32_t tj, std::uint32_t& count);
  void order_pairs(const TileRange& range, TileResults& out);

  const cpu::Ops& ops_;
  std::vector<Field> fields_;
  std::vector<LeafPlan> leaves_;
  std::vector<const Op*> wsums_;
  bool fused_ = false;
  std::uint32_t rows_ = 0;     ///< real requests of the current tile
  std::uint32_t columns_ = 0;  ///< real users of the current tile column
  std::uint32_t panels_ = 0;
  std::vector<std::uint64_t> masks_;       ///< [leaf][256][4]
  std::vector<std::uint64_t> wsum_masks_;  ///< [wsum][256][4]
  std::vector<std::uint64_t> result_;      ///< [256][4], general form
  std::vector<std::uint64_t> scratch_;
  std::vector<Pair> found_;           ///< tiles in the order they ran: column by column
  std::vector<std::uint64_t> start_;  ///< where each tile's pairs start in found_
};

Done CpuKernel::plan(const Task& task) {
  const Predicate& predicate = *task.predicate;
  if (fields_.size() < task.fields.size()) fields_.resize(task.fields.size());
  for (Field& f : fields_) f.used = false;
  leaves_.clear();
  for (const Leaf& leaf : predicate.leaves()) {
    if (leaf.w1 < 0 || leaf.w1 > 255 || leaf.w2 < 0 || leaf.w2 > 255) {
      return fail(Status::bad_argument, "match task: leaf weights outside of 0 to 255");
    }
    leaves_.push_back(plan_leaf(leaf));
    const FieldPair& pair = task.fields[leaf.field];
    Field& f = fields_[leaf.field];
    f.used = true;
    f.masked = task.force_masked || !pair.requests.all_valid || !pair.users.all_valid;
    f.users.words = pair.users.n / 64;
    f.users.masked = f.masked;
    f.keys.resize(kTile);
    f.sums.resize(kTile);
  }
  wsums_.clear();
  bool only_leaf = true;
  for (const Op& op : predicate.ops()) {
    if (op.code == OpCode::wsum) wsums_.push_back(&op);
    only_leaf = only_leaf && (op.code == OpCode::leaf_dot || op.code == OpCode::leaf_frac || op.code == OpCode::limit);
  }
  const Leaf& first = predicate.leaves().front();
  fused_ = only_leaf && (fields_[first.field].masked || first.w1 > 0);
  masks_.resize(leaves_.size() * kMaskWords);
  wsum_masks_.resize(wsums_.size() * kMaskWords);
  result_.resize(kMaskWords);
  found_.clear();
  return done();
}

void CpuKernel::pack_users(const Task& task, std::uint32_t tj) {
  const std::uint32_t total = task.fields.front().users.count;
  columns_ = std::min(kTile, total - tj * kTile);
  panels_ = (columns_ + ops_.panel_users - 1) / ops_.panel_users;
  for (std::size_t f = 0; f < task.fields.size(); ++f) {
    Field& field = fields_[f];
    if (!field.used) continue;
    const Planes& users = task.fields[f].users;
    std::uint64_t* packed = field.packed.get(field.users.panel_words(ops_.panel_users) * panels_);
    ops_.pack(users.row(tj * kTile), users.n / 4, columns_, field.users.words, field.masked, packed);
    field.users.data = packed;
  }
}

void CpuKernel::set_requests(const Task& task, std::uint32_t ti) {
  const std::uint32_t total = task.fields.front().requests.count;
  rows_ = std::min(kTile, total - ti * kTile);
  for (std::size_t f = 0; f < task.fields.size(); ++f) {
    Field& field = fields_[f];
    if (!field.used) continue;
    const Planes& requests = task.fields[f].requests;
    field.requests = {requests.row(ti * kTile), nullptr, requests.n / 4, rows_};
    if (const std::uint32_t rest = rows_ % ops_.row_group; rest != 0) {
      const std::size_t stride = field.requests.stride;
      std::uint8_t* tail = field.tail.get(stride * ops_.row_group);
      std::memcpy(tail, field.requests.first + (rows_ - rest) * stride, rest * stride);
      std::memset(tail + rest * stride, 0, (ops_.row_group - rest) * stride);
      field.requests.tail = tail;
    }
    if (task.words != nullptr) {
      // The fused plain form has no K in its score word: xor it into the key instead.
      const std::uint32_t k = fused_ && !field.masked ? requests.n << 16 : 0;
      for (std::uint32_t r = 0; r < rows_; ++r) field.keys[r] = task.words->row[ti * kTile + r] ^ k;
    }
  }
}

bool CpuKernel::fused_tile(const Task& task, std::uint32_t next_ti) {
  const Leaf& leaf = task.predicate->leaves().front();
  Field& field = fields_[leaf.field];
  std::fill_n(masks_.begin(), kMaskWords, 0);
  cpu::FusedTile t;
  t.users = field.users;
  t.requests = field.requests;
  const Planes& requests = task.fields[leaf.field].requests;
  t.next = {requests.row(next_ti * kTile), requests.n / 4, std::min(kTile, requests.count - next_ti * kTile),
            requests.n / (field.masked ? 4 : 8)};
  t.panels = panels_;
  t.coefficients = leaves_.front().coefficients;
  t.limit = field.masked ? leaf.threshold : plain_limit(leaf, field.users.words * 64);
  t.keys = task.words != nullptr ? field.keys.data() : nullptr;
  t.sums = field.sums.data();
  t.masks = masks_.data();
  return ops_.fused(t);
}

bool CpuKernel::general_tile(const Task& task) {
  std::fill(masks_.begin(), masks_.end(), 0);
  std::fill(wsum_masks_.begin(), wsum_masks_.end(), 0);
  for (std::uint32_t p = 0; p < panels_; ++p) {
    for (Field& field : fields_) {
      if (!field.used) continue;
      std::uint32_t* v = field.scores.get(std::size_t{kTile} * ops_.panel_users);
      ops_.scores(field.users, field.requests, p, v);
      if (task.words != nullptr) ops_.sums(v, field.keys.data(), rows_, field.sums.data() + p * ops_.panel_users);
    }
    for (std::size_t l = 0; l < leaves_.size(); ++l) {
      const LeafPlan& leaf = leaves_[l];
      ops_.decide(fields_[leaf.field].scores.get(0), leaf.coefficients, leaf.threshold, rows_, p,
                  &masks_[l * kMaskWords]);
    }
    if (!wsums_.empty()) decide_wsums(task, p);
  }
  task.predicate->combine(masks_, wsum_masks_, kMaskWords, result_, scratch_);
  return true;
}

/// Weighted sums need the scores of several leaves at once; 64-bit arithmetic as in Predicate::matches.
void CpuKernel::decide_wsums(const Task& task, std::uint32_t panel) {
  const auto leaves = task.predicate->leaves();
  const unsigned users = ops_.panel_users;
  for (std::size_t s = 0; s < wsums_.size(); ++s) {
    for (std::uint32_t at = 0; at < rows_ * users; ++at) {
      std::int64_t sum = 0;
      for (const WeightedTerm& term : wsums_[s]->terms) {
        const Leaf& leaf = leaves[term.leaf];
        sum += std::int64_t{term.weight} * leaf.score(fields_[leaf.field].scores.get(0)[at]);
      }
      if (sum < wsums_[s]->imm) continue;
      const std::uint32_t column = panel * users + at % users;
      wsum_masks_[s * kMaskWords + at / users * 4 + column / 64] |= std::uint64_t{1} << column % 64;
    }
  }
}

void CpuKernel::put_digests(const Task& task, std::uint32_t tj, std::uint64_t* digests) const {
  const std::uint64_t* b = task.words->column.data() + std::size_t{tj} * kTile;
  for (std::size_t l = 0; l < leaves_.size(); ++l) {
    const std::uint32_t* sums = fields_[leaves_[l].field].sums.data();
    std::uint64_t digest = 0;
    for (std::uint32_t j = 0; j < columns_; ++j) digest += b[j] * sums[j];
    digests[l] = digest;
  }
}

Done CpuKernel::put_pairs(std::uint32_t ti, std::uint32_t tj, std::uint32_t& count) {
  const std::vector<std::uint64_t>& mask = fused_ ? masks_ : result_;
  const std::size_t before = found_.size();
  for (std::uint32_t r = 0; r < rows_; ++r) {
    for (std::uint32_t w = 0; w * 64 < columns_; ++w) {
      std::uint64_t bits = mask[r * 4 + w];
      if (columns_ - w * 64 < 64) bits &= (std::uint64_t{1} << (columns_ - w * 64)) - 1;
      if (found_.size() + static_cast<unsigned>(std::popcount(bits)) > kMaxPairsPerSlice) return too_many_pairs();
      for (; bits != 0; bits &= bits - 1) {
        found_.push_back({ti * kTile + r, tj * kTile + w * 64 + static_cast<unsigned>(std::countr_zero(bits))});
      }
    }
  }
  count = static_cast<std::uint32_t>(found_.size() - before);
  return done();
}

/// Tiles ran column by column, results are row by row.
void CpuKernel::order_pairs(const TileRange& range, TileResults& out) {
  if (range.columns() == 1 || found_.empty()) {
    out.pairs.assign(found_.begin(), found_.end());
    return;
  }
  out.pairs.reserve(found_.size());
  for (std::size_t tile = 0; tile < out.counts.size(); ++tile) {
    const auto from = found_.begin() + static_cast<std::ptrdiff_t>(start_[tile]);
    out.pairs.insert(out.pairs.end(), from, from + out.counts[tile]);
  }
}

Done CpuKernel::run(const Task& task, TileResults& out, const StopToken& stop) {
  out.digests.clear();
  out.counts.clear();
  out.pairs.clear();
  SPARKMILL_TRY(check_task(task));
  SPARKMILL_TRY(plan(task));
  const TileRange& range = task.tiles;
  const std::size_t leaves = leaves_.size();
  out.counts.resize(range.tiles());
  start_.resize(range.tiles());
  if (task.words != nullptr) out.digests.resize(range.tiles() * leaves);
  for (std::uint32_t tj = range.tj_begin; tj < range.tj_end; ++tj) {
    pack_users(task, tj);
    for (std::uint32_t ti = range.ti_begin; ti < range.ti_end; ++ti) {
      if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
      const std::size_t tile = std::size_t{ti - range.ti_begin} * range.columns() + (tj - range.tj_begin);
      set_requests(task, ti);
      start_[tile] = found_.size();
      const bool any = fused_ ? fused_tile(task, ti + 1 < range.ti_end ? ti + 1 : range.ti_begin) : general_tile(task);
      if (any) SPARKMILL_TRY(put_pairs(ti, tj, out.counts[tile]));
      if (task.words != nullptr) put_digests(task, tj, &out.digests[tile * leaves]);
    }
  }
  order_pairs(range, out);
  return done();
}

template <kernels::Isa kIsa>
kernels::Probe probe(const kernels::Device& device) {
  if (device.id != "cpu") return {false, "runs on the device \"cpu\" only"};
  return kernels::probe_isa(kIsa);
}

template <kernels::Isa kIsa>
Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device&) {
  const kernels::Probe p = kernels::probe_isa(kIsa);
  if (!p.ok) return fail(Status::unsupported, p.why);
  const cpu::Ops& ops = kIsa == kernels::Isa::avx2 ? cpu::avx2_ops() : cpu::avx512_ops();
  return std::unique_ptr<kernels::Kernel>(std::make_unique<CpuKernel>(ops));
}

}  // namespace

kernels::Row avx2_row() {
  constexpr auto kIsa = kernels::Isa::avx2;
  return {kernels::Family::match, kernels::Backend::cpu, "avx2", 60, 2, probe<kIsa>, make<kIsa>};
}

kernels::Row avx512_row() {
  constexpr auto kIsa = kernels::Isa::avx512;
  return {kernels::Family::match, kernels::Backend::cpu, "avx512", 80, 1, probe<kIsa>, make<kIsa>};
}

}  // namespace sparkmill::match
