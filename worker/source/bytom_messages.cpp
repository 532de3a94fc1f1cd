// SPDX-License-Identifier: Apache-2.0
#include "worker/source/bytom_messages.h"

#include <openssl/evp.h>

#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "node/protocol/json_reader.h"
#include "verify/chain/seed_rule.h"

namespace sparkmill::mining::bytom {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t kMaxAnswer = 64u << 10;
constexpr std::uint64_t kMax = chain::kMaxVarint63;

http::Request post(std::string path, std::string body, const std::string& token) {
  http::Request r;
  r.method = "POST";
  r.target = std::move(path);
  r.headers["content-type"] = "application/json";
  if (!token.empty()) r.headers["authorization"] = "Basic " + base64(token);
  r.body.assign(body.begin(), body.end());
  return r;
}

/// error_detail of a refusal, detail of a bad request; what there is of words otherwise.
std::string words(const json& answer) {
  for (const char* member : {"error_detail", "detail", "msg"}) {
    const auto it = answer.find(member);
    if (it != answer.end() && it->is_string() && !it->get_ref<const std::string&>().empty()) {
      return printable(it->get_ref<const std::string&>());
    }
  }
  return "no reason given";
}

std::string text_member(const json& object, const char* member) {
  const auto it = object.find(member);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

/// The data of a success. Otherwise the error that fits the node's words.
Result<json> read_data(const http::Response& response, std::string_view what) {
  auto answer = protocol::parse_object(text(response.body), what, kMaxAnswer);
  if (!answer) {
    if (response.status == 200) return answer.error();
    return fail(Status::unsupported, std::string(what) + ": HTTP " + std::to_string(response.status),
                "does a Bytom node answer at this address?");
  }
  const std::string said = words(*answer);
  if (response.status == 401 || text_member(*answer, "code") == "BTM860") {
    return fail(Status::refused, std::string(what) + ": the node refuses the access token: " + said,
                "make one on the node's machine with create-access-token, and give it as id:64hex");
  }
  const std::string status = text_member(*answer, "status");
  if (status == "success" && response.status == 200) {
    const auto data = answer->find("data");
    if (data == answer->end()) return fail(Status::bad_input, std::string(what) + ": a success without data");
    return *data;
  }
  if (status != "fail" && status != "success") {
    return fail(Status::unsupported, std::string(what) + ": not an answer of a Bytom node",
                "does a Bytom node answer at this address?");
  }
  if (said == "not Found") return fail(Status::unsupported, std::string(what) + ": the node does not know this call");
  return fail(Status::unreachable, std::string(what) + ": the node says: " + said);
}

Result<chain::BlockHeader> header_from_json(const json& object) {
  protocol::ObjectReader r(object, "block_header");
  chain::BlockHeader h;
  h.version = r.integer("version", 0, kMax);
  h.height = r.integer("height", 0, kMax);
  h.previous = r.array<32>("previous_block_hash");
  h.timestamp = r.integer("timestamp", 0, kMax);
  h.nonce = r.integer("nonce", 0, kMax);
  h.bits = r.integer("bits", 0, kMax);
  SPARKMILL_TRY(r.finish());
  const auto commitment = object.find("block_commitment");
  if (commitment == object.end() || !commitment->is_object()) {
    return fail(Status::bad_input, "block_header.block_commitment: missing");
  }
  protocol::ObjectReader c(*commitment, "block_commitment");
  h.transaction_merkle_root = c.array<32>("transaction_merkle_root");
  h.transaction_status_hash = c.array<32>("transaction_status_hash");
  SPARKMILL_TRY(c.finish());
  return h;
}

ordered_json header_to_json(const chain::BlockHeader& h) {
  return {{"version", h.version},
          {"height", h.height},
          {"previous_block_hash", to_hex(h.previous)},
          {"timestamp", h.timestamp},
          {"nonce", h.nonce},
          {"bits", h.bits},
          {"block_commitment", ordered_json{{"transaction_merkle_root", to_hex(h.transaction_merkle_root)},
                                            {"transaction_status_hash", to_hex(h.transaction_status_hash)}}}};
}

struct Refusal {
  std::string_view words;
  ShareEnd end;
  ShareReason reason;
};
constexpr Refusal kRefusals[] = {
    {"pending mining block has been changed", ShareEnd::stale, ShareReason::job_gone},
    {"submit result is orphan", ShareEnd::stale, ShareReason::job_gone},
    {"invalid difficulty proof of work", ShareEnd::rejected, ShareReason::low_difficulty},
    {"block timestamp is not in the valid range", ShareEnd::rejected, ShareReason::bad_timestamp},
    {"value out of range", ShareEnd::rejected, ShareReason::bad_format},
    {"can't submit empty block", ShareEnd::rejected, ShareReason::bad_format},
};

}  // namespace

std::string base64(std::string_view plain) {
  std::string out(4 * ((plain.size() + 2) / 3) + 1, '\0');
  const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                reinterpret_cast<const unsigned char*>(plain.data()), static_cast<int>(plain.size()));
  out.resize(static_cast<std::size_t>(n));
  return out;
}

http::Request get_work(bool as_json, const std::string& token) {
  return post(as_json ? "/get-work-json" : "/get-work", "{}", token);
}

Result<http::Request> submit_work(bool as_json, const chain::BlockHeader& header, const std::string& token) {
  SPARKMILL_ASSIGN(const Bytes bytes, chain::serialise(header));  // also for JSON: what it cannot store is refused here
  const ordered_json body = {{"block_header", as_json ? header_to_json(header) : ordered_json(to_hex(bytes))}};
  return post(as_json ? "/submit-work-json" : "/submit-work", body.dump(), token);
}

http::Request get_block_header(std::uint64_t height, const std::string& token) {
  return post("/get-block-header", json{{"block_height", height}}.dump(), token);
}

Result<Work> read_work(bool as_json, const http::Response& response) {
  SPARKMILL_ASSIGN(const json data, read_data(response, as_json ? "get-work-json" : "get-work"));
  if (!data.is_object()) return fail(Status::bad_input, "get-work: data is not an object");
  protocol::ObjectReader r(data, "data");
  Work work;
  work.seed = r.array<32>("seed");
  const std::string hex = as_json ? "" : r.text("block_header", 2 * chain::kMaxSerialisedHeader);
  SPARKMILL_TRY(r.finish());
  if (as_json) {
    const auto header = data.find("block_header");
    if (header == data.end() || !header->is_object()) return fail(Status::bad_input, "data.block_header: missing");
    SPARKMILL_ASSIGN(work.header, header_from_json(*header));
  } else {
    SPARKMILL_ASSIGN(work.header, chain::header_from_hex(hex, "data.block_header"));
  }
  if (!chain::target_from_bits(work.header.bits).possible()) {
    return fail(Status::bad_input, "data.block_header: bits give a target that no hash meets");
  }
  SPARKMILL_TRY(chain::check_seed(chain::bytom_params(), work.header, work.seed));
  return work;
}

Result<chain::BlockHeader> read_block_header(const http::Response& response) {
  SPARKMILL_ASSIGN(const json data, read_data(response, "get-block-header"));
  if (!data.is_object()) return fail(Status::bad_input, "get-block-header: data is not an object");
  protocol::ObjectReader r(data, "data");
  const std::string hex = r.text("block_header", 2 * chain::kMaxSerialisedHeader);
  SPARKMILL_TRY(r.finish());
  return chain::header_from_hex(hex, "data.block_header");
}

Verdict read_submit(const http::Response& response) {
  const auto answer = protocol::parse_object(text(response.body), "submit-work", kMaxAnswer);
  if (!answer) return {ShareEnd::unknown, ShareReason::no_verdict, "an answer that is not JSON"};
  const std::string status = text_member(*answer, "status");
  if (status == "success" && response.status == 200) {
    const auto data = answer->find("data");
    if (data != answer->end() && *data == true) return {ShareEnd::accepted, ShareReason::none, ""};
    return {ShareEnd::unknown, ShareReason::no_verdict, "a success without data: true"};
  }
  if (status != "fail") return {ShareEnd::unknown, ShareReason::no_verdict, "neither success nor fail"};
  const std::string said = words(*answer);
  if (response.status == 401 || text_member(*answer, "code") == "BTM860") {
    return {ShareEnd::rejected, ShareReason::unauthorised, said};
  }
  if (text_member(*answer, "code") == "BTM002") return {ShareEnd::rejected, ShareReason::bad_format, said};
  for (const Refusal& refusal : kRefusals) {
    if (said.find(refusal.words) != std::string::npos) return {refusal.end, refusal.reason, said};
  }
  return {ShareEnd::rejected, ShareReason::other, said};
}

}  // namespace sparkmill::mining::bytom
