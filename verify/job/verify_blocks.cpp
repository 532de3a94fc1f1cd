// SPDX-License-Identifier: Apache-2.0
// Params, blobs, answers and pieces of `verify.blocks`, and the table of its chains.
#include "verify/job/verify_blocks.h"

#include <algorithm>

#include "kernels/backend/discover.h"
#include "kernels/registry.h"
#include "verify/job/block_list.h"

namespace sparkmill::job {
namespace {

constexpr std::string_view kMagic = "SMBK";
constexpr std::uint16_t kVersion = 1;
constexpr std::uint16_t kEvidenceFlag = 1;

const ChainRow* find_chain(Chain chain) {
  // A signature in flight takes about 1 KiB (RSA) or 0.5 KiB.
  static const ChainRow kRows[] = {
      {Chain::bytom, "bytom", kernels::Family::tensority, "hashes", kTensorityWeight, kMaxBlockItems, kBytomWords,
       decode_bytom_list},
      {Chain::bttc, "bttc", kernels::Family::secp256k1, "signatures", kSignatureWeight, 1u << 15, kBttcWords,
       decode_bttc_list},
      {Chain::btn, "btn", kernels::Family::rsa, "signatures", kSignatureWeight, 1u << 13, kBtnWords, decode_btn_list},
  };
  for (const ChainRow& row : kRows) {
    if (row.chain == chain) return &row;
  }
  return nullptr;
}

Error unknown_chain(Chain chain) {
  return fail(Status::unsupported,
              std::string(kBlocksName) + ": chain " + std::to_string(static_cast<unsigned>(chain)) + " is unknown here",
              "update sparkmill");
}

struct Params {
  const ChainRow* chain = nullptr;
  std::uint32_t count = 0;
  bool evidence = true;
};

Bytes encode_params(Chain chain, std::uint32_t count, bool evidence) {
  ByteWriter w;
  w.u16(kVersion).u16(evidence ? kEvidenceFlag : 0).u16(static_cast<std::uint16_t>(chain)).u16(0);
  return std::move(w.u32(count)).data();
}

Result<Params> decode_params(ByteView bytes) {
  ByteReader r(bytes);
  const std::uint16_t version = r.u16();
  const std::uint16_t flags = r.u16();
  const auto chain = static_cast<Chain>(r.u16());
  const std::uint16_t reserved = r.u16();
  Params p;
  p.count = r.u32();
  if (!r.done() || version != kVersion || reserved != 0) return bad_blocks("params are not version 1 and 12 bytes");
  if ((flags & ~kEvidenceFlag) != 0) {
    return bad_blocks("flags " + std::to_string(flags) + ", this program knows bit 0");
  }
  p.evidence = flags != 0;
  p.chain = find_chain(chain);
  if (p.chain == nullptr) return unknown_chain(chain);
  if (p.count == 0 || p.count > kMaxBlockItems) return bad_blocks("count is " + std::to_string(p.count));
  return p;
}

struct Inputs {
  Job job;
  Params params;
  Blob blob;  ///< the list points into it
  std::unique_ptr<BlockList> list;
  std::vector<std::uint64_t> units{0};  ///< of the first n items
};

Result<std::shared_ptr<const Inputs>> read_inputs(const Job& job, BlobSource& blobs) {
  SPARKMILL_ASSIGN(const Params params, decode_params(job.params));
  if (job.blobs.size() != 1) return bad_blocks(std::to_string(job.blobs.size()) + " blobs, expected 1");
  auto in = std::make_shared<Inputs>();
  in->job = job;
  in->params = params;
  SPARKMILL_ASSIGN(in->blob, blobs.get(job.blobs[0]));
  if (in->blob.bytes.size() > kMaxBlockBlobBytes) return bad_blocks("the blob is over 1 GiB");
  SPARKMILL_ASSIGN(const BlockBlobHead head, decode_block_head(in->blob.bytes));
  if (head.chain != params.chain->chain) return bad_blocks("the blob is of another chain than the params say");
  if (head.count != params.count) return bad_blocks("the blob has another number of items than the params say");
  ByteReader r(in->blob.bytes.subspan(kBlobHeadBytes));
  SPARKMILL_ASSIGN(in->list, params.chain->decode(r, head.count));
  for (std::size_t k = 0; k < in->list->size(); ++k) in->units.push_back(in->units.back() + in->list->units(k));
  return std::shared_ptr<const Inputs>(std::move(in));
}

class BlocksWork final : public ItemWork {
 public:
  BlocksWork(std::shared_ptr<const Inputs> inputs, const Binding& binding) : in_(std::move(inputs)) {
    ItemWork::bind(binding);
  }
  const Job& job() const override { return in_->job; }
  kernels::Family family() const override { return in_->params.chain->family; }
  std::string_view unit() const override { return in_->params.chain->unit; }
  std::uint64_t microcobble_per_gi_unit() const override { return in_->params.chain->microcobble_per_gi_unit; }
  bool needs_quorum() const override { return !in_->params.evidence; }

 protected:
  std::unique_ptr<ItemWork> clone() const override { return std::unique_ptr<ItemWork>(new BlocksWork(*this)); }
  std::string_view what() const override { return kBlocksName; }
  std::size_t items() const override { return in_->list->size(); }
  std::uint64_t units_before(std::size_t n) const override { return in_->units[n]; }
  Done decide(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, const StopToken& stop,
              std::span<std::uint8_t> verdicts, std::span<Hash32> evidence) const override {
    return look(indices, kernel, false, stop, verdicts, evidence);
  }
  Done decide_again(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, const StopToken& stop,
                    std::span<std::uint8_t> verdicts, std::span<Hash32> evidence) const override {
    return look(indices, kernel, true, stop, verdicts, evidence);
  }
  Bytes encode_answer(ByteView verdicts) const override { return encode_verdict_bytes(verdicts); }
  Result<Bytes> decode_answer(ByteView answer) const override {
    SPARKMILL_ASSIGN(Bytes verdicts, decode_verdict_bytes(answer, items(), in_->params.chain->highest(), kBlocksName));
    if (std::find(verdicts.begin(), verdicts.end(), 0) != verdicts.end()) return bad("a verdict is 0");
    return verdicts;
  }

 private:
  BlocksWork(const BlocksWork&) = default;
  Done look(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, bool again, const StopToken& stop,
            std::span<std::uint8_t> verdicts, std::span<Hash32> evidence) const {
    Helpers helpers(again);
    std::vector<Hash32> work(indices.size());
    for (std::size_t first = 0, end = 0; first < indices.size(); first = end) {
      std::uint64_t units = 0;
      while (end < indices.size() && (end == first || units < in_->params.chain->most_units)) {
        units += in_->list->units(indices[end++]);
      }
      const std::size_t count = end - first;
      SPARKMILL_TRY(in_->list->judge(indices.subspan(first, count), kernel, helpers, stop,
                                     verdicts.subspan(first, count), std::span(work).subspan(first, count)));
    }
    for (std::size_t k = 0; k < indices.size(); ++k) {
      Sha256 shown;
      shown.update(binding().worker_pub).update(binding().context);
      if (in_->params.evidence) shown.update(work[k]);
      evidence[k] = shown.finish();
    }
    return done();
  }
  std::shared_ptr<const Inputs> in_;
};

}  // namespace

Result<std::unique_ptr<kernels::Kernel>> Helpers::make(kernels::Family family) const {
  std::vector<std::string> not_by;
  if (again_) {
    SPARKMILL_ASSIGN(const kernels::Choice best, kernels::choose(family, kernels::cpu_device()));
    not_by.push_back(best.row->id());
  }
  return other_cpu_kernel(family, not_by);
}

Hash32 block_work(std::uint8_t tag, const Hash32& own, ByteView points) {
  return Sha256().update("sparkmill/block-work/v1").update(ByteView(&tag, 1)).update(own).update(points).finish();
}

void put_blob_head(ByteWriter& w, Chain chain, std::size_t items) {
  w.bytes(kMagic).u16(kVersion).u16(static_cast<std::uint16_t>(chain)).u32(static_cast<std::uint32_t>(items));
}

std::uint8_t verdict_of(std::span<const std::string_view> words, std::string_view reason) {
  auto found = std::find(words.begin() + kValid + 1, words.end(), reason);
  if (found == words.end()) found = std::find(words.begin(), words.end(), "other");
  return static_cast<std::uint8_t>(found - words.begin());
}

Result<BlockBlobHead> decode_block_head(ByteView blob) {
  ByteReader r(blob);
  const ByteView magic = r.bytes(kMagic.size());
  const std::uint16_t version = r.u16();
  BlockBlobHead head;
  head.chain = static_cast<Chain>(r.u16());
  head.count = r.u32();
  if (r.failed() || text(magic) != kMagic) return bad_blocks("the blob does not begin with SMBK and its sizes");
  if (version != kVersion) {
    return bad_blocks("blob version " + std::to_string(version) + ", this program knows 1");
  }
  if (find_chain(head.chain) == nullptr) return unknown_chain(head.chain);
  if (head.count == 0 || head.count > kMaxBlockItems) {
    return bad_blocks("the blob has " + std::to_string(head.count) + " items");
  }
  return head;
}

Done expect_chain(const BlockBlobHead& head, Chain chain) {
  if (head.chain == chain) return done();
  return fail(Status::unsupported, std::string(kBlocksName) + ": a blob of " + std::string(name(head.chain)) +
                                       ", expected one of " + std::string(name(chain)));
}

std::string_view name(Chain chain) {
  const ChainRow* row = find_chain(chain);
  return row != nullptr ? row->name : "?";
}

std::string_view block_reason(Chain chain, std::uint8_t verdict) {
  const ChainRow* row = find_chain(chain);
  return row == nullptr ? "" : verdict <= row->highest() ? row->words[verdict] : "other";
}

std::uint8_t block_verdict(Chain chain, std::string_view reason) {
  const ChainRow& row = *find_chain(chain);
  return reason == row.words[kValid] ? kValid : verdict_of(row.words, reason);
}

std::uint8_t highest_block_verdict(Chain chain) { return find_chain(chain)->highest(); }

Job make_blocks_job(const BlockBlobHead& head, const Hash32& blob, bool evidence, std::uint64_t deadline_unix_ms) {
  Job job;
  job.salt = random_array<16>();
  job.kind = Kind::verify_blocks;
  job.deadline_unix_ms = deadline_unix_ms;
  job.params = encode_params(head.chain, head.count, evidence);
  job.blobs = {blob};
  seal(job);
  return job;
}

Result<std::unique_ptr<Work>> open_verify_blocks(const Job& job, BlobSource& blobs, const Binding& binding) {
  SPARKMILL_ASSIGN(auto in, read_inputs(job, blobs));
  return std::unique_ptr<Work>(std::make_unique<BlocksWork>(std::move(in), binding));
}

Result<std::vector<Piece>> split_verify_blocks(const Job& whole, BlobSource& blobs, std::uint64_t target_units,
                                               const KeepBlob& keep) {
  SPARKMILL_ASSIGN(const auto in, read_inputs(whole, blobs));
  const BlocksWork work(in, {});
  const auto params = [&](std::size_t first, std::size_t end) {
    return encode_params(in->params.chain->chain, static_cast<std::uint32_t>(end - first), in->params.evidence);
  };
  const auto part = [&](std::size_t first, std::size_t end) { return in->list->part(first, end); };
  return split_items(whole, work.slice(target_units), keep, params, part, kBlocksName);
}

Result<Bytes> combine_verify_blocks(const Job& whole, std::span<const PieceAnswer> parts) {
  SPARKMILL_ASSIGN(const Params params, decode_params(whole.params));
  const auto decode = [](const PieceAnswer& part) -> Result<Bytes> {
    SPARKMILL_ASSIGN(const Params own, decode_params(part.piece->job.params));
    return decode_verdict_bytes(part.answer, own.count, own.chain->highest(), kBlocksName);
  };
  SPARKMILL_ASSIGN(const Bytes verdicts, join_verdicts(parts, params.count, decode, kBlocksName));
  return encode_verdict_bytes(verdicts);
}

}  // namespace sparkmill::job
