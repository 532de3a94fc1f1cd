// SPDX-License-Identifier: Apache-2.0
// `sparkmill keys new|show`: makes a key file, or shows its public keys. A secret is never printed.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "worker/cli/args.h"
#include "worker/cli/command.h"
#include "worker/cli/key_access.h"

namespace sparkmill::cli {

namespace {

constexpr OwnOption kOwn[] = {
    {"wrap", "", "new: ask for a passphrase and wrap the key with it (or set passphrase_file)"},
    {"json", "", "show: as JSON"},
};
constexpr Usage kUsage{"keys",
                       "new|show",
                       "new makes a key file (it never replaces one); show prints the public key of each role.\n"
                       "--key FILE names the file; without it, the key of the settings.",
                       kOwn,
                       1,
                       true};

void print_keys(const keys::KeyFile& key, const std::string& file, bool json) {
  nlohmann::ordered_json out = {{"file", file}};
  for (std::string_view role : keys::kRoles) {
    if (role == "bls") continue;  // a BLS12-381 key is another kind of point; it is shown where it is used
    const std::string hex = to_hex(key.role(role).public_key());
    out["public_keys"][std::string(role)] = hex;
    if (!json) std::printf("%-9.*s %s\n", static_cast<int>(role.size()), role.data(), hex.c_str());
  }
  if (json) {
    std::printf("%s\n", out.dump(2).c_str());
  } else {
    std::fprintf(stderr, "file: %s; 'envelope' is the worker's public name\n", file.c_str());
  }
}

Done make_key(const config::Config& config, bool wrap) {
  SPARKMILL_ASSIGN(Secret passphrase, configured_passphrase(config));
  if (wrap && passphrase.text().empty()) {
    SPARKMILL_ASSIGN(passphrase, ask_passphrase("New passphrase"));
    SPARKMILL_ASSIGN(const Secret again, ask_passphrase("The same again"));
    if (passphrase.text().empty() || passphrase.text() != again.text()) {
      return fail(Status::bad_argument, "the two passphrases differ, or are empty", "nothing was written; try again");
    }
  }
  const auto file = config.path("key");
  SPARKMILL_ASSIGN(const keys::KeyFile key, keys::KeyFile::create(file, passphrase.text()));
  std::fprintf(stderr, "made %s (%s); keep a copy: credit belongs to whoever holds it\n", file.c_str(),
               passphrase.text().empty() ? "not wrapped, readable by you only" : "wrapped by the passphrase");
  print_keys(key, file.string(), false);
  return done();
}

Done show_keys(const config::Config& config, bool json) {
  SPARKMILL_ASSIGN(const keys::KeyFile key, open_key(config));
  print_keys(key, config.path("key").string(), json);
  return done();
}

}  // namespace

int run_keys(std::span<const std::string> args) {
  const auto parsed = parse_args(kUsage, args);
  if (!parsed) return report("keys", parsed.error());
  if (parsed->help) return 0;
  const std::string what = parsed->words.empty() ? "" : parsed->words[0];
  if (what != "new" && what != "show") {
    return report("keys",
                  fail(Status::bad_argument, what.empty() ? "say new or show" : "'" + what + "': say new or show",
                       "sparkmill help keys"));
  }
  const auto config = config::load(parsed->inputs);
  if (!config) return report("keys", config.error());
  const Done result = what == "new" ? make_key(*config, parsed->has("wrap")) : show_keys(*config, parsed->has("json"));
  return result ? 0 : report("keys", result.error());
}

}  // namespace sparkmill::cli
