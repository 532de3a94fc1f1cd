// SPDX-License-Identifier: Apache-2.0
// The row match.h of the job table: validated inputs, and the work bound to one lease.
#include "verify/job/match_h.h"

#include <algorithm>

#include "base/hash.h"
#include "base/hex.h"
#include "verify/job/match_tiles.h"
#include "verify/template/template_file.h"

namespace sparkmill::job {
namespace {

/// What does not depend on the lease; shared by all works of a job.
struct Inputs {
  Job job;
  MatchParams params;
  std::vector<Blob> blobs;  // keep the planes alive
  std::vector<match::FieldPair> fields;
  Grid grid;
};

class MatchWork final : public Work {
 public:
  MatchWork(std::shared_ptr<const Inputs> inputs, const Binding& binding);

  const Job& job() const override { return in_->job; }
  kernels::Family family() const override { return kernels::Family::match; }
  std::unique_ptr<Work> rebind(const Binding& binding) const override {
    return std::make_unique<MatchWork>(in_, binding);
  }
  std::uint64_t units() const override {
    return in_->grid.units({0, in_->grid.tile_rows(), 0, in_->grid.tile_columns()});
  }
  std::uint64_t leaf_count() const override { return in_->grid.tiles(); }
  std::vector<Slice> slice(std::uint64_t target_units) const override { return cut(in_->grid, target_units); }
  Result<Bytes> run(const Slice& slice, kernels::Kernel& kernel, const StopToken& stop) const override;
  Result<Outcome> assemble(std::span<const Bytes> slice_results) const override;
  Done recheck(const Outcome& outcome) const override { return check_answer(outcome.answer); }
  Result<Bytes> open(const Outcome& outcome, std::span<const std::uint64_t> leaves) const override;
  Result<OpeningCheck> check_opening(ByteView opening, std::span<const std::uint64_t> leaves, ByteView answer,
                                     Executor& executor) const override;
  Done check_answer(ByteView answer) const override;
  Result<Outcome> rebuild(ByteView evidence, ByteView answer) const override;

  void words(match::Pair pair, std::span<std::uint32_t> out) const;
  const Inputs& inputs() const { return *in_; }

 private:
  Result<std::vector<match::Pair>> ordered_pairs(ByteView answer) const;
  Finding compare_tile(const SliceView& result, ByteView opened, std::span<const match::Pair> claimed) const;

  std::shared_ptr<const Inputs> in_;
  match::DigestWords words_;
  std::uint64_t tag_ = 0;
};

std::string where(const match::TileRange& r) {
  return "tile (" + std::to_string(r.ti_begin) + ", " + std::to_string(r.tj_begin) + ")";
}

std::string show(match::Pair p) { return "(" + std::to_string(p.i) + ", " + std::to_string(p.j) + ")"; }

MatchWork::MatchWork(std::shared_ptr<const Inputs> inputs, const Binding& binding) : in_(std::move(inputs)) {
  const Hash32 key = Sha256().update("sparkmill/digest/v1").update(binding.context).update(binding.worker_pub).finish();
  words_ = match::expand_digest_words(key, in_->grid.requests, in_->grid.users);
  const Hash32 tag = Sha256().update("sparkmill/slice/v1").update(key).update(in_->job.id).finish();
  std::memcpy(&tag_, tag.data(), sizeof tag_);
}

Result<Bytes> MatchWork::run(const Slice& slice, kernels::Kernel& kernel, const StopToken& stop) const {
  auto* matcher = dynamic_cast<match::Kernel*>(&kernel);
  if (matcher == nullptr) return fail(Status::bad_argument, "match.h: the kernel is of another family");
  const match::TileRange range{slice.range[0], slice.range[1], slice.range[2], slice.range[3]};
  if (!in_->grid.contains(range)) return fail(Status::bad_argument, "match.h: the slice is outside the job");
  match::Task task;
  task.fields = in_->fields;
  task.predicate = &in_->params.predicate;
  task.words = &words_;
  task.tiles = range;
  match::TileResults results;
  SPARKMILL_TRY(matcher->run(task, results, stop));
  if (results.digests.size() != range.tiles() * in_->grid.leaves || results.counts.size() != range.tiles()) {
    return fail(Status::internal, "match.h: the kernel gave results for another number of tiles");
  }
  return encode_slice(tag_, range, in_->grid.leaves, results);
}

Result<Outcome> MatchWork::assemble(std::span<const Bytes> slice_results) const {
  const Grid& grid = in_->grid;
  const std::size_t stride = grid.stride();
  Outcome out;
  out.evidence.resize(grid.tiles() * stride);
  std::vector<bool> seen(grid.tiles());
  std::vector<match::Pair> pairs;
  std::uint64_t covered = 0;
  for (const Bytes& bytes : slice_results) {
    SPARKMILL_ASSIGN(const SliceView slice, SliceView::parse(bytes, grid, tag_));
    if (pairs.size() + slice.pairs().size() > kMaxAnswerPairs) {
      return fail(Status::too_large, "match.h: the job finds more than " + std::to_string(kMaxAnswerPairs) + " pairs",
                  "raise the predicate's thresholds");
    }
    pairs.insert(pairs.end(), slice.pairs().begin(), slice.pairs().end());
    const match::TileRange& r = slice.range();
    for (std::uint64_t t = 0; t < r.tiles(); ++t, ++covered) {
      const std::uint64_t tile =
          (r.ti_begin + t / r.columns()) * std::uint64_t{grid.tile_columns()} + r.tj_begin + t % r.columns();
      if (seen[tile]) return fail(Status::bad_input, "slice results: " + where(grid.range_of(tile)) + " comes twice");
      seen[tile] = true;
      std::uint8_t* at = out.evidence.data() + tile * stride;
      const std::uint32_t count = slice.count(t);
      std::memcpy(at, slice.digests(t).data(), stride - sizeof count);
      std::memcpy(at + stride - sizeof count, &count, sizeof count);
    }
  }
  if (covered != grid.tiles()) {
    return fail(Status::bad_input, "slice results: " + std::to_string(grid.tiles() - covered) + " of " +
                                       std::to_string(grid.tiles()) + " tiles are missing");
  }
  std::sort(pairs.begin(), pairs.end(), [&grid](match::Pair a, match::Pair b) {
    const std::uint64_t ta = grid.tile_of(a);
    const std::uint64_t tb = grid.tile_of(b);
    return ta != tb ? ta < tb : a < b;
  });
  const Bytes answer = encode_pairs(pairs);
  return rebuild(out.evidence, answer);
}

Result<Outcome> MatchWork::rebuild(ByteView evidence, ByteView answer) const {
  const Grid& grid = in_->grid;
  const std::size_t stride = grid.stride();
  if (evidence.size() != grid.tiles() * stride) {
    return fail(Status::bad_input, "evidence: " + std::to_string(evidence.size()) + " bytes, this job has " +
                                       std::to_string(grid.tiles() * stride));
  }
  SPARKMILL_ASSIGN(const std::vector<match::Pair> pairs, ordered_pairs(answer));
  Outcome out;
  out.leaves.reserve(grid.tiles());
  std::size_t at = 0;
  for (std::uint64_t tile = 0; tile < grid.tiles(); ++tile) {
    const ByteView entry = evidence.subspan(tile * stride, stride);
    std::uint32_t count = 0;
    std::memcpy(&count, entry.data() + stride - sizeof count, sizeof count);
    std::size_t end = at;
    while (end < pairs.size() && grid.tile_of(pairs[end]) == tile) ++end;
    const match::TileRange r = grid.range_of(tile);
    if (end - at != count) {
      return fail(Status::mismatch, "evidence: " + where(r) + " counts " + std::to_string(count) +
                                        " pairs, the answer has " + std::to_string(end - at));
    }
    out.leaves.push_back(
        leaf_hash(r.ti_begin, r.tj_begin, entry.first(stride - sizeof count), std::span(pairs).subspan(at, count)));
    at = end;
  }
  out.evidence.assign(evidence.begin(), evidence.end());
  out.answer.assign(answer.begin(), answer.end());
  return out;
}

Result<Bytes> MatchWork::open(const Outcome& outcome, std::span<const std::uint64_t> leaves) const {
  const std::size_t stride = in_->grid.stride();
  if (outcome.evidence.size() != leaf_count() * stride) {
    return fail(Status::bad_argument, "match.h: the outcome belongs to another job");
  }
  Bytes out;
  out.reserve(leaves.size() * stride);
  for (const std::uint64_t leaf : leaves) {
    if (leaf >= leaf_count()) return fail(Status::bad_argument, "match.h: leaf " + std::to_string(leaf) + " to open");
    const auto at = outcome.evidence.begin() + static_cast<std::ptrdiff_t>(leaf * stride);
    out.insert(out.end(), at, at + static_cast<std::ptrdiff_t>(stride));
  }
  return out;
}

Finding MatchWork::compare_tile(const SliceView& result, ByteView opened, std::span<const match::Pair> claimed) const {
  const ByteView digests = result.digests(0);
  for (std::size_t leaf = 0; leaf < in_->grid.leaves; ++leaf) {
    const std::size_t at = leaf * sizeof(std::uint64_t);
    if (std::memcmp(opened.data() + at, digests.data() + at, sizeof(std::uint64_t)) != 0) {
      return {"leaf_mismatch", where(result.range()) + ": the digest of predicate leaf " + std::to_string(leaf) +
                                   " is not that of the recomputed scores"};
    }
  }
  std::uint32_t count = 0;
  std::memcpy(&count, opened.data() + digests.size(), sizeof count);
  if (count != result.count(0)) {
    return {"leaf_mismatch", where(result.range()) + ": " + std::to_string(count) + " pairs counted, recomputed " +
                                 std::to_string(result.count(0))};
  }
  const std::vector<match::Pair>& real = result.pairs();
  for (std::size_t k = 0; k < std::max(real.size(), claimed.size()); ++k) {
    if (k >= claimed.size() || (k < real.size() && real[k] < claimed[k])) {
      return {"missing_pair", where(result.range()) + ": the answer lacks pair " + show(real[k])};
    }
    if (k >= real.size() || claimed[k] < real[k]) {
      return {"false_pair", where(result.range()) + ": the answer claims pair " + show(claimed[k])};
    }
  }
  return {};
}

Result<OpeningCheck> MatchWork::check_opening(ByteView opening, std::span<const std::uint64_t> leaves, ByteView answer,
                                              Executor& executor) const {
  const Grid& grid = in_->grid;
  const std::size_t stride = grid.stride();
  if (opening.size() != leaves.size() * stride) {
    return OpeningCheck{{"malformed", "opening: " + std::to_string(opening.size()) + " bytes for " +
                                          std::to_string(leaves.size()) + " tiles of " + std::to_string(stride)},
                        {}};
  }
  auto pairs = ordered_pairs(answer);
  if (!pairs) return OpeningCheck{{"malformed", pairs.error().message}, {}};
  std::vector<Slice> slices;
  for (std::size_t k = 0; k < leaves.size(); ++k) {
    if (leaves[k] >= grid.tiles() || (k > 0 && leaves[k] <= leaves[k - 1])) {
      return fail(Status::bad_argument, "match.h: leaves to check must ascend and exist");
    }
    const match::TileRange r = grid.range_of(leaves[k]);
    slices.push_back({static_cast<std::uint32_t>(k), {r.ti_begin, r.ti_end, r.tj_begin, r.tj_end}, grid.units(r)});
  }
  std::vector<Finding> findings(leaves.size());
  std::vector<Hash32> hashes(leaves.size());
  std::size_t finished = 0;
  const auto take = [&](const Slice& slice, Bytes bytes) -> Done {
    SPARKMILL_ASSIGN(const SliceView result, SliceView::parse(bytes, grid, tag_));
    const std::uint64_t tile = leaves[slice.index];
    const match::TileRange& r = result.range();
    if (r.tiles() != 1 || r.ti_begin != slice.range[0] || r.tj_begin != slice.range[2]) {
      return fail(Status::internal, "match.h: the executor ran another tile than asked for");
    }
    const auto begin =
        std::partition_point(pairs->begin(), pairs->end(), [&](match::Pair p) { return grid.tile_of(p) < tile; });
    const auto end = std::partition_point(begin, pairs->end(), [&](match::Pair p) { return grid.tile_of(p) == tile; });
    findings[slice.index] = compare_tile(result, opening.subspan(slice.index * stride, stride), {begin, end});
    hashes[slice.index] = leaf_hash(r.ti_begin, r.tj_begin, result.digests(0), result.pairs());
    ++finished;
    return done();
  };
  SPARKMILL_TRY(executor.run(*this, slices, take, {}));
  if (finished != slices.size()) return fail(Status::internal, "match.h: the executor left tiles out");
  for (const Finding& finding : findings) {
    if (!finding.ok()) return OpeningCheck{finding, {}};
  }
  return OpeningCheck{{}, std::move(hashes)};
}

Result<std::vector<match::Pair>> MatchWork::ordered_pairs(ByteView answer) const {
  auto pairs = decode_pairs(answer);
  if (pairs && !in_answer_order(in_->grid, *pairs)) {
    return fail(Status::bad_input, "answer: pairs are not in tile order, come twice or are outside the job");
  }
  return pairs;
}

Done MatchWork::check_answer(ByteView answer) const {
  SPARKMILL_ASSIGN(const std::vector<match::Pair> pairs, ordered_pairs(answer));
  std::vector<std::uint32_t> v(in_->grid.leaves);
  for (const match::Pair p : pairs) {
    words(p, v);
    if (!in_->params.predicate.matches(v)) {
      return fail(Status::mismatch, "pair " + show(p) + " does not satisfy the predicate");
    }
  }
  return done();
}

void MatchWork::words(match::Pair pair, std::span<std::uint32_t> out) const {
  const auto leaves = in_->params.predicate.leaves();
  for (std::size_t k = 0; k < leaves.size(); ++k) {
    const match::FieldPair& f = in_->fields[leaves[k].field];
    out[k] = match::score_word(f.requests.row(pair.i), f.users.row(pair.j), f.requests.n);
  }
}

/// One template file of the job, checked against what the params promise.
Result<templates::TemplateFile> load(BlobSource& blobs, const Hash32& hash, const std::string& what, std::uint32_t rows,
                                     std::vector<Blob>& owners) {
  auto blob = blobs.get(hash);
  if (!blob) return fail(blob.status(), what + ": " + blob.error().message, blob.error().hint);
  if (reinterpret_cast<std::uintptr_t>(blob->bytes.data()) % 8 != 0) {
    return fail(Status::bad_argument, what + ": the blob's bytes are not 8-byte aligned");
  }
  SPARKMILL_ASSIGN(templates::TemplateFile file, templates::parse(blob->bytes, what));
  if (file.header.rows != rows) {
    return fail(Status::bad_input,
                what + ": " + std::to_string(file.header.rows) + " rows, the job says " + std::to_string(rows));
  }
  owners.push_back(std::move(*blob));
  return file;
}

Done load_fields(Inputs& in, BlobSource& blobs) {
  for (std::size_t f = 0; f < in.params.fields; ++f) {
    const std::string name = "field " + std::to_string(f);
    SPARKMILL_ASSIGN(const templates::TemplateFile requests,
                     load(blobs, in.job.blobs[2 * f], name + ", requests", in.params.requests, in.blobs));
    SPARKMILL_ASSIGN(const templates::TemplateFile users,
                     load(blobs, in.job.blobs[2 * f + 1], name + ", users", in.params.users, in.blobs));
    if (requests.header.n != users.header.n) {
      return fail(Status::bad_input, name + ": requests have n = " + std::to_string(requests.header.n) +
                                         ", users n = " + std::to_string(users.header.n));
    }
    if (requests.header.app != users.header.app) {
      return fail(Status::bad_input,
                  name + ": requests are of application " + to_hex(requests.header.app) + ", users of " +
                      to_hex(users.header.app),
                  "enrol both sides with the same secret and epoch");
    }
    if (requests.header.field != users.header.field) {
      return fail(Status::bad_input, name + ": requests are enrolled as field " +
                                         std::to_string(requests.header.field) + ", users as field " +
                                         std::to_string(users.header.field));
    }
    in.fields.push_back({requests.planes, users.planes});
  }
  return done();
}

}  // namespace

Result<std::unique_ptr<Work>> open_match_h(const Job& job, BlobSource& blobs, const Binding& binding) {
  SPARKMILL_ASSIGN(MatchParams params, decode_match_params(job.params));
  auto in = std::make_shared<Inputs>(Inputs{job, std::move(params), {}, {}, {}});
  const std::size_t expected = 2 * std::size_t{in->params.fields};
  if (job.blobs.size() != expected) {
    return fail(Status::bad_input, "match.h: " + std::to_string(job.blobs.size()) + " blobs for " +
                                       std::to_string(in->params.fields) + " field(s), expected " +
                                       std::to_string(expected));
  }
  in->grid.requests = in->params.requests;
  in->grid.users = in->params.users;
  in->grid.leaves = static_cast<std::uint32_t>(in->params.predicate.leaves().size());
  if (in->grid.tiles() > kMaxTiles) {
    return fail(Status::too_large,
                "match.h: " + std::to_string(in->grid.tiles()) + " tiles, at most " + std::to_string(kMaxTiles),
                "split the requests or the users into several jobs");
  }
  SPARKMILL_TRY(load_fields(*in, blobs));
  for (const match::Leaf& leaf : in->params.predicate.leaves())
    in->grid.weight32 += in->fields[leaf.field].users.n / 64;
  return std::unique_ptr<Work>(std::make_unique<MatchWork>(std::move(in), binding));
}

Result<std::vector<match::Pair>> final_pairs(const Work& work, ByteView answer) {
  const auto* match_work = dynamic_cast<const MatchWork*>(&work);
  if (match_work == nullptr) return fail(Status::bad_argument, "final_pairs needs a match.h job");
  SPARKMILL_ASSIGN(std::vector<match::Pair> pairs, decode_pairs(answer));
  const Inputs& in = match_work->inputs();
  if (!in_answer_order(in.grid, pairs)) return fail(Status::bad_input, "answer: pairs out of order or outside the job");
  return apply_limit(in.params.predicate, in.job.id, std::move(pairs),
                     [match_work](match::Pair p, std::span<std::uint32_t> v) { match_work->words(p, v); });
}

}  // namespace sparkmill::job
