// SPDX-License-Identifier: Apache-2.0
#include "node/server/checker.h"

#include "base/hash.h"
#include "base/hex.h"
#include "base/log.h"
#include "kernels/backend/discover.h"
#include "kernels/registry.h"
#include "node/jobs/maker.h"
#include "verify/proof/proof.h"

namespace sparkmill::node {

namespace {

/// After so many failures of our own an opening is given up: the task goes to another attempt.
constexpr int kMaxFailures = 5;

}  // namespace

Result<Decision> judge(const CheckInput& in, job::BlobSource& blobs, job::Executor& executor,
                       const std::set<job::Kind>& confirm) {
  Decision out;
  const auto refuse = [&out](std::string reason, std::string detail) {
    out.reason = std::move(reason);
    out.detail = std::move(detail);
    return out;
  };
  const auto commit = proof::decode_commit(in.commit);
  if (!commit) return refuse("malformed", commit.error().message);
  out.answer_hash = sha256(commit->answer);
  SPARKMILL_ASSIGN(const job::Job job, job::decode(in.job));
  SPARKMILL_ASSIGN(const auto work, job::open(job, blobs, job::Binding::to_lease(in.lease_id, in.worker_pub)));
  SPARKMILL_ASSIGN(const job::Finding found, check_secrets(*work, in.ringers, commit->answer));
  if (!found.ok()) return refuse(found.reason, found.detail);
  const Hash32 seed = proof::challenge_seed(in.beacon2, in.beacon3, job.id, in.lease_id, in.worker_pub, commit->root);
  const auto indices = proof::challenge_indices(seed, work->leaf_count(), in.openings);
  SPARKMILL_ASSIGN(const proof::Verdict verdict, proof::check(*work, *commit, indices, in.opening, executor));
  if (!verdict.accepted) return refuse(verdict.reason, verdict.detail);
  std::string more = caveat(*work);
  if (confirm.contains(job.kind)) {
    SPARKMILL_ASSIGN(const proof::Verdict confirmed, proof::confirm(*work, *commit, executor));
    if (!confirmed.accepted) return refuse(confirmed.reason, confirmed.detail);
    more = confirmed.detail;
  }
  out.accepted = true;
  out.reason = verdict.reason;
  out.detail = verdict.detail + (more.empty() ? "" : "; " + more);
  out.units = work->units();
  out.microcobble_per_gi_unit = work->microcobble_per_gi_unit();
  SPARKMILL_ASSIGN(out.result, task_answer(*work, in.ringers, commit->answer));
  return out;
}

Result<std::unique_ptr<Checker>> Checker::make(Ledger& ledger, BlobStore& blobs, const NodeTime& time,
                                               std::set<job::Kind> confirm,
                                               std::function<void(const protocol::Receipt&)> on_receipt) {
  std::unique_ptr<Checker> out(new Checker(ledger, blobs, time, std::move(confirm), std::move(on_receipt)));
  const auto first = out->executor_.need(kernels::Family::match);
  if (!first) return first.error();
  return out;
}

Result<job::Executor*> CpuExecutor::need(kernels::Family family) {
  const auto known = rows_.find(family);
  if (known != rows_.end()) return known->second.get();
  const kernels::Device cpu = kernels::cpu_device();
  SPARKMILL_ASSIGN(const kernels::Choice choice, kernels::choose(family, cpu));
  SPARKMILL_ASSIGN(auto kernel, kernels::make_tested(*choice.row, cpu));
  auto made = rows_.emplace(family, std::make_unique<job::InlineExecutor>(std::move(kernel)));
  return made.first->second.get();
}

Done CpuExecutor::run(const job::Work& work, std::span<const job::Slice> slices,
                      const std::function<Done(const job::Slice&, Bytes)>& done, const StopToken& stop) {
  SPARKMILL_ASSIGN(job::Executor* const executor, need(work.family()));
  return executor->run(work, slices, done, stop);
}

Checker::~Checker() { stop(); }

void Checker::start() {
  woken_ = true;
  thread_ = std::thread([this] { loop(); });
}

void Checker::stop() {
  {
    std::lock_guard lock(mutex_);
    stop_.request_stop();
    changed_.notify_all();
    judged_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Checker::wake() {
  std::lock_guard lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

void Checker::loop() {
  while (!stop_.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::seconds(2), [this] { return woken_ || stop_.stop_requested(); });
      woken_ = false;
    }
    const auto leases = ledger_.unjudged();
    if (!leases) {
      log::get("node")->error("checks: {}", leases.error().message);
      continue;
    }
    for (const Id16& lease : *leases) {
      if (stop_.stop_requested()) return;
      check_one(lease);
    }
  }
}

bool Checker::check_one(const Id16& lease) {
  const auto input = ledger_.check_input(lease);
  Result<Decision> decision = input ? judge(*input, blobs_, executor_, confirm_) : Result<Decision>(input.error());
  if (!decision) {
    log::get("node")->error("lease {}: could not be checked: {}", to_hex(lease), decision.error().message);
    if (++failures_[lease] < kMaxFailures) return false;
    Decision given_up;
    given_up.reason = "unchecked";
    given_up.detail = "this node could not check it; the fault is not the worker's";
    decision = given_up;
  }
  const auto receipt = ledger_.settle(lease, *decision, time_.now_ms());
  if (!receipt) {
    log::get("node")->error("lease {}: no receipt could be written: {}", to_hex(lease), receipt.error().message);
    return false;
  }
  failures_.erase(lease);
  {
    std::lock_guard lock(mutex_);
    judged_.notify_all();
  }
  on_receipt_(*receipt);
  return true;
}

Result<protocol::Receipt> Checker::wait(const Id16& lease, unsigned timeout_ms) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  for (;;) {
    auto receipt = ledger_.receipt(lease);
    if (receipt || receipt.status() != Status::not_found) return receipt;
    std::unique_lock lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (stop_.stop_requested() || now >= until) return fail(Status::timeout, "the check of this opening still runs");
    // A short nap covers a judgement between the look above and this wait.
    judged_.wait_for(lock, std::min<std::chrono::steady_clock::duration>(until - now, std::chrono::milliseconds(50)));
  }
}

}  // namespace sparkmill::node
