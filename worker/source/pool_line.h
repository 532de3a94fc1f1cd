// SPDX-License-Identifier: Apache-2.0
// The connection to one pool over its whole life: connect, log in, work, break, wait, again. One thread calls step();
// the others may only want(), enqueue() and wake().
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "worker/source/backoff.h"
#include "worker/source/stratum_session.h"
#include "worker/source/stream.h"

namespace sparkmill::mining::stratum {

struct LineSettings {
  PoolUrl url;
  Login login;
  std::string keepalive;                     ///< method to call when the line was silent; empty: never
  std::uint64_t keepalive_ms = 60'000;       ///< silence after which it is called
  std::uint64_t backoff_max_ms = 60'000;     ///< longest wait between two tries
  std::uint64_t login_timeout_ms = 15'000;   ///< from connecting to the answer
  std::uint64_t job_timeout_ms = 60'000;     ///< and to the first job
  std::uint64_t answer_timeout_ms = 30'000;  ///< a share unanswered that long: the line is dead
  std::uint64_t silence_ms = 900'000;        ///< no byte that long: the line is dead
  std::uint64_t good_after_ms = 10'000;      ///< a session with a job that lived so long clears the back-off
  std::uint64_t farewell_ms = 3'000;         ///< how long a line that is not wanted any more waits for answers
  std::uint64_t ban_wait_ms = 300'000;       ///< wait after silent closes: bans of 20 min were seen
};

/// What happens on a line, beside the session's events.
class LineObserver {
 public:
  virtual ~LineObserver() = default;
  /// Called by the thread of step(), without any lock of the line.
  virtual void on_event(std::size_t line, Event&& event) = 0;
  /// The line broke, was closed, or never came up.
  struct Down {
    std::string cause;
    bool wanted = false;   ///< it will be tried again in `retry_ms`
    bool refused = false;  ///< it will not: the pool does not want this login
    std::uint64_t retry_ms = 0;
    unsigned failures = 0;  ///< in a row
  };
  virtual void on_down(std::size_t line, const Down& down) = 0;
};

class PoolLine {
 public:
  struct Counters {
    std::atomic<std::uint64_t> sessions{0};
    std::atomic<std::uint64_t> serials{0};
  };
  PoolLine(std::size_t index, LineSettings settings, std::unique_ptr<Stream> stream, Counters& counters,
           const Clock& clock, std::function<double()> random, LineObserver& observer);

  /// Connect and stay, or leave after a short farewell. Off at first.
  void want(bool wanted);
  /// Sends soon. The share's `sent` or its end comes as an event. False: the queue is full.
  bool enqueue(Submission submission);
  void wake();
  /// Does what is to be done now and waits at most `wait_ms` for more.
  void step(unsigned wait_ms);
  /// Closes now: open shares end as unknown, queued ones as not_sent. By the thread of step(), or after it has ended.
  void end();
  /// Nothing is connected, nothing is queued.
  bool idle() const { return idle_; }
  const LineSettings& settings() const { return settings_; }

 private:
  enum class Phase : std::uint8_t { down, up, refused };
  void rest(unsigned wait_ms, std::uint64_t until_ms);
  void connect();
  void pump(unsigned wait_ms);
  Done send_queued();
  Done send_keepalive();
  Done check_deadlines() const;
  void pass_on(std::vector<Event>& events);
  void break_off(const Error& cause, bool for_good = false);
  void give_back_queue();

  const std::size_t index_;
  const LineSettings settings_;
  const std::unique_ptr<Stream> stream_;
  Counters& counters_;
  const Clock& clock_;
  LineObserver& observer_;
  Backoff backoff_;

  std::atomic<bool> wanted_{false};
  std::atomic<bool> idle_{true};
  std::mutex mutex_;
  std::condition_variable woken_cv_;
  bool woken_ = false;
  std::deque<Submission> queue_;

  // The thread of step() only.
  Phase phase_ = Phase::down;
  std::optional<Session> session_;
  std::uint64_t retry_at_ms_ = 0;
  std::uint64_t connected_at_ms_ = 0;
  std::uint64_t heard_at_ms_ = 0;
  std::uint64_t said_at_ms_ = 0;
  std::uint64_t unwanted_at_ms_ = 0;  ///< 0: wanted
  bool peer_closed_ = false;
  unsigned silent_closes_ = 0;
  unsigned unauthorised_ = 0;
  std::optional<Error> verdict_;  ///< of the pool about us, found while events were read
};

}  // namespace sparkmill::mining::stratum
