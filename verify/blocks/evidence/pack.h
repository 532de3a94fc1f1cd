// SPDX-License-Identifier: Apache-2.0
// JSON items of BTTC and BTN (evidence.h) into a blob for the job kind `verify.blocks`. Items that have the same state
// share it. Kinds that are paid work: checkpoint, exit; block, equivocation. The others cost less than their transport,
// or are jobs of the kind verify.batch (docs/evidence.md).
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <memory>

#include "verify/blocks/evidence/evidence.h"
#include "verify/job/verify_blocks.h"

namespace sparkmill::evidence {

class BlockPacker {
 public:
  /// Policy and rule of checkpoints are those of the options.
  BlockPacker(System system, const Options& options);
  ~BlockPacker();
  /// Errors: bad_input naming the field, or the kind; too_large (over a limit, or kMaxBlockItems items).
  Done add(const nlohmann::json& item);
  std::size_t size() const;
  /// The blob of all items; nothing was added: bad_input.
  Result<Bytes> finish() const;

 private:
  struct Parts;
  System system_;
  Options options_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace sparkmill::evidence
