// SPDX-License-Identifier: Apache-2.0
// Fresh exits of BTTC: a receipt's log in a trie, in a block, under the root of a stored checkpoint; or with one thing
// done to it. Source: "Consensus evidence" 2.5, 2.6. Private to verify/job.
#pragma once

#include <deque>

#include "base/hash.h"
#include "verify/job/block_plants.h"
#include "verify/job/verify_blocks_bttc.h"

namespace sparkmill::job {

/// Not thread-safe; `hash` and `draw` are the caller's. Payloads live as long as this.
class BttcExits {
 public:
  BttcExits(ChaChaWords& draw, hashes::Kernel& hash) : draw_(draw), hash_(hash) {}
  /// An exit against `state` of a job. Error: what the kernel reports.
  Result<BttcExit> make(std::optional<BlockPlantKind> flaw, std::uint32_t state, const StopToken& stop);
  /// Spans and processed ids that all of them need.
  const bttc::ExitState& state() const { return state_; }

 private:
  Hash32 hash32();
  Bytes drawn(std::size_t size);
  Result<Hash32> keccak(ByteView message, const StopToken& stop);
  Bytes log(std::size_t data_bytes);
  Bytes branch(std::uint8_t child, const Hash32& to);

  ChaChaWords& draw_;
  hashes::Kernel& hash_;
  bttc::ExitState state_;
  std::deque<Bytes> held_;
};

}  // namespace sparkmill::job
