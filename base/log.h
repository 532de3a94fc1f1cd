// SPDX-License-Identifier: Apache-2.0
// Logging facade over spdlog: one logger a part ("node", "scheduler", ...). Kernels and verify/ never log.
// Secrets are never passed to it.
#pragma once

#include <spdlog/spdlog.h>

#include <memory>
#include <string>
#include <string_view>

namespace sparkmill::log {

struct Settings {
  std::string level = "info";  ///< trace, debug, info, warn, error, off
  std::string file;            ///< empty: stderr only; otherwise also a rotating file
  std::size_t file_bytes = 10u << 20;
  std::size_t file_count = 5;
  bool json = false;  ///< one JSON object a line, on stderr and in the file; times in UTC
};

/// At start, and again whenever the settings change: it reaches loggers that are held elsewhere and is safe while other
/// threads log. A file that cannot be opened is told on stderr. Throws std::invalid_argument for an unknown level.
void configure(const Settings& settings);

/// The logger of one part; created on first use, safe from any thread.
std::shared_ptr<spdlog::logger> get(std::string_view part);

}  // namespace sparkmill::log
