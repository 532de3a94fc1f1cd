// SPDX-License-Identifier: Apache-2.0
// `sparkmill status [--json|--watch]`: the running worker's state. On a terminal --watch redraws and takes keys.
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "worker/cli/args.h"
#include "worker/cli/command.h"
#include "worker/cli/local_api.h"

namespace sparkmill::cli {

namespace {

constexpr OwnOption kOwn[] = {
    {"json", "", "the state tree as JSON"},
    {"watch", "", "go on showing it; keys on a terminal: p pause, r resume, f finish, d next device, q quit"},
    {"api", "URL", "address of the worker's API"},
};
constexpr Usage kUsage{"status", "", "Shows what the running worker does.", kOwn, 0, true};

volatile std::sig_atomic_t interrupted = 0;
extern "C" void note_interrupt(int) { interrupted = 1; }

bool color_on_stdout() {
  const char* no = std::getenv("NO_COLOR");
  return ::isatty(STDOUT_FILENO) == 1 && (no == nullptr || *no == '\0');
}

/// Single keys without echo while it lives.
class KeyMode {
 public:
  KeyMode() {
    if (::tcgetattr(STDIN_FILENO, &old_) != 0) return;
    termios raw = old_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    active_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  ~KeyMode() {
    if (active_) ::tcsetattr(STDIN_FILENO, TCSANOW, &old_);
  }
  KeyMode(const KeyMode&) = delete;
  KeyMode& operator=(const KeyMode&) = delete;
  /// A key within `ms`, or 0.
  char wait(int ms) const {
    pollfd p{STDIN_FILENO, POLLIN, 0};
    char c = 0;
    if (::poll(&p, 1, ms) > 0 && ::read(STDIN_FILENO, &c, 1) == 1) return c;
    return 0;
  }

 private:
  termios old_{};
  bool active_ = false;
};

class Screen {
 public:
  explicit Screen(LocalApi& api) : api_(api) {}

  int run() {
    std::signal(SIGINT, note_interrupt);
    std::signal(SIGTERM, note_interrupt);
    const KeyMode keys;
    while (interrupted == 0) {
      draw();
      const char key = keys.wait(1'000);
      if (key == 'q') break;
      if (key != 0) act(key);
    }
    std::printf("\n");
    return 0;
  }

 private:
  void draw() {
    const auto text = api_.get(color_on_stdout() ? "/v1/state?format=text&color=1" : "/v1/state?format=text");
    const std::string target = device_.empty() ? "all devices" : device_;
    std::printf("\x1b[H\x1b[J%s\n[p]ause [r]esume: %s   [d] next device   [f]inish   [q]uit   %s\n",
                text ? text->c_str() : (text.error().message + "\n" + text.error().hint + "\n").c_str(), target.c_str(),
                said_.c_str());
    std::fflush(stdout);
  }
  void act(char key) {
    nlohmann::json body = nlohmann::json::object();
    if (!device_.empty() && key != 'f') body["device"] = device_;
    if (key == 'd') return next_device();
    const char* verb = key == 'p' ? "pause" : key == 'r' ? "resume" : key == 'f' ? "finish" : nullptr;
    if (verb == nullptr) return;
    const auto answer = api_.post("/v1/" + std::string(verb), body.dump());
    said_ = answer ? std::string(verb) + ": done" : answer.error().message;
  }
  void next_device() {
    const auto text = api_.get("/v1/state");
    const auto tree = text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
    if (!tree.is_object() || !tree.contains("devices")) return;
    std::vector<std::string> ids{""};
    for (const auto& d : tree["devices"]) ids.push_back(d.value("id", ""));
    const auto at = std::find(ids.begin(), ids.end(), device_);
    device_ = at == ids.end() || at + 1 == ids.end() ? "" : *(at + 1);
  }

  LocalApi& api_;
  std::string device_;
  std::string said_;
};

/// One line of what changes, for pipes and logs.
std::string summary(const nlohmann::json& t) {
  std::string out = t.value("mode", "?");
  for (const auto& d : t.value("devices", nlohmann::json::array())) {
    char rate[64] = "no rate yet";
    if (d.contains("rate") && d["rate"].is_number()) {
      std::snprintf(rate, sizeof rate, "%.3g %s", d["rate"].get<double>(), d.value("rate_unit", "").c_str());
    }
    out += "; " + d.value("id", "?") + " " + d.value("state", "?") + " " + rate;
  }
  if (t.contains("job") && t["job"].is_object()) {
    char progress[32];
    std::snprintf(progress, sizeof progress, "%.1f %%", t["job"].value("progress", 0.0) * 100);
    out += "; job " + t["job"].value("id", "?").substr(0, 12) + " " + progress;
  }
  const auto r = t.value("results", nlohmann::json::object());
  return out + "; accepted " + std::to_string(r.value("accepted", 0)) + " rejected " +
         std::to_string(r.value("rejected", 0)) + " wrong " + std::to_string(r.value("wrong", 0));
}

int watch_lines(LocalApi& api) {
  std::string last;
  for (;;) {
    const auto text = api.get("/v1/state");
    if (!text) return report("status", text.error());
    const auto tree = nlohmann::json::parse(*text, nullptr, false);
    if (!tree.is_object()) return report("status", fail(Status::bad_input, "the answer is not a state tree"));
    const std::string line = summary(tree);
    if (line != last && (std::printf("%s\n", line.c_str()) < 0 || std::fflush(stdout) != 0)) return 0;  // reader gone
    last = line;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

}  // namespace

int run_status(std::span<const std::string> args) {
  const auto parsed = parse_args(kUsage, args);
  if (!parsed) return report("status", parsed.error());
  if (parsed->help) return 0;
  const auto config = config::load(parsed->inputs);
  if (!config) return report("status", config.error());
  auto url = api_url(*config, parsed->get("api"));
  if (!url) return report("status", url.error());
  LocalApi api(std::move(*url), config->path("api.token_file"));
  if (parsed->has("watch")) {
    if (::isatty(STDOUT_FILENO) == 1 && ::isatty(STDIN_FILENO) == 1) return Screen(api).run();
    return watch_lines(api);
  }
  const auto text = api.get(parsed->has("json") ? "/v1/state"
                            : color_on_stdout() ? "/v1/state?format=text&color=1"
                                                : "/v1/state?format=text");
  if (!text) return report("status", text.error());
  std::printf("%s%s", text->c_str(), parsed->has("json") ? "\n" : "");
  return 0;
}

}  // namespace sparkmill::cli
