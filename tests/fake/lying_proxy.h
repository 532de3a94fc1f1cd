// SPDX-License-Identifier: Apache-2.0
// Stands between a worker and a real node on raw sockets, and lies when told to: it answers in the node's place,
// changes what the node said, hangs, or sends bytes that are not HTTP at all.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace sparkmill::testing {

class LyingProxy {
 public:
  /// What a lie sees and where it writes.
  struct Exchange {
    std::string method, target, head, body;
    int client = -1;
    const std::atomic<bool>* stopping = nullptr;
    bool send(const std::string& bytes) const { return send_all(client, bytes); }
    void answer(int status, const std::string& text) const {
      send("HTTP/1.1 " + std::to_string(status) + " x\r\ncontent-type: application/json\r\ncontent-length: " +
           std::to_string(text.size()) + "\r\nconnection: close\r\n\r\n" + text);
    }
  };
  /// True: the lie has dealt with the request. False: it goes to the node.
  using Lie = std::function<bool(const Exchange&)>;
  /// Changes the node's whole answer (head and body) before it goes on; not called for event streams.
  using Twist = std::function<void(const Exchange&, std::string& answer)>;

  explicit LyingProxy(std::uint16_t node_port) : node_port_(node_port) {
    listen_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in a = address(0);
    ::bind(listen_, reinterpret_cast<sockaddr*>(&a), sizeof a);
    ::listen(listen_, 64);
    socklen_t size = sizeof a;
    ::getsockname(listen_, reinterpret_cast<sockaddr*>(&a), &size);
    port_ = ntohs(a.sin_port);
    acceptor_ = std::thread([this] { accept_loop(); });
  }
  ~LyingProxy() {
    stopping_ = true;
    acceptor_.join();
    for (std::thread& t : sessions_) t.join();
    ::close(listen_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  void set_node(std::uint16_t port) { node_port_ = port; }
  void lie(Lie lie) {
    std::lock_guard lock(mutex_);
    lie_ = std::move(lie);
  }
  void twist(Twist twist) {
    std::lock_guard lock(mutex_);
    twist_ = std::move(twist);
  }
  void honest() {
    std::lock_guard lock(mutex_);
    lie_ = {};
    twist_ = {};
  }
  /// Requests whose target begins with `prefix`, so far.
  int seen(const std::string& prefix) {
    std::lock_guard lock(mutex_);
    int n = 0;
    for (const std::string& t : targets_) n += t.rfind(prefix, 0) == 0 ? 1 : 0;
    return n;
  }

 private:
  static sockaddr_in address(std::uint16_t port) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
  }
  static bool send_all(int fd, const std::string& bytes) {
    std::size_t at = 0;
    while (at < bytes.size()) {
      const ssize_t n = ::send(fd, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (n <= 0) return false;
      at += static_cast<std::size_t>(n);
    }
    return true;
  }
  bool readable(int fd) const {
    while (!stopping_) {
      pollfd p{fd, POLLIN, 0};
      if (::poll(&p, 1, 50) > 0) return true;
    }
    return false;
  }
  void accept_loop() {
    while (readable(listen_)) {
      const int fd = ::accept4(listen_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) sessions_.emplace_back([this, fd] { session(fd); });
    }
  }
  /// One request a connection: every answer says "connection: close".
  void session(int fd) {
    Exchange e;
    e.client = fd;
    e.stopping = &stopping_;
    if (read_request(e)) {
      Lie lie;
      Twist twist;
      {
        std::lock_guard lock(mutex_);
        targets_.push_back(e.target);
        lie = lie_;
        twist = twist_;
      }
      if (!lie || !lie(e)) forward(e, twist);
    }
    ::close(fd);
  }
  bool read_request(Exchange& e) {
    std::string in;
    std::size_t end = std::string::npos;
    while ((end = in.find("\r\n\r\n")) == std::string::npos) {
      if (!more(e.client, in)) return false;
    }
    e.head = in.substr(0, end + 2);
    const std::size_t a = e.head.find(' '), b = e.head.find(' ', a + 1);
    e.method = e.head.substr(0, a);
    e.target = e.head.substr(a + 1, b - a - 1);
    std::size_t length = 0;
    for (const char* name : {"content-length: ", "Content-Length: "}) {
      const std::size_t at = e.head.find(name);
      if (at != std::string::npos) length = std::stoul(e.head.substr(at + 16));
    }
    e.body = in.substr(end + 4);
    while (e.body.size() < length) {
      if (!more(e.client, e.body)) return false;
    }
    return true;
  }
  bool more(int fd, std::string& in) const {
    char chunk[65536];
    if (!readable(fd)) return false;
    const ssize_t n = ::recv(fd, chunk, sizeof chunk, 0);
    if (n <= 0) return false;
    in.append(chunk, static_cast<std::size_t>(n));
    return true;
  }
  void forward(const Exchange& e, const Twist& twist) {
    const int node = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in a = address(node_port_);
    if (::connect(node, reinterpret_cast<const sockaddr*>(&a), sizeof a) == 0) {
      std::string head;
      for (std::size_t at = 0; at < e.head.size();) {
        const std::size_t end = e.head.find("\r\n", at);
        const std::string line = e.head.substr(at, end - at);
        const bool hop = line.rfind("onnection:", 1) == 1;
        if (!hop) head += line + "\r\n";
        at = end + 2;
      }
      send_all(node, head + "connection: close\r\n\r\n" + e.body);
      const bool stream = e.target.rfind("/v1/events", 0) == 0;
      std::string answer;
      while (more(node, answer)) {
        if (!stream && twist) continue;
        if (!send_all(e.client, answer)) break;
        answer.clear();
      }
      if (!answer.empty()) {
        if (twist && !stream) twist(e, answer);
        send_all(e.client, answer);
      }
    }
    ::close(node);
  }

  std::atomic<std::uint16_t> node_port_;
  std::uint16_t port_ = 0;
  int listen_ = -1;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  Lie lie_;
  Twist twist_;
  std::list<std::string> targets_;
  std::thread acceptor_;
  std::list<std::thread> sessions_;
};

}  // namespace sparkmill::testing
