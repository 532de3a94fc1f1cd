// SPDX-License-Identifier: Apache-2.0
// sparkmill-boinc-validate: what script_validator calls. Exit 0: valid, equal; 1: invalid, different; 3: own failure,
// ask again later, also for wrong usage: nobody's work is refused because a program was called wrongly.
#include <cstdio>
#include <exception>
#include <string>

#include "boinc/server/arguments.h"
#include "boinc/server/validate.h"

using namespace sparkmill;
using namespace sparkmill::boinc::server;

namespace {

constexpr const char* kUsage =
    "usage: sparkmill-boinc-validate [--project DIR] init FILE..        exit 0: valid, 1: invalid, 3: try again\n"
    "       sparkmill-boinc-validate [--project DIR] compare A.. B..    exit 0: equal, 1: different, 3: try again\n";

int own_failure(const Error& error) {
  std::fprintf(stderr, "sparkmill-boinc-validate: %s\n", error.message.c_str());
  if (!error.hint.empty()) std::fprintf(stderr, "  %s\n", error.hint.c_str());
  return kExitTransient;
}

int run_init(const ServerArguments& args) {
  for (const std::filesystem::path& file : args.files) {
    auto project = open_project(args, file);
    if (!project) return own_failure(project.error());
    const auto verdict = validate(**project, file);
    if (!verdict) return own_failure(verdict.error());
    std::fprintf(stderr, "%s: %s%s%s\n", file.filename().c_str(), verdict->reason.c_str(),
                 verdict->detail.empty() ? "" : ", ", verdict->detail.c_str());
    if (!verdict->accepted) return kExitInvalid;
  }
  return kExitValid;
}

int run_compare(const ServerArguments& args) {
  if (args.files.size() % 2 != 0) {
    return own_failure(fail(Status::bad_argument, "compare: " + std::to_string(args.files.size()) + " files"));
  }
  const std::span all(args.files);
  const auto equal = same_answers(all.first(all.size() / 2), all.subspan(all.size() / 2));
  if (!equal) return own_failure(equal.error());
  std::fprintf(stderr, "compare: %s\n", *equal ? "equal answers" : "different answers");
  return *equal ? kExitValid : kExitInvalid;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto args = parse_server_arguments({argv + 1, static_cast<std::size_t>(argc - 1)});
    if (!args) return own_failure(args.error());
    if (!args->words.empty() && !args->files.empty()) {
      if (args->words[0] == "init") return run_init(*args);
      if (args->words[0] == "compare") return run_compare(*args);
    }
    std::fputs(kUsage, stderr);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "sparkmill-boinc-validate: %s\n", e.what());
  }
  return kExitTransient;
}
