// SPDX-License-Identifier: Apache-2.0
// What a figure was measured on.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace sparkmill::bench {

/// Processor, instruction sets, cores, caches, memory, kernel, governor, load, compiler, commit, devices. What the
/// system does not show is null. `pinned_core` is where single-core rows run.
nlohmann::json machine_card(unsigned pinned_core);

}  // namespace sparkmill::bench
