// SPDX-License-Identifier: Apache-2.0
#include "worker/source/pool_source.h"

#include <algorithm>

#include "base/hash.h"
#include "base/log.h"

namespace sparkmill::mining {

namespace {

constexpr std::size_t kKnownJobs = 64;
constexpr unsigned kStepMs = 500;

double system_random() {
  const auto b = random_array<4>();
  return ByteReader(b).u32() / 4294967296.0;
}

Done check_text(const std::string& what, const std::string& text, std::size_t limit) {
  if (text.empty() || text.size() > limit || printable(text, limit) != text) {
    return fail(Status::bad_config, what + ": not 1 to " + std::to_string(limit) + " printable ASCII characters");
  }
  return done();
}

Result<stratum::LineSettings> line_settings(const PoolSourceSettings& all, const PoolSettings& pool) {
  stratum::LineSettings s;
  SPARKMILL_ASSIGN(s.url, stratum::parse_pool_url(pool.url));
  const std::string where = "pool " + s.url.text();
  SPARKMILL_TRY(check_text(where + ": user", pool.user, 256));
  SPARKMILL_TRY(check_text(where + ": password", pool.pass, 256));
  if (!pool.keepalive.empty()) SPARKMILL_TRY(check_text(where + ": keepalive", pool.keepalive, 64));
  s.login = {pool.user, pool.pass, all.agent, pool.order};
  s.keepalive = pool.keepalive;
  s.keepalive_ms = pool.keepalive_s * 1000;
  s.backoff_max_ms = all.backoff_max_ms;
  s.answer_timeout_ms = all.answer_timeout_ms;
  s.silence_ms = all.silence_ms;
  return s;
}

}  // namespace

PoolSource::PoolSource(PoolSourceSettings settings, PoolSeams seams)
    : settings_(std::move(settings)), seams_(std::move(seams)), clock_(*seams_.clock) {}

Result<std::unique_ptr<PoolSource>> PoolSource::make(PoolSourceSettings settings, PoolSeams seams) {
  if (settings.pools.empty()) return fail(Status::bad_config, "no pool is named");
  SPARKMILL_TRY(check_text("agent", settings.agent, 64));
  if (!seams.random) seams.random = system_random;
  std::unique_ptr<PoolSource> source(new PoolSource(std::move(settings), std::move(seams)));
  for (const PoolSettings& pool : source->settings_.pools) {
    SPARKMILL_ASSIGN(stratum::LineSettings line, line_settings(source->settings_, pool));
    StreamTarget target{line.url, pool.ca_file, 10'000, source->stop_.token()};
    Member m;
    m.line = std::make_unique<stratum::PoolLine>(source->members_.size(), std::move(line), source->seams_.open(target),
                                                 source->counters_, source->clock_, source->seams_.random, *source);
    source->members_.push_back(std::move(m));
  }
  return source;
}

PoolSource::~PoolSource() { stop(); }

void PoolSource::attach(Listener& listener) {
  listener_ = &listener;
  look();
}

Done PoolSource::start(Listener& listener) {
  if (listener_ != nullptr) return fail(Status::bad_argument, "pool source: started twice");
  attach(listener);
  for (std::size_t i = 0; i < members_.size(); ++i) threads_.emplace_back([this, i] { run(i); });
  return done();
}

void PoolSource::run(std::size_t line) {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_ && members_[line].line->idle()) return;
    }
    members_[line].line->step(kStepMs);
    look();
  }
}

void PoolSource::step() {
  for (Member& m : members_) m.line->step(0);
  look();
}

void PoolSource::stop() {
  if (listener_ == nullptr) return;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
    for (Member& m : members_) m.line->want(false);
  }
  stop_.request_stop();
  for (Member& m : members_) m.line->wake();
  for (std::thread& t : threads_) t.join();  // they wait a little for answers
  for (Member& m : members_) m.line->end();
}

void PoolSource::look() {
  const std::lock_guard order(telling_);
  News news;
  {
    const std::lock_guard lock(mutex_);
    decide(news);
  }
  if (news.job || news.no_job) tell(news);
}

void PoolSource::tell(const News& news) {
  if (news.no_job) listener_->on_no_job(*news.no_job);
  if (news.job) listener_->on_job(*news.job);
  if (news.answer) listener_->on_answer(*news.answer);
  listener_->on_report(report());
}

void PoolSource::decide(News& news) {
  if (stopping_) return;
  const std::uint64_t now = clock_.steady_ms();
  const auto best = static_cast<std::size_t>(
      std::find_if(members_.begin(), members_.end(), [](const Member& m) { return m.ready; }) - members_.begin());
  if (best < members_.size() && best != active_) {
    const Member& better = members_[best];
    if (!members_[active_].ready) {
      use(best, members_[active_].cause, news);
    } else if (best < active_ && now - better.ready_since_ms >= settings_.return_after_ms) {
      use(best, "it has been good for " + std::to_string((now - better.ready_since_ms) / 1000) + " s", news);
    }
  }
  bool needed = true;  // all up to the first that has not been given up
  for (std::size_t i = 0; i < members_.size(); ++i) {
    Member& m = members_[i];
    m.line->want((needed || (i == active_ && m.ready)) && !m.refused);
    if (!m.refused && (m.ready || m.failures < settings_.retries)) needed = false;
  }
}

void PoolSource::use(std::size_t line, const std::string& why, News& news) {
  ++switches_;
  log::get("source")->info("pool {} instead of {}: {}", name_of(line), name_of(active_), why);
  active_ = line;
  news.job = members_[line].job;
  news.job->clean = true;  // whatever ran was for another pool
  working_ = true;
  ++books_.jobs;
}

void PoolSource::take_job(std::size_t line, MiningJob job, News& news) {
  Member& m = members_[line];
  if (!m.ready) {
    m.ready = true;
    m.ready_since_ms = clock_.steady_ms();
  }
  known_.push_back({line, job});
  if (known_.size() > kKnownJobs) known_.pop_front();
  m.job = std::move(job);
  if (line != active_) return;
  news.job = m.job;
  if (!working_) news.job->clean = true;
  working_ = true;
  ++books_.jobs;
}

void PoolSource::on_event(std::size_t line, stratum::Event&& event) {
  using Kind = stratum::Event::Kind;
  const std::lock_guard order(telling_);
  News news;
  {
    const std::lock_guard lock(mutex_);
    Member& m = members_[line];
    switch (event.kind) {
      case Kind::logged_in:
        m.logged_in = true;
        log::get("source")->info("pool {}: logged in", name_of(line));
        break;
      case Kind::login_failed: break;  // the line breaks now and says so
      case Kind::job: take_job(line, std::move(event.job), news); break;
      case Kind::sent:
        ++books_.submitted;
        ++books_.open;
        return;
      case Kind::answer:
        books_.count(event.answer);
        if (event.answer.latency_ms != 0) latency_ms_ = event.answer.latency_ms;
        news.answer = std::move(event.answer);
        break;
      case Kind::bad_job:
        ++books_.bad_jobs;
        log::get("source")->warn("pool {}: {}", name_of(line), event.text);
        break;
      case Kind::note: log::get("source")->debug("pool {}: {}", name_of(line), event.text); return;
    }
    decide(news);
  }
  tell(news);
}

void PoolSource::on_down(std::size_t line, const Down& down) {
  const std::lock_guard order(telling_);
  News news;
  {
    const std::lock_guard lock(mutex_);
    Member& m = members_[line];
    m.ready = m.logged_in = false;
    m.job.reset();
    m.refused = down.refused;
    m.failures = down.failures;
    m.retry_at_ms = clock_.steady_ms() + down.retry_ms;
    if (down.wanted || down.refused) {
      m.cause = down.cause;
      log::get("source")->warn(
          "{}{}", down.cause,
          down.refused ? "; not tried again" : ", next try in " + std::to_string((down.retry_ms + 999) / 1000) + " s");
    }
    known_.erase(std::remove_if(known_.begin(), known_.end(), [line](const Known& k) { return k.member == line; }),
                 known_.end());
    if (line == active_ && working_) {
      working_ = false;
      news.no_job = down.cause;
    }
    decide(news);
  }
  tell(news);
}

Result<std::uint64_t> PoolSource::submit(const Share& share) {
  const std::lock_guard lock(mutex_);
  const auto known =
      std::find_if(known_.begin(), known_.end(), [&share](const Known& k) { return k.job.serial == share.job_serial; });
  if (stopping_ || known == known_.end()) {
    return fail(Status::late, "share: its job is over, for the connection it came from has ended");
  }
  SPARKMILL_TRY(gate_.admit(known->job, share));
  const std::uint64_t ticket = next_ticket_++;
  if (!members_[known->member].line->enqueue({ticket, share, makes_block(known->job, share.result)})) {
    return fail(Status::too_large, "share: too many wait to be sent");
  }
  return ticket;
}

SourceReport PoolSource::report() const {
  const std::lock_guard lock(mutex_);
  return report_locked();
}

SourceReport PoolSource::report_locked() const {
  const Member& m = members_[active_];
  SourceReport r;
  r.name = name_of(active_);
  r.detail = m.ready ? "" : m.cause;
  r.latency_ms = latency_ms_;
  r.switches = switches_;
  r.books = books_;
  const bool all_refused = std::all_of(members_.begin(), members_.end(), [](const Member& o) { return o.refused; });
  r.phase = stopping_                      ? SourcePhase::stopped
            : m.ready                      ? SourcePhase::connected
            : all_refused                  ? SourcePhase::refused
            : m.logged_in                  ? SourcePhase::waiting
            : m.failures != 0 || m.refused ? SourcePhase::unreachable
                                           : SourcePhase::connecting;
  if (m.job) {
    r.height = m.job->header.height;
    r.difficulty = chain::expected_hashes(m.job->share_target);
    r.block_difficulty = chain::expected_hashes(m.job->block_target);
  }
  const std::uint64_t now = clock_.steady_ms();
  if (!m.ready && m.retry_at_ms > now) r.retry_in_ms = m.retry_at_ms - now;
  return r;
}

}  // namespace sparkmill::mining
