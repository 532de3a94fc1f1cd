// SPDX-License-Identifier: Apache-2.0
// A wire between a pool client and a fake pool, in memory, with everything that happens to wires: refused connections,
// cuts in the middle of a message, pieces of any size, and peers that vanish without a word.
#pragma once

#include <algorithm>
#include <random>

#include "tests/fake/stratum_pool.h"
#include "worker/source/stream.h"

namespace sparkmill::fake {

struct Wire {
  explicit Wire(StratumPool& p, std::uint64_t seed = 1) : pool(p), random(seed) {}
  StratumPool& pool;
  std::mt19937_64 random;
  bool down = false;      ///< connections are refused
  bool vanished = false;  ///< what is sent arrives nowhere, nothing comes back, nothing breaks
  std::size_t piece = 0;  ///< at most so many bytes at once; 0: random pieces
  unsigned cuts = 0;      ///< raise to break all connections that are up
  std::uint64_t sent_bytes = 0;
  unsigned connects = 0;

  /// Breaks what is up; a part of what the pool had said still arrives.
  void cut() { ++cuts; }
};

class MemoryStream final : public mining::Stream {
 public:
  MemoryStream(Wire& wire, std::string name) : wire_(wire), name_(std::move(name)) {}
  ~MemoryStream() override { close(); }

  Done connect() override {
    close();
    ++wire_.connects;
    if (wire_.down) return fail(Status::unreachable, name_ + ": Connection refused");
    connection_ = wire_.pool.open();
    cuts_ = wire_.cuts;
    return done();
  }
  Done send(std::string_view bytes) override {
    if (connection_ < 0 || cuts_ != wire_.cuts) return fail(Status::unreachable, name_ + ": Broken pipe");
    wire_.sent_bytes += bytes.size();
    if (!wire_.vanished) wire_.pool.feed(connection_, bytes);
    return done();
  }
  Done receive(std::string& in, unsigned) override {
    if (connection_ < 0) return fail(Status::unreachable, name_ + ": not connected");
    if (wire_.vanished) return done();
    if (cuts_ != wire_.cuts) return fail(Status::unreachable, name_ + ": Connection reset by peer");
    std::string& out = wire_.pool.output(connection_);
    if (out.empty() && wire_.pool.closed(connection_)) {
      return fail(Status::unreachable, name_ + ": closed by the pool");
    }
    const std::size_t most = wire_.piece != 0 ? wire_.piece : 1 + wire_.random() % 2048;
    const std::size_t n = std::min(out.size(), most);
    in.append(out, 0, n);
    out.erase(0, n);
    return done();
  }
  void close() override {
    if (connection_ >= 0 && !wire_.vanished) wire_.pool.close(connection_);
    connection_ = -1;
  }
  void wake() override {}

 private:
  Wire& wire_;
  std::string name_;
  int connection_ = -1;
  unsigned cuts_ = 0;
};

}  // namespace sparkmill::fake
