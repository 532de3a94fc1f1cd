// SPDX-License-Identifier: Apache-2.0
// Checkpoints of BTTC: thresholds, order and continuity on signatures made here; roots and events beside plain models.
#include <random>

#include "tests/verify/blocks/support.h"
#include "verify/blocks/bttc/event.h"
#include "verify/blocks/bttc/sign.h"
#include "verify/blocks/bttc/span_root.h"
#include "verify/blocks/message_list.h"

namespace sparkmill::bttc {
namespace {

using blocks::test::cpu_kernels;

Kernels both() { return {*cpu_kernels().hash, *cpu_kernels().secp256k1}; }
hashes::Kernel& hash() { return *cpu_kernels().hash; }

Hash32 keccak(ByteView message) {
  blocks::MessageList list;
  list.add({message});
  return list.hash(hashes::Algorithm::keccak256, hash(), StopToken())->front();
}

/// Validators with keys of their own, by address; made once.
struct Keys {
  std::vector<Signer> signers;
  Keys() {
    for (std::uint8_t k = 1; k <= 12; ++k) {
      Hash32 secret{};
      secret[0] = k;
      secret[31] = 7;
      auto signer = Signer::from_secret(secret, hash());
      if (signer) signers.push_back(std::move(*signer));
    }
    std::sort(signers.begin(), signers.end(),
              [](const Signer& a, const Signer& b) { return a.address() < b.address(); });
  }
};
const std::vector<Signer>& keys() {
  static const Keys k;
  return k.signers;
}

/// A chain of `count` validators of equal stake.
struct Chain {
  ValidatorSet set;
  ChainState state;
  explicit Chain(std::size_t count, Amount stake = 10) {
    std::vector<Validator> v;
    for (std::size_t i = 0; i < count; ++i) v.push_back({keys()[i].address(), stake, 0, Standing::active, 0});
    set = ValidatorSet(std::move(v));
    state.last_end = 99;
    state.staker_count = count;
    state.total_stake = stake * count;
    state.validators = &set;
  }
};

CheckpointFields fields(std::uint64_t start = 100, std::uint64_t end = 163) {
  CheckpointFields f;
  f.proposer = keys().empty() ? Address{} : keys()[0].address();
  f.start = start;
  f.end = end;
  f.bor_chain_id = 199;
  f.epoch = 3;
  return f;
}

std::vector<SignatureWords> sign(ByteView data, std::span<const std::size_t> who) {
  const Hash32 digest = keccak(vote(data));
  std::vector<SignatureWords> out;
  for (const std::size_t i : who) out.push_back(contract_words(keys()[i].sign_hash(digest)));
  return out;
}

std::string_view judge(Policy policy, Rule rule, const ChainState& state, ByteView data,
                       const std::vector<SignatureWords>& sigs) {
  const SignedData item{data, sigs};
  const auto signers = recover_signers(std::span(&item, 1), both(), StopToken());
  EXPECT_TRUE(signers.ok());
  const auto v = check_checkpoint(policy, rule, state, item, *signers);
  EXPECT_EQ(v.ok, v.reason.empty());
  return v.reason;
}

std::vector<std::size_t> first(std::size_t count) {
  std::vector<std::size_t> list(count);
  for (std::size_t i = 0; i < count; ++i) list[i] = i;
  return list;
}

class Bttc : public testing::Test {
 protected:
  void SetUp() override {
    if (!signing_absent().empty()) GTEST_SKIP() << signing_absent();
  }
};

TEST_F(Bttc, MoreThanTwoThirdsAndNoLess) {
  const Bytes data = checkpoint_data(fields());
  for (const std::size_t n : {1u, 2u, 3u, 4u, 6u, 9u}) {
    const Chain chain(n);
    for (std::size_t signing = 0; signing <= n; ++signing) {
      const auto who = first(signing);
      const auto sigs = sign(data, who);
      const bool enough = 3 * signing > 2 * n;
      const std::string note = std::to_string(signing) + " of " + std::to_string(n);
      EXPECT_EQ(judge(Policy::canonical, Rule::count, chain.state, data, sigs), enough ? "" : "below_threshold")
          << note;
      EXPECT_EQ(judge(Policy::contract, Rule::count, chain.state, data, sigs), enough ? "" : "too_few_signatures")
          << note;
      // floor(2 total / 3) + 1 of ten units a validator.
      const bool stake_enough = 10 * signing >= 2 * 10 * n / 3 + 1;
      EXPECT_EQ(judge(Policy::contract, Rule::stake, chain.state, data, sigs), stake_enough ? "" : "below_threshold")
          << note;
    }
  }
}

/// Random lists of signers with repeats, strangers and any order, against the words of the specification.
TEST_F(Bttc, WalksAsSpecified) {
  std::mt19937_64 random(5);
  const Chain chain(8);  // of twelve keys: four are strangers
  const Bytes data = checkpoint_data(fields());
  std::vector<std::size_t> everybody = first(12);
  const auto all = sign(data, everybody);
  const SignedData everything{data, all};
  const auto recovered = recover_signers(std::span(&everything, 1), both(), StopToken());
  ASSERT_TRUE(recovered.ok());
  for (int round = 0; round < 300; ++round) {
    std::vector<std::size_t> who;
    for (std::size_t i = 0; i < 12; ++i) {
      if (random() % 8 != 0) who.push_back(i);
      if (random() % 8 == 0) who.push_back(i);
    }
    if (random() % 2 == 0 && who.size() > 1) std::swap(who[random() % who.size()], who[random() % who.size()]);
    std::vector<SignatureWords> sigs;
    std::vector<Recovered> signers;
    for (const std::size_t i : who) {
      sigs.push_back(all[i]);
      signers.push_back((*recovered)[i]);
    }

    std::size_t counted = 0, last = 99;
    bool ended = false;
    for (const std::size_t i : who) {
      if (ended || i == last) continue;
      if (last != 99 && i < last) {
        ended = true;
      } else if (i < 8) {
        ++counted;
        last = i;
      }
    }
    const auto v = check_checkpoint(Policy::contract, Rule::count, chain.state, {data, sigs}, signers);
    const std::string_view got = v.reason;
    if (who.size() < 6) {
      EXPECT_EQ(got, "too_few_signatures");
    } else {
      EXPECT_EQ(v.facts.signed_by, counted);
      EXPECT_EQ(got, counted >= 6 ? "" : "below_threshold");
    }
    const auto canonical = check_checkpoint(Policy::canonical, Rule::count, chain.state, {data, sigs}, signers).reason;
    if (canonical.empty()) {
      EXPECT_EQ(got, "") << "what canonical takes, the contract takes";
    }
    const bool clean = std::is_sorted(who.begin(), who.end()) &&
                       std::adjacent_find(who.begin(), who.end()) == who.end() && (who.empty() || who.back() < 8);
    EXPECT_EQ(canonical.empty(), clean && who.size() >= 6);
  }
}

TEST_F(Bttc, FlippedBytesOfTheDataAreRefused) {
  const Chain chain(4);
  const Bytes data = checkpoint_data(fields());
  const auto sigs = sign(data, first(3));
  ASSERT_EQ(judge(Policy::canonical, Rule::count, chain.state, data, sigs), "");
  std::vector<Bytes> bent;
  for (std::size_t i = 0; i < data.size(); i += 5) {  // each word in six places
    bent.push_back(data);
    bent.back()[i] ^= 1;
  }
  std::vector<SignedData> items;
  for (const Bytes& b : bent) items.push_back({b, sigs});
  const auto signers = recover_signers(items, both(), StopToken());
  ASSERT_TRUE(signers.ok());
  for (std::size_t i = 0; i < items.size(); ++i) {
    for (const Policy policy : kPolicies) {
      const auto v = check_checkpoint(policy, Rule::count, chain.state, items[i],
                                      std::span(*signers).subspan(i * sigs.size(), sigs.size()));
      EXPECT_FALSE(v.ok) << name(policy) << ", byte " << 5 * i;
    }
  }
}

TEST_F(Bttc, AChainIsFoldedInOrderFromOneRunOfTheKernels) {
  Chain chain(4);
  chain.state.last_end.reset();
  std::vector<Bytes> data;
  std::vector<std::vector<SignatureWords>> sigs;
  std::vector<SignedData> items;
  for (std::uint64_t k = 0; k < 4; ++k) {
    data.push_back(checkpoint_data(fields(64 * k, 64 * k + 63)));
    sigs.push_back(sign(data.back(), first(k == 2 ? 2 : 3)));  // the third has too few
  }
  for (std::size_t k = 0; k < 4; ++k) items.push_back({data[k], sigs[k]});
  const auto signers = recover_signers(items, both(), StopToken());
  ASSERT_TRUE(signers.ok());
  std::vector<std::string_view> reasons;
  std::size_t at = 0;
  for (const SignedData& item : items) {
    const auto v = check_checkpoint(Policy::contract, Rule::count, chain.state, item,
                                    std::span(*signers).subspan(at, item.signatures.size()));
    at += item.signatures.size();
    reasons.push_back(v.reason);
    if (v.ok) advance(chain.state, v.facts);
  }
  EXPECT_EQ(reasons, (std::vector<std::string_view>{"", "", "too_few_signatures", "discontinuous"}));
  EXPECT_EQ(chain.state.last_end, 127u);
}

TEST_F(Bttc, LimitsComeFirst) {
  const Chain chain(4);
  const Bytes data = checkpoint_data(fields());
  EXPECT_EQ(judge(Policy::contract, Rule::count, chain.state, data, std::vector<SignatureWords>(513)), "limit");
  EXPECT_NE(judge(Policy::contract, Rule::count, chain.state, data, std::vector<SignatureWords>(512)), "limit");
  EXPECT_EQ(judge(Policy::contract, Rule::count, chain.state, Bytes((1u << 20) + 1), {}), "limit");
  Chain crowd(4);
  crowd.set = ValidatorSet(std::vector<Validator>(4097));
  EXPECT_EQ(judge(Policy::contract, Rule::count, crowd.state, data, {}), "limit");
}

TEST_F(Bttc, WordsBeyondSixtyFourBits) {
  Chain chain(4);
  chain.state.last_end = ~std::uint64_t{0};
  Bytes data = checkpoint_data(fields(0, 5));
  data[32 + 23] = 1;  // start = 2^64, which follows
  EXPECT_EQ(judge(Policy::contract, Rule::count, chain.state, data, sign(data, first(4))), "bad_range");
  data[64 + 23] = 1;  // end = 2^64 + 5
  EXPECT_EQ(judge(Policy::contract, Rule::count, chain.state, data, sign(data, first(4))), "");
  EXPECT_EQ(judge(Policy::canonical, Rule::count, chain.state, data, sign(data, first(4))), "bad_range");
  data[64] = 0x80;
  EXPECT_EQ(judge(Policy::contract, Rule::count, chain.state, data, sign(data, first(4))), "");
}

TEST_F(Bttc, StakesUpToTheLimitDoNotOverflow) {
  Chain chain(3, kMaxAmount);
  EXPECT_EQ(judge(Policy::contract, Rule::stake, chain.state, checkpoint_data(fields()),
                  sign(checkpoint_data(fields()), first(2))),
            "below_threshold");
  EXPECT_EQ(judge(Policy::contract, Rule::stake, chain.state, checkpoint_data(fields()),
                  sign(checkpoint_data(fields()), first(3))),
            "");
}

TEST_F(Bttc, ListsForTheContractAreSortedAndSingle) {
  const Hash32 digest{1};
  std::vector<SignedVote> votes;
  for (const std::size_t i : {3u, 0u, 2u, 0u, 1u}) votes.push_back({keys()[i].address(), keys()[i].sign_hash(digest)});
  const auto list = contract_list(votes);
  ASSERT_EQ(list.size(), 4u);
  const std::vector<Hash32> digests(4, digest);
  const auto signers = recover_signers(digests, list, both(), StopToken());
  ASSERT_TRUE(signers.ok());
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_EQ((*signers)[i], (Recovered{Recovered::Kind::address, keys()[i].address()}));
  EXPECT_EQ(precommit_signature(votes[0].signature)[64], votes[0].signature.recovery_id);
}

TEST(BttcAmounts, DecimalDigits) {
  EXPECT_EQ(text(Amount{0}), "0");
  EXPECT_EQ(text(~Amount{0}), "340282366920938463463374607431768211455");
  EXPECT_EQ(amount("340282366920938463463374607431768211455"), ~Amount{0});
  for (const char* bad : {"340282366920938463463374607431768211456", "", "01", "-1", "1 ", "0x1",
                          "999999999999999999999999999999999999999", "1000000000000000000000000000000000000000"}) {
    EXPECT_EQ(amount(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(amount("1000000000000000000000000000000"), Amount{1'000'000'000'000'000} * 1'000'000'000'000'000);
}

// -- roots

Hash32 plain_root(std::vector<Hash32> nodes) {
  std::size_t size = 1;
  while (size < nodes.size()) size *= 2;
  nodes.resize(size);
  for (; size > 1; size /= 2) {
    for (std::size_t i = 0; i < size / 2; ++i) {
      Bytes pair(nodes[2 * i].begin(), nodes[2 * i].end());
      pair.insert(pair.end(), nodes[2 * i + 1].begin(), nodes[2 * i + 1].end());
      nodes[i] = keccak(pair);
    }
  }
  return nodes[0];
}

TEST(BttcRoots, ProofsOfEveryPlaceAndOfNoOther) {
  for (std::uint64_t count = 1; count <= 9; ++count) {
    constexpr std::uint64_t kStart = 1000;
    std::vector<BlockFacts> facts(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      facts[i].number = word_of(kStart + i);
      facts[i].time = word_of(50 + i);
      facts[i].receipts_root[0] = static_cast<std::uint8_t>(i);
    }
    const auto leaves = block_leaves(facts, hash(), StopToken());
    ASSERT_TRUE(leaves.ok());
    const auto root = block_root(*leaves, hash(), StopToken());
    ASSERT_TRUE(root.ok());
    EXPECT_EQ(*root, plain_root(*leaves));
    std::vector<Bytes> siblings(count);
    std::vector<BlockProof> proofs;
    for (std::uint64_t i = 0; i < count; ++i) {
      std::vector<Hash32> level = *leaves;
      level.resize(std::bit_ceil(level.size()));
      for (std::uint64_t at = i; level.size() > 1; at /= 2) {
        siblings[i].insert(siblings[i].end(), level[at ^ 1].begin(), level[at ^ 1].end());
        std::vector<Hash32> up;
        for (std::size_t k = 0; k < level.size(); k += 2) up.push_back(plain_root({level[k], level[k + 1]}));
        level = up;
      }
      proofs.push_back({facts[i], kStart, kStart + count - 1, *root, siblings[i]});
    }
    const std::size_t right = proofs.size();
    for (std::size_t i = 0; i < right; ++i) {  // wrong ones of every kind, in the same batch
      BlockProof p = proofs[i];
      p.block.time[31] ^= 1;
      proofs.push_back(p);
      p = proofs[i];
      p.block.number = word_of(kStart + count);
      proofs.push_back(p);
      p = proofs[i];
      p.end += p.end - p.start + 1;
      proofs.push_back(p);
      p = proofs[i];
      p.root[0] ^= 1;
      proofs.push_back(p);
      p = proofs[i];
      p.block.number = word_of(kStart + (i + 1) % count);
      if (count > 1) proofs.push_back(p);
    }
    const auto verdicts = check_block_proofs(proofs, hash(), StopToken());
    ASSERT_TRUE(verdicts.ok());
    for (std::size_t i = 0; i < proofs.size(); ++i) EXPECT_EQ((*verdicts)[i].ok, i < right) << count << ", proof " << i;
  }
}

TEST(BttcRoots, EmptyAndOversizedAreErrors) {
  EXPECT_EQ(block_root({}, hash(), StopToken()).status(), Status::bad_argument);
  EXPECT_EQ(account_root({}, hash(), StopToken()).status(), Status::bad_argument);
}

TEST(BttcRoots, TheWholeRangeOfSpansHasADepth) {
  BlockProof p;
  p.end = ~std::uint64_t{0};
  const Bytes siblings(64 * 32);
  p.siblings = siblings;
  const auto v = check_block_proofs({&p, 1}, hash(), StopToken());
  ASSERT_TRUE(v.ok());
  EXPECT_EQ((*v)[0].reason, "bad_block_proof");
  EXPECT_EQ((*v)[0].detail, "another root");
}

// -- events

TEST(BttcEvents, TheTopicIsTheHashOfTheSignature) {
  const EventRecord record;
  const Hash32 topics[] = {keccak(view("StateSynced(uint256,address,bytes)")), {}, {}};
  Bytes data(64);
  data[31] = 32;
  EXPECT_TRUE(check_state_synced(record, {}, {{}, topics, data}).ok);
  for (std::size_t i = 0; i < data.size(); ++i) {
    data[i] ^= 1;
    EXPECT_EQ(check_state_synced(record, {}, {{}, topics, data}).reason, "wrong_data") << i;
    data[i] ^= 1;
  }
  EXPECT_EQ(check_state_synced(record, {}, {{}, std::span(topics).first(2), data}).reason, "bad_topics");
}

TEST(BttcEvents, GuardsHoldWhateverTheOrder) {
  EventState state;
  state.bor_chain_id = "199";
  std::mt19937_64 random(9);
  std::set<std::pair<std::string, std::uint64_t>> ids;
  std::set<std::string> places;
  std::uint64_t accepted = 0;
  for (int i = 0; i < 2000; ++i) {
    EventRecord r;
    r.root_chain = std::array{"tron", "eth", "bsc", "sol"}[random() % 4];
    r.id = random() % 200;
    r.block_number = random() % 30;
    r.log_index = random() % 2 == 0 ? random() % 20 : 100'000 + random() % 20;
    r.bor_chain_id = random() % 10 == 0 ? "1029" : "199";
    const std::string place = r.root_chain + std::to_string(r.block_number + r.log_index / 100'000) + "/" +
                              std::to_string(r.log_index % 100'000);
    std::string_view expected;
    if (r.root_chain == "sol") {
      expected = "unknown_root_chain";
    } else if (ids.contains({r.root_chain, r.id})) {
      expected = "known_event_id";
    } else if (r.bor_chain_id != "199") {
      expected = "wrong_chain";
    } else if (places.contains(place)) {
      expected = "known_sequence";
    }
    const auto v = check_event(state, r);
    EXPECT_EQ(v.reason, expected);
    if (!v.ok) continue;
    ids.insert({r.root_chain, r.id});
    places.insert(place);
    EXPECT_EQ(v.facts.local_id, ++accepted);
    mark_event(state, r, v.facts);
  }
  EXPECT_GT(accepted, 100u);
}

TEST(BttcEvents, LargestNumbersKeepTheirSequence) {
  EventState state;
  EventRecord r;
  r.root_chain = "bsc";
  r.block_number = ~std::uint64_t{0};
  r.log_index = ~std::uint64_t{0};
  EXPECT_EQ(text(check_event(state, r).facts.sequence), "184469285411502887105161503");
}

TEST(BttcEvents, RecordsComeBackAsTheyWere) {
  EventRecord r;
  r.id = 501;
  r.log_index = 99;
  r.bor_chain_id = "199";
  r.contract[3] = 7;
  r.data = Bytes(300, 0xab);
  r.tx_hash[0] = 1;
  const Bytes rlp = encode_bor_record(r);
  const auto back = decode_bor_record(rlp);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(encode_bor_record(*back), rlp);
  EXPECT_EQ(back->id, 501u);
  EXPECT_EQ(back->data, r.data);
  for (std::size_t cut = 0; cut < rlp.size(); ++cut) {
    EXPECT_FALSE(decode_bor_record(ByteView(rlp).first(cut)).ok()) << cut;
  }
  EXPECT_EQ(check_bor_record(r, ~std::uint64_t{0}, "199", 1, 2).reason, "wrong_id");
}

}  // namespace
}  // namespace sparkmill::bttc
