// SPDX-License-Identifier: Apache-2.0
#include "worker/boinc/companion.h"

#include <algorithm>
#include <fstream>

#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "verify/unit/result.h"

namespace sparkmill::worker::boinc {

namespace rpc = ::sparkmill::boinc::rpc;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kSlowMs = 10'000;  // projects and acknowledged results
constexpr std::uint64_t kLogsMs = 60'000;  // job logs
constexpr std::uint64_t kDayMs = 86'400'000;
constexpr std::streamoff kLogTail = 256 << 10;
constexpr std::size_t kShownTasks = 64;
constexpr std::size_t kRemembered = 20'000;

std::uint64_t to_ms(double seconds) {
  return seconds > 0 && seconds < 9e12 ? static_cast<std::uint64_t>(seconds * 1000) : 0;
}

std::string_view name(Neighbour kind) {
  switch (kind) {
    case Neighbour::off: return "off";
    case Neighbour::yield: return "yield";
    case Neighbour::share: return "share";
    case Neighbour::first: return "first";
  }
  return "off";
}

bool loopback(const rpc::Address& a) {
  return !a.unix_socket.empty() || a.host == "localhost" || a.host == "::1" || a.host.rfind("127.", 0) == 0;
}

/// What the end of a file holds, from the first whole line on.
std::string tail(const fs::path& file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in) return {};
  const std::streamoff size = in.tellg();
  const std::streamoff from = std::max<std::streamoff>(0, size - kLogTail);
  std::string text(static_cast<std::size_t>(size - from), '\0');
  in.seekg(from);
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, in.gcount())));
  if (from > 0) text.erase(0, text.find('\n') + 1);
  return text;
}

/// The hash that the application noted of that result's file, the newest first; nothing when it did not.
Hash32 noted_hash(const fs::path& project_dir, const std::string& result) {
  Hash32 out{};
  const std::string text = tail(project_dir / std::string(unit::kAppResultsFile));
  const std::string start = result + " ";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    if (line.substr(0, start.size()) != start) continue;
    if (const auto hash = array_from_hex<32>(line.substr(start.size()))) out = *hash;
  }
  return out;
}

}  // namespace

Companion::Companion(CompanionSettings settings, CompanionParts parts)
    : settings_(std::move(settings)), parts_(std::move(parts)), policy_(settings_.policy, gpus_among(parts_.devices)) {}

Companion::~Companion() { stop(); }

void Companion::start() {
  if (settings_.policy.kind == Neighbour::off) return;
  if (auto counts = parts_.store.boinc_counts()) counts_ = *counts;
  publish();
  thread_ = std::thread([this] { loop(); });
}

void Companion::stop() {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  stop_.request_stop();
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  parts_.give_way({});
}

void Companion::loop() {
  for (;;) {
    tick();
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, std::chrono::milliseconds(settings_.poll_ms), [this] { return stopping_; })) return;
  }
}

void Companion::tick() {
  const std::uint64_t now = parts_.clock.steady_ms() + 1;  // 0 means "never" here
  if (client_ || look_for_client(now)) {
    if (auto done = poll(now); !done) lost(done.error(), now);
  }
  given_ = policy_.decide(view_, now);
  parts_.give_way(given_);
  state_keys();
  if (recount_.exchange(false)) {
    if (auto counts = parts_.store.boinc_counts()) counts_ = *counts;
  }
  publish();
}

bool Companion::look_for_client(std::uint64_t now_ms) {
  if (now_ms < look_at_ms_) return false;
  rpc::ClientSettings s;
  s.reply_ms = settings_.reply_ms;
  s.stop = stop_.token();
  if (settings_.address) {
    s.address = *settings_.address;
  } else if (const auto socket = rpc::find_socket(settings_.places)) {
    s.address.unix_socket = socket->string();
  }
  client_ = std::make_unique<rpc::Client>(std::move(s));
  if (auto up = greet(); !up) {
    lost(up.error(), now_ms);
    return false;
  }
  log::get("boinc")->info("BOINC client {} at {}; policy {}", client_->version().text(),
                          client_->settings().address.text(), name(settings_.policy.kind));
  failures_ = 0;
  slow_at_ms_ = logs_at_ms_ = 0;
  state_ = "connected";
  detail_.clear();
  return true;
}

Done Companion::greet() {
  SPARKMILL_TRY(client_->connect());
  if (loopback(client_->settings().address)) return done();  // the client answers what we ask without a password
  SPARKMILL_ASSIGN(const rpc::Password password, rpc::find_password(settings_.places));
  return client_->authorise(password.text);
}

void Companion::lost(const Error& error, std::uint64_t now_ms) {
  if (error.code == Status::cancelled) return;
  const bool nobody = error.code == Status::unreachable && !view_.connected && state_ != "connected";
  const std::string before = state_;
  state_ = error.code == Status::refused     ? "refused"
           : error.code == Status::bad_input ? "not_boinc"
           : nobody                          ? "absent"
                                             : "unreachable";
  detail_ = nobody ? "" : error.message + (error.hint.empty() ? "" : "; " + error.hint);
  if (state_ != before && state_ != "absent") log::get("boinc")->warn("{}", detail_);
  client_.reset();
  view_ = {};
  projects_.clear();
  // One that was there a moment ago is being restarted: 1, 2, 4 ... seconds.
  const std::uint64_t wait = std::min<std::uint64_t>(settings_.look_ms, 1000ull << std::min(failures_, 6u));
  ++failures_;
  look_at_ms_ = now_ms + wait;
}

Done Companion::poll(std::uint64_t now_ms) {
  SPARKMILL_ASSIGN(view_.status, client_->cc_status());
  SPARKMILL_ASSIGN(view_.tasks, client_->results());
  view_.connected = true;
  if (now_ms >= slow_at_ms_) {
    slow_at_ms_ = now_ms + kSlowMs;
    SPARKMILL_ASSIGN(projects_, client_->projects());
    SPARKMILL_TRY(note_finished());
  } else {
    // A result leaves this list as soon as the server has its word.
    const bool fresh = std::any_of(view_.tasks.begin(), view_.tasks.end(), [this](const rpc::Task& t) {
      return t.over() && noted_.count(t.project_url + " " + t.name) == 0;
    });
    if (fresh) SPARKMILL_TRY(note_finished());
  }
  if (now_ms >= logs_at_ms_) {
    logs_at_ms_ = now_ms + kLogsMs;
    read_job_logs();
  }
  return done();
}

Done Companion::note_finished() {
  for (const rpc::Task& t : view_.tasks) {
    if (!t.over()) continue;
    BoincRow row;
    row.project_url = t.project_url;
    row.name = t.name;
    row.exit_status = t.state == 5 || t.state == 4 ? t.exit_status : t.exit_status == 0 ? -1 : t.exit_status;
    row.elapsed_ms = to_ms(t.final_elapsed_s);
    row.cpu_ms = to_ms(t.final_cpu_s);
    row.completed_ms = to_ms(t.completed_time);
    note(std::move(row));
  }
  SPARKMILL_ASSIGN(const auto acknowledged, client_->old_results());
  for (const rpc::OldResult& r : acknowledged) {
    BoincRow row;
    row.project_url = r.project_url;
    row.name = r.name;
    row.app = r.app;
    row.exit_status = r.exit_status;
    row.elapsed_ms = to_ms(r.elapsed_s);
    row.cpu_ms = to_ms(r.cpu_s);
    row.completed_ms = to_ms(r.completed_time);
    row.acknowledged = true;
    note(std::move(row));
  }
  return done();
}

void Companion::note(BoincRow row) {
  if (row.name.empty() || row.project_url.empty()) return;
  const std::string key = row.project_url + " " + row.name + (row.acknowledged ? " acknowledged" : "");
  if (noted_.count(key) != 0) return;
  for (const rpc::Project& p : projects_) {
    if (p.url != row.project_url) continue;
    row.user_id = static_cast<std::uint64_t>(std::max<std::int64_t>(0, p.user_id));
    row.host_id = static_cast<std::uint64_t>(std::max<std::int64_t>(0, p.host_id));
    if (const auto cpid = array_from_hex<16>(p.cpid)) row.cpid = *cpid;
    if (!p.dir.empty()) row.output_hash = noted_hash(p.dir, row.name);
  }
  const auto fresh = parts_.store.put_boinc_result(row);
  if (!fresh) return log::get("boinc")->debug("result {} is not recorded yet: {}", row.name, fresh.error().message);
  if (noted_.size() >= kRemembered) noted_.clear();  // the store knows them all the same
  noted_.insert(key);
  if (*fresh) log::get("boinc")->info("finished: {} of {}, exit status {}", row.name, row.project_url, row.exit_status);
  if (auto counts = parts_.store.boinc_counts()) counts_ = *counts;
  if (row.acknowledged && parts_.finished) parts_.finished();
}

/// What was finished while nobody looked, or was forgotten when the client was restarted.
void Companion::read_job_logs() {
  const std::uint64_t now = parts_.clock.unix_ms();
  for (const rpc::Project& p : projects_) {
    if (p.dir.empty()) continue;
    const fs::path data = fs::path(p.dir).parent_path().parent_path();
    const std::string text = tail(data / ("job_log_" + rpc::escaped_url(p.url) + ".txt"));
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      rpc::OldResult r;
      const bool good = rpc::parse_job_log_line(std::string_view(text).substr(at, end - at), r);
      at = end + 1;
      if (!good || to_ms(r.completed_time) + kDayMs < now || noted_.count(p.url + " " + r.name) != 0) continue;
      BoincRow row;
      row.project_url = p.url;
      row.name = r.name;
      row.exit_status = r.exit_status;
      row.elapsed_ms = to_ms(r.elapsed_s);
      row.cpu_ms = to_ms(r.cpu_s);
      row.completed_ms = to_ms(r.completed_time);
      note(std::move(row));
    }
  }
}

/// Beside each key that our application made for itself: that its work is this worker's.
void Companion::state_keys() {
  if (!parts_.sign_statement) return;
  for (const rpc::Project& p : projects_) {
    if (p.dir.empty() || bound_.count(p.dir) != 0) continue;
    const auto shown = read_text_file(fs::path(p.dir) / std::string(unit::kAppPublicFile), 256);
    if (!shown) continue;  // not there yet, and not ours to read where it stays so
    const auto app = array_from_hex<32>(shown->substr(0, 64));
    bound_.insert(p.dir);
    if (!app) {
      log::get("boinc")->warn("{}: {} holds no key", p.url, unit::kAppPublicFile);
      continue;
    }
    const fs::path file = fs::path(p.dir) / std::string(unit::kAppStatementFile);
    if (const auto there = read_file(file, unit::kStatementBytes)) {
      const auto statement = unit::decode_statement(*there, *app);
      if (statement && statement->worker_pub == parts_.worker_pub) continue;
      if (statement) {
        log::get("boinc")->warn(
            "{}: its application's key is bound to another worker; to bind it to this one delete {}", p.url,
            file.string());
        continue;
      }
    }
    const Done written = write_file_atomic(file, parts_.sign_statement(*app), 0644);
    if (written) {
      log::get("boinc")->info("{}: results of its application count for this worker from now on", p.url);
    } else {
      log::get("boinc")->warn("{}: results of its application count for its own key: {}", p.url,
                              written.error().message);
    }
  }
}

void Companion::publish() {
  BoincState b;
  b.on = true;
  b.policy = name(settings_.policy.kind);
  b.state = state_;
  b.detail = detail_;
  b.remark = policy_.remark();
  b.results = counts_.results;
  b.failed = counts_.failed;
  b.claims_waiting = counts_.unclaimed;
  b.claims_credited = counts_.credited;
  b.receipts_waiting = counts_.receipts_waiting;
  b.receipts_credited = counts_.receipts_credited;
  b.receipts_refused = counts_.receipts_refused;
  b.credit_microcobble = counts_.credit_microcobble;
  for (const auto& [device, way] : given_) {
    if (way.share < 1) b.gives.push_back({device, way.share, way.code, way.text});
  }
  if (client_ && view_.connected) {
    b.address = client_->settings().address.text();
    b.version = client_->version().text();
    b.suspended = rpc::suspend_names(view_.status.task_suspend_reason);
    b.gpu_suspended = rpc::suspend_names(view_.status.gpu_suspend_reason);
    b.mode = rpc::name(view_.status.task_mode);
    for (const rpc::Project& p : projects_) {
      b.projects.push_back({p.url, p.name, p.host_id, p.user_credit, p.host_credit, p.suspended, p.no_more_work});
    }
    b.task_count = view_.tasks.size();
    for (const rpc::Task& t : view_.tasks) {
      if (t.running()) ++b.running;
      if (b.tasks.size() >= kShownTasks) continue;
      b.tasks.push_back({t.name, t.project_url, std::string(rpc::phase(t)), t.resources, t.over() ? 1 : t.fraction_done,
                         t.elapsed_s, t.over() ? 0 : t.left_s});
    }
  }
  parts_.state.update([&](Snapshot& s) { s.boinc = std::move(b); });
}

}  // namespace sparkmill::worker::boinc
