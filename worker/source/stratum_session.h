// SPDX-License-Identifier: Apache-2.0
// One login at a pool, from hello to the broken line: turns received bytes into jobs and answers, and shares into bytes
// to send. No socket and no thread of its own, so that a test can drive it through days.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <vector>

#include "base/clock.h"
#include "worker/source/stratum_messages.h"

namespace sparkmill::mining::stratum {

struct Login {
  std::string user;  ///< account or wallet address, optionally .rig
  std::string pass = "x";
  std::string agent;
  NonceOrder order = NonceOrder::automatic;
};

struct Event {
  enum class Kind : std::uint8_t {
    logged_in,
    login_failed,  ///< `text` says why; `fatal`: the pool does not want this login
    job,
    sent,     ///< a share left: `answer` has its ticket
    answer,   ///< and its end
    bad_job,  ///< an impossible job was refused: `text`
    note      ///< something odd that changes nothing: `text`
  };
  Kind kind = Kind::note;
  MiningJob job;
  ShareAnswer answer;
  std::string text;
  bool fatal = false;
};

/// A share on its way: the ticket is the source's.
struct Submission {
  std::uint64_t ticket = 0;
  Share share;
  bool block = false;
};

class Session {
 public:
  /// `number` is the session of all its jobs; `serials` counts the jobs of the source.
  Session(Login login, std::uint64_t number, std::atomic<std::uint64_t>& serials, const Clock& clock);

  std::uint64_t number() const { return number_; }
  bool logged_in() const { return state_ == State::open; }
  /// Anything readable came from the pool.
  bool heard() const { return heard_; }
  const MiningJob* current_job() const { return jobs_.empty() ? nullptr : &jobs_.back(); }

  /// The first text to send.
  std::string hello();
  /// Appends what the bytes mean. Error: the line is of no more use (flood, or nothing but garbage).
  Done feed(std::string_view bytes, std::vector<Event>& events);
  /// The text that submits a share. Error: late (its job is not of this session, too old, or of a block before).
  Result<std::string> submit(const Submission& submission);
  /// A call that keeps the line in use, for pools that know it.
  std::string keepalive(const std::string& method);
  /// The line is gone: all open shares end as unknown.
  void lost(std::vector<Event>& events);

  std::size_t open_shares() const { return open_.size(); }
  /// Steady time at which the oldest open share was sent; 0: none is open.
  std::uint64_t oldest_open_ms() const { return open_.empty() ? 0 : open_.front().sent_ms; }

 private:
  enum class State : std::uint8_t { fresh, asked, open, failed };
  struct Open {
    std::uint64_t id = 0;
    std::uint64_t sent_ms = 0;
    Submission submission;
  };
  void on_message(std::string_view text, std::vector<Event>& events);
  void on_reply(Message& message, std::vector<Event>& events);
  void on_login(const Message& message, std::vector<Event>& events);
  void on_job(Message& message, std::vector<Event>& events);
  ShareAnswer judge(const Open& open, const Message& message) const;
  bool newer_parent(std::uint64_t job_serial) const;

  Login login_;
  std::uint64_t number_;
  std::atomic<std::uint64_t>& serials_;
  const Clock& clock_;
  Splitter splitter_;
  State state_ = State::fresh;
  bool heard_ = false;
  unsigned bad_in_row_ = 0;
  std::uint64_t next_id_ = 1;
  std::deque<MiningJob> jobs_;                    ///< oldest first, at most as many as pools remember
  std::deque<Open> open_;                         ///< in the order they were sent
  std::map<std::uint64_t, std::uint64_t> calls_;  ///< ids of keepalives -> sent_ms
};

}  // namespace sparkmill::mining::stratum
