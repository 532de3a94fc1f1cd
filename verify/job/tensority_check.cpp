// SPDX-License-Identifier: Apache-2.0
#include "verify/job/tensority_check.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "base/hash.h"
#include "kernels/tensority/epoch_cache.h"
#include "verify/chain/difficulty.h"
#include "verify/job/tensority_search.h"

namespace sparkmill::job {
namespace {

constexpr std::uint16_t kVersion = 1;
constexpr std::uint64_t kSeedUnits = 3;  // 26 ms against 9 ms for a hash
constexpr std::size_t kEvidenceBytes = sizeof(Hash32);
constexpr std::size_t kSliceEntryBytes = kEvidenceBytes + 1;

Error bad(const std::string& why) { return fail(Status::bad_input, "tensority.check: " + why); }

bool passes(const BlockEntry& entry, const Hash32& result) {
  return chain::meets(result, chain::target_from_bits(entry.bits));
}

Result<std::uint32_t> decode_params(ByteView bytes) {
  ByteReader r(bytes);
  const std::uint16_t version = r.u16();
  const std::uint16_t reserved = r.u16();
  const std::uint32_t count = r.u32();
  if (!r.done() || version != kVersion || reserved != 0) return bad("params are not version 1 and 8 bytes");
  if (count == 0 || count > kMaxBlockEntries) return bad("count is " + std::to_string(count));
  return count;
}

Bytes encode_params(std::size_t count) {
  return ByteWriter().u16(kVersion).u16(0).u32(static_cast<std::uint32_t>(count)).data();
}

Bytes encode_verdicts(ByteView verdicts) {
  return ByteWriter().u32(static_cast<std::uint32_t>(verdicts.size())).bytes(verdicts).data();
}

Result<ByteView> decode_verdicts(ByteView answer, std::size_t count) {
  ByteReader r(answer);
  const std::uint32_t said = r.u32();
  const ByteView verdicts = r.bytes(count);
  if (!r.done() || said != count) return bad("the answer does not have a verdict for each entry");
  if (std::any_of(verdicts.begin(), verdicts.end(), [](std::uint8_t v) { return v > 1; })) {
    return bad("a verdict is neither 0 nor 1");
  }
  return verdicts;
}

Hash32 leaf_of(std::uint32_t index, std::uint8_t verdict, ByteView evidence) {
  return sha256(ByteWriter().u8(0).u32(index).u8(verdict).bytes(evidence).data());
}

struct Inputs {
  Job job;
  std::vector<BlockEntry> entries;
  bool new_seed(std::size_t at) const { return at == 0 || entries[at].seed != entries[at - 1].seed; }
  std::uint64_t units(std::size_t at) const { return 1 + (new_seed(at) ? kSeedUnits : 0); }
};

class CheckWork final : public Work {
 public:
  CheckWork(std::shared_ptr<const Inputs> inputs, const Binding& binding) : in_(std::move(inputs)) {
    key_ = Sha256().update("sparkmill/digest/v1").update(binding.context).update(binding.worker_pub).finish();
    const Hash32 tag = Sha256().update("sparkmill/slice/v1").update(key_).update(in_->job.id).finish();
    std::memcpy(&tag_, tag.data(), sizeof tag_);
  }
  const Job& job() const override { return in_->job; }
  kernels::Family family() const override { return kernels::Family::tensority; }
  std::unique_ptr<Work> rebind(const Binding& binding) const override {
    return std::make_unique<CheckWork>(in_, binding);
  }
  std::uint64_t units() const override {
    std::uint64_t sum = 0;
    for (std::size_t k = 0; k < in_->entries.size(); ++k) sum += in_->units(k);
    return sum;
  }
  std::uint64_t leaf_count() const override { return in_->entries.size(); }
  std::vector<Slice> slice(std::uint64_t target_units) const override;
  Result<Bytes> run(const Slice& slice, kernels::Kernel& kernel, const StopToken& stop) const override;
  Result<Outcome> assemble(std::span<const Bytes> slice_results) const override;
  Done recheck(const Outcome& outcome) const override;
  Result<Bytes> open(const Outcome& outcome, std::span<const std::uint64_t> leaves) const override;
  Result<OpeningCheck> check_opening(ByteView opening, std::span<const std::uint64_t> leaves, ByteView answer,
                                     Executor& executor) const override;
  Done check_answer(ByteView answer) const override { return check_refusals(answer, {}); }
  Result<Outcome> rebuild(ByteView evidence, ByteView answer) const override;

 private:
  /// A parsed slice result.
  struct Part {
    std::uint32_t first = 0;
    ByteView entries;
    std::size_t count() const { return entries.size() / kSliceEntryBytes; }
    ByteView evidence(std::size_t k) const { return entries.subspan(k * kSliceEntryBytes, kEvidenceBytes); }
    std::uint8_t verdict(std::size_t k) const { return entries[k * kSliceEntryBytes + kEvidenceBytes]; }
  };
  Result<Part> parse(ByteView bytes) const;
  Done check_refusals(ByteView answer, std::span<const std::string> not_by) const;
  Hash32 evidence_of(std::uint32_t index, const Hash32& result) const {
    return Sha256()
        .update("sparkmill/block-digest/v1")
        .update(key_)
        .update(ByteWriter().u32(index).data())
        .update(result)
        .finish();
  }

  std::shared_ptr<const Inputs> in_;
  Hash32 key_{};
  std::uint64_t tag_ = 0;
  mutable std::mutex mutex_;
  mutable std::set<std::string> used_rows_;  ///< what recheck() must not use
};

std::vector<Slice> CheckWork::slice(std::uint64_t target_units) const {
  std::vector<Slice> out;
  Slice slice;
  const auto total = static_cast<std::uint32_t>(in_->entries.size());
  for (std::uint32_t k = 0; k < total; ++k) {
    slice.units += in_->units(k);
    if (slice.units < target_units && k + 1 != total) continue;
    slice.index = static_cast<std::uint32_t>(out.size());
    slice.range[1] = k + 1;
    out.push_back(slice);
    slice = {};
    slice.range[0] = k + 1;
  }
  return out;
}

Result<Bytes> CheckWork::run(const Slice& slice, kernels::Kernel& kernel, const StopToken& stop) const {
  auto* hasher = dynamic_cast<tensority::Kernel*>(&kernel);
  if (hasher == nullptr) return fail(Status::bad_argument, "tensority.check: the kernel is of another family");
  const std::uint32_t first = slice.range[0];
  const std::uint32_t end = slice.range[1];
  if (first >= end || end > in_->entries.size())
    return fail(Status::bad_argument, "the slice leaves the job's entries");
  {
    const std::lock_guard lock(mutex_);
    used_rows_.insert(kernel.row_id());
  }
  ByteWriter w;
  w.u64(tag_).u32(first).u32(end - first);
  for (std::uint32_t at = first; at < end;) {
    std::vector<Hash32> headers;
    const Hash32& seed = in_->entries[at].seed;
    std::uint32_t next = at;
    while (next < end && in_->entries[next].seed == seed) headers.push_back(in_->entries[next++].header_hash);
    SPARKMILL_ASSIGN(const auto epoch, tensority::epochs().get(seed, stop));
    std::vector<Hash32> results(headers.size());
    SPARKMILL_TRY(hasher->hash(*epoch, headers, results, stop));
    for (const Hash32& result : results) {
      w.bytes(evidence_of(at, result)).u8(passes(in_->entries[at], result) ? 1 : 0);
      ++at;
    }
  }
  return std::move(w).data();
}

Result<CheckWork::Part> CheckWork::parse(ByteView bytes) const {
  ByteReader r(bytes);
  const std::uint64_t tag = r.u64();
  Part part;
  part.first = r.u32();
  const std::uint32_t count = r.u32();
  if (r.failed() || tag != tag_) return bad("a slice result of another job or lease");
  if (part.first >= in_->entries.size() || count == 0 || count > in_->entries.size() - part.first ||
      r.left() != count * kSliceEntryBytes) {
    return bad("a slice result with another number of entries");
  }
  part.entries = r.bytes(r.left());
  return part;
}

Result<Outcome> CheckWork::assemble(std::span<const Bytes> slice_results) const {
  const std::size_t total = in_->entries.size();
  Bytes evidence(total * kEvidenceBytes);
  Bytes verdicts(total);
  std::vector<bool> seen(total);
  std::size_t covered = 0;
  for (const Bytes& bytes : slice_results) {
    SPARKMILL_ASSIGN(const Part part, parse(bytes));
    for (std::size_t k = 0; k < part.count(); ++k, ++covered) {
      const std::size_t at = part.first + k;
      if (seen[at]) return bad("entry " + std::to_string(at) + " comes twice");
      seen[at] = true;
      verdicts[at] = part.verdict(k);
      std::copy_n(part.evidence(k).begin(), kEvidenceBytes,
                  evidence.begin() + static_cast<std::ptrdiff_t>(at * kEvidenceBytes));
    }
  }
  if (covered != total) return bad(std::to_string(total - covered) + " entries are missing");
  return rebuild(evidence, encode_verdicts(verdicts));
}

Result<Outcome> CheckWork::rebuild(ByteView evidence, ByteView answer) const {
  const std::size_t total = in_->entries.size();
  if (evidence.size() != total * kEvidenceBytes)
    return bad("evidence of " + std::to_string(evidence.size()) + " bytes");
  SPARKMILL_ASSIGN(const ByteView verdicts, decode_verdicts(answer, total));
  Outcome out;
  for (std::size_t k = 0; k < total; ++k) {
    out.leaves.push_back(
        leaf_of(static_cast<std::uint32_t>(k), verdicts[k], evidence.subspan(k * kEvidenceBytes, kEvidenceBytes)));
  }
  out.evidence.assign(evidence.begin(), evidence.end());
  out.answer.assign(answer.begin(), answer.end());
  return out;
}

Done CheckWork::recheck(const Outcome& outcome) const {
  std::vector<std::string> used;
  {
    const std::lock_guard lock(mutex_);
    used.assign(used_rows_.begin(), used_rows_.end());
  }
  return check_refusals(outcome.answer, used);
}

Done CheckWork::check_refusals(ByteView answer, std::span<const std::string> not_by) const {
  SPARKMILL_ASSIGN(const ByteView verdicts, decode_verdicts(answer, in_->entries.size()));
  for (std::size_t k = 0; k < verdicts.size(); ++k) {
    if (verdicts[k] != 0) continue;
    const BlockEntry& entry = in_->entries[k];
    SPARKMILL_ASSIGN(const auto epoch, tensority::epochs().get(entry.seed));
    SPARKMILL_ASSIGN(const Hash32 result, recompute(*epoch, entry.header_hash, not_by));
    if (passes(entry, result)) {
      return fail(Status::mismatch, "block " + std::to_string(entry.height) + " is called invalid and is not");
    }
  }
  return done();
}

Result<Bytes> CheckWork::open(const Outcome& outcome, std::span<const std::uint64_t> leaves) const {
  if (outcome.evidence.size() != leaf_count() * kEvidenceBytes) {
    return fail(Status::bad_argument, "tensority.check: the outcome belongs to another job");
  }
  Bytes out;
  for (const std::uint64_t leaf : leaves) {
    if (leaf >= leaf_count()) return fail(Status::bad_argument, "tensority.check: leaf " + std::to_string(leaf));
    const auto at = outcome.evidence.begin() + static_cast<std::ptrdiff_t>(leaf * kEvidenceBytes);
    out.insert(out.end(), at, at + static_cast<std::ptrdiff_t>(kEvidenceBytes));
  }
  return out;
}

Result<OpeningCheck> CheckWork::check_opening(ByteView opening, std::span<const std::uint64_t> leaves, ByteView answer,
                                              Executor& executor) const {
  if (opening.size() != leaves.size() * kEvidenceBytes) {
    return OpeningCheck{{"malformed", "opening: " + std::to_string(opening.size()) + " bytes"}, {}};
  }
  const auto verdicts = decode_verdicts(answer, in_->entries.size());
  if (!verdicts) return OpeningCheck{{"malformed", verdicts.error().message}, {}};
  std::vector<Slice> slices;
  for (std::size_t k = 0; k < leaves.size(); ++k) {
    if (leaves[k] >= leaf_count()) return fail(Status::bad_argument, "tensority.check: leaves to check must exist");
    const auto at = static_cast<std::uint32_t>(leaves[k]);
    slices.push_back({static_cast<std::uint32_t>(k), {at, at + 1, 0, 0}, 1});
  }
  OpeningCheck check;
  check.leaves.resize(leaves.size());
  const auto take = [&](const Slice& slice, Bytes bytes) -> Done {
    SPARKMILL_ASSIGN(const Part part, parse(bytes));
    const std::uint32_t at = slice.range[0];
    const ByteView shown = opening.subspan(slice.index * kEvidenceBytes, kEvidenceBytes);
    if (!std::equal(shown.begin(), shown.end(), part.evidence(0).begin())) {
      check.finding = {"leaf_mismatch", "entry " + std::to_string(at) + ": the evidence is not that of its hash"};
    } else if ((*verdicts)[at] != part.verdict(0)) {
      check.finding = {"leaf_mismatch", "entry " + std::to_string(at) + ": the verdict is wrong"};
    }
    check.leaves[slice.index] = leaf_of(at, part.verdict(0), part.evidence(0));
    return done();
  };
  SPARKMILL_TRY(executor.run(*this, slices, take, {}));
  if (!check.finding.ok()) check.leaves.clear();
  return check;
}

}  // namespace

Bytes encode_block_entries(std::span<const BlockEntry> entries) {
  ByteWriter w;
  for (const BlockEntry& e : entries) w.u64(e.height).u64(e.bits).bytes(e.header_hash).bytes(e.seed);
  return std::move(w).data();
}

Result<std::vector<BlockEntry>> decode_block_entries(ByteView bytes) {
  if (bytes.empty() || bytes.size() % kBlockEntryBytes != 0 || bytes.size() / kBlockEntryBytes > kMaxBlockEntries) {
    return bad("a blob of " + std::to_string(bytes.size()) + " bytes, expected 1 to " +
               std::to_string(kMaxBlockEntries) + " entries of " + std::to_string(kBlockEntryBytes));
  }
  std::vector<BlockEntry> entries(bytes.size() / kBlockEntryBytes);
  ByteReader r(bytes);
  for (BlockEntry& e : entries) {
    e.height = r.u64();
    e.bits = r.u64();
    e.header_hash = r.array<32>();
    e.seed = r.array<32>();
  }
  return entries;
}

Job make_check_job(std::span<const BlockEntry> entries, std::uint64_t deadline_unix_ms) {
  Job job;
  job.salt = random_array<16>();
  job.kind = Kind::tensority_check;
  job.deadline_unix_ms = deadline_unix_ms;
  job.params = encode_params(entries.size());
  job.blobs = {sha256(encode_block_entries(entries))};
  seal(job);
  return job;
}

Result<std::unique_ptr<Work>> open_tensority_check(const Job& job, BlobSource& blobs, const Binding& binding) {
  SPARKMILL_ASSIGN(const std::uint32_t count, decode_params(job.params));
  if (job.blobs.size() != 1) return bad(std::to_string(job.blobs.size()) + " blobs, expected 1");
  SPARKMILL_ASSIGN(const Blob blob, blobs.get(job.blobs[0]));
  auto in = std::make_shared<Inputs>();
  in->job = job;
  SPARKMILL_ASSIGN(in->entries, decode_block_entries(blob.bytes));
  if (in->entries.size() != count) return bad("the blob has another number of entries than the params say");
  return std::unique_ptr<Work>(std::make_unique<CheckWork>(std::move(in), binding));
}

Result<std::vector<Piece>> split_tensority_check(const Job& whole, BlobSource& blobs, std::uint64_t target_units,
                                                 const KeepBlob& keep) {
  SPARKMILL_ASSIGN(const auto work, open_tensority_check(whole, blobs, {}));
  SPARKMILL_ASSIGN(const Blob blob, blobs.get(whole.blobs[0]));
  const std::vector<Slice> ranges = work->slice(target_units);
  if (ranges.size() > kMaxPieces) {
    return fail(Status::too_large, "tensority.check: more than " + std::to_string(kMaxPieces) + " pieces",
                "ask for larger units");
  }
  std::vector<Piece> pieces;
  for (const Slice& range : ranges) {
    const std::size_t count = range.range[1] - range.range[0];
    const ByteView part = blob.bytes.subspan(range.range[0] * kBlockEntryBytes, count * kBlockEntryBytes);
    Piece piece;
    piece.origin = {range.range[0], 0};
    piece.job.params = encode_params(count);
    piece.job.blobs = {sha256(part)};
    SPARKMILL_TRY(keep(Bytes(part.begin(), part.end())));
    seal_piece(whole, piece);
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

Result<Bytes> combine_tensority_check(const Job& whole, std::span<const PieceAnswer> parts) {
  SPARKMILL_ASSIGN(const std::uint32_t total, decode_params(whole.params));
  std::vector<const PieceAnswer*> sorted;
  for (const PieceAnswer& part : parts) sorted.push_back(&part);
  std::sort(sorted.begin(), sorted.end(),
            [](const PieceAnswer* a, const PieceAnswer* b) { return a->piece->origin[0] < b->piece->origin[0]; });
  Bytes verdicts;
  for (const PieceAnswer* part : sorted) {
    SPARKMILL_ASSIGN(const std::uint32_t count, decode_params(part->piece->job.params));
    if (part->piece->origin[0] != verdicts.size()) {
      return bad("a gap or overlap at entry " + std::to_string(verdicts.size()));
    }
    SPARKMILL_ASSIGN(const ByteView own, decode_verdicts(part->answer, count));
    verdicts.insert(verdicts.end(), own.begin(), own.end());
  }
  if (verdicts.size() != total) return bad("the pieces have another number of entries than the job");
  return encode_verdicts(verdicts);
}

}  // namespace sparkmill::job
