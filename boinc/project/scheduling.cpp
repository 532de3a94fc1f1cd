// SPDX-License-Identifier: Apache-2.0
// What the books say to a scheduler request: reports are taken, lost results sent again, work is given out.
#include <algorithm>
#include <cmath>
#include <set>

#include "boinc/project/books.h"

namespace sparkmill::boinc::project {

namespace {

constexpr std::uint32_t kRefusedDelay = 3600;
constexpr std::size_t kMaxTasks = 64;          ///< in one reply
constexpr int kCandidates = 2000;              ///< unsent results looked at for one reply
constexpr double kNotMeasured = 1e9;           ///< what clients without benchmarks say
constexpr double kTypicalCore = 4.3e9;         ///< and what stands in for it
constexpr double kTypicalDevice = 1e12;        ///< for a device that does not say its speed
constexpr std::int64_t kTooLateToResend = 10;  ///< percent of the time to the deadline

double speed(const Version& v, const Want& want, const SchedulerRequest& host) {
  if (v.device == "CPU") {
    return (host.fpops <= kNotMeasured ? kTypicalCore : host.fpops) * v.cpus * v.flops_scale;
  }
  return (want.peak_flops > 0 ? want.peak_flops : kTypicalDevice) * v.device_count * v.flops_scale;
}

bool in_list(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

Result<Answer> Books::schedule(const SchedulerRequest& request) {
  return transact("scheduler request", [&]() -> Result<Answer> {
    Answer out;
    out.delay_s = policy_.request_delay_s;
    out.user = user_of(request.authenticator);
    if (!out.user) {
      out.delay_s = kRefusedDelay;
      out.messages.emplace_back(true, "Unknown account key: detach this project and attach again with your own key");
      return out;
    }
    const std::int64_t host = host_of(request, *out.user, out);
    out.needs_key = request.code_sign_key.empty();
    for (const Reported& r : request.reported) take_report(r, host, out);
    resend_lost(request, host, out);
    abort_unneeded(request, out);
    if (!request.no_work) give_work(request, *out.user, host, out);
    return out;
  });
}

void Books::take_report(const Reported& report, std::int64_t host, Answer& answer) {
  // Whatever it is, it is acknowledged: otherwise the client says it for ever.
  answer.acks.push_back(report.name);
  auto q = db_->prepare(
      "SELECT r.id, r.host_id, r.state, r.outcome, r.unit_id, u.assimilation, u.error_mask FROM result r JOIN unit u "
      "ON "
      "u.id = r.unit_id WHERE r.name = ?");
  q.all(report.name);
  if (!q.step()) {
    answer.messages.emplace_back(false, "Result " + report.name + " is not known here; it was not counted");
    return;
  }
  const std::int64_t id = q.integer(0), unit = q.integer(4);
  const auto state = static_cast<ServerState>(q.integer(2));
  const auto outcome = static_cast<Outcome>(q.integer(3));
  const bool late = state == ServerState::over && outcome == Outcome::no_reply;
  const bool decided = static_cast<Assimilation>(q.integer(5)) != Assimilation::init || q.integer(6) != 0;
  if (q.integer(1) != host || state == ServerState::unsent) {
    answer.messages.emplace_back(false, "Result " + report.name + " was not sent to this host; it was not counted");
    return;
  }
  if (state == ServerState::over && !late) {
    answer.messages.emplace_back(false, "Result " + report.name + " was reported before; it is counted once");
    return;
  }
  q.reset();
  Outcome now_is = report.success() ? Outcome::success : Outcome::client_error;
  Validity validity = Validity::init;
  std::string note;
  if (report.success()) {
    // A client also reports success after an upload that was refused for good.
    auto missing =
        db_->prepare("SELECT name FROM output WHERE result_id = ? AND complete = 0 AND optional = 0 LIMIT 1");
    missing.all(id);
    if (missing.step()) {
      now_is = Outcome::client_error;
      note = "reported as done, but " + missing.str(0) + " never arrived";
      answer.messages.emplace_back(false, "Result " + report.name + " was " + note);
    } else if (late && decided) {
      validity = Validity::too_late;
      note = "reported after its deadline, when the unit was decided";
      answer.messages.emplace_back(false, "Result " + report.name + " was " + note);
    }
  }
  run("UPDATE result SET state = ?, outcome = ?, validity = ?, received_ms = ?, exit_status = ?, cpu_ms = ?, "
      "elapsed_ms "
      "= ?, stderr = ?, note = ? WHERE id = ?",
      ServerState::over, now_is, validity, now(), report.exit_status, static_cast<std::int64_t>(report.cpu_s * 1e3),
      static_cast<std::int64_t>(report.elapsed_s * 1e3), report.stderr_out, note, id);
  run("UPDATE unit SET look_ms = ? WHERE id = ?", now(), unit);
}

void Books::resend_lost(const SchedulerRequest& request, std::int64_t host, Answer& answer) {
  if (!request.lists_results) return;
  const std::set<std::string> held(request.others.begin(), request.others.end());
  auto q = db_->prepare(
      "SELECT r.id, r.name, r.unit_id, r.deadline_ms, r.sent_ms, r.version, r.platform, r.plan_class, r.flops, u.app "
      "FROM "
      "result r JOIN unit u ON u.id = r.unit_id WHERE r.host_id = ? AND r.state = ? ORDER BY r.id");
  q.all(host, ServerState::in_progress);
  struct Lost {
    std::int64_t id, unit;
    Task task;
    bool again;
  };
  std::vector<Lost> lost;
  while (q.step()) {
    if (held.count(q.str(1)) != 0) continue;
    Lost l{q.integer(0), q.integer(2), {}, false};
    l.task.result = q.str(1);
    l.task.deadline_ms = q.integer(3);
    l.task.version = catalog_.find(q.str(9), q.integer(5), q.str(6), q.str(7));
    l.task.flops = static_cast<double>(q.integer(8));
    const std::int64_t left = l.task.deadline_ms - now();
    l.again = l.task.version != nullptr && left * 100 > (l.task.deadline_ms - q.integer(4)) * kTooLateToResend &&
              lost.size() < kMaxTasks;
    lost.push_back(std::move(l));
  }
  q.reset();
  for (Lost& l : lost) {
    if (!l.again) {
      run("UPDATE result SET state = ?, outcome = ?, received_ms = ?, note = 'the client no longer has it' WHERE id = "
          "?",
          ServerState::over, Outcome::no_reply, now(), l.id);
      run("UPDATE unit SET look_ms = ? WHERE id = ?", now(), l.unit);
      continue;
    }
    l.task.unit = unit_of(l.unit);
    l.task.outputs = outputs_of(l.id);
    answer.messages.emplace_back(false, "Resent lost task " + l.task.result);
    answer.tasks.push_back(std::move(l.task));
  }
}

void Books::abort_unneeded(const SchedulerRequest& request, Answer& answer) {
  auto q = db_->prepare(
      "SELECT r.state, r.outcome, u.error_mask, u.canonical FROM result r JOIN unit u ON u.id = r.unit_id WHERE r.name "
      "= "
      "?");
  for (const std::string& held : request.others) {
    if (!legal_name(held) || in_list(answer.acks, held)) continue;
    q.all(held);
    if (!q.step()) {
      answer.aborts.push_back(held);
      continue;
    }
    const bool written_off = static_cast<ServerState>(q.integer(0)) == ServerState::over;
    if (q.integer(2) != 0) {
      answer.aborts.push_back(held);
    } else if (written_off && !q.is_null(3)) {
      answer.aborts_if_not_started.push_back(held);
    }
  }
}

bool Books::had_it(std::int64_t unit, std::uint32_t quorum, std::int64_t user, std::int64_t host) {
  if (policy_.repeat == Repeat::any && quorum <= 1) return false;
  auto q = db_->prepare(policy_.repeat == Repeat::none_of_host
                            ? "SELECT 1 FROM result WHERE unit_id = ? AND host_id = ? LIMIT 1"
                            : "SELECT 1 FROM result WHERE unit_id = ? AND user_id = ? LIMIT 1");
  q.all(unit, policy_.repeat == Repeat::none_of_host ? host : user);
  return q.step();
}

void Books::give_work(const SchedulerRequest& request, const UserView& user, std::int64_t host, Answer& answer) {
  struct Need {
    const Want* want;
    double seconds, instances;
    std::int64_t room;  ///< tasks until the host holds its share
  };
  std::vector<Need> needs;
  for (auto w = request.wants.rbegin(); w != request.wants.rend(); ++w) {  // devices before the CPU
    if (!w->wants()) continue;
    auto q = db_->prepare("SELECT count(*) FROM result WHERE host_id = ? AND state = ? AND device = ?");
    q.all(host, ServerState::in_progress, w->type);
    q.step();
    const double devices =
        w->type == "CPU" ? static_cast<double>(request.cpus) : std::max(1.0, std::ceil(std::min(w->instances, 64.0)));
    const auto share = static_cast<std::int64_t>(devices) * policy_.tasks_per_device;
    needs.push_back({&*w, w->seconds, w->instances, share - q.integer(0)});
  }
  if (needs.empty()) return;

  struct Candidate {
    std::int64_t id, unit;
    std::uint32_t quorum;
    std::string app;
  };
  std::vector<Candidate> candidates;
  {
    auto q = db_->prepare(
        "SELECT r.id, r.unit_id, u.quorum, u.app FROM result r JOIN unit u ON u.id = r.unit_id WHERE r.state = ? ORDER "
        "BY "
        "r.id LIMIT " +
        std::to_string(kCandidates));
    q.all(ServerState::unsent);
    while (q.step()) {
      candidates.push_back({q.integer(0), q.integer(1), static_cast<std::uint32_t>(q.integer(2)), q.str(3)});
    }
  }
  bool full = false, repeated = false, too_big = false, no_version = false;
  const std::size_t before = answer.tasks.size();
  for (const Candidate& c : candidates) {
    if (answer.tasks.size() >= kMaxTasks) break;
    bool fits = false;
    for (Need& need : needs) {
      if (need.seconds <= 0 && need.instances <= 0) continue;
      const Version* version = catalog_.choose(c.app, need.want->type, request);
      if (version == nullptr) continue;
      fits = true;
      if (need.room <= 0) {
        full = true;
        continue;
      }
      if (had_it(c.unit, c.quorum, user.id, host)) {
        repeated = true;
        break;
      }
      Task task;
      task.unit = unit_of(c.unit);
      if ((request.memory_bytes > 0 && static_cast<double>(task.unit.memory_bytes) > request.memory_bytes) ||
          (request.disk_bytes > 0 && static_cast<double>(task.unit.disk_bytes) > request.disk_bytes)) {
        too_big = true;
        break;
      }
      task.outputs = outputs_of(c.id);
      task.version = version;
      task.flops = speed(*version, *need.want, request);
      task.deadline_ms = now() + task.unit.delay_s * 1000;
      auto q = db_->prepare("SELECT name FROM result WHERE id = ?");
      q.all(c.id);
      q.step();
      task.result = q.str(0);
      q.reset();
      run("UPDATE result SET state = ?, host_id = ?, user_id = ?, version = ?, platform = ?, plan_class = ?, device = "
          "?, "
          "flops = ?, sent_ms = ?, deadline_ms = ? WHERE id = ?",
          ServerState::in_progress, host, user.id, version->number, version->platform, version->plan_class,
          version->device, static_cast<std::int64_t>(std::min(task.flops, 9e18)), now(), task.deadline_ms, c.id);
      run("UPDATE unit SET look_ms = min(coalesce(look_ms, ?), ?) WHERE id = ?", task.deadline_ms, task.deadline_ms,
          c.unit);
      need.seconds -= static_cast<double>(task.unit.fpops_est) / task.flops;
      need.instances -= version->device == "CPU" ? version->cpus : version->device_count;
      --need.room;
      answer.tasks.push_back(std::move(task));
      break;
    }
    if (!fits) no_version = true;
  }
  if (answer.tasks.size() > before) return;
  if (full) answer.messages.emplace_back(false, "This computer has its share of tasks in progress");
  if (repeated) answer.messages.emplace_back(false, "Waiting tasks were sent to this user or host before");
  if (too_big) answer.messages.emplace_back(false, "Waiting tasks need more memory or disk than this computer allows");
  if (no_version) {
    answer.messages.emplace_back(false, "There is no application version for this computer (" +
                                            (request.platforms.empty() ? "no platform" : request.platforms.front()) +
                                            ") and the devices it asks for");
  }
  if (candidates.empty()) answer.messages.emplace_back(false, "No tasks are waiting");
}

}  // namespace sparkmill::boinc::project
