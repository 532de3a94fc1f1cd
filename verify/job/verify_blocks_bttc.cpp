// SPDX-License-Identifier: Apache-2.0
// BTTC in `verify.blocks`: the blob's layout, costs, and verdicts over whole slices.
#include "verify/job/verify_blocks_bttc.h"

#include <algorithm>

#include "verify/job/block_fields.h"
#include "verify/job/block_list.h"

namespace sparkmill::job {
namespace {

constexpr std::uint8_t kValidatorsTag = 1, kSpansTag = 2;
constexpr std::uint8_t kCheckpointTag = 1, kExitTag = 2;
constexpr std::uint8_t kLastEndThere = 1;
constexpr std::size_t kMaxStates = 1u << 16;
constexpr std::size_t kMaxSpans = 1u << 20;  ///< spans, processed ids
constexpr std::size_t kValidatorBytes = 61, kSpanBytes = 56, kEntryBytes = 96, kLeastState = 9, kLeastItem = 9;
constexpr std::size_t kPoint = secp256k1::kEvidenceBytes;

/// By number; numbers are never reused.
constexpr std::string_view kWords[] = {"",
                                       "valid",
                                       "other",
                                       "limit",
                                       "bad_length",
                                       "bad_address_padding",
                                       "wrong_chain",
                                       "discontinuous",
                                       "bad_range",
                                       "unknown_proposer",
                                       "too_few_signatures",
                                       "bad_v",
                                       "high_s",
                                       "bad_signature",
                                       "unknown_signer",
                                       "duplicate_signer",
                                       "wrong_order",
                                       "below_threshold",
                                       "bad_payload",
                                       "unknown_header",
                                       "block_out_of_span",
                                       "bad_block_proof",
                                       "bad_branch_mask",
                                       "bad_receipt_proof",
                                       "bad_receipt",
                                       "bad_log_index",
                                       "already_processed"};

// In 64ths of a verification of Ed25519 `go`, by time on a core of the AVX-512 rows.
constexpr std::uint64_t kWeightOfUnit = 64;
constexpr std::uint64_t kItemWeight = 16;     // reading, and the fold
constexpr std::uint64_t kRecoverWeight = 76;  // with the hash of its key
constexpr std::uint64_t kExitWeight = 24;
constexpr std::uint64_t kKeccakWeight = 3;  // a permutation, 136 bytes
constexpr std::size_t kKeccakBytes = 136;

std::uint64_t units_of(std::uint64_t weight) { return (kItemWeight + weight + kWeightOfUnit - 1) / kWeightOfUnit; }
std::uint64_t keccaks(std::size_t bytes) { return bytes / kKeccakBytes + 1; }

void put(ByteWriter& w, bttc::Amount amount) {
  w.u64(static_cast<std::uint64_t>(amount)).u64(static_cast<std::uint64_t>(amount >> 64));
}
bttc::Amount read_amount(BlockFields& f, const char* field) {
  const bttc::Amount low = f.u64();
  const bttc::Amount amount = bttc::Amount{f.u64()} << 64 | low;
  if (amount > bttc::kMaxAmount) f.no(field, "over 2^110");
  return amount;
}

void put(ByteWriter& w, const BttcValidators& s) {
  w.u8(kValidatorsTag).u64(s.chain_id).u64(s.epoch).u64(s.staker_count);
  put(w, s.total_stake);
  w.u32(static_cast<std::uint32_t>(s.validators.size()));
  for (const bttc::Validator& v : s.validators) {
    w.bytes(v.signer);
    put(w, v.amount);
    put(w, v.delegated);
    w.u8(static_cast<std::uint8_t>(v.standing)).u64(v.deactivation_epoch);
  }
}

void put(ByteWriter& w, const bttc::ExitState& s) {
  w.u8(kSpansTag).u32(static_cast<std::uint32_t>(s.headers.size()));
  for (const auto& [number, span] : s.headers) w.u64(number).bytes(span.root).u64(span.start).u64(span.end);
  w.u32(static_cast<std::uint32_t>(s.processed.size()));
  for (const Hash32& id : s.processed) w.bytes(id);
}

void put(ByteWriter& w, const BttcCheckpoint& c) {
  w.u8(kCheckpointTag).u32(c.state).u8(static_cast<std::uint8_t>(c.policy)).u8(static_cast<std::uint8_t>(c.rule));
  w.u8(c.last_end ? kLastEndThere : 0).u64(c.last_end.value_or(0)).len_bytes(c.data);
  w.u32(static_cast<std::uint32_t>(c.signatures.size()));
  for (const bttc::SignatureWords& s : c.signatures) w.bytes(s.r).bytes(s.s).bytes(s.v);
}

void put(ByteWriter& w, const BttcExit& e) { w.u8(kExitTag).u32(e.state).len_bytes(e.payload); }

BttcValidators read_validators(BlockFields& f) {
  BttcValidators s;
  s.chain_id = f.u64();
  s.epoch = f.u64();
  s.staker_count = f.u64();
  s.total_stake = read_amount(f, "total stake");
  const std::uint32_t count = f.count("validators", bttc::kMaxValidators, kValidatorBytes);
  for (std::uint32_t k = 0; k < count; ++k) {
    bttc::Validator v;
    v.signer = f.array<20>();
    v.amount = read_amount(f, "amount");
    v.delegated = read_amount(f, "delegated");
    v.standing = static_cast<bttc::Standing>(f.choice("standing", f.u8(), 2));
    v.deactivation_epoch = f.u64();
    s.validators.push_back(v);
  }
  return s;
}

bttc::ExitState read_spans(BlockFields& f) {
  bttc::ExitState s;
  const std::uint32_t headers = f.count("spans", kMaxSpans, kSpanBytes);
  for (std::uint32_t k = 0; k < headers; ++k) {
    const std::uint64_t number = f.u64();
    if (!s.headers.empty() && number <= s.headers.rbegin()->first) f.no("spans", "numbers are not ascending");
    bttc::StoredCheckpoint& span = s.headers[number];
    span.root = f.array<32>();
    span.start = f.u64();
    span.end = f.u64();
  }
  const std::uint32_t processed = f.count("processed ids", kMaxSpans, sizeof(Hash32));
  for (std::uint32_t k = 0; k < processed; ++k) {
    const Hash32 id = f.array<32>();
    if (!s.processed.empty() && id <= *s.processed.rbegin()) f.no("processed ids", "not ascending");
    s.processed.insert(s.processed.end(), id);
  }
  return s;
}

BttcCheckpoint read_checkpoint(BlockFields& f) {
  BttcCheckpoint c;
  c.state = f.u32();
  c.policy = static_cast<bttc::Policy>(f.choice("policy", f.u8(), 1));
  c.rule = static_cast<bttc::Rule>(f.choice("rule", f.u8(), 1));
  const bool there = f.choice("fields", f.u8(), kLastEndThere) != 0;
  const std::uint64_t last_end = f.u64();
  if (there) c.last_end = last_end;
  if (!there && last_end != 0) f.no("last end", "not there and not 0");
  c.data = f.bytes("data", bttc::kMaxDataBytes);
  const std::uint32_t count = f.count("signatures", bttc::kMaxSignatures, kEntryBytes);
  for (std::uint32_t k = 0; k < count; ++k) {
    bttc::SignatureWords s;
    s.r = f.array<32>();
    s.s = f.array<32>();
    s.v = f.array<32>();
    c.signatures.push_back(s);
  }
  return c;
}

BttcExit read_exit(BlockFields& f) {
  BttcExit e;
  e.state = f.u32();
  e.payload = f.bytes("payload", bttc::kMaxPayloadBytes);
  return e;
}

template <class State>
void need_state(BlockFields& f, std::span<const BttcState> states, std::uint32_t index) {
  if (f.error().empty() && (index >= states.size() || !std::holds_alternative<State>(states[index]))) {
    f.no("state", "no such one of this sort, " + std::to_string(index));
  }
}

Result<BttcItems> decode_items(ByteReader& r, std::uint32_t count) {
  BttcItems out;
  {
    BlockFields f(r);
    const std::uint32_t states = f.count("states", kMaxStates, kLeastState);
    if (!f.error().empty()) return bad_blocks(f.error());
    for (std::uint32_t k = 0; k < states; ++k) {
      const std::uint8_t tag = f.u8();
      if (tag == kValidatorsTag) {
        out.states.emplace_back(read_validators(f));
      } else if (tag == kSpansTag) {
        out.states.emplace_back(read_spans(f));
      } else {
        f.no("tag", std::to_string(tag));
      }
      if (!f.error().empty()) return bad_blocks("state " + std::to_string(k) + ": " + f.error());
    }
  }
  if (count * kLeastItem > r.left()) return bad_blocks("items: cut off");
  out.items.reserve(count);
  for (std::uint32_t k = 0; k < count; ++k) {
    BlockFields f(r);
    const std::uint8_t tag = f.u8();
    if (tag == kCheckpointTag) {
      BttcCheckpoint c = read_checkpoint(f);
      need_state<BttcValidators>(f, out.states, c.state);
      out.items.emplace_back(std::move(c));
    } else if (tag == kExitTag) {
      const BttcExit e = read_exit(f);
      need_state<bttc::ExitState>(f, out.states, e.state);
      out.items.emplace_back(e);
    } else {
      f.no("tag", std::to_string(tag));
    }
    if (!f.error().empty()) return bad_blocks("item " + std::to_string(k) + ": " + f.error());
  }
  if (!r.done()) return bad_blocks(std::to_string(r.left()) + " bytes after the last item");
  return out;
}

/// Items and the states that they use, both renumbered.
Bytes encode_part(std::span<const BttcState> states, std::span<const BttcItem> items) {
  const auto state_of = [](const BttcItem& item) { return std::visit([](const auto& i) { return i.state; }, item); };
  std::vector<bool> used(states.size());
  for (const BttcItem& item : items) used[state_of(item)] = true;
  std::vector<std::uint32_t> number(states.size());
  std::uint32_t kept = 0;
  for (std::size_t k = 0; k < states.size(); ++k) number[k] = used[k] ? kept++ : 0;
  ByteWriter w;
  put_blob_head(w, Chain::bttc, items.size());
  w.u32(kept);
  for (std::size_t k = 0; k < states.size(); ++k) {
    if (used[k]) std::visit([&](const auto& s) { put(w, s); }, states[k]);
  }
  for (const BttcItem& item : items) {
    std::visit(
        [&](auto i) {
          i.state = number[i.state];
          put(w, i);
        },
        item);
  }
  return std::move(w).data();
}

class BttcList final : public BlockList {
 public:
  explicit BttcList(BttcItems in) : in_(std::move(in)), sets_(in_.states.size()) {
    for (std::size_t k = 0; k < in_.states.size(); ++k) {
      const auto* s = std::get_if<BttcValidators>(&in_.states[k]);
      if (s != nullptr) sets_[k] = bttc::ValidatorSet(s->validators);
    }
  }
  std::size_t size() const override { return in_.items.size(); }
  std::uint64_t units(std::size_t index) const override {
    if (const auto* e = std::get_if<BttcExit>(&in_.items[index])) {
      // Trie nodes are most of a payload; the block's path has as many permutations as siblings.
      return units_of(kExitWeight + kKeccakWeight * (keccaks(e->payload.size()) + e->payload.size() / kKeccakBytes));
    }
    const auto& c = std::get<BttcCheckpoint>(in_.items[index]);
    const auto asked = std::count_if(c.signatures.begin(), c.signatures.end(), bttc::reaches_recovery);
    return units_of(kRecoverWeight * static_cast<std::uint64_t>(asked) + kKeccakWeight * keccaks(c.data.size()));
  }
  Done judge(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, Helpers& helpers, const StopToken& stop,
             std::span<std::uint8_t> verdicts, std::span<Hash32> work) const override;
  Bytes part(std::size_t first, std::size_t end) const override {
    return encode_part(in_.states, std::span(in_.items).subspan(first, end - first));
  }

 private:
  blocks::Verdict<bttc::CheckpointFacts> verdict_of_checkpoint(const BttcCheckpoint& c,
                                                               std::span<const bttc::Recovered> signers) const {
    const auto& s = std::get<BttcValidators>(in_.states[c.state]);
    const bttc::ChainState state{s.chain_id, c.last_end, s.epoch, s.staker_count, s.total_stake, &sets_[c.state]};
    return bttc::check_checkpoint(c.policy, c.rule, state, {c.data, c.signatures}, signers);
  }
  template <class Verdict>
  static std::uint8_t number_of(const Verdict& v) {
    return v.ok ? kValid : verdict_of(kWords, v.reason);
  }

  BttcItems in_;
  std::vector<bttc::ValidatorSet> sets_;  ///< by state
};

Done BttcList::judge(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, Helpers& helpers,
                     const StopToken& stop, std::span<std::uint8_t> verdicts, std::span<Hash32> work) const {
  auto* curve = dynamic_cast<secp256k1::Kernel*>(&kernel);
  if (curve == nullptr) {
    return fail(Status::bad_argument, std::string(kBlocksName) + ": the kernel is of another family");
  }
  SPARKMILL_ASSIGN(hashes::Kernel* const hash, helpers.get<hashes::Kernel>(kernels::Family::hash));
  std::vector<bttc::SignedData> checkpoints;
  std::vector<bttc::ExitItem> exits;
  for (const std::uint32_t index : indices) {
    if (const auto* c = std::get_if<BttcCheckpoint>(&in_.items[index])) {
      checkpoints.push_back({c->data, c->signatures});
    } else {
      const auto& e = std::get<BttcExit>(in_.items[index]);
      exits.push_back({&std::get<bttc::ExitState>(in_.states[e.state]), e.payload});
    }
  }
  Bytes points;
  bttc::Trails trails;
  SPARKMILL_ASSIGN(const std::vector<bttc::Recovered> signers,
                   bttc::recover_signers(checkpoints, {*hash, *curve}, stop, &points));
  SPARKMILL_ASSIGN(const auto exit_verdicts, bttc::check_exits(exits, *hash, stop, &trails));
  std::size_t entry = 0, exit = 0;
  for (std::size_t k = 0; k < indices.size(); ++k) {
    const auto* c = std::get_if<BttcCheckpoint>(&in_.items[indices[k]]);
    if (c == nullptr) {
      verdicts[k] = number_of(exit_verdicts[exit]);
      Sha256 own;
      for (const Hash32& digest : trails[exit]) own.update(digest);
      work[k] = block_work(kExitTag, trails[exit].empty() ? Hash32{} : own.finish(), {});
      ++exit;
      continue;
    }
    const std::size_t count = c->signatures.size();
    verdicts[k] = number_of(verdict_of_checkpoint(*c, std::span(signers).subspan(entry, count)));
    Bytes own;
    for (std::size_t j = 0; j < count; ++j) {
      const ByteView point = ByteView(points).subspan((entry + j) * kPoint, kPoint);
      if (bttc::reaches_recovery(c->signatures[j])) own.insert(own.end(), point.begin(), point.end());
    }
    work[k] = block_work(kCheckpointTag, {}, own);
    entry += count;
  }
  return done();
}

}  // namespace

const std::span<const std::string_view> kBttcWords = kWords;

Bytes encode_block_items(const BttcItems& items) {
  ByteWriter w;
  put_blob_head(w, Chain::bttc, items.items.size());
  w.u32(static_cast<std::uint32_t>(items.states.size()));
  for (const BttcState& state : items.states) std::visit([&](const auto& s) { put(w, s); }, state);
  for (const BttcItem& item : items.items) std::visit([&](const auto& i) { put(w, i); }, item);
  return std::move(w).data();
}

Result<BttcItems> decode_bttc_items(ByteView blob) {
  SPARKMILL_ASSIGN(const BlockBlobHead head, decode_block_head(blob));
  SPARKMILL_TRY(expect_chain(head, Chain::bttc));
  ByteReader r(blob.subspan(kBlobHeadBytes));
  return decode_items(r, head.count);
}

Result<std::unique_ptr<BlockList>> decode_bttc_list(ByteReader& r, std::uint32_t count) {
  SPARKMILL_ASSIGN(BttcItems items, decode_items(r, count));
  return std::unique_ptr<BlockList>(std::make_unique<BttcList>(std::move(items)));
}

}  // namespace sparkmill::job
