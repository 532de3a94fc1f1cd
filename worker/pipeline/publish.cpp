// SPDX-License-Identifier: Apache-2.0
// Jobs, source and results as the state tree shows them.
#include <algorithm>

#include "worker/pipeline/task.h"

namespace sparkmill::worker {

JobState Pipeline::describe(const Task& task, std::uint64_t ahead_units, const Rates& rates) const {
  JobState s;
  s.id = to_hex(task.row.job_id);
  s.kind = task.kind != nullptr ? std::string(task.kind->name) : "unknown";
  s.phase = task.phase;
  s.units = task.units_total;
  s.answers = task.row.phase >= Phase::committed ? task.row.answers : 0;
  s.deadline_ms = task.deadline_ms;
  const std::uint64_t total = task.units_total, units = std::min<std::uint64_t>(task.units_done, total);
  const double part = total == 0 ? 0 : static_cast<double>(units) / static_cast<double>(total);
  // Computing is the work; proof and receipt are the last two hundredths.
  s.progress = task.phase == "done" ? 1.0 : task.delivering ? 0.99 : 0.98 * part;
  if (task.phase == "done") {
    s.eta_lo_s = s.eta_hi_s = 0;
  } else if (task.delivering) {
    const double interval = static_cast<double>(link_->info().interval_ms) / 1000.0;
    const std::uint64_t due = task.row.height + 3;
    const auto left = static_cast<double>(task.row.height == 0 || height_ >= due ? 0 : due - height_);
    s.eta_lo_s = std::max(0.0, (left - 1) * interval);
    s.eta_hi_s = (left + 1) * interval;
  } else if (total != 0) {
    double fast = 0, slow = 0;
    for (double r : {rates.s10, rates.s60, rates.m15}) {
      if (r <= 0) continue;
      fast = std::max(fast, r);
      slow = slow == 0 ? r : std::min(slow, r);
    }
    if (fast > 0) {
      const auto left = static_cast<double>(ahead_units + total - units);
      s.eta_lo_s = left / fast * 0.9;
      s.eta_hi_s = left / slow * 1.25;
    }
  }
  return s;
}

void Pipeline::publish() {
  std::vector<JobState> jobs;
  SourceState source;
  Counters lifetime;
  std::uint64_t queued = 0, balance = 0;
  std::vector<Reason> reasons;
  {
    std::lock_guard lock(mutex_);
    std::map<kernels::Family, std::uint64_t> ahead;
    std::vector<TaskPtr> order(tasks_.begin(), tasks_.end());
    std::stable_sort(order.begin(), order.end(),
                     [](const TaskPtr& a, const TaskPtr& b) { return a->deadline_ms < b->deadline_ms; });
    for (const TaskPtr& t : order) {
      const auto meter = meters_.find(t->family);
      const Rates rates = meter == meters_.end() ? Rates{} : meter->second.rates(clock_.steady_ms());
      jobs.push_back(describe(*t, ahead[t->family], rates));
      if (!t->delivering) ahead[t->family] += t->units_total - std::min<std::uint64_t>(t->units_done, t->units_total);
      if (t->row.phase >= Phase::committed && t->delivering) ++queued;
    }
    jobs.insert(jobs.end(), done_jobs_.rbegin(), done_jobs_.rend());
    source = source_;
    lifetime = lifetime_;
    balance = totals_.balance_units;
    if (finishing_) reasons.push_back({"finishing", "takes no new work, on request", 0, 0});
    if (tasks_.size() >= settings_.open_leases) {
      reasons.push_back({"waiting_for_receipts", "as many leases are open as the node allows", 0, 0});
    }
  }
  const std::uint64_t bytes = store_.bytes();
  state_.update([&](Snapshot& s) {
    for (JobState& job : jobs) {  // a job that is cut anew after a restart must not look as if it went back
      for (const JobState& old : s.jobs) {
        if (old.id == job.id) job.progress = std::max(job.progress, old.progress);
      }
    }
    s.jobs = std::move(jobs);
    s.source = std::move(source);
    s.results = {lifetime.accepted, lifetime.stale, lifetime.rejected, lifetime.wrong};
    s.pairs_found = lifetime.answers;
    s.items_checked = lifetime.checked;
    s.credit_microcobble = lifetime.credit_microcobble;
    s.balance_units = balance;
    s.store_queued = queued;
    s.store_bytes = bytes;
    for (const Reason& r : reasons) {
      auto same = std::find_if(s.reasons.begin(), s.reasons.end(), [&](const Reason& o) { return o.code == r.code; });
      if (same == s.reasons.end()) {
        s.reasons.push_back(r);
        s.reasons.back().since_ms = clock_.unix_ms();
      }
    }
    std::erase_if(s.reasons, [&](const Reason& o) {
      const bool ours = o.code == "finishing" || o.code == "waiting_for_receipts";
      return ours && std::none_of(reasons.begin(), reasons.end(), [&](const Reason& r) { return r.code == o.code; });
    });
  });
}

std::uint64_t Pipeline::unfinished() const {
  std::lock_guard lock(mutex_);
  return tasks_.size();
}

RunTotals Pipeline::totals() const {
  std::lock_guard lock(mutex_);
  RunTotals t = totals_;
  t.last_height = std::max(t.last_height, height_);
  return t;
}

}  // namespace sparkmill::worker
