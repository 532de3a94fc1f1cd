// SPDX-License-Identifier: Apache-2.0
// Forms of a signature, and the rule of the high-water mark.
#include "verify/blocks/bttc/sign.h"

namespace sparkmill::bttc {
namespace {

using blocks::refused;

constexpr std::uint8_t kFirstV = 27;

Word word_at(ByteView data, std::size_t index) {
  Word w;
  std::memcpy(w.data(), data.data() + index * sizeof w, sizeof w);
  return w;
}

}  // namespace

std::array<std::uint8_t, 65> precommit_signature(const Signature& s) {
  std::array<std::uint8_t, 65> out{};
  std::copy(s.r.begin(), s.r.end(), out.begin());
  std::copy(s.s.begin(), s.s.end(), out.begin() + 32);
  out[64] = s.recovery_id;
  return out;
}

SignatureWords contract_words(const Signature& s) {
  return {s.r, s.s, word_of(static_cast<std::uint64_t>(kFirstV + s.recovery_id))};
}

std::vector<SignatureWords> contract_list(std::vector<SignedVote> votes) {
  std::stable_sort(votes.begin(), votes.end(),
                   [](const SignedVote& a, const SignedVote& b) { return a.signer < b.signer; });
  std::vector<SignatureWords> out;
  for (std::size_t i = 0; i < votes.size(); ++i) {
    if (i == 0 || votes[i].signer != votes[i - 1].signer) out.push_back(contract_words(votes[i].signature));
  }
  return out;
}

blocks::Verdict<MarkFacts> check_mark(const std::optional<Mark>& last, ByteView data, const Hash32& hash) {
  if (data.size() != 6 * sizeof(Word) && data.size() != 7 * sizeof(Word)) {
    return refused<MarkFacts>("bad_length", std::to_string(data.size()) + " bytes of data");
  }
  if (word_at(data, 0) != word_of(address_of(word_at(data, 0)))) return refused<MarkFacts>("bad_address_padding");
  const auto start = number(word_at(data, 1)), end = number(word_at(data, 2)), chain = number(word_at(data, 5));
  if (!start || !end || !chain || *start >= *end || *end - *start >= kMaxSpan) {
    return refused<MarkFacts>("bad_range", "a span has 2 to " + std::to_string(kMaxSpan) + " blocks");
  }
  const MarkFacts facts{*chain, {*start, *end, hash}};
  if (last && *last != facts.next && *start <= last->end) {
    return refused<MarkFacts>("below_mark", "signed up to block " + std::to_string(last->end) + " of chain " +
                                                std::to_string(*chain) + ", this starts at " + std::to_string(*start));
  }
  return blocks::accepted(facts);
}

}  // namespace sparkmill::bttc
