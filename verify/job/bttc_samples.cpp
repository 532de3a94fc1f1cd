// SPDX-License-Identifier: Apache-2.0
// Fresh BTTC checkpoints, signed by more than two thirds of drawn validators, or with one thing done to them.
// Source: "Consensus evidence" 2.1 to 2.4.
#include <algorithm>

#include "kernels/hash/hash.h"
#include "verify/blocks/bttc/sign.h"
#include "verify/job/bttc_exits.h"
#include "verify/job/chain_plants.h"
#include "verify/job/items.h"
#include "verify/job/verify_blocks_bttc.h"

namespace sparkmill::job {
namespace {

using Flaw = BlockPlantKind;
using bttc::Word;

constexpr std::size_t kSets = 4;
constexpr std::uint64_t kLeastValidators = 7, kMoreValidators = 12;
constexpr std::uint64_t kChainId = 199;
/// One item in so many is an exit.
constexpr std::uint64_t kExitPer = 6;
constexpr std::size_t kRootAt = 3 * 32, kWordBytes = 32;
/// The group order, big-endian.
constexpr Word kOrder = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                         0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48,
                         0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};

Word order_minus(const Word& s) {
  Word out{};
  int borrow = 0;
  for (std::size_t k = 32; k-- > 0;) {
    const int d = int{kOrder[k]} - int{s[k]} - borrow;
    borrow = d < 0 ? 1 : 0;
    out[k] = static_cast<std::uint8_t>(d + 256 * borrow);
  }
  return out;
}

/// Validators with their secrets; the first one holds more than a third of the stake, the last one has left.
struct Set {
  BttcValidators state;
  std::vector<bttc::Signer> signers;
};

/// What a flaw needs of the rest of its checkpoint.
struct Frame {
  bttc::Policy policy;
  bttc::Rule rule = bttc::Rule::count;
};
std::optional<Frame> frame_of(Flaw flaw) {
  switch (flaw) {
    case Flaw::bttc_high_s:
    case Flaw::bttc_odd_v:
    case Flaw::bttc_duplicate:
    case Flaw::bttc_order:
    case Flaw::bttc_stranger:
    case Flaw::bttc_left:
    case Flaw::bttc_missing:
    case Flaw::bttc_span:
    case Flaw::bttc_padding:
    case Flaw::bttc_proposer: return Frame{bttc::Policy::canonical};
    case Flaw::bttc_stake: return Frame{bttc::Policy::contract, bttc::Rule::stake};
    case Flaw::bttc_short:
    case Flaw::bttc_chain:
    case Flaw::bttc_gap: return std::nullopt;
    default: return Frame{bttc::Policy::contract};
  }
}

class Checkpoints {
 public:
  Checkpoints(const Hash32& seed, hashes::Kernel& hash) : draw_(seed), hash_(hash) {}
  Done make_sets();
  Result<BttcCheckpoint> make(std::optional<Flaw> flaw, const StopToken& stop);
  BttcItems states() const {
    BttcItems out;
    for (const Set& set : sets_) out.states.emplace_back(set.state);
    return out;
  }
  ChaChaWords& draw() { return draw_; }

 private:
  Hash32 hash32() {
    Hash32 out{};
    for (std::uint8_t& b : out) b = static_cast<std::uint8_t>(draw_.u32());
    return out;
  }
  Result<bttc::SignatureWords> sign(const bttc::Signer& signer, ByteView data, const StopToken& stop);
  void bend_fields(Flaw flaw, bttc::CheckpointFields& fields, std::optional<std::uint64_t>& last_end);
  void bend_data(Flaw flaw, Bytes& data);
  Done bend_entries(Flaw flaw, const Set& set, ByteView data, std::vector<bttc::SignatureWords>& entries,
                    const StopToken& stop);

  ChaChaWords draw_;
  hashes::Kernel& hash_;
  std::deque<Set> sets_;
  std::deque<Bytes> held_;
};

Done Checkpoints::make_sets() {
  for (std::size_t s = 0; s < kSets; ++s) {
    Set& set = sets_.emplace_back();
    const std::uint64_t count = kLeastValidators + draw_.below(kMoreValidators);
    set.state.chain_id = kChainId;
    set.state.epoch = 100 + draw_.below(10'000);
    set.state.staker_count = count;
    for (std::uint64_t k = 0; k <= count; ++k) {  // one more than count: the one that left
      SPARKMILL_ASSIGN(bttc::Signer signer, bttc::Signer::from_secret(hash32(), hash_));
      const bttc::Amount stake = 1'000'000 + draw_.below(9'000'000);
      bttc::Validator v{signer.address(), stake, draw_.below(1'000'000), bttc::Standing::active, 0};
      if (k == count) v.deactivation_epoch = set.state.epoch - 1 - draw_.below(50);
      set.state.validators.push_back(v);
      set.signers.push_back(std::move(signer));
      if (k != count) set.state.total_stake += v.amount + v.delegated;
    }
    bttc::Validator& heavy = set.state.validators[0];
    set.state.total_stake += set.state.total_stake;  // the first one gets as much again as all have
    heavy.amount += set.state.total_stake / 2;
  }
  return done();
}

Result<bttc::SignatureWords> Checkpoints::sign(const bttc::Signer& signer, ByteView data, const StopToken& stop) {
  const Bytes vote = bttc::vote(data);
  const std::uint64_t offsets[] = {0, vote.size()};
  Hash32 digest{};
  SPARKMILL_TRY(hash_.hash(hashes::Algorithm::keccak256, {vote, offsets}, digest, stop));
  return bttc::contract_words(signer.sign_hash(digest));
}

void Checkpoints::bend_fields(Flaw flaw, bttc::CheckpointFields& f, std::optional<std::uint64_t>& last_end) {
  switch (flaw) {
    case Flaw::bttc_chain: f.bor_chain_id = kChainId + 1 + draw_.below(1'000); break;
    case Flaw::bttc_gap: last_end = f.start + draw_.below(300); break;
    case Flaw::bttc_backwards: f.end = f.start - 1 - draw_.below(100); break;
    case Flaw::bttc_span: f.end = f.start + bttc::kMaxSpan + draw_.below(1'000); break;
    case Flaw::bttc_proposer: {
      const Hash32 any = hash32();
      std::copy_n(any.begin(), f.proposer.size(), f.proposer.begin());
      break;
    }
    default: break;
  }
}

void Checkpoints::bend_data(Flaw flaw, Bytes& data) {
  if (flaw == Flaw::bttc_short) data.resize(5 * kWordBytes + draw_.below(kWordBytes));
  if (flaw == Flaw::bttc_padding) data[draw_.below(12)] ^= static_cast<std::uint8_t>(1u << draw_.below(8));
}

Done Checkpoints::bend_entries(Flaw flaw, const Set& set, ByteView data, std::vector<bttc::SignatureWords>& entries,
                               const StopToken& stop) {
  const std::size_t at = draw_.below(entries.size());
  bttc::SignatureWords& one = entries[at];
  const std::size_t pair = draw_.below(entries.size() - 1);
  const auto flip = [&](Word& word) {
    word[draw_.below(word.size())] ^= static_cast<std::uint8_t>(1u << draw_.below(8));
  };
  switch (flaw) {
    case Flaw::bttc_commitment_bit: flip(one.r); break;
    case Flaw::bttc_scalar_bit: flip(one.s); break;
    case Flaw::bttc_flipped_v: one.v[31] = static_cast<std::uint8_t>(55 - one.v[31]); break;
    case Flaw::bttc_high_s:
    case Flaw::bttc_high_s_walk:
      one.s = order_minus(one.s);
      one.v[31] = static_cast<std::uint8_t>(55 - one.v[31]);
      break;
    case Flaw::bttc_odd_v: one.v[31] = static_cast<std::uint8_t>(29 + draw_.below(200)); break;
    case Flaw::bttc_duplicate:
    case Flaw::bttc_duplicate_walk: entries[pair + 1] = entries[pair]; break;
    case Flaw::bttc_order:
    case Flaw::bttc_order_walk: std::swap(entries[pair], entries[pair + 1]); break;
    case Flaw::bttc_no_point: one.r = draw_.below(2) == 0 ? Word{} : kOrder; break;
    case Flaw::bttc_other_data: {
      Bytes other(data.begin(), data.end());
      other.back() ^= 1;
      SPARKMILL_ASSIGN(one, sign(set.signers[0], other, stop));
      break;
    }
    case Flaw::bttc_too_few:
    case Flaw::bttc_missing: entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(at)); break;
    default: break;
  }
  return done();
}

Result<BttcCheckpoint> Checkpoints::make(std::optional<Flaw> flaw, const StopToken& stop) {
  const std::size_t state = draw_.below(sets_.size());
  const Set& set = sets_[state];
  const std::size_t count = set.state.staker_count, need = 2 * count / 3 + 1;
  BttcCheckpoint c;
  c.state = static_cast<std::uint32_t>(state);
  std::optional<Frame> frame = flaw ? frame_of(*flaw) : std::nullopt;
  if (!frame)
    frame = {draw_.below(2) == 0 ? bttc::Policy::contract : bttc::Policy::canonical,
             draw_.below(6) == 0 ? bttc::Rule::stake : bttc::Rule::count};
  c.policy = frame->policy;
  c.rule = frame->rule;

  bttc::CheckpointFields fields;
  fields.proposer = set.state.validators[draw_.below(count)].signer;
  c.last_end = 1'000'000 + draw_.below(50'000'000);
  fields.start = *c.last_end + 1;
  fields.end = fields.start + 255 + draw_.below(800);
  fields.root_hash = hash32();
  fields.account_hash = hash32();
  fields.bor_chain_id = kChainId;
  if (draw_.below(2) == 0) fields.epoch = set.state.epoch;
  if (flaw) bend_fields(*flaw, fields, c.last_end);
  Bytes data = bttc::checkpoint_data(fields);
  if (flaw) bend_data(*flaw, data);

  // Who signs: exactly as many as are needed, or some more; by stake the heavy one must be among them.
  std::vector<std::size_t> who;
  for (std::size_t k = 0; k < count; ++k) who.push_back(k);
  shuffle(who, draw_);
  std::size_t size = flaw && *flaw >= Flaw::bttc_commitment_bit && *flaw <= Flaw::bttc_missing
                         ? need
                         : std::min(count, need + draw_.below(3));
  if (c.rule == bttc::Rule::stake) size = count;
  who.resize(size);
  if (flaw == Flaw::bttc_stake) std::erase(who, std::size_t{0});
  if (flaw == Flaw::bttc_left) who.back() = count;
  struct Entry {
    bttc::Address address;
    bttc::SignatureWords words;
  };
  std::vector<Entry> list;
  for (const std::size_t k : who) {
    SPARKMILL_ASSIGN(const auto words, sign(set.signers[k], data, stop));
    list.push_back({set.signers[k].address(), words});
  }
  if (flaw == Flaw::bttc_stranger || flaw == Flaw::bttc_stranger_walk) {
    SPARKMILL_ASSIGN(const bttc::Signer stranger, bttc::Signer::from_secret(hash32(), hash_));
    SPARKMILL_ASSIGN(const auto words, sign(stranger, data, stop));
    list[draw_.below(list.size())] = {stranger.address(), words};
  }
  std::sort(list.begin(), list.end(), [](const Entry& a, const Entry& b) { return a.address < b.address; });
  for (const Entry& entry : list) c.signatures.push_back(entry.words);
  if (flaw) SPARKMILL_TRY(bend_entries(*flaw, set, data, c.signatures, stop));
  if (flaw == Flaw::bttc_root_bit) data[kRootAt + draw_.below(32)] ^= static_cast<std::uint8_t>(1u << draw_.below(8));
  c.data = held_.emplace_back(std::move(data));
  return c;
}

}  // namespace

Result<PlantedBlob> plant_bttc_items(std::uint32_t items, const Hash32& seed, const StopToken& stop) {
  if (const std::string_view why = bttc::signing_absent(); !why.empty()) {
    return fail(Status::unsupported, "no checkpoints are made here: " + std::string(why));
  }
  SPARKMILL_ASSIGN(const auto kernel, other_cpu_kernel(kernels::Family::hash, {}));
  Checkpoints samples(Sha256().update("sparkmill/bttc-plants/v1").update(seed).finish(),
                      dynamic_cast<hashes::Kernel&>(*kernel));
  SPARKMILL_TRY(samples.make_sets());
  BttcExits exits(samples.draw(), dynamic_cast<hashes::Kernel&>(*kernel));
  BttcItems states = samples.states();
  const auto exit_state = static_cast<std::uint32_t>(states.states.size());
  std::vector<MadeItem<BttcItem>> made;
  const auto add = [&](std::optional<BlockPlantKind> flaw, bool exit) -> Done {
    if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
    BttcItem item;
    if (exit) {
      SPARKMILL_ASSIGN(item, exits.make(flaw, exit_state, stop));
    } else {
      SPARKMILL_ASSIGN(item, samples.make(flaw, stop));
    }
    made.push_back({std::move(item), flaw, 1});
    return done();
  };
  for (const BlockPlantKind kind : kinds_to_plant(Chain::bttc, block_plants_for(items), samples.draw())) {
    SPARKMILL_TRY(add(kind, kind >= Flaw::exit_cut));
  }
  while (made.size() < items) SPARKMILL_TRY(add(std::nullopt, samples.draw().below(kExitPer) == 0));
  states.states.emplace_back(exits.state());
  return plant_items(Chain::bttc, std::move(states), std::move(made), samples.draw(), stop);
}

}  // namespace sparkmill::job
