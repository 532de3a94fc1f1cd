// SPDX-License-Identifier: Apache-2.0
// The rows of `tensority` that can run here, and its oracle.
#pragma once

#include "kernels/tensority/tensority.h"
#include "tests/kernels/runners.h"

namespace sparkmill::tensority::test {

using Runner = kernels::test::Runner<Kernel>;

inline std::vector<Runner> make_runners(std::vector<std::string>& failures) {
  return kernels::test::make_runners<Kernel>(kernels::Family::tensority, failures);
}

inline std::unique_ptr<kernels::Kernel> make_reference() {
  const kernels::Row* row = kernels::find_row(kernels::Family::tensority, "reference");
  return std::move(*row->make(kernels::discover_devices().front()));
}

/// A seed's epoch; the last few are kept, so that tests share them.
inline std::shared_ptr<const Epoch> epoch_of(const Hash32& seed) {
  static std::vector<std::shared_ptr<const Epoch>> kept;
  for (const auto& e : kept) {
    if (e->seed() == seed) return e;
  }
  if (kept.size() == 4) kept.erase(kept.begin());
  kept.push_back(*Epoch::build(seed));
  return kept.back();
}

}  // namespace sparkmill::tensority::test
