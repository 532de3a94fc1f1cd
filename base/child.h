// SPDX-License-Identifier: Apache-2.0
// Programs that we start: no shell, a process group of their own, the default signal set, an end that is always waited
// for.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/stop.h"

namespace sparkmill {

struct ChildSettings {
  std::filesystem::path folder;          ///< working folder; empty: ours
  std::filesystem::path output;          ///< file that takes stdout and stderr, written afresh; empty: ours
  std::vector<std::string> environment;  ///< "NAME=value", added to ours; these win
};

/// How a program ended.
struct ChildEnd {
  bool exited = false;  ///< false: killed by `code`, a signal
  int code = 0;         ///< exit code, or the signal
  bool timed_out = false;
};

/// One running program. The destructor ends it: SIGTERM to its group, SIGKILL after two seconds.
class Child {
 public:
  /// `command[0]` is a path, or a name that is looked up on PATH. Standard input is empty.
  /// Errors: not_found or io_error naming the program.
  static Result<Child> start(const std::vector<std::string>& command, const ChildSettings& settings = {});
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  pid_t pid() const { return pid_; }
  bool running();  ///< reaps it when it has ended
  /// Waits; after `timeout_ms`, or when `stop` fires, the whole group is killed.
  ChildEnd wait(std::uint64_t timeout_ms, const StopToken& stop = {});
  /// SIGTERM, then SIGKILL after `patience_ms`; returns when it has gone.
  void end(std::uint64_t patience_ms = 2'000);

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
  bool gone_ = false;
  int status_ = 0;
};

}  // namespace sparkmill
