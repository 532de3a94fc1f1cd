// SPDX-License-Identifier: Apache-2.0
#include "verify/job/items.h"

#include <algorithm>
#include <numeric>

#include "base/hash.h"
#include "kernels/backend/discover.h"

namespace sparkmill::job {
namespace {

constexpr std::size_t kEntryBytes = kEvidenceBytes + 1;
constexpr std::uint8_t kGood = 1;

Hash32 leaf_of(std::uint32_t index, std::uint8_t verdict, ByteView evidence) {
  return sha256(ByteWriter().u8(0).u32(index).u8(verdict).bytes(evidence).data());
}

}  // namespace

/// A parsed slice result.
struct ItemWork::Part {
  std::uint32_t first = 0;
  ByteView entries;
  std::size_t count() const { return entries.size() / kEntryBytes; }
  ByteView evidence(std::size_t k) const { return entries.subspan(k * kEntryBytes, kEvidenceBytes); }
  std::uint8_t verdict(std::size_t k) const { return entries[k * kEntryBytes + kEvidenceBytes]; }
};

Error ItemWork::bad(const std::string& why) const { return fail(Status::bad_input, std::string(what()) + ": " + why); }

void ItemWork::bind(const Binding& binding) {
  binding_ = binding;
  const Hash32 key = Sha256().update("sparkmill/digest/v1").update(binding.context).update(binding.worker_pub).finish();
  const Hash32 tag = Sha256().update("sparkmill/slice/v1").update(key).update(job().id).finish();
  std::memcpy(&tag_, tag.data(), sizeof tag_);
}

std::unique_ptr<Work> ItemWork::rebind(const Binding& binding) const {
  std::unique_ptr<ItemWork> other = clone();
  other->bind(binding);
  return other;
}

std::vector<Slice> ItemWork::slice(std::uint64_t target_units) const {
  std::vector<Slice> out;
  Slice slice;
  const auto total = static_cast<std::uint32_t>(items());
  for (std::uint32_t k = 0; k < total; ++k) {
    slice.units = units_before(k + 1) - units_before(slice.range[0]);
    if (slice.units < target_units && k + 1 != total) continue;
    slice.index = static_cast<std::uint32_t>(out.size());
    slice.range[1] = k + 1;
    out.push_back(slice);
    slice = {};
    slice.range[0] = k + 1;
  }
  return out;
}

Result<Bytes> ItemWork::run(const Slice& slice, kernels::Kernel& kernel, const StopToken& stop) const {
  const std::uint32_t first = slice.range[0], end = slice.range[1];
  if (first >= end || end > (chosen_.empty() ? items() : chosen_.size())) {
    return fail(Status::bad_argument, std::string(what()) + ": the slice leaves the job's items");
  }
  {
    const std::lock_guard lock(mutex_);
    used_rows_.insert(kernel.row_id());
  }
  std::vector<std::uint32_t> indices(end - first);
  if (chosen_.empty()) {
    std::iota(indices.begin(), indices.end(), first);
  } else {
    std::copy(chosen_.begin() + first, chosen_.begin() + end, indices.begin());
  }
  Bytes verdicts(indices.size());
  std::vector<Hash32> evidence(indices.size());
  SPARKMILL_TRY(decide(indices, kernel, stop, verdicts, evidence));
  ByteWriter w;
  w.u64(tag_).u32(first).u32(end - first);
  for (std::size_t k = 0; k < indices.size(); ++k) w.bytes(evidence[k]).u8(verdicts[k]);
  return std::move(w).data();
}

Result<ItemWork::Part> ItemWork::parse(ByteView bytes) const {
  ByteReader r(bytes);
  const std::uint64_t tag = r.u64();
  Part part;
  part.first = r.u32();
  const std::uint32_t count = r.u32();
  const std::size_t total = chosen_.empty() ? items() : chosen_.size();
  if (r.failed() || tag != tag_) return bad("a slice result of another job or lease");
  if (part.first >= total || count == 0 || count > total - part.first || r.left() != count * kEntryBytes) {
    return bad("a slice result with another number of items");
  }
  part.entries = r.bytes(r.left());
  return part;
}

Result<Outcome> ItemWork::assemble(std::span<const Bytes> slice_results) const {
  const std::size_t total = items();
  Bytes evidence(total * kEvidenceBytes);
  Bytes verdicts(total);
  std::vector<bool> seen(total);
  std::size_t covered = 0;
  for (const Bytes& bytes : slice_results) {
    SPARKMILL_ASSIGN(const Part part, parse(bytes));
    for (std::size_t k = 0; k < part.count(); ++k, ++covered) {
      const std::size_t at = part.first + k;
      if (seen[at]) return bad("item " + std::to_string(at) + " comes twice");
      seen[at] = true;
      verdicts[at] = part.verdict(k);
      std::copy_n(part.evidence(k).begin(), kEvidenceBytes,
                  evidence.begin() + static_cast<std::ptrdiff_t>(at * kEvidenceBytes));
    }
  }
  if (covered != total) return bad(std::to_string(total - covered) + " items are missing");
  return rebuild(evidence, encode_answer(verdicts));
}

Result<Outcome> ItemWork::rebuild(ByteView evidence, ByteView answer) const {
  const std::size_t total = items();
  if (evidence.size() != total * kEvidenceBytes) {
    return bad("evidence of " + std::to_string(evidence.size()) + " bytes, expected " +
               std::to_string(total * kEvidenceBytes));
  }
  SPARKMILL_ASSIGN(const Bytes verdicts, decode_answer(answer));
  Outcome out;
  out.leaves.reserve(total);
  for (std::size_t k = 0; k < total; ++k) {
    out.leaves.push_back(
        leaf_of(static_cast<std::uint32_t>(k), verdicts[k], evidence.subspan(k * kEvidenceBytes, kEvidenceBytes)));
  }
  out.evidence.assign(evidence.begin(), evidence.end());
  out.answer.assign(answer.begin(), answer.end());
  return out;
}

Done ItemWork::recheck(const Outcome& outcome) const {
  std::vector<std::string> used;
  {
    const std::lock_guard lock(mutex_);
    used.assign(used_rows_.begin(), used_rows_.end());
  }
  SPARKMILL_ASSIGN(const Bytes verdicts, decode_answer(outcome.answer));
  return check_bad(verdicts, used);
}

Done ItemWork::check_answer(ByteView answer) const {
  SPARKMILL_ASSIGN(const Bytes verdicts, decode_answer(answer));
  return check_bad(verdicts, {});
}

Done ItemWork::check_bad(ByteView verdicts, std::span<const std::string> not_by) const {
  std::vector<std::uint32_t> claimed;
  for (std::size_t k = 0; k < verdicts.size(); ++k) {
    if (verdicts[k] != kGood) claimed.push_back(static_cast<std::uint32_t>(k));
  }
  if (claimed.empty()) return done();
  SPARKMILL_ASSIGN(const auto kernel, other_cpu_kernel(family(), not_by));
  Bytes found(claimed.size());
  std::vector<Hash32> evidence(claimed.size());
  SPARKMILL_TRY(not_by.empty() ? decide(claimed, *kernel, {}, found, evidence)
                               : decide_again(claimed, *kernel, {}, found, evidence));
  for (std::size_t k = 0; k < claimed.size(); ++k) {
    if (found[k] == verdicts[claimed[k]]) continue;
    return fail(Status::mismatch,
                std::string(what()) + ": item " + std::to_string(claimed[k]) +
                    (found[k] == kGood ? " is called invalid and is not" : " is invalid, but not so"));
  }
  return done();
}

Result<Bytes> ItemWork::open(const Outcome& outcome, std::span<const std::uint64_t> leaves) const {
  if (outcome.evidence.size() != leaf_count() * kEvidenceBytes) {
    return fail(Status::bad_argument, std::string(what()) + ": the outcome belongs to another job");
  }
  Bytes out;
  for (const std::uint64_t leaf : leaves) {
    if (leaf >= leaf_count()) {
      return fail(Status::bad_argument, std::string(what()) + ": there is no leaf " + std::to_string(leaf));
    }
    const auto at = outcome.evidence.begin() + static_cast<std::ptrdiff_t>(leaf * kEvidenceBytes);
    out.insert(out.end(), at, at + static_cast<std::ptrdiff_t>(kEvidenceBytes));
  }
  return out;
}

Result<OpeningCheck> ItemWork::check_opening(ByteView opening, std::span<const std::uint64_t> leaves, ByteView answer,
                                             Executor& executor) const {
  if (opening.size() != leaves.size() * kEvidenceBytes) {
    return OpeningCheck{{"malformed", "opening: " + std::to_string(opening.size()) + " bytes"}, {}};
  }
  const auto verdicts = decode_answer(answer);
  if (!verdicts) return OpeningCheck{{"malformed", verdicts.error().message}, {}};
  OpeningCheck check;
  if (leaves.empty()) return check;
  const std::unique_ptr<ItemWork> opened = clone();
  Slice slice;
  for (const std::uint64_t leaf : leaves) {
    if (leaf >= leaf_count()) {
      return fail(Status::bad_argument, std::string(what()) + ": leaves to check must exist");
    }
    opened->chosen_.push_back(static_cast<std::uint32_t>(leaf));
    slice.units += units_before(leaf + 1) - units_before(leaf);
  }
  slice.range[1] = static_cast<std::uint32_t>(leaves.size());
  const auto take = [&](const Slice&, Bytes bytes) -> Done {
    SPARKMILL_ASSIGN(const Part part, opened->parse(bytes));
    for (std::size_t k = 0; k < leaves.size(); ++k) {
      const std::uint32_t at = opened->chosen_[k];
      const ByteView shown = opening.subspan(k * kEvidenceBytes, kEvidenceBytes);
      if (!std::equal(shown.begin(), shown.end(), part.evidence(k).begin())) {
        check.finding = {"leaf_mismatch",
                         "item " + std::to_string(at) + ": the evidence is not that of its computation"};
      } else if ((*verdicts)[at] != part.verdict(k)) {
        check.finding = {"leaf_mismatch", "item " + std::to_string(at) + ": the verdict is wrong"};
      }
      check.leaves.push_back(leaf_of(at, part.verdict(k), part.evidence(k)));
    }
    return done();
  };
  SPARKMILL_TRY(executor.run(*opened, {&slice, 1}, take, {}));
  if (!check.finding.ok()) check.leaves.clear();
  return check;
}

Bytes encode_verdict_bytes(ByteView verdicts) {
  return ByteWriter().u32(static_cast<std::uint32_t>(verdicts.size())).bytes(verdicts).data();
}

Result<Bytes> decode_verdict_bytes(ByteView answer, std::size_t count, std::uint8_t highest, std::string_view what) {
  ByteReader r(answer);
  const std::uint32_t said = r.u32();
  const ByteView verdicts = r.bytes(count);
  if (!r.done() || said != count) {
    return fail(Status::bad_input, std::string(what) + ": the answer does not have a verdict for each item");
  }
  if (std::any_of(verdicts.begin(), verdicts.end(), [highest](std::uint8_t v) { return v > highest; })) {
    return fail(Status::bad_input, std::string(what) + ": a verdict is above " + std::to_string(highest));
  }
  return Bytes(verdicts.begin(), verdicts.end());
}

Bytes encode_verdict_bits(ByteView verdicts) {
  Bytes bits((verdicts.size() + 7) / 8);
  for (std::size_t k = 0; k < verdicts.size(); ++k) {
    if (verdicts[k] != 0) bits[k / 8] |= static_cast<std::uint8_t>(1u << (k % 8));
  }
  return ByteWriter().u32(static_cast<std::uint32_t>(verdicts.size())).bytes(bits).data();
}

Result<Bytes> decode_verdict_bits(ByteView answer, std::size_t count, std::string_view what) {
  ByteReader r(answer);
  const std::uint32_t said = r.u32();
  const ByteView bits = r.bytes((count + 7) / 8);
  if (!r.done() || said != count) {
    return fail(Status::bad_input, std::string(what) + ": the answer does not have a verdict for each item");
  }
  if (count % 8 != 0 && bits.back() >> (count % 8) != 0) {
    return fail(Status::bad_input, std::string(what) + ": bits after the last verdict are not zero");
  }
  Bytes verdicts(count);
  for (std::size_t k = 0; k < count; ++k) verdicts[k] = bits[k / 8] >> (k % 8) & 1;
  return verdicts;
}

Result<std::unique_ptr<kernels::Kernel>> other_cpu_kernel(kernels::Family family, std::span<const std::string> not_by) {
  const kernels::Device cpu = kernels::cpu_device();
  const kernels::Row* chosen = nullptr;
  for (const kernels::Row& row : kernels::rows()) {  // best rank first
    if (row.family != family) continue;
    if (row.backend != kernels::Backend::cpu && row.backend != kernels::Backend::reference) continue;
    if (!row.probe(cpu).ok) continue;
    chosen = &row;
    if (std::find(not_by.begin(), not_by.end(), row.id()) == not_by.end()) break;
  }
  if (chosen == nullptr) {
    return fail(Status::internal,
                "no CPU row of the family " + std::string(kernels::name(family)) + " is in this build");
  }
  return chosen->make(cpu);
}

Result<std::vector<Piece>> split_items(const Job& whole, const std::vector<Slice>& ranges, const KeepBlob& keep,
                                       const std::function<Bytes(std::size_t, std::size_t)>& params,
                                       const std::function<Bytes(std::size_t, std::size_t)>& blob,
                                       std::string_view what) {
  if (ranges.size() > kMaxPieces) {
    return fail(Status::too_large, std::string(what) + ": more than " + std::to_string(kMaxPieces) + " pieces",
                "ask for larger units");
  }
  std::vector<Piece> pieces;
  for (const Slice& range : ranges) {
    Piece piece;
    piece.origin = {range.range[0], 0};
    piece.job.params = params(range.range[0], range.range[1]);
    Bytes part = blob(range.range[0], range.range[1]);
    piece.job.blobs = {sha256(part)};
    SPARKMILL_TRY(keep(std::move(part)));
    seal_piece(whole, piece);
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

Result<Bytes> join_verdicts(std::span<const PieceAnswer> parts, std::size_t total,
                            const std::function<Result<Bytes>(const PieceAnswer&)>& decode, std::string_view what) {
  std::vector<const PieceAnswer*> sorted;
  for (const PieceAnswer& part : parts) sorted.push_back(&part);
  std::sort(sorted.begin(), sorted.end(),
            [](const PieceAnswer* a, const PieceAnswer* b) { return a->piece->origin[0] < b->piece->origin[0]; });
  Bytes verdicts;
  for (const PieceAnswer* part : sorted) {
    if (part->piece->origin[0] != verdicts.size()) {
      return fail(Status::bad_input,
                  std::string(what) + ": a gap or overlap at item " + std::to_string(verdicts.size()));
    }
    SPARKMILL_ASSIGN(const Bytes own, decode(*part));
    verdicts.insert(verdicts.end(), own.begin(), own.end());
  }
  if (verdicts.size() != total) {
    return fail(Status::bad_input, std::string(what) + ": the pieces have another number of items than the job");
  }
  return verdicts;
}

}  // namespace sparkmill::job
