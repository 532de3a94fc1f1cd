// SPDX-License-Identifier: Apache-2.0
// Settings in layers: built-in < profile < file < environment < command line < temporary. One table (options.cpp) names
// every key; the file is read, never written.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "worker/app.h"

namespace sparkmill::config {

enum class Type : std::uint8_t { text, path, number, flag, list, choice };

/// One row of the table.
struct Option {
  std::string_view name;  ///< "api.port"; on the command line --api.port, in the environment SPARKMILL_API_PORT
  Type type;
  std::string_view built_in;  ///< ${XDG_DATA_HOME}, ${HOSTNAME} and ${data} are filled in
  std::string_view quiet;     ///< defaults of the profiles; null data(): as built in
  std::string_view balanced;
  std::string_view full;
  std::string_view bench;
  std::uint64_t min;  ///< numbers only
  std::uint64_t max;
  std::string_view unit;     ///< "bytes", "ms", ... or empty
  std::string_view choices;  ///< choice only: "a|b|c"
  bool live;                 ///< a change of the file applies while running
  std::string_view help;
};

std::span<const Option> options();
const Option* find(std::string_view name);  ///< nullptr if unknown
std::string_view name(Type type);
/// "1..65535 ms", "a|b|c", "true|false", "text": for messages and pages.
std::string range_text(const Option& option);

enum class Layer : std::uint8_t { built_in, profile, file, environment, command_line, temporary };
std::string_view name(Layer layer);

struct Value {
  std::string text;  ///< in normal form: numbers decimal, flags "true"/"false", lists comma-separated
  Layer layer = Layer::built_in;
  std::string source;  ///< "built-in", "profile full", "/etc/x.json", "SPARKMILL_DATA", "--data"
};

/// A complete, checked set of values. The getters abort on a name that is not in the table (a programming error).
class Config {
 public:
  const Value& at(std::string_view name) const;
  std::string text(std::string_view name) const { return at(name).text; }
  std::filesystem::path path(std::string_view name) const { return at(name).text; }
  std::uint64_t number(std::string_view name) const;
  bool flag(std::string_view name) const { return at(name).text == "true"; }
  std::vector<std::string> list(std::string_view name) const;
  /// The file that was read; empty when there is none.
  const std::filesystem::path& file() const { return file_; }
  /// Things worth telling, e.g. an environment variable that looks like ours and is not.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  friend class Loader;
  std::map<std::string, Value, std::less<>> values_;
  std::filesystem::path file_;
  std::vector<std::string> notes_;
};

/// Where values come from. Kept, so that a reload sees the same command line.
struct Inputs {
  std::map<std::string, std::string> command_line;  ///< key -> raw text, as worker/cli/args.h collects it
  std::map<std::string, std::string> environment;   ///< all variables, see process_environment()
  std::map<std::string, std::string> temporary;     ///< set while running, until restart
  std::filesystem::path file;                       ///< --config; empty: the default place, where it may be missing
};
std::map<std::string, std::string> process_environment();
/// $XDG_CONFIG_HOME/sparkmill/config.json, or below $HOME/.config.
std::filesystem::path default_file(const std::map<std::string, std::string>& environment);

/// Reads, checks and layers. Errors: bad_config (exit 3) naming file, key, value and range.
Result<Config> load(const Inputs& inputs);

/// What the worker and the log need. `node` may be empty: the caller starts the embedded node and fills node_url.
Result<worker::AppSettings> app_settings(const Config& config);
/// boinc.address; left alone when it is not set. Error: bad_config.
Done boinc_address(const Config& config, std::optional<boinc::rpc::Address>& out);
log::Settings log_settings(const Config& config);

struct Change {
  std::string name, before, after;
  bool live = false;
};
std::vector<Change> difference(const Config& before, const Config& after);

std::string explain(const Config& config, const Option& option);  ///< `config explain KEY`
std::string export_text(const Config& config);                    ///< `config export`: JSON with comments
std::string keys_text(const Config& config);                      ///< `config keys`: a line a key
std::string markdown();                                           ///< `config doc`: docs/config.md

/// Watches the file (and SIGHUP, see poke_on_sighup) on a thread of its own. A new file is checked as a whole; on an
/// error the old values stay and the error is logged. Each change is logged; `apply` gets the new values and the
/// changes.
class Watcher {
 public:
  using Apply = std::function<void(const Config& now, const std::vector<Change>& changes)>;
  Watcher(Inputs inputs, Config current, Apply apply, unsigned poll_ms = 1'000);
  ~Watcher();
  /// Looks at the file now, whether it changed or not. Returns what load() said.
  Done reload();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
/// Installs a SIGHUP handler that makes every Watcher reload.
void poke_on_sighup();

}  // namespace sparkmill::config
