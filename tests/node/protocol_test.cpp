// SPDX-License-Identifier: Apache-2.0
// Codecs of the node protocol: round trips, and each member missing, ill-typed, too long or out of range.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/hex.h"
#include "node/protocol/json_reader.h"
#include "node/protocol/messages.h"
#include "node/protocol/signing.h"

namespace sparkmill::protocol {
namespace {

using Json = nlohmann::ordered_json;

template <std::size_t N>
std::array<std::uint8_t, N> filled(std::uint8_t start) {
  std::array<std::uint8_t, N> out{};
  for (std::size_t i = 0; i < N; ++i) out[i] = static_cast<std::uint8_t>(start + i);
  return out;
}

Info sample_info() {
  return {1,  "0.1.0", 1'700'000'000'123, filled<32>(1), filled<16>(2),
          77, 2'000,   filled<32>(3),     true,          {"match.h", "verify.batch"}};
}
Registration sample_registration() {
  return {filled<32>(1), filled<32>(2), filled<64>(3), "my \"worker\" \xc3\xa9", {"match.h"}, {"cpu: EPYC, 2 lanes"}};
}
Lease sample_lease() { return {filled<16>(9), Bytes{1, 2, 3, 255}, 1'700'000'600'000, 3, 128}; }
Receipt sample_receipt() {
  return {filled<16>(1), filled<16>(2), filled<32>(3), true, "accepted", "128 leaves recomputed",
          1u << 26,      12'345,        filled<32>(4), 99,   true,       filled<64>(5)};
}
Block sample_block() {
  Block b{7,
          filled<32>(1),
          filled<32>(2),
          filled<32>(3),
          1'700'000'000'000,
          (std::uint64_t{1} << 63) - 1,
          filled<32>(4),
          filled<32>(5),
          5'787'037'037,
          4,
          false,
          filled<32>(6),
          0x2100000000ffffff};
  return b;
}
Account sample_account() { return {filled<32>(1), 100, 20, 80, 5, 6, 7}; }

/// Every member removed but the optional one, and every member replaced by values of all other types, must be refused
/// and named.
template <class Read>
void check_members_only(const std::string& text, Read read, std::size_t much = 2'000, std::string_view optional = {}) {
  ASSERT_TRUE(read(text)) << text;
  const Json whole = Json::parse(text);
  for (const auto& item : whole.items()) {
    Json without = whole;
    without.erase(item.key());
    const auto missing = read(without.dump());
    EXPECT_EQ(static_cast<bool>(missing), item.key() == optional) << item.key() << " removed";
    if (!missing) {
      EXPECT_EQ(missing.error().code, Status::bad_input);
      EXPECT_NE(missing.error().message.find(item.key()), std::string::npos) << missing.error().message;
    }
    for (const Json& other :
         {Json(nullptr), Json(true), Json(-1), Json(1.5), Json("x"), Json::array({1}), Json::object()}) {
      if (other.type() == item.value().type()) continue;
      Json changed = whole;
      changed[item.key()] = other;
      EXPECT_FALSE(read(changed.dump())) << item.key() << " = " << other.dump();
    }
    if (item.value().is_string()) {
      Json longer = whole;
      longer[item.key()] = item.value().get<std::string>() + std::string(much, 'a');
      EXPECT_FALSE(read(longer.dump())) << item.key() << " too long";
    }
    if (item.value().is_number_unsigned()) {
      Json large = whole;
      large[item.key()] = 0xffffffffffffffffu;
      EXPECT_FALSE(read(large.dump())) << item.key() << " over 63 bits";
    }
  }
}

template <class Read>
void check_members(const std::string& text, Read read, std::string_view optional = {}) {
  check_members_only(text, read, 2'000, optional);
  EXPECT_FALSE(read(""));
  EXPECT_FALSE(read("[]"));
  EXPECT_FALSE(read(text + "x"));
  EXPECT_FALSE(read(text.substr(0, text.size() - 1)));
  EXPECT_FALSE(read("{\"a\":1,\"a\":1," + text.substr(1)));
  EXPECT_FALSE(read("{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "," + text.substr(1)));
}

TEST(Codecs, InfoRoundTripAndMembers) {
  const std::string text = to_json(sample_info());
  const auto back = info_from_json(text);
  ASSERT_TRUE(back);
  EXPECT_EQ(to_json(*back), text);
  EXPECT_EQ(back->boot_id, sample_info().boot_id);
  check_members(text, info_from_json, "kinds");  // nodes of older releases name none
}

TEST(Codecs, RegistrationIsClosed) {
  const std::string text = to_json(sample_registration());
  const auto back = registration_from_json(text);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->name, sample_registration().name);
  EXPECT_EQ(to_json(*back), text);
  check_members(text, registration_from_json);
  Json extra = Json::parse(text);
  extra["more"] = 1;
  EXPECT_FALSE(registration_from_json(extra.dump()));
  Json many = Json::parse(text);
  many["devices"] = std::vector<std::string>(65, "cpu");
  EXPECT_FALSE(registration_from_json(many.dump()));
  many["devices"] = std::vector<std::string>{std::string(257, 'x')};
  EXPECT_FALSE(registration_from_json(many.dump()));
  many["devices"] = Json::array({1});
  EXPECT_FALSE(registration_from_json(many.dump()));
}

TEST(Codecs, LeaseRequestLimits) {
  const LeaseRequest m{{"match.h"}, 3, 30'000};
  const std::string text = to_json(m);
  check_members(text, lease_request_from_json);
  EXPECT_EQ(lease_request_from_json(text)->wait_ms, 30'000u);
  EXPECT_FALSE(lease_request_from_json(to_json(LeaseRequest{{"match.h"}, 3, 30'001})));
  EXPECT_FALSE(lease_request_from_json(to_json(LeaseRequest{{"match.h"}, 0, 0})));
  EXPECT_FALSE(lease_request_from_json(to_json(LeaseRequest{{"match.h"}, 17, 0})));
}

TEST(Codecs, LeaseRequestTellsNoneHeldFromNotSaid) {
  LeaseRequest m{{"match.h"}, 1, 0};
  EXPECT_FALSE(lease_request_from_json(to_json(m))->held.has_value());
  m.held.emplace();
  EXPECT_TRUE(lease_request_from_json(to_json(m))->held->empty());
  m.held->assign(kMaxHeldLeases, Id16{1, 2, 3});
  EXPECT_EQ(*lease_request_from_json(to_json(m))->held, *m.held);
  m.held->push_back(Id16{});
  EXPECT_FALSE(lease_request_from_json(to_json(m)));
  EXPECT_FALSE(lease_request_from_json(R"({"kinds":["match.h"],"max":1,"wait_ms":0,"held":["0102"]})"));
  EXPECT_FALSE(lease_request_from_json(R"({"kinds":["match.h"],"max":1,"wait_ms":0,"held":[7]})"));
}

TEST(Codecs, Leases) {
  const std::string text = to_json(std::vector<Lease>{sample_lease(), sample_lease()});
  const auto back = leases_from_json(text);
  ASSERT_TRUE(back);
  ASSERT_EQ(back->size(), 2u);
  EXPECT_EQ((*back)[1].job, sample_lease().job);
  EXPECT_EQ(to_json(*back), text);
  EXPECT_TRUE(leases_from_json("{\"leases\":[]}")->empty());
  const Json whole = Json::parse(text);
  check_members_only(
      whole["leases"][0].dump(),
      [](std::string_view lease) { return leases_from_json("{\"leases\":[" + std::string(lease) + "]}"); }, 200'000);
  EXPECT_FALSE(leases_from_json("{\"leases\":[7]}"));
}

TEST(Codecs, SmallAnswers) {
  check_members(to_json(Renewal{5}), renewal_from_json);
  const std::string text = to_json(CommitAnswer{5, 14, 1'700'000'000'000});
  check_members(text, commit_answer_from_json);
  EXPECT_EQ(commit_answer_from_json(text)->open_by_height, 14u);
}

TEST(Codecs, ReceiptAndItsSignedBytes) {
  const Receipt r = sample_receipt();
  const std::string text = to_json(r);
  const auto back = receipt_from_json(text);
  ASSERT_TRUE(back);
  EXPECT_EQ(signed_bytes(*back), signed_bytes(r));
  EXPECT_EQ(back->signature, r.signature);
  check_members(text, receipt_from_json);
  // Fixed layout: every covered member moves the bytes, the signature does not.
  const auto differs = [&r](auto change) {
    Receipt other = r;
    change(other);
    return signed_bytes(other) != signed_bytes(r);
  };
  EXPECT_TRUE(differs([](Receipt& o) { o.id[0] ^= 1; }));
  EXPECT_TRUE(differs([](Receipt& o) { o.job_id[0] ^= 1; }));
  EXPECT_TRUE(differs([](Receipt& o) { o.worker_pub[0] ^= 1; }));
  EXPECT_TRUE(differs([](Receipt& o) { o.accepted = false; }));
  EXPECT_TRUE(differs([](Receipt& o) { o.reason += "x"; }));
  EXPECT_TRUE(differs([](Receipt& o) { o.reason += o.detail[0], o.detail.erase(0, 1); }));
  EXPECT_TRUE(differs([](Receipt& o) { o.units += 1; }));
  EXPECT_TRUE(differs([](Receipt& o) { o.credit_microcobble += 1; }));
  EXPECT_TRUE(differs([](Receipt& o) { o.answer_hash[31] ^= 1; }));
  EXPECT_TRUE(differs([](Receipt& o) { o.height += 1; }));
  EXPECT_TRUE(differs([](Receipt& o) { o.operator_trusted = false; }));
  EXPECT_FALSE(differs([](Receipt& o) { o.signature[0] ^= 1; }));
  EXPECT_EQ(signed_bytes(r).size(), 16 + 16 + 32 + 1 + 4 + r.reason.size() + 4 + r.detail.size() + 8 + 8 + 32 + 8 + 1u);
}

TEST(Codecs, BlockAndAccount) {
  const std::string block = to_json(sample_block());
  EXPECT_EQ(to_json(*block_from_json(block)), block);
  EXPECT_EQ(block_from_json(block)->nonce, (std::uint64_t{1} << 63) - 1);
  check_members(block, block_from_json);
  const std::string account = to_json(sample_account());
  EXPECT_EQ(to_json(*account_from_json(account)), account);
  check_members(account, account_from_json);
}

TEST(Codecs, BrokenUtf8InANameDoesNotThrow) {
  Registration r = sample_registration();
  r.name = "\xff\xfe";
  EXPECT_TRUE(registration_from_json(to_json(r)));
}

TEST(Codecs, ErrorAnswers) {
  const Error e = error_from_json("{\"code\":\"late\",\"message\":\"m\",\"hint\":\"h\"}", 410);
  EXPECT_EQ(e.code, Status::late);
  EXPECT_EQ(e.message, "m");
  EXPECT_EQ(e.hint, "h");
  EXPECT_EQ(error_from_json("<html>", 503).code, Status::unreachable);
  EXPECT_EQ(error_from_json("", 500).code, Status::internal);
  EXPECT_EQ(error_from_json("{\"code\":\"from_the_future\",\"message\":\"m\",\"hint\":\"\"}", 409).code,
            Status::duplicate);
}

TEST(Codecs, ListsOfManyObjectsTakeLinearTime) {
  // With nlohmann's callback a list of 300,000 objects takes minutes.
  std::string text = "{\"list\":[";
  for (int i = 0; i < 300'000; ++i) text += "{},";
  text += "0]}";
  const auto begin = std::chrono::steady_clock::now();
  const auto j = parse_object(text, "body", text.size());
  ASSERT_TRUE(j.ok()) << j.error().message;
  EXPECT_EQ(j->at("list").size(), 300'001u);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST(Codecs, MembersTwiceAndDepth) {
  EXPECT_TRUE(check_json(R"({"a":{"b":1},"b":[{"a":1},{"a":2}]})", "body", 3));
  for (const char* twice : {R"({"a":1,"a":2})", R"({"x":[{"a":1,"b":2,"a":3}]})", R"({"a":1,"\u0061":2})"}) {
    EXPECT_THAT(check_json(twice, "body", 8).error().message, testing::HasSubstr("occurs twice")) << twice;
  }
  EXPECT_TRUE(check_json("[[[]]]", "body", 3));
  EXPECT_THAT(check_json("[[[]]]", "body", 2).error().message, testing::HasSubstr("too deeply"));
  EXPECT_EQ(check_json(std::string(1'000'000, '['), "body", 64).status(), Status::bad_input);
  for (const char* none : {"", "{", "{}{}", "nul", "{\"a\":1e999}", "\xff"}) {
    EXPECT_EQ(check_json(none, "body", 8).status(), Status::bad_input) << none;
    EXPECT_EQ(parse_object(none, "body", 100).status(), Status::bad_input) << none;
  }
}

TEST(Codecs, EveryStatusHasAnHttpStatus) {
  for (int i = 1; i <= static_cast<int>(Status::internal); ++i) {
    EXPECT_GE(http_status(static_cast<Status>(i)), 400) << name(static_cast<Status>(i));
  }
}

TEST(Signing, HeaderRoundTripAndDamage) {
  const RequestSignature s{filled<32>(1), 1'700'000'000'000, filled<16>(2), filled<64>(3)};
  const std::string text = format(s);
  const auto back = parse_signature(text);
  ASSERT_TRUE(back);
  EXPECT_EQ(format(*back), text);
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string bad = text;
    bad[i] = '#';
    EXPECT_FALSE(parse_signature(bad)) << bad;
    EXPECT_FALSE(parse_signature(text.substr(0, i)));
  }
  EXPECT_FALSE(parse_signature(text + ","));
  EXPECT_FALSE(parse_signature(text + ", x=1"));
  EXPECT_FALSE(parse_signature(text + text));
  EXPECT_FALSE(parse_signature(std::string(10'000, 'a')));
}

TEST(Signing, TextIsTheSpecLayout) {
  const Bytes body = {9, 8, 7};
  ByteWriter w;
  w.bytes(filled<32>(1)).bytes(filled<16>(2)).u32(4).bytes("POST").u32(10).bytes("/v1/leases").bytes(sha256(body));
  w.u64(123).bytes(filled<16>(3));
  EXPECT_EQ(request_text(filled<32>(1), filled<16>(2), "POST", "/v1/leases", body, 123, filled<16>(3)), w.data());
}

TEST(Signing, BindsEveryPart) {
  const auto key = keys::KeyFile::from_seed(filled<32>(5)).role("request");
  const auto pub = filled<32>(1), node = filled<32>(2);
  const auto boot = filled<16>(3);
  const Bytes body = {1, 2};
  const RequestSignature s = sign_request(key, pub, node, boot, "POST", "/v1/leases?x=1", body, 1000);
  const auto fits = [&](const keys::PublicKey& n, const Id16& b, std::string_view method, std::string_view target,
                        ByteView content, std::uint64_t time) {
    return keys::verify(key.public_key(), "sparkmill/request/v1",
                        request_text(n, b, method, target, content, time, s.nonce), s.signature);
  };
  EXPECT_TRUE(fits(node, boot, "POST", "/v1/leases?x=1", body, 1000));
  EXPECT_FALSE(fits(filled<32>(9), boot, "POST", "/v1/leases?x=1", body, 1000));
  EXPECT_FALSE(fits(node, filled<16>(9), "POST", "/v1/leases?x=1", body, 1000));
  EXPECT_FALSE(fits(node, boot, "GET", "/v1/leases?x=1", body, 1000));
  EXPECT_FALSE(fits(node, boot, "POST", "/v1/leases?x=2", body, 1000));
  EXPECT_FALSE(fits(node, boot, "POST", "/v1/leases?x=1", Bytes{1, 3}, 1000));
  EXPECT_FALSE(fits(node, boot, "POST", "/v1/leases?x=1", body, 1001));
  const RequestSignature other = sign_request(key, pub, node, boot, "POST", "/v1/leases?x=1", body, 1000);
  EXPECT_NE(other.nonce, s.nonce);
}

}  // namespace
}  // namespace sparkmill::protocol
