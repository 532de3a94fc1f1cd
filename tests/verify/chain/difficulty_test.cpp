// SPDX-License-Identifier: Apache-2.0
// Bits, targets, comparisons and work: the vectors' odd cases and properties over the whole range of exponents.
#include "verify/chain/difficulty.h"

#include <cmath>
#include <random>

#include "tests/verify/chain/vectors.h"

namespace sparkmill {
namespace {

using chain::Target;
using testing::hash_of;
using testing::hex_number;
using testing::tensority_vectors;

/// Decimal text of a little-endian 256-bit number, by long division: no big-number library.
std::string decimal(Hash32 n) {
  std::string out;
  while (n != Hash32{}) {
    unsigned rest = 0;
    for (std::size_t i = n.size(); i-- > 0;) {
      const unsigned v = rest << 8 | n[i];
      n[i] = static_cast<std::uint8_t>(v / 10);
      rest = v % 10;
    }
    out.insert(out.begin(), static_cast<char>('0' + rest));
  }
  return out.empty() ? "0" : out;
}

Hash32 plus(Hash32 n, int by) {
  for (std::uint8_t& b : n) {
    b = static_cast<std::uint8_t>(b + by);
    if (by > 0 ? b != 0 : b != 0xff) break;
  }
  return n;
}

TEST(Difficulty, Vectors) {
  for (const auto& v : tensority_vectors()["difficulty_compare"]) {
    const std::uint64_t bits = hex_number(v["bits_hex"]);
    SCOPED_TRACE(v.dump());
    EXPECT_EQ(bits, testing::number_of(v["bits"]));
    EXPECT_EQ(chain::target_text(bits), v["target_hex"]);
    const Target target = chain::target_from_bits(bits);
    EXPECT_EQ(chain::meets(hash_of(v["hash"]), target), v["valid"].get<bool>());
    EXPECT_EQ(decimal(chain::work(target)), v["work"]);
  }
  EXPECT_EQ(tensority_vectors()["difficulty_compare"].size(), 21u);
}

TEST(Difficulty, VectorsTargetToBits) {
  for (const auto& v : tensority_vectors()["target_to_bits"]) {
    EXPECT_EQ(chain::bits_from_target_text(v["target_hex"].get<std::string>()).value(), hex_number(v["bits_hex"])) << v;
  }
  EXPECT_EQ(tensority_vectors()["target_to_bits"].size(), 8u);
}

TEST(Difficulty, VectorsPoolTargets) {
  for (const auto& v : tensority_vectors()["pool_targets"]) {
    SCOPED_TRACE(v.dump());
    const auto of_text = [](const nlohmann::json& text) {
      return *chain::target_from_top_bytes(*from_hex(text.get<std::string>()));
    };
    const Target sent = of_text(v["target_field_from_2^256"]);
    Hash32 big_endian = sent.value;
    std::reverse(big_endian.begin(), big_endian.end());
    EXPECT_EQ(to_hex(big_endian), v["miner_threshold_hex"]);
    const Target exact = chain::target_of_difficulty(v["difficulty"].get<std::uint64_t>());
    EXPECT_TRUE(chain::meets(sent.value, exact)) << "four bytes cut downwards";
    EXPECT_NEAR(chain::expected_hashes(exact) / v["difficulty"].get<double>(), 1, 1e-12);
    EXPECT_NEAR(chain::expected_hashes(sent) / v["difficulty"].get<double>(), 1, 3e-4);
    EXPECT_TRUE(chain::meets(of_text(v["target_field_from_2^256-1"]).value, sent));
  }
}

TEST(Difficulty, TopBytesOfAnyLength) {
  EXPECT_FALSE(chain::target_from_top_bytes({}).ok());
  EXPECT_FALSE(chain::target_from_top_bytes(Bytes(33, 1)).ok());
  for (std::size_t n = 1; n <= 32; ++n) {
    Bytes text(n, 0);
    text.back() = 0x19;
    const auto target = chain::target_from_top_bytes(text);
    ASSERT_TRUE(target.ok());
    EXPECT_EQ(target->value[31], 0x19);
    EXPECT_EQ(std::count(target->value.begin(), target->value.end(), 0), 31);
  }
}

TEST(Difficulty, OddCasesOfBits) {
  EXPECT_EQ(chain::target_from_bits(0x2100000000010000).kind, Target::Kind::everything) << "2^256 itself";
  EXPECT_EQ(chain::target_from_bits(0x2000000000ffffff).kind, Target::Kind::limit);
  EXPECT_EQ(chain::target_from_bits(0xff7fffffffffffff).kind, Target::Kind::everything);
  EXPECT_EQ(chain::target_from_bits(0xffffffffffffffff).kind, Target::Kind::negative);
  EXPECT_EQ(chain::target_text(0x0080000000000001), "0") << "minus 0 is 0";
  EXPECT_EQ(chain::target_from_bits(0x0380000000000000).kind, Target::Kind::limit) << "minus 0 passes the zero result";
  EXPECT_EQ(chain::target_text(0x03fffffffffffff0), "-7ffffffffffff0");
  EXPECT_EQ(chain::target_text(0x007fffffffffffff), "7fffffff") << "55 bits, less three bytes";
  EXPECT_EQ(chain::target_text(0x017fffffffffffff), "7fffffffff");
  EXPECT_EQ(chain::target_text(0x0100000000000001), "0");
  EXPECT_EQ(chain::target_text(0xff00000000000001).size(), 1 + 252 * 2u);
  EXPECT_FALSE(chain::target_from_bits(0).possible());
  EXPECT_FALSE(chain::target_from_bits(0x1e80000000011b68).possible());
  EXPECT_TRUE(chain::target_from_bits(0x2100000000899046).possible());
  EXPECT_EQ(chain::target_from_bits(0x2100000000899046).bound()[31], 0xff);
}

TEST(Difficulty, TheTargetItselfPassesAndOneMoreDoesNot) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t bits = (random() % 33) << 56 | (random() & 0x7fffffffffffff) >> (random() % 40);
    const Target target = chain::target_from_bits(bits);
    if (target.kind != Target::Kind::limit) continue;
    ASSERT_TRUE(chain::meets(target.value, target));
    if (target.value != Hash32{}) {
      ASSERT_TRUE(chain::meets(plus(target.value, -1), target));
    }
    const Hash32 more = plus(target.value, 1);
    if (more != Hash32{}) {
      ASSERT_FALSE(chain::meets(more, target)) << std::hex << bits;
    }
  }
}

TEST(Difficulty, BitsOfNodesSurviveTheRoundTrip) {
  for (unsigned exponent = 1; exponent <= 32; ++exponent) {
    for (const std::uint64_t mantissa : {0x010000ull, 0x0ccccc00ull >> 8, 0x800000ull, 0xffffffull}) {
      if (exponent < 3 && (mantissa << (8 * exponent) & 0xffffff) != 0) continue;  // digits below one
      const std::uint64_t bits = std::uint64_t{exponent} << 56 | mantissa;
      EXPECT_EQ(chain::bits_from_target(chain::target_from_bits(bits)), bits) << std::hex << bits;
      EXPECT_EQ(chain::bits_from_target_text(chain::target_text(bits)).value(), bits);
    }
  }
  EXPECT_EQ(chain::bits_from_target(Target{}), 0u);
  EXPECT_EQ(chain::bits_from_target({Target::Kind::everything, {}}), 0x2100000000010000u);
  EXPECT_EQ(chain::bits_from_target({Target::Kind::negative, {}}), 0u);
}

TEST(Difficulty, TextErrors) {
  EXPECT_FALSE(chain::bits_from_target_text("").ok());
  EXPECT_FALSE(chain::bits_from_target_text("-1").ok());
  EXPECT_FALSE(chain::bits_from_target_text("0x1").ok());
  EXPECT_FALSE(chain::bits_from_target_text(std::string(513, '1')).ok());
  EXPECT_EQ(chain::bits_from_target_text(std::string(512, '1')).status(), Status::too_large) << "256 bytes";
  EXPECT_EQ(chain::bits_from_target_text("000000").value(), 0u);
}

TEST(Difficulty, WorkIsTheInverse) {
  for (const std::uint64_t d : {2ull, 3ull, 10ull, 1000ull, 69'800'000'000ull, ~0ull}) {
    const Target t = chain::target_of_difficulty(d);
    EXPECT_NEAR(chain::expected_hashes(t) / static_cast<double>(d), 1, 1e-12);
    EXPECT_LE(std::stoull(decimal(chain::work(t))), d);
    EXPECT_GE(std::stoull(decimal(chain::work(t))), d - 1);
  }
  EXPECT_EQ(chain::target_of_difficulty(1).kind, Target::Kind::everything);
  EXPECT_EQ(chain::target_of_difficulty(0).kind, Target::Kind::everything);
  EXPECT_EQ(chain::expected_hashes({Target::Kind::everything, {}}), 1);
  EXPECT_TRUE(std::isinf(chain::expected_hashes({Target::Kind::negative, {}})));
  EXPECT_TRUE(std::isinf(chain::expected_hashes(Target{})));
  // The network difficulty the mining page states for block 352,099.
  EXPECT_NEAR(chain::expected_hashes(chain::target_from_bits(0x1c000000000fbe47)), 6.98e10, 0.01e10);
}

TEST(Difficulty, ScalingIsExactAboveTheRangeToo) {
  EXPECT_EQ(chain::scale_bits(0x1e00000000011b68, 1, 1).value(), 0x1e00000000011b68u);
  EXPECT_EQ(chain::scale_bits(0x2000000000ffffff, 256, 1).value(), 0x2100000000ffffffu);
  EXPECT_EQ(chain::scale_bits(0x2100000000ffffff, 1, 256).value(), 0x2000000000ffffffu);
  EXPECT_EQ(chain::scale_bits(0x2000000000020000, 1, 2).value(), 0x2000000000010000u);
  EXPECT_EQ(chain::scale_bits(0x2000000000010000, 1, 2).value(), 0x1f00000000800000u);
  EXPECT_EQ(chain::scale_bits(0x0100000000010000, 1, 2).value(), 0u);
  EXPECT_EQ(chain::scale_bits(0x0100000000010000, 0, 5).value(), 0u);
  EXPECT_EQ(chain::scale_bits(0x0300000000000003, -1, 2).value(), 0x0180000000020000u) << "-1.5 goes down to -2";
  EXPECT_EQ(chain::scale_bits(0xff00000000ffffff, 1 << 20, 1).status(), Status::too_large);
  EXPECT_TRUE(chain::harder_or_equal(0x1e00000000011b68, 0x1e00000000011b68));
  EXPECT_TRUE(chain::harder_or_equal(0x1e00000000011b67, 0x1e00000000011b68));
  EXPECT_FALSE(chain::harder_or_equal(0x2100000000010000, 0x2000000000ffffff));
  EXPECT_TRUE(chain::harder_or_equal(0xff80000000000001, 0));
}

}  // namespace
}  // namespace sparkmill
