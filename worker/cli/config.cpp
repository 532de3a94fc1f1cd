// SPDX-License-Identifier: Apache-2.0
// `sparkmill config explain|keys|export|doc`.
#include <cstdio>

#include "worker/cli/args.h"
#include "worker/cli/command.h"
#include "worker/config/nearest.h"

namespace sparkmill::cli {

namespace {

constexpr Usage kUsage{"config",
                       "explain KEY | keys | export | doc",
                       "explain KEY shows value, source, default and range of one setting; keys lists all of them;\n"
                       "export prints the settings in force as a commented file; doc prints the reference page.",
                       {},
                       2,
                       true};

Done explain(const config::Config& config, const std::string& key) {
  const config::Option* option = config::find(key);
  if (option == nullptr) {
    std::vector<std::string_view> names;
    for (const config::Option& o : config::options()) names.push_back(o.name);
    const std::string meant = config::nearest(key, names);
    return fail(Status::bad_config, "there is no setting '" + key.substr(0, 64) + "'",
                meant.empty() ? "sparkmill config keys lists them" : "did you mean '" + meant + "'?");
  }
  std::fputs(config::explain(config, *option).c_str(), stdout);
  return done();
}

Done act(const config::Config& config, const std::vector<std::string>& words) {
  const std::string& what = words[0];
  if (what == "explain" && words.size() == 2) return explain(config, words[1]);
  if (what == "keys" && words.size() == 1) {
    std::fputs(config::keys_text(config).c_str(), stdout);
    return done();
  }
  if (what == "export" && words.size() == 1) {
    std::fputs(config::export_text(config).c_str(), stdout);
    return done();
  }
  return fail(Status::bad_argument, "say explain KEY, keys, export or doc", "sparkmill help config");
}

}  // namespace

int run_config(std::span<const std::string> args) {
  const auto parsed = parse_args(kUsage, args);
  if (!parsed) return report("config", parsed.error());
  if (parsed->help) return 0;
  if (parsed->words.empty()) {
    return report("config",
                  fail(Status::bad_argument, "say explain KEY, keys, export or doc", "sparkmill help config"));
  }
  if (parsed->words[0] == "doc" && parsed->words.size() == 1) {  // of the table alone: the same everywhere
    std::fputs(config::markdown().c_str(), stdout);
    return 0;
  }
  const auto config = config::load(parsed->inputs);
  if (!config) return report("config", config.error());
  for (const std::string& note : config->notes()) std::fprintf(stderr, "note: %s\n", note.c_str());
  const Done result = act(*config, parsed->words);
  return result ? 0 : report("config", result.error());
}

}  // namespace sparkmill::cli
