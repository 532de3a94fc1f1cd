// SPDX-License-Identifier: Apache-2.0
// What the rows on devices share on the host: a batch cut into launches, each with its messages at the start of a
// buffer. A message of more than kLongMessage would keep one work-item busy for long while the others wait: the host
// does it, with the same text.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/hash/device.h"
#include "kernels/hash/hash.h"

namespace sparkmill::hashes {

inline constexpr std::size_t kLongMessage = 64 << 10;
inline constexpr std::size_t kLaunchBytes = 8 << 20;   // of messages
inline constexpr std::size_t kLaunchCount = 64 << 10;  // messages

inline sm_u32 device_algorithm(Algorithm a) {
  switch (a) {
    case Algorithm::sha256: return SM_HASH_SHA256;
    case Algorithm::sha512: return SM_HASH_SHA512;
    case Algorithm::sha3_256: return SM_HASH_SHA3;
    case Algorithm::keccak256: break;
  }
  return SM_HASH_KECCAK;
}

/// Messages first .. first + count - 1 in one launch; their bytes begin at `base` of the batch.
struct Launch {
  std::size_t first = 0, count = 0;
  std::uint64_t base = 0, bytes = 0;
};

/// The next launch from message `first` on. count 0: this message is long and for the host.
inline Launch next_launch(const Batch& batch, std::size_t first) {
  Launch l{first, 0, batch.offsets[first], 0};
  while (first + l.count < batch.count() && l.count < kLaunchCount) {
    const std::size_t bytes = batch.message(first + l.count).size();
    if (bytes > kLongMessage || (l.count != 0 && l.bytes + bytes > kLaunchBytes)) break;
    l.bytes += bytes;
    ++l.count;
  }
  return l;
}

/// Walks a batch: `launch(const Launch&)` returns Done. The rest is done here.
template <class Run>
Done for_each_launch(Algorithm algorithm, const Batch& batch, std::span<std::uint8_t> out, const StopToken& stop,
                     Run launch) {
  SPARKMILL_TRY(check(algorithm, batch, out.size()));
  for (std::size_t at = 0; at < batch.count();) {
    if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
    const Launch l = next_launch(batch, at);
    if (l.count == 0) {
      const ByteView message = batch.message(at);
      sm_hash(device_algorithm(algorithm), message.data(), message.size(), out.data() + at * digest_bytes(algorithm));
      ++at;
      continue;
    }
    SPARKMILL_TRY(launch(l));
    at += l.count;
  }
  return done();
}

}  // namespace sparkmill::hashes
