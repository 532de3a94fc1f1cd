// SPDX-License-Identifier: Apache-2.0
#include "base/http/server.h"

#include <future>

#include "base/http/connection.h"

namespace sparkmill::http {

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
  if (!ec) close_on_exec(acceptor->native_handle());
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
