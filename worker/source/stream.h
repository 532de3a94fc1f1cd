// SPDX-License-Identifier: Apache-2.0
// The connection to a pool as its client sees it: bytes in, bytes out, a wake-up call. A seam: tests put a pool in
// memory behind it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/stop.h"
#include "worker/source/stratum_messages.h"

namespace sparkmill::mining {

class Stream {
 public:
  virtual ~Stream() = default;
  /// Errors: unreachable, timeout, cancelled, refused (certificate), each naming the address.
  virtual Done connect() = 0;
  /// All of it. After an error the connection is lost and it is not known what arrived.
  virtual Done send(std::string_view bytes) = 0;
  /// Appends what arrives within `wait_ms` to `in`; nothing is no error. Error: unreachable (closed or broken).
  virtual Done receive(std::string& in, unsigned wait_ms) = 0;
  virtual void close() = 0;
  /// Ends a receive() that waits, now or the next one. The only call for other threads.
  virtual void wake() = 0;
};

struct StreamTarget {
  stratum::PoolUrl url;
  std::string ca_file;  ///< extra trust root
  unsigned connect_timeout_ms = 10'000;
  StopToken stop;  ///< ends connect()
};
using OpenStream = std::function<std::unique_ptr<Stream>(const StreamTarget&)>;

/// Over TCP or TLS (verified). A silent peer is probed after a minute, so that a half-open connection ends.
std::unique_ptr<Stream> socket_stream(const StreamTarget& target);

}  // namespace sparkmill::mining
