// SPDX-License-Identifier: Apache-2.0
#include "base/child.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

#include "base/clock.h"

namespace sparkmill {

namespace {

constexpr auto kNap = std::chrono::milliseconds(5);

/// Frees what posix_spawn was given.
struct Plan {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  Plan() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  ~Plan() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
};

}  // namespace

Result<Child> Child::start(const std::vector<std::string>& command, const ChildSettings& settings) {
  if (command.empty() || command[0].empty()) return fail(Status::bad_argument, "no program was named");
  Plan plan;
  posix_spawn_file_actions_addopen(&plan.files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (!settings.output.empty()) {
    posix_spawn_file_actions_addopen(&plan.files, STDOUT_FILENO, settings.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                     0600);
    posix_spawn_file_actions_adddup2(&plan.files, STDOUT_FILENO, STDERR_FILENO);
  }
  if (!settings.folder.empty()) posix_spawn_file_actions_addchdir_np(&plan.files, settings.folder.c_str());
  // Our threads block signals and ignore SIGPIPE; a program that we start must not inherit that.
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&plan.attributes, &none);
  posix_spawnattr_setsigdefault(&plan.attributes, &all);
  posix_spawnattr_setpgroup(&plan.attributes, 0);
  posix_spawnattr_setflags(&plan.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::vector<std::string> copy = command;
  std::vector<char*> argv;
  for (std::string& word : copy) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<std::string> added = settings.environment;
  std::vector<char*> variables;
  for (std::string& variable : added) variables.push_back(variable.data());
  for (char** e = environ; *e != nullptr; ++e) {
    const std::string_view old = *e;
    const std::string_view name = old.substr(0, old.find('=') + 1);
    const bool replaced = std::any_of(added.begin(), added.end(),
                                      [&](const std::string& a) { return a.compare(0, name.size(), name) == 0; });
    if (!replaced) variables.push_back(*e);
  }
  variables.push_back(nullptr);
  pid_t pid = -1;
  const int err = posix_spawnp(&pid, argv[0], &plan.files, &plan.attributes, argv.data(), variables.data());
  if (err != 0) {
    return fail(err == ENOENT ? Status::not_found : Status::io_error,
                "cannot start " + command[0] + ": " + std::strerror(err),
                "check that it is there and that this user may run it");
  }
  return Child(pid);
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), gone_(other.gone_), status_(other.status_) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    end();
    pid_ = std::exchange(other.pid_, -1);
    gone_ = other.gone_;
    status_ = other.status_;
  }
  return *this;
}

Child::~Child() { end(); }

bool Child::running() {
  if (pid_ < 0 || gone_) return false;
  const pid_t got = ::waitpid(pid_, &status_, WNOHANG);
  gone_ = got == pid_ || (got < 0 && errno == ECHILD);
  return !gone_;
}

ChildEnd Child::wait(std::uint64_t timeout_ms, const StopToken& stop) {
  const std::uint64_t until = system_clock().steady_ms() + timeout_ms;
  ChildEnd out;
  while (running()) {
    if (stop.stop_requested() || system_clock().steady_ms() >= until) {
      out.timed_out = !stop.stop_requested();
      end(0);
      break;
    }
    std::this_thread::sleep_for(kNap);
  }
  out.exited = WIFEXITED(status_);
  out.code = out.exited ? WEXITSTATUS(status_) : WTERMSIG(status_);
  return out;
}

void Child::end(std::uint64_t patience_ms) {
  if (!running()) return;
  ::kill(-pid_, SIGTERM);
  const std::uint64_t until = system_clock().steady_ms() + patience_ms;
  while (running() && system_clock().steady_ms() < until) std::this_thread::sleep_for(kNap);
  if (gone_) return;
  ::kill(-pid_, SIGKILL);
  while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
  }
  gone_ = true;
}

}  // namespace sparkmill
