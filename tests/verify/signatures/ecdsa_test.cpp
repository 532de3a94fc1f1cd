// SPDX-License-Identifier: Apache-2.0
// DER, v words, low s and addresses, against what the rules say word for word.
#include "verify/signatures/ecdsa.h"

#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/hex.h"

namespace sparkmill::signatures {
namespace {

Bytes hex(std::string_view text) { return *from_hex(text); }

/// r = 1, s = 0x80, which needs a zero in front.
const std::string kPlain =
    "3007020101"
    "02020080";

TEST(Der, TakesTheOneForm) {
  const auto parsed = parse_der(hex(kPlain));
  ASSERT_TRUE(parsed);
  EXPECT_EQ((*parsed)[31], 1);
  EXPECT_EQ((*parsed)[63], 0x80);
  EXPECT_EQ(encode_der(*parsed), hex(kPlain));
}

TEST(Der, RefusesEverythingElse) {
  for (const char* wrong : {
           "", "30", "3000",
           "3103020101020101",  // no SEQUENCE
           "300702010102020080"
           "00",  // something after it
           "3008020101"
           "02020080"
           "00",  // something inside it
           "308107020101"
           "02020080",  // long form of a short length
           "30820007020101"
           "02020080",
           "3080020101020200800000",  // indefinite length
           "3006020101"
           "020180",  // negative s
           "3008020101"
           "0203000080",  // padded s
           "300802020001"
           "02020080",  // padded r
           "3006020101"
           "0200",  // empty s
           "3007020101"
           "03020080",  // no INTEGER
           "30060201010202"
           "00",  // s is cut off
           "3007020101"
           "02030080",  // s says more than there is
       }) {
    EXPECT_FALSE(parse_der(hex(wrong))) << wrong;
  }
  Bytes large = hex("3026020101022100");
  large.insert(large.end(), 32, 0xff);
  EXPECT_TRUE(parse_der(large));
  Bytes larger = hex("302602010102210100");
  larger.insert(larger.end(), 31, 0xff);
  EXPECT_FALSE(parse_der(larger)) << "33 bytes that are no zero and 32";
}

TEST(Der, GoesBackAndForth) {
  ChaChaWords words(Hash32{1});
  for (int turn = 0; turn < 200; ++turn) {
    std::array<std::uint8_t, 64> r_s{};
    // Numbers of all lengths.
    for (std::size_t k = words.below(32); k < 32; ++k) r_s[k] = static_cast<std::uint8_t>(words.u32());
    for (std::size_t k = 32 + words.below(32); k < 64; ++k) r_s[k] = static_cast<std::uint8_t>(words.u32());
    const Bytes der = encode_der(r_s);
    EXPECT_EQ(parse_der(der), r_s) << to_hex(der);
    for (std::size_t cut = 0; cut < der.size(); ++cut) {
      EXPECT_FALSE(parse_der(ByteView(der).first(cut))) << to_hex(der) << " cut at " << cut;
    }
  }
}

TEST(LowS, TurnsAtHalfTheOrder) {
  EXPECT_TRUE(is_low_s(hex("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0")));
  EXPECT_FALSE(is_low_s(hex("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1")));
  EXPECT_TRUE(is_low_s(Bytes(32)));
  EXPECT_FALSE(is_low_s(Bytes(32, 0xff)));
}

std::optional<std::uint8_t> word(Caller caller, std::uint64_t v, std::uint8_t top = 0) {
  Hash32 bytes{};
  bytes[0] = top;
  for (std::size_t k = 31; v != 0; --k, v >>= 8) bytes[k] = static_cast<std::uint8_t>(v);
  return recovery_id(caller, bytes);
}
std::optional<std::uint8_t> byte(Caller caller, std::uint8_t v) { return recovery_id(caller, {&v, 1}); }

TEST(V, OfWords) {
  for (const Caller caller : {Caller::evm_precompile, Caller::ethereum_homestead, Caller::tron_precompile}) {
    for (std::uint64_t v = 0; v < 400; ++v) {
      const bool taken = v == 27 || v == 28;
      ASSERT_EQ(word(caller, v).has_value(), taken) << v;
      if (taken) {
        EXPECT_EQ(*word(caller, v), v - 27);
      }
    }
    EXPECT_FALSE(word(caller, 27, 1)) << "the top byte counts";
  }
  for (std::uint64_t v = 0; v < 400; ++v) {
    const auto got = word(Caller::ethereum_transaction, v);
    if (v < 2) {
      EXPECT_EQ(got, v);
    } else if (v == 27 || v == 28) {
      EXPECT_EQ(got, v - 27);
    } else if (v >= 35) {
      EXPECT_EQ(got, (v - 35) % 2) << v;
    } else {
      EXPECT_FALSE(got) << v;
    }
  }
  EXPECT_EQ(word(Caller::ethereum_transaction, 36, 1), 1) << "chain ids have up to 256 bits";
}

TEST(V, OfBytes) {
  for (unsigned v = 0; v < 256; ++v) {
    const auto one = static_cast<std::uint8_t>(v);
    EXPECT_EQ(byte(Caller::openzeppelin, one).has_value(), v == 27 || v == 28) << v;
    const auto multi = byte(Caller::tron_multisign, one);
    EXPECT_EQ(multi.has_value(), v < 2 || v == 27 || v == 28) << v;
    if (multi) {
      EXPECT_EQ(*multi, (v < 27 ? v + 27 : v) - 27);
    }
    const auto transaction = byte(Caller::tron_transaction, one);
    EXPECT_EQ(transaction.has_value(), v < 8 || (v >= 27 && v <= 34)) << v;
    if (transaction) {
      EXPECT_EQ(*transaction, ((v < 27 ? v + 27 : v) - 27) % 4);
    }
  }
}

TEST(Address, OfAKnownKey) {
  // The key of the secret 1, whose address every Ethereum tool knows.
  const Bytes generator =
      hex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
          "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8");
  EXPECT_EQ(to_hex(address_of(generator)), "7e5f4552091a69125d5dfcb7b8c2659029395bdf");
}

}  // namespace
}  // namespace sparkmill::signatures
