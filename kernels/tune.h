// SPDX-License-Identifier: Apache-2.0
// Measures the rows of a family on a device: rows in, rows out. The worker's store keeps the results, keyed by device
// id, driver, row id + revision and family; nothing is stored or logged here.
#pragma once

#include <string>
#include <vector>

#include "base/stop.h"
#include "kernels/kernel.h"

namespace sparkmill::kernels {

struct TuneSettings {
  unsigned budget_ms = 1000;       ///< for all rows of the device together (a slow row may overshoot by one run)
  unsigned slice_ms = 250;         ///< aimed-at length of a slice, caps the batch
  std::string forced;              ///< only this row (id as in find_row); empty: every row that can run
  bool include_reference = false;  ///< the oracle is never worth choosing; measured only on demand
};

/// One measured row. Units are those of the job table (match: pairs x leaves, weighted by n / 2048;
/// tensority: hashes; signature families: signatures).
struct Tuned {
  std::string row_id;             ///< "match/cpu/avx512"
  unsigned revision = 0;          ///< Row::revision when measured
  double units_per_s = 0;         ///< median of the repetitions at `batch_units`; 0 when `error` is set
  double spread = 0;              ///< (largest - smallest) / median of the repetitions
  std::uint64_t batch_units = 0;  ///< units a slice: the smallest batch within 3 % of the best rate, at most slice_ms
  std::string error;              ///< why it could not be measured (self-test, lost device); empty if measured
};

/// Makes and self-tests each row that can run, warms up, repeats, and returns all of them, fastest first. Errors:
/// bad_argument and no_device (forced row), cancelled. A row that fails its self-test is in the list with `error` set.
Result<std::vector<Tuned>> tune(Family family, const Device& device, const TuneSettings& settings = {},
                                const StopToken& stop = {});

}  // namespace sparkmill::kernels
