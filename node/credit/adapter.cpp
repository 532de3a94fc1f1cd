// SPDX-License-Identifier: Apache-2.0
#include "node/credit/adapter.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <set>

#include "base/file.h"
#include "base/log.h"

namespace sparkmill::node::credit {

namespace {

constexpr auto kLook = std::chrono::seconds(1);
constexpr std::uint64_t kRetryMs = 900'000;

/// Changes when the file does: a rename, a new size or time.
std::string stamp_of(const std::filesystem::path& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return "absent";
  return std::to_string(s.st_dev) + " " + std::to_string(s.st_ino) + " " + std::to_string(s.st_size) + " " +
         std::to_string(s.st_mtim.tv_sec) + " " + std::to_string(s.st_mtim.tv_nsec);
}

std::map<std::string, CreditRule> rules_of(const Projects& projects) {
  std::map<std::string, CreditRule> out;
  for (const Project& p : projects.all()) out.emplace(p.url, p.rule);
  return out;
}

/// Puts the source's name before what the reader says.
Error named(const std::string& source, Error e) {
  e.message = source + ": " + e.message;
  return e;
}

}  // namespace

Adapter::Adapter(AdapterOptions options, Ledger& ledger, const NodeTime& time)
    : options_(std::move(options)), ledger_(ledger), time_(time), projects_(std::make_shared<const Projects>()) {}

Result<std::unique_ptr<Adapter>> Adapter::make(AdapterOptions options, Ledger& ledger, const NodeTime& time) {
  std::unique_ptr<Adapter> out(new Adapter(std::move(options), ledger, time));
  if (!out->options_.file.empty()) SPARKMILL_TRY(out->reload());
  return out;
}

Adapter::~Adapter() { stop(); }

void Adapter::start() {
  if (!options_.file.empty()) thread_ = std::thread([this] { loop(); });
}

void Adapter::stop() {
  {
    std::lock_guard lock(mutex_);
    stop_.request_stop();
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

Done Adapter::reload() {
  if (options_.file.empty()) return done();
  std::lock_guard one(reload_mutex_);
  // Taken before the read: a change while reading is seen by the next look.
  const std::string stamp = stamp_of(options_.file);
  stamp_ = stamp;
  SPARKMILL_ASSIGN(Projects fresh, Projects::load(options_.file));
  SPARKMILL_TRY(ledger_.set_credit_rules(rules_of(fresh)));
  log::get("node")->info("{}: {} BOINC project(s)", options_.file.string(), fresh.all().size());
  std::lock_guard lock(mutex_);
  projects_ = std::make_shared<const Projects>(std::move(fresh));
  return done();
}

std::shared_ptr<const Projects> Adapter::projects() const {
  std::lock_guard lock(mutex_);
  return projects_;
}

std::map<std::string, CreditRule> Adapter::rules() const { return rules_of(*projects()); }

Done Adapter::read(const Project& project, StatsReader& reader) {
  if (project.remote()) {
    SPARKMILL_ASSIGN(http::Url url, http::Url::parse(project.stats));
    http::Request request;
    request.target = url.base.empty() ? "/" : url.base;
    url.base.clear();
    http::Client client(url, options_.client);
    SPARKMILL_ASSIGN(const http::Response answer, client.download(
                                                      request, [&](ByteView bytes) { return reader.feed(bytes); },
                                                      options_.limits.packed_bytes, stop_.token()));
    if (answer.status == 200) return done();
    const auto moved = answer.headers.find("location");
    return fail(Status::unreachable, "answered HTTP " + std::to_string(answer.status),
                moved == answer.headers.end()
                    ? "does the project still export its statistics there?"
                    : "it names " + moved->second.substr(0, 256) + ": write that URL into the list");
  }
  struct stat s {};
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(project.stats.c_str(), "rbe"), std::fclose);
  if (!file || ::fstat(::fileno(file.get()), &s) != 0) return errno_error(errno, "open");
  if (!S_ISREG(s.st_mode)) return fail(Status::bad_input, "not a regular file");
  std::array<std::uint8_t, 64u << 10> buffer{};
  for (;;) {
    const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), file.get());
    if (n == 0) break;
    SPARKMILL_TRY(reader.feed(ByteView(buffer.data(), n)));
    if (stop_.stop_requested()) return fail(Status::cancelled, "stopped");
  }
  if (std::ferror(file.get()) != 0) return fail(Status::io_error, "cannot be read");
  return done();
}

Result<ExportReport> Adapter::take_export(const Project& project) {
  SPARKMILL_ASSIGN(const std::vector<std::uint64_t> bound, ledger_.bound_accounts(project.url));
  const std::set<std::uint64_t> wanted(bound.begin(), bound.end());
  std::map<std::uint64_t, ExportEntry> users;
  std::set<std::uint64_t> twice;
  StatsReader reader(
      [&](const ExportedUser& u) {
        if (!wanted.count(u.id)) return;
        if (!users.emplace(u.id, ExportEntry{u.cpid, u.total_micro}).second) twice.insert(u.id);
      },
      options_.limits);
  if (const Done read_all = read(project, reader); !read_all) return named(project.stats, read_all.error());
  auto summary = reader.finish();
  if (!summary) return named(project.stats, summary.error());
  // Nobody can say which of two records is the account's.
  for (const std::uint64_t id : twice) {
    log::get("node")->warn("{}: user {} is listed twice and gets nothing", project.stats, id);
    users.erase(id);
  }
  if (summary->skipped > 0) {
    log::get("node")->warn("{}: {} record(s) skipped; {}", project.stats, summary->skipped, summary->first_skipped);
  }
  SPARKMILL_ASSIGN(const ExportReport report,
                   ledger_.credit_export(project.url, project.rule, summary->hash, users, time_.now_ms()));
  log::get("node")->info(
      "{}: {} users, {} bound; {} credited with {} micro-cobblestones, {} seen for the first time, {} not listed, {} "
      "with another CPID, {} fallen{}",
      project.url, summary->users, wanted.size(), report.credited, report.microcobble, report.first_seen,
      report.unlisted, report.other_cpid, report.fallen, report.capped ? "; cut to the cap of the day" : "");
  if (report.fallen > 0) {
    log::get("node")->warn(
        "{}: the total of {} account(s) fell; they get nothing until it is above what was credited. After a real reset "
        "raise the project's generation",
        project.url, report.fallen);
  }
  return report;
}

void Adapter::look() {
  bool changed = false;
  {
    std::lock_guard one(reload_mutex_);
    changed = !options_.file.empty() && stamp_of(options_.file) != stamp_;
  }
  if (changed) {
    if (const Done read = reload(); !read) {
      log::get("node")->error("{}; the list read before stays in force", read.error().message);
    }
  }
  const auto list = projects();
  for (const Project& p : list->all()) {
    if (stop_.stop_requested()) return;
    if (!p.foreign()) continue;
    const std::uint64_t now = time_.now_ms();
    const auto last = ledger_.last_export_ms(p.url);
    const auto bound = ledger_.bound_accounts(p.url);
    // Without bindings there is nobody to look for, so nothing is fetched.
    if (!last || !bound || bound->empty()) continue;
    if ((*last != 0 && now < *last + p.every_s * 1000) || now < retry_ms_[p.url]) continue;
    const auto taken = take_export(p);
    retry_ms_[p.url] = taken ? 0 : now + std::min<std::uint64_t>(kRetryMs, p.every_s * 1000);
    if (!taken && taken.status() != Status::cancelled) {
      log::get("node")->error("{}",
                              taken.error().message + (taken.error().hint.empty() ? "" : "; " + taken.error().hint));
    }
  }
}

void Adapter::loop() {
  std::unique_lock lock(mutex_);
  while (!stop_.stop_requested()) {
    lock.unlock();
    look();
    lock.lock();
    wake_.wait_for(lock, kLook, [&] { return stop_.stop_requested(); });
  }
}

}  // namespace sparkmill::node::credit
