// SPDX-License-Identifier: Apache-2.0
#include "worker/mining/miner.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "verify/job/tensority_search.h"

namespace sparkmill::worker {

namespace {

/// Two runs at a time: while the last slices of one end, the lanes have those of the other.
constexpr unsigned kFeeders = 2;
constexpr unsigned kLookMs = 100;
constexpr std::uint64_t kNewsMs = 60'000;
constexpr unsigned kStreak = 5;
constexpr std::uint64_t kLongRange = std::uint64_t{1} << 62;
constexpr auto kFamily = kernels::Family::tensority;

}  // namespace

Miner::Miner(Scheduler& scheduler, Store& store, State& state, Say say, const Clock& clock)
    : scheduler_(scheduler),
      state_(state),
      say_(say ? std::move(say) : [](const std::string&) {}),
      clock_(clock),
      book_(store) {}

Miner::~Miner() { stop(); }

Done Miner::start(std::unique_ptr<mining::Source> source) {
  SPARKMILL_ASSIGN(const std::uint64_t lost, book_.open());
  if (lost != 0) say_(fmt::format("mining: {} share(s) of the last run have no answer and count as unknown", lost));
  source_ = std::move(source);
  mining::Desk::Seams seams;
  seams.recompute = [this](const tensority::Epoch& epoch, const Hash32& header_hash) {
    return job::recompute(epoch, header_hash, scheduler_.rows(kFamily));
  };
  seams.record = [this](const mining::MiningJob& job, const mining::Share& share, const Hash32& id) {
    return record(job, share, id);
  };
  seams.forget = [this](const mining::Share& share) { book_.withdraw(share.job_serial, share.nonce); };
  seams.on_wrong = [this](const std::string& device, const std::string& what) {
    book_.wrong(device);
    say_("mining: device " + device + ": a nonce that another kernel does not confirm was not sent: " + what);
  };
  seams.next = this;
  desk_ = std::make_unique<mining::Desk>(*source_, std::move(seams));
  for (unsigned i = 0; i < kFeeders; ++i) threads_.emplace_back([this] { feed_loop(); });
  return source_->start(*desk_);
}

void Miner::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
    changed_.notify_all();
  }
  if (desk_) desk_->stop();
  for (std::thread& t : threads_) t.join();
  if (source_) source_->stop();
}

void Miner::hold(bool on) {
  const std::lock_guard lock(mutex_);
  held_ = on;
  changed_.notify_all();
}

void Miner::feed_loop() {
  unsigned searching = 0;  // counted from before the look at held_ until the piece is over
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      searching_ -= searching;
      searching = 0;
      changed_.wait(lock, [this] { return stopping_ || !held_; });
      if (stopping_) return;
      searching_ += searching = 1;
    }
    const unsigned lanes = scheduler_.lanes(kFamily);
    const std::uint64_t size =
        std::clamp<std::uint64_t>(scheduler_.target_units(kFamily, kLongRange), 1, std::uint64_t{1} << 30);
    // No lane: every device that could search is lost; nonces that nobody tries must not be given out.
    const auto piece = lanes == 0 ? std::nullopt : desk_->take(size * lanes);
    if (piece) {
      search(*piece, size);
    } else if (lanes == 0 || !desk_->wait(kLookMs)) {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(kLookMs), [this] { return stopping_; });
    }
  }
}

void Miner::search(const mining::Desk::Piece& piece, std::uint64_t slice_nonces) {
  job::TensorityParams params;
  params.preimage = mining::preimage(piece.job);
  params.seed = piece.job.seed;
  params.share_target = params.block_target = mining::search_bound(piece.job);
  params.first_nonce = piece.nonces.first;
  params.count = piece.nonces.count;
  job::MemoryBlobs none;
  const auto work = job::open(job::make_tensority_job(params, 0), none, {});
  if (!work) {
    log::get("mining")->error("job {}: {}", piece.job.id, work.error().message);
    return desk_->give_back(piece, piece.nonces);
  }
  const std::vector<job::Slice> slices = (*work)->slice(slice_nonces);
  std::map<std::uint64_t, std::uint64_t> searched;  // first nonce -> count
  // What a slice found goes on at once: the rest of the piece may take a second, in which a block can be lost.
  const Scheduler::DoneBy take = [&](const job::Slice&, Bytes bytes, const std::string& device) -> Done {
    SPARKMILL_ASSIGN(const job::NonceReport report, job::decode_nonce_report(bytes));
    searched[report.first] = report.count;
    desk_->searched(piece, device, report.count, report.hits);
    return done();
  };
  const Done ran = scheduler_.run(**work, slices, ~std::uint64_t{0}, take, piece.stop);
  if (!ran && ran.status() != Status::cancelled) {
    log::get("mining")->error("job {}: {}", piece.job.id, ran.error().message);
  }
  std::uint64_t next = piece.nonces.first;
  for (const auto& [first, count] : searched) {
    desk_->give_back(piece, {next, first - next});
    next = first + count;
  }
  desk_->give_back(piece, {next, piece.nonces.first + piece.nonces.count - next});
}

Result<bool> Miner::record(const mining::MiningJob& job, const mining::Share& share, const Hash32& id) {
  auto fresh = book_.begin(source_->report().name, job, share, id);
  if (!fresh) {
    const std::lock_guard lock(mutex_);
    store_error_ = fresh.error();
  }
  return fresh;
}

std::optional<Error> Miner::lost(std::uint64_t patience_ms) {
  const mining::SourceReport r = source_->report();
  const std::lock_guard lock(mutex_);
  if (store_error_) return store_error_;
  const bool away = r.phase != mining::SourcePhase::connected && r.phase != mining::SourcePhase::waiting;
  was_connected_ |= !away;
  // One that has worked before is asked again: a server may be put in order while we wait.
  if (r.phase == mining::SourcePhase::refused && (!r.retry_in_ms || !was_connected_)) {
    return fail(Status::refused, "mining: " + r.name + " refuses us: " + r.detail,
                "check address, user and password or token of the pool or node");
  }
  const std::uint64_t now = clock_.steady_ms();
  if (!away) away_since_ms_ = 0;
  if (away && away_since_ms_ == 0) away_since_ms_ = std::max<std::uint64_t>(1, now);
  if (!away || patience_ms == 0 || now - away_since_ms_ < patience_ms) return std::nullopt;
  return fail(
      Status::unreachable,
      "mining: " + r.name + " could not be reached for " + std::to_string(patience_ms / 1000) + " s: " + r.detail,
      "start again when it is back");
}

bool Miner::quiet() const {
  {
    const std::lock_guard lock(mutex_);
    if (searching_ != 0) return false;
  }
  return desk_->counts().waiting == 0 && book_.waiting() == 0;
}

void Miner::on_no_job(const std::string& why) { log::get("mining")->info("no work: {}", why); }

void Miner::on_answer(const mining::ShareAnswer& answer) {
  log::get("mining")->debug("share {}: {} {} {}", answer.nonce, name(answer.end), name(answer.reason), answer.text);
  book_.end(answer);
  watch_refusals(answer);
  if (answer.block && answer.end == mining::ShareEnd::accepted) {
    // A node of ours has one every few seconds, which is no news.
    const std::uint64_t now = clock_.steady_ms();
    {
      const std::lock_guard lock(mutex_);
      if (said_block_ms_ && now - *said_block_ms_ < kNewsMs) return;
      said_block_ms_ = now;
    }
    say_(fmt::format("mining: block found (nonce {})", answer.nonce));
  } else if (answer.end == mining::ShareEnd::rejected) {
    say_(fmt::format("mining: share refused: {}{}{}", name(answer.reason), answer.text.empty() ? "" : ": ",
                     answer.text));
  }
}

/// Two kernels agree on every share that goes out: many refusals for low difficulty mean that the source and we hash
/// something different.
void Miner::watch_refusals(const mining::ShareAnswer& answer) {
  {
    const std::lock_guard lock(mutex_);
    if (answer.end == mining::ShareEnd::accepted) too_easy_in_row_ = 0;
    if (answer.reason != mining::ShareReason::low_difficulty) return;
    if (++too_easy_in_row_ != kStreak) return;  // said once a streak
  }
  say_(
      fmt::format("mining: {} shares in a row were refused as of too low difficulty, though two kernels agree on each: "
                  "the pool most likely reads nonces in another byte order than they are sent in (see "
                  "pool.nonce_order), or it is no Tensority pool",
                  kStreak));
}

void Miner::on_report(const mining::SourceReport& report) {
  if (report.phase == mining::SourcePhase::idle) return;  // there is nothing to say about what nobody asked for
  const bool good = report.phase == mining::SourcePhase::connected || report.detail.empty();
  const std::string text =
      fmt::format("mining: {}: {}{}", report.name, name(report.phase), good ? "" : ": " + report.detail);
  {
    const std::lock_guard lock(mutex_);
    if (text == last_report_) return;
    last_report_ = text;
  }
  say_(text);
}

void Miner::publish() {
  if (!source_ || !desk_) return;
  const mining::SourceReport r = source_->report();
  const mining::Desk::Counts c = desk_->counts();
  MiningState m;
  m.on = r.phase != mining::SourcePhase::idle;
  m.source = r.name;
  m.state = name(r.phase);
  m.detail = r.detail;
  m.height = r.height;
  m.share_difficulty = r.difficulty;
  m.block_difficulty = r.block_difficulty;
  m.hashes = c.hashes;
  const ShareTotals t = book_.totals();
  m.accepted = t.accepted;
  m.stale = t.stale;
  m.rejected = t.rejected;
  m.unknown = t.unknown;
  m.submitted = t.accepted + t.stale + t.rejected + t.unknown + book_.waiting();
  m.blocks = t.blocks;
  m.reasons = t.reasons;
  for (const auto& [id, d] : book_.devices()) {
    m.devices.push_back({id, d.accepted, d.stale, d.rejected, d.unknown, d.wrong});
  }
  m.wrong = c.wrong;
  m.too_late = c.too_late;
  m.latency_ms = r.latency_ms;
  m.switches = r.switches;
  state_.update([&](Snapshot& s) { s.mining = m; });
}

}  // namespace sparkmill::worker
