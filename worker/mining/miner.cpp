// SPDX-License-Identifier: Apache-2.0
#include "worker/mining/miner.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "kernels/tensority/epoch_cache.h"
#include "verify/job/tensority_search.h"

namespace sparkmill::worker {

namespace {

/// Two runs at a time: while the last slices of one end, the lanes have those of the other.
constexpr unsigned kFeeders = 2;
constexpr unsigned kLookMs = 100;
constexpr std::uint64_t kNewsMs = 60'000;
constexpr std::uint64_t kLongRange = std::uint64_t{1} << 62;
constexpr auto kFamily = kernels::Family::tensority;

}  // namespace

Miner::Miner(Scheduler& scheduler, State& state, Say say, const Clock& clock)
    : scheduler_(scheduler), state_(state), say_(say ? std::move(say) : [](const std::string&) {}), clock_(clock) {}

Miner::~Miner() { stop(); }

Done Miner::start(std::unique_ptr<mining::Source> source) {
  source_ = std::move(source);
  mining::Desk::Seams seams;
  seams.recompute = [this](const tensority::Epoch& epoch, const Hash32& header_hash) {
    return job::recompute(epoch, header_hash, scheduler_.rows(kFamily));
  };
  // One cache for all: the work that a lane runs asks for the same epoch.
  seams.build = [](const Hash32& seed, const StopToken& stop) { return tensority::epochs().get(seed, stop); };
  seams.on_wrong = [this](const std::string&, const std::string& what) {
    say_("mining: a nonce that another kernel does not confirm was not sent: " + what);
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
    return desk_->failed(piece);
  }
  const std::vector<job::Slice> slices = (*work)->slice(slice_nonces);
  std::vector<Bytes> results;
  const Done ran = scheduler_.run(
      **work, slices, ~std::uint64_t{0},
      [&](const job::Slice&, Bytes bytes) {
        results.push_back(std::move(bytes));
        return done();
      },
      piece.stop);
  if (!ran) {
    if (ran.status() != Status::cancelled) log::get("mining")->error("job {}: {}", piece.job.id, ran.error().message);
    return desk_->failed(piece);
  }
  const auto outcome = (*work)->assemble(results);
  const auto report = outcome ? job::decode_nonce_report(outcome->answer) : Result<job::NonceReport>(outcome.error());
  if (!report) {
    log::get("mining")->error("job {}: {}", piece.job.id, report.error().message);
    return desk_->failed(piece);
  }
  desk_->finished(piece, "", {report->hits, report->best, report->count});
}

std::optional<Error> Miner::lost(std::uint64_t patience_ms) {
  const mining::SourceReport r = source_->report();
  const std::lock_guard lock(mutex_);
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
  return desk_->counts().waiting == 0 && source_->report().books.open == 0;
}

void Miner::on_no_job(const std::string& why) { log::get("mining")->info("no work: {}", why); }

void Miner::on_answer(const mining::ShareAnswer& answer) {
  log::get("mining")->debug("share {}: {} {} {}", answer.nonce, name(answer.end), name(answer.reason), answer.text);
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
  m.submitted = r.books.submitted;
  m.accepted = r.books.accepted;
  m.stale = r.books.stale;
  m.rejected = r.books.rejected;
  m.unknown = r.books.unknown;
  m.blocks = r.books.blocks;
  m.wrong = c.wrong;
  m.too_late = c.too_late;
  m.latency_ms = r.latency_ms;
  m.switches = r.switches;
  state_.update([&](Snapshot& s) { s.mining = m; });
}

}  // namespace sparkmill::worker
