// SPDX-License-Identifier: Apache-2.0
// A blocking byte stream with a deadline and a stop token over TCP, a Unix socket or TLS: what the HTTP client and the
// pool connections stand on. Never raises SIGPIPE. Not thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/stop.h"

namespace sparkmill::http {

/// How long an operation may take, and who may cut it short. Polled every 100 ms.
struct Patience {
  std::chrono::steady_clock::time_point until;
  StopToken stop;
  static Patience ms(std::uint64_t ms, StopToken stop) {
    return {std::chrono::steady_clock::now() + std::chrono::milliseconds(ms), std::move(stop)};
  }
  /// Milliseconds to wait now, at most 100; 0 when the time is over.
  int slice_ms() const;
};

struct Target {
  bool tls = false;
  std::string host;
  std::uint16_t port = 0;
  std::string ca_file;
  std::string unix_socket{};  ///< non-empty: instead of host and port, never TLS
  std::string scheme{};       ///< how messages name it; empty: http or https
  std::string text() const;
};

class Socket {
 public:
  Socket();
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  /// Errors: unreachable, timeout, cancelled, refused (the certificate is not trusted or names another host).
  Done connect(const Target& target, const Patience& patience);
  bool open() const;
  /// True when the peer has closed or sent something nobody asked for: not to be used for another request.
  bool stale() const;
  Done write(std::string_view bytes, const Patience& patience);
  /// At least one byte, or 0 when the peer has closed in order.
  Result<std::size_t> read(std::span<std::uint8_t> out, const Patience& patience);
  /// Waits at most `ms` for something to read. False: the time is over, or `wake_fd` (-1: none) became readable.
  Result<bool> wait(unsigned ms, int wake_fd);
  /// The system probes a silent peer after `seconds` and breaks the connection when nothing comes back for about as
  /// long again.
  void probe_when_silent(unsigned seconds);
  void close();

 private:
  struct Tls;
  Done handshake(const Target& target, const Patience& patience);
  Done flush_tls(const Patience& patience);
  Result<std::size_t> read_plain(std::span<std::uint8_t> out, const Patience& patience);
  Done write_plain(std::string_view bytes, const Patience& patience);

  int fd_ = -1;
  std::string where_;
  std::unique_ptr<Tls> tls_;
};

}  // namespace sparkmill::http
