// SPDX-License-Identifier: Apache-2.0
// `sparkmill run`: the worker, with the embedded demo node when none is named.
#include <fmt/format.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <thread>

#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "node/node.h"
#include "worker/api/api.h"
#include "worker/app.h"
#include "worker/cli/args.h"
#include "worker/cli/boinc_demo.h"
#include "worker/cli/command.h"
#include "worker/cli/progress.h"

namespace sparkmill::cli {

namespace {

constexpr int kStoreExit = 10;
constexpr int kCheckpointExit = 12;

/// Sentences on stderr; on a terminal the last line is the progress and moves on below them.
class Console {
 public:
  Console() : terminal_(::isatty(STDERR_FILENO) == 1) {}
  void say(const std::string& text) {
    std::lock_guard lock(mutex_);
    clear();
    std::fprintf(stderr, "%s\n", text.c_str());
    if (!line_.empty()) std::fprintf(stderr, "%s", line_.c_str());
    std::fflush(stderr);
  }
  void progress(const std::string& text) {
    std::lock_guard lock(mutex_);
    if (!terminal_) {
      if (!text.empty()) std::fprintf(stderr, "%s\n", text.c_str());
      std::fflush(stderr);
      return;
    }
    clear();
    line_ = text.substr(0, width());
    std::fprintf(stderr, "%s", line_.c_str());
    std::fflush(stderr);
  }
  bool terminal() const { return terminal_; }

 private:
  /// One less than the columns of the terminal: a full line would wrap and could not be taken back.
  static std::size_t width() {
    winsize size{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : 79u;
  }
  void clear() {
    if (terminal_ && !line_.empty()) std::fprintf(stderr, "\r%*s\r", static_cast<int>(line_.size()), "");
  }
  const bool terminal_;
  std::mutex mutex_;
  std::string line_;
};

std::string eta_text(const worker::JobState& job) {
  if (job.eta_lo_s < 0) return "time left not known yet";
  return fmt::format("{} to {} left", short_time(job.eta_lo_s), short_time(job.eta_hi_s));
}

std::string progress_text(const worker::Snapshot& s) {
  std::string out;
  unsigned waiting = 0;
  for (const worker::JobState& job : s.jobs) {
    if (job.phase == "running" || job.phase == "fetching" || job.phase == "proving") {
      if (!out.empty()) continue;  // the oldest says enough; the API has all
      out = fmt::format("job {}: {} {:.0f} %, {}", job.id.substr(0, 8), job.phase, 100 * job.progress, eta_text(job));
    } else if (job.phase != "done") {
      ++waiting;
    }
  }
  double rate = 0, hashes = 0, signatures = 0;
  for (const worker::DeviceState& d : s.devices) {
    rate += d.rate.s10;
    hashes += d.hash_rate.s10;
    signatures += d.signature_rate.s10;
  }
  const std::string mining = !s.mining.on
                                 ? ""
                                 : fmt::format("mining {}: {} hashes/s, {} shares accepted, {} blocks", s.mining.state,
                                               short_number(hashes), s.mining.accepted, s.mining.blocks);
  if (out.empty() && waiting == 0) return s.mode == "running" ? mining : s.mode;
  if (out.empty()) out = "nothing to compute";
  return fmt::format(
      "{}; {} job(s) wait for challenge or receipt; {} pairs/s, {} signatures/s over 10 s; height {}{}{}", out, waiting,
      short_number(rate), short_number(signatures), s.source.height, mining.empty() ? "" : "; ", mining);
}

/// SIGINT and SIGTERM on a thread of its own: the first asks for a stop, the second ends at once.
class Signals {
 public:
  explicit Signals(std::function<void()> on_stop) : on_stop_(std::move(on_stop)) {
    thread_ = std::thread([this] { loop(); });
  }
  ~Signals() {
    done_ = true;
    thread_.join();
  }
  /// Before any thread starts, so that all of them leave these signals to the thread above.
  static void block() {
    const sigset_t set = wanted();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  }
  bool seen() const { return seen_; }

 private:
  static sigset_t wanted() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
  }
  void loop() {
    const sigset_t set = wanted();
    const timespec patience{0, 100'000'000};
    while (!done_) {
      if (::sigtimedwait(&set, nullptr, &patience) < 0) continue;
      if (seen_.exchange(true)) ::_exit(kCheckpointExit);
      on_stop_();
    }
  }
  std::function<void()> on_stop_;
  std::atomic<bool> done_{false}, seen_{false};
  std::thread thread_;
};

Result<std::string> passphrase(const config::Config& config) {
  const auto file = config.path("passphrase_file");
  if (file.empty()) return std::string();
  SPARKMILL_ASSIGN(std::string text, read_text_file(file, 4096));
  return text.substr(0, text.find_first_of("\r\n"));
}

Result<keys::KeyFile> open_key(const config::Config& config, Console& console) {
  const std::filesystem::path file = config.path("key");
  SPARKMILL_ASSIGN(const std::string secret, passphrase(config));
  auto key = keys::KeyFile::load(file, secret);
  if (key || key.status() != Status::not_found) return key;
  std::error_code ec;
  std::filesystem::create_directories(file.parent_path(), ec);
  key = keys::KeyFile::create(file, secret);
  if (key) {
    console.say("made a new key: " + file.string() + " (readable by you only; credit belongs to it, keep a copy)");
  }
  return key;
}

/// The list of BOINC projects of the embedded node: the user's, else one of the demo project, else none.
Result<std::filesystem::path> trusted_projects(const config::Config& config, const worker::AppSettings& settings,
                                               const BoincDemo* boinc, Console& console) {
  const std::filesystem::path own = config.path("demo.boinc_projects");
  if (boinc == nullptr) return own;
  if (!own.empty()) {
    console.say("BOINC demo: demo.boinc_projects is set, so its credit counts only with this entry in " + own.string() +
                ": " + boinc->trust());
    return own;
  }
  const std::filesystem::path list = settings.data / "boinc-demo" / "projects.json";
  SPARKMILL_TRY(write_file_atomic(list, view("{\"projects\": [" + boinc->trust() + "]}\n")));
  return list;
}

Result<std::unique_ptr<node::Node>> embedded_node(const config::Config& config, worker::AppSettings& settings,
                                                  const BoincDemo* boinc, Console& console) {
  node::Settings demo;
  // Two chains: one with proof of work, one without, for workers that do not mine for it.
  demo.proof_of_work = settings.mining == "auto" || settings.mining == "node";
  demo.data = settings.data / (demo.proof_of_work ? "node-pow" : "node");
  std::error_code ec;
  if (demo.proof_of_work && !std::filesystem::exists(demo.data, ec) &&
      std::filesystem::exists(settings.data / "node", ec)) {
    console.say("blocks of the demo node need proof of work now: a new chain begins in " + demo.data.string() +
                "; the one without stays where it is, `--mining off` goes on with it");
  }
  demo.interval_ms = config.number("demo.interval_ms");
  demo.min_open_ms = 60'000;
  demo.job_requests = static_cast<std::uint32_t>(config.number("demo.requests"));
  demo.job_users = static_cast<std::uint32_t>(config.number("demo.users"));
  demo.job_predicate = config.text("demo.predicate");
  demo.job_signatures = static_cast<std::uint32_t>(config.number("demo.signatures"));
  demo.job_blocks = static_cast<std::uint32_t>(config.number("demo.blocks"));
  demo.shares = config.text("demo.shares");
  demo.queue_ahead = settings.jobs_in_flight + 1;
  SPARKMILL_ASSIGN(demo.boinc_projects, trusted_projects(config, settings, boinc, console));
  console.say(
      std::string(settings.node_url.empty() ? "no node named: " : "") + "starting the built-in demo node in " +
      demo.data.string() +
      "; it makes small jobs of real faces hidden in a synthetic population, of fresh signatures and of fresh blocks, "
      "and its credit "
      "is for show");
  auto node = node::Node::start(demo);
  if (!node) return node;
  settings.node_url = (*node)->url();
  settings.pin_name = "embedded:" + demo.data.string();
  console.say("to work for a real node: sparkmill run --node URL");
  return node;
}

void mining_summary(const worker::MiningState& m, Console& console) {
  if (!m.on) return;
  console.say(fmt::format(
      "summary: mining for {}: {} nonces tried; in all runs {} share(s) accepted, {} stale, {} rejected, {} "
      "unknown; {} block(s) found",
      m.source, m.hashes, m.accepted, m.stale, m.rejected, m.unknown, m.blocks));
}

int summary(const worker::RunTotals& t, const worker::Snapshot& s, Console& console) {
  const double seconds = static_cast<double>(t.wall_us) / 1e6;
  console.progress("");
  mining_summary(s.mining, console);
  if (s.source.state == "none") return 0;  // no node
  console.say(
      fmt::format("summary: {} job(s) accepted, {} refused, {} given up; {} matching pair(s) found, {} signature(s) "
                  "checked",
                  t.accepted, t.rejected, t.stale + t.wrong, t.answers, t.checked));
  console.say(
      fmt::format("summary: {} pairs compared, {} pairs/s from first lease to last receipt ({:.2f} s exactly), devices "
                  "busy {:.1f} %, "
                  "CPU time of the lanes {:.1f} %",
                  short_number(static_cast<double>(t.units)),
                  short_number(seconds > 0 ? static_cast<double>(t.units) / seconds : 0), seconds, 100 * t.busy(),
                  100 * t.lane_cpu()));
  console.say(fmt::format("summary: credit {:.3f} cobblestones, balance {:.8f} BTK, block heights {} to {}",
                          static_cast<double>(t.credit_microcobble) / 1e6, static_cast<double>(t.balance_units) / 1e8,
                          t.first_height, t.last_height));
  return 0;
}

int end_code(const Done& result, worker::App& app, const worker::Snapshot& s, bool stopped, Console& console) {
  if (result) return summary(app.totals(), s, console);
  const std::uint64_t left = app.unfinished();
  if (result.status() == Status::cancelled || stopped) {
    summary(app.totals(), s, console);
    console.say(left == 0 ? "stopped; nothing is unfinished"
                          : fmt::format("stopped; {} unfinished job(s) are kept, start again to go on", left));
    return left == 0 ? 0 : kCheckpointExit;
  }
  console.progress("");
  if (left != 0) console.say(fmt::format("{} unfinished job(s) are kept", left));
  return report("run", result.error());
}

const OwnOption kOwn[] = {
    {"node-key", "HEX", "public key that the node must have; otherwise the key of the first contact is remembered"},
    {"boinc", "demo",
     "also run a small BOINC project and, if it is installed, the stock client; both end with the worker"},
    {"boinc-port", "PORT", "with --boinc demo: port of the project, the client takes the next one (8791)"},
};
const Usage kUsage{
    "run",
    "",
    "Takes jobs from a node, runs them on every device, proves and delivers them, and mines for it where its blocks "
    "need that. Without --node it starts a built-in demo node, unless it mines for a pool or a Bytom node. Ctrl-C "
    "stops within one slice and keeps everything; twice ends at once.",
    kOwn,
    0,
    true};

/// The progress line, until `done`.
void show_progress(const worker::State& state, Console& console, const std::atomic<bool>& done) {
  auto last = std::chrono::steady_clock::now();
  while (!done) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const auto pace = console.terminal() ? std::chrono::milliseconds(500) : std::chrono::milliseconds(5'000);
    if (std::chrono::steady_clock::now() - last < pace) continue;
    last = std::chrono::steady_clock::now();
    console.progress(progress_text(state.snapshot()));
  }
}

int serve(const Args& args, const config::Config& config, worker::AppSettings settings, keys::KeyFile key,
          Console& console) {
  worker::State state;
  state.update([&](worker::Snapshot& s) { s.version = SPARKMILL_VERSION; });
  settings.say = [&console](const std::string& text) { console.say(text); };
  auto app = worker::App::start(std::move(settings), std::move(key), state);
  if (!app) {
    const int code = report("run", app.error());
    return app.status() == Status::corrupt ? kStoreExit : code;
  }
  worker::ApiSettings api_settings;
  api_settings.listen = config.text("api.listen");
  api_settings.port = static_cast<std::uint16_t>(config.number("api.port"));
  api_settings.any_port_if_taken = config.at("api.port").layer == config::Layer::built_in;
  api_settings.token_file = config.path("api.token_file");
  api_settings.url_file = config.path("data") / "api.url";
  worker::App& running = **app;
  worker::Controls controls;
  controls.pause = [&](const std::string& device, std::uint64_t until) { return running.pause(device, until); };
  controls.resume = [&](const std::string& device) { return running.resume(device); };
  controls.finish = [&] { return running.finish(); };
  controls.stop = [&] { running.stop(); };
  worker::Api api;
  if (auto started = api.start(api_settings, state, controls); !started) return report("run", started.error());
  console.say("API and dashboard: " + api.url() + "/ (writes need the token in " + api_settings.token_file.string() +
              ")");

  config::Watcher watcher(
      args.inputs, config, [](const config::Config& now, const std::vector<config::Change>& changes) {
        const bool logging = std::any_of(changes.begin(), changes.end(), [](const config::Change& c) {
          return c.live && c.name.rfind("log.", 0) == 0;
        });
        if (logging) log::configure(config::log_settings(now));
      });
  std::atomic<bool> done{false};
  std::thread progress([&] { show_progress(state, console, done); });
  bool stopped = false;
  Done result = sparkmill::done();
  {
    Signals signals([&] {
      console.say("stopping: running slices end and are kept; once more ends at once");
      running.stop();
    });
    result = running.wait();
    stopped = signals.seen();
    running.stop();
  }
  done = true;
  progress.join();
  api.stop();
  return end_code(result, running, state.snapshot(), stopped, console);
}

/// With --boinc demo: the demo, to which the companion is pointed; otherwise nothing.
Result<std::unique_ptr<BoincDemo>> boinc_demo(const Args& args, worker::AppSettings& settings, Console& console) {
  if (!args.has("boinc")) return std::unique_ptr<BoincDemo>();
  if (args.get("boinc") != "demo") {
    return fail(Status::bad_argument, "--boinc " + args.get("boinc") + ": is not demo",
                "to work beside a client that runs anyway, see boinc.policy");
  }
  BoincDemoSettings demo;
  demo.folder = settings.data / "boinc-demo";
  demo.say = [&console](const std::string& text) { console.say(text); };
  const std::string port = args.get("boinc-port", std::to_string(demo.port));
  const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), demo.port);
  if (ec != std::errc() || end != port.data() + port.size() || demo.port == 0 || demo.port == 65'535) {
    return fail(Status::bad_argument, "--boinc-port " + port + ": not in 1 to 65534");
  }
  SPARKMILL_ASSIGN(auto running, BoincDemo::start(std::move(demo)));
  if (running->client_folder()) {
    SPARKMILL_ASSIGN(settings.boinc.address, boinc::rpc::parse_address(running->client_address()));
    settings.boinc.places.data_dir = *running->client_folder();
  }
  return running;
}

}  // namespace

int run_run(std::span<const std::string> arguments) {
  Signals::block();
  auto args = parse_args(kUsage, arguments);
  if (!args) return report("run", args.error());
  if (args->help) return 0;
  config::poke_on_sighup();
  auto config = config::load(args->inputs);
  if (!config) return report("run", config.error());
  log::configure(config::log_settings(*config));
  Console console;
  for (const std::string& note : config->notes()) console.say(note);
  auto settings = config::app_settings(*config);
  if (!settings) return report("run", settings.error());
  settings->node_key = args->get("node-key");

  auto key = open_key(*config, console);
  if (!key) return report("run", key.error());
  const auto demo = boinc_demo(*args, *settings, console);
  if (!demo) return report("run", demo.error());
  console.say("worker key " + to_hex(key->role("envelope").public_key()));
  std::unique_ptr<node::Node> node;
  const bool elsewhere = settings->mining == "pool" || settings->mining == "bytom";
  if (settings->node_url == "demo" || (settings->node_url.empty() && !elsewhere)) {
    auto started = embedded_node(*config, *settings, demo->get(), console);
    if (!started) {
      const int code = report("run", started.error());
      return started.status() == Status::corrupt ? kStoreExit : code;
    }
    node = std::move(*started);
  }
  const int code = serve(*args, *config, std::move(*settings), std::move(*key), console);
  if (node) node->stop();
  return code;
}

}  // namespace sparkmill::cli
