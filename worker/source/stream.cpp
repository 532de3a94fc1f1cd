// SPDX-License-Identifier: Apache-2.0
#include "worker/source/stream.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/http/socket.h"

namespace sparkmill::mining {

namespace {

constexpr unsigned kSendMs = 10'000;
constexpr unsigned kRecordMs = 50;  // for the rest of a TLS record; what came of it is kept
constexpr unsigned kProbeSeconds = 60;

class SocketStream final : public Stream {
 public:
  explicit SocketStream(const StreamTarget& target)
      : target_(target), wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~SocketStream() override {
    if (wake_fd_ >= 0) ::close(wake_fd_);
  }
  SocketStream(const SocketStream&) = delete;
  SocketStream& operator=(const SocketStream&) = delete;

  Done connect() override {
    http::Target t;
    t.tls = target_.url.tls;
    t.host = target_.url.host;
    t.port = target_.url.port;
    t.ca_file = target_.ca_file;
    t.scheme = t.tls ? "stratum+tls" : "stratum+tcp";
    SPARKMILL_TRY(socket_.connect(t, http::Patience::ms(target_.connect_timeout_ms, target_.stop)));
    socket_.probe_when_silent(kProbeSeconds);
    return done();
  }
  Done send(std::string_view bytes) override { return socket_.write(bytes, http::Patience::ms(kSendMs, {})); }
  Done receive(std::string& in, unsigned wait_ms) override {
    SPARKMILL_ASSIGN(const bool ready, socket_.wait(wait_ms, wake_fd_));
    std::uint64_t calls = 0;
    if (::read(wake_fd_, &calls, sizeof calls) < 0) calls = 0;  // nobody called
    if (!ready) return done();
    std::array<std::uint8_t, 16384> chunk;
    auto got = socket_.read(chunk, http::Patience::ms(kRecordMs, {}));
    if (!got && got.error().code == Status::timeout) return done();
    if (!got) return got.error();
    if (*got == 0) return fail(Status::unreachable, target_.url.text() + ": closed by the pool");
    in.append(reinterpret_cast<const char*>(chunk.data()), *got);
    return done();
  }
  void close() override { socket_.close(); }
  void wake() override {
    const std::uint64_t one = 1;
    if (::write(wake_fd_, &one, sizeof one) < 0) return;  // full: it wakes anyway
  }

 private:
  StreamTarget target_;
  int wake_fd_;
  http::Socket socket_;
};

}  // namespace

std::unique_ptr<Stream> socket_stream(const StreamTarget& target) { return std::make_unique<SocketStream>(target); }

}  // namespace sparkmill::mining
