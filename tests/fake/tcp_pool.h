// SPDX-License-Identifier: Apache-2.0
// The fake pool behind a real socket.
#pragma once

#include <openssl/ssl.h>
#include <poll.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "tests/base/raw_server.h"
#include "tests/base/tls_certificate.h"
#include "tests/fake/stratum_pool.h"

namespace sparkmill::fake {

/// A fake pool behind a TCP port, one connection at a time, with or without TLS.
class TcpPool {
 public:
  TcpPool(StratumPool::Judge judge, PoolManners manners, const test::Certificate* certificate = nullptr)
      : pool_(std::move(judge), system_clock(), std::move(manners), 9) {
    if (certificate != nullptr) {
      context_ = SSL_CTX_new(TLS_server_method());
      SSL_CTX_use_certificate(context_, certificate->x509);
      SSL_CTX_use_PrivateKey(context_, certificate->key);
    }
    server_ = std::make_unique<test::RawServer>([this](int fd, int) { serve(fd); });
  }
  ~TcpPool() {
    over_ = true;
    server_.reset();
    SSL_CTX_free(context_);
  }
  std::string url() const {
    return std::string(context_ == nullptr ? "stratum+tcp" : "stratum+tls") +
           "://127.0.0.1:" + std::to_string(server_->port());
  }
  PoolTotals totals() {
    const std::lock_guard lock(mutex_);
    return pool_.totals();
  }
  void new_block() {
    const std::lock_guard lock(mutex_);
    pool_.new_block();
  }

 private:
  void serve(int fd) {
    SSL* ssl = nullptr;
    if (context_ != nullptr) {
      ssl = SSL_new(context_);
      SSL_set_fd(ssl, fd);
      if (SSL_accept(ssl) != 1) return SSL_free(ssl);
    }
    int connection = 0;
    {
      const std::lock_guard lock(mutex_);
      connection = pool_.open();
    }
    while (!over_) {
      pollfd p{fd, POLLIN, 0};
      char chunk[4096];
      long n = -1;
      if ((ssl != nullptr && SSL_pending(ssl) > 0) || ::poll(&p, 1, 5) > 0) {
        n = ssl != nullptr ? SSL_read(ssl, chunk, sizeof chunk) : ::recv(fd, chunk, sizeof chunk, 0);
        if (n <= 0) break;
      }
      const std::lock_guard lock(mutex_);
      if (n > 0) pool_.feed(connection, {chunk, static_cast<std::size_t>(n)});
      const std::string out = std::exchange(pool_.output(connection), {});
      if (ssl != nullptr && !out.empty()) SSL_write(ssl, out.data(), static_cast<int>(out.size()));
      if (ssl == nullptr) test::RawServer::send_all(fd, out);
      if (pool_.closed(connection)) break;
    }
    if (ssl != nullptr) SSL_shutdown(ssl);
    SSL_free(ssl);
    const std::lock_guard lock(mutex_);
    pool_.close(connection);
  }
  SSL_CTX* context_ = nullptr;
  std::mutex mutex_;
  StratumPool pool_;
  std::atomic<bool> over_{false};
  std::unique_ptr<test::RawServer> server_;
};

}  // namespace sparkmill::fake
