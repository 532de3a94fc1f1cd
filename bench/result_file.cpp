// SPDX-License-Identifier: Apache-2.0
#include "bench/result_file.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace sparkmill::bench {
namespace {

using nlohmann::json;
constexpr std::uint64_t kMaxFile = 64u << 20;
constexpr std::size_t kMaxName = 200;
constexpr int kSchema = 1;

/// Remembers the first field that was not as it must be; what is read after that is default values.
class Reader {
 public:
  explicit Reader(std::string path) : path_(std::move(path)) {}
  bool failed() const { return error_.has_value(); }
  Error error() const { return *error_; }
  void refuse(const std::string& field, const std::string& why) {
    if (failed()) return;
    error_ = fail(Status::bad_input, path_ + ": field \"" + field + "\": " + why,
                  "write result files with: sparkmill bench --json FILE");
  }

  const json* member(const json& object, const std::string& where, const char* key) {
    if (failed()) return nullptr;
    const auto at = object.find(key);
    if (at != object.end()) return &*at;
    refuse(where + key, "missing");
    return nullptr;
  }
  const json* list(const json& object, const char* key) {
    const json* value = member(object, "", key);
    if (value == nullptr || value->is_array()) return value;
    refuse(key, "not a list");
    return nullptr;
  }
  std::string text(const json& object, const std::string& where, const char* key) {
    const json* value = member(object, where, key);
    if (value == nullptr) return {};
    if (!value->is_string() || value->get_ref<const std::string&>().empty()) {
      refuse(where + key, "not a text");
      return {};
    }
    if (value->get_ref<const std::string&>().size() > kMaxName) {
      refuse(where + key, "longer than " + std::to_string(kMaxName) + " bytes");
      return {};
    }
    return *value;
  }
  double number(const json& object, const std::string& where, const char* key) {
    const json* value = member(object, where, key);
    if (value == nullptr) return 0;
    if (!value->is_number() || !std::isfinite(value->get<double>())) {
      refuse(where + key, "not a number");
      return 0;
    }
    return *value;
  }

 private:
  std::string path_;
  std::optional<Error> error_;
};

std::string gibibytes(double bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GiB", bytes / (1u << 30));
  return text;
}

/// A scalar or a list of scalars as text; what a system did not show is "not known".
std::string show(const json& value) {
  if (value.is_string()) return value;
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number_integer()) return value.dump();
  if (value.is_number()) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value.get<double>());
    return text;
  }
  std::string text;
  if (value.is_array()) {
    for (const json& v : value) {
      if (!v.is_structured()) text += (text.empty() ? "" : ", ") + show(v);
    }
  }
  return text.empty() ? "not known" : text;
}

std::vector<Fact> facts(const json& object) {
  std::vector<Fact> list;
  for (const auto& [key, value] : object.items()) {
    if (value.is_object() || (value.is_array() && !value.empty() && value[0].is_object())) continue;
    constexpr std::string_view kBytes = "_bytes";
    if (key.ends_with(kBytes) && value.is_number()) {
      list.push_back({key.substr(0, key.size() - kBytes.size()), gibibytes(value)});
    } else {
      list.push_back({key, show(value)});
    }
  }
  return list;
}

Machine machine(Reader& in, const json& root) {
  Machine m;
  const json* card = in.member(root, "", "machine");
  if (card == nullptr) return m;
  if (!card->is_object()) {
    in.refuse("machine", "not an object");
    return m;
  }
  m.facts = facts(*card);
  const auto devices = card->find("devices");
  if (devices == card->end()) return m;
  if (!devices->is_array()) {
    in.refuse("machine.devices", "not a list");
    return m;
  }
  for (std::size_t i = 0; i < devices->size() && !in.failed(); ++i) {
    const std::string where = "machine.devices[" + std::to_string(i) + "]";
    const json& d = (*devices)[i];
    if (!d.is_object()) {
      in.refuse(where, "not an object");
    } else {
      m.devices.push_back(in.text(d, where + ".", "name"));
    }
  }
  return m;
}

/// Calls read(object, "rows[3].") for each element.
template <class Read>
void each(Reader& in, const json* list, const std::string& key, Read read) {
  for (std::size_t i = 0; list != nullptr && i < list->size() && !in.failed(); ++i) {
    const std::string where = key + "[" + std::to_string(i) + "]";
    if ((*list)[i].is_object()) {
      read((*list)[i], where + ".");
    } else {
      in.refuse(where, "not an object");
    }
  }
}

Measured measured(Reader& in, const json& row, const std::string& where) {
  Measured m{in.text(row, where, "name"), in.number(row, where, "median"), in.number(row, where, "spread"), 0};
  if (m.spread < 0) in.refuse(where + "spread", "below zero");
  const auto samples = row.find("samples");
  if (samples != row.end() && !samples->is_array()) in.refuse(where + "samples", "not a list");
  if (samples != row.end()) m.samples = samples->size();
  return m;
}

Goal goal(Reader& in, const json& row, const std::string& where) {
  Goal g{in.text(row, where, "name"), 0, row.contains("at_least"), in.number(row, where, "median"), false};
  g.bound = in.number(row, where, g.at_least ? "at_least" : "at_most");
  const json* met = in.member(row, where, "met");
  if (met != nullptr && !met->is_boolean()) in.refuse(where + "met", "neither true nor false");
  if (met != nullptr && met->is_boolean()) g.met = *met;
  return g;
}

}  // namespace

std::string_view Machine::fact(std::string_view name) const {
  const auto at = std::find_if(facts.begin(), facts.end(), [&](const Fact& f) { return f.name == name; });
  return at == facts.end() ? std::string_view() : std::string_view(at->text);
}

const Measured* ResultFile::find(std::string_view name) const {
  const auto at = std::find_if(rows.begin(), rows.end(), [&](const Measured& m) { return m.name == name; });
  return at == rows.end() ? nullptr : &*at;
}

Result<ResultFile> parse_results(const std::string& path, const std::string& text) {
  Reader in(path);
  json root;
  try {
    root = json::parse(text);
  } catch (const json::parse_error& e) {
    return fail(Status::bad_input, path + ": not JSON: byte " + std::to_string(e.byte) + " cannot stand there",
                "write result files with: sparkmill bench --json FILE");
  }
  if (!root.is_object()) {
    return fail(Status::bad_input, path + ": not a result file (the JSON is no object)",
                "write one with: sparkmill bench --json FILE");
  }
  const double schema = in.number(root, "", "schema");
  if (schema != kSchema) in.refuse("schema", "not " + std::to_string(kSchema) + ", the only one this program reads");
  ResultFile file;
  file.path = path;
  file.machine = machine(in, root);
  if (root.value("what", json()) == "pipeline") {
    file.pipeline = facts(root);
    std::erase_if(file.pipeline, [](const Fact& f) { return f.name == "schema" || f.name == "what"; });
  } else {
    each(in, in.list(root, "rows"), "rows",
         [&](const json& row, const std::string& where) { file.rows.push_back(measured(in, row, where)); });
    each(in, in.list(root, "ratios"), "ratios",
         [&](const json& row, const std::string& where) { file.goals.push_back(goal(in, row, where)); });
  }
  if (in.failed()) return in.error();
  return file;
}

Result<ResultFile> read_results(const std::string& path) {
  SPARKMILL_ASSIGN(const std::string text, read_text_file(path, kMaxFile));
  return parse_results(path, text);
}

std::string machine_difference(const Machine& a, const Machine& b) {
  std::string text;
  for (const char* name : {"cpu", "cpu_family", "cpu_model", "cores", "virtual"}) {
    const auto x = a.fact(name), y = b.fact(name);
    if (x == y) continue;
    text +=
        (text.empty() ? "" : "; ") + std::string(name) + ": \"" + std::string(x) + "\" and \"" + std::string(y) + "\"";
  }
  const auto names = [](const Machine& m) {
    std::string list;
    for (const std::string& name : m.devices) list += (list.empty() ? "" : ", ") + name;
    return list;
  };
  if (a.devices != b.devices) text += (text.empty() ? "" : "; ") + ("devices: " + names(a)) + " and " + names(b);
  return text;
}

}  // namespace sparkmill::bench
