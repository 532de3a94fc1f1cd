// SPDX-License-Identifier: Apache-2.0
#include "worker/source/bytom_source.h"

#include <algorithm>

#include "base/hash.h"
#include "base/log.h"
#include "verify/chain/params.h"

namespace sparkmill::mining {

namespace {

constexpr std::size_t kJobs = 64;  // of one parent: half an hour of refreshed timestamps
constexpr std::size_t kQueue = 1024;
constexpr unsigned kStepMs = 500;
constexpr unsigned kCallMs = 10'000;
constexpr std::uint64_t kRefusedWaitMs = 60'000;

double system_random() {
  const auto b = random_array<4>();
  return ByteReader(b).u32() / 4294967296.0;
}

bool same_template(const bytom::Work& a, const bytom::Work& b) {
  chain::BlockHeader other = b.header;
  other.timestamp = a.header.timestamp;
  return a.header == other && a.seed == b.seed;
}

ShareAnswer answer_for(std::uint64_t ticket, const Share& share) {
  ShareAnswer a;
  a.ticket = ticket;
  a.job_serial = share.job_serial;
  a.nonce = share.nonce;
  a.device = share.device;
  return a;
}

}  // namespace

BytomSource::BytomSource(BytomSettings settings, BytomSeams seams)
    : settings_(std::move(settings)), seams_(std::move(seams)), clock_(*seams_.clock), backoff_(seams_.random) {
  report_.name = settings_.url;
}

Result<std::unique_ptr<BytomSource>> BytomSource::make(BytomSettings settings, BytomSeams seams) {
  const auto url = http::Url::parse(settings.url);
  if (!url) return fail(Status::bad_config, "bytom: " + url.error().message, "http://HOST:9888");
  if (!settings.token.empty()) {
    const std::size_t colon = settings.token.find(':');
    if (colon == std::string::npos || settings.token.size() > 512 || printable(settings.token, 512) != settings.token) {
      return fail(Status::bad_config, "bytom: the access token is not of the form id:64hex");
    }
  }
  if (!settings.first_nonce) {
    const auto b = random_array<4>();
    settings.first_nonce = std::uint64_t{ByteReader(b).u32() >> 1} << 32;
  }
  if (*settings.first_nonce > chain::kMaxVarint63) return fail(Status::bad_config, "bytom: nonces end at 2^63");
  if (!seams.random) seams.random = system_random;
  const bool real = !seams.call;
  std::unique_ptr<BytomSource> source(new BytomSource(std::move(settings), std::move(seams)));
  if (real) {
    http::ClientOptions options;
    options.timeout_ms = kCallMs;
    options.body_limit = 1u << 20;
    options.ca_file = source->settings_.ca_file;
    auto client = std::make_shared<http::Client>(*url, options);
    source->seams_.call = [client, stop = source->stop_.token()](const http::Request& request) {
      return client->call(request, 0, stop);
    };
  }
  return source;
}

BytomSource::~BytomSource() { stop(); }

Done BytomSource::start(Listener& listener) {
  if (listener_ != nullptr) return fail(Status::bad_argument, "bytom source: started twice");
  attach(listener);
  thread_ = std::thread([this] {
    for (;;) {
      step(kStepMs);
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
  });
  return done();
}

void BytomSource::stop() {
  if (listener_ == nullptr) return;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
    poke_ = true;
    report_.phase = SourcePhase::stopped;
  }
  woken_.notify_all();
  stop_.request_stop();
  if (thread_.joinable()) thread_.join();
  for (const Queued& q : queue_) {
    ShareAnswer a = answer_for(q.ticket, q.share);
    a.end = ShareEnd::not_sent;
    a.reason = ShareReason::line_broke;
    settle(a);
  }
  queue_.clear();
}

SourceReport BytomSource::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

void BytomSource::tell_report() { listener_->on_report(report()); }

void BytomSource::rest(unsigned wait_ms) {
  const std::uint64_t now = clock_.steady_ms();
  const std::uint64_t ms = next_poll_ms_ <= now ? 0 : std::min<std::uint64_t>(wait_ms, next_poll_ms_ - now);
  std::unique_lock lock(mutex_);
  if (ms != 0) woken_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return poke_; });
  poke_ = false;
}

void BytomSource::step(unsigned wait_ms) {
  submit_queued();
  if (clock_.steady_ms() >= next_poll_ms_) poll();
  rest(wait_ms);
}

void BytomSource::poll() {
  const std::uint64_t asked = clock_.steady_ms();
  const http::Request request = bytom::get_work(settings_.json, settings_.token);
  auto response = seams_.call(request);
  // The node closes idle connections; asking for work twice does no harm.
  if (!response && response.error().code == Status::unreachable) response = seams_.call(request);
  if (!response) return poll_failed(response.error());
  const auto work = bytom::read_work(settings_.json, *response);
  if (!work) return poll_failed(work.error());
  heard_ms_ = clock_.steady_ms();
  next_poll_ms_ = heard_ms_ + settings_.poll_ms;
  backoff_.reset();
  bool news = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    news = report_.phase != SourcePhase::connected;
    report_.phase = SourcePhase::connected;
    report_.detail.clear();
    report_.retry_in_ms = 0;
    report_.latency_ms = heard_ms_ - asked;
  }
  if (news) log::get("source")->info("{}: connected, height {}", settings_.url, work->header.height);
  take_work(*work);
}

void BytomSource::poll_failed(const Error& error) {
  if (stop_.stop_requested()) return;
  const std::uint64_t now = clock_.steady_ms();
  const bool refused = error.code == Status::refused || error.code == Status::unsupported;
  const std::uint64_t delay = refused ? kRefusedWaitMs : backoff_.next_ms();
  next_poll_ms_ = now + delay;
  bool drop = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    if (report_.detail != error.message) log::get("source")->warn("{}: {}", settings_.url, error.message);
    report_.phase = refused ? SourcePhase::refused : SourcePhase::unreachable;
    report_.detail = error.message;
    report_.retry_in_ms = delay;
    drop = !jobs_.empty() && (refused || now - heard_ms_ >= settings_.keep_ms);
    if (drop) jobs_.clear();
  }
  if (drop) {
    work_.reset();
    listener_->on_no_job(error.message);
  }
  tell_report();
  // The work must be dropped in time also when the next try is far away.
  if (work_) next_poll_ms_ = std::min(next_poll_ms_, heard_ms_ + std::max(settings_.keep_ms, now - heard_ms_ + 1));
}

void BytomSource::take_work(const bytom::Work& work) {
  const bool fresh = !work_ || !same_template(*work_, work);
  const bool other_parent = !work_ || work_->header.previous != work.header.previous;
  if (other_parent) timestamp_floor_ = 0;
  if (fresh) {
    work_ = work;
    publish(work, std::max(work.header.timestamp, timestamp_floor_), true);
    if (other_parent) check_median(work);
    return;
  }
  std::uint64_t current = 0;
  {
    const std::lock_guard lock(mutex_);
    current = jobs_.back().header.timestamp;
  }
  const std::uint64_t timestamp = std::max(work.header.timestamp, timestamp_floor_);
  if (current < timestamp_floor_) {
    publish(work, timestamp, true);  // the node would refuse the timestamp that is being worked on
  } else if (timestamp > current && clock_.steady_ms() - published_ms_ >= settings_.refresh_ms) {
    publish(work, timestamp, false);
  }
}

void BytomSource::publish(const bytom::Work& work, std::uint64_t timestamp, bool clean) {
  MiningJob job;
  job.header = work.header;
  job.header.timestamp = timestamp;
  job.header.nonce = 0;
  job.seed = work.seed;
  job.block_target = job.share_target = chain::target_from_bits(work.header.bits);
  job.nonces.first = *settings_.first_nonce;
  job.nonces.count = std::min(std::uint64_t{1} << 32, chain::kMaxVarint63 - job.nonces.first + 1);
  job.session = 1;
  job.clean = clean;
  published_ms_ = clock_.steady_ms();
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    job.serial = ++serial_;
    job.id = std::to_string(job.header.height) + "." + std::to_string(job.serial);
    if (clean) jobs_.clear();
    jobs_.push_back(job);
    if (jobs_.size() > kJobs) jobs_.pop_front();
    ++report_.books.jobs;
    report_.height = job.header.height;
    report_.difficulty = report_.block_difficulty = chain::expected_hashes(job.block_target);
  }
  listener_->on_job(job);
  tell_report();
}

/// The node takes a block only if its timestamp is above the median of the eleven before. Work is out already: this
/// changes it on chains that run faster than their clock only.
void BytomSource::check_median(const bytom::Work& work) {
  const std::size_t wanted = chain::bytom_params().median_blocks;
  Hash32 link = work.header.previous;
  std::vector<std::uint64_t> timestamps;
  std::map<std::uint64_t, chain::BlockHeader> linked;
  for (std::uint64_t height = work.header.height; height > 0 && timestamps.size() < wanted;) {
    --height;
    auto known = last_blocks_.find(height);
    if (known == last_blocks_.end() || chain::header_hash(known->second) != link) {
      const auto response = seams_.call(bytom::get_block_header(height, settings_.token));
      if (!response) return;
      const auto header = bytom::read_block_header(*response);
      if (!header || chain::header_hash(*header) != link) return;  // the node has moved on: the next poll shows it
      known = last_blocks_.insert_or_assign(height, *header).first;
    }
    linked.emplace(height, known->second);
    timestamps.push_back(known->second.timestamp);
    link = known->second.previous;
  }
  last_blocks_ = std::move(linked);
  timestamp_floor_ = chain::median_timestamp(timestamps) + 1;
  if (timestamp_floor_ > work.header.timestamp) take_work(work);
}

Result<std::uint64_t> BytomSource::submit(const Share& share) {
  std::uint64_t ticket = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto job =
        std::find_if(jobs_.begin(), jobs_.end(), [&share](const MiningJob& j) { return j.serial == share.job_serial; });
    if (stopping_ || job == jobs_.end()) return fail(Status::late, "block: its parent is not the last one any more");
    if (queue_.size() >= kQueue) return fail(Status::too_large, "block: too many wait to be sent");
    SPARKMILL_TRY(gate_.admit(*job, share));
    ticket = next_ticket_++;
    queue_.push_back({ticket, share, *job});
    poke_ = true;
  }
  woken_.notify_all();
  return ticket;
}

void BytomSource::submit_queued() {
  for (;;) {
    Queued queued;
    bool late = false;
    {
      const std::lock_guard lock(mutex_);
      if (queue_.empty() || stopping_) return;
      queued = std::move(queue_.front());
      queue_.pop_front();
      late = jobs_.empty() || jobs_.front().header.previous != queued.job.header.previous;
      if (!late) {
        ++report_.books.submitted;
        ++report_.books.open;
      }
    }
    if (late) {
      ShareAnswer a = answer_for(queued.ticket, queued.share);
      a.end = ShareEnd::not_sent;
      a.reason = ShareReason::job_gone;
      settle(a);
    } else {
      submit_one(queued);
    }
  }
}

void BytomSource::submit_one(const Queued& queued) {
  ShareAnswer a = answer_for(queued.ticket, queued.share);
  a.block = true;
  chain::BlockHeader header = queued.job.header;
  header.nonce = queued.share.nonce;
  const std::uint64_t sent = clock_.steady_ms();
  const auto request = bytom::submit_work(settings_.json, header, settings_.token);
  if (!request) {
    a.end = ShareEnd::rejected;
    a.reason = ShareReason::bad_format;
    a.text = request.error().message;
    return settle(a);
  }
  const auto response = seams_.call(*request);  // once: whether an unanswered block arrived is not known
  a.latency_ms = clock_.steady_ms() - sent;
  if (response) {
    const bytom::Verdict verdict = bytom::read_submit(*response);
    a.end = verdict.end;
    a.reason = verdict.reason;
    a.text = verdict.text;
  } else {
    a.reason = ShareReason::line_broke;
    a.text = printable(response.error().message);
  }
  if (a.reason == ShareReason::bad_timestamp) timestamp_floor_ = std::max(timestamp_floor_, header.timestamp + 1);
  next_poll_ms_ = 0;  // whatever it was, the template has changed or is not what we think
  settle(a);
}

void BytomSource::settle(const ShareAnswer& answer) {
  {
    const std::lock_guard lock(mutex_);
    report_.books.count(answer);
  }
  if (answer.end != ShareEnd::accepted) {
    log::get("source")->info("{}: block {} {}: {}", settings_.url, answer.nonce, name(answer.end),
                             answer.text.empty() ? name(answer.reason) : answer.text);
  }
  listener_->on_answer(answer);
  tell_report();
}

}  // namespace sparkmill::mining
