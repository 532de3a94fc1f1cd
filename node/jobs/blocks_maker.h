// SPDX-License-Identifier: Apache-2.0
// What decides a verify.blocks task. Codec: u16 version = 1 | u64 index | u16 chain | u32 items.
#pragma once

#include "base/result.h"
#include "verify/job/verify_blocks.h"

namespace sparkmill::node {

/// Attempts at one task have fresh items of the same chain.
struct BlocksSpec {
  std::uint64_t index = 0;
  job::Chain chain = job::Chain::bytom;
  std::uint32_t items = 0;  ///< with planted ones
};
Bytes encode(const BlocksSpec& spec);
/// Error: corrupt.
Result<BlocksSpec> decode_blocks_spec(ByteView bytes);

}  // namespace sparkmill::node
