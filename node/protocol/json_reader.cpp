// SPDX-License-Identifier: Apache-2.0
#include "node/protocol/json_reader.h"

#include <algorithm>
#include <set>
#include <vector>

namespace sparkmill::protocol {

namespace {

constexpr std::size_t kMaxDepth = 8;

/// Looks at the tokens of a text and builds nothing. nlohmann's parser itself takes the last of several equal names,
/// which two readers may see differently; its callback could tell, but then every object that ends makes it walk all
/// that stand before it in a list, and a megabyte of "{}," takes minutes.
class Guard final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Guard(std::size_t depth) : depth_(depth) {}

  const std::string& wrong() const { return wrong_; }
  bool grammar() const { return grammar_; }  ///< the text is no JSON at all

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    return names_.back().insert(name).second || no("member \"" + name.substr(0, 64) + "\" occurs twice");
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& e) override {
    grammar_ = true;
    return no(e.what());
  }

 private:
  bool open() {
    if (names_.size() == depth_) return no("nested too deeply");
    names_.emplace_back();
    return true;
  }
  bool close() {
    names_.pop_back();
    return true;
  }
  bool no(std::string what) {
    wrong_ = std::move(what);
    return false;
  }

  const std::size_t depth_;
  std::vector<std::set<std::string>> names_;  ///< of each list or object that is open
  std::string wrong_;
  bool grammar_ = false;
};

}  // namespace

Done check_json(std::string_view text, std::string_view what, std::size_t depth) {
  Guard guard(depth);
  if (nlohmann::json::sax_parse(text.begin(), text.end(), &guard)) return done();
  return fail(Status::bad_input, std::string(what) + ": " + guard.wrong());
}

Result<nlohmann::json> parse_object(std::string_view text, std::string_view what, std::size_t limit) {
  const std::string name(what);
  if (text.size() > limit) {
    return fail(Status::too_large,
                name + ": " + std::to_string(text.size()) + " bytes, at most " + std::to_string(limit) + " allowed");
  }
  Guard guard(kMaxDepth);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &guard)) {
    if (guard.grammar())
      return fail(Status::bad_input, name + ": not valid JSON", "send UTF-8 JSON without a byte-order mark");
    return fail(Status::bad_input, name + ": " + guard.wrong());
  }
  nlohmann::json j = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (j.is_discarded())
    return fail(Status::bad_input, name + ": not valid JSON", "send UTF-8 JSON without a byte-order mark");
  if (!j.is_object()) return fail(Status::bad_input, name + ": not a JSON object");
  return j;
}

Done only_members(const nlohmann::json& object, std::initializer_list<std::string_view> known, std::string_view what) {
  for (const auto& item : object.items()) {
    if (std::find(known.begin(), known.end(), item.key()) == known.end()) {
      return fail(Status::bad_input, std::string(what) + ": unknown member \"" + item.key().substr(0, 64) + "\"");
    }
  }
  return done();
}

const nlohmann::json* ObjectReader::get(const char* field) {
  if (error_) return nullptr;
  auto it = object_.find(field);
  if (it == object_.end()) {
    set(fail(Status::bad_input, what_ + "." + field + ": missing"));
    return nullptr;
  }
  return &*it;
}

void ObjectReader::wrong(const char* field, std::string_view expected) {
  set(fail(Status::bad_input, what_ + "." + field + ": not " + std::string(expected)));
}

std::uint64_t ObjectReader::integer(const char* field, std::uint64_t min, std::uint64_t max) {
  const nlohmann::json* v = get(field);
  if (!v) return 0;
  // "is_number_unsigned" is true for every non-negative integer literal; 1.0 and 1e3 are floats and refused.
  if (!v->is_number_unsigned() || v->get<std::uint64_t>() < min || v->get<std::uint64_t>() > max) {
    wrong(field, "an integer from " + std::to_string(min) + " to " + std::to_string(max));
    return 0;
  }
  return v->get<std::uint64_t>();
}

bool ObjectReader::boolean(const char* field) {
  const nlohmann::json* v = get(field);
  if (!v) return false;
  if (!v->is_boolean()) return wrong(field, "true or false"), false;
  return v->get<bool>();
}

std::string ObjectReader::text(const char* field, std::size_t max_bytes) {
  const nlohmann::json* v = get(field);
  if (!v) return {};
  if (!v->is_string() || v->get_ref<const std::string&>().size() > max_bytes) {
    wrong(field, "a text of at most " + std::to_string(max_bytes) + " bytes");
    return {};
  }
  return v->get<std::string>();
}

const nlohmann::json* ObjectReader::list(const char* field, std::size_t max_items) {
  const nlohmann::json* v = get(field);
  if (!v) return nullptr;
  if (!v->is_array() || v->size() > max_items) {
    wrong(field, "a list of at most " + std::to_string(max_items) + " items");
    return nullptr;
  }
  return v;
}

std::vector<std::string> ObjectReader::texts(const char* field, std::size_t max_items, std::size_t max_bytes) {
  std::vector<std::string> out;
  const nlohmann::json* v = list(field, max_items);
  if (!v) return out;
  for (const auto& item : *v) {
    if (!item.is_string() || item.get_ref<const std::string&>().size() > max_bytes) {
      wrong(field, "a list of texts of at most " + std::to_string(max_bytes) + " bytes");
      return {};
    }
    out.push_back(item.get<std::string>());
  }
  return out;
}

Bytes ObjectReader::bytes(const char* field, std::size_t max_bytes) {
  const std::string hex = text(field, 2 * max_bytes);
  if (error_) return {};
  auto value = from_hex(hex, what_ + "." + field);
  if (!value) return set(value.error()), Bytes{};
  return *value;
}

}  // namespace sparkmill::protocol
