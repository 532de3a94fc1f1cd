// SPDX-License-Identifier: Apache-2.0
// Inside of the HTTP server, for server.cpp and connection.cpp only: one I/O thread serves all connections, handlers
// run on a pool that grows while they block in long polls.
#pragma once

#include <unistd.h>

#include <utility>  // before Asio 1.18, which forgets it

#include <algorithm>
#include <atomic>
#include <boost/asio.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/http/pool.h"
#include "base/http/server.h"
#include "base/http/wire.h"

namespace sparkmill::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using tcp = asio::ip::tcp;

inline constexpr std::size_t kReadChunk = 16u << 10;
inline constexpr std::size_t kFileChunk = 256u << 10;
inline constexpr std::size_t kStreamBacklog =
    4u << 20;  // a reader this far behind is cut; it reconnects and starts afresh
inline constexpr std::uint64_t kSlowestBody = 32u << 10;  // bytes a second a body must keep up, on average
inline constexpr auto kPing = std::chrono::seconds(15);
inline constexpr auto kLinger = std::chrono::milliseconds(1'000);

/// Programs that we start must not hold our ports and peers; Asio leaves that to us.
void close_on_exec(int fd);

/// Beast parses; this collects.
class RequestParser final : public beast::http::basic_parser<true> {
 public:
  explicit RequestParser(unsigned header_bytes) {
    header_limit(header_bytes);
    body_limit(UINT64_MAX);  // the route decides, once the header is known (1.74 takes "none" for 0)
  }
  Request request;

 private:
  using View = beast::string_view;
  void on_request_impl(beast::http::verb, View method, View target, int, error_code&) override {
    request.method.assign(method.data(), method.size());
    request.target.assign(target.data(), target.size());
  }
  void on_response_impl(int, View, int, error_code&) override {}
  void on_field_impl(beast::http::field, View name, View value, error_code&) override {
    auto [it, fresh] = request.headers.emplace(lower({name.data(), name.size()}), std::string());
    if (!fresh) it->second += ", ";
    it->second.append(value.data(), value.size());
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const& length, error_code&) override {
    if (length) request.body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*length, 1u << 20)));
  }
  std::size_t on_body_impl(View body, error_code&) override {
    request.body.insert(request.body.end(), body.begin(), body.end());
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, View, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View body, error_code& ec) override { return on_body_impl(body, ec); }
  void on_finish_impl(error_code&) override {}
};

struct Route {
  std::string method;
  std::string path;
  std::uint64_t body_limit = 0;
  Handler handler;
  StreamHandler stream;
  std::function<Server::FileAnswer(const Request&)> file;

  bool matches(std::string_view p) const { return path.back() == '/' ? p.substr(0, path.size()) == path : p == path; }
};

struct OpenFile {
  int fd = -1;
  std::uint64_t at = 0;
  std::uint64_t end = 0;
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
};

struct Server::Impl {
  class Connection;
  class Stream;

  // Shared with the streams, which handlers may keep for longer than the server lives.
  std::shared_ptr<asio::io_context> io = std::make_shared<asio::io_context>(1);
  std::unique_ptr<tcp::acceptor> acceptor;
  std::unique_ptr<asio::executor_work_guard<asio::io_context::executor_type>> work;
  asio::steady_timer accept_pause{*io};
  std::thread io_thread;
  std::unique_ptr<Pool> pool;
  std::vector<Route> routes;
  Limits limits;
  std::uint16_t port = 0;
  std::atomic<bool> stopping{false};
  std::mutex stop_mutex;
  // Touched by the I/O thread only:
  std::set<Connection*> connections;

  void accept();
  void stop();
  bool on_io(const std::function<bool()>& what);  ///< runs it on the I/O thread and waits
  std::vector<std::shared_ptr<Connection>> alive();
  /// The best route; otherwise nullptr and `status` is 404 or 405.
  const Route* find(std::string_view method, std::string_view path, int& status) const;
};

/// One peer. All members are touched on the I/O thread only; handlers get copies.
class Server::Impl::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Impl& impl, tcp::socket socket) : impl_(impl), socket_(std::move(socket)), timer_(*impl.io) {
    error_code ec;
    const auto remote = socket_.remote_endpoint(ec);
    if (!ec) peer_ = remote.address().to_string() + ":" + std::to_string(remote.port());
    socket_.set_option(tcp::no_delay(true), ec);
    close_on_exec(socket_.native_handle());
    impl_.connections.insert(this);
  }
  ~Connection() { impl_.connections.erase(this); }

  void next_request() {
    if (impl_.stopping) return close();
    parser_ = std::make_unique<RequestParser>(impl_.limits.header_bytes);
    busy_ = false;
    arm(std::chrono::milliseconds(impl_.limits.read_timeout_ms));
    if (buffer_.empty()) {
      read_more();
    } else {
      feed();
    }
  }
  /// Answers without reading anything, then closes.
  void turn_away(Response response) {
    parser_ = std::make_unique<RequestParser>(impl_.limits.header_bytes);
    refuse(std::move(response));
  }
  /// The server stops: peers that wait and streams go now, a request that is being answered is let through.
  void stop_now() {
    if (!busy_ || stream_.lock()) close();
  }
  void close() {
    error_code ec;
    timer_.cancel();
    socket_.shutdown(tcp::socket::shutdown_both, ec);
    socket_.close(ec);
    if (auto s = stream_.lock()) end_stream(*s);
  }

 private:
  friend class Stream;
  void arm(std::chrono::milliseconds timeout);
  void read_more();
  void feed();
  void header_done();
  void body_more();
  void dispatch();
  void reply(Response response, std::shared_ptr<OpenFile> file);
  void send_file(std::shared_ptr<OpenFile> file);
  void after_reply();
  void linger(std::size_t left);
  void refuse(Response response) {
    keep_ = false;
    drain_ = true;
    busy_ = true;
    reply(std::move(response), nullptr);
  }
  void file_reply(Server::FileAnswer answer);
  void start_stream(const std::shared_ptr<Stream>& stream);
  void watch_stream_peer();
  void ping_stream();
  void flush_stream();
  void finish_stream(std::string text);
  void after_stream_write();
  void write_stream(std::string text);
  static void end_stream(Stream& stream);

  Impl& impl_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  std::string peer_;
  std::array<std::uint8_t, kReadChunk> chunk_{};
  Bytes buffer_;  ///< received, not yet parsed
  std::unique_ptr<RequestParser> parser_;
  const Route* route_ = nullptr;
  std::weak_ptr<Stream> stream_;
  bool stream_writing_ = false;
  bool stream_ending_ = false;
  std::string stream_tail_;  ///< left to write when the stream's owner has let go
  bool busy_ = false;        ///< a request is being answered
  bool keep_ = true;         ///< keep the connection after this answer
  bool drain_ = false;       ///< the peer may still be sending: read on a little before closing, or it sees a reset
};

/// Thread-safe outside face of a connection that became a stream. The response ends when the last owner lets go.
class Server::Impl::Stream : public EventStream {
 public:
  Stream(std::weak_ptr<Connection> connection, std::shared_ptr<asio::io_context> io)
      : io_(std::move(io)), connection_(std::move(connection)) {}
  ~Stream() override {
    // What was sent last goes out before the end.
    asio::post(*io_, [c = connection_, text = std::move(waiting_)]() mutable {
      if (auto connection = c.lock()) connection->finish_stream(std::move(text));
    });
  }
  bool send(std::string_view event, std::string_view data) override {
    std::string text = "event: " + one_line(event) + "\n";
    for (;;) {
      const std::size_t end = data.find('\n');
      text += "data: " + one_line(data.substr(0, end)) + "\n";
      if (end == std::string_view::npos) break;
      data.remove_prefix(end + 1);
    }
    return queue(text + "\n");
  }
  bool open() const override {
    std::lock_guard lock(mutex_);
    return open_;
  }

 private:
  friend class Connection;
  static std::string one_line(std::string_view s) {
    std::string out(s);
    out.erase(std::remove_if(out.begin(), out.end(), [](char c) { return c == '\r' || c == '\n'; }), out.end());
    return out;
  }
  bool queue(const std::string& text) {
    std::lock_guard lock(mutex_);
    if (!open_) return false;
    if (waiting_.size() + text.size() > kStreamBacklog) {
      open_ = false;
      post(&Connection::close);
      return false;
    }
    waiting_ += text;
    if (!flush_asked_) {
      flush_asked_ = true;
      post(&Connection::flush_stream);
    }
    return true;
  }

  /// The connection lives and dies on the I/O thread, so it is only looked up there.
  void post(void (Connection::*what)()) {
    asio::post(*io_, [c = connection_, what] {
      if (auto connection = c.lock()) ((*connection).*what)();
    });
  }

  std::shared_ptr<asio::io_context> io_;
  std::weak_ptr<Connection> connection_;
  mutable std::mutex mutex_;
  std::string waiting_;
  bool flush_asked_ = false;
  bool open_ = true;
};

}  // namespace sparkmill::http
