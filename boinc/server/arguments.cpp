// SPDX-License-Identifier: Apache-2.0
#include "boinc/server/arguments.h"

#include <string_view>

#include "verify/unit/unit.h"

namespace sparkmill::boinc::server {

Result<ServerArguments> parse_server_arguments(std::span<char* const> args) {
  ServerArguments out;
  for (std::size_t k = 0; k < args.size(); ++k) {
    const std::string_view arg = args[k];
    if (arg == "--project") {
      if (k + 1 == args.size()) return fail(Status::bad_argument, "--project needs the BOINC project's folder");
      out.project = args[++k];
    } else if (arg.substr(0, 2) == "--") {
      out.options.emplace_back(arg);
    } else if (arg.find('/') != std::string_view::npos || unit::parse_result_name(arg).ok()) {
      out.files.emplace_back(arg);
    } else {
      out.words.emplace_back(arg);
    }
  }
  return out;
}

Result<std::unique_ptr<Project>> open_project(const ServerArguments& args, const std::filesystem::path& file) {
  if (!args.project.empty()) return Project::open(args.project, system_clock());
  SPARKMILL_ASSIGN(const std::filesystem::path above, Project::find_above(file));
  return Project::open(above, system_clock());
}

}  // namespace sparkmill::boinc::server
