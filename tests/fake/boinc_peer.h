// SPDX-License-Identifier: Apache-2.0
// What listens where a BOINC client should: GUI RPC as the 7.20.5 client was seen to speak it, with replies that a test
// sets, or wrong in ways that a test asks for. Shares no code with our client.
#pragma once

#include <openssl/evp.h>

#include <atomic>
#include <condition_variable>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/base/raw_server.h"

namespace sparkmill::fake {

class BoincPeer {
 public:
  enum class Fault : std::uint8_t {
    none,
    garbage,       ///< answers with what is no reply
    http,          ///< answers like a web server
    endless,       ///< a reply that never ends
    endless_junk,  ///< no reply at all, without end
    silent,        ///< takes requests and says nothing
    closes,        ///< closes on each request
    cut            ///< a reply whose end tag is missing
  };

  BoincPeer() { listen(0); }
  ~BoincPeer() { stop(); }
  BoincPeer(const BoincPeer&) = delete;
  BoincPeer& operator=(const BoincPeer&) = delete;

  std::uint16_t port() const { return port_; }
  void set_fault(Fault fault) { fault_ = fault; }
  /// Empty: no password is wanted, as Debian ships it.
  void set_password(const std::string& password) {
    std::lock_guard lock(mutex_);
    password_ = password;
  }
  /// What is answered to the element `op`; without one: <success/>.
  void set(const std::string& op, const std::string& reply) {
    std::lock_guard lock(mutex_);
    replies_[op] = reply;
  }
  /// Asked so far, "project_update http://..." by first element and its text.
  std::vector<std::string> asked() {
    std::lock_guard lock(mutex_);
    return asked_;
  }
  unsigned count(const std::string& op) {
    std::lock_guard lock(mutex_);
    unsigned n = 0;
    for (const std::string& a : asked_) n += a == op ? 1 : 0;
    return n;
  }
  unsigned connections() const { return connections_; }

  /// The client is gone; nothing listens until restart().
  void stop() {
    stopping_ = true;
    if (listener_ >= 0) ::shutdown(listener_, SHUT_RDWR);
    if (acceptor_.joinable()) acceptor_.join();
    {
      std::lock_guard lock(mutex_);
      for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& t : talkers_) t.join();
    talkers_.clear();
    if (listener_ >= 0) ::close(listener_);
    listener_ = -1;
  }
  void restart() {
    stopping_ = false;
    listen(port_);
  }

 private:
  void listen(std::uint16_t port) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons(port);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&a), sizeof a) != 0 || ::listen(listener_, 16) != 0) std::abort();
    socklen_t n = sizeof a;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&a), &n);
    port_ = ntohs(a.sin_port);
    acceptor_ = std::thread([this] {
      while (!stopping_) {
        const int fd = ::accept(listener_, nullptr, nullptr);
        if (fd < 0) return;
        ++connections_;
        std::lock_guard lock(mutex_);
        open_.push_back(fd);
        talkers_.emplace_back([this, fd] { talk(fd); });
      }
    });
  }

  void talk(int fd) {
    std::string in;
    bool authorised = false;
    int refusals = 0;
    for (char c = 0; !stopping_ && ::recv(fd, &c, 1, 0) == 1;) {
      if (c != 0x03) {
        in += c;
        continue;
      }
      if (!answer(fd, in, authorised, refusals)) break;
      in.clear();
    }
    {
      std::lock_guard lock(mutex_);
      open_.remove(fd);
    }
    ::close(fd);
  }

  bool answer(int fd, const std::string& request, bool& authorised, int& refusals) {
    const std::size_t at = request.find('<', request.find("<boinc_gui_rpc_request>") + 1);
    const std::string op = request.substr(at + 1, request.find_first_of(" />\n", at + 1) - at - 1);
    std::string reply;
    {
      std::lock_guard lock(mutex_);
      asked_.push_back(op);
      if (password_.empty()) authorised = true;
      reply = reply_to(op, request, authorised, refusals);
    }
    switch (fault_) {
      case Fault::none: break;
      case Fault::garbage: return test::RawServer::send_all(fd, std::string("\x01\xff\x00<<<>>>\x03", 10));
      case Fault::http: return test::RawServer::send_all(fd, "HTTP/1.1 400 Bad Request\r\n\r\n") && false;
      case Fault::endless:
        if (!test::RawServer::send_all(fd, "<boinc_gui_rpc_reply>\n")) return false;
        while (!stopping_ && test::RawServer::send_all(fd, std::string(1 << 16, 'a'))) {
        }
        return false;
      case Fault::endless_junk:
        while (!stopping_ && test::RawServer::send_all(fd, std::string(1 << 16, '<'))) {
        }
        return false;
      case Fault::silent: return true;
      case Fault::closes: return false;
      case Fault::cut: return test::RawServer::send_all(fd, "<boinc_gui_rpc_reply>\n" + reply + "\x03");
    }
    if (!test::RawServer::send_all(fd, "<boinc_gui_rpc_reply>\n" + reply + "\n</boinc_gui_rpc_reply>\n\x03"))
      return false;
    return refusals < 2;
  }

  std::string reply_to(const std::string& op, const std::string& request, bool& authorised, int& refusals) {
    if (op == "exchange_versions") {
      return "<server_version>\n<major>7</major>\n<minor>20</minor>\n<release>5</release>\n</server_version>";
    }
    if (op == "auth1") return "<nonce>1795234055.127750</nonce>";
    if (op == "auth2") {
      const std::string wanted = md5_hex("1795234055.127750" + password_);
      authorised = request.find("<nonce_hash>" + wanted + "</nonce_hash>") != std::string::npos;
      if (!authorised) refusals = 2;
      return authorised ? "<authorized/>" : "<unauthorized/>";
    }
    const bool reads = op.rfind("get_", 0) == 0 && op != "get_project_config_poll" && op != "get_project_config";
    if (!reads && !authorised) {
      ++refusals;
      return "<unauthorized/>";
    }
    const auto it = replies_.find(op);
    return it == replies_.end() ? "<success/>" : it->second;
  }

  static std::string md5_hex(const std::string& text) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    EVP_Digest(text.data(), text.size(), digest, &n, EVP_md5(), nullptr);
    std::string out;
    for (unsigned i = 0; i < n; ++i)
      out += "0123456789abcdef"[digest[i] >> 4], out += "0123456789abcdef"[digest[i] & 15];
    return out;
  }

  std::mutex mutex_;
  std::string password_;
  std::map<std::string, std::string> replies_;
  std::vector<std::string> asked_;
  std::list<int> open_;
  std::list<std::thread> talkers_;
  std::atomic<Fault> fault_{Fault::none};
  std::atomic<bool> stopping_{false};
  std::atomic<unsigned> connections_{0};
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::thread acceptor_;
};

}  // namespace sparkmill::fake
