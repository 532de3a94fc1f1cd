// SPDX-License-Identifier: Apache-2.0
#include "verify/blocks/bttc/checkpoint.h"

#include "verify/blocks/message_list.h"

namespace sparkmill::bttc {
namespace {

using blocks::MessageList;
using blocks::refused;
using Verdict = blocks::Verdict<CheckpointFacts>;

constexpr std::size_t kWord = sizeof(Word);
constexpr std::size_t kContractBytes = 6 * kWord;
constexpr std::size_t kDeliveryBytes = 7 * kWord;
constexpr std::uint8_t kYes = 0x01;
constexpr std::uint8_t kFirstV = 27;

/// floor(N / 2) of secp256k1: the largest s that counts as low.
constexpr Word kHalfOrder = {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                             0xff, 0xff, 0xff, 0xff, 0xff, 0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4,
                             0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0};

void append(Bytes& out, const Word& word) { out.insert(out.end(), word.begin(), word.end()); }

Bytes joined(std::span<const Word> words) {
  Bytes out(words.size() * kWord);
  for (std::size_t i = 0; i < words.size(); ++i) std::memcpy(out.data() + i * kWord, words[i].data(), kWord);
  return out;
}

Word word_at(ByteView data, std::size_t index) {
  Word w;
  std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(index * kWord), kWord, w.begin());
  return w;
}

/// The recovery id of an entry that reaches ecrecover; nullopt: address 0.
std::optional<std::uint8_t> recovery_id(const SignatureWords& entry) {
  if (entry.s > kHalfOrder) return std::nullopt;
  std::uint8_t v = entry.v[31];  // the contract looks at the low byte only
  if (v < kFirstV) v = static_cast<std::uint8_t>(v + kFirstV);
  if (v != kFirstV && v != kFirstV + 1) return std::nullopt;
  return static_cast<std::uint8_t>(v - kFirstV);
}

bool over_limit(const SignedData& item) {
  return item.data.size() > kMaxDataBytes || item.signatures.size() > kMaxSignatures;
}

/// floor(2 whole / 3) + 1.
Amount more_than_two_thirds(Amount whole) { return 2 * whole / 3 + 1; }

/// What both policies ask of the span; `first` is the start that follows the last checkpoint.
Verdict check_place(const ChainState& state, ByteView data) {
  if (word_at(data, 5) != word_of(state.chain_id)) return refused<CheckpointFacts>("wrong_chain");
  Word next = word_of(state.last_end ? *state.last_end + 1 : 0);
  if (state.last_end == ~std::uint64_t{0}) next[23] = 1;  // 2^64
  if (word_at(data, 1) != next) {
    return refused<CheckpointFacts>("discontinuous", "the checkpoint before ends at " +
                                                         (state.last_end ? std::to_string(*state.last_end) : "none"));
  }
  return {true, {}, {}, {}};
}

/// Counts of a walk, and what stopped it.
struct Walk {
  CheckpointFacts facts;
  std::string_view reason;
  std::size_t at = 0;
};

/// The loop of the root contract: entries that do not count are skipped and leave `last` alone, a smaller one ends it.
Walk walk_contract(const ChainState& state, std::span<const Recovered> signers) {
  Walk walk;
  Address last{};
  for (; walk.at < signers.size(); ++walk.at) {
    const Recovered& signer = signers[walk.at];
    if (signer.kind == Recovered::Kind::revert) {
      walk.reason = "bad_signature";
      return walk;
    }
    if (signer.address == last) continue;
    if (signer.address < last) return walk;
    const Validator* validator = state.validators->active(signer.address, state.epoch);
    if (validator == nullptr) continue;
    ++walk.facts.signed_by;
    walk.facts.power += validator->amount + validator->delegated;
    last = signer.address;
  }
  return walk;
}

/// Every entry must be well made, known, and larger than the one before.
Walk walk_canonical(const ChainState& state, std::span<const SignatureWords> entries,
                    std::span<const Recovered> signers) {
  Walk walk;
  Address last{};
  const auto stop = [&](std::string_view reason) {
    walk.reason = reason;
    return walk;
  };
  for (; walk.at < signers.size(); ++walk.at) {
    const SignatureWords& entry = entries[walk.at];
    const Recovered& signer = signers[walk.at];
    if (entry.v != word_of(kFirstV) && entry.v != word_of(kFirstV + 1)) return stop("bad_v");
    if (entry.s > kHalfOrder) return stop("high_s");
    if (signer.kind != Recovered::Kind::address) return stop("bad_signature");
    const Validator* validator = state.validators->active(signer.address, state.epoch);
    if (validator == nullptr) return stop("unknown_signer");
    if (walk.at > 0 && signer.address == last) return stop("duplicate_signer");
    if (walk.at > 0 && signer.address < last) return stop("wrong_order");
    ++walk.facts.signed_by;
    walk.facts.power += validator->amount + validator->delegated;
    last = signer.address;
  }
  return walk;
}

/// Padding, chain, place, range and proposer, as canonical asks; the lengths are right.
Verdict check_canonical_data(const ChainState& state, ByteView data) {
  if (std::any_of(data.begin(), data.begin() + 12, [](std::uint8_t b) { return b != 0; })) {
    return refused<CheckpointFacts>("bad_address_padding");
  }
  if (Verdict place = check_place(state, data); !place.ok) return place;
  const auto start = number(word_at(data, 1)), end = number(word_at(data, 2));
  if (!start || !end || *start >= *end || *end - *start >= kMaxSpan) {
    return refused<CheckpointFacts>("bad_range", "a span has 2 to " + std::to_string(kMaxSpan) + " blocks");
  }
  if (state.validators->active(address_of(word_at(data, 0)), state.epoch) == nullptr) {
    return refused<CheckpointFacts>("unknown_proposer");
  }
  return {true, {}, {}, {}};
}

Verdict check_contract_data(const ChainState& state, ByteView data) {
  if (Verdict place = check_place(state, data); !place.ok) return place;
  if (word_at(data, 2) < word_at(data, 1))
    return refused<CheckpointFacts>("bad_range", "the span ends before it starts");
  return {true, {}, {}, {}};
}

}  // namespace

std::string text(Amount value) {
  std::string digits;
  do {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(value % 10)));
    value /= 10;
  } while (value != 0);
  return digits;
}

std::optional<Amount> amount(std::string_view digits) {
  if (digits.empty() || digits.size() > 39 || (digits.size() > 1 && digits[0] == '0')) return std::nullopt;
  Amount value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    const Amount next = value * 10 + static_cast<Amount>(c - '0');
    if (value > ~Amount{0} / 10 || next < value * 10) return std::nullopt;
    value = next;
  }
  return value;
}

Bytes checkpoint_data(const CheckpointFields& f) {
  const Word words[] = {word_of(f.proposer),
                        word_of(f.start),
                        word_of(f.end),
                        f.root_hash,
                        f.account_hash,
                        word_of(f.bor_chain_id),
                        word_of(f.epoch.value_or(0))};
  return joined(std::span(words).first(f.epoch ? 7 : 6));
}

std::optional<RootChain> root_chain(std::string_view text) {
  for (const RootChain chain : {RootChain::tron, RootChain::eth, RootChain::bsc}) {
    if (text == name(chain)) return chain;
  }
  return std::nullopt;
}

std::string_view name(RootChain chain) {
  switch (chain) {
    case RootChain::tron: return "tron";
    case RootChain::eth: return "eth";
    case RootChain::bsc: return "bsc";
  }
  return "?";
}

Bytes checkpoint_sync_data(const CheckpointSync& sync) {
  const Word words[] = {word_of(sync.proposer), word_of(sync.start), word_of(sync.end), word_of(sync.header_number),
                        word_of(static_cast<std::uint64_t>(sync.root_chain))};
  return joined(words);
}

Bytes vote(ByteView data) {
  Bytes out(1 + data.size(), kYes);
  std::copy(data.begin(), data.end(), out.begin() + 1);
  return out;
}

Result<std::vector<Address>> addresses(std::span<const std::uint8_t> keys, hashes::Kernel& hash,
                                       const StopToken& stop) {
  MessageList list;
  for (std::size_t at = 0; at + secp256k1::kPublicKeyBytes <= keys.size(); at += secp256k1::kPublicKeyBytes) {
    list.add({keys.subspan(at, secp256k1::kPublicKeyBytes)});
  }
  SPARKMILL_ASSIGN(const std::vector<Hash32> digests, list.hash(hashes::Algorithm::keccak256, hash, stop));
  std::vector<Address> out;
  out.reserve(digests.size());
  for (const Hash32& digest : digests) out.push_back(address_of(digest));
  return out;
}

bool reaches_recovery(const SignatureWords& entry) { return recovery_id(entry).has_value(); }

Result<std::vector<Recovered>> recover_signers(std::span<const Hash32> hashes, std::span<const SignatureWords> entries,
                                               const Kernels& kernels, const StopToken& stop, Bytes* points) {
  std::vector<Recovered> signers(entries.size());
  if (points != nullptr) points->assign(entries.size() * secp256k1::kEvidenceBytes, 0);
  Bytes signatures, digests;
  std::vector<std::uint64_t> offsets{0};
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto id = recovery_id(entries[i]);
    if (!id) {
      signers[i].kind = Recovered::Kind::zero;
      continue;
    }
    append(signatures, entries[i].r);
    append(signatures, entries[i].s);
    signatures.push_back(*id);
    append(digests, hashes[i]);
    offsets.push_back(digests.size());
    asked.push_back(i);
  }
  if (asked.empty()) return signers;
  Bytes valid(asked.size()), keys(asked.size() * secp256k1::kPublicKeyBytes);
  Bytes passed(points != nullptr ? asked.size() * secp256k1::kEvidenceBytes : 0);
  SPARKMILL_TRY(kernels.secp256k1.recover_vartime(
      secp256k1::RecoverRule::in_range, {asked.size(), {}, signatures, digests, offsets}, {valid, passed}, keys, stop));
  SPARKMILL_ASSIGN(const std::vector<Address> found, addresses(keys, kernels.hash, stop));
  for (std::size_t k = 0; k < asked.size(); ++k) {
    if (valid[k] != 0) signers[asked[k]] = {Recovered::Kind::address, found[k]};
    if (points != nullptr) {
      std::copy_n(passed.begin() + static_cast<std::ptrdiff_t>(k * secp256k1::kEvidenceBytes),
                  secp256k1::kEvidenceBytes,
                  points->begin() + static_cast<std::ptrdiff_t>(asked[k] * secp256k1::kEvidenceBytes));
    }
  }
  return signers;
}

Result<std::vector<Recovered>> recover_signers(std::span<const SignedData> items, const Kernels& kernels,
                                               const StopToken& stop, Bytes* points) {
  MessageList votes;
  for (const SignedData& item : items) {
    if (!over_limit(item)) votes.add({ByteView(&kYes, 1), item.data});
  }
  SPARKMILL_ASSIGN(const std::vector<Hash32> digests, votes.hash(hashes::Algorithm::keccak256, kernels.hash, stop));
  std::vector<Hash32> hashes;
  std::vector<SignatureWords> entries;
  std::size_t next = 0;
  for (const SignedData& item : items) {
    if (over_limit(item)) continue;
    hashes.insert(hashes.end(), item.signatures.size(), digests[next++]);
    entries.insert(entries.end(), item.signatures.begin(), item.signatures.end());
  }
  Bytes passed;
  SPARKMILL_ASSIGN(std::vector<Recovered> found,
                   recover_signers(hashes, entries, kernels, stop, points != nullptr ? &passed : nullptr));
  std::vector<Recovered> signers;
  if (points != nullptr) points->clear();
  auto from = found.begin();
  auto point = passed.begin();
  for (const SignedData& item : items) {
    if (over_limit(item)) {
      signers.insert(signers.end(), item.signatures.size(), Recovered{});
      if (points != nullptr) points->resize(signers.size() * secp256k1::kEvidenceBytes);
      continue;
    }
    if (points != nullptr) {
      const auto size = static_cast<std::ptrdiff_t>(item.signatures.size() * secp256k1::kEvidenceBytes);
      points->insert(points->end(), point, point + size);
      point += size;
    }
    signers.insert(signers.end(), from, from + static_cast<std::ptrdiff_t>(item.signatures.size()));
    from += static_cast<std::ptrdiff_t>(item.signatures.size());
  }
  return signers;
}

ValidatorSet::ValidatorSet(std::vector<Validator> validators) : validators_(std::move(validators)) {
  std::stable_sort(validators_.begin(), validators_.end(),
                   [](const Validator& a, const Validator& b) { return a.signer < b.signer; });
}

const Validator* ValidatorSet::active(const Address& signer, std::uint64_t epoch) const {
  const auto it = std::lower_bound(validators_.begin(), validators_.end(), signer,
                                   [](const Validator& v, const Address& wanted) { return v.signer < wanted; });
  if (it == validators_.end() || it->signer != signer) return nullptr;
  const bool counts = it->amount > 0 && it->standing == Standing::active &&
                      (it->deactivation_epoch == 0 || it->deactivation_epoch > epoch);
  return counts ? &*it : nullptr;
}

std::string_view name(Policy policy) { return policy == Policy::contract ? "contract" : "canonical"; }
std::string_view name(Rule rule) { return rule == Rule::count ? "count" : "stake"; }

Verdict check_checkpoint(Policy policy, Rule rule, const ChainState& state, const SignedData& item,
                         std::span<const Recovered> signers) {
  if (over_limit(item) || state.validators->size() > kMaxValidators) {
    return refused<CheckpointFacts>("limit", "at most " + std::to_string(kMaxSignatures) + " signatures, " +
                                                 std::to_string(kMaxValidators) + " validators and 1 MiB of data");
  }
  const std::size_t bytes = item.data.size();
  const bool fits =
      policy == Policy::contract ? bytes >= kContractBytes : bytes == kContractBytes || bytes == kDeliveryBytes;
  if (!fits) return refused<CheckpointFacts>("bad_length", std::to_string(bytes) + " bytes of data");
  Verdict data =
      policy == Policy::contract ? check_contract_data(state, item.data) : check_canonical_data(state, item.data);
  if (!data.ok) return data;
  const Amount need = more_than_two_thirds(rule == Rule::count ? Amount{state.staker_count} : state.total_stake);
  if (policy == Policy::contract && rule == Rule::count && signers.size() < need) {
    return refused<CheckpointFacts>("too_few_signatures",
                                    std::to_string(signers.size()) + " entries, " + text(need) + " needed");
  }
  Walk walk =
      policy == Policy::contract ? walk_contract(state, signers) : walk_canonical(state, item.signatures, signers);
  if (!walk.reason.empty()) return {false, walk.reason, "entry " + std::to_string(walk.at), walk.facts};
  const Amount have = rule == Rule::count ? Amount{walk.facts.signed_by} : walk.facts.power;
  if (have < need) return {false, "below_threshold", text(have) + " of " + text(need), walk.facts};
  walk.facts.end = number(word_at(item.data, 2)).value_or(~std::uint64_t{0});
  return {true, {}, {}, walk.facts};
}

void advance(ChainState& state, const CheckpointFacts& facts) { state.last_end = facts.end; }

}  // namespace sparkmill::bttc
