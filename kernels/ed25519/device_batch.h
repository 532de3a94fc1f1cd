// SPDX-License-Identifier: Apache-2.0
// What the rows on devices share on the host: the table of multiples of B, the flags of a policy, and a batch cut into
// launches with offsets from the launch's own first byte.
#pragma once

#include <vector>

#include "kernels/ed25519/device.h"
#include "kernels/ed25519/ed25519.h"

namespace sparkmill::ed25519 {

/// SM_ED_BASE_ENTRIES x SM_ED_BASE_WORDS words, as sm_base_entry reads them.
std::vector<sm_u32> device_base_table();

constexpr sm_u32 device_flags(Policy policy, bool evidence) {
  const Rules r = rules(policy);
  return (r.s_below_order ? SM_ED_S_BELOW_ORDER : 0u) | (r.canonical_a ? SM_ED_CANONICAL_A : 0u) |
         (r.small_order_refused ? SM_ED_NO_SMALL_ORDER : 0u) | (r.cofactored ? SM_ED_COFACTORED : 0u) |
         (r.canonical_r ? SM_ED_CANONICAL_R : 0u) | (evidence ? SM_ED_EVIDENCE : 0u);
}

/// The items first .. first + count - 1 of a batch.
struct Launch {
  std::size_t first = 0, count = 0;
  ByteView messages;  ///< theirs alone
};
/// At most `most` items, and of messages at most `most_bytes` unless it is one item.
Launch next_launch(const kernels::SignatureBatch& batch, std::size_t first, std::size_t most, std::uint64_t most_bytes);
/// out[0 .. count]: the launch's offsets, from its first message on.
void launch_offsets(const kernels::SignatureBatch& batch, const Launch& launch, std::uint64_t* out);

}  // namespace sparkmill::ed25519
