// SPDX-License-Identifier: Apache-2.0
#include "verify/job/verify_blocks.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/hash.h"
#include "kernels/ed25519/ed25519.h"
#include "kernels/hash/hash.h"
#include "kernels/tensority/epoch_cache.h"
#include "verify/chain/header.h"
#include "verify/job/items.h"

namespace sparkmill::job {
namespace {

namespace bytom = blocks::bytom;

constexpr std::string_view kName = "verify.blocks";
constexpr std::string_view kMagic = "SMBK";
constexpr std::uint16_t kVersion = 1;
constexpr std::uint16_t kEvidenceFlag = 1;
constexpr std::uint8_t kBody = 1, kWithContext = 2;
constexpr std::uint8_t kSeedThere = 16, kAllThere = 31;
constexpr std::uint64_t kSeedUnits = 3;  // 26 ms against 9 ms for a hash
constexpr std::uint64_t kInputsPerUnit = 1'600;
constexpr std::size_t kMaxBlobBytes = std::size_t{1} << 30;

Error bad(const std::string& why) { return fail(Status::bad_input, std::string(kName) + ": " + why); }

/// By number; numbers are never reused. Words of "Bytom blocks" 8 to 10.
constexpr std::string_view kReasons[] = {"",
                                         "valid",
                                         "decode",
                                         "unsupported",
                                         "limit",
                                         "version",
                                         "height",
                                         "bits",
                                         "previous",
                                         "timestamp",
                                         "pow",
                                         "tx_version",
                                         "coinbase",
                                         "block_gas",
                                         "tx_root",
                                         "status_root",
                                         "undecided",
                                         "time_range",
                                         "gas_math",
                                         "gas_credit",
                                         "overflow",
                                         "unbalanced",
                                         "no_source",
                                         "no_results",
                                         "bad_value",
                                         "run_limit",
                                         "verify_failed",
                                         "program_false",
                                         "stack_underflow",
                                         "short_program",
                                         "return",
                                         "status_fail",
                                         "not_standard",
                                         "duplicate_input",
                                         "empty_input_id",
                                         "unsupported_vm",
                                         "coinbase_asset",
                                         "coinbase_data",
                                         "disallowed_opcode",
                                         "stopped",
                                         "other"};
constexpr auto kOther = static_cast<std::uint8_t>(std::size(kReasons) - 1);

std::uint8_t number_of(const bytom::BlockVerdict& verdict) {
  return block_verdict(verdict.ok ? kReasons[1] : verdict.reason);
}

struct Params {
  Chain chain = Chain::bytom;
  std::uint32_t count = 0;
  bool evidence = true;
};

Bytes encode_params(const Params& p) {
  ByteWriter w;
  w.u16(kVersion).u16(p.evidence ? kEvidenceFlag : 0).u16(static_cast<std::uint16_t>(p.chain)).u16(0);
  return std::move(w.u32(p.count)).data();
}

Result<Params> decode_params(ByteView bytes) {
  ByteReader r(bytes);
  const std::uint16_t version = r.u16();
  const std::uint16_t flags = r.u16();
  Params p;
  p.chain = static_cast<Chain>(r.u16());
  const std::uint16_t reserved = r.u16();
  p.count = r.u32();
  if (!r.done() || version != kVersion || reserved != 0) return bad("params are not version 1 and 12 bytes");
  if ((flags & ~kEvidenceFlag) != 0) return bad("flags " + std::to_string(flags) + ", this program knows bit 0");
  p.evidence = flags != 0;
  if (p.chain != Chain::bytom) {
    return fail(Status::unsupported,
                std::string(kName) + ": chain " + std::to_string(static_cast<unsigned>(p.chain)) + " is unknown here",
                "update sparkmill");
  }
  if (p.count == 0 || p.count > kMaxBlockItems) return bad("count is " + std::to_string(p.count));
  return p;
}

struct SignedMessage {
  Hash32 message{}, key{};
  std::array<std::uint8_t, 64> signature{};
  auto operator<=>(const SignedMessage&) const = default;
};

/// Hands everything on, and keeps what was computed on the way.
class RecordingTensority final : public tensority::Kernel {
 public:
  explicit RecordingTensority(tensority::Kernel& inner) : inner_(inner) {}
  std::string row_id() const override { return inner_.row_id(); }
  std::size_t batch() const override { return inner_.batch(); }
  Done prepare(const tensority::Epoch& epoch) override { return inner_.prepare(epoch); }
  Done hash(const tensority::Epoch& epoch, std::span<const Hash32> headers, std::span<Hash32> out,
            const StopToken& stop) override {
    SPARKMILL_TRY(inner_.hash(epoch, headers, out, stop));
    for (std::size_t k = 0; k < headers.size(); ++k) results[{epoch.seed(), headers[k]}] = out[k];
    return done();
  }
  std::map<std::pair<Hash32, Hash32>, Hash32> results;  ///< by seed and header hash

 private:
  tensority::Kernel& inner_;
};

class RecordingEd25519 final : public ed25519::Kernel {
 public:
  explicit RecordingEd25519(ed25519::Kernel& inner) : inner_(inner) {}
  std::string row_id() const override { return inner_.row_id(); }
  std::size_t batch() const override { return inner_.batch(); }
  Done verify_vartime(ed25519::Policy policy, const kernels::SignatureBatch& batch,
                      const kernels::SignatureResults& results, const StopToken& stop) override {
    Bytes evidence(batch.count * ed25519::kEvidenceBytes);
    SPARKMILL_TRY(inner_.verify_vartime(policy, batch, {results.valid, evidence}, stop));
    for (std::size_t k = 0; k < batch.count; ++k) {
      SignedMessage item;
      const ByteView message = batch.message(k);
      if (message.size() != item.message.size()) continue;  // no sighash
      std::copy(message.begin(), message.end(), item.message.begin());
      std::copy_n(batch.key(k, 32).begin(), 32, item.key.begin());
      std::copy_n(batch.signature(k, 64).begin(), 64, item.signature.begin());
      Hash32 point{};
      std::copy_n(evidence.begin() + static_cast<std::ptrdiff_t>(k * point.size()), point.size(), point.begin());
      points[item] = point;
    }
    return done();
  }
  std::map<SignedMessage, Hash32> points;

 private:
  ed25519::Kernel& inner_;
};

struct Inputs {
  Job job;
  Params params;
  Blob blob;  ///< items point into it
  std::vector<BlockItem> items;
  std::vector<std::uint64_t> units{0};  ///< of the first n items
};

class BlocksWork final : public ItemWork {
 public:
  BlocksWork(std::shared_ptr<const Inputs> inputs, const Binding& binding) : in_(std::move(inputs)) {
    ItemWork::bind(binding);
  }
  const Job& job() const override { return in_->job; }
  kernels::Family family() const override { return kernels::Family::tensority; }
  bool needs_quorum() const override { return !in_->params.evidence; }

 protected:
  std::unique_ptr<ItemWork> clone() const override { return std::unique_ptr<ItemWork>(new BlocksWork(*this)); }
  std::string_view what() const override { return kName; }
  std::size_t items() const override { return in_->items.size(); }
  std::uint64_t units_before(std::size_t n) const override { return in_->units[n]; }
  Done decide(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, const StopToken& stop,
              std::span<std::uint8_t> verdicts, std::span<Hash32> evidence) const override;
  Bytes encode_answer(ByteView verdicts) const override { return encode_verdict_bytes(verdicts); }
  Result<Bytes> decode_answer(ByteView answer) const override {
    SPARKMILL_ASSIGN(Bytes verdicts, decode_verdict_bytes(answer, items(), kOther, kName));
    if (std::find(verdicts.begin(), verdicts.end(), 0) != verdicts.end()) return bad("a verdict is 0");
    return verdicts;
  }

 private:
  BlocksWork(const BlocksWork&) = default;
  std::shared_ptr<const Inputs> in_;
};

template <class K>
Result<std::unique_ptr<kernels::Kernel>> helper(kernels::Family family, K*& typed) {
  SPARKMILL_ASSIGN(auto made, other_cpu_kernel(family, {}));
  typed = dynamic_cast<K*>(made.get());
  if (typed == nullptr) return fail(Status::internal, "a row makes a kernel of another family");
  return made;
}

/// Items by round, so that no two of a round sign the same hash: what was asked for one cannot pass for another's.
Result<std::vector<std::vector<std::size_t>>> rounds_of(std::span<const bytom::Item> items, hashes::Kernel& hash,
                                                        const StopToken& stop) {
  std::vector<std::vector<std::size_t>> rounds;
  if (items.empty()) return rounds;
  std::vector<const bytom::Block*> blocks;
  for (const bytom::Item& item : items) blocks.push_back(item.block);
  SPARKMILL_ASSIGN(const std::vector<bytom::BlockIds> all, bytom::ids(blocks, hash, stop));
  std::vector<std::set<Hash32>> taken;
  for (std::size_t j = 0; j < items.size(); ++j) {
    std::set<Hash32> own;
    for (const bytom::TransactionIds& tx : all[j].transactions) own.insert(tx.sighashes.begin(), tx.sighashes.end());
    std::size_t round = 0;
    const auto clash = [&] {
      return std::any_of(own.begin(), own.end(), [&](const Hash32& h) { return taken[round].count(h) != 0; });
    };
    while (round < rounds.size() && clash()) ++round;
    if (round == rounds.size()) {
      rounds.emplace_back();
      taken.emplace_back();
    }
    rounds[round].push_back(j);
    taken[round].insert(own.begin(), own.end());
  }
  return rounds;
}

/// Tensority hash and points of a block that was judged.
Bytes work_of(const bytom::Item& item, const bytom::BlockIds& ids, const RecordingTensority& work,
              const RecordingEd25519& signatures) {
  Hash32 result{};
  if (item.context && item.context->seed) {
    const auto found = work.results.find({*item.context->seed, chain::header_hash(item.block->header)});
    if (found != work.results.end()) result = found->second;
  }
  std::map<SignedMessage, Hash32> own;
  for (const bytom::TransactionIds& tx : ids.transactions) {
    for (const Hash32& sighash : tx.sighashes) {
      const auto first = signatures.points.lower_bound({sighash, {}, {}});
      for (auto at = first; at != signatures.points.end() && at->first.message == sighash; ++at) own.insert(*at);
    }
  }
  ByteWriter w;
  w.bytes(result);
  for (const auto& [signed_message, point] : own) w.bytes(point);
  return std::move(w).data();
}

Done BlocksWork::decide(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, const StopToken& stop,
                        std::span<std::uint8_t> verdicts, std::span<Hash32> evidence) const {
  auto* hasher = dynamic_cast<tensority::Kernel*>(&kernel);
  if (hasher == nullptr) return fail(Status::bad_argument, std::string(kName) + ": the kernel is of another family");
  // The rest of a block is small beside its proof of work and runs on the processor.
  hashes::Kernel* hash = nullptr;
  ed25519::Kernel* signer = nullptr;
  SPARKMILL_ASSIGN(const auto hash_owner, helper(kernels::Family::hash, hash));
  SPARKMILL_ASSIGN(const auto signer_owner, helper(kernels::Family::ed25519, signer));
  RecordingTensority work(*hasher);
  RecordingEd25519 signatures(*signer);

  std::vector<bytom::Block> decoded;
  decoded.reserve(indices.size());
  std::vector<bytom::Item> items;
  std::vector<std::size_t> places;  // of the items that could be decoded
  for (std::size_t k = 0; k < indices.size(); ++k) {
    const BlockItem& item = in_->items[indices[k]];
    auto block = bytom::decode(item.block);
    if (!block) {
      verdicts[k] = number_of(bytom::undecodable(block.error()));
      continue;
    }
    decoded.push_back(std::move(*block));
    items.push_back({&decoded.back(), item.context});
    places.push_back(k);
  }
  bytom::Engines engines;
  engines.hash = hash;
  engines.signatures = &signatures;
  engines.pow = &work;
  std::vector<Bytes> done_work(indices.size());
  SPARKMILL_ASSIGN(const auto rounds, rounds_of(items, *hash, stop));
  for (const std::vector<std::size_t>& round : rounds) {
    std::vector<bytom::Item> some;
    for (const std::size_t j : round) some.push_back(items[j]);
    signatures.points.clear();
    SPARKMILL_ASSIGN(const std::vector<bytom::Judged> judged, bytom::judge(some, engines, stop));
    for (std::size_t j = 0; j < round.size(); ++j) {
      verdicts[places[round[j]]] = number_of(judged[j].verdict);
      done_work[places[round[j]]] = work_of(some[j], judged[j].ids, work, signatures);
    }
  }
  for (std::size_t k = 0; k < indices.size(); ++k) {
    const std::uint8_t tag = in_->items[indices[k]].context ? kWithContext : kBody;
    if (done_work[k].empty()) done_work[k].resize(sizeof(Hash32));
    const Hash32 t = Sha256().update("sparkmill/block-work/v1").update(ByteView(&tag, 1)).update(done_work[k]).finish();
    Sha256 shown;
    shown.update(binding().worker_pub).update(binding().context);
    if (in_->params.evidence) shown.update(t);
    evidence[k] = shown.finish();
  }
  return done();
}

Bytes encode_items(std::span<const BlockItem> items) {
  ByteWriter w;
  w.bytes(kMagic).u16(kVersion).u16(static_cast<std::uint16_t>(Chain::bytom));
  w.u32(static_cast<std::uint32_t>(items.size()));
  for (const BlockItem& item : items) {
    w.u8(item.context ? kWithContext : kBody);
    if (item.context) {
      const bytom::Context& c = *item.context;
      w.u8(static_cast<std::uint8_t>((c.parent_id ? 1 : 0) | (c.parent_height ? 2 : 0) | (c.bits ? 4 : 0) |
                                     (c.median_time ? 8 : 0) | (c.seed ? kSeedThere : 0)));
      w.bytes(c.parent_id.value_or(Hash32{})).u64(c.parent_height.value_or(0)).u64(c.bits.value_or(0));
      w.u64(c.median_time.value_or(0)).bytes(c.seed.value_or(Hash32{})).u64(c.now);
    }
    w.len_bytes(item.block);
  }
  return std::move(w).data();
}

}  // namespace

Bytes encode_block_items(std::span<const BlockItem> items) { return encode_items(items); }

Result<std::vector<BlockItem>> decode_block_items(ByteView blob) {
  ByteReader r(blob);
  const ByteView magic = r.bytes(kMagic.size());
  const std::uint16_t version = r.u16();
  const auto chain = static_cast<Chain>(r.u16());
  const std::uint32_t count = r.u32();
  if (r.failed() || text(magic) != kMagic) return bad("the blob does not begin with SMBK and its sizes");
  if (version != kVersion) return bad("blob version " + std::to_string(version) + ", this program knows 1");
  if (chain != Chain::bytom) return fail(Status::unsupported, std::string(kName) + ": a chain that is unknown here");
  if (count == 0 || count > kMaxBlockItems) return bad("the blob has " + std::to_string(count) + " items");
  std::vector<BlockItem> items;
  for (std::uint32_t k = 0; k < count; ++k) {
    const std::string where = "item " + std::to_string(k) + ": ";
    BlockItem item;
    const std::uint8_t tag = r.u8();
    if (!r.failed() && tag != kBody && tag != kWithContext) return bad(where + "tag " + std::to_string(tag));
    if (tag == kWithContext) {
      const std::uint8_t there = r.u8();
      if (there > kAllThere) return bad(where + "fields " + std::to_string(there));
      const auto parent_id = r.array<32>();
      const std::uint64_t parent_height = r.u64();
      const std::uint64_t bits = r.u64();
      const std::uint64_t median_time = r.u64();
      const auto seed = r.array<32>();
      bytom::Context c;
      if ((there & 1) != 0) c.parent_id = parent_id;
      if ((there & 2) != 0) c.parent_height = parent_height;
      if ((there & 4) != 0) c.bits = bits;
      if ((there & 8) != 0) c.median_time = median_time;
      if ((there & kSeedThere) != 0) c.seed = seed;
      c.now = r.u64();
      item.context = c;
    }
    item.block = r.len_bytes(bytom::kMaxBlockBytes);
    if (r.failed()) return bad(where + "cut off, or a block over its limit");
    items.push_back(item);
  }
  if (!r.done()) return bad(std::to_string(r.left()) + " bytes after the last item");
  return items;
}

std::string_view block_reason(std::uint8_t verdict) { return kReasons[std::min(verdict, kOther)]; }

std::uint8_t block_verdict(std::string_view reason) {
  for (std::uint8_t k = 1; k < kOther; ++k) {
    if (kReasons[k] == reason) return k;
  }
  return kOther;
}

Job make_blocks_job(std::span<const BlockItem> items, bool evidence, std::uint64_t deadline_unix_ms) {
  Job job;
  job.salt = random_array<16>();
  job.kind = Kind::verify_blocks;
  job.deadline_unix_ms = deadline_unix_ms;
  job.params = encode_params({Chain::bytom, static_cast<std::uint32_t>(items.size()), evidence});
  job.blobs = {sha256(encode_items(items))};
  seal(job);
  return job;
}

Result<std::unique_ptr<Work>> open_verify_blocks(const Job& job, BlobSource& blobs, const Binding& binding) {
  SPARKMILL_ASSIGN(const Params params, decode_params(job.params));
  if (job.blobs.size() != 1) return bad(std::to_string(job.blobs.size()) + " blobs, expected 1");
  auto in = std::make_shared<Inputs>();
  in->job = job;
  in->params = params;
  SPARKMILL_ASSIGN(in->blob, blobs.get(job.blobs[0]));
  if (in->blob.bytes.size() > kMaxBlobBytes) return bad("the blob is over 1 GiB");
  SPARKMILL_ASSIGN(in->items, decode_block_items(in->blob.bytes));
  if (in->items.size() != params.count) return bad("the blob has another number of items than the params say");
  const Hash32* seed = nullptr;
  for (const BlockItem& item : in->items) {
    std::uint64_t units = 1;
    if (item.context && item.context->seed) {
      if (seed == nullptr || *seed != *item.context->seed) units += kSeedUnits;
      seed = &*item.context->seed;
    }
    if (const auto block = bytom::decode(item.block)) {
      std::size_t inputs = 0;
      for (const bytom::Transaction& tx : block->transactions) inputs += tx.inputs.size();
      units += inputs / kInputsPerUnit;
    }
    in->units.push_back(in->units.back() + units);
  }
  return std::unique_ptr<Work>(std::make_unique<BlocksWork>(std::move(in), binding));
}

Result<std::vector<Piece>> split_verify_blocks(const Job& whole, BlobSource& blobs, std::uint64_t target_units,
                                               const KeepBlob& keep) {
  SPARKMILL_ASSIGN(const auto work, open_verify_blocks(whole, blobs, {}));
  SPARKMILL_ASSIGN(const Params whole_params, decode_params(whole.params));
  SPARKMILL_ASSIGN(const Blob blob, blobs.get(whole.blobs[0]));
  SPARKMILL_ASSIGN(const std::vector<BlockItem> items, decode_block_items(blob.bytes));
  const auto params = [&](std::size_t first, std::size_t end) {
    return encode_params({whole_params.chain, static_cast<std::uint32_t>(end - first), whole_params.evidence});
  };
  const auto part = [&](std::size_t first, std::size_t end) {
    return encode_items(std::span(items).subspan(first, end - first));
  };
  return split_items(whole, work->slice(target_units), keep, params, part, kName);
}

Result<Bytes> combine_verify_blocks(const Job& whole, std::span<const PieceAnswer> parts) {
  SPARKMILL_ASSIGN(const Params params, decode_params(whole.params));
  const auto decode = [](const PieceAnswer& part) -> Result<Bytes> {
    SPARKMILL_ASSIGN(const Params own, decode_params(part.piece->job.params));
    return decode_verdict_bytes(part.answer, own.count, kOther, kName);
  };
  SPARKMILL_ASSIGN(const Bytes verdicts, join_verdicts(parts, params.count, decode, kName));
  return encode_verdict_bytes(verdicts);
}

}  // namespace sparkmill::job
