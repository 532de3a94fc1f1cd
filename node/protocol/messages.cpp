// SPDX-License-Identifier: Apache-2.0
// JSON codecs of the node protocol. Byte strings are lower-case hex; integers are plain JSON integers below 2^63.
#include "node/protocol/messages.h"

#include "base/hex.h"
#include "node/protocol/json_reader.h"

namespace sparkmill::protocol {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kSmallMessage = 64u << 10;
constexpr std::size_t kLeasesMessage = 4u << 20;
constexpr std::uint64_t kMax63 = (std::uint64_t{1} << 63) - 1;
constexpr std::size_t kMaxJobBytes = 80u << 10;  // 64 KiB of params, 64 blob hashes, fixed members

std::string dump(const Json& j) { return j.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// Reads one message: parses, lets `read` fill a T through the reader, and returns the first error.
template <class T, class F>
Result<T> read_message(std::string_view text, std::string_view what, F&& read, std::size_t limit = kSmallMessage) {
  SPARKMILL_ASSIGN(const nlohmann::json j, parse_object(text, what, limit));
  ObjectReader r(j, what);
  T out;
  read(r, out);
  SPARKMILL_TRY(r.finish());
  return out;
}

}  // namespace

Bytes signed_bytes(const Receipt& r) {
  ByteWriter w;
  w.bytes(r.id).bytes(r.job_id).bytes(r.worker_pub).u8(r.accepted ? 1 : 0);
  w.len_bytes(r.reason).len_bytes(r.detail).u64(r.units).u64(r.credit_microcobble);
  w.bytes(r.answer_hash).u64(r.height).u8(r.operator_trusted ? 1 : 0);
  return std::move(w).data();
}

std::string to_json(const Info& m) {
  return dump(Json{{"protocol", m.protocol},
                   {"version", m.version},
                   {"time_ms", m.time_ms},
                   {"node_pub", to_hex(m.node_pub)},
                   {"boot_id", to_hex(m.boot_id)},
                   {"height", m.height},
                   {"interval_ms", m.interval_ms},
                   {"beacon_anchor", to_hex(m.beacon_anchor)},
                   {"operator_trusted", m.operator_trusted},
                   {"kinds", m.kinds}});
}

Result<Info> info_from_json(std::string_view text) {
  return read_message<Info>(text, "info", [](ObjectReader& r, Info& m) {
    m.protocol = static_cast<std::uint32_t>(r.integer("protocol", 1, 0xffffffff));
    m.version = r.text("version", 64);
    m.time_ms = r.integer("time_ms", 0, kMax63);
    m.node_pub = r.array<32>("node_pub");
    m.boot_id = r.array<16>("boot_id");
    m.height = r.integer("height", 0, kMax63);
    m.interval_ms = r.integer("interval_ms", 1, kMax63);
    m.beacon_anchor = r.array<32>("beacon_anchor");
    m.operator_trusted = r.boolean("operator_trusted");
    if (r.has("kinds")) m.kinds = r.texts("kinds", 16, 32);
  });
}

std::string to_json(const Registration& m) {
  return dump(Json{{"worker_pub", to_hex(m.worker_pub)},
                   {"request_pub", to_hex(m.request_pub)},
                   {"binding", to_hex(m.binding)},
                   {"name", m.name},
                   {"kinds", m.kinds},
                   {"devices", m.devices}});
}

Result<Registration> registration_from_json(std::string_view text) {
  SPARKMILL_ASSIGN(const nlohmann::json j, parse_object(text, "registration", kSmallMessage));
  SPARKMILL_TRY(only_members(j, {"worker_pub", "request_pub", "binding", "name", "kinds", "devices"}, "registration"));
  ObjectReader r(j, "registration");
  Registration m;
  m.worker_pub = r.array<32>("worker_pub");
  m.request_pub = r.array<32>("request_pub");
  m.binding = r.array<64>("binding");
  m.name = r.text("name", 128);
  m.kinds = r.texts("kinds", 16, 32);
  m.devices = r.texts("devices", 64, 256);
  SPARKMILL_TRY(r.finish());
  return m;
}

std::string to_json(const LeaseRequest& m) {
  Json j{{"kinds", m.kinds}, {"max", m.max}, {"wait_ms", m.wait_ms}};
  if (m.held) {
    j["held"] = Json::array();
    for (const Id16& id : *m.held) j["held"].push_back(to_hex(id));
  }
  return dump(j);
}

Result<LeaseRequest> lease_request_from_json(std::string_view text) {
  SPARKMILL_ASSIGN(const nlohmann::json j, parse_object(text, "lease request", kSmallMessage));
  SPARKMILL_TRY(only_members(j, {"kinds", "max", "wait_ms", "held"}, "lease request"));
  ObjectReader r(j, "lease request");
  LeaseRequest m;
  m.kinds = r.texts("kinds", 16, 32);
  m.max = static_cast<std::uint32_t>(r.integer("max", 1, 16));
  m.wait_ms = static_cast<std::uint32_t>(r.integer("wait_ms", 0, 30'000));
  const bool resumes = j.contains("held");
  std::vector<std::string> held;
  if (resumes) held = r.texts("held", kMaxHeldLeases, 32);
  SPARKMILL_TRY(r.finish());
  if (resumes) m.held.emplace();
  for (const std::string& text_id : held) {
    SPARKMILL_ASSIGN(const Id16 id, array_from_hex<16>(text_id, "lease request.held"));
    m.held->push_back(id);
  }
  return m;
}

std::string to_json(const std::vector<Lease>& leases) {
  Json list = Json::array();
  for (const Lease& m : leases) {
    list.push_back(Json{{"lease_id", to_hex(m.lease_id)},
                        {"job", to_hex(m.job)},
                        {"deadline_ms", m.deadline_ms},
                        {"attempt", m.attempt},
                        {"openings", m.openings}});
  }
  return dump(Json{{"leases", std::move(list)}});
}

Result<std::vector<Lease>> leases_from_json(std::string_view text) {
  using List = std::vector<Lease>;
  Done inner = done();
  auto read = [&inner](ObjectReader& r, List& out) {
    const nlohmann::json* list = r.list("leases", 16);
    if (!list) return;
    for (const auto& item : *list) {
      if (!item.is_object()) {
        inner = fail(Status::bad_input, "leases.leases: an item is not an object");
        return;
      }
      ObjectReader lease(item, "lease");
      Lease m;
      m.lease_id = lease.array<16>("lease_id");
      m.job = lease.bytes("job", kMaxJobBytes);
      m.deadline_ms = lease.integer("deadline_ms", 0, kMax63);
      m.attempt = static_cast<std::uint32_t>(lease.integer("attempt", 1, 0xffffffff));
      m.openings = static_cast<std::uint32_t>(lease.integer("openings", 1, 1u << 20));
      inner = lease.finish();
      if (!inner) return;
      out.push_back(std::move(m));
    }
  };
  auto out = read_message<List>(text, "leases", read, kLeasesMessage);
  SPARKMILL_TRY(inner);
  return out;
}

std::string to_json(const Renewal& m) { return dump(Json{{"deadline_ms", m.deadline_ms}}); }

Result<Renewal> renewal_from_json(std::string_view text) {
  return read_message<Renewal>(
      text, "renewal", [](ObjectReader& r, Renewal& m) { m.deadline_ms = r.integer("deadline_ms", 0, kMax63); });
}

std::string to_json(const Solution& m) { return dump(Json{{"lease_id", to_hex(m.lease_id)}, {"nonce", m.nonce}}); }

Result<Solution> solution_from_json(std::string_view text) {
  SPARKMILL_ASSIGN(const nlohmann::json j, parse_object(text, "solution", kSmallMessage));
  SPARKMILL_TRY(only_members(j, {"lease_id", "nonce"}, "solution"));
  ObjectReader r(j, "solution");
  Solution m;
  m.lease_id = r.array<16>("lease_id");
  m.nonce = r.integer("nonce", 0, kMax63);
  SPARKMILL_TRY(r.finish());
  return m;
}

std::string to_json(const SolutionAnswer& m) {
  return dump(Json{{"accepted", m.accepted}, {"reason", m.reason}, {"block", m.block}, {"height", m.height}});
}

Result<SolutionAnswer> solution_answer_from_json(std::string_view text) {
  return read_message<SolutionAnswer>(text, "solution answer", [](ObjectReader& r, SolutionAnswer& m) {
    m.accepted = r.boolean("accepted");
    m.reason = r.text("reason", 64);
    m.block = r.boolean("block");
    m.height = r.integer("height", 0, kMax63);
  });
}

std::string to_json(const CommitAnswer& m) {
  return dump(Json{{"height", m.height}, {"open_by_height", m.open_by_height}, {"open_by_ms", m.open_by_ms}});
}

Result<CommitAnswer> commit_answer_from_json(std::string_view text) {
  return read_message<CommitAnswer>(text, "commit answer", [](ObjectReader& r, CommitAnswer& m) {
    m.height = r.integer("height", 0, kMax63);
    m.open_by_height = r.integer("open_by_height", 0, kMax63);
    m.open_by_ms = r.integer("open_by_ms", 0, kMax63);
  });
}

std::string to_json(const Receipt& m) {
  return dump(Json{{"id", to_hex(m.id)},
                   {"job_id", to_hex(m.job_id)},
                   {"worker_pub", to_hex(m.worker_pub)},
                   {"accepted", m.accepted},
                   {"reason", m.reason},
                   {"detail", m.detail},
                   {"units", m.units},
                   {"credit_microcobble", m.credit_microcobble},
                   {"answer_hash", to_hex(m.answer_hash)},
                   {"height", m.height},
                   {"operator_trusted", m.operator_trusted},
                   {"signature", to_hex(m.signature)}});
}

Result<Receipt> receipt_from_json(std::string_view text) {
  return read_message<Receipt>(text, "receipt", [](ObjectReader& r, Receipt& m) {
    m.id = r.array<16>("id");
    m.job_id = r.array<16>("job_id");
    m.worker_pub = r.array<32>("worker_pub");
    m.accepted = r.boolean("accepted");
    m.reason = r.text("reason", 64);
    m.detail = r.text("detail", 1024);
    m.units = r.integer("units", 0, kMax63);
    m.credit_microcobble = r.integer("credit_microcobble", 0, kMax63);
    m.answer_hash = r.array<32>("answer_hash");
    m.height = r.integer("height", 0, kMax63);
    m.operator_trusted = r.boolean("operator_trusted");
    m.signature = r.array<64>("signature");
  });
}

std::string to_json(const Block& m) {
  return dump(Json{{"height", m.height},
                   {"hash", to_hex(m.hash)},
                   {"previous", to_hex(m.previous)},
                   {"receipts_root", to_hex(m.receipts_root)},
                   {"time_ms", m.time_ms},
                   {"nonce", m.nonce},
                   {"beacon_secret", to_hex(m.beacon_secret)},
                   {"beacon", to_hex(m.beacon)},
                   {"reward_units", m.reward_units},
                   {"receipts", m.receipts},
                   {"fallback", m.fallback},
                   {"beacon_anchor", to_hex(m.beacon_anchor)},
                   {"bits", m.bits}});
}

Result<Block> block_from_json(std::string_view text) {
  return read_message<Block>(text, "block", [](ObjectReader& r, Block& m) {
    m.height = r.integer("height", 0, kMax63);
    m.hash = r.array<32>("hash");
    m.previous = r.array<32>("previous");
    m.receipts_root = r.array<32>("receipts_root");
    m.time_ms = r.integer("time_ms", 0, kMax63);
    m.nonce = r.integer("nonce", 0, kMax63);
    m.beacon_secret = r.array<32>("beacon_secret");
    m.beacon = r.array<32>("beacon");
    m.reward_units = r.integer("reward_units", 0, kMax63);
    m.receipts = static_cast<std::uint32_t>(r.integer("receipts", 0, 0xffffffff));
    m.fallback = r.boolean("fallback");
    m.beacon_anchor = r.array<32>("beacon_anchor");
    m.bits = r.integer("bits", 0, kMax63);
  });
}

std::string to_json(const Account& m) {
  return dump(Json{{"pub", to_hex(m.pub)},
                   {"balance", m.balance},
                   {"free", m.free},
                   {"locked", m.locked},
                   {"credit_microcobble", m.credit_microcobble},
                   {"accepted", m.accepted},
                   {"refused", m.refused}});
}

Result<Account> account_from_json(std::string_view text) {
  return read_message<Account>(text, "account", [](ObjectReader& r, Account& m) {
    m.pub = r.array<32>("pub");
    m.balance = r.integer("balance", 0, kMax63);
    m.free = r.integer("free", 0, kMax63);
    m.locked = r.integer("locked", 0, kMax63);
    m.credit_microcobble = r.integer("credit_microcobble", 0, kMax63);
    m.accepted = r.integer("accepted", 0, kMax63);
    m.refused = r.integer("refused", 0, kMax63);
  });
}

int http_status(Status status) {
  switch (status) {
    case Status::ok: return 200;
    case Status::bad_argument:
    case Status::bad_input:
    case Status::corrupt: return 400;
    case Status::refused: return 403;
    case Status::not_found:
    case Status::unsupported: return 404;
    case Status::duplicate: return 409;
    case Status::late: return 410;
    case Status::too_large: return 413;
    case Status::no_space:
    case Status::no_device:
    case Status::locked:
    case Status::cancelled:
    case Status::timeout:
    case Status::unreachable: return 503;
    case Status::bad_config:
    case Status::io_error:
    case Status::self_test_failed:
    case Status::mismatch:
    case Status::internal: return 500;
  }
  return 500;
}

Status status_of_http(int http) {
  switch (http) {
    case 400: return Status::bad_input;
    case 401:
    case 403: return Status::refused;
    case 404: return Status::not_found;
    case 409: return Status::duplicate;
    case 410: return Status::late;
    case 413: return Status::too_large;
    case 429:
    case 502:
    case 503:
    case 504: return Status::unreachable;
    default: return Status::internal;
  }
}

Error error_from_json(std::string_view text, int http) {
  Error out = fail(status_of_http(http), "the node answered HTTP " + std::to_string(http));
  auto j = parse_object(text, "error answer", kSmallMessage);
  if (!j) return out;
  ObjectReader r(*j, "error answer");
  const std::string code = r.text("code", 64);
  const std::string message = r.text("message", 4096);
  const std::string hint = r.text("hint", 4096);
  if (!r.finish()) return out;
  for (int i = 1; i <= static_cast<int>(Status::internal); ++i) {
    if (name(static_cast<Status>(i)) == code) out.code = static_cast<Status>(i);
  }
  out.message = message;
  out.hint = hint;
  return out;
}

}  // namespace sparkmill::protocol
