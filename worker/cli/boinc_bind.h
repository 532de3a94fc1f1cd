// SPDX-License-Identifier: Apache-2.0
// `sparkmill boinc bind`: binds an account of a foreign BOINC project to this worker at its node
// (docs/boinc-credit.md).
#pragma once

#include <functional>
#include <string>

#include "worker/config/config.h"

namespace sparkmill::cli {

struct BindOrder {
  std::string project;  ///< master URL, canonical
  std::string cpid;     ///< 32 hex digits; empty: ask `local_cpid`
  std::string proof;    ///< file with the box of account_ownership.php; empty: print the text to be signed
};

/// Without a proof: prints the text that the project has to sign. With one: sends it to the node and prints the
/// binding's state. `local_cpid` asks the BOINC client of this machine. Returns the exit code.
int run_boinc_bind(const config::Config& config, const BindOrder& order,
                   const std::function<Result<std::string>()>& local_cpid);

}  // namespace sparkmill::cli
