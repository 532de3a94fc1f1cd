// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <chrono>
#include <ctime>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <vector>

namespace sparkmill::log {

namespace {

constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%e %-5l %-9n %v";

/// With quotes; broken UTF-8 is replaced.
void append_json(std::string_view text, spdlog::memory_buf_t& out) {
  const std::string quoted = nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  out.append(quoted.data(), quoted.data() + quoted.size());
}

/// One JSON object a line; the text is escaped, so nothing that was logged can break out of it.
class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& msg, spdlog::memory_buf_t& out) override {
    using namespace std::chrono;
    const auto ms = duration_cast<milliseconds>(msg.time.time_since_epoch()).count();
    const auto seconds = static_cast<std::time_t>(ms / 1000);
    std::tm tm{};
    ::gmtime_r(&seconds, &tm);
    char when[40] = {};
    const std::size_t n = std::strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
    char fraction[8] = {};
    std::snprintf(fraction, sizeof fraction, ".%03dZ", static_cast<int>(ms % 1000));
    const auto put = [&](std::string_view s) { out.append(s.data(), s.data() + s.size()); };
    put("{\"time\":\"");
    put({when, n});
    put(fraction);
    put("\",\"level\":\"");
    const auto level = spdlog::level::to_string_view(msg.level);
    put({level.data(), level.size()});
    put("\",\"part\":");
    append_json({msg.logger_name.data(), msg.logger_name.size()}, out);
    put(",\"text\":");
    append_json({msg.payload.data(), msg.payload.size()}, out);
    put("}\n");
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

std::unique_ptr<spdlog::formatter> make_formatter(bool json) {
  if (json) return std::make_unique<JsonFormatter>();
  return std::make_unique<spdlog::pattern_formatter>(kTextPattern);
}

/// All loggers share one sink that hands on to the real ones: a new configuration reaches loggers that are held
/// elsewhere, and the swap is safe while others log.
struct Shared {
  std::mutex mutex;
  std::shared_ptr<spdlog::sinks::dist_sink_mt> sink = std::make_shared<spdlog::sinks::dist_sink_mt>();
  spdlog::level::level_enum level = spdlog::level::info;
  std::map<std::string, std::shared_ptr<spdlog::logger>, std::less<>> loggers;
  Shared() {
    auto err = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
    err->set_formatter(make_formatter(false));
    sink->set_sinks({err});
  }
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
  std::string trouble;
  std::vector<spdlog::sink_ptr> sinks{std::make_shared<spdlog::sinks::stderr_color_sink_mt>()};
  if (!settings.file.empty()) {
    try {
      sinks.push_back(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(settings.file, settings.file_bytes,
                                                                             settings.file_count));
    } catch (const spdlog::spdlog_ex& e) {
      trouble = e.what();
    }
  }
  for (const auto& s : sinks) s->set_formatter(make_formatter(settings.json));
  Shared& s = shared();
  {
    std::lock_guard lock(s.mutex);
    s.level = level;
    s.sink->set_sinks(std::move(sinks));
    for (const auto& [part, logger] : s.loggers) logger->set_level(level);
  }
  // Work does not stop for want of a log file; whoever asked for it is told.
  if (!trouble.empty()) get("log")->warn("logging to standard error only: {}", trouble);
}

std::shared_ptr<spdlog::logger> get(std::string_view part) {
  Shared& s = shared();
  std::lock_guard lock(s.mutex);
  if (auto it = s.loggers.find(part); it != s.loggers.end()) return it->second;
  auto logger = std::make_shared<spdlog::logger>(std::string(part), s.sink);
  logger->set_level(s.level);
  logger->flush_on(spdlog::level::warn);
  s.loggers.emplace(std::string(part), logger);
  return logger;
}

}  // namespace sparkmill::log
