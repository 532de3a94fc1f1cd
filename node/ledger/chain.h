// SPDX-License-Identifier: Apache-2.0
// Chain parameters and the beacon: a hash chain of secrets, one revealed with each block (jobs and proofs 6). Block
// headers are those of verify/chain.
#pragma once

#include <filesystem>
#include <vector>

#include "base/bytes.h"
#include "base/keys/keys.h"
#include "base/result.h"

namespace sparkmill::node {

/// What makes this chain this chain. Stored at first start and never changed after. Proof of work (seed rule, retarget,
/// fallback) joins here.
struct ChainParams {
  std::uint64_t interval_ms = 10'000;
  std::uint32_t beacon_length = 1u << 20;   ///< secrets of one beacon chain
  std::uint64_t bits = 0x2100000000ffffff;  ///< target above 2^256: every nonce passes (Tensority page 3)
  std::uint64_t open_blocks = 6;            ///< an opening is due this many blocks after commit height + 3
  keys::PublicKey foundation{};
  keys::PublicKey operations{};
  std::uint64_t blocks_per_day() const;
};

inline constexpr std::uint64_t kBeaconDelay = 3;  ///< the challenge needs beacons height + 2 and height + 3

/// beacon[h] = H("sparkmill/beacon/v1" | block_hash[h] | s_h).
Hash32 beacon(const Hash32& block_hash, const Hash32& secret);

/// Secrets c_1 .. c_length with c_(i-1) = H(c_i) and the anchor c_0. Every 1,024th is kept, so any costs at most 1,023
/// hashes, usually none (the current run of 1,024 stays expanded).
class BeaconChain {
 public:
  /// Fresh randomness, written to `file` (mode 0600). Cost: `length` hashes. Requires length >= 1.
  static Result<BeaconChain> create(const std::filesystem::path& file, std::uint32_t length);
  /// Errors: not_found, corrupt (checksum, or it does not lead to `anchor`).
  static Result<BeaconChain> load(const std::filesystem::path& file, const Hash32& anchor);

  const Hash32& anchor() const { return anchor_; }
  std::uint32_t length() const { return length_; }
  /// c_index. Requires 1 <= index <= length().
  Hash32 secret(std::uint32_t index);

 private:
  BeaconChain() = default;
  void expand(std::uint32_t run);
  std::uint32_t length_ = 0;
  Hash32 anchor_{};
  std::vector<Hash32> kept_;      ///< kept_[r] = c at the end of run r: index min((r + 1) * 1024, length)
  std::vector<Hash32> expanded_;  ///< secrets of run `run_`, by index - run_ * 1024 - 1
  std::uint32_t run_ = 0xffffffff;
};

}  // namespace sparkmill::node
