// SPDX-License-Identifier: Apache-2.0
#include "verify/job/tensority_check.h"

#include "base/hash.h"
#include "kernels/tensority/epoch_cache.h"
#include "verify/chain/difficulty.h"
#include "verify/job/items.h"

namespace sparkmill::job {
namespace {

constexpr std::uint16_t kVersion = 1;
constexpr std::uint64_t kSeedUnits = 3;  // 26 ms against 9 ms for a hash
constexpr std::string_view kName = "tensority.check";

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

struct Inputs {
  Job job;
  std::vector<BlockEntry> entries;
  std::vector<std::uint64_t> units{0};  ///< of the first n entries
};

class CheckWork final : public ItemWork {
 public:
  CheckWork(std::shared_ptr<const Inputs> inputs, const Binding& binding) : in_(std::move(inputs)) {
    CheckWork::bind(binding);
  }
  const Job& job() const override { return in_->job; }
  kernels::Family family() const override { return kernels::Family::tensority; }

 protected:
  std::unique_ptr<ItemWork> clone() const override { return std::unique_ptr<ItemWork>(new CheckWork(*this)); }
  void bind(const Binding& binding) override {
    ItemWork::bind(binding);
    key_ = Sha256().update("sparkmill/digest/v1").update(binding.context).update(binding.worker_pub).finish();
  }
  std::string_view what() const override { return kName; }
  std::size_t items() const override { return in_->entries.size(); }
  std::uint64_t units_before(std::size_t n) const override { return in_->units[n]; }
  Done decide(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, const StopToken& stop,
              std::span<std::uint8_t> verdicts, std::span<Hash32> evidence) const override;
  Bytes encode_answer(ByteView verdicts) const override { return encode_verdict_bytes(verdicts); }
  Result<Bytes> decode_answer(ByteView answer) const override {
    return decode_verdict_bytes(answer, items(), 1, kName);
  }

 private:
  CheckWork(const CheckWork&) = default;
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
};

Done CheckWork::decide(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, const StopToken& stop,
                       std::span<std::uint8_t> verdicts, std::span<Hash32> evidence) const {
  auto* hasher = dynamic_cast<tensority::Kernel*>(&kernel);
  if (hasher == nullptr) return fail(Status::bad_argument, "tensority.check: the kernel is of another family");
  for (std::size_t at = 0; at < indices.size();) {
    std::vector<Hash32> headers;
    const Hash32& seed = in_->entries[indices[at]].seed;
    for (std::size_t next = at; next < indices.size() && in_->entries[indices[next]].seed == seed; ++next) {
      headers.push_back(in_->entries[indices[next]].header_hash);
    }
    SPARKMILL_ASSIGN(const auto epoch, tensority::epochs().get(seed, stop));
    std::vector<Hash32> results(headers.size());
    SPARKMILL_TRY(hasher->hash(*epoch, headers, results, stop));
    for (const Hash32& result : results) {
      evidence[at] = evidence_of(indices[at], result);
      verdicts[at] = passes(in_->entries[indices[at]], result) ? 1 : 0;
      ++at;
    }
  }
  return done();
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
  for (std::size_t k = 0; k < count; ++k) {
    const bool new_seed = k == 0 || in->entries[k].seed != in->entries[k - 1].seed;
    in->units.push_back(in->units.back() + 1 + (new_seed ? kSeedUnits : 0));
  }
  return std::unique_ptr<Work>(std::make_unique<CheckWork>(std::move(in), binding));
}

Result<std::vector<Piece>> split_tensority_check(const Job& whole, BlobSource& blobs, std::uint64_t target_units,
                                                 const KeepBlob& keep) {
  SPARKMILL_ASSIGN(const auto work, open_tensority_check(whole, blobs, {}));
  SPARKMILL_ASSIGN(const Blob blob, blobs.get(whole.blobs[0]));
  const auto params = [](std::size_t first, std::size_t end) { return encode_params(end - first); };
  const auto part = [&](std::size_t first, std::size_t end) {
    const ByteView cut = blob.bytes.subspan(first * kBlockEntryBytes, (end - first) * kBlockEntryBytes);
    return Bytes(cut.begin(), cut.end());
  };
  return split_items(whole, work->slice(target_units), keep, params, part, kName);
}

Result<Bytes> combine_tensority_check(const Job& whole, std::span<const PieceAnswer> parts) {
  SPARKMILL_ASSIGN(const std::uint32_t total, decode_params(whole.params));
  const auto decode = [](const PieceAnswer& part) -> Result<Bytes> {
    SPARKMILL_ASSIGN(const std::uint32_t count, decode_params(part.piece->job.params));
    return decode_verdict_bytes(part.answer, count, 1, kName);
  };
  SPARKMILL_ASSIGN(const Bytes verdicts, join_verdicts(parts, total, decode, kName));
  return encode_verdict_bytes(verdicts);
}

}  // namespace sparkmill::job
