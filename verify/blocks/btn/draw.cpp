// SPDX-License-Identifier: Apache-2.0
// Keys, what they sign, draws and committees.
#include <algorithm>
#include <bit>
#include <tuple>

#include "base/hash.h"
#include "verify/blocks/btn/seal.h"
#include "verify/blocks/btn/wire.h"
#include "verify/blocks/message_list.h"

namespace sparkmill::btn {
namespace {

bool less(ByteView a, ByteView b) { return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end()); }
bool same(ByteView a, ByteView b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

Bytes message(const Hash32& hash, std::size_t reserve) {
  Bytes out;
  out.reserve(reserve);
  out.assign(hash.begin(), hash.end());
  return out;
}

Bytes hash_height(const Hash32& hash, std::uint64_t height, char role) {
  Bytes out = message(hash, 41);
  put_be(out, height, 8);
  out.push_back(static_cast<std::uint8_t>(role));
  return out;
}

}  // namespace

KeyId key_id(ByteView n) {
  Bytes text(n.begin(), n.end());
  put_be(text, rsa::kExponent, 4);
  return sha256(text);
}

Result<KeySet> KeySet::make(std::span<const Modulus> keys) {
  KeySet set;
  for (const Modulus& n : keys) {
    if (n.front() >> 7 == 0 || n.back() % 2 == 0) {
      return fail(Status::bad_input,
                  "key " + std::to_string(&n - keys.data()) + ": n must be odd and have exactly 2048 bits");
    }
    set.by_n_.push_back({n, key_id(n)});
  }
  std::sort(set.by_n_.begin(), set.by_n_.end(), [](const Entry& a, const Entry& b) { return a.n < b.n; });
  const auto end =
      std::unique(set.by_n_.begin(), set.by_n_.end(), [](const Entry& a, const Entry& b) { return a.n == b.n; });
  set.by_n_.erase(end, set.by_n_.end());
  for (std::size_t i = 0; i < set.by_n_.size(); ++i) set.by_id_.emplace_back(set.by_n_[i].id, i);
  std::sort(set.by_id_.begin(), set.by_id_.end());
  return set;
}

const KeySet::Entry* KeySet::by_modulus(ByteView n) const {
  const auto it = std::lower_bound(by_n_.begin(), by_n_.end(), n,
                                   [](const Entry& e, ByteView wanted) { return less(e.n, wanted); });
  return it != by_n_.end() && same(it->n, n) ? &*it : nullptr;
}

const KeySet::Entry* KeySet::by_id(const KeyId& id) const {
  const auto it = std::lower_bound(by_id_.begin(), by_id_.end(), id,
                                   [](const auto& entry, const KeyId& wanted) { return entry.first < wanted; });
  return it != by_id_.end() && it->first == id ? &by_n_[it->second] : nullptr;
}

Bytes draw_message(const Hash32& previous, std::uint32_t round) {
  Bytes out = message(previous, 36);
  put_be(out, round, 4);
  return out;
}

Bytes seal_message(const Hash32& block, std::uint32_t round) {
  Bytes out = message(block, 37);
  if (round == 0) return out;
  put_be(out, round, 4);
  out.push_back('S');
  return out;
}

Bytes vote_message(const Hash32& block, std::uint64_t height, VoteForm form) {
  return form == VoteForm::bare ? message(block, 32) : hash_height(block, height, 'V');
}

Bytes clerk_message(const Hash32& block, std::uint64_t height) { return hash_height(block, height, 'B'); }

unsigned leading_zeros(const Hash32& digest) {
  for (std::size_t i = 0; i < digest.size(); ++i) {
    if (digest[i] != 0) return static_cast<unsigned>(8 * i) + static_cast<unsigned>(std::countl_zero(digest[i]));
  }
  return 256;
}

unsigned zeros_for(std::uint64_t nodes, std::uint64_t wanted) {
  if (wanted == 0 || nodes < wanted) return 0;
  return static_cast<unsigned>(std::bit_width(nodes / wanted)) - 1;
}

std::size_t SignatureTable::add(ByteView n, ByteView message, ByteView signature) {
  if (n.size() != rsa::kModulusBytes || signature.size() != rsa::kSignatureBytes) {
    rows_.push_back(kNone);
    return rows_.size() - 1;
  }
  rows_.push_back(offsets_.size() - 1);
  if (keep_ == Keep::nothing) return rows_.size() - 1;
  keys_.insert(keys_.end(), n.begin(), n.end());
  messages_.insert(messages_.end(), message.begin(), message.end());
  offsets_.push_back(messages_.size());
  signatures_.insert(signatures_.end(), signature.begin(), signature.end());
  return rows_.size() - 1;
}

Result<std::vector<Checked>> SignatureTable::run(const Kernels& kernels, const StopToken& stop, Bytes* numbers) const {
  std::vector<Checked> out(rows_.size());
  if (numbers != nullptr) numbers->assign(rows_.size() * rsa::kEvidenceBytes, 0);
  const std::size_t count = offsets_.size() - 1;
  if (count == 0) return out;
  Bytes valid(count), passed(numbers != nullptr ? count * rsa::kEvidenceBytes : 0);
  SPARKMILL_TRY(kernels.rsa.verify_vartime(rsa::Encoding::draw, {count, keys_, signatures_, messages_, offsets_},
                                           {valid, passed}, stop));
  for (std::size_t i = 0; i < rows_.size() && numbers != nullptr; ++i) {
    if (rows_[i] == kNone) continue;
    std::copy_n(passed.begin() + static_cast<std::ptrdiff_t>(rows_[i] * rsa::kEvidenceBytes), rsa::kEvidenceBytes,
                numbers->begin() + static_cast<std::ptrdiff_t>(i * rsa::kEvidenceBytes));
  }
  blocks::MessageList list;
  for (std::size_t row = 0; row < count; ++row) {
    if (valid[row] != 0) {
      list.add({ByteView(signatures_).subspan(row * rsa::kSignatureBytes, rsa::kSignatureBytes)});
    }
  }
  SPARKMILL_ASSIGN(const std::vector<Hash32> digests, list.hash(hashes::Algorithm::sha256, kernels.hash, stop));
  std::vector<std::size_t> digest_of(count, kNone);
  for (std::size_t row = 0, next = 0; row < count; ++row) {
    if (valid[row] != 0) digest_of[row] = next++;
  }
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (rows_[i] == kNone || digest_of[rows_[i]] == kNone) continue;
    const Hash32& digest = digests[digest_of[rows_[i]]];
    out[i] = {true, digest, leading_zeros(digest)};
  }
  return out;
}

blocks::Verdict<DrawFacts> check_draw(const DrawRules& rules, std::uint32_t round, const Checked& checked) {
  const DrawFacts facts{checked.valid, checked.digest, checked.zeros};
  if (round > rules.max_round) {
    return blocks::refused<DrawFacts>("bad_round", "at most " + std::to_string(rules.max_round), facts);
  }
  if (!checked.valid) return blocks::refused<DrawFacts>("bad_signature", {}, facts);
  if (checked.zeros < rules.m1) {
    return blocks::refused<DrawFacts>("too_few_zeros",
                                      std::to_string(checked.zeros) + " of " + std::to_string(rules.m1), facts);
  }
  return blocks::accepted(facts);
}

bool before(const DrawRank& a, const DrawRank& b) {
  return std::tie(a.round, b.zeros, a.digest) < std::tie(b.round, a.zeros, b.digest);
}

const CommitteeMember* Committee::find(const KeyId& id) const {
  const auto it = std::lower_bound(members.begin(), members.end(), id,
                                   [](const CommitteeMember& m, const KeyId& wanted) { return m.id < wanted; });
  return it != members.end() && it->id == id ? &*it : nullptr;
}

Committee committee_of(std::vector<CommitteeMember> draws, std::size_t wanted) {
  std::sort(draws.begin(), draws.end(), [](const CommitteeMember& a, const CommitteeMember& b) {
    return a.id != b.id ? a.id < b.id : before(a.draw, b.draw);
  });
  const auto end = std::unique(draws.begin(), draws.end(),
                               [](const CommitteeMember& a, const CommitteeMember& b) { return a.id == b.id; });
  draws.erase(end, draws.end());
  if (wanted == 0 || draws.size() < wanted) return {};
  std::vector<std::uint32_t> rounds;
  for (const CommitteeMember& m : draws) rounds.push_back(m.draw.round);
  std::nth_element(rounds.begin(), rounds.begin() + static_cast<std::ptrdiff_t>(wanted - 1), rounds.end());
  Committee c;
  c.closing_round = rounds[wanted - 1];
  std::erase_if(draws, [&](const CommitteeMember& m) { return m.draw.round > c.closing_round; });
  c.members = std::move(draws);
  return c;
}

Result<std::vector<Committee>> committees(std::span<const DrawList> lists, const Kernels& kernels,
                                          const StopToken& stop) {
  SignatureTable table;
  for (const DrawList& list : lists) {
    if (list.draws.size() > kMaxDraws) continue;
    for (const Draw& d : list.draws) table.add(d.n, draw_message(list.previous, d.round), d.signature);
  }
  SPARKMILL_ASSIGN(const std::vector<Checked> checked, table.run(kernels, stop));
  std::vector<Committee> out;
  std::size_t at = 0;
  for (const DrawList& list : lists) {
    std::vector<CommitteeMember> members;
    for (std::size_t k = 0; k < list.draws.size() && list.draws.size() <= kMaxDraws; ++k, ++at) {
      const Draw& d = list.draws[k];
      if (!check_draw(list.rules, d.round, checked[at]).ok) continue;
      members.push_back({key_id(d.n), {d.round, checked[at].zeros, checked[at].digest}});
    }
    out.push_back(committee_of(std::move(members), list.wanted));
  }
  return out;
}

}  // namespace sparkmill::btn
