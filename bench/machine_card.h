// SPDX-License-Identifier: Apache-2.0
// What a figure was measured on.
#pragma once

#include <nlohmann/json.hpp>

namespace sparkmill::bench {

/// Processor, instruction sets, cores, caches, memory, kernel, governor, load, compiler, commit, devices. What the
/// system does not show is null. `pinned_core` is where single-core rows run.
nlohmann::json machine_card(unsigned pinned_core);

/// The fields in which two cards differ so that figures cannot be compared (processor, cores, devices); "" if none.
std::string machine_difference(const nlohmann::json& a, const nlohmann::json& b);

}  // namespace sparkmill::bench
