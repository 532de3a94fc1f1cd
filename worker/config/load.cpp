// SPDX-License-Identifier: Apache-2.0
// Reading, checking and layering the settings.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/file.h"
#include "base/http/client.h"
#include "worker/config/config.h"
#include "worker/config/nearest.h"

extern char** environ;

namespace sparkmill::config {

namespace {

constexpr std::uint64_t kFileLimit = 1u << 20;
constexpr std::size_t kTextLimit = 4096;
constexpr std::string_view kPrefix = "SPARKMILL_";

std::vector<std::string_view> names() {
  std::vector<std::string_view> out;
  for (const Option& o : options()) out.push_back(o.name);
  return out;
}

/// "SPARKMILL_API_PORT" for "api.port".
std::string variable(std::string_view name) {
  std::string out(kPrefix);
  for (char c : name) out += c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

std::string get(const std::map<std::string, std::string>& map, const std::string& key) {
  const auto it = map.find(key);
  return it == map.end() ? std::string() : it->second;
}

Error wrong(const Option& option, const std::string& value, const std::string& source, const std::string& why) {
  return fail(Status::bad_config,
              source + ": " + std::string(option.name) + " = '" + value.substr(0, 100) + "': " + why +
                  " (allowed: " + range_text(option) + ")",
              "sparkmill config explain " + std::string(option.name));
}

Result<std::string> number_text(const Option& option, const std::string& raw, const std::string& source) {
  std::uint64_t value = 0;
  const char* end = raw.data() + raw.size();
  const auto [at, ec] = std::from_chars(raw.data(), end, value);
  if (ec == std::errc::result_out_of_range) return wrong(option, raw, source, "out of range");
  if (ec != std::errc()) return wrong(option, raw, source, "not a whole number");
  const std::string_view rest(at, static_cast<std::size_t>(end - at));
  if (!rest.empty()) {
    static constexpr std::pair<std::string_view, unsigned> kUnits[] = {
        {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
    const auto* unit =
        std::find_if(std::begin(kUnits), std::end(kUnits), [&](const auto& u) { return u.first == rest; });
    if (option.unit != "bytes" || unit == std::end(kUnits)) return wrong(option, raw, source, "not a whole number");
    if (value > UINT64_MAX >> unit->second) return wrong(option, raw, source, "out of range");
    value <<= unit->second;
  }
  if (value < option.min || value > option.max) return wrong(option, raw, source, "out of range");
  return std::to_string(value);
}

/// Checks one raw text and brings it into normal form.
Result<std::string> normal(const Option& option, const std::string& raw, const std::string& source) {
  if (raw.size() > kTextLimit) return wrong(option, raw, source, "longer than 4096 bytes");
  if (std::any_of(raw.begin(), raw.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; })) {
    return wrong(option, "...", source, "has control characters");
  }
  switch (option.type) {
    case Type::number: return number_text(option, raw, source);
    case Type::flag:
      if (raw == "true" || raw == "yes" || raw == "on" || raw == "1") return std::string("true");
      if (raw == "false" || raw == "no" || raw == "off" || raw == "0") return std::string("false");
      return wrong(option, raw, source, "not true or false");
    case Type::choice: {
      const std::string all = "|" + std::string(option.choices) + "|";
      if (raw.empty() || raw.find('|') != std::string::npos || all.find("|" + raw + "|") == std::string::npos) {
        return wrong(option, raw, source, "not one of the choices");
      }
      return raw;
    }
    default: break;
  }
  if (option.name == "node" && !raw.empty() && raw != "demo") {
    if (auto url = http::Url::parse(raw); !url) return wrong(option, raw, source, url.error().message);
  }
  return raw;
}

/// A flat map from a JSON document: sections may be nested ("api": {"port": 1}) or dotted ("api.port": 1).
class FileReader {
 public:
  explicit FileReader(std::filesystem::path path) : path_(std::move(path)) {}

  Result<std::map<std::string, std::string>> read() {
    SPARKMILL_ASSIGN(const std::string text, read_text_file(path_, kFileLimit));
    nlohmann::json document;
    try {
      document = nlohmann::json::parse(text, nullptr, true, true);
    } catch (const nlohmann::json::parse_error& e) {
      const std::string what = e.what();  // "[json.exception...] parse error at line 3, column 5: ..."
      const std::size_t cut = what.find("] ");
      return bad("not JSON with comments: " + (cut == std::string::npos ? what : what.substr(cut + 2)));
    }
    if (!document.is_object()) return bad("the file must hold one object { ... }");
    SPARKMILL_TRY(no_duplicates(text));
    for (const auto& [key, value] : document.items()) {
      if (value.is_object()) {
        for (const auto& [inner, v] : value.items()) SPARKMILL_TRY(take(key + "." + inner, v));
      } else {
        SPARKMILL_TRY(take(key, value));
      }
    }
    return std::move(out_);
  }

 private:
  Error bad(const std::string& what) const {
    return fail(Status::bad_config, path_.string() + ": " + what,
                "sparkmill config export prints a file that is right");
  }
  /// The parser keeps the last of two equal keys; whoever wrote both should know.
  Done no_duplicates(const std::string& text) const {
    std::vector<std::set<std::string>> open;
    std::string twice;
    const auto note = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
      if (event == nlohmann::json::parse_event_t::object_start) open.emplace_back();
      if (event == nlohmann::json::parse_event_t::object_end) open.pop_back();
      if (event == nlohmann::json::parse_event_t::key && !open.back().insert(parsed.get<std::string>()).second) {
        twice = parsed.get<std::string>();
      }
      return true;
    };
    const auto ignored = nlohmann::json::parse(text, note, false, true);
    if (!twice.empty()) return bad("the key '" + twice.substr(0, 64) + "' stands there twice");
    return ignored.is_discarded() ? Done(bad("not JSON with comments")) : done();
  }
  Done take(const std::string& key, const nlohmann::json& value) {
    const Option* option = find(key);
    if (option == nullptr) {
      const std::string meant = nearest(key, names());
      return fail(Status::bad_config, path_.string() + ": unknown key '" + key.substr(0, 64) + "'",
                  meant.empty() ? "sparkmill config keys lists them" : "did you mean '" + meant + "'?");
    }
    if (out_.count(key) != 0) return bad("the key '" + key + "' stands there twice");
    SPARKMILL_ASSIGN(std::string raw, raw_text(*option, value));
    if (option->type == Type::path && !raw.empty() && raw[0] != '/' && raw[0] != '~') {
      raw = (path_.parent_path() / raw).lexically_normal().string();  // a service's current folder means nothing
    }
    out_[key] = std::move(raw);
    return done();
  }
  Result<std::string> raw_text(const Option& option, const nlohmann::json& value) const {
    const bool texty = option.type != Type::number && option.type != Type::flag;
    if (value.is_string() && (texty || option.unit == "bytes")) return value.get<std::string>();
    if (option.type == Type::flag && value.is_boolean()) return std::string(value.get<bool>() ? "true" : "false");
    if (option.type == Type::number && value.is_number_integer()) return value.dump();
    if (option.type == Type::list && value.is_array()) {
      std::string out;
      for (const auto& item : value) {
        if (!item.is_string() || item.get<std::string>().find(',') != std::string::npos) {
          return wrong(option, item.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace), path_.string(),
                       "a list holds texts without commas");
        }
        out += (out.empty() ? "" : ",") + item.get<std::string>();
      }
      return out;
    }
    return wrong(option, value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace), path_.string(),
                 "expected a " + std::string(name(option.type)));
  }

  std::filesystem::path path_;
  std::map<std::string, std::string> out_;
};

}  // namespace

/// Puts the layers on top of each other.
class Loader {
 public:
  explicit Loader(const Inputs& inputs) : in_(inputs) {}

  Result<Config> run() {
    SPARKMILL_TRY(read_file_layer());
    SPARKMILL_TRY(choose_profile());
    for (const Option& option : options()) SPARKMILL_TRY(settle(option));
    note_strange_variables();
    return std::move(out_);
  }

 private:
  Done read_file_layer() {
    const bool named = !in_.file.empty();
    const std::filesystem::path path = named ? in_.file : default_file(in_.environment);
    if (path.empty()) return done();
    std::error_code ec;
    if (!named && !std::filesystem::exists(path, ec)) return done();
    auto read = FileReader(std::filesystem::absolute(path, ec)).read();
    if (!read && read.error().code != Status::bad_config) {
      return fail(Status::bad_config, read.error().message,
                  read.error().code == Status::not_found ? "name a file that exists with --config, or leave it out"
                                                         : "make it a readable file of at most 1 MiB");
    }
    if (!read) return read.error();
    out_.file_ = path;
    file_ = std::move(*read);
    return done();
  }

  struct Raw {
    std::string text;
    Layer layer;
    std::string source;
  };
  /// The topmost layer that names the option, above the profile.
  std::optional<Raw> explicit_value(const Option& option) const {
    const std::string name(option.name);
    const std::string var = variable(name);
    if (auto it = in_.temporary.find(name); it != in_.temporary.end())
      return Raw{it->second, Layer::temporary, "temporary"};
    if (auto it = in_.command_line.find(name); it != in_.command_line.end()) {
      return Raw{it->second, Layer::command_line, "--" + name};
    }
    if (auto it = in_.environment.find(var); it != in_.environment.end())
      return Raw{it->second, Layer::environment, var};
    if (auto it = file_.find(name); it != file_.end()) return Raw{it->second, Layer::file, out_.file_.string()};
    return std::nullopt;
  }

  Done choose_profile() {
    const Option& option = *find("profile");
    const auto given = explicit_value(option);
    SPARKMILL_ASSIGN(profile_, normal(option, given ? given->text : std::string(option.built_in),
                                      given ? given->source : "built-in"));
    return done();
  }

  std::string_view profile_default(const Option& option) const {
    if (profile_ == "quiet") return option.quiet;
    if (profile_ == "full") return option.full;
    if (profile_ == "bench") return option.bench;
    return option.balanced;
  }

  Done settle(const Option& option) {
    // Every layer is checked, also where a higher one wins: a mistake shows at once and not when the winner goes.
    if (auto it = file_.find(std::string(option.name)); it != file_.end()) {
      SPARKMILL_TRY(normal(option, it->second, out_.file_.string()));
    }
    if (auto it = in_.environment.find(variable(option.name)); it != in_.environment.end()) {
      SPARKMILL_TRY(normal(option, it->second, it->first));
    }
    Raw raw{std::string(option.built_in), Layer::built_in, "built-in"};
    if (const std::string_view p = profile_default(option); p.data() != nullptr) {
      raw = {std::string(p), Layer::profile, "profile " + profile_};
    }
    if (auto given = explicit_value(option)) {
      raw = std::move(*given);
    } else {
      raw.text = filled_in(raw.text);
    }
    if (option.type == Type::path) raw.text = home_filled_in(raw.text);
    SPARKMILL_ASSIGN(std::string text, normal(option, raw.text, raw.source));
    out_.values_[std::string(option.name)] = {std::move(text), raw.layer, std::move(raw.source)};
    return done();
  }

  /// ${...} of the table; `data` stands before all that refer to it.
  std::string filled_in(std::string text) const {
    const auto replace = [&](std::string_view what, const std::string& with) {
      if (const std::size_t at = text.find(what); at != std::string::npos) text.replace(at, what.size(), with);
    };
    if (text.find("${") == std::string::npos) return text;
    if (auto it = out_.values_.find("data"); it != out_.values_.end()) replace("${data}", it->second.text);
    char host[256] = "worker";
    if (::gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
    replace("${HOSTNAME}", host);
    const std::string xdg = get(in_.environment, "XDG_DATA_HOME");
    const std::string home = get(in_.environment, "HOME");
    replace("${XDG_DATA_HOME}", !xdg.empty() ? xdg : !home.empty() ? home + "/.local/share" : "/var/lib");
    return text;
  }
  std::string home_filled_in(const std::string& text) const {
    return text.rfind("~/", 0) == 0 ? get(in_.environment, "HOME") + text.substr(1) : text;
  }

  void note_strange_variables() {
    std::set<std::string> known;
    for (const Option& o : options()) known.insert(variable(o.name));
    for (const auto& [name, value] : in_.environment) {
      if (name.rfind(kPrefix, 0) != 0 || known.count(name) != 0) continue;
      const std::vector<std::string_view> all(known.begin(), known.end());
      const std::string meant = nearest(name, all);
      out_.notes_.push_back("environment variable " + name + " names no setting" +
                            (meant.empty() ? "" : "; did you mean " + meant + "?"));
    }
  }

  const Inputs& in_;
  Config out_;
  std::map<std::string, std::string> file_;
  std::string profile_;
};

std::map<std::string, std::string> process_environment() {
  std::map<std::string, std::string> out;
  for (char** e = environ; e != nullptr && *e != nullptr; ++e) {
    const std::string_view entry = *e;
    const std::size_t eq = entry.find('=');
    if (eq != std::string_view::npos) out.emplace(entry.substr(0, eq), entry.substr(eq + 1));
  }
  return out;
}

std::filesystem::path default_file(const std::map<std::string, std::string>& environment) {
  const std::string xdg = get(environment, "XDG_CONFIG_HOME");
  if (!xdg.empty()) return std::filesystem::path(xdg) / "sparkmill" / "config.json";
  const std::string home = get(environment, "HOME");
  return home.empty() ? std::filesystem::path() : std::filesystem::path(home) / ".config" / "sparkmill" / "config.json";
}

Result<Config> load(const Inputs& inputs) { return Loader(inputs).run(); }

const Value& Config::at(std::string_view name) const {
  const auto it = values_.find(name);
  if (it == values_.end()) std::abort();
  return it->second;
}

std::uint64_t Config::number(std::string_view name) const {
  const std::string& text = at(name).text;
  std::uint64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) std::abort();
  return value;
}

std::vector<std::string> Config::list(std::string_view name) const {
  std::vector<std::string> out;
  std::string_view rest = at(name).text;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    std::string_view item = rest.substr(0, comma);
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    if (!item.empty()) out.emplace_back(item);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  return out;
}

namespace {

Done mining_settings(const Config& config, worker::AppSettings& s) {
  s.mining = config.text("mining");
  const auto percent = static_cast<double>(config.number("mining_percent"));
  s.mining_weight = percent / (100 - percent);
  const std::string order = config.text("pool.nonce_order");
  for (const std::string& url : config.list("pool.url")) {
    mining::PoolSettings pool;
    pool.url = url;
    pool.user = config.text("pool.user");
    pool.pass = config.text("pool.pass");
    pool.ca_file = s.ca_file;
    pool.keepalive = config.text("pool.keepalive");
    pool.keepalive_s = config.number("pool.keepalive_s");
    if (order == "little") pool.order = mining::stratum::NonceOrder::little;
    if (order == "big") pool.order = mining::stratum::NonceOrder::big;
    s.pools.pools.push_back(std::move(pool));
  }
  s.pools.retries = static_cast<unsigned>(config.number("pool.retries"));
  s.pools.backoff_max_ms = config.number("pool.backoff_max_s") * 1000;
  s.pools.return_after_ms = config.number("pool.return_after_s") * 1000;
  s.pools.answer_timeout_ms = config.number("pool.answer_timeout_s") * 1000;
  s.pools.silence_ms = config.number("pool.silence_s") * 1000;
  s.pools.agent = "sparkmill/" SPARKMILL_VERSION;
  if (s.mining == "pool" && s.pools.pools.empty()) {
    return fail(Status::bad_config, "mining: pool, but pool.url is empty",
                "name one: --pool.url stratum+tcp://host:port --pool.user ACCOUNT.RIG");
  }
  if (s.mining == "pool" && config.text("pool.user").empty()) {
    return fail(Status::bad_config, "mining: pool, but pool.user is empty", "the account or wallet that is to be paid");
  }
  const bool node = s.mining != "pool" && s.mining != "bytom";
  if (!node && s.node_url.empty() && s.rounds != 0) {
    return fail(Status::bad_config, "rounds: counts receipts of a node, and mining for a " + s.mining + " uses none",
                "leave it out, or name a node: --node URL, or --node demo");
  }
  s.bytom.url = config.text("bytom.url");
  s.bytom.ca_file = s.ca_file;
  s.bytom.json = config.flag("bytom.json");
  s.bytom.poll_ms = config.number("bytom.poll_ms");
  s.bytom.refresh_ms = config.number("bytom.refresh_s") * 1000;
  if (const auto file = config.path("bytom.token_file"); s.mining == "bytom" && !file.empty()) {
    SPARKMILL_ASSIGN(std::string token, read_text_file(file, 4096));
    s.bytom.token = token.substr(0, token.find_first_of("\r\n"));
  }
  return done();
}

Done boinc_settings(const Config& config, worker::boinc::CompanionSettings& s) {
  using worker::boinc::Neighbour;
  const std::string policy = config.text("boinc.policy");
  s.policy.kind = policy == "off"     ? Neighbour::off
                  : policy == "share" ? Neighbour::share
                  : policy == "first" ? Neighbour::first
                                      : Neighbour::yield;
  s.policy.share = static_cast<double>(config.number("boinc.share_percent")) / 100;
  s.policy.obey = config.list("boinc.obey");
  const std::vector<std::string> known = worker::boinc::obeyable();
  for (const std::string& reason : s.policy.obey) {
    if (std::find(known.begin(), known.end(), reason) != known.end()) continue;
    const std::vector<std::string_view> names(known.begin(), known.end());
    const std::string meant = nearest(reason, names);
    return fail(Status::bad_config, "boinc.obey: '" + reason.substr(0, 80) + "' is no reason that can be obeyed",
                meant.empty() ? "sparkmill config explain boinc.obey" : "did you mean " + meant + "?");
  }
  SPARKMILL_TRY(boinc_address(config, s.address));
  s.places.data_dir = config.path("boinc.data_dir");
  s.places.password_file = config.path("boinc.password_file");
  return done();
}

}  // namespace

Done boinc_address(const Config& config, std::optional<boinc::rpc::Address>& out) {
  const std::string text = config.text("boinc.address");
  if (text.empty()) return done();
  auto address = boinc::rpc::parse_address(text);
  if (!address) return fail(Status::bad_config, "boinc.address: " + address.error().message, address.error().hint);
  out = std::move(*address);
  return done();
}

Result<worker::AppSettings> app_settings(const Config& config) {
  worker::AppSettings s;
  s.data = config.path("data");
  s.node_url = config.text("node");
  s.name = config.text("name");
  s.ca_file = config.text("ca_file");
  s.devices = config.list("devices");
  s.backend = config.text("backend");
  s.cpu_lanes = static_cast<unsigned>(config.number("cpu_lanes"));
  if (s.cpu_lanes == 0) {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    const bool known = ::sched_getaffinity(0, sizeof mask, &mask) == 0;
    const unsigned cores = known ? static_cast<unsigned>(CPU_COUNT(&mask)) : 1;
    const std::string profile = config.text("profile");
    const bool leave_one = profile == "quiet" || profile == "balanced";
    s.cpu_lanes = leave_one && cores > 2 ? cores - 1 : cores;
  }
  s.low_priority = config.flag("low_priority");
  s.blob_cache_bytes = config.number("blob_cache_bytes");
  s.jobs_in_flight = static_cast<unsigned>(config.number("jobs_in_flight"));
  s.slice_ms = config.number("slice_ms");
  s.rounds = config.number("rounds");
  s.source_patience_ms = config.number("source_patience_s") * 1000;
  SPARKMILL_TRY(mining_settings(config, s));
  SPARKMILL_TRY(boinc_settings(config, s.boinc));
  s.boinc_credit.claims = config.flag("boinc.claim");
  s.boinc_credit.receipts = config.flag("boinc.receipts");
  return s;
}

log::Settings log_settings(const Config& config) {
  log::Settings s;
  s.level = config.text("log.level");
  s.file = config.text("log.file");
  s.json = config.flag("log.json");
  return s;
}

std::vector<Change> difference(const Config& before, const Config& after) {
  std::vector<Change> out;
  for (const Option& option : options()) {
    const std::string a = before.text(option.name);
    const std::string b = after.text(option.name);
    if (a != b) out.push_back({std::string(option.name), a, b, option.live});
  }
  return out;
}

}  // namespace sparkmill::config
