// SPDX-License-Identifier: Apache-2.0
#include "worker/source/stratum_session.h"

#include <algorithm>

namespace sparkmill::mining::stratum {

namespace {

constexpr std::size_t kJobs = 8;       // what btmcpool remembers of a session
constexpr unsigned kBadInRow = 16;     // unreadable messages after which this is no stratum
constexpr std::size_t kCalls = 8;      // unanswered keepalives remembered
constexpr std::uint64_t kLoginId = 1;  // btcpool's first answer always says 1

Event event(Event::Kind kind, std::string text = {}) {
  Event e;
  e.kind = kind;
  e.text = std::move(text);
  return e;
}

std::string words(const PoolError& error) {
  const std::string code = error.code == 0 ? "" : " (" + std::to_string(error.code) + ")";
  return (error.message.empty() ? "an error without words" : error.message) + code;
}

}  // namespace

Session::Session(Login login, std::uint64_t number, std::atomic<std::uint64_t>& serials, const Clock& clock)
    : login_(std::move(login)), number_(number), serials_(serials), clock_(clock) {}

std::string Session::hello() {
  state_ = State::asked;
  next_id_ = kLoginId + 1;
  return login_text(kLoginId, login_.user, login_.pass, login_.agent);
}

Done Session::feed(std::string_view bytes, std::vector<Event>& events) {
  SPARKMILL_TRY(splitter_.feed(bytes, [&](std::string_view message) { on_message(message, events); }));
  if (bad_in_row_ >= kBadInRow) {
    return fail(Status::bad_input, std::to_string(bad_in_row_) + " unreadable messages in a row",
                "is this a stratum port?");
  }
  return done();
}

void Session::on_message(std::string_view text, std::vector<Event>& events) {
  auto message = read_message(text, login_.order);
  if (!message) {
    ++bad_in_row_;
    events.push_back(event(Event::Kind::note, "unreadable message: " + message.error().message));
    return;
  }
  bad_in_row_ = 0;
  heard_ = true;
  switch (message->kind) {
    case Message::Kind::job: on_job(*message, events); break;
    case Message::Kind::reply: on_reply(*message, events); break;
    case Message::Kind::other: events.push_back(event(Event::Kind::note, "ignored: method '" + message->method + "'"));
  }
}

void Session::on_job(Message& message, std::vector<Event>& events) {
  if (message.bad_job) {
    events.push_back(event(Event::Kind::bad_job, message.bad_job->message));
    return;
  }
  MiningJob job = std::move(*message.job);
  if (!jobs_.empty()) {
    const MiningJob& last = jobs_.back();
    if (last.id == job.id && same_header(last, job) && last.share_target == job.share_target &&
        last.nonces == job.nonces) {
      return;  // the first job comes twice
    }
    job.clean = last.header.previous != job.header.previous || last.header.height != job.header.height;
  }
  // Ids are used again by pools that count to 256: the newest job of a name is the one meant.
  jobs_.erase(std::remove_if(jobs_.begin(), jobs_.end(), [&job](const MiningJob& j) { return j.id == job.id; }),
              jobs_.end());
  job.serial = ++serials_;
  job.session = number_;
  jobs_.push_back(job);
  if (jobs_.size() > kJobs) jobs_.pop_front();
  Event e = event(Event::Kind::job);
  e.job = std::move(job);
  events.push_back(std::move(e));
}

void Session::on_login(const Message& message, std::vector<Event>& events) {
  if (message.verdict == Message::Verdict::no) {
    state_ = State::failed;
    Event e = event(Event::Kind::login_failed, "login refused: " + words(message.error));
    e.fatal = classify(message.error, false) == ShareReason::unauthorised;
    events.push_back(std::move(e));
    return;
  }
  // Some servers answer with the job alone, or with a bare true; a refusal always has an error.
  state_ = State::open;
  events.push_back(event(Event::Kind::logged_in));
}

void Session::on_reply(Message& message, std::vector<Event>& events) {
  if (state_ == State::asked) {
    on_login(message, events);
    if (state_ == State::open && (message.job || message.bad_job)) on_job(message, events);
    return;
  }
  if (message.id && calls_.erase(*message.id) != 0) return;
  auto it = std::find_if(open_.begin(), open_.end(), [&](const Open& o) { return message.id && o.id == *message.id; });
  // Some servers put no id, or always the first one, on their answers; those come in order.
  if (it == open_.end() && message.id.value_or(0) <= kLoginId) it = open_.begin();
  if (it == open_.end()) {
    events.push_back(event(Event::Kind::note, "an answer to nothing that was asked"));
    return;
  }
  Event e = event(Event::Kind::answer);
  e.answer = judge(*it, message);
  open_.erase(it);
  events.push_back(std::move(e));
  if (message.job || message.bad_job) on_job(message, events);
}

bool Session::newer_parent(std::uint64_t job_serial) const {
  const auto it = std::find_if(jobs_.begin(), jobs_.end(), [&](const MiningJob& j) { return j.serial == job_serial; });
  if (it == jobs_.end()) return true;
  const chain::BlockHeader& now = jobs_.back().header;
  return it->header.previous != now.previous || it->header.height != now.height;
}

ShareAnswer Session::judge(const Open& open, const Message& message) const {
  ShareAnswer a;
  a.ticket = open.submission.ticket;
  a.job_serial = open.submission.share.job_serial;
  a.nonce = open.submission.share.nonce;
  a.device = open.submission.share.device;
  a.block = open.submission.block;
  a.latency_ms = clock_.steady_ms() - open.sent_ms;
  switch (message.verdict) {
    case Message::Verdict::yes: a.end = ShareEnd::accepted; break;
    case Message::Verdict::unclear:
      a.end = ShareEnd::unknown;
      a.reason = ShareReason::no_verdict;
      break;
    case Message::Verdict::no:
      a.reason = classify(message.error, newer_parent(a.job_serial));
      a.end = a.reason == ShareReason::job_gone ? ShareEnd::stale : ShareEnd::rejected;
      a.text = words(message.error);
  }
  return a;
}

Result<std::string> Session::submit(const Submission& submission) {
  const Share& share = submission.share;
  const auto it =
      std::find_if(jobs_.begin(), jobs_.end(), [&](const MiningJob& j) { return j.serial == share.job_serial; });
  if (state_ != State::open || it == jobs_.end() || newer_parent(share.job_serial)) {
    return fail(Status::late, "its job is over");
  }
  open_.push_back({next_id_++, clock_.steady_ms(), submission});
  return submit_text(open_.back().id, login_.user, it->id, share.nonce);
}

std::string Session::keepalive(const std::string& method) {
  const std::uint64_t id = next_id_++;
  calls_[id] = clock_.steady_ms();
  if (calls_.size() > kCalls) calls_.erase(calls_.begin());
  return call_text(id, method, login_.user);
}

void Session::lost(std::vector<Event>& events) {
  for (const Open& o : open_) {
    Event e = event(Event::Kind::answer);
    Message silence;
    e.answer = judge(o, silence);
    e.answer.reason = ShareReason::line_broke;
    events.push_back(std::move(e));
  }
  open_.clear();
  state_ = State::failed;
}

}  // namespace sparkmill::mining::stratum
