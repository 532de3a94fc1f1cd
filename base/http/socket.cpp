// SPDX-License-Identifier: Apache-2.0
#include "base/http/socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace sparkmill::http {

namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  int family = 0;
};

/// Waits until `fd` is ready for `events`, the time is over or the stop token fires.
Done wait_ready(int fd, short events, const Patience& patience, const std::string& where) {
  for (;;) {
    if (patience.stop.stop_requested()) return fail(Status::cancelled, where + ": stopped");
    const int ms = patience.slice_ms();
    if (ms == 0) return fail(Status::timeout, where + ": no answer in time");
    pollfd p{fd, events, 0};
    const int n = ::poll(&p, 1, ms);
    if (n > 0) return done();
    if (n < 0 && errno != EINTR) return fail(Status::io_error, where + ": " + std::strerror(errno));
  }
}

std::vector<Address> to_list(addrinfo* head) {
  std::vector<Address> out;
  for (addrinfo* a = head; a != nullptr; a = a->ai_next) {
    Address address;
    std::memcpy(&address.storage, a->ai_addr, a->ai_addrlen);
    address.length = a->ai_addrlen;
    address.family = a->ai_family;
    out.push_back(address);
  }
  return out;
}

/// Names are looked up on a thread of their own: the resolver knows neither deadlines nor stop tokens.
struct Lookup {
  std::mutex mutex;
  std::condition_variable ready;
  bool finished = false;
  int code = 0;
  std::vector<Address> found;

  void run(const std::string& host, const std::string& port, int flags) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags | AI_NUMERICSERV;
    addrinfo* head = nullptr;
    const int c = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &head);
    std::vector<Address> list = c == 0 ? to_list(head) : std::vector<Address>();
    if (head != nullptr) ::freeaddrinfo(head);
    std::lock_guard lock(mutex);
    code = c;
    found = std::move(list);
    finished = true;
    ready.notify_all();
  }
};

Result<std::vector<Address>> resolve(const Target& target, const Patience& patience) {
  auto lookup = std::make_shared<Lookup>();
  const std::string port = std::to_string(target.port);
  lookup->run(target.host, port, AI_NUMERICHOST);
  if (lookup->code != 0) {
    lookup->finished = false;
    std::thread([lookup, host = target.host, port] { lookup->run(host, port, 0); }).detach();
  }
  std::unique_lock lock(lookup->mutex);
  while (!lookup->finished) {
    if (patience.stop.stop_requested()) return fail(Status::cancelled, target.text() + ": stopped");
    const int ms = patience.slice_ms();
    if (ms == 0) return fail(Status::timeout, target.text() + ": the name was not resolved in time");
    lookup->ready.wait_for(lock, std::chrono::milliseconds(ms));
  }
  if (lookup->code != 0) {
    return fail(Status::unreachable, target.text() + ": cannot resolve the name: " + ::gai_strerror(lookup->code),
                "check the spelling of the address and the network");
  }
  return lookup->found;
}

Result<int> connect_one(const Address& address, const Patience& patience, const std::string& where) {
  const int fd = ::socket(address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(Status::io_error, where + ": " + std::strerror(errno));
  int err = 0;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0) err = errno;
  if (err == EINPROGRESS || err == EAGAIN) {
    if (auto ready = wait_ready(fd, POLLOUT, patience, where); !ready) {
      ::close(fd);
      return ready.error();
    }
    socklen_t n = sizeof err;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n);
  }
  if (err != 0) {
    ::close(fd);
    return fail(Status::unreachable, where + ": " + std::strerror(err), "is it running, and is the address right?");
  }
  return fd;
}

Result<int> connect_unix(const Target& target, const Patience& patience) {
  Address address;
  auto* un = reinterpret_cast<sockaddr_un*>(&address.storage);
  if (target.unix_socket.size() >= sizeof un->sun_path) {
    return fail(Status::bad_argument, target.unix_socket + ": path too long for a Unix socket");
  }
  un->sun_family = AF_UNIX;
  std::memcpy(un->sun_path, target.unix_socket.c_str(), target.unix_socket.size() + 1);
  address.length = sizeof *un;
  address.family = AF_UNIX;
  return connect_one(address, patience, target.text());
}

Result<int> connect_any(const Target& target, const Patience& patience) {
  if (!target.unix_socket.empty()) return connect_unix(target, patience);
  SPARKMILL_ASSIGN(const std::vector<Address> addresses, resolve(target, patience));
  Result<int> last = fail(Status::unreachable, target.text() + ": no address");
  for (const Address& address : addresses) {
    last = connect_one(address, patience, target.text());
    if (last || last.error().code != Status::unreachable) break;
  }
  if (last) {
    const int on = 1;
    ::setsockopt(*last, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  return last;
}

std::string openssl_reason() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  char buffer[160] = {};
  if (code == 0) return "the peer broke off";
  ERR_error_string_n(code, buffer, sizeof buffer);
  return buffer;
}

}  // namespace

int Patience::slice_ms() const {
  using namespace std::chrono;
  const auto left = duration_cast<milliseconds>(until - steady_clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 100));
}

std::string Target::text() const {
  if (!unix_socket.empty()) return "unix:" + unix_socket;
  const std::string h = host.find(':') != std::string::npos ? "[" + host + "]" : host;
  return (scheme.empty() ? (tls ? "https" : "http") : scheme) + "://" + h + ":" + std::to_string(port);
}

/// OpenSSL over memory buffers: our own reads and writes keep the deadline, the stop token and SIGPIPE in hand.
struct Socket::Tls {
  SSL_CTX* context = nullptr;
  SSL* ssl = nullptr;
  BIO* in = nullptr;   // owned by ssl
  BIO* out = nullptr;  // owned by ssl
  ~Tls() {
    SSL_free(ssl);
    SSL_CTX_free(context);
  }
  Done prepare(const Target& target);
};

Done Socket::Tls::prepare(const Target& target) {
  context = SSL_CTX_new(TLS_client_method());
  if (context == nullptr) return fail(Status::internal, "TLS: " + openssl_reason());
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_default_verify_paths(context);
  if (!target.ca_file.empty() && SSL_CTX_load_verify_locations(context, target.ca_file.c_str(), nullptr) != 1) {
    return fail(Status::bad_config, target.ca_file + ": not a readable PEM file of certificates: " + openssl_reason());
  }
  ssl = SSL_new(context);
  in = BIO_new(BIO_s_mem());
  out = BIO_new(BIO_s_mem());
  if (ssl == nullptr || in == nullptr || out == nullptr) return fail(Status::internal, "TLS: out of memory");
  BIO_set_mem_eof_return(in, -1);
  SSL_set_bio(ssl, in, out);
  SSL_set_connect_state(ssl);
  X509_VERIFY_PARAM* param = SSL_get0_param(ssl);
  in6_addr ignored{};
  const bool is_ip = ::inet_pton(AF_INET, target.host.c_str(), &ignored) == 1 ||
                     ::inet_pton(AF_INET6, target.host.c_str(), &ignored) == 1;
  if (is_ip) {
    X509_VERIFY_PARAM_set1_ip_asc(param, target.host.c_str());
  } else {
    X509_VERIFY_PARAM_set1_host(param, target.host.c_str(), 0);
    SSL_set_tlsext_host_name(ssl, target.host.c_str());
  }
  return done();
}

Socket::Socket() = default;
Socket::~Socket() { close(); }

void Socket::close() {
  tls_.reset();
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

bool Socket::open() const { return fd_ >= 0; }

bool Socket::stale() const {
  pollfd p{fd_, POLLIN, 0};
  return ::poll(&p, 1, 0) != 0;
}

Result<bool> Socket::wait(unsigned ms, int wake_fd) {
  // What was received with the last record is in no queue of the system.
  if (tls_ && (SSL_pending(tls_->ssl) > 0 || BIO_ctrl_pending(tls_->in) > 0)) return true;
  pollfd p[2] = {{fd_, POLLIN, 0}, {wake_fd, POLLIN, 0}};
  const int n = ::poll(p, wake_fd < 0 ? 1 : 2, static_cast<int>(ms));
  if (n < 0 && errno != EINTR) return fail(Status::io_error, where_ + ": " + std::strerror(errno));
  return n > 0 && p[0].revents != 0;
}

void Socket::probe_when_silent(unsigned seconds) {
  const auto set = [this](int level, int option, unsigned value) {
    const int v = static_cast<int>(value);
    ::setsockopt(fd_, level, option, &v, sizeof v);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, seconds);
  set(IPPROTO_TCP, TCP_KEEPINTVL, std::max(1u, seconds / 4));
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 2'000 * seconds);  // also while something sent waits for its receipt
}

Done Socket::connect(const Target& target, const Patience& patience) {
  close();
  where_ = target.text();
  SPARKMILL_ASSIGN(fd_, connect_any(target, patience));
  if (!target.tls || !target.unix_socket.empty()) return done();
  auto secured = handshake(target, patience);
  if (!secured) close();
  return secured;
}

Done Socket::handshake(const Target& target, const Patience& patience) {
  tls_ = std::make_unique<Tls>();
  SPARKMILL_TRY(tls_->prepare(target));
  std::array<std::uint8_t, 4096> chunk{};
  for (;;) {
    ERR_clear_error();
    const int n = SSL_do_handshake(tls_->ssl);
    const int why = n == 1 ? SSL_ERROR_NONE : SSL_get_error(tls_->ssl, n);
    SPARKMILL_TRY(flush_tls(patience));
    if (n == 1) return done();
    if (why != SSL_ERROR_WANT_READ) {
      const long verdict = SSL_get_verify_result(tls_->ssl);
      if (verdict != X509_V_OK) {
        return fail(Status::refused, where_ + ": the certificate is refused: " + X509_verify_cert_error_string(verdict),
                    "check the host name; for a private certificate name its authority with ca_file");
      }
      return fail(Status::refused, where_ + ": TLS: " + openssl_reason(), "does this port speak TLS?");
    }
    SPARKMILL_ASSIGN(const std::size_t got, read_plain(chunk, patience));
    if (got == 0) return fail(Status::unreachable, where_ + ": closed during the TLS handshake");
    BIO_write(tls_->in, chunk.data(), static_cast<int>(got));
  }
}

Done Socket::flush_tls(const Patience& patience) {
  std::array<char, 16384> chunk{};
  for (;;) {
    const int n = BIO_read(tls_->out, chunk.data(), static_cast<int>(chunk.size()));
    if (n <= 0) return done();
    SPARKMILL_TRY(write_plain({chunk.data(), static_cast<std::size_t>(n)}, patience));
  }
}

Done Socket::write(std::string_view bytes, const Patience& patience) {
  if (!tls_) return write_plain(bytes, patience);
  while (!bytes.empty()) {
    // With a memory buffer behind it every write is taken at once; pieces keep that buffer small.
    const std::size_t n = std::min<std::size_t>(bytes.size(), 64u << 10);
    if (SSL_write(tls_->ssl, bytes.data(), static_cast<int>(n)) != static_cast<int>(n)) {
      return fail(Status::unreachable, where_ + ": TLS: " + openssl_reason());
    }
    SPARKMILL_TRY(flush_tls(patience));
    bytes.remove_prefix(n);
  }
  return done();
}

Result<std::size_t> Socket::read(std::span<std::uint8_t> out, const Patience& patience) {
  if (!tls_) return read_plain(out, patience);
  std::array<std::uint8_t, 16384> chunk{};
  for (;;) {
    ERR_clear_error();
    const int n = SSL_read(tls_->ssl, out.data(), static_cast<int>(std::min<std::size_t>(out.size(), 1u << 20)));
    if (n > 0) return static_cast<std::size_t>(n);
    const int why = SSL_get_error(tls_->ssl, n);
    if (why == SSL_ERROR_ZERO_RETURN) return std::size_t{0};
    if (why != SSL_ERROR_WANT_READ) return fail(Status::unreachable, where_ + ": TLS: " + openssl_reason());
    SPARKMILL_TRY(flush_tls(patience));
    SPARKMILL_ASSIGN(const std::size_t got, read_plain(chunk, patience));
    // Without TLS's own goodbye the end may have been forged.
    if (got == 0) return fail(Status::unreachable, where_ + ": cut off without a TLS close");
    BIO_write(tls_->in, chunk.data(), static_cast<int>(got));
  }
}

Result<std::size_t> Socket::read_plain(std::span<std::uint8_t> out, const Patience& patience) {
  for (;;) {
    SPARKMILL_TRY(wait_ready(fd_, POLLIN, patience, where_));
    const ssize_t n = ::recv(fd_, out.data(), out.size(), 0);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EAGAIN && errno != EINTR) return fail(Status::unreachable, where_ + ": " + std::strerror(errno));
  }
}

Done Socket::write_plain(std::string_view bytes, const Patience& patience) {
  while (!bytes.empty()) {
    SPARKMILL_TRY(wait_ready(fd_, POLLOUT, patience, where_));
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno != EAGAIN && errno != EINTR) {
      return fail(Status::unreachable, where_ + ": " + std::strerror(errno));
    }
  }
  return done();
}

}  // namespace sparkmill::http
