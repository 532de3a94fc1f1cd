// SPDX-License-Identifier: Apache-2.0
// The rows of `match` that can run here, and its oracle.
#pragma once

#include "kernels/match/match.h"
#include "tests/kernels/runners.h"

namespace sparkmill::match::test {

using Runner = kernels::test::Runner<Kernel>;

inline std::vector<Runner> make_runners(std::vector<std::string>& failures) {
  return kernels::test::make_runners<Kernel>(kernels::Family::match, failures);
}

inline std::unique_ptr<kernels::Kernel> make_reference() {
  const kernels::Row* row = kernels::find_row(kernels::Family::match, "reference");
  return std::move(*kernels::make_tested(*row, kernels::discover_devices().front()));
}

}  // namespace sparkmill::match::test
