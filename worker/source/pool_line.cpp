// SPDX-License-Identifier: Apache-2.0
#include "worker/source/pool_line.h"

#include <algorithm>

namespace sparkmill::mining::stratum {

namespace {

constexpr std::size_t kQueue = 1024;
constexpr unsigned kSilentCloses = 3;
constexpr unsigned kUnauthorised = 3;

}  // namespace

PoolLine::PoolLine(std::size_t index, LineSettings settings, std::unique_ptr<Stream> stream, Counters& counters,
                   const Clock& clock, std::function<double()> random, LineObserver& observer)
    : index_(index),
      settings_(std::move(settings)),
      stream_(std::move(stream)),
      counters_(counters),
      clock_(clock),
      observer_(observer),
      backoff_(std::move(random), settings_.backoff_max_ms) {}

void PoolLine::want(bool wanted) {
  if (wanted_.exchange(wanted) != wanted) wake();
}

bool PoolLine::enqueue(Submission submission) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kQueue) return false;
    queue_.push_back(std::move(submission));
  }
  wake();
  return true;
}

void PoolLine::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  woken_cv_.notify_all();
  stream_->wake();
}

void PoolLine::rest(unsigned wait_ms, std::uint64_t until_ms) {
  const std::uint64_t now = clock_.steady_ms();
  const std::uint64_t ms = until_ms <= now ? 0 : std::min<std::uint64_t>(wait_ms, until_ms - now);
  std::unique_lock lock(mutex_);
  if (ms != 0) woken_cv_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return woken_; });
  woken_ = false;
}

void PoolLine::step(unsigned wait_ms) {
  if (phase_ == Phase::up) {
    pump(wait_ms);
    return;
  }
  give_back_queue();
  idle_ = true;
  constexpr std::uint64_t kForever = ~std::uint64_t{0};
  if (!wanted_ || phase_ == Phase::refused) return rest(wait_ms, kForever);
  if (clock_.steady_ms() < retry_at_ms_) return rest(wait_ms, retry_at_ms_);
  idle_ = false;
  connect();
}

void PoolLine::end() {
  if (phase_ == Phase::up) break_off(fail(Status::cancelled, "stopped"));
  give_back_queue();
}

void PoolLine::connect() {
  unwanted_at_ms_ = 0;
  verdict_.reset();
  peer_closed_ = false;
  session_.emplace(settings_.login, ++counters_.sessions, counters_.serials, clock_);
  phase_ = Phase::up;
  connected_at_ms_ = heard_at_ms_ = said_at_ms_ = clock_.steady_ms();
  Done ok = stream_->connect();
  connected_at_ms_ = heard_at_ms_ = said_at_ms_ = clock_.steady_ms();
  if (ok) ok = stream_->send(session_->hello());
  if (!ok) break_off(ok.error());
}

void PoolLine::pump(unsigned wait_ms) {
  if (!wanted_) {
    const std::uint64_t now = clock_.steady_ms();
    if (unwanted_at_ms_ == 0) unwanted_at_ms_ = std::max<std::uint64_t>(now, 1);
    const bool over = now - unwanted_at_ms_ >= settings_.farewell_ms;
    if (session_->open_shares() == 0 || over) return break_off(fail(Status::cancelled, "not needed any more"));
  } else {
    unwanted_at_ms_ = 0;
  }
  if (auto sent = send_queued(); !sent) return break_off(sent.error());
  if (auto sent = send_keepalive(); !sent) return break_off(sent.error());
  std::string in;
  const Done received = stream_->receive(in, wait_ms);
  if (!in.empty()) {
    heard_at_ms_ = clock_.steady_ms();
    std::vector<Event> events;
    const Done fed = session_->feed(in, events);
    pass_on(events);
    if (!fed) return break_off(fed.error());
  }
  if (verdict_) return break_off(*verdict_, verdict_->code == Status::refused);
  if (!received) {
    peer_closed_ = received.error().code == Status::unreachable;
    return break_off(received.error());
  }
  if (auto alive = check_deadlines(); !alive) return break_off(alive.error());
}

Done PoolLine::send_queued() {
  std::deque<Submission> queue;
  {
    const std::lock_guard lock(mutex_);
    if (!session_->logged_in()) return done();
    queue.swap(queue_);
  }
  for (const Submission& s : queue) {
    Event e;
    e.answer.ticket = s.ticket;
    e.answer.job_serial = s.share.job_serial;
    e.answer.nonce = s.share.nonce;
    e.answer.device = s.share.device;
    e.answer.block = s.block;
    const auto text = session_->submit(s);
    e.kind = text ? Event::Kind::sent : Event::Kind::answer;
    if (!text) {
      e.answer.end = ShareEnd::not_sent;
      e.answer.reason = ShareReason::job_gone;
      e.answer.text = text.error().message;
    }
    observer_.on_event(index_, std::move(e));
    if (!text) continue;
    said_at_ms_ = clock_.steady_ms();
    if (auto sent = stream_->send(*text); !sent) {
      // What stands behind it in the queue never left.
      const std::lock_guard lock(mutex_);
      const auto rest_of_it =
          std::find_if(queue.begin(), queue.end(), [&s](const Submission& other) { return other.ticket == s.ticket; });
      queue_.insert(queue_.begin(), std::next(rest_of_it), queue.end());
      return sent;
    }
  }
  return done();
}

Done PoolLine::send_keepalive() {
  if (settings_.keepalive.empty() || !session_->logged_in()) return done();
  const std::uint64_t now = clock_.steady_ms();
  if (now - said_at_ms_ < settings_.keepalive_ms) return done();
  said_at_ms_ = now;
  return stream_->send(session_->keepalive(settings_.keepalive));
}

Done PoolLine::check_deadlines() const {
  const std::uint64_t now = clock_.steady_ms();
  const auto over = [this](const std::string& why) {
    return fail(Status::timeout, settings_.url.text() + ": " + why, "half-open connection, or an overloaded pool");
  };
  if (!session_->logged_in() && now - connected_at_ms_ >= settings_.login_timeout_ms) {
    return over("no answer to the login for " + std::to_string(settings_.login_timeout_ms / 1000) + " s");
  }
  if (session_->current_job() == nullptr && now - connected_at_ms_ >= settings_.job_timeout_ms) {
    return over("no job for " + std::to_string(settings_.job_timeout_ms / 1000) + " s");
  }
  const std::uint64_t oldest = session_->oldest_open_ms();
  if (session_->open_shares() != 0 && now - oldest >= settings_.answer_timeout_ms) {
    return over("no answer to a share for " + std::to_string(settings_.answer_timeout_ms / 1000) + " s");
  }
  if (now - heard_at_ms_ >= settings_.silence_ms) {
    return over("not a word for " + std::to_string(settings_.silence_ms / 1000) + " s");
  }
  return done();
}

void PoolLine::pass_on(std::vector<Event>& events) {
  for (Event& e : events) {
    if (e.kind == Event::Kind::login_failed) {
      verdict_ = fail(e.fatal ? Status::refused : Status::unreachable, settings_.url.text() + ": " + e.text,
                      e.fatal ? "check user and password of this pool" : "");
    }
    if (e.kind == Event::Kind::answer) {
      if (e.answer.end == ShareEnd::accepted) unauthorised_ = 0;
      if (e.answer.reason == ShareReason::unauthorised && ++unauthorised_ >= kUnauthorised) {
        verdict_ = fail(Status::refused,
                        settings_.url.text() + ": shares of a login it had accepted are refused: " + e.answer.text,
                        "check user and password of this pool");
      }
    }
    observer_.on_event(index_, std::move(e));
  }
  events.clear();
}

void PoolLine::give_back_queue() {
  std::deque<Submission> queue;
  {
    const std::lock_guard lock(mutex_);
    queue.swap(queue_);
  }
  for (const Submission& s : queue) {
    Event e;
    e.kind = Event::Kind::answer;
    e.answer.ticket = s.ticket;
    e.answer.job_serial = s.share.job_serial;
    e.answer.nonce = s.share.nonce;
    e.answer.device = s.share.device;
    e.answer.end = ShareEnd::not_sent;
    e.answer.reason = ShareReason::line_broke;
    observer_.on_event(index_, std::move(e));
  }
}

void PoolLine::break_off(const Error& cause, bool for_good) {
  stream_->close();
  std::vector<Event> events;
  session_->lost(events);
  pass_on(events);
  give_back_queue();
  const bool wanted = wanted_ && !for_good;
  const std::uint64_t now = clock_.steady_ms();
  const bool had_job = session_->current_job() != nullptr;
  if (had_job && now - connected_at_ms_ >= settings_.good_after_ms) backoff_.reset();
  std::string why = cause.message;
  std::uint64_t delay = 0;
  // The line came up, and was closed before anything was said: that is how banned logins are treated.
  silent_closes_ = peer_closed_ && !session_->heard() ? silent_closes_ + 1 : 0;
  if (wanted) {
    delay = backoff_.next_ms();
    if (silent_closes_ >= kSilentCloses) {
      why = settings_.url.text() + ": closed without a word " + std::to_string(silent_closes_) +
            " times: this login may be banned for some minutes, or be unknown";
      delay = std::max(delay, settings_.ban_wait_ms);
    }
  } else {
    backoff_.reset();
  }
  phase_ = for_good ? Phase::refused : Phase::down;
  retry_at_ms_ = now + delay;
  idle_ = true;
  observer_.on_down(index_, {why, wanted, for_good, delay, backoff_.failures()});
}

}  // namespace sparkmill::mining::stratum
