// SPDX-License-Identifier: Apache-2.0
// Start and stop order of the running worker: store, blob cache, devices, node, leases; and back.
#include "worker/app.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hex.h"
#include "base/log.h"
#include "verify/unit/result.h"
#include "worker/mining/miner.h"
#include "worker/source/node_source.h"
#include "worker/store/blob_cache.h"
#include "worker/store/tuning.h"

namespace sparkmill::worker {

namespace {

constexpr auto kHousekeeping = std::chrono::milliseconds(250);

void set_reason(Snapshot& s, const std::string& code, const std::string& text, std::uint64_t since,
                std::uint64_t until) {
  std::erase_if(s.reasons, [&](const Reason& r) { return r.code == code; });
  if (!text.empty()) s.reasons.push_back({code, text, since, until});
}

}  // namespace

struct App::Impl {
  Impl(State& s, const Clock& c) : state(s), clock(c) {}
  ~Impl() { shut_down(); }

  AppSettings settings;
  State& state;
  const Clock& clock;
  std::unique_ptr<Store> store;
  std::unique_ptr<BlobCache> blobs;
  std::unique_ptr<Scheduler> scheduler;
  std::shared_ptr<NodeLink> link;
  std::unique_ptr<Pipeline> pipeline;
  std::unique_ptr<Miner> miner;
  std::unique_ptr<boinc::Companion> neighbour;
  std::unique_ptr<NodeClient> claims;  // the claimant's thread alone
  std::unique_ptr<boinc::Claimant> claimant;
  std::thread keeper;

  StopSource ending;
  std::mutex closing;
  std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  bool closed = false;
  bool paused = false;
  bool finishing = false;
  bool given_away = false;  ///< all devices are left to somebody else
  std::uint64_t paused_until_ms = 0;
  std::optional<Done> ended;  ///< without a pipeline, which else knows it

  Done open(const keys::KeyFile& key);
  Done start_mining(const std::function<void(const std::string&)>& say);
  void start_neighbour();
  void hold();
  void end(Done result);
  void look_at_miner();
  void keep_house();
  void show_mode();
  void shut_down();
};

Done App::Impl::open(const keys::KeyFile& key) {
  auto say = settings.say ? settings.say : [](const std::string&) {};
  StoreSettings books;
  books.trouble_patience_ms = settings.store_patience_ms;
  SPARKMILL_ASSIGN(store, Store::open(settings.data / "store.sqlite", books, clock));
  SPARKMILL_ASSIGN(blobs, BlobCache::open(settings.data / "blobs", settings.blob_cache_bytes));
  store->on_trouble([this](const std::optional<Error>& error) {
    if (error && error->code == Status::no_space) blobs->shed();
    state.update([&](Snapshot& s) {
      const bool known =
          std::any_of(s.reasons.begin(), s.reasons.end(), [](const Reason& r) { return r.code == "store_trouble"; });
      if (error && known) return;
      set_reason(s, "store_trouble", error ? error->message + "; work waits until it can be written" : "",
                 clock.unix_ms(), 0);
    });
  });

  SchedulerSettings lanes;
  lanes.devices = settings.devices;
  lanes.backend = settings.backend;
  lanes.cpu_lanes = settings.cpu_lanes;
  lanes.low_priority = settings.low_priority;
  lanes.slice_ms = settings.slice_ms;
  if (!settings.node_url.empty()) {
    lanes.families.insert(lanes.families.end(), std::begin(kSignatureFamilies), std::end(kSignatureFamilies));
  }
  if (settings.mining != "off") {
    lanes.families.push_back(kernels::Family::tensority);
    lanes.weights[kernels::Family::tensority] = settings.mining_weight;
  }
  if (!settings.hardware.tuned) settings.hardware.tuned = stored_tuning(*store, settings.backend, say);
  SPARKMILL_ASSIGN(scheduler, Scheduler::start(lanes, settings.hardware, state, clock, say));

  if (settings.node_url.empty()) {
    state.update([&](Snapshot& s) {
      s.source.state = "none";
      s.started_ms = clock.unix_ms();
    });
    SPARKMILL_TRY(start_mining(say));
    start_neighbour();
    keeper = std::thread([this] { keep_house(); });
    return done();
  }
  NodeLinkSettings node;
  node.url = settings.node_url;
  node.ca_file = settings.ca_file;
  node.pin_name = settings.pin_name;
  if (!settings.node_key.empty()) {
    SPARKMILL_ASSIGN(node.trusted, array_from_hex<32>(settings.node_key, "the node's key"));
  }
  KeyMemory memory;
  memory.recall = [this](const std::string& url) { return store->pinned_node(url); };
  memory.remember = [this](const std::string& url, const keys::PublicKey& pub) { return store->pin_node(url, pub); };
  SPARKMILL_ASSIGN(link, NodeLink::make(std::move(node), key, std::move(memory), clock));
  state.update([&](Snapshot& s) {
    s.worker_pub = to_hex(link->worker_pub());
    s.started_ms = clock.unix_ms();
  });

  PipelineSettings jobs;
  jobs.name = settings.name;
  jobs.jobs_in_flight = settings.jobs_in_flight;
  jobs.rounds = settings.rounds;
  jobs.source_patience_ms = settings.source_patience_ms;
  jobs.disk_patience_ms = settings.store_patience_ms;
  pipeline = std::make_unique<Pipeline>(jobs, link, *store, *blobs, *scheduler, state, clock, say);
  SPARKMILL_TRY(pipeline->start());
  SPARKMILL_TRY(start_mining(say));
  start_neighbour();
  keeper = std::thread([this] { keep_house(); });
  return done();
}

Done App::Impl::start_mining(const std::function<void(const std::string&)>& say) {
  if (settings.mining == "off") return done();
  if (!link && settings.mining != "pool" && settings.mining != "bytom") {
    return fail(Status::bad_config, "mining: " + settings.mining + ", but no node is named");
  }
  std::unique_ptr<mining::Source> source;
  if (settings.mining == "pool") {
    SPARKMILL_ASSIGN(source, mining::PoolSource::make(settings.pools));
  } else if (settings.mining == "bytom") {
    SPARKMILL_ASSIGN(source, mining::BytomSource::make(settings.bytom));
  } else {
    source = std::make_unique<mining::NodeSource>(link, settings.mining == "auto");
  }
  miner = std::make_unique<Miner>(*scheduler, *store, state, say, clock);
  return miner->start(std::move(source));
}

void App::Impl::start_neighbour() {
  boinc::CompanionParts parts{*store, state, clock, scheduler->used_devices(),
                              [this](const auto& ways) { scheduler->give_way(ways); }};
  if (link && settings.boinc.policy.kind != boinc::Neighbour::off) {
    parts.worker_pub = link->worker_pub();
    if (settings.boinc_credit.receipts) {
      parts.sign_statement = [this](const keys::PublicKey& app) {
        return unit::make_statement(link->envelope_key(), app, clock.unix_ms());
      };
    }
    claims = std::make_unique<NodeClient>(link, ending.token());
    boinc::ClaimantParts credit{*store, clock, link->worker_pub(), {}, {}, {}, {}, {}};
    credit.send_claims = [this](auto list) { return claims->claim(std::move(list)); };
    credit.bring_receipts = [this](const auto& batch) { return claims->bring_receipts(batch); };
    credit.fetch_receipt = [this](const std::string& project, const std::string& result) {
      return boinc::fetch_published_receipt(project, result, settings.ca_file, ending.token());
    };
    credit.changed = [this] { neighbour->recount(); };
    credit.credited = [this] { pipeline->expect_credit(); };
    claimant = std::make_unique<boinc::Claimant>(settings.boinc_credit, std::move(credit));
    parts.finished = [this] { claimant->poke(); };
  }
  neighbour = std::make_unique<boinc::Companion>(settings.boinc, std::move(parts));
  neighbour->start();
  if (claimant) claimant->start();
}

/// New jobs are taken only while some device may run them.
void App::Impl::hold() {
  if (pipeline) pipeline->hold(paused || given_away);
  if (miner) miner->hold(paused || given_away || (finishing && !pipeline));
}

void App::Impl::end(Done result) {
  if (pipeline) return pipeline->end(std::move(result));
  std::lock_guard lock(mutex);
  if (!ended) ended = std::move(result);
  changed.notify_all();
}

/// Without a node mining is all there is, and its end the worker's.
void App::Impl::look_at_miner() {
  if (pipeline || !miner) return;
  if (auto lost = miner->lost(settings.source_patience_ms)) return end(std::move(*lost));
  bool leave = false;
  {
    std::lock_guard lock(mutex);
    leave = finishing;
  }
  if (leave && miner->quiet()) end(done());
}

void App::Impl::show_mode() {
  state.update([&](Snapshot& s) {
    s.mode = stopping ? "stopping" : finishing ? "finishing" : paused ? "paused" : "running";
    set_reason(s, "user_pause", paused ? "paused on request" : "", clock.unix_ms(), paused_until_ms);
  });
}

void App::Impl::keep_house() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    changed.wait_for(lock, kHousekeeping, [&] { return stopping; });
    if (paused && paused_until_ms != 0 && clock.unix_ms() >= paused_until_ms) {
      paused = false;
      paused_until_ms = 0;
      hold();
      show_mode();
    }
    if (const bool now = scheduler->given_away(); now != given_away) {
      given_away = now;
      hold();
    }
    lock.unlock();
    scheduler->publish();
    if (pipeline) pipeline->publish();
    if (miner) miner->publish();
    look_at_miner();
    if (scheduler->dead()) {
      end(fail(Status::no_device, "every device is quarantined: " + scheduler->devices_text(),
               "`sparkmill devices --probe` says what each can do"));
    }
    lock.lock();
  }
}

void App::Impl::shut_down() {
  std::lock_guard whole(closing);  // a second caller waits until it is really over
  if (closed) return;
  closed = true;
  {
    std::lock_guard lock(mutex);
    stopping = true;
    changed.notify_all();
  }
  ending.request_stop();
  if (keeper.joinable()) keeper.join();
  if (pipeline) pipeline->hold(true);
  if (claimant) claimant->stop();
  if (neighbour) neighbour->stop();
  if (miner) miner->stop();
  if (miner) miner->publish();
  if (scheduler) scheduler->stop();  // running slices end and are handed over ...
  if (pipeline) {
    pipeline->stop();
    pipeline->join();
    pipeline->publish();
  }
  if (scheduler) scheduler->publish();
}

App::App() = default;

App::~App() {
  if (!impl_) return;
  impl_->shut_down();
  impl_->miner.reset();
  impl_->claimant.reset();
  impl_->neighbour.reset();
  impl_->pipeline.reset();  // joins its threads: nothing uses the rest after this
  impl_->scheduler.reset();
  impl_->store.reset();  // the store writes what is queued before it closes
  impl_->blobs.reset();
}

Result<std::unique_ptr<App>> App::start(AppSettings settings, keys::KeyFile key, State& state, const Clock& clock) {
  std::unique_ptr<App> app(new App);
  app->impl_ = std::make_unique<Impl>(state, clock);
  app->impl_->settings = std::move(settings);
  SPARKMILL_TRY(app->impl_->open(key));
  app->impl_->show_mode();
  return app;
}

Done App::pause(const std::string& device, std::uint64_t until_unix_ms) {
  SPARKMILL_TRY(impl_->scheduler->pause(device, until_unix_ms));
  if (!device.empty()) return done();
  std::lock_guard lock(impl_->mutex);
  impl_->paused = true;
  impl_->paused_until_ms = until_unix_ms == 0 ? 0 : std::max(impl_->paused_until_ms, until_unix_ms);
  impl_->hold();
  impl_->show_mode();
  return done();
}

Done App::resume(const std::string& device) {
  SPARKMILL_TRY(impl_->scheduler->resume(device));
  if (!device.empty()) return done();
  std::lock_guard lock(impl_->mutex);
  impl_->paused = impl_->finishing = false;
  impl_->paused_until_ms = 0;
  if (impl_->pipeline) impl_->pipeline->finish(false);
  impl_->hold();
  impl_->show_mode();
  return done();
}

Done App::finish() {
  std::lock_guard lock(impl_->mutex);
  impl_->finishing = true;
  if (impl_->pipeline) {
    impl_->pipeline->finish(true);  // mining goes on: what is to be delivered may wait for the blocks that it makes
  } else {
    impl_->miner->hold(true);
  }
  impl_->show_mode();
  return done();
}

Done App::finish(const std::string& device) { return device.empty() ? finish() : impl_->scheduler->finish(device); }

void App::stop() {
  impl_->end(fail(Status::cancelled, "stopped on request"));
  impl_->shut_down();
}

std::uint64_t App::unfinished() const { return impl_->pipeline ? impl_->pipeline->unfinished() : 0; }

RunTotals App::totals() const { return impl_->pipeline ? impl_->pipeline->totals() : RunTotals(); }

Done App::wait() {
  if (!impl_->pipeline) {
    std::unique_lock lock(impl_->mutex);
    impl_->changed.wait(lock, [&] { return impl_->ended.has_value(); });
    return *impl_->ended;
  }
  for (;;) {
    auto ended = impl_->pipeline->wait(1'000);
    if (!ended) continue;
    impl_->pipeline->publish();  // the state tree has the last word too
    return *ended;
  }
}

}  // namespace sparkmill::worker
