// SPDX-License-Identifier: Apache-2.0
// One I/O thread serves all connections; handlers run on a pool that grows while they block in long polls.
#include "base/http/server.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <future>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/http/pool.h"
#include "base/http/wire.h"
#include "base/log.h"

namespace sparkmill::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using tcp = asio::ip::tcp;

namespace {

constexpr std::size_t kReadChunk = 16u << 10;
constexpr std::size_t kFileChunk = 256u << 10;
constexpr std::size_t kStreamBacklog = 4u << 20;   // a reader this far behind is cut; it reconnects and starts afresh
constexpr std::uint64_t kSlowestBody = 32u << 10;  // bytes a second a body must keep up, on average
constexpr auto kPing = std::chrono::seconds(15);
constexpr auto kLinger = std::chrono::milliseconds(1'000);

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

}  // namespace

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
  void write_stream(const std::shared_ptr<Stream>& stream, std::string text);
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
  bool busy_ = false;   ///< a request is being answered
  bool keep_ = true;    ///< keep the connection after this answer
  bool drain_ = false;  ///< the peer may still be sending: read on a little before closing, or it sees a reset
};

/// Thread-safe outside face of a connection that became a stream. The response ends when the last owner lets go.
class Server::Impl::Stream : public EventStream {
 public:
  Stream(std::weak_ptr<Connection> connection, std::shared_ptr<asio::io_context> io)
      : io_(std::move(io)), connection_(std::move(connection)) {}
  ~Stream() override { post(&Connection::close); }
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
  bool writing_ = false;  // I/O thread only
  bool flush_asked_ = false;
  bool open_ = true;
};

// ---------------------------------------------------------------- reading

void Server::Impl::Connection::arm(std::chrono::milliseconds timeout) {
  timer_.expires_after(timeout);
  timer_.async_wait([self = weak_from_this()](error_code ec) {
    if (ec) return;
    if (auto c = self.lock()) c->close();
  });
}

void Server::Impl::Connection::read_more() {
  socket_.async_read_some(asio::buffer(chunk_), [self = shared_from_this()](error_code ec, std::size_t n) {
    if (ec) return self->close();
    self->buffer_.insert(self->buffer_.end(), self->chunk_.begin(), self->chunk_.begin() + n);
    self->feed();
  });
}

void Server::Impl::Connection::feed() {
  if (parser_->is_header_done()) return body_more();
  error_code ec;
  const std::size_t used = parser_->put(asio::buffer(buffer_.data(), buffer_.size()), ec);
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(used));
  if (ec == beast::http::error::need_more && buffer_.size() <= impl_.limits.header_bytes) return read_more();
  if (ec == beast::http::error::header_limit || ec == beast::http::error::need_more) {
    return refuse(Response::error(431, "too_large", "the header is over the limit"));
  }
  if (ec) return refuse(Response::error(400, "bad_input", "not an HTTP/1.1 request: " + ec.message()));
  header_done();
}

void Server::Impl::Connection::header_done() {
  busy_ = true;
  Request& request = parser_->request;
  request.peer = peer_;
  keep_ = parser_->keep_alive();
  if (request.target.empty() || request.target[0] != '/') {
    return refuse(Response::error(400, "bad_input", "the request target must begin with /"));
  }
  int status = 0;
  route_ = impl_.find(request.method, request.path(), status);
  if (route_ == nullptr) {
    if (!parser_->is_done()) drain_ = true, keep_ = false;
    return reply(status == 405 ? Response::error(405, "bad_input", request.method + " is not offered here")
                               : Response::error(404, "not_found", "no such path: " + request.path()),
                 nullptr);
  }
  const std::uint64_t limit = route_->body_limit != 0 ? route_->body_limit : impl_.limits.body_bytes;
  const auto length = parser_->content_length();
  if (length && *length > limit) {
    return refuse(Response::error(
        413, "too_large", "the body has " + std::to_string(*length) + " bytes, the limit is " + std::to_string(limit)));
  }
  parser_->body_limit(limit);
  const std::uint64_t patience = impl_.limits.read_timeout_ms + (length ? *length : limit) * 1000 / kSlowestBody;
  arm(std::chrono::milliseconds(patience));
  if (parser_->is_done()) return dispatch();
  const auto expect = request.headers.find("expect");
  if (expect == request.headers.end()) return body_more();
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(socket_, asio::buffer(kContinue.data(), kContinue.size()),
                    [self = shared_from_this()](error_code ec, std::size_t) {
                      if (ec) return self->close();
                      self->body_more();
                    });
}

void Server::Impl::Connection::body_more() {
  while (!buffer_.empty() && !parser_->is_done()) {
    error_code ec;
    const std::size_t used = parser_->put(asio::buffer(buffer_.data(), buffer_.size()), ec);
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(used));
    if (ec == beast::http::error::need_more && buffer_.size() <= 2 * kReadChunk) return read_more();
    if (ec == beast::http::error::body_limit) {
      return refuse(Response::error(413, "too_large", "the body is over the limit of this path"));
    }
    if (ec) return refuse(Response::error(400, "bad_input", "damaged body framing: " + ec.message()));
  }
  if (!parser_->is_done()) return read_more();
  dispatch();
}

// ---------------------------------------------------------------- answering

void Server::Impl::Connection::dispatch() {
  timer_.cancel();
  if (impl_.stopping) return refuse(Response::error(503, "refused", "the server is stopping"));
  auto request = std::make_shared<Request>(std::move(parser_->request));
  parser_->request.method = request->method;  // reply() asks for it
  const Route* route = route_;
  auto self = shared_from_this();
  if (route->stream) {
    auto stream = std::make_shared<Stream>(self, impl_.io);
    start_stream(stream);
    impl_.pool->post([route, request, stream]() mutable {
      try {
        auto handle = std::move(stream);
        route->stream(*request, std::move(handle));
      } catch (const std::exception& e) {
        log::get("http")->error("{}: {}", request->path(), e.what());
      }
    });
    return;
  }
  // `self` moves through the pool back to the I/O thread: a connection is never destroyed elsewhere.
  impl_.pool->post([self = std::move(self), route, request]() mutable {
    Response response;
    Server::FileAnswer file;
    try {
      if (route->file) {
        file = route->file(*request);
      } else {
        response = route->handler(*request);
      }
    } catch (const std::exception& e) {
      log::get("http")->error("{} {}: {}", request->method, request->path(), e.what());
      response = file.otherwise = Response::error(500, "internal", "the request failed inside the server");
      file.file.clear();
    }
    auto io = self->impl_.io;
    asio::post(*io, [self = std::move(self), is_file = static_cast<bool>(route->file), request,
                     response = std::move(response), file = std::move(file)]() mutable {
      self->parser_->request.headers = std::move(request->headers);
      if (is_file) {
        self->file_reply(std::move(file));
      } else {
        self->reply(std::move(response), nullptr);
      }
    });
  });
}

void Server::Impl::Connection::file_reply(Server::FileAnswer answer) {
  if (answer.file.empty()) return reply(std::move(answer.otherwise), nullptr);
  auto file = std::make_shared<OpenFile>();
  file->fd = ::open(answer.file.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat st {};
  if (file->fd < 0 || ::fstat(file->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
    return reply(Response::error(404, "not_found", "the file is not there any more"), nullptr);
  }
  const auto size = static_cast<std::uint64_t>(st.st_size);
  Response response = std::move(answer.otherwise);
  response.body.clear();
  if (response.headers.count("content-type") == 0) response.headers["content-type"] = "application/octet-stream";
  response.headers["accept-ranges"] = "bytes";
  const auto& headers = parser_->request.headers;
  const auto range = headers.find("range");
  const Range r = range == headers.end() ? Range{} : parse_range(range->second, size);
  if (r.kind == Range::unsatisfiable) {
    Response no = Response::error(416, "bad_input", "the range lies outside the file");
    no.headers["content-range"] = "bytes */" + std::to_string(size);
    return reply(std::move(no), nullptr);
  }
  response.status = r.kind == Range::part ? 206 : 200;
  file->at = r.kind == Range::part ? r.first : 0;
  file->end = r.kind == Range::part ? r.last + 1 : size;
  if (r.kind == Range::part) {
    response.headers["content-range"] =
        "bytes " + std::to_string(r.first) + "-" + std::to_string(r.last) + "/" + std::to_string(size);
  }
  reply(std::move(response), std::move(file));
}

void Server::Impl::Connection::reply(Response response, std::shared_ptr<OpenFile> file) {
  if (impl_.stopping) keep_ = false;
  const std::uint64_t length = file ? file->end - file->at : response.body.size();
  auto head = std::make_shared<std::string>(head_text(response, length, keep_));
  auto body = std::make_shared<Bytes>(std::move(response.body));
  if (parser_->request.method == "HEAD") {
    body->clear();
    file.reset();
  }
  arm(std::chrono::milliseconds(impl_.limits.read_timeout_ms + body->size() * 1000 / kSlowestBody));
  const std::array<asio::const_buffer, 2> parts{asio::buffer(*head), asio::buffer(*body)};
  asio::async_write(socket_, parts, [self = shared_from_this(), head, body, file](error_code ec, std::size_t) {
    if (ec) return self->close();
    if (file) return self->send_file(file);
    self->after_reply();
  });
}

void Server::Impl::Connection::send_file(std::shared_ptr<OpenFile> file) {
  if (file->at == file->end) return after_reply();
  auto chunk =
      std::make_shared<Bytes>(static_cast<std::size_t>(std::min<std::uint64_t>(kFileChunk, file->end - file->at)));
  const ssize_t n = ::pread(file->fd, chunk->data(), chunk->size(), static_cast<off_t>(file->at));
  if (n <= 0) return close();  // truncated under us: the peer sees a short body
  chunk->resize(static_cast<std::size_t>(n));
  file->at += static_cast<std::uint64_t>(n);
  arm(std::chrono::milliseconds(impl_.limits.read_timeout_ms));
  asio::async_write(socket_, asio::buffer(*chunk),
                    [self = shared_from_this(), chunk, file](error_code ec, std::size_t) {
                      if (ec) return self->close();
                      self->send_file(file);
                    });
}

void Server::Impl::Connection::after_reply() {
  if (keep_) return next_request();
  error_code ec;
  if (!drain_) return close();
  socket_.shutdown(tcp::socket::shutdown_send, ec);
  arm(kLinger);
  linger(1u << 20);
}

void Server::Impl::Connection::linger(std::size_t left) {
  socket_.async_read_some(asio::buffer(chunk_), [self = shared_from_this(), left](error_code ec, std::size_t n) {
    if (ec || n >= left) return self->close();
    self->linger(left - n);
  });
}

// ---------------------------------------------------------------- streams

void Server::Impl::Connection::start_stream(const std::shared_ptr<Stream>& stream) {
  stream_ = stream;
  keep_ = false;
  write_stream(stream,
               "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\n"
               "x-accel-buffering: no\r\nconnection: close\r\n\r\n");
  watch_stream_peer();
  ping_stream();
}

void Server::Impl::Connection::watch_stream_peer() {
  socket_.async_read_some(asio::buffer(chunk_), [self = shared_from_this()](error_code ec, std::size_t) {
    if (ec) return self->close();
    self->watch_stream_peer();  // a stream's peer has nothing to say; what it says is dropped
  });
}

void Server::Impl::Connection::ping_stream() {
  timer_.expires_after(kPing);
  timer_.async_wait([weak = weak_from_this()](error_code ec) {
    if (ec) return;
    auto self = weak.lock();
    auto s = self ? self->stream_.lock() : nullptr;
    if (!s) return;
    if (s->writing_) return self->close();  // nothing went out since the last ping: the peer is stuck
    s->queue(": ping\n\n");
    self->ping_stream();
  });
}

void Server::Impl::Connection::flush_stream() {
  const auto stream = stream_.lock();
  if (!stream || stream->writing_) return;
  std::string text;
  {
    std::lock_guard lock(stream->mutex_);
    stream->flush_asked_ = false;
    text.swap(stream->waiting_);
  }
  if (!text.empty()) write_stream(stream, std::move(text));
}

void Server::Impl::Connection::write_stream(const std::shared_ptr<Stream>& stream, std::string text) {
  stream->writing_ = true;
  auto kept = std::make_shared<std::string>(std::move(text));
  asio::async_write(socket_, asio::buffer(*kept),
                    [self = shared_from_this(), weak = stream_, kept](error_code ec, std::size_t) {
                      if (ec) return self->close();
                      if (auto s = weak.lock()) s->writing_ = false;
                      self->flush_stream();
                    });
}

void Server::Impl::Connection::end_stream(Stream& stream) {
  std::lock_guard lock(stream.mutex_);
  stream.open_ = false;
}

// ---------------------------------------------------------------- the server

const Route* Server::Impl::find(std::string_view method, std::string_view path, int& status) const {
  const Route* best = nullptr;
  bool any = false;
  for (const Route& r : routes) {
    if (!r.matches(path)) continue;
    any = true;
    const bool fits = r.method == method || (method == "HEAD" && r.method == "GET" && !r.stream);
    if (fits && (best == nullptr || r.path.size() > best->path.size())) best = &r;
  }
  status = any ? 405 : 404;
  return best;
}

void Server::Impl::accept() {
  acceptor->async_accept([this](error_code ec, tcp::socket socket) {
    if (stopping || ec == asio::error::operation_aborted) return;
    if (ec) {  // out of descriptors, most likely: try again a little later instead of spinning
      accept_pause.expires_after(std::chrono::milliseconds(100));
      accept_pause.async_wait([this](error_code e) {
        if (!e && !stopping) accept();
      });
      return;
    }
    const bool full = connections.size() >= limits.connections;
    auto connection = std::make_shared<Connection>(*this, std::move(socket));
    if (full) {
      connection->turn_away(Response::error(503, "refused", "too many connections", "try again in a moment"));
    } else {
      connection->next_request();
    }
    accept();
  });
}

void Server::Impl::stop() {
  std::lock_guard lock(stop_mutex);
  if (!io_thread.joinable()) return;
  stopping = true;
  on_io([this] {
    error_code ec;
    acceptor->close(ec);
    accept_pause.cancel();
    for (const auto& c : alive()) c->stop_now();
    return true;
  });
  pool->join();
  // Every handler has returned and posted its answer: give the writes a moment.
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (!on_io([this] { return connections.empty(); }) && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  on_io([this] {
    for (const auto& c : alive()) c->close();
    work.reset();
    return true;
  });
  io_thread.join();
}

bool Server::Impl::on_io(const std::function<bool()>& what) {
  auto answer = std::make_shared<std::promise<bool>>();
  asio::post(*io, [answer, &what] { answer->set_value(what()); });
  return answer->get_future().get();
}

std::vector<std::shared_ptr<Server::Impl::Connection>> Server::Impl::alive() {
  std::vector<std::shared_ptr<Connection>> out;
  for (Connection* c : connections) {
    if (auto held = c->weak_from_this().lock()) out.push_back(std::move(held));
  }
  return out;
}

Server::Server() : impl_(std::make_unique<Impl>()) {}
Server::~Server() { stop(); }

void Server::route(std::string method, std::string path, Handler handler, std::uint64_t body_limit) {
  impl_->routes.push_back({std::move(method), std::move(path), body_limit, std::move(handler), {}, {}});
}
void Server::stream(std::string path, StreamHandler handler) {
  impl_->routes.push_back({"GET", std::move(path), 0, {}, std::move(handler), {}});
}
void Server::file_route(std::string path, std::function<FileAnswer(const Request&)> handler) {
  impl_->routes.push_back({"GET", std::move(path), 0, {}, {}, std::move(handler)});
}

Done Server::start(const std::string& address, std::uint16_t port, Limits limits, unsigned threads) {
  const std::string where =
      (address.find(':') != std::string::npos ? "[" + address + "]" : address) + ":" + std::to_string(port);
  error_code ec;
  const auto ip = asio::ip::make_address(address, ec);
  if (ec) {
    return fail(Status::bad_config, where + ": '" + address + "' is not an IP address", "for example 127.0.0.1 or ::1");
  }
  auto acceptor = std::make_unique<tcp::acceptor>(*impl_->io);
  const tcp::endpoint endpoint(ip, port);
  acceptor->open(endpoint.protocol(), ec);
  if (!ec) acceptor->set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) acceptor->bind(endpoint, ec);
  if (!ec) acceptor->listen(asio::socket_base::max_listen_connections, ec);
  if (ec == asio::error::address_in_use) {
    return fail(Status::locked, "cannot listen on " + where + ": the port is taken by another program",
                "choose another port, or 0 for any free one");
  }
  if (ec) return fail(Status::refused, "cannot listen on " + where + ": " + ec.message());
  impl_->limits = limits;
  impl_->acceptor = std::move(acceptor);
  impl_->port = impl_->acceptor->local_endpoint().port();
  impl_->pool = std::make_unique<Pool>(threads, limits.connections + threads);
  impl_->work = std::make_unique<asio::executor_work_guard<asio::io_context::executor_type>>(impl_->io->get_executor());
  impl_->accept();
  impl_->io_thread = std::thread([this] { impl_->io->run(); });
  return done();
}

std::uint16_t Server::port() const { return impl_->port; }
bool Server::stopping() const { return impl_->stopping; }
void Server::stop() { impl_->stop(); }

}  // namespace sparkmill::http
