// SPDX-License-Identifier: Apache-2.0
// Bytom blocks in `verify.blocks`.
#include <algorithm>
#include <map>
#include <set>

#include "kernels/ed25519/ed25519.h"
#include "kernels/hash/hash.h"
#include "kernels/tensority/epoch_cache.h"
#include "verify/chain/header.h"
#include "verify/job/block_list.h"

namespace sparkmill::job {
namespace {

namespace bytom = blocks::bytom;

constexpr std::uint8_t kBody = 1, kWithContext = 2;
constexpr std::uint8_t kSeedThere = 16, kAllThere = 31;
constexpr std::uint64_t kSeedUnits = 3;  // 26 ms against 9 ms for a hash
/// Parts of a hash: measured over blocks with some six inputs each, 91 us on the core that hashes in 8.7 ms.
constexpr std::uint64_t kPartsPerHash = 1'200, kPartsPerBlock = 1, kPartsPerInput = 2;

/// By number; numbers are never reused. Words of "Bytom blocks" 8 to 10.
constexpr std::string_view kWords[] = {"",
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

std::uint8_t number_of(const bytom::BlockVerdict& verdict) {
  return verdict.ok ? kValid : verdict_of(kWords, verdict.reason);
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
struct Computed {
  Hash32 hash{};
  Bytes points;
};
Computed work_of(const bytom::Item& item, const bytom::BlockIds& ids, const RecordingTensority& work,
                 const RecordingEd25519& signatures) {
  Computed out;
  if (item.context && item.context->seed) {
    const auto found = work.results.find({*item.context->seed, chain::header_hash(item.block->header)});
    if (found != work.results.end()) out.hash = found->second;
  }
  std::map<SignedMessage, Hash32> own;
  for (const bytom::TransactionIds& tx : ids.transactions) {
    for (const Hash32& sighash : tx.sighashes) {
      const auto first = signatures.points.lower_bound({sighash, {}, {}});
      for (auto at = first; at != signatures.points.end() && at->first.message == sighash; ++at) own.insert(*at);
    }
  }
  for (const auto& [signed_message, point] : own) out.points.insert(out.points.end(), point.begin(), point.end());
  return out;
}

Bytes encode_items(std::span<const BlockItem> items) {
  ByteWriter w;
  put_blob_head(w, Chain::bytom, items.size());
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

Result<std::vector<BlockItem>> decode_items(ByteReader& r, std::uint32_t count) {
  std::vector<BlockItem> items;
  for (std::uint32_t k = 0; k < count; ++k) {
    const std::string where = "item " + std::to_string(k) + ": ";
    BlockItem item;
    const std::uint8_t tag = r.u8();
    if (!r.failed() && tag != kBody && tag != kWithContext) return bad_blocks(where + "tag " + std::to_string(tag));
    if (tag == kWithContext) {
      const std::uint8_t there = r.u8();
      if (there > kAllThere) return bad_blocks(where + "fields " + std::to_string(there));
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
    if (r.failed()) return bad_blocks(where + "cut off, or a block over its limit");
    items.push_back(item);
  }
  if (!r.done()) return bad_blocks(std::to_string(r.left()) + " bytes after the last item");
  return items;
}

class BytomList final : public BlockList {
 public:
  explicit BytomList(std::vector<BlockItem> items) : items_(std::move(items)) {
    const Hash32* seed = nullptr;
    std::uint64_t parts = 0, units = 0;  // of all items so far
    for (const BlockItem& item : items_) {
      parts += kPartsPerBlock;
      if (item.context && item.context->seed) {
        parts += kPartsPerHash;
        if (seed == nullptr || *seed != *item.context->seed) parts += kSeedUnits * kPartsPerHash;
        seed = &*item.context->seed;
      }
      if (const auto block = bytom::decode(item.block)) {
        for (const bytom::Transaction& tx : block->transactions) parts += kPartsPerInput * tx.inputs.size();
      }
      const std::uint64_t sum = (parts + kPartsPerHash - 1) / kPartsPerHash;
      units_.push_back(sum - units);
      units = sum;
    }
  }
  std::size_t size() const override { return items_.size(); }
  std::uint64_t units(std::size_t index) const override { return units_[index]; }
  Done judge(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, Helpers& helpers, const StopToken& stop,
             std::span<std::uint8_t> verdicts, std::span<Hash32> work) const override;
  Bytes part(std::size_t first, std::size_t end) const override {
    return encode_items(std::span(items_).subspan(first, end - first));
  }

 private:
  std::vector<BlockItem> items_;
  std::vector<std::uint64_t> units_;
};

Done BytomList::judge(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, Helpers& helpers,
                      const StopToken& stop, std::span<std::uint8_t> verdicts, std::span<Hash32> work) const {
  auto* hasher = dynamic_cast<tensority::Kernel*>(&kernel);
  if (hasher == nullptr)
    return fail(Status::bad_argument, std::string(kBlocksName) + ": the kernel is of another family");
  // The rest of a block is small beside its proof of work and runs on the processor.
  SPARKMILL_ASSIGN(hashes::Kernel* const hash, helpers.get<hashes::Kernel>(kernels::Family::hash));
  SPARKMILL_ASSIGN(ed25519::Kernel* const signer, helpers.get<ed25519::Kernel>(kernels::Family::ed25519));
  RecordingTensority hashed(*hasher);
  RecordingEd25519 signatures(*signer);

  std::vector<bytom::Block> decoded;
  decoded.reserve(indices.size());
  std::vector<bytom::Item> items;
  std::vector<std::size_t> places;  // of the items that could be decoded
  for (std::size_t k = 0; k < indices.size(); ++k) {
    const BlockItem& item = items_[indices[k]];
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
  engines.pow = &hashed;
  std::vector<Computed> found(indices.size());
  SPARKMILL_ASSIGN(const auto rounds, rounds_of(items, *hash, stop));
  for (const std::vector<std::size_t>& round : rounds) {
    std::vector<bytom::Item> some;
    for (const std::size_t j : round) some.push_back(items[j]);
    signatures.points.clear();
    SPARKMILL_ASSIGN(const std::vector<bytom::Judged> judged, bytom::judge(some, engines, stop));
    for (std::size_t j = 0; j < round.size(); ++j) {
      verdicts[places[round[j]]] = number_of(judged[j].verdict);
      found[places[round[j]]] = work_of(some[j], judged[j].ids, hashed, signatures);
    }
  }
  for (std::size_t k = 0; k < indices.size(); ++k) {
    work[k] = block_work(items_[indices[k]].context ? kWithContext : kBody, found[k].hash, found[k].points);
  }
  return done();
}

}  // namespace

const std::span<const std::string_view> kBytomWords = kWords;

Bytes encode_block_items(std::span<const BlockItem> items) { return encode_items(items); }

Result<std::vector<BlockItem>> decode_block_items(ByteView blob) {
  SPARKMILL_ASSIGN(const BlockBlobHead head, decode_block_head(blob));
  SPARKMILL_TRY(expect_chain(head, Chain::bytom));
  ByteReader r(blob.subspan(kBlobHeadBytes));
  return decode_items(r, head.count);
}

Result<std::unique_ptr<BlockList>> decode_bytom_list(ByteReader& r, std::uint32_t count) {
  SPARKMILL_ASSIGN(std::vector<BlockItem> items, decode_items(r, count));
  return std::unique_ptr<BlockList>(std::make_unique<BytomList>(std::move(items)));
}

Job make_blocks_job(std::span<const BlockItem> items, bool evidence, std::uint64_t deadline_unix_ms) {
  return make_blocks_job({Chain::bytom, static_cast<std::uint32_t>(items.size())}, sha256(encode_items(items)),
                         evidence, deadline_unix_ms);
}

}  // namespace sparkmill::job
