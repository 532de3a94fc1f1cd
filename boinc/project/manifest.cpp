// SPDX-License-Identifier: Apache-2.0
#include "boinc/project/manifest.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"
#include "base/hex.h"
#include "base/log.h"

namespace sparkmill::boinc::project {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::uint64_t kMaxManifest = 64u << 20;
constexpr std::size_t kMaxUnits = 100'000;
constexpr std::size_t kMaxFiles = 64;

/// Thrown inside this file only.
struct Bad {
  std::string what;
};

/// One JSON object, read by name; what nobody asked for is an error, since it is most likely a mistyped name.
class Fields {
 public:
  Fields(const json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) throw Bad{where_ + ": is not an object"};
  }
  std::string text(const char* name, std::optional<std::string> otherwise = {}) {
    const json* v = member(name, otherwise.has_value());
    if (v == nullptr) return *otherwise;
    if (!v->is_string()) throw Bad{where_ + "." + name + ": is not a text"};
    return v->get<std::string>();
  }
  double number(const char* name, double least, double most, std::optional<double> otherwise = {}) {
    const json* v = member(name, otherwise.has_value());
    if (v == nullptr) return *otherwise;
    if (!v->is_number()) throw Bad{where_ + "." + name + ": is not a number"};
    const double out = v->get<double>();
    if (!(out >= least && out <= most)) throw Bad{where_ + "." + name + ": out of range"};
    return out;
  }
  template <class Int>
  Int integer(const char* name, double least, double most, std::optional<double> otherwise = {}) {
    return static_cast<Int>(std::llround(number(name, least, most, otherwise)));
  }
  bool flag(const char* name) {
    const json* v = member(name, true);
    if (v == nullptr) return false;
    if (!v->is_boolean()) throw Bad{where_ + "." + name + ": is neither true nor false"};
    return v->get<bool>();
  }
  const json& list(const char* name, std::size_t most, bool may_lack = false) {
    static const json none = json::array();
    const json* v = member(name, may_lack);
    if (v == nullptr) return none;
    if (!v->is_array() || v->size() > most) {
      throw Bad{where_ + "." + name + ": is not a list of at most " + std::to_string(most)};
    }
    return *v;
  }
  const json& object(const char* name) { return *member(name, false); }
  /// A member that says nothing to us.
  void skip(const char* name) { member(name, true); }
  void end() const {
    for (const auto& [key, value] : object_.items()) {
      if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) {
        throw Bad{where_ + ": unknown member '" + key.substr(0, 40) + "'"};
      }
    }
  }

 private:
  const json* member(const char* name, bool may_lack) {
    asked_.emplace_back(name);
    const auto it = object_.find(name);
    if (it != object_.end()) return &*it;
    if (!may_lack) throw Bad{where_ + ": '" + name + "' is missing"};
    return nullptr;
  }
  const json& object_;
  std::string where_;
  std::vector<std::string> asked_;
};

Manifest::Planned read_unit(const json& object, const std::string& app, const fs::path& folder,
                            const std::string& where) {
  constexpr double kMost = 9e18;
  Manifest::Planned out;
  UnitSpec& u = out.unit;
  Fields f(object, where);
  u.name = f.text("name");
  u.app = app;
  u.command_line = f.text("command_line", "");
  u.batch = f.integer<std::int64_t>("batch", 0, 2e9, 0);
  u.fpops_est = f.integer<std::int64_t>("rsc_fpops_est", 1, kMost);
  u.fpops_bound = f.integer<std::int64_t>("rsc_fpops_bound", 1, kMost);
  u.memory_bytes = f.integer<std::int64_t>("rsc_memory_bound", 1, kMost);
  u.disk_bytes = f.integer<std::int64_t>("rsc_disk_bound", 1, kMost);
  u.delay_s = f.integer<std::int64_t>("delay_bound", 1, 4e7);
  u.credit_microcobble = std::llround(f.number("credit", 0, 1e6) * 1e6);
  Limits& l = u.limits;
  l.quorum = f.integer<std::uint32_t>("min_quorum", 1, 100, 1);
  l.target = f.integer<std::uint32_t>("target_nresults", 1, 100, l.quorum);
  l.max_error = f.integer<std::uint32_t>("max_error_results", 0, 100, 3);
  l.max_total = f.integer<std::uint32_t>("max_total_results", 1, 100, 10);
  l.max_success = f.integer<std::uint32_t>("max_success_results", 1, 100, 6);
  for (const json& in : f.list("files", kMaxFiles)) {
    Fields i(in, where + ".files");
    InputFile file;
    const fs::path source = folder / i.text("path");
    file.name = i.text("name", source.filename().string());
    file.open_name = i.text("open_name", "");
    file.copy = i.flag("copy_file");
    i.skip("bytes");  // counted when it is staged
    i.end();
    u.inputs.push_back(std::move(file));
    out.sources.push_back(source);
  }
  Fields o(f.object("output"), where + ".output");
  u.outputs.push_back({o.text("open_name"), o.integer<std::uint64_t>("max_nbytes", 1, 1e12), false});
  o.end();
  for (const char* of_the_job : {"index", "units"}) f.skip(of_the_job);
  f.end();
  return out;
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view text, const fs::path& folder) {
  const json all = json::parse(text.begin(), text.end(), nullptr, false);
  if (all.is_discarded()) return fail(Status::bad_input, "manifest: is not JSON");
  Manifest out;
  try {
    Fields f(all, "manifest");
    const json& units = f.list("units", kMaxUnits, true);
    if (!units.empty()) {
      f.integer<int>("version", 1, 1);
      const std::string app = f.text("app");
      for (const char* of_the_job : {"job", "kind"}) f.skip(of_the_job);
      std::size_t i = 0;
      for (const json& u : units) out.units.push_back(read_unit(u, app, folder, "units[" + std::to_string(i++) + "]"));
    }
    for (const json& c : f.list("cancel", kMaxUnits, true)) {
      if (!c.is_string()) throw Bad{"manifest.cancel: is not a list of names"};
      out.cancel.push_back(c.get<std::string>());
    }
    for (const json& c : f.list("reissue", kMaxUnits, true)) {
      if (!c.is_string()) throw Bad{"manifest.reissue: is not a list of names"};
      out.reissue.push_back(c.get<std::string>());
    }
    f.end();
  } catch (const Bad& bad) {
    return fail(Status::bad_input, bad.what, "docs/boinc-demo.md lists the members");
  } catch (const json::exception& e) {
    return fail(Status::bad_input, std::string("manifest: ") + e.what());
  }
  return out;
}

Result<std::size_t> take_in(const Manifest& manifest, const Downloads& downloads, Books& books) {
  std::size_t fresh = 0;
  for (const Manifest::Planned& planned : manifest.units) {
    UnitSpec unit = planned.unit;
    for (std::size_t i = 0; i < unit.inputs.size(); ++i) {
      auto sum = downloads.add(unit.inputs[i].name, planned.sources[i]);
      if (!sum) return fail(sum.status(), "work unit " + unit.name + ": " + sum.error().message, sum.error().hint);
      unit.inputs[i].nbytes = sum->nbytes;
      unit.inputs[i].md5 = sum->md5;
    }
    const Done added = books.add_unit(unit);
    if (added) ++fresh;
    if (!added && added.status() != Status::duplicate) return added.error();
  }
  for (const std::string& name : manifest.cancel) SPARKMILL_TRY(books.cancel_unit(name));
  for (const std::string& name : manifest.reissue) SPARKMILL_TRY(books.reissue_unit(name));
  return fresh;
}

Done Spool::take_all(const Downloads& downloads, Books& books) const {
  std::vector<fs::path> waiting;
  std::error_code ec;
  for (fs::directory_iterator it(folder_, ec), end; !ec && it != end; it.increment(ec)) {
    if (it->path().extension() == ".json" && it->is_regular_file(ec)) waiting.push_back(it->path());
  }
  std::sort(waiting.begin(), waiting.end());
  for (const fs::path& file : waiting) {
    Result<std::size_t> taken = std::size_t{0};
    const auto text = read_text_file(file, kMaxManifest);
    if (!text) {
      taken = text.error();
    } else if (const auto manifest = parse_manifest(*text, folder_); !manifest) {
      taken = manifest.error();
    } else {
      taken = take_in(*manifest, downloads, books);
    }
    if (!taken && (taken.status() == Status::no_space || taken.status() == Status::io_error)) return taken.error();
    const fs::path past = folder_ / (taken ? "done" : "refused");
    fs::create_directories(past, ec);
    if (taken) {
      log::get("project")->info("{}: {} new work unit(s)", file.filename().string(), *taken);
    } else {
      log::get("project")->error("{}: {}", file.string(), taken.error().message);
      const std::string why = taken.error().message + "\n" + taken.error().hint + "\n";
      SPARKMILL_TRY(write_file_atomic(past / (file.filename().string() + ".txt"), view(why)));
    }
    fs::rename(file, past / file.filename(), ec);
    if (ec)
      return fail(Status::io_error, file.string() + ": cannot be moved to " + past.string() + ": " + ec.message());
  }
  return done();
}

Result<std::string> Spool::put(const std::string& text) const {
  std::error_code ec;
  fs::create_directories(folder_, ec);
  const std::string name = to_hex(random_array<8>()) + ".json";
  SPARKMILL_TRY(write_file_atomic(folder_ / name, view(text), 0600));
  return name;
}

Result<std::string> Spool::leave(const fs::path& manifest) const {
  SPARKMILL_ASSIGN(const std::string text, read_text_file(manifest, kMaxManifest));
  const fs::path folder = fs::absolute(manifest).parent_path();
  const auto parsed = parse_manifest(text, folder);
  if (!parsed) return fail(parsed.status(), manifest.string() + ": " + parsed.error().message, parsed.error().hint);
  json all = json::parse(text);
  if (all.contains("units")) {
    for (json& unit : all["units"]) {
      for (json& input : unit["files"]) {
        const std::string path = input["path"];
        input["path"] = (folder / path).string();
      }
    }
  }
  return put(all.dump());
}

Result<std::string> Spool::leave_names(const std::string& verb, const std::vector<std::string>& units) const {
  return put(json{{verb, units}}.dump(-1, ' ', true, json::error_handler_t::replace));
}

std::optional<Done> Spool::fate(const std::string& name) const {
  std::error_code ec;
  if (fs::exists(folder_ / "done" / name, ec)) return done();
  if (!fs::exists(folder_ / "refused" / name, ec)) return {};
  const auto why = read_text_file(folder_ / "refused" / (name + ".txt"), 1u << 16);
  const std::string text = why ? *why : "refused\n";
  const std::size_t line = text.find('\n');
  std::string hint = line == std::string::npos ? "" : text.substr(line + 1);
  while (!hint.empty() && hint.back() == '\n') hint.pop_back();
  return fail(Status::bad_input, text.substr(0, line), hint);
}

}  // namespace sparkmill::boinc::project
