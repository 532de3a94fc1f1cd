// SPDX-License-Identifier: Apache-2.0
// Small HTTP/1.1 server (Boost.Beast) with routes, body limits, long polls and server-sent events.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "base/http/message.h"
#include "base/result.h"

namespace sparkmill::http {

/// Handed to a streaming route (server-sent events). Thread-safe; `send` returns false once the peer has gone.
class EventStream {
 public:
  virtual ~EventStream() = default;
  virtual bool send(std::string_view event, std::string_view data) = 0;
  virtual bool open() const = 0;
};

struct Limits {
  std::uint64_t body_bytes = 1u << 20;  ///< refused with 413 from Content-Length, before the body is read
  unsigned header_bytes = 16u << 10;
  unsigned read_timeout_ms = 30'000;
  unsigned connections = 256;  ///< more are answered 503 and closed
};

using Handler = std::function<Response(const Request&)>;
using StreamHandler = std::function<void(const Request&, std::shared_ptr<EventStream>)>;

class Server {
 public:
  Server();
  ~Server();  ///< stops
  /// Routes by method and path; a path ending in '/' matches everything below it; longest match wins. Call before
  /// start. Handlers run on a pool of threads and may block (long poll). `limit` overrides Limits::body_bytes for this
  /// route.
  void route(std::string method, std::string path, Handler handler, std::uint64_t body_limit = 0);
  void stream(std::string path, StreamHandler handler);
  /// Serves a file from disk with range requests: the handler returns the path, or an error response.
  struct FileAnswer {
    std::filesystem::path file;  ///< empty: `otherwise` is sent
    Response otherwise;
  };
  void file_route(std::string path, std::function<FileAnswer(const Request&)> handler);
  /// Binds `address` ("127.0.0.1", "::1", ...) and `port` (0: any). Errors name address and port.
  Done start(const std::string& address, std::uint16_t port, Limits limits = {}, unsigned threads = 4);
  std::uint16_t port() const;
  /// True once stop() was called: long polls must return then.
  bool stopping() const;
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sparkmill::http
