// SPDX-License-Identifier: Apache-2.0
// `sparkmill bench`: starts the program sparkmill-bench (beside this binary, in the build folder, or on PATH) with the
// same arguments, so that the worker does not link the benchmarks.
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "worker/cli/command.h"

namespace sparkmill::cli {
namespace {

namespace fs = std::filesystem;

bool is_program(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && access(path.c_str(), X_OK) == 0;
}

/// Candidates in order: beside this binary, the bench folder of a build tree, PATH.
fs::path find_program() {
  constexpr const char* kName = "sparkmill-bench";
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    for (const fs::path& folder : {self.parent_path(), self.parent_path() / "../bench",
                                   self.parent_path() / "../../bench", self.parent_path() / "bench"}) {
      if (is_program(folder / kName)) return folder / kName;
    }
  }
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "";
  while (!rest.empty()) {
    const auto colon = rest.find(':');
    const std::string_view folder = rest.substr(0, colon);
    if (!folder.empty() && is_program(fs::path(folder) / kName)) return fs::path(folder) / kName;
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  }
  return {};
}

}  // namespace

int run_bench(std::span<const std::string> args) {
  const fs::path program = find_program();
  if (program.empty()) {
    return report("bench",
                  fail(Status::unsupported, "the program sparkmill-bench is neither beside this one nor on PATH",
                       "build it with -DSPARKMILL_BENCH=ON (Debian package libbenchmark-dev), or install it"));
  }
  std::string name = program.string();
  std::vector<std::string> copy(args.begin(), args.end());
  std::vector<char*> argv{name.data()};
  for (std::string& arg : copy) argv.push_back(arg.data());
  argv.push_back(nullptr);
  execv(name.c_str(), argv.data());
  return report("bench", fail(Status::io_error, name + ": " + std::strerror(errno)));
}

}  // namespace sparkmill::cli
