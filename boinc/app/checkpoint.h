// SPDX-License-Identifier: Apache-2.0
// Finished slices of a unit on disk. Layout: "SMKP" | u16 version = 1 | u16 0 | unit_id[32] | app_pub[32] |
// len result name | u64 target units | u32 count | count * (u32 slice | len bytes) | SHA-256 of everything before.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/keys/keys.h"
#include "base/result.h"

namespace sparkmill::boinc::app {

/// In the slot; not a file that BOINC knows of.
inline constexpr std::string_view kCheckpointFile = "sparkmill_checkpoint";

struct Checkpoint {
  Hash32 unit_id{};
  keys::PublicKey app_pub{};
  std::string result_name;
  std::uint64_t target_units = 0;         ///< the slicing that the numbers mean
  std::map<std::uint32_t, Bytes> slices;  ///< results by slice number

  /// The unit, result and key that a checkpoint must be of to be gone on with.
  bool fits(const Checkpoint& other) const {
    return unit_id == other.unit_id && app_pub == other.app_pub && result_name == other.result_name;
  }
};

Bytes encode(const Checkpoint& checkpoint);
/// Error: corrupt (layout, hash).
Result<Checkpoint> decode_checkpoint(ByteView bytes);

}  // namespace sparkmill::boinc::app
