// SPDX-License-Identifier: Apache-2.0
// Tuning measured once for a device, its driver and a row's revision, kept in the store.
#pragma once

#include "worker/scheduler/scheduler.h"
#include "worker/store/store.h"

namespace sparkmill::worker {

/// For Hardware::tuned: what the store knows, else measured now and stored. Measures the rows that can run on the
/// device, but not the reference row, and torch only when it is `forced`. The store must outlive the function.
std::function<std::vector<kernels::Tuned>(kernels::Family, const kernels::Device&)> stored_tuning(
    Store& store, std::string forced, std::function<void(const std::string&)> say);

}  // namespace sparkmill::worker
