// SPDX-License-Identifier: Apache-2.0
#include "node/protocol/boinc_claim.h"

#include <gmock/gmock.h>

#include "base/hash.h"
#include "base/hex.h"

namespace sparkmill::protocol {
namespace {

using ::testing::HasSubstr;

const keys::SigningKey& key() {
  static const keys::KeyFile file = keys::KeyFile::from_seed(sha256(view("a worker")));
  static const keys::SigningKey role = file.role("envelope");
  return role;
}

BoincClaim sample() {
  BoincClaim c;
  c.own_application = true;
  c.node_pub[0] = 7;
  c.project_url = "http://127.0.0.1:8099/demo/";
  c.result_name = "upper_wu1_0";
  c.app_name = "upper";
  c.user_id = 1;
  c.host_id = 2;
  c.cpid[0] = 0x35;
  c.exit_status = -185;
  c.elapsed_ms = 9020;
  c.cpu_ms = 8827;
  c.completed_ms = 1'795'234'564'000;
  c.output_hash = sha256(view("output"));
  return c;
}

TEST(BoincClaim, ComesBackAsItWas) {
  BoincClaim c = sample();
  const Bytes bytes = encode(c, key());
  EXPECT_LE(bytes.size(), kMaxBoincClaimBytes);
  const auto back = decode_boinc_claim(bytes);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(signed_bytes(*back), signed_bytes(c));
  EXPECT_EQ(back->worker_pub, key().public_key());
  EXPECT_TRUE(back->own_application);
  EXPECT_EQ(back->exit_status, -185);
  EXPECT_EQ(back->app_name, "upper");
  BoincClaim again = sample();
  EXPECT_EQ(encode(again, key()), bytes) << "same input, same bytes";
}

TEST(BoincClaim, ItsFirstBytesAreTheLayout) {
  BoincClaim c = sample();
  const Bytes bytes = encode(c, key());
  EXPECT_EQ(to_hex(ByteView(bytes).first(6)), "010001000700");
  EXPECT_EQ(to_hex(ByteView(bytes).subspan(68, 8)), "1b00000068747470");  // len 27, "http"
  EXPECT_EQ(bytes.size(), 2u + 2 + 64 + (4 + 27) + (4 + 11) + (4 + 5) + 16 + 16 + 4 + 24 + 32 + 64);
}

TEST(BoincClaim, EveryBitIsSigned) {
  BoincClaim c = sample();
  const Bytes bytes = encode(c, key());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    Bytes bent = bytes;
    bent[i] ^= 1;
    EXPECT_FALSE(decode_boinc_claim(bent)) << i;
  }
  Bytes cut = bytes;
  cut.pop_back();
  EXPECT_EQ(decode_boinc_claim(cut).status(), Status::bad_input);
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_EQ(decode_boinc_claim(longer).status(), Status::bad_input);
  EXPECT_EQ(decode_boinc_claim({}).status(), Status::bad_input);
}

TEST(BoincClaim, RefusesWhatIsNotPlain) {
  const auto refused = [](const std::function<void(BoincClaim&)>& bend) {
    BoincClaim c = sample();
    bend(c);
    return decode_boinc_claim(encode(c, key())).status();
  };
  EXPECT_EQ(refused([](BoincClaim&) {}), Status::ok);
  EXPECT_EQ(refused([](BoincClaim& c) { c.result_name.clear(); }), Status::bad_input);
  EXPECT_EQ(refused([](BoincClaim& c) { c.project_url.clear(); }), Status::bad_input);
  EXPECT_EQ(refused([](BoincClaim& c) { c.app_name.clear(); }), Status::ok);
  EXPECT_EQ(refused([](BoincClaim& c) { c.result_name = "a\nb"; }), Status::bad_input);
  EXPECT_EQ(refused([](BoincClaim& c) { c.result_name = std::string(255, 'x'); }), Status::ok);
  EXPECT_EQ(refused([](BoincClaim& c) { c.result_name = std::string(256, 'x'); }), Status::bad_input);
  EXPECT_EQ(refused([](BoincClaim& c) { c.completed_ms = UINT64_MAX; }), Status::bad_input);
}

TEST(BoincClaim, TheIdIsThatOfTheResult) {
  const Id16 id = boinc_result_id("http://a/", "w_0");
  EXPECT_EQ(id, boinc_result_id("http://a/", "w_0"));
  EXPECT_NE(id, boinc_result_id("http://a/", "w_1"));
  EXPECT_NE(boinc_result_id("http://a/b", "c"), boinc_result_id("http://a/", "bc"));
}

TEST(BoincClaim, Messages) {
  BoincClaim c = sample();
  const std::vector<Bytes> claims = {encode(c, key()), Bytes{1, 2}};
  const auto back = boinc_claims_from_json(boinc_claims_to_json(claims));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, claims);
  EXPECT_EQ(boinc_claims_from_json(boinc_claims_to_json(std::vector<Bytes>(65, Bytes{1}))).status(), Status::bad_input);
  EXPECT_EQ(boinc_claims_from_json("{\"claims\":[\"zz\"]}").status(), Status::bad_input);
  EXPECT_EQ(boinc_claims_from_json("{\"claims\":[],\"more\":1}").status(), Status::bad_input);
  EXPECT_TRUE(
      boinc_claims_from_json(boinc_claims_to_json(std::vector<Bytes>(kMaxBoincClaims, Bytes(kMaxBoincClaimBytes)))));
  const std::vector<BoincClaimAnswer> answers = {{boinc_result_id("p", "r"), "credited", "", 42}};
  const auto a = boinc_claim_answers_from_json(to_json(answers));
  ASSERT_TRUE(a) << a.error().message;
  ASSERT_EQ(a->size(), 1u);
  EXPECT_EQ((*a)[0].state, "credited");
  EXPECT_EQ((*a)[0].credit_microcobble, 42u);
  EXPECT_THAT(boinc_claim_answers_from_json("{\"answers\":[1]}").error().message, HasSubstr("answers"));
}

}  // namespace
}  // namespace sparkmill::protocol
