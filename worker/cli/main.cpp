// SPDX-License-Identifier: Apache-2.0
// `sparkmill VERB ...`: finds the verb and runs it.
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "worker/cli/commands.h"

int main(int argc, char** argv) {
  using namespace sparkmill;
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away is an error of that write, not the end of the worker
  const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
  try {
    return cli::dispatch(args);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "sparkmill: internal error: %s\n", e.what());
    return exit_code(Status::internal);
  }
}
