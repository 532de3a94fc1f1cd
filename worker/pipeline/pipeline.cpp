// SPDX-License-Identifier: Apache-2.0
// Taking leases, staying in touch with the node, start and end.
#include "worker/pipeline/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/log.h"
#include "worker/pipeline/task.h"

namespace sparkmill::worker {

namespace {

constexpr std::uint32_t kLongPollMs = 10'000;
constexpr std::uint32_t kMaxOpenings = 1u << 20;
constexpr std::uint64_t kForeignLeaseMs = 7ull * 86'400'000;

}  // namespace

std::uint64_t backoff_ms(unsigned tries, std::uint64_t base_ms, std::uint64_t limit_ms) {
  const std::uint64_t top = std::min(limit_ms, base_ms << std::min(tries, 16u));
  std::uint64_t noise = 0;
  random_bytes({reinterpret_cast<std::uint8_t*>(&noise), sizeof noise});
  return top / 2 + noise % (top / 2 + 1);
}

Pipeline::Pipeline(PipelineSettings settings, std::shared_ptr<NodeLink> link, Store& store, BlobCache& blobs,
                   Scheduler& scheduler, State& state, const Clock& clock, Say say)
    : settings_(std::move(settings)),
      link_(std::move(link)),
      store_(store),
      blobs_(blobs),
      scheduler_(scheduler),
      state_(state),
      clock_(clock),
      say_(say ? std::move(say) : [](const std::string&) {}) {
  source_.name = link_->settings().url;
}

Pipeline::~Pipeline() {
  stop();
  join();
}

void Pipeline::join() {
  for (std::thread& t : threads_) {
    if (t.joinable()) t.join();
  }
}

Done Pipeline::start() {
  SPARKMILL_ASSIGN(lifetime_, store_.counters());
  SPARKMILL_ASSIGN(auto rows, store_.unfinished());
  for (LeaseRow& row : rows) {
    auto task = std::make_shared<Task>();
    auto job = job::decode(row.job);
    if (!job) {
      SPARKMILL_TRY(store_.drop(row.lease_id, "the stored job cannot be read: " + job.error().message, "stale"));
      continue;
    }
    task->job = std::move(*job);
    task->kind = job::find_kind(task->job.kind);
    task->label = to_hex(task->job.id).substr(0, 8);
    task->deadline_ms = row.deadline_ms;
    task->row = std::move(row);
    tasks_.push_back(std::move(task));
  }
  if (!tasks_.empty()) say_(fmt::format("{} unfinished job(s) found in the store", tasks_.size()));
  threads_.emplace_back([this] { source_loop(); });
  threads_.emplace_back([this] { event_loop(); });
  threads_.emplace_back([this] { courier_loop(); });
  for (unsigned i = 0; i < std::max(1u, settings_.jobs_in_flight); ++i) {
    threads_.emplace_back([this] { coordinator_loop(); });
  }
  return done();
}

void Pipeline::finish(bool on) {
  std::lock_guard lock(mutex_);
  finishing_ = on;
  changed_.notify_all();
}

void Pipeline::hold(bool on) {
  std::lock_guard lock(mutex_);
  held_ = on;
  changed_.notify_all();
}

void Pipeline::stop() {
  stop_.request_stop();
  std::lock_guard lock(mutex_);
  stopping_ = true;
  for (const TaskPtr& task : tasks_) task->cancel.request_stop();
  changed_.notify_all();
}

void Pipeline::end(Done result) {
  std::lock_guard lock(mutex_);
  if (!ended_) ended_ = std::move(result);
  changed_.notify_all();
}

bool Pipeline::ended() const {
  std::lock_guard lock(mutex_);
  return ended_.has_value();
}

std::optional<Done> Pipeline::wait(unsigned timeout_ms) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [&] { return ended_.has_value(); });
  return ended_;
}

void Pipeline::sleep(std::uint64_t ms) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::milliseconds(ms), [&] { return stopping_; });
}

void Pipeline::source_lost(const Error& error) {
  std::unique_lock lock(mutex_);
  if (connected_ || source_.detail != error.message) log::get("source")->warn("{}", error.message);
  connected_ = false;
  source_.state = error.code == Status::refused ? "refused" : "unreachable";
  source_.detail = error.message;
  const std::uint64_t now = clock_.steady_ms();
  if (unreachable_since_ms_ == 0) {
    unreachable_since_ms_ = std::max<std::uint64_t>(1, now);
    lock.unlock();
    say_("node: " + error.message + "; trying again");
    lock.lock();
  }
  const bool tired = settings_.source_patience_ms != 0 && now - unreachable_since_ms_ >= settings_.source_patience_ms;
  lock.unlock();
  if (tired) {
    const Status code = error.code == Status::refused ? Status::refused : Status::unreachable;
    end(fail(
        code,
        "the node did not answer for " + std::to_string(settings_.source_patience_ms / 1000) + " s: " + error.message,
        "what is finished is kept; start again when the node is back"));
  }
}

void Pipeline::source_found() {
  bool again = false;
  {
    std::lock_guard lock(mutex_);
    again = unreachable_since_ms_ != 0 && revived_;
    connected_ = true;
    unreachable_since_ms_ = 0;
    source_.state = "connected";
    source_.detail.clear();
  }
  if (again) say_("node: connected again");
}

bool Pipeline::connect(NodeClient& client) {
  const std::uint64_t asked = clock_.steady_ms();
  auto info = client.info();
  if (info) {
    const std::uint64_t latency = clock_.steady_ms() - asked;
    auto enlisted = client.enlist(settings_.name, scheduler_.descriptions());
    if (enlisted) {
      bool first = false;
      const auto account = client.account();  // a new worker may have none yet
      {
        std::lock_guard lock(mutex_);
        first = source_.node_pub.empty();
        if (!first && !connected_) ++source_.switches;
        source_.latency_ms = latency;
        source_.node_pub = to_hex(info->node_pub);
        source_.operator_trusted = info->operator_trusted;
        if (totals_.first_height == 0) totals_.first_height = info->height;
        height_ = std::max(height_, info->height);
        source_.height = height_;
        if (account) totals_.balance_units = account->balance;
      }
      source_found();
      if (first) {
        say_(fmt::format("node {}: connected, block height {}, a block every {:.1f} s{}", link_->settings().url,
                         info->height, static_cast<double>(info->interval_ms) / 1000.0,
                         info->operator_trusted
                             ? "; receipts are operator-trusted: its single operator could choose the challenges"
                             : ""));
      }
      return true;
    }
    info = enlisted.error();
  }
  if (info.status() == Status::cancelled) return false;
  source_lost(info.error());
  if (info.status() == Status::refused) end(info.error());
  return false;
}

unsigned Pipeline::capacity() const {
  if (stopping_ || finishing_ || held_ || ended_) return 0;
  unsigned active = 0;
  for (const TaskPtr& t : tasks_) active += t->delivering ? 0 : 1;
  if (active >= settings_.jobs_in_flight || tasks_.size() >= settings_.open_leases) return 0;
  std::uint64_t room =
      std::min<std::uint64_t>(settings_.jobs_in_flight - active, settings_.open_leases - tasks_.size());
  if (settings_.rounds != 0) {
    const std::uint64_t planned = receipts_ + tasks_.size();
    room = std::min<std::uint64_t>(room, settings_.rounds > planned ? settings_.rounds - planned : 0);
  }
  return static_cast<unsigned>(std::min<std::uint64_t>(room, 16));
}

void Pipeline::source_loop() {
  NodeClient client(link_, stop_.token());
  unsigned tries = 0;
  while (!stop_.stop_requested()) {
    if (!connect(client)) {
      // Openings have deadlines: with work to deliver, the node's return must not be missed by half a minute.
      const bool owing = unfinished() != 0;
      sleep(backoff_ms(tries++, 500, owing ? 2'000 : 30'000));
      continue;
    }
    tries = 0;
    revive(client);
    std::uint64_t checked = clock_.steady_ms();
    while (!stop_.stop_requested()) {
      unsigned room = 0;
      {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, std::chrono::milliseconds(500), [&] { return stopping_ || capacity() > 0; });
        room = capacity();
      }
      if (room > 0 && !take_leases(client)) break;
      // The node's clock is asked for again now and then, and the line is tried while no lease is wanted.
      if (clock_.steady_ms() - checked > 30'000) {
        checked = clock_.steady_ms();
        if (auto info = client.info(); !info) {
          if (info.status() == Status::cancelled) return;
          source_lost(info.error());
          if (info.status() == Status::refused) end(info.error());
          break;
        }
        source_found();
      }
    }
  }
}

bool Pipeline::take_leases(NodeClient& client) {
  std::vector<std::string> kinds;
  for (const job::KindRow& kind : job::kinds()) {
    if (kind.challenged && scheduler_.lanes(kind.family) != 0) kinds.emplace_back(kind.name);
  }
  unsigned room = 0;
  {
    std::lock_guard lock(mutex_);
    room = capacity();
  }
  if (room == 0) return true;
  auto held = store_.held_leases(protocol::kMaxHeldLeases);
  if (!held) {
    end(held.error());
    return false;
  }
  auto leases = client.leases(kinds, room, kLongPollMs, std::move(*held));
  if (!leases) {
    if (leases.status() == Status::cancelled) return false;
    source_lost(leases.error());
    sleep(backoff_ms(0));
    return false;
  }
  source_found();
  bool fresh = leases->empty();
  for (const protocol::Lease& lease : *leases) fresh |= accept(lease);
  if (!fresh) sleep(1'000);  // nothing new, or nonsense: such a node is not asked again at full speed
  return true;
}

bool Pipeline::accept(const protocol::Lease& lease) {
  auto refuse = [&](const std::string& why) {
    log::get("source")->warn("lease {}: {}", to_hex(lease.lease_id), why);
    say_("lease " + to_hex(lease.lease_id).substr(0, 8) + ": not taken: " + why);
    std::lock_guard lock(mutex_);
    ++totals_.stale;
  };
  auto job = job::decode(lease.job);
  if (!job) {
    refuse(job.error().message);
    return false;
  }
  const std::uint64_t now = link_->now_ms();
  const job::KindRow* kind = job::find_kind(job->kind);
  const char* wrong = nullptr;
  if (kind == nullptr) wrong = "a kind of job this program does not know";
  if (lease.openings == 0 || lease.openings > kMaxOpenings) wrong = "its number of openings makes no sense";
  if (lease.deadline_ms <= now) wrong = "it is past its deadline";
  if (job->deadline_unix_ms != 0 && job->deadline_unix_ms <= now) wrong = "the job is past its deadline";
  if (wrong != nullptr) {
    refuse(wrong);
    return false;
  }
  auto task = std::make_shared<Task>();
  task->row.lease_id = lease.lease_id;
  task->row.job_id = job->id;
  task->row.node_pub = link_->info().node_pub;
  task->row.job = lease.job;
  task->row.deadline_ms = task->deadline_ms = lease.deadline_ms;
  task->row.attempt = lease.attempt;
  task->row.openings = lease.openings;
  task->taken_ms = now;
  task->job = std::move(*job);
  task->kind = kind;
  task->label = to_hex(task->job.id).substr(0, 8);
  auto fresh = store_.add_lease(task->row);
  if (!fresh) {
    end(fresh.error());
    return true;
  }
  if (!*fresh) return false;  // known: it is being worked on, or was finished
  std::lock_guard lock(mutex_);
  if (first_lease_us_ == 0) {
    first_lease_us_ = clock_.steady_ms() * 1000;
    busy_at_first_lease_ = scheduler_.busy();
  }
  tasks_.push_back(task);
  ready_.push_back(task);
  changed_.notify_all();
  return true;
}

void Pipeline::revive(NodeClient& client) {
  std::vector<TaskPtr> old;
  {
    std::lock_guard lock(mutex_);
    if (revived_) return;
    revived_ = true;
    old.assign(tasks_.begin(), tasks_.end());
  }
  const std::uint64_t now = link_->now_ms();
  for (const TaskPtr& task : old) {
    if (task->row.node_pub != link_->info().node_pub) {
      // Another node's lease: kept for the day that node is used again, for a week after its deadline.
      if (task->deadline_ms + kForeignLeaseMs < now) {
        drop(task, "the lease of another node is long past its deadline", "stale");
      } else {
        forget(task);
      }
      continue;
    }
    if (task->row.phase == Phase::running) {
      auto renewal = client.renew(task->row.lease_id);
      if (!renewal && !peer_trouble(renewal.status()) && renewal.status() != Status::cancelled) {
        drop(task, "the lease is not valid any more: " + renewal.error().message, "stale");
        continue;
      }
      std::lock_guard lock(mutex_);
      task->taken_ms = now;
      if (renewal) task->deadline_ms = renewal->deadline_ms;
      if (first_lease_us_ == 0) {
        first_lease_us_ = clock_.steady_ms() * 1000;
        busy_at_first_lease_ = scheduler_.busy();
      }
      ready_.push_back(task);
      changed_.notify_all();
    } else {
      std::lock_guard lock(mutex_);
      task->phase = task->row.phase == Phase::opening ? "opening" : "waiting_for_challenge";
      task->delivering = true;
      changed_.notify_all();
    }
  }
}

void Pipeline::saw_block(const protocol::Block& block) {
  std::lock_guard lock(mutex_);
  block_at_ms_ = clock_.steady_ms();
  if (block.height > height_) height_ = block.height;
  source_.height = height_;
  changed_.notify_all();
}

void Pipeline::on_event(std::string_view event, std::string_view data) {
  if (event == "block") {
    if (auto block = protocol::block_from_json(data)) saw_block(*block);
    return;
  }
  if (event != "cancel" || data.size() > 4096) return;
  const auto j = nlohmann::json::parse(data, nullptr, false);
  if (!j.is_object() || !j.contains("lease_id") || !j["lease_id"].is_string()) return;
  auto id = array_from_hex<16>(j["lease_id"].get<std::string>(), "lease_id");
  if (!id) return;
  std::lock_guard lock(mutex_);
  for (const TaskPtr& task : tasks_) {
    if (task->row.lease_id != *id || task->delivering) continue;
    task->cancel_reason = "the node has cancelled it";
    task->cancel.request_stop();
  }
}

void Pipeline::event_loop() {
  NodeClient client(link_, stop_.token());
  unsigned tries = 0;
  while (!stop_.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(500), [&] { return stopping_ || connected_; });
      if (!connected_) continue;
    }
    const std::uint64_t began = clock_.steady_ms();
    (void)client.events([&](std::string_view event, std::string_view data) {
      on_event(event, data);
      return !stop_.stop_requested();
    });
    // Without the stream the courier asks for the latest block by itself.
    if (clock_.steady_ms() - began > 30'000) tries = 0;
    sleep(backoff_ms(tries++));
  }
}

}  // namespace sparkmill::worker
