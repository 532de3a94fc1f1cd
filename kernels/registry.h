// SPDX-License-Identifier: Apache-2.0
// The one explicit table of kernel rows, and how a row is chosen: forced by the user, else tuned, else by rank.
#pragma once

#include <optional>
#include <span>

#include "kernels/kernel.h"

namespace sparkmill::kernels {

/// All rows of this build, best rank first within a family. A backend that was not built is an absent row;
/// `absent_backends()` says which and why (the configure-time reason).
std::span<const Row> rows();
struct AbsentBackend {
  std::string backend;
  std::string why;
};
std::span<const AbsentBackend> absent_backends();

/// Devices present now: "cpu" first, then OpenCL and CUDA devices ordered by PCI address. A device that CUDA and OpenCL
/// both reach appears once for each backend. `notes` gets a sentence for each backend that found nothing.
std::vector<Device> discover_devices(std::vector<std::string>* notes = nullptr);

/// Row by id ("match/cpu/avx2"), also accepted without the family ("cpu/avx2"); nullptr if unknown.
const Row* find_row(Family family, std::string_view id);

struct Choice {
  const Row* row = nullptr;
  std::string reason;  ///< "forced", "tuned: 1.31e9 pairs/s", "rank"
};
/// `forced` empty: the first row whose probe says yes, `tuned` (a row id from the store) first. A forced row that is
/// unknown or cannot run is an error that lists the possible ones, never a silent fallback. Errors: bad_argument,
/// no_device.
Result<Choice> choose(Family family, const Device& device, std::string_view forced = {}, std::string_view tuned = {});

/// Makes the row's kernel on the device and runs the family's known answers (vectors.h). Errors: self_test_failed,
/// unsupported.
Result<std::unique_ptr<Kernel>> make_tested(const Row& row, const Device& device);

}  // namespace sparkmill::kernels
