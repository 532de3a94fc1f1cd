// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <mutex>
#include <stdexcept>
#include <vector>

namespace sparkmill::log {

namespace {

struct Shared {
  std::mutex mutex;
  std::vector<spdlog::sink_ptr> sinks{std::make_shared<spdlog::sinks::stderr_color_sink_mt>()};
  spdlog::level::level_enum level = spdlog::level::info;
  std::string pattern = "%Y-%m-%dT%H:%M:%S.%e %-5l %-9n %v";
};

Shared& shared() {
  static Shared s;
  return s;
}

}  // namespace

void configure(const Settings& settings) {
  const auto level = spdlog::level::from_str(settings.level);
  if (level == spdlog::level::off && settings.level != "off") {
    throw std::invalid_argument("log level '" + settings.level + "' is not one of trace debug info warn error off");
  }
  Shared& s = shared();
  std::lock_guard lock(s.mutex);
  s.level = level;
  s.sinks = {std::make_shared<spdlog::sinks::stderr_color_sink_mt>()};
  if (!settings.file.empty()) {
    s.sinks.push_back(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(settings.file, settings.file_bytes,
                                                                             settings.file_count));
  }
  if (settings.json) s.pattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","part":"%n","text":"%v"})";
  spdlog::drop_all();
}

std::shared_ptr<spdlog::logger> get(std::string_view part) {
  Shared& s = shared();
  std::lock_guard lock(s.mutex);
  const std::string name(part);
  if (auto existing = spdlog::get(name)) return existing;
  auto logger = std::make_shared<spdlog::logger>(name, s.sinks.begin(), s.sinks.end());
  logger->set_level(s.level);
  logger->set_pattern(s.pattern);
  spdlog::register_logger(logger);
  return logger;
}

}  // namespace sparkmill::log
