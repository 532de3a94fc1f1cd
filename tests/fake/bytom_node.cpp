// SPDX-License-Identifier: Apache-2.0
#include "tests/fake/bytom_node.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/hex.h"
#include "verify/chain/difficulty.h"
#include "verify/chain/seed_rule.h"
#include "worker/source/bytom_messages.h"

namespace sparkmill::fake {

namespace {

using nlohmann::ordered_json;

http::Response reply(const ordered_json& data) {
  http::Response r = http::Response::json(200, ordered_json{{"status", "success"}, {"data", data}}.dump() + "\n");
  r.headers["content-type"] = "application/json; charset=utf-8";
  return r;
}

http::Response refuse(const std::string& detail) {
  return http::Response::json(
      200, ordered_json{{"status", "fail"}, {"code", "BTM000"}, {"msg", "Bytom API Error"}, {"error_detail", detail}}
                   .dump() +
               "\n");
}

http::Response error(int status, const std::string& code, const std::string& msg, const std::string& detail) {
  return http::Response::json(
      status,
      ordered_json{{"code", code}, {"msg", msg}, {"status", "fail"}, {"detail", detail}, {"temporary", false}}.dump() +
          "\n");
}

http::Response bad_body(const std::string& detail) { return error(400, "BTM002", "Invalid request body", detail); }

Hash32 numbered(std::uint64_t what, std::uint64_t n) {
  ByteWriter w;
  w.u64(what).u64(n);
  return sha256(w.data());
}

}  // namespace

BytomNode::BytomNode(Judge judge, const Clock& clock, std::uint64_t bits)
    : judge_(std::move(judge)), clock_(clock), bits_(bits) {
  chain::BlockHeader genesis;
  genesis.timestamp = clock_.unix_ms() / 1000 - 150;
  genesis.bits = bits;
  chain_.push_back(genesis);
}

std::uint64_t BytomNode::height() const {
  const std::lock_guard lock(mutex_);
  return chain_.size() - 1;
}

chain::BlockHeader BytomNode::current() const {
  chain::BlockHeader h;
  h.height = chain_.size();
  h.previous = chain::header_hash(chain_.back());
  h.timestamp = clock_.unix_ms() / 1000 + template_timestamp_shift;
  h.transaction_merkle_root = numbered(h.height, transactions_);
  h.transaction_status_hash = numbered(0, 0);
  h.bits = bits_;
  return h;
}

std::uint64_t BytomNode::median() const {
  std::vector<std::uint64_t> times;
  for (std::size_t i = chain_.size(); i-- > 0 && times.size() < 11;) times.push_back(chain_[i].timestamp);
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

void BytomNode::append(chain::BlockHeader header) { chain_.push_back(std::move(header)); }

void BytomNode::foreign_block(std::uint64_t seconds) {
  const std::lock_guard lock(mutex_);
  chain::BlockHeader h = current();
  h.timestamp = chain_.back().timestamp + seconds;
  append(h);
}

void BytomNode::new_transactions() {
  const std::lock_guard lock(mutex_);
  ++transactions_;
}

http::Response BytomNode::work(bool json) {
  ++work_calls;
  const chain::BlockHeader h = current();
  const auto from = chain::seed_height(chain::bytom_params(), h.height);
  const std::string seed = to_hex(from ? chain::header_hash(chain_[*from]) : chain::initial_seed());
  if (!json) return reply({{"block_header", to_hex(*chain::serialise(h))}, {"seed", seed}});
  const ordered_json commitment = {{"transaction_merkle_root", to_hex(h.transaction_merkle_root)},
                                   {"transaction_status_hash", to_hex(h.transaction_status_hash)}};
  const ordered_json header = {
      {"version", h.version},          {"height", h.height}, {"previous_block_hash", to_hex(h.previous)},
      {"timestamp", h.timestamp},      {"nonce", h.nonce},   {"bits", h.bits},
      {"block_commitment", commitment}};
  return reply({{"block_header", header}, {"seed", seed}});
}

http::Response BytomNode::submit(const chain::BlockHeader& submitted) {
  ++submissions;
  if (submitted.previous != chain::header_hash(chain_.back())) return refuse("pending mining block has been changed");
  chain::BlockHeader h = current();  // only nonce and timestamp are taken
  h.nonce = submitted.nonce;
  h.timestamp = submitted.timestamp;
  const Hash32 hash = chain::header_hash(h);
  if (++seen_[hash] > 1) ++twice;
  if (h.timestamp > clock_.unix_ms() / 1000 + 3600 || h.timestamp <= median()) {
    return refuse("block timestamp is not in the valid range: invalid block");
  }
  const auto from = chain::seed_height(chain::bytom_params(), h.height);
  const Hash32 seed = from ? chain::header_hash(chain_[*from]) : chain::initial_seed();
  if (!chain::meets(judge_(hash, seed), chain::target_from_bits(h.bits))) {
    return refuse("invalid difficulty proof of work: invalid block");
  }
  if (h.nonce > chain::kMaxVarint63) return refuse("Marshal block meta: value out of range");
  append(h);
  ++blocks;
  return reply(true);
}

Result<http::Response> BytomNode::handle(const http::Request& request) {
  const std::lock_guard lock(mutex_);
  if (!token.empty()) {
    const auto given = request.headers.find("authorization");
    if (given == request.headers.end()) return error(401, "BTM860", "Request could not be authenticated", "no token");
    if (given->second != "Basic " + mining::bytom::base64(token)) {
      return error(401, "BTM860", "Request could not be authenticated", "invalid token");
    }
  }
  const ordered_json body = ordered_json::parse(text(request.body), nullptr, false);
  if (request.target == "/get-work") return work(false);
  if (request.target == "/get-work-json") return work(true);
  if (body.is_discarded()) return bad_body("invalid character 'x' looking for beginning of value");
  if (request.target == "/get-block-header") {
    ++header_calls;
    const std::uint64_t at = body.value("block_height", std::uint64_t{0});
    if (at >= chain_.size()) return refuse("can't find block in given height");
    return reply({{"block_header", to_hex(*chain::serialise(chain_[at]))}, {"reward", 41250000000}});
  }
  if (request.target == "/submit-work") {
    if (!body.contains("block_header") || body["block_header"].is_null()) return refuse("can't submit empty block");
    const auto header = chain::header_from_hex(body["block_header"].get<std::string>());
    return header ? submit(*header) : bad_body("bad header");
  }
  if (request.target == "/submit-work-json") {
    if (!body.contains("block_header") || body["block_header"].is_null()) {
      return fail(Status::unreachable, "http://node.test:9888: closed by the peer");
    }
    const ordered_json& j = body["block_header"];
    for (const char* number : {"nonce", "timestamp", "bits", "height", "version"}) {
      if (!j[number].is_number_unsigned()) return bad_body("cannot unmarshal number into Go struct field");
    }
    chain::BlockHeader h;
    h.previous = *array_from_hex<32>(j["previous_block_hash"].get<std::string>());
    h.nonce = j["nonce"].get<std::uint64_t>();
    h.timestamp = j["timestamp"].get<std::uint64_t>();
    return submit(h);
  }
  return error(500, "BTM000", "Bytom API Error", "not Found");
}

}  // namespace sparkmill::fake
