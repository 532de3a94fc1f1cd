// SPDX-License-Identifier: Apache-2.0
// One connection: reading requests, sending answers, files and event streams. All of it on the I/O thread.
#include "base/http/connection.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"

namespace sparkmill::http {

void close_on_exec(int fd) { ::fcntl(fd, F_SETFD, FD_CLOEXEC); }

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
    auto loop = self->impl_.io;
    asio::post(*loop, [self = std::move(self), is_file = static_cast<bool>(route->file), request,
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
  write_stream(
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
    if (self->stream_writing_) return self->close();  // nothing went out since the last ping: the peer is stuck
    s->queue(": ping\n\n");
    self->ping_stream();
  });
}

void Server::Impl::Connection::flush_stream() {
  const auto stream = stream_.lock();
  if (!stream || stream_writing_) return;
  std::string text;
  {
    std::lock_guard lock(stream->mutex_);
    stream->flush_asked_ = false;
    text.swap(stream->waiting_);
  }
  if (!text.empty()) write_stream(std::move(text));
}

void Server::Impl::Connection::finish_stream(std::string text) {
  stream_ending_ = true;
  stream_tail_ = std::move(text);
  arm(std::chrono::milliseconds(impl_.limits.read_timeout_ms));
  if (!stream_writing_) after_stream_write();
}

void Server::Impl::Connection::after_stream_write() {
  if (!stream_ending_) return flush_stream();
  if (stream_tail_.empty()) return close();
  write_stream(std::exchange(stream_tail_, {}));
}

void Server::Impl::Connection::write_stream(std::string text) {
  stream_writing_ = true;
  auto kept = std::make_shared<std::string>(std::move(text));
  asio::async_write(socket_, asio::buffer(*kept), [self = shared_from_this(), kept](error_code ec, std::size_t) {
    if (ec) return self->close();
    self->stream_writing_ = false;
    self->after_stream_write();
  });
}

void Server::Impl::Connection::end_stream(Stream& stream) {
  std::lock_guard lock(stream.mutex_);
  stream.open_ = false;
}

}  // namespace sparkmill::http
