// SPDX-License-Identifier: Apache-2.0
#include "worker/source/stratum_messages.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "node/protocol/json_reader.h"
#include "verify/chain/seed_rule.h"

namespace sparkmill::mining::stratum {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::uint64_t kRange = std::uint64_t{1} << 32;  // what every server seen leaves between two sessions
constexpr std::size_t kMaxJobId = 128;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
  return text;
}

std::uint64_t little(const std::array<std::uint8_t, 8>& bytes) { return ByteReader(bytes).u64(); }
std::uint64_t big(std::array<std::uint8_t, 8> bytes) {
  std::reverse(bytes.begin(), bytes.end());
  return little(bytes);
}

/// The job id as it must be sent back: a text, or the digits of a number.
Result<std::string> read_job_id(const json& params) {
  const auto it = params.find("job_id");
  if (it == params.end()) return fail(Status::bad_input, "job.job_id: missing");
  if (it->is_number_unsigned()) return std::to_string(it->get<std::uint64_t>());
  if (!it->is_string() || it->get_ref<const std::string&>().empty() ||
      it->get_ref<const std::string&>().size() > kMaxJobId) {
    return fail(Status::bad_input, "job.job_id: not a text of 1 to 128 bytes");
  }
  return it->get<std::string>();
}

Error impossible(std::string why) {
  return fail(Status::bad_input, "impossible job: " + std::move(why), "the pool's fault; the next job may be right");
}

/// What no honest server sends and no share could satisfy.
Done check_job(const MiningJob& job) {
  const chain::BlockHeader& h = job.header;
  SPARKMILL_TRY(chain::serialise(h));
  if (!job.share_target.possible()) return impossible("the share target is 0");
  if (!job.block_target.possible()) return impossible("bits give a target that no hash meets");
  if (job.nonces.first > chain::kMaxVarint63) {
    return impossible("its nonces start at " + std::to_string(job.nonces.first) +
                      ", from 2^63 on no node can store them");
  }
  return chain::check_seed(chain::bytom_params(), h, job.seed);
}

Result<MiningJob> read_job(const json& params, NonceOrder order) {
  protocol::ObjectReader r(params, "job");
  MiningJob job;
  chain::BlockHeader& h = job.header;
  h.version = little(r.array<8>("version"));
  h.height = little(r.array<8>("height"));
  h.previous = r.array<32>("previous_block_hash");
  h.timestamp = little(r.array<8>("timestamp"));
  h.transaction_merkle_root = r.array<32>("transactions_merkle_root");
  h.transaction_status_hash = r.array<32>("transaction_status_hash");
  h.bits = little(r.array<8>("bits"));
  job.seed = r.array<32>("seed");
  job.nonces.first = read_first_nonce(r.array<8>("nonce"), order);
  const Bytes target = r.bytes("target", 32);
  SPARKMILL_TRY(r.finish());
  SPARKMILL_ASSIGN(job.id, read_job_id(params));
  SPARKMILL_ASSIGN(job.share_target, chain::target_from_top_bytes(target));
  job.block_target = chain::target_from_bits(h.bits);
  SPARKMILL_TRY(check_job(job));
  job.nonces.count = std::min(kRange, chain::kMaxVarint63 - job.nonces.first + 1);
  return job;
}

void take_job(Message& message, const json& params, NonceOrder order) {
  if (!params.is_object()) {
    message.bad_job = impossible("not an object");
    return;
  }
  auto job = read_job(params, order);
  if (job) {
    message.job = std::move(*job);
  } else {
    message.bad_job = job.error();
  }
}

std::optional<std::uint64_t> read_id(const json& object) {
  const auto it = object.find("id");
  if (it == object.end()) return std::nullopt;
  if (it->is_number_unsigned()) return it->get<std::uint64_t>();
  if (!it->is_string()) return std::nullopt;
  const std::string& text = it->get_ref<const std::string&>();
  std::uint64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void take_code(PoolError& error, const json& value) {
  if (value.is_number_integer()) error.code = value.get<std::int64_t>();
}
void take_text(PoolError& error, const json& value) {
  if (value.is_string()) error.message = printable(value.get_ref<const std::string&>());
}

/// null, {code, message}, [code, message, ...], a text or a number.
std::optional<PoolError> read_error(const json& object) {
  const auto it = object.find("error");
  if (it == object.end() || it->is_null() || *it == false) return std::nullopt;
  PoolError error;
  if (it->is_object()) {
    if (it->contains("code")) take_code(error, (*it)["code"]);
    if (it->contains("message")) take_text(error, (*it)["message"]);
  } else if (it->is_array()) {
    if (!it->empty()) take_code(error, (*it)[0]);
    if (it->size() > 1) take_text(error, (*it)[1]);
  } else {
    take_code(error, *it);
    take_text(error, *it);
  }
  return error;
}

Message::Verdict read_verdict(const json& object) {
  const auto it = object.find("result");
  if (it == object.end() || it->is_null()) return Message::Verdict::unclear;
  if (it->is_boolean()) return *it ? Message::Verdict::yes : Message::Verdict::no;
  if (!it->is_object()) return Message::Verdict::unclear;
  const auto status = it->find("status");
  if (status == it->end()) return it->contains("job") ? Message::Verdict::yes : Message::Verdict::unclear;
  if (!status->is_string()) return Message::Verdict::unclear;
  return lower(status->get<std::string>()) == "ok" ? Message::Verdict::yes : Message::Verdict::unclear;
}

}  // namespace

Done Splitter::feed(std::string_view bytes, const Callback& on_message) {
  for (const char c : bytes) {
    if (held_.empty() && is_space(c)) continue;
    if (c == '\n') {
      finish(on_message);
      continue;
    }
    if (held_.size() == kMaxMessage) {
      held_.clear();
      return fail(Status::too_large, "a message of over " + std::to_string(kMaxMessage) + " bytes",
                  "is this a stratum port?");
    }
    held_ += c;
    if (held_.front() != '{') continue;  // garbage: up to the end of the line
    if (in_text_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_text_ = false;
      }
    } else if (c == '"') {
      in_text_ = true;
    } else if (c == '{') {
      ++depth_;
    } else if (c == '}' && --depth_ == 0) {
      finish(on_message);
    }
  }
  return done();
}

void Splitter::finish(const Callback& on_message) {
  std::string message = std::move(held_);
  held_.clear();
  depth_ = 0;
  in_text_ = escaped_ = false;
  while (!message.empty() && is_space(message.back())) message.pop_back();
  if (!message.empty()) on_message(message);
}

std::uint64_t read_first_nonce(const std::array<std::uint8_t, 8>& bytes, NonceOrder order) {
  constexpr std::uint64_t kLow = kRange - 1;
  const std::uint64_t l = little(bytes);
  const std::uint64_t b = big(bytes);
  if (order == NonceOrder::big) return b;
  if (order == NonceOrder::automatic && (l & kLow) != 0 && (b & kLow) == 0) return b;
  return l;
}

ShareReason classify(const PoolError& error, bool newer_job) {
  switch (error.code) {
    case 21: return ShareReason::job_gone;
    case 22: return ShareReason::duplicate;
    case 23:
    case 26: return ShareReason::low_difficulty;
    case 24:
    case 25:
    case 31:
    case 40: return ShareReason::unauthorised;
    case 32: return newer_job ? ShareReason::job_gone : ShareReason::bad_format;
    default: break;
  }
  // One code for everything: only the words tell.
  const std::string text = lower(error.message);
  const auto says = [&text](std::string_view word) { return text.find(word) != std::string::npos; };
  if (says("low diff")) return ShareReason::low_difficulty;
  if (says("expired") || says("stale") || says("job not found")) return ShareReason::job_gone;
  if (says("duplicate")) return ShareReason::duplicate;
  if (says("unauthori") || says("banned")) return ShareReason::unauthorised;
  return ShareReason::other;
}

Result<Message> read_message(std::string_view text, NonceOrder order) {
  SPARKMILL_ASSIGN(const json object, protocol::parse_object(text, "message", kMaxMessage));
  Message m;
  m.id = read_id(object);
  const auto method = object.find("method");
  if (method != object.end() && !method->is_null()) {
    if (!method->is_string()) return fail(Status::bad_input, "message.method: not a text");
    m.method = printable(method->get_ref<const std::string&>(), 64);
    if (m.method != "job") return m;
    m.kind = Message::Kind::job;
    const auto params = object.find("params");
    take_job(m, params == object.end() ? json() : *params, order);
    return m;
  }
  if (!object.contains("result") && !object.contains("error")) {
    return fail(Status::bad_input, "message: neither a method nor a result");
  }
  m.kind = Message::Kind::reply;
  if (auto error = read_error(object)) {
    m.verdict = Message::Verdict::no;
    m.error = std::move(*error);
    return m;
  }
  m.verdict = read_verdict(object);
  if (m.verdict == Message::Verdict::no) m.error.message = "result is false";
  const auto result = object.find("result");
  if (result != object.end() && result->is_object() && result->contains("job")) take_job(m, (*result)["job"], order);
  return m;
}

std::string login_text(std::uint64_t id, const std::string& user, const std::string& pass, const std::string& agent) {
  const ordered_json j = {
      {"id", id}, {"method", "login"}, {"params", ordered_json{{"login", user}, {"pass", pass}, {"agent", agent}}}};
  return j.dump() + "\n";
}

std::string submit_text(std::uint64_t id, const std::string& user, const std::string& job_id, std::uint64_t nonce) {
  std::array<std::uint8_t, 8> bytes{};
  std::memcpy(bytes.data(), &nonce, sizeof nonce);
  std::reverse(bytes.begin(), bytes.end());  // goes out in the other order than it came in
  const ordered_json j = {{"id", id},
                          {"method", "submit"},
                          {"params", ordered_json{{"id", user}, {"job_id", job_id}, {"nonce", to_hex(bytes)}}}};
  return j.dump() + "\n";
}

std::string call_text(std::uint64_t id, const std::string& method, const std::string& user) {
  const ordered_json j = {{"id", id}, {"method", method}, {"params", ordered_json{{"id", user}}}};
  return j.dump() + "\n";
}

std::string PoolUrl::text() const {
  const std::string h = host.find(':') != std::string::npos ? "[" + host + "]" : host;
  return (tls ? "stratum+tls://" : "stratum+tcp://") + h + ":" + std::to_string(port);
}

Result<PoolUrl> parse_pool_url(std::string_view url) {
  const auto bad = [url](const char* why) {
    return fail(Status::bad_config, "pool " + printable(url) + ": " + why,
                "stratum+tcp://HOST:PORT, or stratum+tls://HOST:PORT for TLS");
  };
  PoolUrl out;
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos) return bad("has no scheme");
  const std::string_view scheme = url.substr(0, colon);
  if (scheme == "stratum+tls" || scheme == "stratum+ssl") {
    out.tls = true;
  } else if (scheme != "stratum+tcp") {
    return bad("the scheme is not known");
  }
  std::string_view rest = url.substr(colon + 3);
  if (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
  if (rest.find_first_of("/@?# \t") != std::string_view::npos) return bad("only host and port may follow the scheme");
  const std::size_t port = rest.rfind(':');
  if (port == std::string_view::npos || port + 1 == rest.size()) return bad("the port is missing");
  std::string_view host = rest.substr(0, port);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad("an IPv6 address needs brackets");
  }
  if (host.empty() || host.size() > 253) return bad("the host is missing");
  const std::string_view digits = rest.substr(port + 1);
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
  if (ec != std::errc() || end != digits.data() + digits.size() || out.port == 0)
    return bad("the port is not 1..65535");
  out.host = host;
  return out;
}

}  // namespace sparkmill::mining::stratum
