// SPDX-License-Identifier: Apache-2.0
#include "base/http/client.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <charconv>

#include "base/http/socket.h"
#include "base/http/wire.h"

namespace sparkmill::http {

namespace beast = boost::beast;
using boost::system::error_code;

namespace {

constexpr unsigned kHeaderBytes = 32u << 10;
constexpr std::uint64_t kErrorBodyBytes = 64u << 10;   // of an error answer to a download
constexpr std::uint64_t kSlowestDownload = 16u << 10;  // bytes a second, on average
constexpr unsigned kEventSilenceMs = 60'000;           // servers send a comment every 15 s
constexpr auto kReuseFor = std::chrono::seconds(15);   // well below the server's idle timeout

/// Beast parses; this collects, or passes the body on.
class AnswerParser final : public beast::http::basic_parser<false> {
 public:
  AnswerParser() {
    header_limit(kHeaderBytes);
    body_limit(UINT64_MAX);  // checked here, against what really arrives (1.74 takes "none" for 0)
    eager(true);
  }
  Response response;
  std::function<Done(ByteView)> sink;  ///< empty: into response.body
  std::uint64_t limit = 0;
  std::uint64_t received = 0;
  Result<std::monostate> failure = done();

  /// Called once the header is known, before any body byte: may set sink and limit. An error ends the exchange.
  std::function<Done()> on_header;

 private:
  using View = beast::string_view;
  static error_code cut() { return beast::http::error::body_limit; }
  void on_request_impl(beast::http::verb, View, View, int, error_code&) override {}
  void on_response_impl(int code, View, int, error_code&) override { response.status = code; }
  void on_field_impl(beast::http::field, View name, View value, error_code&) override {
    auto [it, fresh] = response.headers.emplace(lower({name.data(), name.size()}), std::string());
    if (!fresh) it->second += ", ";
    it->second.append(value.data(), value.size());
  }
  void on_header_impl(error_code& ec) override {
    if (on_header) failure = on_header();
    if (!failure) ec = cut();
  }
  void on_body_init_impl(boost::optional<std::uint64_t> const& length, error_code& ec) override {
    if (length && *length > limit) over(ec);
  }
  std::size_t on_body_impl(View body, error_code& ec) override {
    received += body.size();
    if (received > limit) {
      over(ec);
    } else if (sink) {
      failure = sink({reinterpret_cast<const std::uint8_t*>(body.data()), body.size()});
      if (!failure) ec = cut();
    } else {
      response.body.insert(response.body.end(), body.begin(), body.end());
    }
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, View, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View body, error_code& ec) override { return on_body_impl(body, ec); }
  void on_finish_impl(error_code&) override {}
  void over(error_code& ec) {
    failure = fail(Status::too_large, "the answer is over the limit of " + std::to_string(limit) + " bytes");
    ec = cut();
  }
};

struct Exchange {
  std::function<Done(const Response&, AnswerParser&)> on_header;
  std::function<Patience()> patience;
};

}  // namespace

struct Client::Impl {
  Url url;
  ClientOptions options;
  Socket socket;
  std::chrono::steady_clock::time_point last_used{};
  bool answered = false;  ///< a byte of the current answer has arrived
  Bytes pending;          ///< received, not yet parsed

  Target target() const { return {url.tls, url.host, url.port, options.ca_file, options.unix_socket}; }
  std::string host() const {
    const std::string h = url.host.find(':') != std::string::npos ? "[" + url.host + "]" : url.host;
    const bool plain_port = url.port == (url.tls ? 443 : 80);
    return plain_port ? h : h + ":" + std::to_string(url.port);
  }
  Result<Response> exchange(const Request& request, const Exchange& how, const StopToken& stop);
  Result<Response> once(const Request& request, const std::string& head, const Exchange& how);
  Done read_answer(AnswerParser& parser, const Exchange& how);
  Error named(Error e) const {
    const std::string where = target().text();
    if (e.message.compare(0, where.size(), where) != 0) e.message = where + ": " + e.message;
    return e;
  }
};

Result<Response> Client::Impl::exchange(const Request& request, const Exchange& how, const StopToken& stop) {
  SPARKMILL_ASSIGN(const std::string head, request_text(request, url.base + request.target, host()));
  const bool reuse = socket.open() && !socket.stale() && std::chrono::steady_clock::now() - last_used < kReuseFor;
  if (!reuse) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(options.connect_timeout_ms);
    SPARKMILL_TRY(socket.connect(target(), {std::min(until, how.patience().until), stop}));
  }
  auto answer = once(request, head, how);
  if (!answer && reuse && !answered && request.method == "GET" && answer.error().code == Status::unreachable) {
    // The server closed the idle connection just before we used it; a GET may safely be sent again.
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(options.connect_timeout_ms);
    SPARKMILL_TRY(socket.connect(target(), {std::min(until, how.patience().until), stop}));
    answer = once(request, head, how);
  }
  if (!answer) {
    socket.close();
    return named(answer.error());
  }
  last_used = std::chrono::steady_clock::now();
  return answer;
}

Result<Response> Client::Impl::once(const Request& request, const std::string& head, const Exchange& how) {
  answered = false;
  pending.clear();
  const Patience patience = how.patience();
  auto sent = socket.write(head, patience);
  if (sent && !request.body.empty()) sent = socket.write(text(request.body), patience);
  // A server may refuse a long body and close before it has all of it: its answer still counts.
  if (!sent && sent.error().code != Status::unreachable) return sent.error();
  for (;;) {
    AnswerParser parser;
    parser.skip(request.method == "HEAD");
    parser.on_header = [&] { return how.on_header(parser.response, parser); };
    auto read = read_answer(parser, how);
    if (!read) return !sent && !answered ? sent.error() : read.error();
    if (parser.response.status / 100 == 1) continue;  // "100 Continue" and the like come before the answer
    // Bytes beyond the answer mean that the two are out of step.
    if (!sent || !parser.keep_alive() || parser.need_eof() || !pending.empty()) socket.close();
    return std::move(parser.response);
  }
}

Done Client::Impl::read_answer(AnswerParser& parser, const Exchange& how) {
  std::array<std::uint8_t, 65536> chunk;
  while (!parser.is_done()) {
    error_code ec = beast::http::error::need_more;
    if (!pending.empty()) {
      const std::size_t used = parser.put(boost::asio::buffer(pending.data(), pending.size()), ec);
      pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(used));
    }
    if (!parser.failure) return parser.failure.error();
    if (ec && ec != beast::http::error::need_more) {
      return fail(Status::bad_input, "the answer is not HTTP/1.1: " + ec.message(), "is this the right address?");
    }
    if (pending.size() > kHeaderBytes && !parser.is_done()) {
      return fail(Status::bad_input, "the answer is not HTTP/1.1: its framing has no end");
    }
    if (parser.is_done()) break;
    if (!ec && !pending.empty()) continue;
    SPARKMILL_ASSIGN(const std::size_t n, socket.read(chunk, how.patience()));
    if (n == 0) {
      error_code eof;
      if (parser.got_some()) parser.put_eof(eof);
      if (!parser.got_some() || eof) {
        return fail(Status::unreachable, answered ? "closed in the middle of the answer" : "closed without an answer");
      }
      socket.close();
      return done();
    }
    answered = true;
    pending.insert(pending.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(n));
  }
  return done();
}

Client::Client(Url url, ClientOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->url = std::move(url);
  impl_->options = std::move(options);
}
Client::~Client() = default;

Result<Response> Client::call(const Request& request, unsigned timeout_ms, StopToken stop) {
  const Patience patience = Patience::ms(timeout_ms != 0 ? timeout_ms : impl_->options.timeout_ms, stop);
  Exchange how;
  how.patience = [&] { return patience; };
  how.on_header = [&](const Response&, AnswerParser& parser) {
    parser.limit = impl_->options.body_limit;
    return done();
  };
  return impl_->exchange(request, how, stop);
}

Result<Response> Client::download(const Request& request, const std::function<Done(ByteView)>& sink,
                                  std::uint64_t limit_bytes, StopToken stop) {
  // Each piece must come within the timeout, and the whole must not drip for ever.
  const std::uint64_t timeout = impl_->options.timeout_ms;
  const auto last = Patience::ms(timeout + limit_bytes / kSlowestDownload * 1000, stop).until;
  Exchange how;
  how.patience = [&] {
    Patience p = Patience::ms(timeout, stop);
    p.until = std::min(p.until, last);
    return p;
  };
  how.on_header = [&](const Response& response, AnswerParser& parser) {
    const bool content = response.status / 100 == 2;
    parser.limit = content ? limit_bytes : kErrorBodyBytes;
    if (content) parser.sink = sink;
    return done();
  };
  return impl_->exchange(request, how, stop);
}

Done Client::events(const Request& request, const std::function<bool(std::string_view, std::string_view)>& on_event,
                    StopToken stop) {
  EventParser events(on_event, impl_->options.body_limit);
  bool satisfied = false;
  Exchange how;
  how.patience = [&] { return Patience::ms(kEventSilenceMs, stop); };
  how.on_header = [&](const Response& response, AnswerParser& parser) -> Done {
    parser.limit = response.status == 200 ? UINT64_MAX : kErrorBodyBytes;
    if (response.status != 200) return done();
    parser.sink = [&](ByteView bytes) -> Done {
      SPARKMILL_ASSIGN(const bool go_on, events.feed(text(bytes)));
      satisfied = !go_on;
      return go_on ? done() : Done(fail(Status::cancelled, "enough"));
    };
    return done();
  };
  Request streaming = request;
  streaming.headers.emplace("accept", "text/event-stream");
  auto answer = impl_->exchange(streaming, how, stop);
  impl_->socket.close();
  if (satisfied) return done();
  if (!answer) return answer.error();
  if (answer->status != 200) {
    return fail(answer->status == 401 || answer->status == 403 ? Status::refused : Status::not_found,
                impl_->target().text() + request.target + ": answered " + std::to_string(answer->status));
  }
  return fail(Status::unreachable, impl_->target().text() + ": the event stream ended");
}

Result<Url> Url::parse(std::string_view url) {
  const std::string shown(url.substr(0, 200));
  const auto bad = [&](const std::string& why) {
    return fail(Status::bad_input, "'" + shown + "' is not a usable URL: " + why, "for example http://127.0.0.1:7441");
  };
  Url out;
  std::string_view rest = url;
  if (rest.substr(0, 7) == "http://") {
    rest.remove_prefix(7);
  } else if (rest.substr(0, 8) == "https://") {
    out.tls = true;
    rest.remove_prefix(8);
  } else {
    return bad("it must begin with http:// or https://");
  }
  if (std::any_of(rest.begin(), rest.end(), [](char c) { return c <= ' ' || c == 0x7f || c == '?' || c == '#'; })) {
    return bad("it has a space, a query or a fragment");
  }
  const std::size_t slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  out.base = slash == std::string_view::npos ? "" : std::string(rest.substr(slash));
  while (!out.base.empty() && out.base.back() == '/') out.base.pop_back();
  if (authority.find('@') != std::string_view::npos) return bad("user names are not supported");
  std::string_view port;
  if (!authority.empty() && authority[0] == '[') {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return bad("']' is missing");
    out.host = std::string(authority.substr(1, close - 1));
    port = authority.substr(close + 1);
    if (!port.empty() && port[0] != ':') return bad("a port follows after ':'");
  } else {
    const std::size_t colon = authority.find(':');
    out.host = std::string(authority.substr(0, colon));
    port = colon == std::string_view::npos ? std::string_view() : authority.substr(colon);
  }
  if (out.host.empty()) return bad("the host is missing");
  out.port = out.tls ? 443 : 80;
  if (!port.empty()) {
    port.remove_prefix(1);
    unsigned value = 0;
    const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), value);
    if (ec != std::errc() || end != port.data() + port.size() || value < 1 || value > 65535) {
      return bad("the port must be 1 to 65535");
    }
    out.port = static_cast<std::uint16_t>(value);
  }
  return out;
}

}  // namespace sparkmill::http
