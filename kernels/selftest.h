// SPDX-License-Identifier: Apache-2.0
// Known answers of each family: a kernel must give them on its device before it gets work, and again after a reset.
#pragma once

#include "kernels/kernel.h"

namespace sparkmill::kernels {

/// Runs the family's known answers (kernels/<family>/vectors.h) through `kernel`: a few milliseconds on a CPU,
/// for tensority one seed (26 ms) and three hashes.
/// Error: self_test_failed naming row, vector and the first difference; whatever the kernel itself reports.
Done self_test(Family family, std::string_view row_id, Kernel& kernel);

}  // namespace sparkmill::kernels
