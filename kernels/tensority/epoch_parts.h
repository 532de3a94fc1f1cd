// SPDX-License-Identifier: Apache-2.0
// What the two ways to build an epoch share. Of the Tensority page 1.
#pragma once

#include "kernels/tensority/epoch_items.h"
#include "kernels/tensority/tensority.h"

namespace sparkmill::tensority {

struct Item {
  std::uint32_t w[kItemWords];
};

/// 1.1: where the chain of a seed starts.
Item first_item(const Hash32& seed);

inline Error stopped_building() { return fail(Status::cancelled, "building the matrices of a seed was stopped"); }
inline Error no_room_for_an_epoch() {
  return fail(Status::internal, "out of memory for the 16 MiB of matrices of a seed");
}

}  // namespace sparkmill::tensority
