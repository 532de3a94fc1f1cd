// SPDX-License-Identifier: Apache-2.0
// Blocking HTTP/1.1 client (Boost.Beast), one keep-alive connection, http:// and https:// (verified by default).
#pragma once

#include <functional>
#include <memory>

#include "base/http/message.h"
#include "base/result.h"
#include "base/stop.h"

namespace sparkmill::http {

struct Url {
  bool tls = false;
  std::string host;
  std::uint16_t port = 0;
  std::string base;  ///< path prefix without trailing '/', usually empty
  static Result<Url> parse(std::string_view url);
};

struct ClientOptions {
  unsigned connect_timeout_ms = 5'000;
  unsigned timeout_ms = 30'000;          ///< whole answer, unless the call says otherwise
  std::uint64_t body_limit = 16u << 20;  ///< a longer answer is an error (too_large), it is not read to its end
  std::string ca_file;                   ///< extra trust root for tests and private nodes
  std::string unix_socket;               ///< connect here instead of host:port
};

/// Not thread-safe: one a thread.
class Client {
 public:
  Client(Url url, ClientOptions options = {});
  ~Client();
  /// Errors: unreachable, timeout, too_large, refused (TLS), bad_input (not HTTP), cancelled. HTTP statuses >= 400 are
  /// answers. The request's target is appended to the URL's base.
  Result<Response> call(const Request& request, unsigned timeout_ms = 0, StopToken stop = {});
  /// GET whose body goes to `sink` in chunks (blobs); `sink` returning an error ends it. Headers and status in the
  /// answer.
  Result<Response> download(const Request& request, const std::function<Done(ByteView)>& sink,
                            std::uint64_t limit_bytes, StopToken stop = {});
  /// GET of server-sent events until `on_event(event, data)` returns false, the stop token fires or the peer goes.
  Done events(const Request& request, const std::function<bool(std::string_view, std::string_view)>& on_event,
              StopToken stop);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sparkmill::http
