// SPDX-License-Identifier: Apache-2.0
// The states of a block, the order of sealed blocks, and equivocation.
#include <set>
#include <tuple>

#include "base/hash.h"
#include "verify/blocks/btn/seal.h"
#include "verify/blocks/btn/wire.h"

namespace sparkmill::btn {
namespace {

using Verdict = blocks::Verdict<BlockFacts>;

constexpr std::string_view kMagic = "BTNB";
constexpr std::uint64_t kVersion = 1;

Hash32 hash_at(ByteView in, std::size_t at) {
  Hash32 h;
  std::memcpy(h.data(), in.data() + at, h.size());
  return h;
}

/// One block while its signatures are with the kernels: where in the table they are.
struct Pending {
  std::optional<Header> header;
  Hash32 hash{};
  Verdict verdict;
  struct PendingDraw {
    const KeySet::Entry* key;
    std::uint32_t round;
    std::size_t at;
  };
  std::vector<PendingDraw> draws;  ///< of registered primaries
  std::size_t clerk = 0, seal = 0, votes = 0;
};

bool over_limit(const Block& block) {
  return block.draws.size() > kMaxDraws || block.votes.size() > kMaxVotes || block.header.size() > kMaxHeaderBytes;
}

/// Everything of a block that needs no signature, and its signatures into the table. A verdict with a reason: no more.
Pending collect(const BlockRules& rules, const Block& block, SignatureTable& table) {
  Pending p;
  if (over_limit(block)) {
    p.verdict = blocks::refused<BlockFacts>("limit", "at most 1,024 draws, 4,096 votes and 1 MiB of header");
    return p;
  }
  auto header = decode_header(block.header);
  if (!header) {
    p.verdict = blocks::refused<BlockFacts>("bad_header", header.error().message);
    return p;
  }
  p.header = *header;
  p.hash = sha256(block.header);
  p.verdict.facts.block_hash = p.hash;
  if (header->previous != rules.parent_hash || header->height == 0 || header->height - 1 != rules.parent_height) {
    p.verdict = blocks::refused<BlockFacts>(
        "wrong_parent", "the parent is block " + std::to_string(rules.parent_height), p.verdict.facts);
    return p;
  }
  for (const Draw& d : block.draws) {
    const KeySet::Entry* key = rules.primary->by_modulus(d.n);
    if (key == nullptr || d.round > rules.draw.max_round) continue;
    p.draws.push_back({key, d.round, table.add(d.n, draw_message(header->previous, d.round), d.signature)});
  }
  const KeySet::Entry* clerk = rules.primary->by_id(header->clerk);
  p.clerk = table.add(clerk != nullptr ? ByteView(clerk->n) : ByteView(), clerk_message(p.hash, header->height),
                      block.clerk_signature);
  // Keys of nobody cost no RSA: their rows are invalid from the start, and the fold refuses them by name.
  const auto known = [](const KeySet& keys, ByteView n) { return keys.by_modulus(n) != nullptr ? n : ByteView(); };
  if (block.seal) {
    p.seal = table.add(known(*rules.secondary, block.seal->n), seal_message(p.hash, block.seal->round),
                       block.seal->signature);
  }
  p.votes = table.size();
  const Bytes ballot = vote_message(p.hash, header->height, rules.vote_form);
  for (const Vote& v : block.votes) table.add(known(*rules.primary, v.n), ballot, v.signature);
  return p;
}

/// Numbers of the entries [first, end) that the kernel checked.
Bytes numbers_of(const SignatureTable& table, ByteView all, std::size_t first, std::size_t end) {
  Bytes out;
  for (std::size_t k = first; k < end; ++k) {
    if (!table.asked(k)) continue;
    const ByteView one = all.subspan(k * rsa::kEvidenceBytes, rsa::kEvidenceBytes);
    out.insert(out.end(), one.begin(), one.end());
  }
  return out;
}

/// The fold of one block over the results.
class Fold {
 public:
  Fold(const BlockRules& rules, const Block& block, const Pending& pending, std::span<const Checked> checked)
      : rules_(rules), block_(block), p_(pending), checked_(checked), facts_(pending.verdict.facts) {}

  Verdict run() {
    if (!first()) return stopped();
    facts_.state = 1;
    if (!block_.seal) return blocks::accepted(facts_);
    if (!second()) return stopped();
    facts_.state = 2;
    if (!third()) return stopped();
    facts_.state = 3;
    return blocks::accepted(facts_);
  }

 private:
  Verdict stopped() { return {false, reason_, std::move(detail_), facts_}; }
  bool no(std::string_view reason, std::string detail = {}) {
    reason_ = reason;
    detail_ = std::move(detail);
    return false;
  }

  bool first() {
    std::vector<CommitteeMember> draws;
    for (const auto& d : p_.draws) {
      const Checked& c = checked_[d.at];
      if (check_draw(rules_.draw, d.round, c).ok) draws.push_back({d.key->id, {d.round, c.zeros, c.digest}});
    }
    const std::size_t good = draws.size();
    committee_ = committee_of(std::move(draws), rules_.wanted);
    facts_.members = committee_.members.size();
    if (!committee_.ready()) {
      return no("committee_not_ready",
                std::to_string(good) + " good draws, " + std::to_string(rules_.wanted) + " keys wanted");
    }
    const CommitteeMember* clerk = committee_.find(p_.header->clerk);
    if (clerk == nullptr) return no("clerk_not_in_committee");
    if (clerk->draw.round != p_.header->draw_round || clerk->draw.digest != p_.header->draw_digest) {
      return no("bad_draw_reference", "the clerk's counted draw is that of round " + std::to_string(clerk->draw.round));
    }
    return checked_[p_.clerk].valid || no("bad_clerk_signature");
  }

  bool second() {
    const KeySet::Entry* sealer = rules_.secondary->by_modulus(block_.seal->n);
    if (sealer == nullptr) return no("unknown_sealer");
    if (sealer->id == p_.header->clerk) return no("own_seal");
    const Checked& seal = checked_[p_.seal];
    if (block_.seal->round > rules_.draw.max_round || !seal.valid) return no("bad_seal");
    facts_.seal_zeros = seal.zeros;
    return seal.zeros >= rules_.m2 || no("seal_zeros", std::to_string(seal.zeros) + " of " + std::to_string(rules_.m2));
  }

  bool third() {
    std::set<KeyId> voted;
    for (std::size_t i = 0; i < block_.votes.size(); ++i) {
      const std::string which = "vote " + std::to_string(i);
      const KeySet::Entry* voter = rules_.primary->by_modulus(block_.votes[i].n);
      if (voter == nullptr || committee_.find(voter->id) == nullptr) return no("voter_not_in_committee", which);
      if (!voted.insert(voter->id).second) return no("duplicate_vote", which);
      if (!checked_[p_.votes + i].valid) return no("bad_vote", which);
      facts_.votes = voted.size();
    }
    const std::size_t members = committee_.members.size();
    const std::size_t need = rules_.rule == VoteRule::unanimous ? members : 2 * members / 3 + 1;
    return voted.size() >= need || no("votes_missing", std::to_string(voted.size()) + " of " + std::to_string(need));
  }

  const BlockRules& rules_;
  const Block& block_;
  const Pending& p_;
  std::span<const Checked> checked_;
  BlockFacts facts_;
  Committee committee_;
  std::string_view reason_;
  std::string detail_;
};

}  // namespace

Result<Header> decode_header(ByteView bytes) {
  if (bytes.size() != kHeaderBytes) {
    return fail(Status::bad_input,
                "BTN header: " + std::to_string(bytes.size()) + " bytes, expected " + std::to_string(kHeaderBytes));
  }
  if (text(bytes.first(4)) != kMagic) return fail(Status::bad_input, "BTN header: does not begin with BTNB");
  if (get_be(bytes, 4, 2) != kVersion) return fail(Status::bad_input, "BTN header: version is not 1");
  return Header{get_be(bytes, 6, 8),
                hash_at(bytes, 14),
                hash_at(bytes, 46),
                get_be(bytes, 78, 8),
                static_cast<std::uint32_t>(get_be(bytes, 86, 4)),
                hash_at(bytes, 90),
                hash_at(bytes, 122)};
}

Bytes encode_header(const Header& h) {
  Bytes out;
  out.reserve(kHeaderBytes);
  const auto put = [&](ByteView v) { out.insert(out.end(), v.begin(), v.end()); };
  put(view(kMagic));
  put_be(out, kVersion, 2);
  put_be(out, h.height, 8);
  put(h.previous);
  put(h.tx_root);
  put_be(out, h.unix_ms, 8);
  put_be(out, h.draw_round, 4);
  put(h.clerk);
  put(h.draw_digest);
  return out;
}

Result<std::vector<Verdict>> check_blocks(std::span<const BlockItem> items, const Kernels& kernels,
                                          const StopToken& stop, std::vector<Bytes>* numbers) {
  SignatureTable table;
  std::vector<Pending> pending;
  std::vector<std::size_t> first{0};  // entry of the table
  pending.reserve(items.size());
  for (const BlockItem& item : items) {
    pending.push_back(collect(*item.rules, *item.block, table));
    first.push_back(table.size());
  }
  Bytes all;
  SPARKMILL_ASSIGN(const std::vector<Checked> checked, table.run(kernels, stop, numbers != nullptr ? &all : nullptr));
  if (numbers != nullptr) {
    numbers->clear();
    for (std::size_t i = 0; i < items.size(); ++i) numbers->push_back(numbers_of(table, all, first[i], first[i + 1]));
  }
  std::vector<Verdict> verdicts;
  verdicts.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    verdicts.push_back(pending[i].verdict.reason.empty()
                           ? Fold(*items[i].rules, *items[i].block, pending[i], checked).run()
                           : std::move(pending[i].verdict));
  }
  return verdicts;
}

std::size_t signatures_asked(const BlockRules& rules, const Block& block) {
  SignatureTable table(SignatureTable::Keep::nothing);
  collect(rules, block, table);
  std::size_t asked = 0;
  for (std::size_t k = 0; k < table.size(); ++k) asked += table.asked(k) ? 1 : 0;
  return asked;
}

bool before(const BlockRank& a, const BlockRank& b) {
  return std::tie(a.seal_round, b.seal_zeros, a.draw_round, b.draw_zeros, a.draw_digest, a.block_hash) <
         std::tie(b.seal_round, a.seal_zeros, b.draw_round, a.draw_zeros, b.draw_digest, b.block_hash);
}

Result<std::vector<blocks::Verdict<>>> check_equivocations(std::span<const Equivocation> items, const Kernels& kernels,
                                                           const StopToken& stop, std::vector<Bytes>* numbers) {
  SignatureTable table;
  for (const Equivocation& e : items) {
    const auto message = [&](const Hash32& hash) {
      return e.type == EquivocationType::vote ? vote_message(hash, e.height, VoteForm::height)
                                              : clerk_message(hash, e.height);
    };
    table.add(e.n, message(e.hash_a), e.signature_a);
    table.add(e.n, message(e.hash_b), e.signature_b);
  }
  Bytes all;
  SPARKMILL_ASSIGN(const std::vector<Checked> checked, table.run(kernels, stop, numbers != nullptr ? &all : nullptr));
  if (numbers != nullptr) {
    numbers->clear();
    for (std::size_t i = 0; i < items.size(); ++i) numbers->push_back(numbers_of(table, all, 2 * i, 2 * i + 2));
  }
  std::vector<blocks::Verdict<>> verdicts;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].hash_a == items[i].hash_b) {
      verdicts.push_back(blocks::refused("same_hash"));
    } else if (!checked[2 * i].valid || !checked[2 * i + 1].valid) {
      verdicts.push_back(blocks::refused("bad_signature", checked[2 * i].valid ? "the second" : "the first"));
    } else {
      verdicts.push_back(blocks::accepted());
    }
  }
  return verdicts;
}

}  // namespace sparkmill::btn
