// SPDX-License-Identifier: Apache-2.0
// A pool as the mining page describes real ones, bugs included, without a socket: bytes of a connection in, bytes out.
// It shares no code with the client but the hash of a header.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>

#include "base/clock.h"
#include "verify/chain/header.h"

namespace sparkmill::fake {

/// btmcpool answers with {code, message} objects, repeats the first job and closes on what it does not know; btcpool
/// writes big-endian nonces, trims targets, numbers jobs 0 to 255, leaves out newlines and puts id 1 on every answer.
struct PoolManners {
  bool btcpool = false;
  std::uint64_t idle_close_ms = 300'000;
  std::uint64_t difficulty = 64;
  std::uint64_t block_bits = 0x1e00000000011b68;
  std::string only_login;  ///< others are refused with code 24 and closed
  bool banned = false;     ///< closes after the login without a word
};

struct PoolTotals {
  std::uint64_t received = 0;  ///< submits that were read
  std::uint64_t accepted = 0, stale = 0, low = 0, malformed = 0, unauthorised = 0;
  std::uint64_t twice = 0;         ///< the same header and nonce again, under whatever id: must never happen
  std::uint64_t out_of_range = 0;  ///< nonces outside the 2^32 of the session that sent them
  std::uint64_t unknown_methods = 0;
  std::uint64_t logins = 0;
  std::uint64_t blocks = 0;
};

class StratumPool {
 public:
  using Judge = std::function<Hash32(const Hash32& header_hash, const Hash32& seed)>;
  StratumPool(Judge judge, const Clock& clock, PoolManners manners, std::uint64_t seed);

  int open();  ///< a new connection
  void feed(int connection, std::string_view bytes);
  /// What the pool has said and nobody fetched yet.
  std::string& output(int connection) { return connections_[connection].out; }
  bool closed(int connection) const;
  void close(int connection);  ///< by the client, or a cut cable
  void tick();                 ///< idle limits

  void new_block();                               ///< of somebody: another parent, a job for everybody
  void set_difficulty(std::uint64_t difficulty);  ///< with a job for everybody
  void say(std::string_view text);                ///< to everybody, as it is
  void send_bad_job(int which);                   ///< one of several jobs nobody can work on
  PoolManners& manners() { return manners_; }
  const PoolTotals& totals() const { return totals_; }
  std::uint64_t height() const { return height_; }

 private:
  struct Job {
    std::string id;
    chain::BlockHeader header;
    Hash32 seed{};
    std::uint64_t difficulty = 0;
  };
  struct Connection {
    std::string in, out, login;
    bool closed = false;
    std::uint64_t session = 0;
    std::uint64_t first_nonce = 0;
    std::uint64_t active_ms = 0;
    std::deque<Job> jobs;  ///< the last eight
  };
  void line(Connection& c, const std::string& text);
  void login(Connection& c, const std::string& id, const std::string& user);
  void submit(Connection& c, const std::string& id, const std::string& user, const std::string& job_id,
              const std::string& nonce);
  void answer(Connection& c, const std::string& id, int code, const std::string& words);
  std::string job_text(Connection& c);
  void notify(Connection& c);
  void notify_all();
  void new_template();

  Judge judge_;
  const Clock& clock_;
  PoolManners manners_;
  std::mt19937_64 random_;
  std::map<int, Connection> connections_;
  int next_connection_ = 1;
  std::set<std::uint64_t> sessions_in_use_;
  std::uint64_t height_ = 1000;
  std::uint64_t next_job_ = 0;
  chain::BlockHeader template_;
  Hash32 seed_{};
  std::set<Hash32> seen_;
  PoolTotals totals_;
};

}  // namespace sparkmill::fake
