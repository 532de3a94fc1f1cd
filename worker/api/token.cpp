// SPDX-License-Identifier: Apache-2.0
// The API token's file, and the texts of times that people type.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <ctime>

#include "base/file.h"
#include "base/hash.h"
#include "base/hex.h"
#include "worker/api/api.h"

namespace sparkmill::worker {

Result<std::string> api_token(const std::filesystem::path& file, bool make) {
  struct stat st {};
  if (::stat(file.c_str(), &st) != 0) {
    const int err = errno;
    if (err != ENOENT || !make) {
      Error e = errno_error(err, file.string());
      e.hint = "the worker makes it at its first start; name another with --api.token_file";
      return e;
    }
    std::error_code ec;
    if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path(), ec);
    const std::string token = to_hex(random_array<32>());
    SPARKMILL_TRY(write_file_atomic(file, view(token + "\n"), 0600));
    return token;
  }
  if ((st.st_mode & 077) != 0) {
    return fail(Status::refused, file.string() + ": other users may read or change the API token",
                "chmod 600 " + file.string());
  }
  SPARKMILL_ASSIGN(std::string token, read_text_file(file, 4096));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) token.pop_back();
  const bool printable = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (token.size() < 16 || !printable) {
    return fail(Status::bad_input, file.string() + ": not a token (16 or more printable characters on one line)",
                "delete it; the worker makes a new one at its next start");
  }
  return token;
}

Result<std::uint64_t> parse_duration_s(std::string_view text) {
  const auto bad = [&] {
    return fail(Status::bad_argument, "'" + std::string(text.substr(0, 40)) + "' is not a length of time",
                "for example 90s, 15m, 2h or 1d; at most 366d");
  };
  std::uint64_t value = 0;
  const auto [at, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc()) return bad();
  const std::string_view unit = text.substr(static_cast<std::size_t>(at - text.data()));
  const std::uint64_t factor = unit.empty() || unit == "s"    ? 1
                               : unit == "m" || unit == "min" ? 60
                               : unit == "h"                  ? 3600
                               : unit == "d"                  ? 86'400
                                                              : 0;
  constexpr std::uint64_t kYear = 366ull * 86'400;
  if (factor == 0 || value == 0 || value > kYear / factor) return bad();
  return value * factor;
}

Result<std::uint64_t> parse_clock_time(std::string_view text, std::uint64_t now_ms) {
  unsigned hour = 0;
  unsigned minute = 0;
  const std::size_t colon = text.find(':');
  const auto number = [](std::string_view s, unsigned& out) {
    const auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), out);
    return ec == std::errc() && end == s.data() + s.size() && !s.empty() && s.size() <= 2;
  };
  if (colon == std::string_view::npos || !number(text.substr(0, colon), hour) ||
      !number(text.substr(colon + 1), minute) || hour > 23 || minute > 59) {
    return fail(Status::bad_argument, "'" + std::string(text.substr(0, 40)) + "' is not a time of day",
                "for example 18:00");
  }
  const auto now = static_cast<std::time_t>(now_ms / 1000);
  std::tm tm{};
  if (::localtime_r(&now, &tm) == nullptr) return fail(Status::internal, "the local time is not known");
  tm.tm_hour = static_cast<int>(hour);
  tm.tm_min = static_cast<int>(minute);
  tm.tm_sec = 0;
  tm.tm_isdst = -1;
  std::tm today = tm;
  std::time_t at = std::mktime(&today);
  if (at <= now) {
    ++tm.tm_mday;  // mktime carries days and months, and minds the change of clocks
    at = std::mktime(&tm);
  }
  return static_cast<std::uint64_t>(at) * 1000;
}

}  // namespace sparkmill::worker
