// SPDX-License-Identifier: Apache-2.0
#include "node/protocol/boinc.h"

#include <array>
#include <charconv>

#include "base/hex.h"
#include "node/protocol/json_reader.h"

namespace sparkmill::protocol {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMessageBytes = 64u << 10;
constexpr std::size_t kListBytes = 1u << 20;
constexpr std::size_t kMaxOwnershipMessage = 512;
constexpr std::size_t kMaxSignatureText = 2048;  // RSA of at most 12,288 bits
constexpr std::uint64_t kMax63 = (std::uint64_t{1} << 63) - 1;
constexpr std::string_view kOwnershipPrefix = "sparkmill-boinc-v1 ";

std::string dump(const Json& j) { return j.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// Takes "key=value" and the space after it off the front; empty when it is not there.
std::string_view take(std::string_view& text, std::string_view key) {
  if (text.substr(0, key.size()) != key) return {};
  text.remove_prefix(key.size());
  const std::string_view value = text.substr(0, text.find(' '));
  text.remove_prefix(value.size());
  if (!text.empty()) text.remove_prefix(1);
  return value;
}

std::string decoded(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, char>, 6> kEntities = {
      {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#039;", '\''}, {"&apos;", '\''}}};
  std::string out;
  while (!text.empty()) {
    bool found = false;
    for (const auto& [entity, c] : kEntities) {
      if (text.substr(0, entity.size()) != entity) continue;
      out += c;
      text.remove_prefix(entity.size());
      found = true;
      break;
    }
    if (found) continue;
    out += text.front();
    text.remove_prefix(1);
  }
  return out;
}

std::string trimmed(std::string_view s) {
  const std::size_t first = s.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return std::string(s.substr(first, s.find_last_not_of(" \t\r\n") - first + 1));
}

/// Reads `field`, a list of objects, through `read`.
template <class T, class F>
Result<std::vector<T>> read_list(std::string_view text, const char* what, const char* field, F&& read) {
  SPARKMILL_ASSIGN(const nlohmann::json j, parse_object(text, what, kListBytes));
  ObjectReader r(j, what);
  const nlohmann::json* list = r.list(field, 4096);
  SPARKMILL_TRY(r.finish());
  std::vector<T> out;
  for (const auto& item : *list) {
    if (!item.is_object())
      return fail(Status::bad_input, std::string(what) + "." + field + ": an item is not an object");
    ObjectReader fields(item, std::string(what) + "." + field);
    T m;
    read(fields, m);
    SPARKMILL_TRY(fields.finish());
    out.push_back(std::move(m));
  }
  return out;
}

template <class E, std::size_t N>
E named(const std::string& text, const std::array<E, N>& states, bool& known) {
  for (const E state : states) {
    if (name(state) == text) return state;
  }
  known = false;
  return states[0];
}

constexpr std::array kBindingStates = {BindingState::pending, BindingState::confirmed};
constexpr std::array kCreditStates = {CreditState::pending, CreditState::credited, CreditState::refused};

}  // namespace

Done check_project_url(std::string_view url) {
  const auto wrong = [&](const char* why) {
    return fail(Status::bad_input, "project: " + std::string(url.substr(0, kMaxProjectUrl)) + " " + why,
                "write the master URL as the BOINC client shows it: https://project.example/path/");
  };
  if (url.size() > kMaxProjectUrl) return wrong("is longer than 256 bytes");
  std::string_view rest = url;
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (rest.substr(0, scheme.size()) == scheme) rest.remove_prefix(scheme.size());
  }
  if (rest.size() == url.size()) return wrong("does not begin with https:// or http://");
  if (rest.size() < 2 || rest.front() == '/' || rest.back() != '/') return wrong("has no host or no slash at its end");
  if (rest.find("//") != std::string_view::npos) return wrong("has a doubled slash");
  for (const char c : rest) {
    if (c <= ' ' || c > '~' || std::string_view("<>\"'?#\\").find(c) != std::string_view::npos) {
      return wrong("has a character that no master URL has");
    }
  }
  return done();
}

std::string format(const OwnershipText& t) {
  return std::string(kOwnershipPrefix) + "cpid=" + to_hex(t.cpid) + " worker=" + to_hex(t.worker_pub) +
         " node=" + to_hex(t.node_pub) + " time=" + std::to_string(t.time_s);
}

Result<OwnershipText> parse_ownership_text(std::string_view text) {
  const Error bad = fail(Status::bad_input,
                         "the signed text is not of the form \"sparkmill-boinc-v1 cpid=.. worker=.. node=.. time=..\"",
                         "docs/boinc-credit.md gives the text that the project has to sign");
  std::string_view left = text;
  if (left.substr(0, kOwnershipPrefix.size()) != kOwnershipPrefix) return bad;
  left.remove_prefix(kOwnershipPrefix.size());
  OwnershipText out;
  const auto cpid = array_from_hex<16>(take(left, "cpid="));
  const auto worker = array_from_hex<32>(take(left, "worker="));
  const auto node = array_from_hex<32>(take(left, "node="));
  const std::string_view time = take(left, "time=");
  const auto [end, code] = std::from_chars(time.data(), time.data() + time.size(), out.time_s);
  if (!cpid || !worker || !node || code != std::errc() || end != time.data() + time.size()) return bad;
  out.cpid = *cpid;
  out.worker_pub = *worker;
  out.node_pub = *node;
  // One meaning, one text: also refuses upper-case hex, leading zeros and anything that follows.
  if (out.time_s > kMax63 || format(out) != text) return bad;
  return out;
}

Result<BoincBinding> binding_from_page(std::string_view page) {
  if (page.size() > kListBytes) return fail(Status::too_large, "ownership page: more than 1 MiB");
  // The box is text inside a page: browsers hand it out plain, a saved page has its tags escaped or not.
  std::string plain(page);
  if (plain.find("<account_ownership_verification>") == std::string::npos) plain = decoded(plain);
  const std::size_t begin = plain.find("<account_ownership_verification>");
  const std::string_view box = begin == std::string::npos ? std::string_view() : std::string_view(plain).substr(begin);
  Error missing;
  const auto part = [&](const std::string& tag) -> std::string {
    const std::size_t open = box.find("<" + tag + ">");
    const std::size_t from = open + tag.size() + 2;
    const std::size_t end = open == std::string_view::npos ? open : box.find("</" + tag + ">", from);
    if (end == std::string_view::npos) {
      missing = fail(Status::bad_input, "ownership page: no <" + tag + "> in it",
                     "save the whole text of the box that account_ownership.php shows");
      return {};
    }
    return trimmed(decoded(box.substr(from, end - from)));
  };
  BoincBinding out;
  out.signature = part("signature");
  out.message = part("msg");
  out.project = part("master_url");
  if (!missing.message.empty()) return missing;
  std::erase_if(out.signature, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
  if (out.message.size() > kMaxOwnershipMessage || out.signature.size() > kMaxSignatureText) {
    return fail(Status::too_large, "ownership page: its message or signature is too long");
  }
  SPARKMILL_TRY(check_project_url(out.project));
  return out;
}

std::string_view name(BindingState state) { return state == BindingState::confirmed ? "confirmed" : "pending"; }

std::string_view name(CreditState state) {
  switch (state) {
    case CreditState::pending: return "pending";
    case CreditState::credited: return "credited";
    case CreditState::refused: return "refused";
  }
  return "pending";
}

std::string to_json(const BoincBinding& m) {
  return dump(Json{{"project", m.project}, {"message", m.message}, {"signature", m.signature}});
}

Result<BoincBinding> boinc_binding_from_json(std::string_view text) {
  SPARKMILL_ASSIGN(const nlohmann::json j, parse_object(text, "binding", kMessageBytes));
  SPARKMILL_TRY(only_members(j, {"project", "message", "signature"}, "binding"));
  ObjectReader r(j, "binding");
  BoincBinding m;
  m.project = r.text("project", kMaxProjectUrl);
  m.message = r.text("message", kMaxOwnershipMessage);
  m.signature = r.text("signature", kMaxSignatureText);
  SPARKMILL_TRY(r.finish());
  SPARKMILL_TRY(check_project_url(m.project));
  return m;
}

std::string to_json(const BoincReceipts& m) {
  Json out = Json::array();
  for (const Bytes& bytes : m.receipts) out.push_back(to_hex(bytes));
  return dump(Json{{"receipts", std::move(out)}});
}

Result<BoincReceipts> boinc_receipts_from_json(std::string_view text) {
  SPARKMILL_ASSIGN(const nlohmann::json j, parse_object(text, "receipts", kMaxBoincBatch * (2 * kMaxReceiptBytes + 8)));
  SPARKMILL_TRY(only_members(j, {"receipts"}, "receipts"));
  ObjectReader r(j, "receipts");
  const std::vector<std::string> list = r.texts("receipts", kMaxBoincBatch, 2 * kMaxReceiptBytes);
  SPARKMILL_TRY(r.finish());
  BoincReceipts out;
  for (const std::string& hex : list) {
    SPARKMILL_ASSIGN(Bytes bytes, from_hex(hex, "receipts.receipts[" + std::to_string(out.receipts.size()) + "]"));
    out.receipts.push_back(std::move(bytes));
  }
  return out;
}

std::string to_json(const std::vector<BoincBindingInfo>& list) {
  Json out = Json::array();
  for (const BoincBindingInfo& m : list) {
    out.push_back(Json{{"project", m.project},
                       {"user_id", m.user_id},
                       {"cpid", to_hex(m.cpid)},
                       {"worker_pub", to_hex(m.worker_pub)},
                       {"time_s", m.time_s},
                       {"state", std::string(name(m.state))},
                       {"reason", m.reason},
                       {"total_micro", m.total_micro},
                       {"credit_microcobble", m.credit_microcobble}});
  }
  return dump(Json{{"bindings", std::move(out)}});
}

Result<std::vector<BoincBindingInfo>> boinc_bindings_from_json(std::string_view text) {
  bool known = true;
  auto out = read_list<BoincBindingInfo>(text, "bindings", "bindings", [&](ObjectReader& r, BoincBindingInfo& m) {
    m.project = r.text("project", kMaxProjectUrl);
    m.user_id = r.integer("user_id", 1, kMax63);
    m.cpid = r.array<16>("cpid");
    m.worker_pub = r.array<32>("worker_pub");
    m.time_s = r.integer("time_s", 0, kMax63);
    m.state = named(r.text("state", 16), kBindingStates, known);
    m.reason = r.text("reason", 256);
    m.total_micro = r.integer("total_micro", 0, kMax63);
    m.credit_microcobble = r.integer("credit_microcobble", 0, kMax63);
  });
  if (out && !known) return fail(Status::bad_input, "bindings.bindings.state: not pending or confirmed");
  return out;
}

std::string to_json(const std::vector<CreditAnswer>& list) {
  Json out = Json::array();
  for (const CreditAnswer& m : list) {
    out.push_back(Json{{"project", m.project},
                       {"result", m.result},
                       {"state", std::string(name(m.state))},
                       {"reason", m.reason},
                       {"receipt_id", to_hex(m.receipt_id)}});
  }
  return dump(Json{{"answers", std::move(out)}});
}

Result<std::vector<CreditAnswer>> credit_answers_from_json(std::string_view text) {
  bool known = true;
  auto out = read_list<CreditAnswer>(text, "answers", "answers", [&](ObjectReader& r, CreditAnswer& m) {
    m.project = r.text("project", kMaxProjectUrl);
    m.result = r.text("result", kMaxResultName);
    m.state = named(r.text("state", 16), kCreditStates, known);
    m.reason = r.text("reason", 256);
    m.receipt_id = r.array<16>("receipt_id");
  });
  if (!out) return out;
  if (!known) return fail(Status::bad_input, "answers.answers.state: not pending, credited or refused");
  return out;
}

}  // namespace sparkmill::protocol
