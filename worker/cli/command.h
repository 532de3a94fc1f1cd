// SPDX-License-Identifier: Apache-2.0
// One row a verb of `sparkmill`; the table is in commands.cpp.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sparkmill::cli {

struct Command {
  std::string_view name;
  std::string_view summary;  ///< one line for `sparkmill help`
  /// `args` are what follows the verb. Data goes to stdout, progress and messages to stderr. Returns the exit code.
  int (*run)(std::span<const std::string> args);
};
std::span<const Command> commands();

/// Prints "sparkmill VERB: message" and the hint to stderr, and returns exit_code(error.code).
int report(std::string_view verb, const Error& error);

// worker/cli/<verb>.cpp
int run_run(std::span<const std::string> args);
int run_devices(std::span<const std::string> args);
int run_bench(std::span<const std::string> args);
int run_vectors(std::span<const std::string> args);
int run_match(std::span<const std::string> args);
int run_hash(std::span<const std::string> args);
int run_enrol(std::span<const std::string> args);
int run_verify(std::span<const std::string> args);
int run_verify_batch(std::span<const std::string> args);
int run_sign_checkpoint(std::span<const std::string> args);
int run_verify_blocks(std::span<const std::string> args);
int run_check(std::span<const std::string> args);
int run_config(std::span<const std::string> args);
int run_keys(std::span<const std::string> args);
int run_status(std::span<const std::string> args);
int run_pause(std::span<const std::string> args);
int run_resume(std::span<const std::string> args);
int run_finish(std::span<const std::string> args);
int run_boinc(std::span<const std::string> args);

/// True when stderr is a terminal and NO_COLOR is not set.
bool use_color();

}  // namespace sparkmill::cli
