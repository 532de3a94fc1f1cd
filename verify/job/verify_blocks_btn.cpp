// SPDX-License-Identifier: Apache-2.0
// BTN in `verify.blocks`: the blob's layout, costs, and verdicts over whole slices.
#include "verify/job/verify_blocks_btn.h"

#include <algorithm>

#include "verify/job/block_fields.h"
#include "verify/job/block_list.h"

namespace sparkmill::job {
namespace {

constexpr std::uint8_t kParamsTag = 1;
constexpr std::uint8_t kBlockTag = 1, kEquivocationTag = 2;
constexpr std::size_t kMaxStates = 1u << 16;
constexpr std::size_t kMaxRegistered = btn::kMaxVotes;
constexpr std::size_t kMaxKeyBytes = 4096;  ///< of a key or signature; right ones have 256
constexpr std::size_t kLeastState = 31, kLeastItem = 66, kLeastDraw = 12, kLeastVote = 8;

/// By number; numbers are never reused. "unsealed": state 1 and nothing wrong; other reasons tell the state by
/// themselves: up to bad_clerk_signature 0, up to seal_zeros 1, up to votes_missing 2.
constexpr std::string_view kWords[] = {"",
                                       "valid",
                                       "other",
                                       "limit",
                                       "bad_header",
                                       "wrong_parent",
                                       "committee_not_ready",
                                       "clerk_not_in_committee",
                                       "bad_draw_reference",
                                       "bad_clerk_signature",
                                       "unsealed",
                                       "unknown_sealer",
                                       "own_seal",
                                       "bad_seal",
                                       "seal_zeros",
                                       "voter_not_in_committee",
                                       "duplicate_vote",
                                       "bad_vote",
                                       "votes_missing",
                                       "same_hash",
                                       "bad_signature"};
constexpr std::string_view kUnsealed = "unsealed";
constexpr unsigned kJointlySealed = 3;

// In 64ths of a verification of Ed25519 `go`, by time on a core of the AVX-512 rows.
constexpr std::uint64_t kWeightOfUnit = 64;
constexpr std::uint64_t kItemWeight = 16;
constexpr std::uint64_t kSignatureWeightRsa =
    56;  // 36 are the power; key, signature and number are 768 bytes to hash and move

std::uint64_t units_of(std::uint64_t signatures) {
  return (kItemWeight + kSignatureWeightRsa * signatures + kWeightOfUnit - 1) / kWeightOfUnit;
}

void put(ByteWriter& w, const BtnParams& p) {
  w.u8(kParamsTag).u32(p.draw.m1).u32(p.draw.max_round).u32(p.m2).u64(p.wanted);
  w.u8(static_cast<std::uint8_t>(p.rule)).u8(static_cast<std::uint8_t>(p.vote_form));
  for (const std::vector<btn::Modulus>* keys : {&p.primary, &p.secondary}) {
    w.u32(static_cast<std::uint32_t>(keys->size()));
    for (const btn::Modulus& n : *keys) w.bytes(n);
  }
}

void put(ByteWriter& w, const btn::Draw& d) { w.u32(d.round).len_bytes(d.n).len_bytes(d.signature); }

void put(ByteWriter& w, const BtnBlock& b, std::uint32_t state) {
  w.u8(kBlockTag).u32(state).bytes(b.parent_hash).u64(b.parent_height);
  w.len_bytes(b.block.header).len_bytes(b.block.clerk_signature);
  w.u32(static_cast<std::uint32_t>(b.block.draws.size()));
  for (const btn::Draw& d : b.block.draws) put(w, d);
  w.u8(b.block.seal ? 1 : 0);
  if (b.block.seal) put(w, *b.block.seal);
  w.u32(static_cast<std::uint32_t>(b.block.votes.size()));
  for (const btn::Vote& v : b.block.votes) w.len_bytes(v.n).len_bytes(v.signature);
}

void put(ByteWriter& w, const btn::Equivocation& e) {
  w.u8(kEquivocationTag).u8(static_cast<std::uint8_t>(e.type)).len_bytes(e.n).u64(e.height);
  w.bytes(e.hash_a).len_bytes(e.signature_a).bytes(e.hash_b).len_bytes(e.signature_b);
}

std::vector<btn::Modulus> read_keys(BlockFields& f, const char* field) {
  std::vector<btn::Modulus> keys(f.count(field, kMaxRegistered, rsa::kModulusBytes));
  for (btn::Modulus& n : keys) n = f.array<rsa::kModulusBytes>();
  return keys;
}

BtnParams read_params(BlockFields& f) {
  BtnParams p;
  p.draw.m1 = f.u32();
  p.draw.max_round = f.u32();
  p.m2 = f.u32();
  p.wanted = f.u64();
  p.rule = static_cast<btn::VoteRule>(f.choice("rule", f.u8(), 1));
  p.vote_form = static_cast<btn::VoteForm>(f.choice("vote form", f.u8(), 1));
  p.primary = read_keys(f, "primary keys");
  p.secondary = read_keys(f, "secondary keys");
  return p;
}

btn::Draw read_draw(BlockFields& f, const char* field) {
  btn::Draw d;
  d.round = f.u32();
  d.n = f.bytes(field, kMaxKeyBytes);
  d.signature = f.bytes(field, kMaxKeyBytes);
  return d;
}

BtnBlock read_block(BlockFields& f) {
  BtnBlock b;
  b.state = f.u32();
  b.parent_hash = f.array<32>();
  b.parent_height = f.u64();
  b.block.header = f.bytes("header", btn::kMaxHeaderBytes);
  b.block.clerk_signature = f.bytes("clerk's signature", kMaxKeyBytes);
  const std::uint32_t draws = f.count("draws", btn::kMaxDraws, kLeastDraw);
  for (std::uint32_t k = 0; k < draws && f.error().empty(); ++k) b.block.draws.push_back(read_draw(f, "draws"));
  if (f.choice("sealed", f.u8(), 1) != 0) b.block.seal = read_draw(f, "seal");
  const std::uint32_t votes = f.count("votes", btn::kMaxVotes, kLeastVote);
  for (std::uint32_t k = 0; k < votes && f.error().empty(); ++k) {
    const ByteView n = f.bytes("votes", kMaxKeyBytes);
    b.block.votes.push_back({n, f.bytes("votes", kMaxKeyBytes)});
  }
  return b;
}

btn::Equivocation read_equivocation(BlockFields& f) {
  btn::Equivocation e;
  const std::uint8_t type = f.u8();
  e.type = static_cast<btn::EquivocationType>(type);
  if (e.type != btn::EquivocationType::vote && e.type != btn::EquivocationType::clerk) {
    f.no("type", std::to_string(type));
  }
  e.n = f.bytes("key", kMaxKeyBytes);
  e.height = f.u64();
  e.hash_a = f.array<32>();
  e.signature_a = f.bytes("signature a", kMaxKeyBytes);
  e.hash_b = f.array<32>();
  e.signature_b = f.bytes("signature b", kMaxKeyBytes);
  return e;
}

Result<BtnItems> decode_items(ByteReader& r, std::uint32_t count) {
  BtnItems out;
  {
    BlockFields f(r);
    const std::uint32_t states = f.count("states", kMaxStates, kLeastState);
    if (!f.error().empty()) return bad_blocks(f.error());
    for (std::uint32_t k = 0; k < states; ++k) {
      const std::uint8_t tag = f.u8();
      if (tag != kParamsTag) f.no("tag", std::to_string(tag));
      out.states.push_back(read_params(f));
      if (!f.error().empty()) return bad_blocks("state " + std::to_string(k) + ": " + f.error());
    }
  }
  if (count * kLeastItem > r.left()) return bad_blocks("items: cut off");
  out.items.reserve(count);
  for (std::uint32_t k = 0; k < count; ++k) {
    BlockFields f(r);
    const std::uint8_t tag = f.u8();
    if (tag == kBlockTag) {
      BtnBlock b = read_block(f);
      if (b.state >= out.states.size()) f.no("state", "no such one, " + std::to_string(b.state));
      out.items.emplace_back(std::move(b));
    } else if (tag == kEquivocationTag) {
      out.items.emplace_back(read_equivocation(f));
    } else {
      f.no("tag", std::to_string(tag));
    }
    if (!f.error().empty()) return bad_blocks("item " + std::to_string(k) + ": " + f.error());
  }
  if (!r.done()) return bad_blocks(std::to_string(r.left()) + " bytes after the last item");
  return out;
}

/// Items and the states that they use, both renumbered.
Bytes encode_part(std::span<const BtnParams> states, std::span<const BtnItem> items, bool all) {
  std::vector<bool> used(states.size(), all);
  for (const BtnItem& item : items) {
    if (const auto* b = std::get_if<BtnBlock>(&item)) used[b->state] = true;
  }
  std::vector<std::uint32_t> number(states.size());
  std::uint32_t kept = 0;
  for (std::size_t k = 0; k < states.size(); ++k) number[k] = used[k] ? kept++ : 0;
  ByteWriter w;
  put_blob_head(w, Chain::btn, items.size());
  w.u32(kept);
  for (std::size_t k = 0; k < states.size(); ++k) {
    if (used[k]) put(w, states[k]);
  }
  for (const BtnItem& item : items) {
    if (const auto* b = std::get_if<BtnBlock>(&item)) {
      put(w, *b, number[b->state]);
    } else {
      put(w, std::get<btn::Equivocation>(item));
    }
  }
  return std::move(w).data();
}

class BtnList final : public BlockList {
 public:
  struct Keys {
    btn::KeySet primary, secondary;
  };
  BtnList(BtnItems in, std::vector<Keys> keys) : in_(std::move(in)), keys_(std::move(keys)) {
    for (const BtnItem& item : in_.items) {
      btn::BlockRules rules;
      const auto* b = std::get_if<BtnBlock>(&item);
      if (b != nullptr) {
        const BtnParams& p = in_.states[b->state];
        const Keys& known = keys_[b->state];
        rules = {p.draw,           p.m2,           p.wanted,        p.rule, p.vote_form, &known.primary,
                 &known.secondary, b->parent_hash, b->parent_height};
      }
      rules_.push_back(rules);
      units_.push_back(units_of(b != nullptr ? btn::signatures_asked(rules, b->block) : 2));
    }
  }
  std::size_t size() const override { return in_.items.size(); }
  std::uint64_t units(std::size_t index) const override { return units_[index]; }
  Done judge(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, Helpers& helpers, const StopToken& stop,
             std::span<std::uint8_t> verdicts, std::span<Hash32> work) const override;
  Bytes part(std::size_t first, std::size_t end) const override {
    return encode_part(in_.states, std::span(in_.items).subspan(first, end - first), false);
  }

 private:
  static std::uint8_t number_of(const blocks::Verdict<btn::BlockFacts>& v) {
    if (!v.ok) return verdict_of(kWords, v.reason);
    return v.facts.state == kJointlySealed ? kValid : verdict_of(kWords, kUnsealed);
  }

  BtnItems in_;
  std::vector<Keys> keys_;              ///< by state
  std::vector<btn::BlockRules> rules_;  ///< by item
  std::vector<std::uint64_t> units_;
};

Done BtnList::judge(std::span<const std::uint32_t> indices, kernels::Kernel& kernel, Helpers& helpers,
                    const StopToken& stop, std::span<std::uint8_t> verdicts, std::span<Hash32> work) const {
  auto* rsa = dynamic_cast<rsa::Kernel*>(&kernel);
  if (rsa == nullptr) {
    return fail(Status::bad_argument, std::string(kBlocksName) + ": the kernel is of another family");
  }
  SPARKMILL_ASSIGN(hashes::Kernel* const hash, helpers.get<hashes::Kernel>(kernels::Family::hash));
  std::vector<btn::BlockItem> blocks;
  std::vector<btn::Equivocation> equivocations;
  for (const std::uint32_t index : indices) {
    if (const auto* b = std::get_if<BtnBlock>(&in_.items[index])) {
      blocks.push_back({&rules_[index], &b->block});
    } else {
      equivocations.push_back(std::get<btn::Equivocation>(in_.items[index]));
    }
  }
  std::vector<Bytes> block_numbers, equivocation_numbers;
  SPARKMILL_ASSIGN(const auto block_verdicts, btn::check_blocks(blocks, {*rsa, *hash}, stop, &block_numbers));
  SPARKMILL_ASSIGN(const auto equivocation_verdicts,
                   btn::check_equivocations(equivocations, {*rsa, *hash}, stop, &equivocation_numbers));
  std::size_t block = 0, equivocation = 0;
  for (std::size_t k = 0; k < indices.size(); ++k) {
    if (std::holds_alternative<BtnBlock>(in_.items[indices[k]])) {
      verdicts[k] = number_of(block_verdicts[block]);
      work[k] = block_work(kBlockTag, {}, block_numbers[block++]);
    } else {
      const auto& v = equivocation_verdicts[equivocation];
      verdicts[k] = v.ok ? kValid : verdict_of(kWords, v.reason);
      work[k] = block_work(kEquivocationTag, {}, equivocation_numbers[equivocation++]);
    }
  }
  return done();
}

}  // namespace

const std::span<const std::string_view> kBtnWords = kWords;

Bytes encode_block_items(const BtnItems& items) { return encode_part(items.states, items.items, true); }

Result<BtnItems> decode_btn_items(ByteView blob) {
  SPARKMILL_ASSIGN(const BlockBlobHead head, decode_block_head(blob));
  SPARKMILL_TRY(expect_chain(head, Chain::btn));
  ByteReader r(blob.subspan(kBlobHeadBytes));
  return decode_items(r, head.count);
}

Result<std::unique_ptr<BlockList>> decode_btn_list(ByteReader& r, std::uint32_t count) {
  SPARKMILL_ASSIGN(BtnItems items, decode_items(r, count));
  std::vector<BtnList::Keys> keys;
  for (std::size_t k = 0; k < items.states.size(); ++k) {
    const auto read = [&](const std::vector<btn::Modulus>& moduli, const char* role) -> Result<btn::KeySet> {
      auto set = btn::KeySet::make(moduli);
      if (set) return set;
      return bad_blocks("state " + std::to_string(k) + ": " + role + " " + set.error().message);
    };
    BtnList::Keys own;
    SPARKMILL_ASSIGN(own.primary, read(items.states[k].primary, "primary"));
    SPARKMILL_ASSIGN(own.secondary, read(items.states[k].secondary, "secondary"));
    keys.push_back(std::move(own));
  }
  return std::unique_ptr<BlockList>(std::make_unique<BtnList>(std::move(items), std::move(keys)));
}

}  // namespace sparkmill::job
