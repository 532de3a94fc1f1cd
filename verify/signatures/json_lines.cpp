// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/json_lines.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/hex.h"
#include "verify/signatures/ecdsa.h"

namespace sparkmill::signatures {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxLineBytes = 2 * kMaxMessageBytes + (std::size_t{64} << 10);
constexpr std::size_t kReadBytes = std::size_t{256} << 10;
constexpr std::string_view kKnown[] = {"scheme", "policy",  "key",          "signature", "r",       "s",
                                       "v",      "message", "message_text", "id",        "comment", "address"};

/// A flat object without repeated members.
Result<Json> parse_line(const std::string& line) {
  std::set<std::string> seen;
  std::string twice;
  bool deep = false;
  const auto look = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::key && depth == 1 && !seen.insert(parsed.get<std::string>()).second) {
      twice = parsed.get<std::string>();
    }
    const bool opens = event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    deep = deep || (opens && depth > 0);
    return !deep;
  };
  Json out = Json::parse(line, look, false);
  if (deep) return fail(Status::bad_input, "objects and lists inside the object", "members are text or numbers");
  if (out.is_discarded() || !out.is_object()) {
    return fail(Status::bad_input, "is no JSON object",
                "an object a line, for example {\"key\":\"..\",\"signature\":\"..\"}");
  }
  if (!twice.empty()) return fail(Status::bad_input, "member \"" + twice.substr(0, 40) + "\" stands twice");
  for (const auto& [name, value] : out.items()) {
    if (std::find(std::begin(kKnown), std::end(kKnown), name) == std::end(kKnown)) {
      return fail(Status::bad_input, "member \"" + name.substr(0, 40) + "\" is not known",
                  "scheme, policy, key (or address), signature (or r, s, v), message (or message_text), id, comment");
    }
  }
  return out;
}

Result<std::string> text_of(const Json& object, const char* member) {
  const auto it = object.find(member);
  if (it == object.end()) return fail(Status::bad_input, "member \"" + std::string(member) + "\" is missing");
  if (!it->is_string()) return fail(Status::bad_input, "member \"" + std::string(member) + "\" is no text");
  return it->get<std::string>();
}

Result<Bytes> hex_of(const Json& object, const char* member) {
  SPARKMILL_ASSIGN(std::string hex, text_of(object, member));
  if (hex.rfind("0x", 0) == 0) hex.erase(0, 2);
  auto bytes = from_hex(hex, std::string("member \"") + member + "\"");
  if (!bytes) return fail(Status::bad_input, bytes.error().message, "hex digits, two for each byte");
  return bytes;
}

/// r and s of up to 64 hex digits, v a number or hex, as the form packs them.
Result<Bytes> signature_of_parts(const Form& form, const Json& object) {
  Bytes out;
  const auto append = [&](Bytes number, std::size_t width, const char* member) -> Done {
    const auto zeros = std::find_if(number.begin(), number.end(), [](std::uint8_t b) { return b != 0; });
    number.erase(number.begin(), zeros);
    if (number.size() > width) {
      return fail(Status::bad_input,
                  std::string("member \"") + member + "\" has more than " + std::to_string(width) + " bytes");
    }
    out.resize(out.size() + width - number.size());
    out.insert(out.end(), number.begin(), number.end());
    return done();
  };
  for (const char* member : {"r", "s"}) {
    SPARKMILL_ASSIGN(Bytes number, hex_of(object, member));
    SPARKMILL_TRY(append(std::move(number), 32, member));
  }
  if (form.signature_bytes == 0) return encode_der(out);
  if (form.signature_bytes <= 64) return out;
  const auto v = object.find("v");
  if (v == object.end()) return fail(Status::bad_input, "member \"v\" is missing");
  Bytes number;
  if (v->is_number_unsigned()) {
    for (int shift = 56; shift >= 0; shift -= 8) {
      number.push_back(static_cast<std::uint8_t>(v->get<std::uint64_t>() >> shift));
    }
  } else {
    SPARKMILL_ASSIGN(number, hex_of(object, "v"));
  }
  SPARKMILL_TRY(append(std::move(number), form.signature_bytes - 64, "v"));
  return out;
}

Result<Bytes> signature_of(const Form& form, const Json& object) {
  if (!object.contains("signature") && object.contains("r")) return signature_of_parts(form, object);
  SPARKMILL_ASSIGN(Bytes out, hex_of(object, "signature"));
  if (form.signature_bytes == 96 && out.size() == 65) out.insert(out.begin() + 64, 31, 0);  // v as a word
  const bool tron = form.has_public_keys() && is_tron(static_cast<Caller>(form.policy));
  if (tron && form.signature_bytes == 65 && out.size() > 65) out.resize(65);  // TRON ignores what follows
  return out;
}

Done add_line(const Form& form, const Json& object, ItemList& list) {
  for (const auto& [member, name] : {std::pair{"scheme", form.scheme_name}, std::pair{"policy", form.policy_name}}) {
    if (!object.contains(member)) continue;
    SPARKMILL_ASSIGN(const std::string said, text_of(object, member));
    if (said != name) {
      return fail(Status::bad_input,
                  "member \"" + std::string(member) + "\" is '" + said.substr(0, 40) + "', this stream has '" +
                      std::string(name) + "'",
                  "one stream has one scheme and policy; split the file");
    }
  }
  Bytes key;
  if (form.key_bytes != 0) {
    const bool address = form.scheme == Scheme::ecdsa_address && object.contains("address");
    SPARKMILL_ASSIGN(key, hex_of(object, address ? "address" : "key"));
  } else if (object.contains("key")) {
    return fail(Status::bad_input, "member \"key\": " + std::string(form.scheme_name) + " has no key");
  }
  SPARKMILL_ASSIGN(const Bytes signature, signature_of(form, object));
  Bytes message;
  if (object.contains("message_text")) {
    if (object.contains("message")) return fail(Status::bad_input, "both \"message\" and \"message_text\"");
    SPARKMILL_ASSIGN(const std::string words, text_of(object, "message_text"));
    message.assign(words.begin(), words.end());
  } else {
    SPARKMILL_ASSIGN(message, hex_of(object, "message"));
  }
  return list.add(key, signature, message);
}

}  // namespace

Result<std::optional<std::string>> JsonLinesReader::line() {
  std::size_t searched = begin_;
  while (true) {
    const auto end = buffer_.find('\n', searched);
    if (end == std::string::npos && !ended_) {
      searched = buffer_.size() - begin_;
      buffer_.erase(0, begin_);
      begin_ = 0;
      if (buffer_.size() > kMaxLineBytes) {
        return fail(Status::too_large, what_ + ": line " + std::to_string(lines_ + 1) + " has more than " +
                                           std::to_string(kMaxLineBytes) + " bytes");
      }
      const std::size_t had = buffer_.size();
      buffer_.resize(had + kReadBytes);
      SPARKMILL_ASSIGN(const std::size_t got,
                       read_({reinterpret_cast<std::uint8_t*>(buffer_.data()) + had, kReadBytes}));
      buffer_.resize(had + got);
      ended_ = got == 0;
      continue;
    }
    const std::size_t stop = std::min(end, buffer_.size());
    if (stop == buffer_.size() && begin_ >= stop) return std::optional<std::string>();
    std::string out = buffer_.substr(begin_, stop - begin_);
    begin_ = std::min(stop + 1, buffer_.size());
    searched = begin_;
    ++lines_;
    if (!out.empty() && out.back() == '\r') out.pop_back();
    if (out.find_first_not_of(" \t") != std::string::npos) return std::optional(std::move(out));
  }
}

Result<JsonLinesReader> JsonLinesReader::open(ReadSome read, std::string what, const Form* form) {
  JsonLinesReader out;
  out.read_ = std::move(read);
  out.what_ = std::move(what);
  out.form_ = form;
  SPARKMILL_ASSIGN(out.first_, out.line());
  if (form != nullptr) return out;
  const std::string where = out.what_ + ": line " + std::to_string(out.lines_) + ": ";
  if (!out.first_) {
    return fail(Status::bad_input, out.what_ + ": is empty, so it names no scheme", "--scheme and --policy name them");
  }
  const auto object = parse_line(*out.first_);
  if (!object) return fail(object.error().code, where + object.error().message, object.error().hint);
  const auto scheme = text_of(*object, "scheme");
  if (!scheme) {
    return fail(Status::bad_input, where + scheme.error().message, "the first line or --scheme names the scheme");
  }
  std::string policy;
  if (object->contains("policy")) {
    const auto said = text_of(*object, "policy");
    if (!said) return fail(Status::bad_input, where + said.error().message);
    policy = *said;
  }
  const auto found = form_named(*scheme, policy);
  if (!found) return fail(Status::bad_input, where + found.error().message, found.error().hint);
  out.form_ = *found;
  return out;
}

Done JsonLinesReader::next(ItemList& list, std::size_t max_items, std::size_t max_bytes) {
  list.clear();
  while (list.count() < max_items && list.bytes() < max_bytes) {
    std::optional<std::string> one;
    if (first_) {
      one.swap(first_);
    } else {
      SPARKMILL_ASSIGN(one, line());
    }
    if (!one) return done();
    const auto object = parse_line(*one);
    const Done added = object ? add_line(*form_, *object, list) : Done(object.error());
    if (!added) {
      return fail(Status::bad_input, what_ + ": line " + std::to_string(lines_) + ": " + added.error().message,
                  added.error().hint);
    }
    ++items_;
  }
  return done();
}

std::string json_line(const Form& form, ByteView key, ByteView signature, ByteView message, bool name_form) {
  std::string out = "{";
  if (name_form) {
    out += "\"scheme\":\"" + std::string(form.scheme_name) + "\",\"policy\":\"" + std::string(form.policy_name) + "\",";
  }
  if (form.key_bytes != 0) out += "\"key\":\"" + to_hex(key) + "\",";
  return out + "\"signature\":\"" + to_hex(signature) + "\",\"message\":\"" + to_hex(message) + "\"}\n";
}

}  // namespace sparkmill::signatures
