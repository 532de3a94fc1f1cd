// SPDX-License-Identifier: Apache-2.0
#include "node/protocol/boinc_claim.h"

#include <algorithm>

#include "base/hash.h"
#include "node/protocol/json_reader.h"

namespace sparkmill::protocol {

namespace {

constexpr std::string_view kDomain = "sparkmill/boinc-claim/v1";
constexpr std::uint16_t kVersion = 1;
constexpr std::uint16_t kOwnApplication = 1;
constexpr std::size_t kMessageLimit = kMaxBoincClaims * (2 * kMaxBoincClaimBytes + 8) + 1024;
constexpr std::uint64_t kMax63 = INT64_MAX;

bool plain(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

Error malformed(const std::string& why) { return fail(Status::bad_input, "BOINC claim: " + why); }

}  // namespace

Id16 boinc_result_id(std::string_view project_url, std::string_view result_name) {
  ByteWriter w;
  w.bytes("sparkmill/boinc-result/v1").len_bytes(project_url).len_bytes(result_name);
  const Hash32 hash = sha256(w.data());
  Id16 id{};
  std::copy_n(hash.begin(), id.size(), id.begin());
  return id;
}

Bytes signed_bytes(const BoincClaim& c) {
  ByteWriter w;
  w.u16(kVersion).u16(c.own_application ? kOwnApplication : 0).bytes(c.node_pub).bytes(c.worker_pub);
  w.len_bytes(c.project_url).len_bytes(c.result_name).len_bytes(c.app_name);
  w.u64(c.user_id).u64(c.host_id).bytes(c.cpid).i32(c.exit_status);
  w.u64(c.elapsed_ms).u64(c.cpu_ms).u64(c.completed_ms).bytes(c.output_hash);
  return std::move(w).data();
}

Bytes encode(BoincClaim& claim, const keys::SigningKey& envelope_key) {
  claim.worker_pub = envelope_key.public_key();
  Bytes out = signed_bytes(claim);
  claim.signature = envelope_key.sign(kDomain, out);
  out.insert(out.end(), claim.signature.begin(), claim.signature.end());
  return out;
}

Result<BoincClaim> decode_boinc_claim(ByteView bytes) {
  if (bytes.size() > kMaxBoincClaimBytes) return malformed(std::to_string(bytes.size()) + " bytes, too long");
  ByteReader r(bytes);
  const std::uint16_t version = r.u16();
  const std::uint16_t flags = r.u16();
  BoincClaim c;
  c.own_application = (flags & kOwnApplication) != 0;
  c.node_pub = r.array<32>();
  c.worker_pub = r.array<32>();
  c.project_url = text(r.len_bytes(kMaxBoincText));
  c.result_name = text(r.len_bytes(kMaxBoincText));
  c.app_name = text(r.len_bytes(kMaxBoincText));
  c.user_id = r.u64();
  c.host_id = r.u64();
  c.cpid = r.array<16>();
  c.exit_status = r.i32();
  c.elapsed_ms = r.u64();
  c.cpu_ms = r.u64();
  c.completed_ms = r.u64();
  c.output_hash = r.array<32>();
  c.signature = r.array<sizeof(keys::Signature)>();
  if (!r.done()) return malformed("cut short, too long, or a text over " + std::to_string(kMaxBoincText) + " bytes");
  if (version != kVersion) return malformed("version " + std::to_string(version) + ", expected 1");
  if ((flags & ~kOwnApplication) != 0) return malformed("unknown flags");
  if (c.project_url.empty() || c.result_name.empty()) return malformed("project or result is not named");
  if (!plain(c.project_url) || !plain(c.result_name) || !plain(c.app_name)) return malformed("control characters");
  if (std::max({c.user_id, c.host_id, c.elapsed_ms, c.cpu_ms, c.completed_ms}) > kMax63)
    return malformed("a number from 2^63");
  if (!keys::verify(c.worker_pub, kDomain, bytes.first(bytes.size() - c.signature.size()), c.signature)) {
    return fail(Status::refused, "BOINC claim: the signature is not that of its worker key");
  }
  return c;
}

std::string boinc_claims_to_json(const std::vector<Bytes>& claims) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Bytes& c : claims) list.push_back(to_hex(c));
  return nlohmann::ordered_json{{"claims", list}}.dump();
}

Result<std::vector<Bytes>> boinc_claims_from_json(std::string_view text) {
  SPARKMILL_ASSIGN(const nlohmann::json j, parse_object(text, "claims", kMessageLimit));
  SPARKMILL_TRY(only_members(j, {"claims"}, "claims"));
  ObjectReader r(j, "claims");
  const auto list = r.texts("claims", kMaxBoincClaims, 2 * kMaxBoincClaimBytes);
  SPARKMILL_TRY(r.finish());
  std::vector<Bytes> out;
  for (const std::string& hex : list) {
    SPARKMILL_ASSIGN(Bytes bytes, from_hex(hex, "claims.claims"));
    out.push_back(std::move(bytes));
  }
  return out;
}

std::string to_json(const std::vector<BoincClaimAnswer>& answers) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const BoincClaimAnswer& a : answers) {
    list.push_back(
        {{"id", to_hex(a.id)}, {"state", a.state}, {"reason", a.reason}, {"credit_microcobble", a.credit_microcobble}});
  }
  return nlohmann::ordered_json{{"answers", list}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<std::vector<BoincClaimAnswer>> boinc_claim_answers_from_json(std::string_view text) {
  SPARKMILL_ASSIGN(const nlohmann::json j, parse_object(text, "claim answers", 64u << 10));
  ObjectReader r(j, "claim answers");
  const nlohmann::json* list = r.list("answers", kMaxBoincClaims);
  SPARKMILL_TRY(r.finish());
  std::vector<BoincClaimAnswer> out;
  for (const auto& item : *list) {
    if (!item.is_object()) return fail(Status::bad_input, "claim answers.answers: not an object");
    ObjectReader o(item, "claim answers.answers");
    BoincClaimAnswer a;
    a.id = o.array<16>("id");
    a.state = o.text("state", 32);
    a.reason = o.text("reason", 64);
    a.credit_microcobble = o.integer("credit_microcobble", 0, kMax63);
    SPARKMILL_TRY(o.finish());
    out.push_back(std::move(a));
  }
  return out;
}

}  // namespace sparkmill::protocol
