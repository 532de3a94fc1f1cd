// SPDX-License-Identifier: Apache-2.0
// What decides a verify.batch task. Codec: u16 version = 1 | u64 index | u16 scheme | u16 policy | u32 items.
#pragma once

#include "base/result.h"
#include "verify/signatures/scheme.h"

namespace sparkmill::node {

/// Attempts at one task have fresh signatures of the same form.
struct BatchSpec {
  std::uint64_t index = 0;
  const signatures::Form* form = nullptr;
  std::uint32_t items = 0;  ///< with planted ones
};
Bytes encode(const BatchSpec& spec);
/// Error: corrupt.
Result<BatchSpec> decode_batch_spec(ByteView bytes);

}  // namespace sparkmill::node
