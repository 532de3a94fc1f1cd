// SPDX-License-Identifier: Apache-2.0
// Mining for pools: an ordered list of them, one at a time. The first that works is used; when it fails the next one
// is, and the first again once it has been good for a while.
#pragma once

#include <thread>

#include "worker/source/pool_line.h"
#include "worker/source/share_gate.h"

namespace sparkmill::mining {

struct PoolSettings {
  std::string url;  ///< stratum+tcp://host:port or stratum+tls://host:port
  std::string user;
  std::string pass = "x";
  std::string ca_file;
  stratum::NonceOrder order = stratum::NonceOrder::automatic;
  std::string keepalive;  ///< method, e.g. "keepalived" or "getwork"; empty: none, for most pools close on it
  std::uint64_t keepalive_s = 60;
};

struct PoolSourceSettings {
  std::vector<PoolSettings> pools;         ///< first choice first
  std::string agent;                       ///< program/version, shown to the pool
  unsigned retries = 3;                    ///< failures in a row after which the next pool is tried too
  std::uint64_t backoff_max_ms = 60'000;   ///< longest wait between two tries
  std::uint64_t return_after_ms = 60'000;  ///< a better pool must have been good that long before it is used again
  std::uint64_t answer_timeout_ms = 30'000;
  std::uint64_t silence_ms = 900'000;
};

/// What a test replaces.
struct PoolSeams {
  OpenStream open = socket_stream;
  const Clock* clock = &system_clock();
  std::function<double()> random;  ///< [0, 1); empty: the system's
};

class PoolSource final : public Source, public stratum::LineObserver {
 public:
  /// Errors: bad_config naming pool and setting.
  static Result<std::unique_ptr<PoolSource>> make(PoolSourceSettings settings, PoolSeams seams = {});
  ~PoolSource() override;

  Done start(Listener& listener) override;
  Result<std::uint64_t> submit(const Share& share) override;
  SourceReport report() const override;
  void stop() override;

  /// Instead of start(): no threads, the caller calls step() again and again.
  void attach(Listener& listener);
  void step();

 private:
  struct Member {
    std::unique_ptr<stratum::PoolLine> line;
    bool ready = false;  ///< logged in, with a job
    bool logged_in = false;
    std::uint64_t ready_since_ms = 0;
    unsigned failures = 0;
    bool refused = false;
    std::string cause;  ///< of the last break
    std::uint64_t retry_at_ms = 0;
    std::optional<MiningJob> job;
  };
  struct Known {
    std::size_t member = 0;
    MiningJob job;
  };
  /// What the listener is to be told, collected under the lock and told without it.
  struct News {
    std::optional<std::string> no_job;
    std::optional<MiningJob> job;
    std::optional<ShareAnswer> answer;
  };
  PoolSource(PoolSourceSettings settings, PoolSeams seams);
  void on_event(std::size_t line, stratum::Event&& event) override;
  void on_down(std::size_t line, const Down& down) override;
  void take_job(std::size_t line, MiningJob job, News& news);
  void decide(News& news);
  void use(std::size_t line, const std::string& why, News& news);
  void tell(const News& news);
  void run(std::size_t line);
  void look();  ///< decide() as time goes by
  SourceReport report_locked() const;
  std::string name_of(std::size_t line) const { return members_[line].line->settings().url.text(); }

  const PoolSourceSettings settings_;
  const PoolSeams seams_;
  const Clock& clock_;
  StopSource stop_;
  stratum::PoolLine::Counters counters_;
  Listener* listener_ = nullptr;

  std::mutex telling_;  ///< one call to the listener at a time, in the order of what happened; taken before mutex_
  mutable std::mutex mutex_;
  std::vector<Member> members_;
  std::size_t active_ = 0;
  bool working_ = false;  ///< the listener has a job
  std::deque<Known> known_;
  ShareGate gate_;
  std::uint64_t next_ticket_ = 1;
  std::uint64_t switches_ = 0;
  std::uint64_t latency_ms_ = 0;
  Books books_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sparkmill::mining
