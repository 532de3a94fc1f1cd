// SPDX-License-Identifier: Apache-2.0
// Preimage, hash, serialised form and seed of forty real headers, and everything a serialised header may have wrong.
#include "verify/chain/header.h"

#include "tests/verify/chain/vectors.h"
#include "verify/chain/difficulty.h"
#include "verify/chain/seed_rule.h"

namespace sparkmill {
namespace {

using testing::hash_of;
using testing::header_of;
using testing::tensority_vectors;

TEST(Header, VectorsGivePreimageHashAndSerialisedForm) {
  std::size_t serialised = 0;
  for (const auto& v : tensority_vectors()["block_headers"]) {
    SCOPED_TRACE(v["source"].get<std::string>());
    const chain::BlockHeader h = header_of(v);
    if (v.contains("hash_preimage_hex")) {
      EXPECT_EQ(to_hex(chain::preimage(h)), v["hash_preimage_hex"]);
    }
    EXPECT_EQ(to_hex(chain::header_hash(h)), v["header_hash"]);
    EXPECT_EQ(h.bits, testing::hex_number(v["bits_hex"]));
    if (!v.contains("serialized_hex")) continue;
    ++serialised;
    const auto bytes = chain::serialise(h);
    ASSERT_TRUE(bytes.ok()) << bytes.error().message;
    EXPECT_EQ(to_hex(*bytes), v["serialized_hex"]);
    const auto back = chain::header_from_hex(v["serialized_hex"].get<std::string>());
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_EQ(*back, h);
  }
  EXPECT_EQ(tensority_vectors()["block_headers"].size(), 40u);
  EXPECT_GE(serialised, 39u);
}

TEST(Header, VectorsSeedsFollowTheRule) {
  const chain::Params bytom = chain::bytom_params();
  Hash32 block_256{};
  for (const auto& v : tensority_vectors()["block_headers"]) {
    if (v["height"] == 256) block_256 = hash_of(v["header_hash"]);
  }
  std::size_t checked = 0;
  for (const auto& v : tensority_vectors()["block_headers"]) {
    if (!v.contains("seed")) continue;
    SCOPED_TRACE(v["source"].get<std::string>());
    const auto source = chain::seed_height(bytom, header_of(v).height);
    ASSERT_TRUE(!source || *source == 256);
    EXPECT_EQ(hash_of(v["seed"]), source ? block_256 : chain::initial_seed());
    ++checked;
  }
  EXPECT_EQ(checked, 36u);
}

TEST(Header, VectorsProofOfWorkVerdicts) {
  std::size_t right = 0;
  std::size_t wrong = 0;
  for (const auto& v : tensority_vectors()["block_headers"]) {
    if (!v.contains("pow_valid") || !v.contains("tensority")) continue;
    const bool valid = chain::meets(hash_of(v["tensority"]), chain::target_from_bits(header_of(v).bits));
    EXPECT_EQ(valid, v["pow_valid"].get<bool>()) << v["source"];
    ++(valid ? right : wrong);
  }
  EXPECT_GE(right, 31u);
  EXPECT_EQ(wrong, 5u);
}

TEST(Header, SeedChangesAfterEachEpoch) {
  const chain::Params bytom = chain::bytom_params();
  EXPECT_EQ(to_hex(chain::initial_seed()), "9e6291970cb44dd94008c79bcaf9d86f18b4b49ba5b2a04781db7199ed3b9e4e");
  for (const std::uint64_t height : {0, 1, 255, 256}) EXPECT_EQ(chain::seed_height(bytom, height), std::nullopt);
  EXPECT_EQ(chain::seed_height(bytom, 257), 256u);
  EXPECT_EQ(chain::seed_height(bytom, 512), 256u);
  EXPECT_EQ(chain::seed_height(bytom, 513), 512u);
  EXPECT_EQ(chain::seed_height(bytom, 352'099), 352'000u);
  EXPECT_TRUE(chain::same_seed(bytom, 0, 256));
  EXPECT_TRUE(chain::same_seed(bytom, 257, 512));
  EXPECT_FALSE(chain::same_seed(bytom, 256, 257));
  EXPECT_FALSE(chain::same_seed(bytom, 512, 513));
}

chain::BlockHeader sample() { return header_of(tensority_vectors()["block_headers"][5]); }

TEST(Header, IntegersFrom2To63AreNotStored) {
  const auto set = [](chain::BlockHeader h, int field, std::uint64_t value) {
    (field == 0 ? h.version : field == 1 ? h.height : field == 2 ? h.timestamp : field == 3 ? h.bits : h.nonce) = value;
    return h;
  };
  const char* const names[] = {"version", "height", "timestamp", "bits", "nonce"};
  for (int field = 0; field < 5; ++field) {
    const auto largest = set(sample(), field, chain::kMaxVarint63);
    const auto bytes = chain::serialise(largest);
    ASSERT_TRUE(bytes.ok());
    const auto back = chain::parse_header(*bytes);
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(*back, largest);
    const auto over = chain::serialise(set(sample(), field, chain::kMaxVarint63 + 1));
    ASSERT_FALSE(over.ok());
    EXPECT_EQ(over.error().code, Status::bad_input);
    EXPECT_NE(over.error().message.find(names[field]), std::string::npos) << over.error().message;
  }
  chain::BlockHeader all = sample();
  all.version = all.height = all.timestamp = all.bits = all.nonce = chain::kMaxVarint63;
  EXPECT_EQ(chain::serialise(all)->size(), chain::kMaxSerialisedHeader);
}

TEST(Header, EveryCutIsRefusedAndSoIsAByteMore) {
  Bytes bytes = *chain::serialise(sample());
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    const auto cut = chain::parse_header(ByteView(bytes).first(n));
    ASSERT_FALSE(cut.ok()) << n;
    EXPECT_EQ(cut.error().code, Status::bad_input);
  }
  bytes.push_back(0);
  EXPECT_FALSE(chain::parse_header(bytes).ok());
}

std::string why(const Bytes& bytes) {
  const auto parsed = chain::parse_header(bytes);
  return parsed ? "parsed" : parsed.error().message;
}

TEST(Header, StrictParserNamesWhatIsWrong) {
  const Bytes good = *chain::serialise(sample());
  Bytes b = good;
  b[0] = 3;
  EXPECT_NE(why(b).find("whole block"), std::string::npos);
  b[0] = 0;
  EXPECT_NE(why(b).find("kind"), std::string::npos);

  b = good;  // version 1 written in two bytes
  b[1] = 0x81;
  b.insert(b.begin() + 2, 0);
  EXPECT_NE(why(b).find("version at byte 3: an integer that is written longer"), std::string::npos) << why(b);

  b = good;  // nine continued groups
  b.erase(b.begin() + 1);
  b.insert(b.begin() + 1, 10, 0xff);
  EXPECT_NE(why(b).find("version at byte 10: an integer of 2^63 or more"), std::string::npos) << why(b);

  b = good;
  const std::size_t commitment = 1 + 1 + 1 + 32 + 5;
  ASSERT_EQ(b[commitment], 0x40);
  b[commitment] = 0x41;
  EXPECT_NE(why(b).find("commitment"), std::string::npos);
}

TEST(Header, HexErrorsNameTheInput) {
  const auto odd = chain::header_from_hex("010", "--header");
  ASSERT_FALSE(odd.ok());
  EXPECT_NE(odd.error().message.find("--header"), std::string::npos);
  EXPECT_FALSE(chain::header_from_hex("zz", "--header").ok());
  EXPECT_FALSE(chain::header_from_hex("", "--header").ok());
  const auto huge = chain::header_from_hex(std::string(100'000, '0'), "--header");
  ASSERT_FALSE(huge.ok());
  EXPECT_NE(huge.error().message.find("at most"), std::string::npos);
}

}  // namespace
}  // namespace sparkmill
