// SPDX-License-Identifier: Apache-2.0
// The table of verbs.
#include "worker/cli/commands.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "worker/config/nearest.h"

namespace sparkmill::cli {

namespace {

constexpr Command kCommands[] = {
    {"run", "work: take jobs from a node (or the built-in demo node), prove, deliver", run_run},
    {"devices", "list devices, and for each kernel row whether it runs there and why", run_devices},
    {"check", "look at configuration, key, folders, devices and node, a line each", run_check},
    {"status", "what a running worker does now", run_status},
    {"pause", "pause all devices or one, for a time or until resumed", run_pause},
    {"resume", "end a pause", run_resume},
    {"finish", "take no new work, deliver everything, then end", run_finish},
    {"boinc", "steer the BOINC client of this machine: attach, detach, update, tasks, suspend, resume", run_boinc},
    {"config", "explain, list or export the settings", run_config},
    {"keys", "make a key file, or show its public keys", run_keys},
    {"match", "match two template files offline", run_match},
    {"enrol", "turn descriptors into template files", run_enrol},
    {"hash", "Tensority of a header hash and a seed", run_hash},
    {"verify", "check a proof file against its inputs, or a block header's proof of work", run_verify},
    {"verify-batch", "decide a file or stream of signatures under a chain's rules", run_verify_batch},
    {"verify-blocks", "judge a file of blocks of Bytom, or of evidence of BTTC and BTN", run_verify_blocks},
    {"sign-checkpoint", "sign a BTTC checkpoint vote, never two that contradict each other", run_sign_checkpoint},
    {"vectors", "run test-vector files through every kernel row", run_vectors},
    {"bench", "measure kernels, or compare two measurements", run_bench},
};

void print_help() {
  std::printf("Usage: sparkmill VERB [OPTIONS]\n\n");
  for (const Command& c : kCommands) {
    std::printf("  %-12.*s  %.*s\n", static_cast<int>(c.name.size()), c.name.data(), static_cast<int>(c.summary.size()),
                c.summary.data());
  }
  std::printf(
      "\nsparkmill help VERB tells more about one of them, sparkmill --version the version.\n"
      "Exit codes: 0 done, 1 internal, 2 usage, 3 configuration, 4 no device, 5 self-test, 6 unreachable, 7 refused,\n"
      "10 store, 11 wrong result found, 12 stopped, 13 bad input, 75 temporary.\n");
}

int unknown(const std::string& verb) {
  std::vector<std::string_view> names{"help"};
  for (const Command& c : kCommands) names.push_back(c.name);
  const std::string meant = config::nearest(verb, names);
  std::fprintf(stderr, "sparkmill: there is no verb '%s'\n", verb.substr(0, 64).c_str());
  std::fprintf(stderr, "hint: %s\n",
               meant.empty() ? "sparkmill help lists the verbs" : ("did you mean 'sparkmill " + meant + "'?").c_str());
  return exit_code(Status::bad_argument);
}

const Command* find_command(std::string_view name) {
  const auto* it =
      std::find_if(std::begin(kCommands), std::end(kCommands), [&](const Command& c) { return c.name == name; });
  return it == std::end(kCommands) ? nullptr : it;
}

}  // namespace

std::span<const Command> commands() { return kCommands; }

int report(std::string_view verb, const Error& error) {
  std::fprintf(stderr, "sparkmill %.*s: %s\n", static_cast<int>(verb.size()), verb.data(), error.message.c_str());
  if (!error.hint.empty()) std::fprintf(stderr, "hint: %s\n", error.hint.c_str());
  return exit_code(error.code);
}

bool use_color() {
  const char* no = std::getenv("NO_COLOR");
  return ::isatty(STDERR_FILENO) == 1 && (no == nullptr || *no == '\0');
}

int dispatch(std::span<const std::string> args) {
  if (args.empty()) {
    print_help();
    return exit_code(Status::bad_argument);
  }
  const std::string& verb = args[0];
  if (verb == "--version" || verb == "-V") {
    std::printf("sparkmill %s\n", SPARKMILL_VERSION);
    return 0;
  }
  if (verb == "help" || verb == "--help" || verb == "-h") {
    if (args.size() == 1) {
      print_help();
      return 0;
    }
    const Command* about = find_command(args[1]);
    if (about == nullptr) return unknown(args[1]);
    const std::vector<std::string> help{"--help"};
    return about->run(help);
  }
  const Command* command = find_command(verb);
  return command == nullptr ? unknown(verb) : command->run(args.subspan(1));
}

}  // namespace sparkmill::cli
