// SPDX-License-Identifier: Apache-2.0
// ECVRF: the RFC's own proofs both ways, own proofs, evidence, and what is refused.
#include "verify/signatures/ecvrf.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"
#include "base/hex.h"

namespace sparkmill::signatures {
namespace {

using nlohmann::json;

json vectors() {
  const auto text = read_text_file(SPARKMILL_SOURCE_DIR "/tests/vectors/rfc9381_ecvrf_edwards25519.json", 1u << 20);
  EXPECT_TRUE(text);
  return json::parse(*text);
}
VrfSuite suite_of(const json& c) { return c["suite"] == "TAI" ? VrfSuite::tai : VrfSuite::ell2; }
Bytes bytes_of(const json& c, const char* key) { return *from_hex(c[key].get<std::string>()); }

TEST(Ecvrf, ProvesAsTheRfcDoes) {
  unsigned proved = 0;
  const json root = vectors();
  for (const json& c : root["cases"]) {
    if (!c["valid"].get<bool>() || !c.contains("sk")) continue;
    const Bytes secret = bytes_of(c, "sk"), alpha = bytes_of(c, "alpha");
    EXPECT_EQ(to_hex(vrf_public_key(secret)), c["pk"].get<std::string>());
    const auto proof = vrf_prove(suite_of(c), secret, alpha);
    ASSERT_TRUE(proof);
    EXPECT_EQ(to_hex(*proof), c["pi"].get<std::string>());
    ++proved;
  }
  EXPECT_GE(proved, 6u);
}

TEST(Ecvrf, DecidesEveryCase) {
  unsigned refused = 0;
  const json root = vectors();
  for (const json& c : root["cases"]) {
    const auto beta = vrf_verify_vartime(suite_of(c), bytes_of(c, "pk"), bytes_of(c, "pi"), bytes_of(c, "alpha"));
    EXPECT_EQ(beta.has_value(), c["valid"].get<bool>()) << c.dump();
    if (beta) {
      EXPECT_EQ(to_hex(*beta), c["beta"].get<std::string>());
    }
    refused += beta ? 0 : 1;
  }
  EXPECT_GT(refused, 40u);
}

TEST(Ecvrf, OwnProofsHoldAndBentOnesDoNot) {
  ChaChaWords words(Hash32{3});
  for (const VrfSuite suite : {VrfSuite::tai, VrfSuite::ell2}) {
    const Hash32 secret = sha256(view("vrf test"));
    const VrfKey key = vrf_public_key(secret);
    const Bytes alpha(40, 9);
    const auto proof = vrf_prove(suite, secret, alpha);
    ASSERT_TRUE(proof);
    VrfEvidence evidence{};
    const auto beta = vrf_verify_vartime(suite, key, *proof, alpha, &evidence);
    ASSERT_TRUE(beta);
    EXPECT_NE(evidence, VrfEvidence{});
    for (int turn = 0; turn < 12; ++turn) {
      VrfProof bent = *proof;
      const std::uint64_t bit = words.below(8 * bent.size());
      bent[bit / 8] = static_cast<std::uint8_t>(bent[bit / 8] ^ 1u << (bit % 8));
      EXPECT_FALSE(vrf_verify_vartime(suite, key, bent, alpha)) << "bit " << bit;
    }
    const VrfSuite other = suite == VrfSuite::tai ? VrfSuite::ell2 : VrfSuite::tai;
    EXPECT_FALSE(vrf_verify_vartime(other, key, *proof, alpha));
    EXPECT_FALSE(vrf_verify_vartime(suite, key, *proof, Bytes(40, 8)));
    EXPECT_FALSE(vrf_verify_vartime(suite, ByteView(key).first(31), *proof, alpha));
    EXPECT_FALSE(vrf_verify_vartime(suite, key, ByteView(*proof).first(79), alpha));
  }
  EXPECT_EQ(vrf_prove(VrfSuite::tai, Bytes(31), {}).status(), Status::bad_argument);
}

TEST(HashToCurve, GivesTheRfcsPoints) {
  const auto text = read_text_file(SPARKMILL_SOURCE_DIR "/tests/vectors/rfc9380_hash_to_curve.json", 1u << 20);
  ASSERT_TRUE(text);
  const json root = json::parse(*text);
  unsigned points = 0;
  for (const auto& [name, suite] : root["suites"].items()) {
    if (!suite.contains("curve") || suite["curve"] != "edwards25519") continue;
    for (const json& v : suite["vectors"]) {
      const auto got = hash_to_edwards25519(view(v["msg"].get<std::string>()), view(suite["dst"].get<std::string>()),
                                            suite["randomOracle"].get<bool>());
      const auto text_of = [](const std::array<std::uint8_t, 32>& little) {
        return "0x" + to_hex(Bytes(little.rbegin(), little.rend()));
      };
      EXPECT_EQ(text_of(got.x), v["P"]["x"].get<std::string>()) << name;
      EXPECT_EQ(text_of(got.y), v["P"]["y"].get<std::string>()) << name;
      ++points;
    }
  }
  EXPECT_EQ(points, 10u);
}

}  // namespace
}  // namespace sparkmill::signatures
