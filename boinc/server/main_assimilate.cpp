// SPDX-License-Identifier: Apache-2.0
// sparkmill-boinc-assimilate: what script_assimilator calls. Exit 0: done, also when it was done before; anything else:
// the server asks again later. `publish` and `status` are for people and cron.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <string>

#include "boinc/server/arguments.h"
#include "boinc/server/assimilate.h"

using namespace sparkmill;
using namespace sparkmill::boinc::server;

namespace {

constexpr const char* kUsage =
    "usage: sparkmill-boinc-assimilate [--project DIR] WUID FILE..               takes the canonical result of a unit\n"
    "       sparkmill-boinc-assimilate --project DIR --error MASK NAME ID BATCH  a unit that the server gave up\n"
    "       sparkmill-boinc-assimilate --project DIR publish [--today]           signs due receipts, publishes roots\n"
    "       sparkmill-boinc-assimilate --project DIR status                      jobs and receipts as JSON\n";

int report(const Error& error) {
  std::fprintf(stderr, "sparkmill-boinc-assimilate: %s\n", error.message.c_str());
  if (!error.hint.empty()) std::fprintf(stderr, "  %s\n", error.hint.c_str());
  return exit_code(error.code);
}

int run_files(const ServerArguments& args) {
  for (const std::filesystem::path& file : args.files) {
    auto project = open_project(args, file);
    if (!project) return report(project.error());
    const auto done = assimilate(**project, file);
    if (!done) return report(done.error());
    std::fprintf(stderr, "%s: %s; %llu unit(s) of the job left%s\n", done->result.c_str(),
                 done->again ? "counted before" : "counted", static_cast<unsigned long long>(done->units_left),
                 done->job_done ? ", its answer is written" : "");
  }
  return 0;
}

int run_error(Project& project, const ServerArguments& args) {
  std::uint32_t mask = 0;
  const std::string& text = args.words[0];
  if (std::from_chars(text.data(), text.data() + text.size(), mask).ptr != text.data() + text.size()) {
    return report(fail(Status::bad_argument, "--error: '" + text + "' is no error mask"));
  }
  const auto told = give_up(project, args.words[1], mask);
  if (!told) return report(told.error());
  std::fprintf(stderr, "sparkmill-boinc-assimilate: %s\n", told->c_str());
  return 0;
}

int run(const ServerArguments& args) {
  const auto has = [&](std::string_view option) {
    return std::find(args.options.begin(), args.options.end(), option) != args.options.end();
  };
  const bool error = has("--error");
  if (!error && !args.files.empty()) return run_files(args);
  if (args.words.empty() || (error && args.words.size() < 2)) return std::fputs(kUsage, stderr), 2;
  auto project = open_project(args, std::filesystem::current_path() / "x");
  if (!project) return report(project.error());
  if (error) return run_error(**project, args);
  if (args.words[0] == "publish") {
    const auto count = publish(**project, has("--today"));
    if (!count) return report(count.error());
    std::fprintf(stderr, "%llu receipt(s) signed\n", static_cast<unsigned long long>(*count));
    return 0;
  }
  if (args.words[0] == "status") {
    const auto text = status_json(**project);
    if (!text) return report(text.error());
    std::fputs(text->c_str(), stdout);
    return 0;
  }
  return std::fputs(kUsage, stderr), 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto args = parse_server_arguments({argv + 1, static_cast<std::size_t>(argc - 1)});
    return args ? run(*args) : report(args.error());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "sparkmill-boinc-assimilate: %s\n", e.what());
    return 1;
  }
}
