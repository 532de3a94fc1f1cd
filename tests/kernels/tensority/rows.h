// SPDX-License-Identifier: Apache-2.0
// Every row of the family on every device that can run it, made by force; those that cannot are printed with their
// reason.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "kernels/registry.h"
#include "kernels/tensority/tensority.h"

namespace sparkmill::tensority::test {

struct Runner {
  std::string label;  ///< "tensority/cpu/avx2 on cpu"
  std::unique_ptr<kernels::Kernel> owner;
  Kernel* kernel = nullptr;
};

/// Rows other than the oracle, each having passed the known answers. `failures` gets rows that should run and do not,
/// and rows in whose place another one runs.
inline std::vector<Runner> make_runners(std::vector<std::string>& failures) {
  std::vector<Runner> runners;
  for (const kernels::Device& device : kernels::discover_devices()) {
    for (const kernels::Row& row : kernels::rows()) {
      if (row.family != kernels::Family::tensority || row.backend == kernels::Backend::reference) continue;
      const std::string label = row.id() + " on " + device.id;
      const kernels::Probe probe = row.probe(device);
      if (!probe.ok) {
        std::printf("skipped: %s: %s\n", label.c_str(), probe.why.c_str());
        continue;
      }
      const auto choice = kernels::choose(kernels::Family::tensority, device, row.id());
      if (!choice || choice->row != &row || choice->reason != "forced") {
        failures.push_back(label + ": forcing it gave another row");
        continue;
      }
      auto kernel = kernels::make_tested(*choice->row, device);
      if (!kernel) {
        failures.push_back(label + ": " + kernel.error().message);
        continue;
      }
      std::printf("runs: %s (%s)\n", label.c_str(), probe.why.c_str());
      Runner r{label, std::move(*kernel), nullptr};
      r.kernel = dynamic_cast<Kernel*>(r.owner.get());
      if (r.kernel == nullptr || r.owner->row_id() != row.id()) {
        failures.push_back(label + ": " + r.owner->row_id() + " runs in its place");
        continue;
      }
      runners.push_back(std::move(r));
    }
  }
  std::fflush(stdout);
  return runners;
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
