// SPDX-License-Identifier: Apache-2.0
// Command lines of validator and assimilator. BOINC's scripts pass file names only; its documented token lists, where a
// server's splitter works, add ids, names and seconds: those are told from files by having no '/' (BOINC page 4.3).
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "boinc/server/project.h"

namespace sparkmill::boinc::server {

struct ServerArguments {
  std::filesystem::path project;     ///< --project; empty: above the file
  std::vector<std::string> options;  ///< other words with dashes, "--error", "--today"
  std::vector<std::string> words;    ///< neither option nor file: "init", ids, times
  std::vector<std::filesystem::path> files;
};

/// Error: bad_argument (--project without a value).
Result<ServerArguments> parse_server_arguments(std::span<char* const> args);

/// The project named, or that above `file`.
Result<std::unique_ptr<Project>> open_project(const ServerArguments& args, const std::filesystem::path& file);

}  // namespace sparkmill::boinc::server
