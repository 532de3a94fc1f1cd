// SPDX-License-Identifier: Apache-2.0
// From a stored commit to a stored receipt: at least once on the wire, once in the books.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "worker/pipeline/task.h"

namespace sparkmill::worker {

namespace {

constexpr std::uint64_t kBalancePatienceMs = 30'000;
constexpr unsigned kMaxTries = 20;  ///< answers that make no sense, before a lease is given up

std::uint64_t kept_bytes(const job::Outcome& o) { return o.leaves.size() * 32 + o.evidence.size() + o.answer.size(); }

}  // namespace

void Pipeline::courier_loop() {
  NodeClient client(link_, stop_.token());
  while (!stop_.stop_requested()) {
    std::vector<TaskPtr> due;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(200), [&] { return stopping_; });
      if (stopping_) return;
      if (!revived_) continue;
      for (const TaskPtr& t : tasks_) {
        if (t->delivering) due.push_back(t);
      }
    }
    look_at_chain(client);
    renew_leases(client);
    for (const TaskPtr& task : due) {
      if (stop_.stop_requested()) return;
      // Delivery does not ask whether the line is thought to be up: one try finds out, and the others wait for it.
      if (clock_.steady_ms() >= task->next_try_ms && !deliver(client, task)) break;
    }
    keep_warm();
    look_at_account(client);
    if (finished_all()) end(done());
  }
}

void Pipeline::look_at_chain(NodeClient& client) {
  {
    std::lock_guard lock(mutex_);
    const std::uint64_t patience = std::clamp<std::uint64_t>(link_->info().interval_ms * 3 / 2, 500, 15'000);
    if (clock_.steady_ms() - block_at_ms_ < patience) return;
    block_at_ms_ = clock_.steady_ms();  // asked at this pace even when nobody answers
  }
  auto block = client.latest_block();
  if (block) {
    saw_block(*block);
    source_found();
  } else if (block.status() == Status::unreachable || block.status() == Status::timeout) {
    source_lost(block.error());
  }
}

void Pipeline::renew_leases(NodeClient& client) {
  const std::uint64_t now = link_->now_ms();
  std::vector<TaskPtr> due;
  {
    std::lock_guard lock(mutex_);
    for (const TaskPtr& t : tasks_) {
      if (t->delivering || t->cancel.stop_requested()) continue;
      if (now >= t->deadline_ms) {
        t->cancel_reason = "its deadline has passed";
        t->cancel.request_stop();
      } else if (t->deadline_ms - now < (t->deadline_ms - std::min(t->deadline_ms, t->taken_ms)) / 2 &&
                 clock_.steady_ms() >= t->next_try_ms) {
        due.push_back(t);
      }
    }
  }
  for (const TaskPtr& t : due) {
    auto renewal = client.renew(t->row.lease_id);
    std::lock_guard lock(mutex_);
    if (renewal) {
      t->deadline_ms = renewal->deadline_ms;
      t->taken_ms = now;
      t->next_try_ms = clock_.steady_ms() + 1'000;  // a node that renews by a blink is not asked all the time
    } else if (peer_trouble(renewal.status()) || renewal.status() == Status::cancelled) {
      t->next_try_ms = clock_.steady_ms() + backoff_ms(2);
    } else {
      t->cancel_reason = "the lease is not valid any more: " + renewal.error().message;
      t->cancel.request_stop();
    }
  }
}

bool Pipeline::deliver(NodeClient& client, const TaskPtr& task) {
  Done result = done();
  if (task->row.phase == Phase::committed) result = send_commit(client, *task);
  if (result && task->row.phase == Phase::waiting) {
    std::uint64_t height = 0;
    {
      std::lock_guard lock(mutex_);
      height = height_;
    }
    if (height < task->row.height + 3) return true;
    result = make_opening(client, *task);
  }
  if (result && task->row.phase == Phase::opening) result = send_opening(client, task);
  if (!result) return undeliverable(client, task, result.error());
  task->tries = 0;
  return true;
}

Done Pipeline::send_commit(NodeClient& client, Task& task) {
  auto answer = client.commit(task.row.lease_id, task.row.commit);
  if (!answer) return answer.error();
  if (answer->open_by_height < answer->height || answer->height > (1ull << 40)) {
    return fail(Status::bad_input, "the node's answer to a commit makes no sense");
  }
  SPARKMILL_TRY(store_.set_commit_answer(task.row.lease_id, *answer));
  {
    std::lock_guard lock(mutex_);
    task.row.height = answer->height;
    task.row.open_by_height = answer->open_by_height;
    task.row.open_by_ms = answer->open_by_ms;
    task.row.phase = Phase::waiting;
  }
  say_(fmt::format("job {}: commit recorded at height {}; the challenge comes with blocks {} and {}", task.label,
                   answer->height, answer->height + 2, answer->height + 3));
  return done();
}

Done Pipeline::make_opening(NodeClient& client, Task& task) {
  SPARKMILL_ASSIGN(const protocol::Block second, client.block(task.row.height + 2));
  SPARKMILL_ASSIGN(const protocol::Block third, client.block(task.row.height + 3));
  SPARKMILL_TRY(check_beacons(second, third, task.row.height));
  std::unique_ptr<job::Work> work;
  std::optional<job::Outcome> outcome;
  {
    std::lock_guard lock(mutex_);
    task.phase = "opening";  // from here on nobody releases what it holds
  }
  if (!task.work) {
    SPARKMILL_TRY(load(client, task));
    task.outcome.reset();
  }
  if (!task.outcome) SPARKMILL_TRY(assemble(task));
  set_phase(task, "opening");
  const Hash32 seed = proof::challenge_seed(second.beacon, third.beacon, task.row.job_id, task.row.lease_id,
                                            link_->worker_pub(), task.row.root);
  const auto indices = proof::challenge_indices(seed, task.row.leaf_count, task.row.openings);
  proof::Envelope envelope;
  envelope.kind = proof::EnvelopeKind::opening;
  envelope.node_pub = task.row.node_pub;
  envelope.job_id = task.row.job_id;
  envelope.lease_id = task.row.lease_id;
  SPARKMILL_ASSIGN(envelope.body, proof::make_opening(*task.work, *task.outcome, indices));
  task.row.opening = proof::encode(std::move(envelope), link_->envelope_key());
  SPARKMILL_TRY(store_.put_opening(task.row.lease_id, task.row.opening));
  {
    std::lock_guard lock(mutex_);
    task.row.phase = Phase::opening;
    task.work.reset();
    task.outcome.reset();
    task.inputs.clear();
    totals_.opening_bytes = std::max<std::uint64_t>(totals_.opening_bytes, task.row.opening.size());
  }
  say_(fmt::format("job {}: challenged; {} of {} leaves opened, {:.1f} KB", task.label, indices.size(),
                   task.row.leaf_count, static_cast<double>(task.row.opening.size()) / 1e3));
  return done();
}

Done Pipeline::send_opening(NodeClient& client, const TaskPtr& task) {
  auto receipt = client.open(task->row.lease_id, task->row.opening);
  for (int i = 0; receipt && !*receipt && i < 10 && !stop_.stop_requested(); ++i) {
    sleep(50);
    receipt = client.receipt(task->row.lease_id);
  }
  if (!receipt) return receipt.error();
  if (!*receipt) {
    task->next_try_ms = clock_.steady_ms() + 300;  // recorded; the check takes its time
    return done();
  }
  settle(task, **receipt);
  return done();
}

bool Pipeline::undeliverable(NodeClient& client, const TaskPtr& task, const Error& error) {
  if (error.code == Status::cancelled) return true;
  if (error.code == Status::no_space || error.code == Status::io_error) {
    end(error);
    return true;
  }
  if (error.code == Status::unreachable || error.code == Status::timeout) {
    log::get("pipeline")->debug("job {}: {}", task->label, error.message);
    return false;
  }
  if (peer_trouble(error.code) && ++task->tries < kMaxTries) {
    task->next_try_ms = clock_.steady_ms() + backoff_ms(std::min(task->tries, 4u));
    log::get("pipeline")->warn("job {}: {}", task->label, error.message);
    return true;
  }
  // The node says no for good; what it has written about this lease is the last word, if it has.
  auto receipt = client.receipt(task->row.lease_id);
  if (receipt && *receipt) {
    settle(task, **receipt);
    return true;
  }
  const bool later = receipt || receipt.status() == Status::cancelled || peer_trouble(receipt.status());
  if (later && ++task->tries < 2 * kMaxTries) {
    task->next_try_ms = clock_.steady_ms() + backoff_ms(2);
    return true;
  }
  drop(task, error.message, "stale");
  return true;
}

void Pipeline::settle(const TaskPtr& task, const protocol::Receipt& receipt) {
  const char* wrong = nullptr;
  if (receipt.job_id != task->row.job_id) wrong = "its receipt names another job";
  if (receipt.accepted && receipt.answer_hash != task->row.answer_hash) wrong = "its receipt is for another answer";
  if (wrong != nullptr) return drop(task, wrong, "stale");
  auto fresh = store_.put_receipt(receipt, task->row.answers, checks(*task->kind));
  if (!fresh) return end(fresh.error());
  if (receipt.accepted) {
    say_(fmt::format("job {}: proof accepted; {} {}, credit {:.3f} cobblestones, in block {}{}", task->label,
                     task->row.answers, checks(*task->kind) ? task->kind->unit : "pair(s)",
                     static_cast<double>(receipt.credit_microcobble) / 1e6, receipt.height,
                     receipt.operator_trusted ? " (operator-trusted)" : ""));
  } else {
    say_(fmt::format("job {}: proof refused: {}{}{}", task->label, receipt.reason, receipt.detail.empty() ? "" : ": ",
                     receipt.detail));
  }
  {
    std::lock_guard lock(mutex_);
    if (*fresh) {
      ++receipts_;
      ++(receipt.accepted ? lifetime_.accepted : lifetime_.rejected);
      ++(receipt.accepted ? totals_.accepted : totals_.rejected);
      if (receipt.accepted) {
        const bool verdicts = checks(*task->kind);
        (verdicts ? lifetime_.checked : lifetime_.answers) += task->row.answers;
        lifetime_.credit_microcobble += receipt.credit_microcobble;
        (verdicts ? totals_.checked : totals_.answers) += task->row.answers;
        if (!verdicts) {
          lifetime_.units += receipt.units;
          totals_.units += receipt.units;
        }
        totals_.credit_microcobble += receipt.credit_microcobble;
      }
    }
    const Scheduler::Busy busy = scheduler_.busy();
    totals_.wall_us = clock_.steady_ms() * 1000 - first_lease_us_;
    totals_.busy_wall_us = busy.wall_us - busy_at_first_lease_.wall_us;
    totals_.busy_cpu_us = busy.cpu_us - busy_at_first_lease_.cpu_us;
    totals_.lanes = busy.lanes;
    account_wanted_height_ = std::max(account_wanted_height_, receipt.height);
    last_receipt_ms_ = clock_.steady_ms();
    task->phase = "done";
    done_jobs_.push_back(describe(*task, 0, {}));
    if (done_jobs_.size() > 3) done_jobs_.pop_front();
  }
  forget(task);
}

void Pipeline::keep_warm() {
  std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const TaskPtr& t : tasks_) {
    if (!t->delivering || !t->outcome) continue;
    sum += kept_bytes(*t->outcome);
    if (sum <= settings_.warm_bytes || t->phase != "waiting_for_challenge") continue;
    t->work.reset();
    t->outcome.reset();
    t->inputs.clear();
  }
}

void Pipeline::look_at_account(NodeClient& client) {
  std::uint64_t height = 0;
  {
    std::lock_guard lock(mutex_);
    if (account_wanted_height_ <= account_height_ || height_ < account_wanted_height_) return;
    height = height_;
  }
  auto account = client.account();
  if (!account) return;
  std::uint64_t gained = 0;
  {
    std::lock_guard lock(mutex_);
    gained = account->balance - std::min(account->balance, totals_.balance_units);
    account_height_ = height;
    totals_.balance_units = account->balance;
    totals_.last_height = height_;
  }
  say_(fmt::format("balance {:.8f} BTK ({:+.8f}), credit {:.3f} cobblestones, {} receipt(s) accepted",
                   static_cast<double>(account->balance) / 1e8, static_cast<double>(gained) / 1e8,
                   static_cast<double>(account->credit_microcobble) / 1e6, account->accepted));
}

void Pipeline::expect_credit() {
  std::lock_guard lock(mutex_);
  account_wanted_height_ = std::max(account_wanted_height_, height_ + 2);
}

bool Pipeline::finished_all() const {
  std::lock_guard lock(mutex_);
  const bool enough = settings_.rounds != 0 && receipts_ >= settings_.rounds;
  if (!enough && !finishing_) return false;
  if (!tasks_.empty()) return false;
  // The block that pays the last receipt is worth a short wait: the balance is in the summary then.
  return account_height_ >= account_wanted_height_ || clock_.steady_ms() - last_receipt_ms_ > kBalancePatienceMs;
}

}  // namespace sparkmill::worker
