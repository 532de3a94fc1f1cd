// SPDX-License-Identifier: Apache-2.0
// BTN: thresholds, orders and committees beside plain models; a block of the vector file, bent in every place.
#include <nlohmann/json.hpp>
#include <random>

#include "base/file.h"
#include "base/hex.h"
#include "tests/verify/blocks/support.h"
#include "verify/blocks/btn/seal.h"

namespace sparkmill::btn {
namespace {

using nlohmann::json;

Kernels both() { return {*blocks::test::cpu_kernels().rsa, *blocks::test::cpu_kernels().hash}; }

TEST(BtnThresholds, ZerosForAgainstTheDefinition) {
  std::mt19937_64 random(4);
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t nodes = random() >> random() % 64, wanted = random() >> random() % 64;
    unsigned z = 0;
    // wanted * 2^z <= nodes, without overflow.
    while (wanted != 0 && z < 63 && wanted <= nodes >> (z + 1)) ++z;
    EXPECT_EQ(zeros_for(nodes, wanted), z) << nodes << " " << wanted;
  }
  EXPECT_EQ(zeros_for(5, 0), 0u);
}

TEST(BtnThresholds, LeadingZerosOfEveryBit) {
  EXPECT_EQ(leading_zeros(Hash32{}), 256u);
  for (unsigned bit = 0; bit < 256; ++bit) {
    Hash32 h{};
    h[bit / 8] = static_cast<std::uint8_t>(0x80 >> bit % 8);
    EXPECT_EQ(leading_zeros(h), bit);
    h[31] |= 1;
    EXPECT_EQ(leading_zeros(h), bit);
  }
}

TEST(BtnMessages, RolesNeverMeet) {
  const Hash32 h{1};
  EXPECT_EQ(draw_message(h, 0).size(), 36u);
  EXPECT_EQ(seal_message(h, 0), Bytes(h.begin(), h.end()));
  EXPECT_EQ(seal_message(h, 1).size(), 37u);
  EXPECT_EQ(seal_message(h, 1).back(), 'S');
  EXPECT_EQ(vote_message(h, 7, VoteForm::height).size(), 41u);
  EXPECT_EQ(vote_message(h, 7, VoteForm::height).back(), 'V');
  EXPECT_EQ(vote_message(h, 7, VoteForm::bare), seal_message(h, 0)) << "why the bare form is for foreign chains only";
  EXPECT_EQ(clerk_message(h, 7).back(), 'B');
  EXPECT_EQ(clerk_message(h, 0x0102030405060708)[32], 1) << "big-endian";
}

TEST(BtnCommittees, AgainstThePlainRule) {
  std::mt19937_64 random(6);
  for (int round = 0; round < 3000; ++round) {
    std::vector<CommitteeMember> draws;
    std::map<KeyId, std::uint32_t> lowest;
    for (std::uint64_t k = random() % 12; k-- > 0;) {
      CommitteeMember m;
      m.id[0] = static_cast<std::uint8_t>(random() % 8);
      m.draw.round = static_cast<std::uint32_t>(random() % 6);
      m.draw.zeros = static_cast<unsigned>(random() % 3);
      draws.push_back(m);
      const auto [it, fresh] = lowest.emplace(m.id, m.draw.round);
      if (!fresh) it->second = std::min(it->second, m.draw.round);
    }
    const std::size_t wanted = random() % 6;
    std::vector<std::uint32_t> rounds;
    for (const auto& [id, r] : lowest) rounds.push_back(r);
    std::sort(rounds.begin(), rounds.end());
    std::vector<KeyId> members;
    std::uint32_t closing = 0;
    if (wanted != 0 && rounds.size() >= wanted) {
      closing = rounds[wanted - 1];
      for (const auto& [id, r] : lowest) {
        if (r <= closing) members.push_back(id);
      }
    }
    const Committee c = committee_of(draws, wanted);
    EXPECT_EQ(c.closing_round, closing);
    ASSERT_EQ(c.members.size(), members.size());
    for (std::size_t i = 0; i < members.size(); ++i) {
      EXPECT_EQ(c.members[i].id, members[i]);
      EXPECT_EQ(c.members[i].draw.round, lowest[members[i]]);
      EXPECT_EQ(c.find(members[i]), &c.members[i]);
    }
    EXPECT_EQ(c.find(KeyId{99}), nullptr);
  }
}

TEST(BtnKeys, SetsKnowTheirKeys) {
  std::vector<Modulus> keys(3);
  for (std::size_t i = 0; i < 3; ++i) {
    keys[i][0] = 0x80;
    keys[i][255] = static_cast<std::uint8_t>(2 * i + 1);
  }
  keys.push_back(keys[1]);
  const auto set = KeySet::make(keys);
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(set->size(), 3u);
  for (const Modulus& n : keys) {
    const auto* entry = set->by_modulus(n);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->id, key_id(n));
    EXPECT_EQ(set->by_id(entry->id), entry);
  }
  EXPECT_EQ(set->by_modulus(ByteView(keys[0]).first(255)), nullptr);
  EXPECT_EQ(set->by_id({}), nullptr);
  keys[2][0] = 0x7f;
  EXPECT_EQ(KeySet::make(keys).status(), Status::bad_input);
  keys[2] = keys[0];
  keys[2][255] = 2;
  EXPECT_EQ(KeySet::make(keys).status(), Status::bad_input);
}

/// The block of the vector file that reaches the third state.
struct Sample {
  std::vector<Bytes> keep;
  KeySet primary, secondary;
  BlockRules rules;
  Bytes header;
  Block block;

  ByteView own(const json& hex) {
    keep.push_back(*from_hex(hex.get<std::string>()));
    return keep.back();
  }
  Draw draw(const json& j) { return {own(j.at("n")), j.at("round").get<std::uint32_t>(), own(j.at("sig"))}; }
  static KeySet set(const json& list) {
    std::vector<Modulus> keys;
    for (const json& n : list) keys.push_back(*array_from_hex<256>(n.get<std::string>()));
    return *KeySet::make(keys);
  }
  Sample() {
    const auto file = read_file(SPARKMILL_SOURCE_DIR "/tests/vectors/btn_seal.json", 16u << 20);
    const json root = json::parse(file->begin(), file->end());
    json in;
    for (const json& c : root.at("cases")) {
      if (c.at("why") == "third state, unanimous") in = c.at("in");
    }
    const json& p = in.at("params");
    primary = set(p.at("primary"));
    secondary = set(p.at("secondary"));
    rules.draw = {p.at("m1").get<unsigned>(), p.at("max_round").get<std::uint32_t>()};
    rules.m2 = p.at("m2").get<unsigned>();
    rules.wanted = p.at("wanted").get<std::size_t>();
    rules.primary = &primary;
    rules.secondary = &secondary;
    rules.parent_hash = *array_from_hex<32>(p.at("parent_hash").get<std::string>());
    rules.parent_height = p.at("parent_height").get<std::uint64_t>();
    keep.reserve(100);
    header = *from_hex(in.at("header").get<std::string>());
    block.header = header;
    for (const json& d : in.at("draws")) block.draws.push_back(draw(d));
    block.clerk_signature = own(in.at("clerk_sig"));
    block.seal = draw(in.at("seal"));
    for (const json& v : in.at("votes")) block.votes.push_back({own(v.at("n")), own(v.at("sig"))});
  }
};

std::vector<blocks::Verdict<BlockFacts>> judge(const BlockRules& rules, const std::vector<Block>& blocks) {
  std::vector<BlockItem> items;
  for (const Block& b : blocks) items.push_back({&rules, &b});
  auto verdicts = check_blocks(items, both(), StopToken());
  EXPECT_TRUE(verdicts.ok());
  return std::move(*verdicts);
}

TEST(BtnBlocks, EveryFlippedBitOfTheHeaderIsRefused) {
  const Sample s;
  std::vector<Bytes> headers;
  for (std::size_t i = 0; i < s.header.size(); ++i) {
    headers.push_back(s.header);
    headers.back()[i] ^= static_cast<std::uint8_t>(1 << i % 8);
  }
  std::vector<Block> blocks(headers.size() + 1, s.block);
  for (std::size_t i = 0; i < headers.size(); ++i) blocks[i].header = headers[i];
  const auto verdicts = judge(s.rules, blocks);
  EXPECT_EQ(verdicts.back().facts.state, 3u) << verdicts.back().reason;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    EXPECT_EQ(verdicts[i].facts.state, 0u) << "byte " << i;
    EXPECT_FALSE(verdicts[i].reason.empty());
  }
}

TEST(BtnBlocks, EverySpoiledSignatureIsNoticedWhereItMatters) {
  const Sample s;
  const Bytes junk(256, 1);
  std::vector<Block> blocks;
  std::vector<std::pair<unsigned, std::string_view>> expected;
  const auto add = [&](Block b, unsigned state, std::string_view reason) {
    blocks.push_back(std::move(b));
    expected.emplace_back(state, reason);
  };
  for (std::size_t i = 0; i < s.block.draws.size(); ++i) {
    Block b = s.block;
    b.draws[i].signature = junk;
    // Four keys are wanted and four draw: any lost one leaves too few.
    if (s.block.draws.size() == s.rules.wanted) add(b, 0, "committee_not_ready");
  }
  Block b = s.block;
  b.clerk_signature = junk;
  add(b, 0, "bad_clerk_signature");
  b = s.block;
  b.clerk_signature = {};
  add(b, 0, "bad_clerk_signature");
  b = s.block;
  b.seal->signature = junk;
  add(b, 1, "bad_seal");
  b = s.block;
  b.seal->round = s.rules.draw.max_round + 1;
  add(b, 1, "bad_seal");
  for (std::size_t i = 0; i < s.block.votes.size(); ++i) {
    b = s.block;
    b.votes[i].signature = junk;
    add(b, 2, "bad_vote");
    b = s.block;
    b.votes.push_back(b.votes[i]);
    add(b, 2, "duplicate_vote");
    b = s.block;
    b.votes.erase(b.votes.begin() + static_cast<std::ptrdiff_t>(i));
    add(b, 2, "votes_missing");
  }
  ASSERT_GT(blocks.size(), 10u);
  const auto verdicts = judge(s.rules, blocks);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(verdicts[i].facts.state, expected[i].first) << i;
    EXPECT_EQ(verdicts[i].reason, expected[i].second) << i;
  }
}

TEST(BtnBlocks, LimitsComeFirst) {
  const Sample s;
  std::vector<Block> blocks(3, s.block);
  blocks[0].draws.resize(kMaxDraws + 1);
  blocks[1].votes.resize(kMaxVotes + 1);
  const Bytes large(kMaxHeaderBytes + 1);
  blocks[2].header = large;
  for (const auto& v : judge(s.rules, blocks)) EXPECT_EQ(v.reason, "limit");
}

TEST(BtnBlocks, HeadersComeBackAsTheyWere) {
  const Sample s;
  const auto header = decode_header(s.header);
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(encode_header(*header), s.header);
  for (std::size_t size = 0; size < s.header.size(); ++size) {
    EXPECT_FALSE(decode_header(ByteView(s.header).first(size)).ok());
  }
}

TEST(BtnBlocks, HeightsAtTheEnds) {
  Sample s;
  Header h = *decode_header(s.header);
  h.height = 0;
  const Bytes zero = encode_header(h);
  s.rules.parent_height = ~std::uint64_t{0};
  Block b = s.block;
  b.header = zero;
  EXPECT_EQ(judge(s.rules, {b})[0].reason, "wrong_parent") << "no block follows the last height";
}

TEST(BtnOrders, AreStrictAndTotal) {
  std::mt19937_64 random(8);
  std::vector<BlockRank> ranks(60);
  for (BlockRank& r : ranks) {
    r = {static_cast<std::uint32_t>(random() % 2),
         static_cast<unsigned>(random() % 2),
         static_cast<std::uint32_t>(random() % 2),
         static_cast<unsigned>(random() % 2),
         {},
         {}};
    r.draw_digest[0] = static_cast<std::uint8_t>(random() % 2);
    r.block_hash[31] = static_cast<std::uint8_t>(random() % 2);
  }
  const auto key = [](const BlockRank& r) {
    return std::tuple(r.seal_round, 1000 - r.seal_zeros, r.draw_round, 1000 - r.draw_zeros, r.draw_digest,
                      r.block_hash);
  };
  for (const BlockRank& a : ranks) {
    for (const BlockRank& b : ranks) EXPECT_EQ(before(a, b), key(a) < key(b));
  }
  EXPECT_TRUE(before(DrawRank{0, 1, {}}, DrawRank{1, 9, {}}));
  EXPECT_TRUE(before(DrawRank{1, 9, {2}}, DrawRank{1, 8, {1}}));
  EXPECT_TRUE(before(DrawRank{1, 9, {1}}, DrawRank{1, 9, {2}}));
}

}  // namespace
}  // namespace sparkmill::btn
