// SPDX-License-Identifier: Apache-2.0
// A batch of signatures cut into launches of a device, with offsets from the launch's own first byte.
#pragma once

#include "kernels/backend/signature_batch.h"

namespace sparkmill::kernels {

/// The items first .. first + count - 1 of a batch.
struct Launch {
  std::size_t first = 0, count = 0;
  ByteView messages;  ///< theirs alone
};

/// At most `most` items, and of messages at most `most_bytes` unless it is one item. Requires first < batch.count and
/// a batch that passed check().
inline Launch next_launch(const SignatureBatch& batch, std::size_t first, std::size_t most, std::uint64_t most_bytes) {
  const auto offsets = batch.message_offsets;
  Launch launch{first, 0, {}};
  while (launch.count < most && first + launch.count < batch.count) {
    if (launch.count != 0 && offsets[first + launch.count + 1] - offsets[first] > most_bytes) break;
    ++launch.count;
  }
  launch.messages = batch.messages.subspan(offsets[first], offsets[first + launch.count] - offsets[first]);
  return launch;
}

/// out[0 .. count]: the launch's offsets, from its first message on.
inline void launch_offsets(const SignatureBatch& batch, const Launch& launch, std::uint64_t* out) {
  const auto offsets = batch.message_offsets;
  for (std::size_t i = 0; i <= launch.count; ++i) out[i] = offsets[launch.first + i] - offsets[launch.first];
}

}  // namespace sparkmill::kernels
