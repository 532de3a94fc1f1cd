// SPDX-License-Identifier: Apache-2.0
// RLP in its shortest form only; tries built here from the yellow paper, every value proved and every proof bent; exit
// payloads with every byte changed.
#include <functional>
#include <map>
#include <random>

#include "tests/verify/blocks/support.h"
#include "verify/blocks/bttc/exit.h"
#include "verify/blocks/bttc/rlp.h"
#include "verify/blocks/message_list.h"

namespace sparkmill::bttc {
namespace {

hashes::Kernel& hash() { return *blocks::test::cpu_kernels().hash; }

Hash32 keccak(ByteView message) {
  blocks::MessageList list;
  list.add({message});
  return list.hash(hashes::Algorithm::keccak256, hash(), StopToken())->front();
}

// -- RLP

Bytes bytes(std::initializer_list<int> list) { return Bytes(list.begin(), list.end()); }

TEST(Rlp, StringsAndListsOfEveryLength) {
  for (const std::size_t length : {0u, 1u, 2u, 55u, 56u, 255u, 256u, 65535u, 65536u}) {
    Bytes encoded;
    rlp::put(encoded, Bytes(length, 0x80));
    rlp::Item item;
    ASSERT_TRUE(rlp::parse(encoded, item)) << length;
    EXPECT_FALSE(item.list);
    EXPECT_EQ(item.payload.size(), length);
    const Bytes listed = rlp::list(encoded);
    ASSERT_TRUE(rlp::parse(listed, item)) << length;
    EXPECT_TRUE(item.list && rlp::well_formed(item));
    ASSERT_EQ(rlp::children(item, 1)->size(), 1u);
    EXPECT_EQ(rlp::children(item, 0), std::nullopt) << "the bound";
    Bytes longer = listed;
    longer.push_back(0);
    EXPECT_FALSE(rlp::parse(longer, item));
    EXPECT_FALSE(rlp::parse(ByteView(listed).first(listed.size() - 1), item));
  }
}

TEST(Rlp, OtherFormsAreRefused) {
  for (const Bytes& bad : {bytes({}), bytes({0x81, 0x00}), bytes({0x81, 0x7f}), bytes({0xb8, 0x01, 0xff}),
                           bytes({0xb8, 0x37}), bytes({0xb9, 0x00, 0x38}), bytes({0xf8, 0x00}), bytes({0x82, 0x01}),
                           bytes({0xc1}), bytes({0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),
                           bytes({0xff, 0x80, 0, 0, 0, 0, 0, 0, 0}), bytes({0xb8}), bytes({0xf9, 0x01})}) {
    rlp::Item item;
    ByteView rest = bad;
    EXPECT_FALSE(rlp::take(rest, item)) << bad.size();
    EXPECT_EQ(rest.size(), bad.size());
  }
  rlp::Item item;
  ASSERT_TRUE(rlp::parse(bytes({0x81, 0x80}), item));
  const Bytes inside = bytes({0xc3, 0x80, 0x81, 0x05});
  ASSERT_TRUE(rlp::parse(inside, item)) << "only what is inside is wrong";
  EXPECT_FALSE(rlp::well_formed(item));
}

TEST(Rlp, IntegersHaveOneForm) {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{127}, std::uint64_t{128},
                                    std::uint64_t{256}, ~std::uint64_t{0}}) {
    Bytes encoded;
    rlp::put(encoded, value);
    rlp::Item item;
    ASSERT_TRUE(rlp::parse(encoded, item));
    EXPECT_EQ(rlp::integer(item), value);
    EXPECT_EQ(rlp::word(item), word_of(value));
  }
  rlp::Item item;
  for (const Bytes& bad : {bytes({0x00}), bytes({0x82, 0x00, 0x80}), bytes({0xc0})}) {
    ASSERT_TRUE(rlp::parse(bad, item));
    EXPECT_EQ(rlp::integer(item), std::nullopt);
  }
  Bytes nine;
  rlp::put(nine, Bytes(9, 1));
  ASSERT_TRUE(rlp::parse(nine, item));
  EXPECT_EQ(rlp::integer(item), std::nullopt);
  EXPECT_TRUE(rlp::word(item).has_value());
}

TEST(Rlp, DepthIsBounded) {
  Bytes nested = bytes({0xc0});
  for (std::size_t depth = 1; depth < 5000; ++depth) {
    rlp::Item item;
    ASSERT_TRUE(rlp::parse(nested, item));
    EXPECT_EQ(rlp::well_formed(item), depth <= rlp::kMaxDepth) << depth;
    nested = rlp::list(nested);
    if (depth > 40) depth += 400;
  }
}

// -- tries

using Nibbles = std::vector<std::uint8_t>;
using Entries = std::map<Nibbles, Bytes>;

Nibbles nibbles(ByteView key) {
  Nibbles out;
  for (const std::uint8_t b : key) {
    out.push_back(b >> 4);
    out.push_back(b & 15);
  }
  return out;
}

Bytes hex_prefix(std::span<const std::uint8_t> path, bool leaf) {
  const bool odd = path.size() % 2 != 0;
  Bytes out{static_cast<std::uint8_t>((leaf ? 0x20 : 0) | (odd ? 0x10 | path[0] : 0))};
  for (std::size_t i = odd ? 1 : 0; i < path.size(); i += 2) {
    out.push_back(static_cast<std::uint8_t>(path[i] << 4 | path[i + 1]));
  }
  return out;
}

/// Builds a trie (yellow paper, appendix D) and keeps every node by its hash. Values are long, so nothing is embedded.
struct Trie {
  std::map<Hash32, Bytes> nodes;
  Hash32 root{};
  explicit Trie(const Entries& entries) { root = build(entries, 0); }

  Hash32 keep(Bytes payload) {
    Bytes node = rlp::list(payload);
    const Hash32 h = keccak(node);
    nodes[h] = std::move(node);
    return h;
  }
  Hash32 build(const Entries& entries, std::size_t at) {
    const Nibbles& front = entries.begin()->first;
    Bytes payload;
    if (entries.size() == 1) {
      rlp::put(payload, hex_prefix(std::span(front).subspan(at), true));
      rlp::put(payload, entries.begin()->second);
      return keep(payload);
    }
    std::size_t shared = at;
    const auto same = [&](const auto& e) { return e.first.size() > shared && e.first[shared] == front[shared]; };
    while (shared < front.size() && std::all_of(entries.begin(), entries.end(), same)) ++shared;
    if (shared > at) {
      rlp::put(payload, hex_prefix(std::span(front).subspan(at, shared - at), false));
      rlp::put(payload, build(entries, shared));
      return keep(payload);
    }
    Bytes value;
    for (std::uint8_t nibble = 0; nibble < 16; ++nibble) {
      Entries below;
      for (const auto& [path, v] : entries) {
        if (path.size() == at) value = v;
        if (path.size() > at && path[at] == nibble) below.emplace(path, v);
      }
      if (below.empty()) {
        rlp::put(payload, ByteView());
      } else {
        rlp::put(payload, build(below, at + 1));
      }
    }
    rlp::put(payload, value);
    return keep(payload);
  }
  /// The list of nodes on the way to a key.
  Bytes proof(const Nibbles& key) const {
    Bytes payload;
    std::size_t at = 0;
    for (Hash32 want = root;;) {
      const Bytes& node = nodes.at(want);
      payload.insert(payload.end(), node.begin(), node.end());
      rlp::Item item;
      EXPECT_TRUE(rlp::parse(node, item));
      const auto items = *rlp::children(item, 17);
      ByteView next;
      if (items.size() == 17) {
        if (at == key.size()) break;
        next = items[key[at++]].payload;
      } else {
        const std::uint8_t flag = items[0].payload[0] >> 4;
        if (flag >= 2) break;
        at += 2 * (items[0].payload.size() - 1) + (flag & 1);
        next = items[1].payload;
      }
      std::copy(next.begin(), next.end(), want.begin());
    }
    return rlp::list(payload);
  }
};

TEST(Tries, EveryValueIsProvedAndNoOther) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 12; ++round) {
    std::map<Bytes, Bytes> values;
    const std::size_t count = 1 + random() % 20;
    while (values.size() < count) {
      Bytes key(1 + random() % 3);
      for (auto& b : key) b = static_cast<std::uint8_t>(random() % 4 * 17);  // many shared beginnings
      Bytes value(40 + random() % 20);
      for (auto& b : value) b = static_cast<std::uint8_t>(random());
      values[key] = value;
    }
    Entries entries;
    for (const auto& [key, value] : values) entries[nibbles(key)] = value;
    const Trie trie(entries);
    std::vector<Bytes> lists;
    std::vector<TrieProof> proofs;
    lists.reserve(values.size());
    for (const auto& [key, value] : values) {
      lists.push_back(trie.proof(nibbles(key)));
      proofs.push_back({trie.root, key, value, lists.back()});
    }
    const std::size_t right = proofs.size();
    for (std::size_t i = 0; i < right; ++i) {           // the neighbour's value, key and path
      const TrieProof other = proofs[(i + 1) % right];  // the list grows
      if (right == 1) break;
      proofs.push_back({trie.root, proofs[i].key, other.value, proofs[i].nodes});
      proofs.push_back({trie.root, other.key, proofs[i].value, proofs[i].nodes});
    }
    const auto verdicts = check_trie_proofs(proofs, hash(), StopToken());
    ASSERT_TRUE(verdicts.ok());
    for (std::size_t i = 0; i < proofs.size(); ++i) EXPECT_EQ((*verdicts)[i].ok, i < right) << (*verdicts)[i].reason;
  }
}

TEST(Tries, EveryChangedByteOfAProofIsRefused) {
  Entries entries;
  for (std::uint8_t i = 0; i < 6; ++i) entries[nibbles(Bytes{0x01, i})] = Bytes(40, i);
  entries[nibbles(Bytes{0x01})] = Bytes(40, 99);
  const Trie trie(entries);
  const Bytes list = trie.proof(nibbles(Bytes{0x01, 3})), key{0x01, 3}, value(40, 3);
  std::vector<Bytes> bent;
  for (std::size_t i = 0; i < list.size(); ++i) {
    for (const int by : {1, 0x80}) {
      bent.push_back(list);
      bent.back()[i] ^= static_cast<std::uint8_t>(by);
    }
    bent.push_back(Bytes(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(i)));
  }
  std::vector<TrieProof> proofs{{trie.root, key, value, list}};
  for (const Bytes& b : bent) proofs.push_back({trie.root, key, value, b});
  const auto verdicts = check_trie_proofs(proofs, hash(), StopToken());
  ASSERT_TRUE(verdicts.ok());
  for (std::size_t i = 0; i < proofs.size(); ++i) EXPECT_EQ((*verdicts)[i].ok, i == 0) << i;
}

TEST(Tries, NodesBehindTheValueAndTooManyNodes) {
  const Trie trie(Entries{{nibbles(Bytes{1}), Bytes(40, 1)}});
  const Bytes node = trie.nodes.begin()->second, key{1}, value(40, 1);
  Bytes twice = node;
  twice.insert(twice.end(), node.begin(), node.end());
  Bytes crowd;
  for (std::size_t i = 0; i <= kMaxTrieNodes; ++i) crowd.push_back(0xc0);
  const Bytes a = rlp::list(twice), b = rlp::list(crowd), c = rlp::list({}), big(kMaxPayloadBytes + 1);
  const TrieProof proofs[] = {{trie.root, key, value, a},
                              {trie.root, key, value, b},
                              {trie.root, key, value, c},
                              {trie.root, key, value, big},
                              {trie.root, {}, value, {}}};
  const Bytes single = rlp::list(node);
  std::vector<TrieProof> all(std::begin(proofs), std::end(proofs));
  all[4].nodes = single;
  const auto v = check_trie_proofs(all, hash(), StopToken());
  ASSERT_TRUE(v.ok());
  EXPECT_EQ((*v)[0].reason, "bad_node");
  EXPECT_EQ((*v)[1].reason, "limit");
  EXPECT_EQ((*v)[2].reason, "proof_too_short");
  EXPECT_EQ((*v)[3].reason, "limit");
  EXPECT_EQ((*v)[4].reason, "bad_path");
}

// -- exits

/// A span of four blocks; the third has three receipts of two logs each.
struct ExitSample {
  std::vector<BlockFacts> facts{4};
  std::map<std::size_t, Bytes> receipts;
  std::unique_ptr<Trie> trie;
  ExitState state;
  Bytes siblings;

  static Bytes receipt(std::uint8_t seed, bool typed) {
    Bytes logs;
    for (std::uint8_t i = 0; i < 2; ++i) {
      Bytes topics, log;
      rlp::put(topics, Hash32{seed, i});
      rlp::put(log, Address{seed});
      const Bytes listed = rlp::list(topics);
      log.insert(log.end(), listed.begin(), listed.end());
      rlp::put(log, Bytes(5, seed));
      const Bytes whole = rlp::list(log);
      logs.insert(logs.end(), whole.begin(), whole.end());
    }
    Bytes payload;
    rlp::put(payload, std::uint64_t{1});
    rlp::put(payload, std::uint64_t{21000});
    rlp::put(payload, Bytes(256));
    const Bytes listed = rlp::list(logs);
    payload.insert(payload.end(), listed.begin(), listed.end());
    Bytes out = rlp::list(payload);
    if (typed) out.insert(out.begin(), 2);
    return out;
  }
  ExitSample() {
    Entries entries;
    for (std::uint8_t i = 0; i < 3; ++i) {
      receipts[i] = receipt(i, i == 1);
      entries[nibbles(key(i))] = receipts[i];
    }
    trie = std::make_unique<Trie>(entries);
    for (std::uint64_t i = 0; i < 4; ++i) facts[i].number = word_of(200 + i);
    facts[2].receipts_root = trie->root;
    const auto leaves = block_leaves(facts, hash(), StopToken());
    siblings.assign((*leaves)[3].begin(), (*leaves)[3].end());
    Bytes pair((*leaves)[0].begin(), (*leaves)[0].end());
    pair.insert(pair.end(), (*leaves)[1].begin(), (*leaves)[1].end());
    const Hash32 left = keccak(pair);
    siblings.insert(siblings.end(), left.begin(), left.end());
    state.headers[10000] = {*block_root(*leaves, hash(), StopToken()), 200, 203};
  }
  static Bytes key(std::uint64_t index) {
    Bytes k;
    rlp::put(k, index);
    return k;
  }
  Bytes payload(std::size_t tx, std::uint64_t log) const {
    Bytes p;
    rlp::put(p, std::uint64_t{10000});
    rlp::put(p, siblings);
    rlp::put(p, std::uint64_t{202});
    rlp::put(p, std::uint64_t{0});
    rlp::put(p, facts[2].transactions_root);
    rlp::put(p, facts[2].receipts_root);
    rlp::put(p, receipts.at(tx));
    rlp::put(p, trie->proof(nibbles(key(tx))));
    Bytes mask = key(tx);
    mask.insert(mask.begin(), 0);
    rlp::put(p, mask);
    rlp::put(p, log);
    return rlp::list(p);
  }
};

TEST(Exits, EachLogOnceWhateverTheBatch) {
  ExitSample sample;
  std::vector<Bytes> payloads;
  for (std::size_t tx = 0; tx < 3; ++tx) {
    for (std::uint64_t log = 0; log < 3; ++log) payloads.push_back(sample.payload(tx, log));
  }
  payloads.push_back(payloads[0]);
  const std::vector<ByteView> views(payloads.begin(), payloads.end());
  auto verdicts = check_exits(sample.state, views, hash(), StopToken());
  ASSERT_TRUE(verdicts.ok());
  EXPECT_TRUE((*verdicts)[9].ok) << "each against the state as it was";
  mark_exits(sample.state, *verdicts);
  std::set<Hash32> ids;
  for (std::size_t i = 0; i < 10; ++i) {
    const auto& v = (*verdicts)[i];
    EXPECT_EQ(v.reason, i == 9 ? "already_processed" : i % 3 == 2 ? "bad_log_index" : "") << i;
    if (v.ok) ids.insert(v.facts.exit_id);
  }
  EXPECT_EQ(ids.size(), 6u);
  EXPECT_EQ(sample.state.processed, ids);
  const auto again = check_exits(sample.state, views, hash(), StopToken());
  ASSERT_TRUE(again.ok());
  for (const auto& v : *again) EXPECT_FALSE(v.ok);
}

TEST(Exits, EveryChangedByteIsRefused) {
  const ExitSample sample;
  const Bytes right = sample.payload(1, 0);
  std::vector<Bytes> bent;
  for (std::size_t i = 0; i + 1 < right.size(); ++i) {  // the last byte is the log index, a claim of its own
    for (const int by : {1, 0x10, 0x80}) {
      bent.push_back(right);
      bent.back()[i] ^= static_cast<std::uint8_t>(by);
    }
    bent.push_back(Bytes(right.begin(), right.begin() + static_cast<std::ptrdiff_t>(i)));
  }
  const std::vector<ByteView> views(bent.begin(), bent.end());
  const auto verdicts = check_exits(sample.state, views, hash(), StopToken());
  ASSERT_TRUE(verdicts.ok());
  for (std::size_t i = 0; i < bent.size(); ++i) EXPECT_FALSE((*verdicts)[i].ok) << i / 4 << " of " << right.size();
}

TEST(Exits, LimitAndNumbersBeyondSixtyFourBits) {
  const ExitSample sample;
  const Bytes big(kMaxPayloadBytes + 1);
  const ByteView view = big;
  EXPECT_EQ((*check_exits(sample.state, {&view, 1}, hash(), StopToken()))[0].reason, "limit");
}

}  // namespace
}  // namespace sparkmill::bttc
