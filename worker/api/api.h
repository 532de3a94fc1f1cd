// SPDX-License-Identifier: Apache-2.0
// The worker's HTTP API: state, metrics, events, control verbs and the dashboard page.
//   GET /            the page                    GET /v1/state   JSON (?format=text: as `status`, &color=1)
//   GET /metrics     Prometheus text             GET /v1/events  server-sent: "state" (whole), then "change" (RFC 6902)
//   POST /v1/pause {device?, for_s? | until?}    POST /v1/resume {device?}   POST /v1/finish   POST /v1/stop
// Writes need `Authorization: Bearer TOKEN`; beyond loopback reads need it too (the page itself has nothing to hide).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/http/client.h"
#include "base/result.h"
#include "worker/state/state.h"

namespace sparkmill::worker {

struct ApiSettings {
  std::string listen = "127.0.0.1";
  std::uint16_t port = 7440;  ///< 0: any free one
  /// When the port is taken, take any free one instead (first run); otherwise that is an error.
  bool any_port_if_taken = false;
  std::filesystem::path token_file;  ///< made with mode 0600 when missing
  std::filesystem::path url_file;    ///< where to leave the address for the CLI verbs; empty: nowhere
};

/// What the write verbs do; each may be called from several threads and must return soon.
struct Controls {
  std::function<Done(const std::string& device, std::uint64_t until_unix_ms)> pause;  ///< until 0: until resumed
  std::function<Done(const std::string& device)> resume;
  std::function<Done()> finish;
  std::function<void()> stop;
};

class Api {
 public:
  Api();
  ~Api();  ///< stops
  /// Errors: locked (the port is taken; the hint says by what when it is a worker), refused (the token file is open to
  /// others), bad_config (no address).
  Done start(const ApiSettings& settings, State& state, Controls controls, const Clock& clock = system_clock());
  std::uint16_t port() const;
  std::string url() const;  ///< "http://127.0.0.1:7440"
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Reads the token, making the file first when `make` is set. Errors: not_found, refused (open to others), bad_input.
Result<std::string> api_token(const std::filesystem::path& file, bool make);

/// "90", "90s", "15m", "2h", "1d": seconds, 1 s to 366 days.
Result<std::uint64_t> parse_duration_s(std::string_view text);
/// "18:00" (local time, the next one to come) as unix ms after `now_ms`.
Result<std::uint64_t> parse_clock_time(std::string_view text, std::uint64_t now_ms);

}  // namespace sparkmill::worker
