// SPDX-License-Identifier: Apache-2.0
// Every row of a family on every device that can run it, made by force; those that cannot are printed with their
// reason.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "kernels/registry.h"

namespace sparkmill::kernels::test {

template <class FamilyKernel>
struct Runner {
  std::string label;  ///< "match/cpu/avx2 on cpu"
  std::unique_ptr<Kernel> owner;
  FamilyKernel* kernel = nullptr;
};

/// Rows other than the oracle, each having passed the known answers. `failures` gets rows that should run and do not,
/// and rows in whose place another one runs.
template <class FamilyKernel>
std::vector<Runner<FamilyKernel>> make_runners(Family family, std::vector<std::string>& failures) {
  std::vector<Runner<FamilyKernel>> runners;
  std::vector<std::string> notes;
  for (const Device& device : discover_devices(&notes)) {
    for (const Row& row : rows()) {
      if (row.family != family || row.backend == Backend::reference) continue;
      const std::string label = row.id() + " on " + device.id;
      const Probe probe = row.probe(device);
      if (!probe.ok) {
        std::printf("skipped: %s: %s\n", label.c_str(), probe.why.c_str());
        continue;
      }
      const auto choice = choose(family, device, row.id());
      if (!choice || choice->row != &row || choice->reason != "forced") {
        failures.push_back(label + ": forcing it gave another row");
        continue;
      }
      auto kernel = make_tested(*choice->row, device);
      if (!kernel) {
        failures.push_back(label + ": " + kernel.error().message);
        continue;
      }
      std::printf("runs: %s (%s)\n", label.c_str(), probe.why.c_str());
      Runner<FamilyKernel> r{label, std::move(*kernel), nullptr};
      r.kernel = dynamic_cast<FamilyKernel*>(r.owner.get());
      if (r.kernel == nullptr || r.owner->row_id() != row.id()) {
        failures.push_back(label + ": " + r.owner->row_id() + " runs in its place");
        continue;
      }
      runners.push_back(std::move(r));
    }
  }
  for (const AbsentBackend& absent : absent_backends()) {
    std::printf("skipped: %s: %s\n", absent.backend.c_str(), absent.why.c_str());
  }
  for (const std::string& note : notes) std::printf("skipped: %s\n", note.c_str());
  std::fflush(stdout);
  return runners;
}

}  // namespace sparkmill::kernels::test
