// SPDX-License-Identifier: Apache-2.0
// The texts of a Bytom node as captured from bytomd 1.1.1, and what a worker makes of each refusal.
#include "worker/source/bytom_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hex.h"

namespace sparkmill::mining::bytom {
namespace {

using ::testing::HasSubstr;

constexpr char kWorkJson[] =
    R"({"status":"success","data":{"block_header":{"version":1,"height":1,)"
    R"("previous_block_hash":"ce4fe9431cd0225b3a811f8f8ec922f2b07a921bb12a8dddae9a85540072c770",)"
    R"("timestamp":1795234024,"nonce":0,"bits":2305843009214532812,"block_commitment":{)"
    R"("transaction_merkle_root":"9cfbee362232f2352ff41db4e3565d80be946dce732ae4fe6ea34d0495aae6b5",)"
    R"("transaction_status_hash":"c9c377e5192668bc0a367e4a4764f11e7c725ecced1d7b6a492974fab1b6d5bc"}},)"
    R"("seed":"9e6291970cb44dd94008c79bcaf9d86f18b4b49ba5b2a04781db7199ed3b9e4e"}})";

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  return text.replace(text.find(what), what.size(), with);
}

http::Response answer(const std::string& body, int status = 200) { return http::Response::json(status, body); }

TEST(BytomMessages, WorkInBothFormsIsTheSame) {
  const auto json = read_work(true, answer(kWorkJson));
  ASSERT_TRUE(json.ok()) << json.error().message;
  EXPECT_EQ(json->header.bits, 2305843009214532812u) << "all 64 bits of it";
  EXPECT_EQ(json->header.timestamp, 1795234024u);
  const std::string hex = to_hex(*chain::serialise(json->header));
  EXPECT_EQ(hex.substr(0, 6), "010101");
  EXPECT_EQ(hex.substr(hex.size() - 20), "00cc99b3808080808020");
  const auto binary = read_work(false, answer(R"({"status":"success","data":{"block_header":")" + hex +
                                              R"(","seed":")" + to_hex(json->seed) + R"("}})" + "\n"));
  ASSERT_TRUE(binary.ok()) << binary.error().message;
  EXPECT_EQ(binary->header, json->header);
  EXPECT_EQ(binary->seed, json->seed);
}

TEST(BytomMessages, NumbersAreExactOrRefused) {
  for (const char* bits : {"2305843009214532812.0", "2.3e18", "-1", "18446744073709551616", "9223372036854775808",
                           "\"2305843009214532812\"", "null"}) {
    const auto work = read_work(true, answer(replaced(kWorkJson, "2305843009214532812", bits)));
    ASSERT_FALSE(work.ok()) << bits;
    EXPECT_THAT(work.error().message, HasSubstr("bits")) << bits;
  }
  const auto odd = read_work(true, answer(replaced(kWorkJson, "2305843009214532812", "2161727821137910633")));
  ASSERT_TRUE(odd.ok());
  EXPECT_EQ(odd->header.bits, 2161727821137910633u) << "a double would make ...632 of it";
  chain::BlockHeader header = odd->header;
  header.nonce = 9223372036854775423u;
  EXPECT_THAT(std::string(text(submit_work(true, header, "")->body)), HasSubstr("\"nonce\":9223372036854775423,"));
}

TEST(BytomMessages, WorkThatMakesNoSense) {
  const auto status = [](bool json, const std::string& body, int http = 200) {
    return read_work(json, answer(body, http)).status();
  };
  EXPECT_EQ(status(true, replaced(kWorkJson, "9e6291", "9e6290")), Status::bad_input) << "seed of another epoch";
  EXPECT_EQ(status(true, replaced(kWorkJson, "\"bits\":2305843009214532812", "\"bits\":0")), Status::bad_input);
  EXPECT_EQ(status(false, kWorkJson), Status::bad_input);
  EXPECT_EQ(status(true, "x"), Status::bad_input);
  EXPECT_EQ(status(true, R"({"status":"success"})"), Status::bad_input);
  EXPECT_EQ(status(true, R"({"status":"success","data":[]})"), Status::bad_input);
  EXPECT_EQ(status(false, R"({"status":"success","data":{"block_header":"01","seed":"00"}})"), Status::bad_input);
  EXPECT_EQ(status(true, "<html>", 404), Status::unsupported);
  EXPECT_EQ(status(true, R"({"hello":"world"})"), Status::unsupported);
  EXPECT_EQ(status(true, R"({"code":"BTM000","msg":"Bytom API Error","status":"fail","detail":"not Found"})", 500),
            Status::unsupported);
  EXPECT_EQ(status(true, R"({"status":"fail","code":"BTM000","msg":"Bytom API Error","error_detail":"busy"})"),
            Status::unreachable);
}

TEST(BytomMessages, ARefusedTokenIsNamed) {
  const auto work =
      read_work(true, answer(R"({"code":"BTM860","msg":"Request could not be authenticated","status":"fail",)"
                             R"("detail":"invalid token","temporary":false})",
                             401));
  ASSERT_FALSE(work.ok());
  EXPECT_EQ(work.error().code, Status::refused);
  EXPECT_THAT(work.error().message, HasSubstr("invalid token"));
  EXPECT_THAT(work.error().hint, HasSubstr("create-access-token"));
}

TEST(BytomMessages, EveryRefusalAlthoughItIsHttp200) {
  const auto verdict = [](const std::string& detail) {
    return read_submit(
        answer(R"({"status":"fail","code":"BTM000","msg":"Bytom API Error","error_detail":")" + detail + R"("})"));
  };
  const auto expect = [&](const std::string& detail, ShareEnd end, ShareReason reason) {
    const Verdict v = verdict(detail);
    EXPECT_EQ(v.end, end) << detail;
    EXPECT_EQ(v.reason, reason) << detail;
    EXPECT_EQ(v.text, detail);
  };
  expect("invalid difficulty proof of work: invalid block", ShareEnd::rejected, ShareReason::low_difficulty);
  expect("pending mining block has been changed", ShareEnd::stale, ShareReason::job_gone);
  expect("block timestamp is not in the valid range: invalid block", ShareEnd::rejected, ShareReason::bad_timestamp);
  expect("Marshal block meta: value out of range", ShareEnd::rejected, ShareReason::bad_format);
  expect("submit result is orphan", ShareEnd::stale, ShareReason::job_gone);
  expect("can't submit empty block", ShareEnd::rejected, ShareReason::bad_format);
  expect("the moon is full", ShareEnd::rejected, ShareReason::other);
}

TEST(BytomMessages, YesAndNothing) {
  EXPECT_EQ(read_submit(answer(R"({"status":"success","data":true})")).end, ShareEnd::accepted);
  for (const char* body :
       {R"({"status":"success","data":false})", R"({"status":"success"})", "", "[]", "{}", "<html>"}) {
    const Verdict v = read_submit(answer(body));
    EXPECT_EQ(v.end, ShareEnd::unknown) << body;
    EXPECT_EQ(v.reason, ShareReason::no_verdict) << body;
  }
  EXPECT_EQ(
      read_submit(answer(R"({"code":"BTM002","msg":"Invalid request body","status":"fail","detail":"x"})", 400)).reason,
      ShareReason::bad_format);
  EXPECT_EQ(read_submit(answer(R"({"code":"BTM860","status":"fail","detail":"no token"})", 401)).reason,
            ShareReason::unauthorised);
}

TEST(BytomMessages, Requests) {
  const http::Request work = get_work(false, "miner1:" + std::string(64, 'a'));
  EXPECT_EQ(work.method, "POST");
  EXPECT_EQ(work.target, "/get-work");
  EXPECT_EQ(text(work.body), "{}");
  EXPECT_THAT(work.headers.at("authorization"), ::testing::StartsWith("Basic bWluZXIxOmFhYWF"));
  EXPECT_EQ(get_work(true, "").headers.count("authorization"), 0u);
  EXPECT_EQ(get_work(true, "").target, "/get-work-json");
  EXPECT_EQ(text(get_block_header(12, "").body), R"({"block_height":12})");
  const auto header = read_work(true, answer(kWorkJson))->header;
  EXPECT_EQ(text(submit_work(false, header, "")->body),
            R"({"block_header":")" + to_hex(*chain::serialise(header)) + R"("})");
  chain::BlockHeader huge = header;
  huge.nonce = 1ull << 63;
  EXPECT_EQ(submit_work(true, huge, "").status(), Status::bad_input);
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("a"), "YQ==");
  EXPECT_EQ(base64("user:password"), "dXNlcjpwYXNzd29yZA==");
}

}  // namespace
}  // namespace sparkmill::mining::bytom
