// SPDX-License-Identifier: Apache-2.0
// What the rows on devices share on the host: the table of multiples of B and the flags of a policy.
#pragma once

#include <vector>

#include "kernels/backend/signature_launch.h"
#include "kernels/ed25519/device.h"
#include "kernels/ed25519/ed25519.h"

namespace sparkmill::ed25519 {

using kernels::Launch;
using kernels::launch_offsets;
using kernels::next_launch;

/// SM_ED_BASE_ENTRIES x SM_ED_BASE_WORDS words, as sm_base_entry reads them.
std::vector<sm_u32> device_base_table();

constexpr sm_u32 device_flags(Policy policy, bool evidence) {
  const Rules r = rules(policy);
  return (r.s_below_order ? SM_ED_S_BELOW_ORDER : 0u) | (r.canonical_a ? SM_ED_CANONICAL_A : 0u) |
         (r.small_order_refused ? SM_ED_NO_SMALL_ORDER : 0u) | (r.cofactored ? SM_ED_COFACTORED : 0u) |
         (r.canonical_r ? SM_ED_CANONICAL_R : 0u) | (evidence ? SM_ED_EVIDENCE : 0u);
}

}  // namespace sparkmill::ed25519
