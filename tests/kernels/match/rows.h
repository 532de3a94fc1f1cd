// SPDX-License-Identifier: Apache-2.0
// Every row on every device that can run it, made by force; those that cannot are printed with their reason.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <typeinfo>
#include <vector>

#include "kernels/match/match.h"
#include "kernels/registry.h"

namespace sparkmill::match::test {

struct Runner {
  std::string label;  ///< "match/cpu/avx2 on cpu"
  kernels::Backend backend;
  std::unique_ptr<kernels::Kernel> owner;
  Kernel* kernel = nullptr;
};

/// The kernel says that it is this row, or its class belongs to this backend alone.
inline bool is_its_own(const kernels::Row& row, const kernels::Kernel& kernel, const std::vector<Runner>& others) {
  if (!kernel.row_id().empty()) return kernel.row_id() == row.id();
  if (row.backend == kernels::Backend::cpu) return false;
  for (const Runner& other : others) {
    const kernels::Kernel& their = *other.owner;
    if (other.backend != row.backend && typeid(their) == typeid(kernel)) return false;
  }
  return true;
}

/// Rows other than the oracle. Prints what runs and what is skipped. `failures` gets rows that should run and do not.
inline std::vector<Runner> make_runners(std::vector<std::string>& failures) {
  std::vector<Runner> runners;
  std::vector<std::string> notes;
  for (const kernels::Device& device : kernels::discover_devices(&notes)) {
    for (const kernels::Row& row : kernels::rows()) {
      if (row.family != kernels::Family::match || row.backend == kernels::Backend::reference) continue;
      const std::string label = row.id() + " on " + device.id;
      const kernels::Probe probe = row.probe(device);
      if (!probe.ok) {
        std::printf("skipped: %s: %s\n", label.c_str(), probe.why.c_str());
        continue;
      }
      const auto choice = kernels::choose(kernels::Family::match, device, row.id());
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
      Runner r{label, row.backend, std::move(*kernel), nullptr};
      r.kernel = dynamic_cast<Kernel*>(r.owner.get());
      if (r.kernel == nullptr || !is_its_own(row, *r.owner, runners)) {
        failures.push_back(label + ": another row runs in its place");
        continue;
      }
      runners.push_back(std::move(r));
    }
  }
  for (const kernels::AbsentBackend& absent : kernels::absent_backends()) {
    std::printf("skipped: %s: %s\n", absent.backend.c_str(), absent.why.c_str());
  }
  for (const std::string& note : notes) std::printf("skipped: %s\n", note.c_str());
  std::fflush(stdout);
  return runners;
}

inline std::unique_ptr<kernels::Kernel> make_reference() {
  const kernels::Row* row = kernels::find_row(kernels::Family::match, "reference");
  return std::move(*kernels::make_tested(*row, kernels::discover_devices().front()));
}

}  // namespace sparkmill::match::test
