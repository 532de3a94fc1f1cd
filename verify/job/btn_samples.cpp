// SPDX-License-Identifier: Apache-2.0
// Fresh BTN blocks: every member of a drawn committee offers a candidate of its height, sealed and voted for; or with
// one thing done to one. And equivocations. RSA keys are a pool that is made once a process.
// Source: "Consensus evidence" 3.1 to 3.4.
#include <algorithm>
#include <mutex>

#include "verify/job/chain_plants.h"
#include "verify/job/verify_blocks_btn.h"
#include "verify/signatures/signers/rsa_key.h"
#include "verify/signatures/signers/signers_impl.h"

namespace sparkmill::job {
namespace {

using Flaw = BlockPlantKind;
using signatures::RsaKey;

constexpr std::size_t kPool = 10;
constexpr std::size_t kPrimary = 8;    ///< keys 0 to 7 may draw
constexpr std::size_t kSecondary = 9;  ///< keys 0 to 8 may seal; key 9 is a stranger
constexpr unsigned kM1 = 1, kM2 = 1;
constexpr std::uint32_t kMaxRound = 60;
constexpr std::size_t kWanted = 3, kDraws = 5;
/// One item in so many is an equivocation.
constexpr std::uint64_t kEquivocationPer = 8;

/// Seconds the first time; what was made before a stop is kept for the next call.
Result<std::span<const RsaKey>> pool(const StopToken& stop) {
  static std::mutex mutex;
  static std::vector<RsaKey> keys;
  const std::lock_guard lock(mutex);
  keys.reserve(kPool);
  while (keys.size() < kPool) {
    if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
    SPARKMILL_ASSIGN(RsaKey key, RsaKey::make());
    keys.push_back(std::move(key));
  }
  return std::span<const RsaKey>(keys);
}

/// A height: its draws, and who may offer blocks.
struct Height {
  Hash32 parent{};
  std::uint64_t parent_height = 0;
  std::vector<std::size_t> keys;  ///< of the draws
  std::vector<btn::Draw> draws;
  std::vector<Hash32> digests;
  std::vector<std::size_t> members;  ///< indices of draws
};

class Candidates {
 public:
  Candidates(const Hash32& seed, std::span<const RsaKey> keys) : draw_(seed), keys_(keys) {}
  BtnItems states() const;
  Result<BtnItem> make(std::optional<Flaw> flaw);
  ChaChaWords& draw() { return draw_; }

 private:
  Hash32 hash32() {
    Hash32 out{};
    for (std::uint8_t& b : out) b = static_cast<std::uint8_t>(draw_.u32());
    return out;
  }
  ByteView hold(Bytes bytes) { return held_.emplace_back(std::move(bytes)); }
  Result<ByteView> sign(std::size_t key, const Bytes& message) {
    SPARKMILL_ASSIGN(Bytes signature, keys_[key].sign(message));
    return hold(std::move(signature));
  }
  ByteView bent(ByteView signature) {
    Bytes copy(signature.begin(), signature.end());
    signatures::flip_bit(copy, 1, copy.size(), draw_);  // below n in any case
    return hold(std::move(copy));
  }
  /// Rounds from 0 on until the signature has that many zeros, or, with `less`, has not.
  Result<btn::Draw> spin(std::size_t key, const std::function<Bytes(std::uint32_t)>& message, unsigned zeros,
                         bool less);
  Done new_height();
  Result<BtnBlock> block(std::optional<Flaw> flaw);
  Result<btn::Equivocation> equivocation(std::optional<Flaw> flaw);
  Done bend_draws(Flaw flaw, btn::Block& b);

  ChaChaWords draw_;
  std::span<const RsaKey> keys_;
  std::deque<Bytes> held_;
  Height height_;
  std::size_t next_member_ = 0;
};

btn::Modulus modulus(const RsaKey& key) {
  btn::Modulus n{};
  std::copy(key.modulus().begin(), key.modulus().end(), n.begin());
  return n;
}

BtnItems Candidates::states() const {
  BtnParams p;
  p.draw = {kM1, kMaxRound};
  p.m2 = kM2;
  p.wanted = kWanted;
  for (std::size_t k = 0; k < kPrimary; ++k) p.primary.push_back(modulus(keys_[k]));
  for (std::size_t k = 0; k < kSecondary; ++k) p.secondary.push_back(modulus(keys_[k]));
  BtnItems out;
  out.states.push_back(std::move(p));
  return out;
}

Result<btn::Draw> Candidates::spin(std::size_t key, const std::function<Bytes(std::uint32_t)>& message, unsigned zeros,
                                   bool less) {
  for (std::uint32_t round = 0;; ++round) {
    SPARKMILL_ASSIGN(const ByteView signature, sign(key, message(round)));
    const bool enough = btn::leading_zeros(sha256(signature)) >= zeros;
    if (enough != less) return btn::Draw{keys_[key].modulus(), round, signature};
    held_.pop_back();
  }
}

Done Candidates::new_height() {
  height_ = {};
  height_.parent = hash32();
  height_.parent_height = 1'000 + draw_.below(10'000'000);
  for (std::size_t k = 0; k < kPrimary; ++k) height_.keys.push_back(k);
  shuffle(height_.keys, draw_);
  height_.keys.resize(kDraws);
  std::vector<btn::CommitteeMember> drawn;
  for (const std::size_t key : height_.keys) {
    SPARKMILL_ASSIGN(
        const btn::Draw d,
        spin(
            key, [&](std::uint32_t round) { return btn::draw_message(height_.parent, round); }, kM1, false));
    height_.draws.push_back(d);
    height_.digests.push_back(sha256(d.signature));
    drawn.push_back({btn::key_id(d.n), {d.round, btn::leading_zeros(height_.digests.back()), height_.digests.back()}});
  }
  const btn::Committee committee = btn::committee_of(drawn, kWanted);
  for (std::size_t k = 0; k < drawn.size(); ++k) {
    if (committee.find(drawn[k].id) != nullptr) height_.members.push_back(k);
  }
  next_member_ = 0;
  return done();
}

Done Candidates::bend_draws(Flaw flaw, btn::Block& b) {
  if (flaw == Flaw::btn_few_draws) b.draws.resize(kWanted - 1);
  if (flaw == Flaw::btn_draw_bits) {
    for (std::size_t k = 2; k < b.draws.size(); ++k) b.draws[k].signature = bent(b.draws[k].signature);
  }
  return done();
}

Result<BtnBlock> Candidates::block(std::optional<Flaw> flaw) {
  if (next_member_ == height_.members.size()) SPARKMILL_TRY(new_height());
  const std::size_t member = height_.members[next_member_++];
  std::size_t clerk = height_.keys[member];
  BtnBlock out;
  out.parent_hash = height_.parent;
  out.parent_height = height_.parent_height;
  btn::Block& b = out.block;
  b.draws = height_.draws;
  btn::Header h;
  h.height = out.parent_height + 1;
  h.previous = height_.parent;
  h.tx_root = hash32();
  h.unix_ms = 1'600'000'000'000 + draw_.below(100'000'000'000);
  h.draw_round = height_.draws[member].round;
  h.draw_digest = height_.digests[member];
  if (flaw == Flaw::btn_clerk) {  // a primary without a draw here
    clerk = 0;
    while (std::find(height_.keys.begin(), height_.keys.end(), clerk) != height_.keys.end()) ++clerk;
  }
  h.clerk = btn::key_id(keys_[clerk].modulus());
  if (flaw == Flaw::btn_parent_bit) out.parent_hash[draw_.below(32)] ^= static_cast<std::uint8_t>(1u << draw_.below(8));
  if (flaw == Flaw::btn_height) h.height += 1 + draw_.below(9);
  if (flaw == Flaw::btn_draw_reference)
    h.draw_digest[draw_.below(32)] ^= static_cast<std::uint8_t>(1u << draw_.below(8));
  Bytes header = btn::encode_header(h);
  const Hash32 hash = sha256(header);
  SPARKMILL_ASSIGN(b.clerk_signature, sign(clerk, btn::clerk_message(hash, h.height)));
  if (flaw == Flaw::btn_clerk_bit) b.clerk_signature = bent(b.clerk_signature);
  if (flaw) SPARKMILL_TRY(bend_draws(*flaw, b));

  // The seal, of any registered key but the clerk's.
  std::size_t sealer = draw_.below(kSecondary);
  while (sealer == clerk) sealer = draw_.below(kSecondary);
  if (flaw == Flaw::btn_sealer) sealer = kPool - 1;
  if (flaw == Flaw::btn_own_seal) sealer = clerk;
  const Hash32 sealed = flaw == Flaw::btn_seal_other ? hash32() : hash;
  SPARKMILL_ASSIGN(b.seal, spin(
                               sealer, [&](std::uint32_t round) { return btn::seal_message(sealed, round); }, kM2,
                               flaw == Flaw::btn_seal_zeros));
  if (flaw == Flaw::btn_seal_bit) b.seal->signature = bent(b.seal->signature);
  if (flaw == Flaw::btn_seal_round) b.seal->round += kMaxRound + 1;
  if (flaw == Flaw::btn_unsealed) b.seal.reset();

  // Votes of all members.
  const std::size_t odd = draw_.below(height_.members.size());
  for (std::size_t k = 0; k < height_.members.size(); ++k) {
    std::size_t key = height_.keys[height_.members[k]];
    if (k == odd && flaw == Flaw::btn_vote_missing) continue;
    if (k == odd && flaw == Flaw::btn_voter) key = kPool - 1;
    const Hash32 voted = k == odd && flaw == Flaw::btn_vote_other ? hash32() : hash;
    const bool bare = k == odd && flaw == Flaw::btn_vote_bare;
    SPARKMILL_ASSIGN(ByteView vote,
                     sign(key, btn::vote_message(voted, h.height, bare ? btn::VoteForm::bare : btn::VoteForm::height)));
    if (k == odd && flaw == Flaw::btn_vote_bit) vote = bent(vote);
    b.votes.push_back({keys_[key].modulus(), vote});
  }
  if (flaw == Flaw::btn_duplicate_vote) b.votes.push_back(b.votes[odd]);
  shuffle(b.votes, draw_);
  if (flaw == Flaw::btn_header) header[draw_.below(6)] ^= static_cast<std::uint8_t>(1u << draw_.below(8));
  b.header = hold(std::move(header));
  return out;
}

Result<btn::Equivocation> Candidates::equivocation(std::optional<Flaw> flaw) {
  const std::size_t key = draw_.below(kPrimary);
  btn::Equivocation e;
  e.type = draw_.below(2) == 0 ? btn::EquivocationType::vote : btn::EquivocationType::clerk;
  e.n = keys_[key].modulus();
  e.height = 1'000 + draw_.below(10'000'000);
  e.hash_a = hash32();
  e.hash_b = flaw == Flaw::btn_same_hash ? e.hash_a : hash32();
  const auto message = [&](const Hash32& hash, bool vote) {
    return vote ? btn::vote_message(hash, e.height, btn::VoteForm::height) : btn::clerk_message(hash, e.height);
  };
  const bool vote = e.type == btn::EquivocationType::vote;
  SPARKMILL_ASSIGN(e.signature_a, sign(key, message(e.hash_a, vote)));
  SPARKMILL_ASSIGN(e.signature_b, sign(key, message(e.hash_b, vote != (flaw == Flaw::btn_proof_role))));
  if (flaw == Flaw::btn_proof_bit) e.signature_b = bent(e.signature_b);
  return e;
}

Result<BtnItem> Candidates::make(std::optional<Flaw> flaw) {
  if (flaw ? *flaw >= Flaw::btn_same_hash : draw_.below(kEquivocationPer) == 0) {
    SPARKMILL_ASSIGN(const btn::Equivocation e, equivocation(flaw));
    return BtnItem(e);
  }
  SPARKMILL_ASSIGN(BtnBlock b, block(flaw));
  return BtnItem(std::move(b));
}

}  // namespace

Result<PlantedBlob> plant_btn_items(std::uint32_t items, const Hash32& seed, const StopToken& stop) {
  SPARKMILL_ASSIGN(const auto keys, pool(stop));
  Candidates samples(Sha256().update("sparkmill/btn-plants/v1").update(seed).finish(), keys);
  std::vector<std::optional<BlockPlantKind>> flaws(items);
  const auto planted = kinds_to_plant(Chain::btn, block_plants_for(items), samples.draw());
  std::copy(planted.begin(), planted.end(), flaws.begin());
  // Mixed before they are made: candidates of one height share draws, and must not show who is bent.
  shuffle(flaws, samples.draw());
  std::vector<MadeItem<BtnItem>> made;
  for (const auto& flaw : flaws) {
    if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
    SPARKMILL_ASSIGN(BtnItem item, samples.make(flaw));
    made.push_back({std::move(item), flaw, 1});
  }
  return plant_items(Chain::btn, samples.states(), std::move(made), samples.draw(), stop);
}

}  // namespace sparkmill::job
