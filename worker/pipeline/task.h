// SPDX-License-Identifier: Apache-2.0
// One lease in memory. It belongs to one thread at a time (taker, coordinator, courier); what others look at is atomic
// or guarded by the pipeline's mutex.
#pragma once

#include "base/hex.h"
#include "verify/proof/proof.h"
#include "worker/pipeline/pipeline.h"

namespace sparkmill::worker {

struct Pipeline::Task {
  LeaseRow row;
  job::Job job;
  const job::KindRow* kind = nullptr;
  std::string label;  ///< first 8 digits of the job's id
  std::atomic<std::uint64_t> units_done{0};
  std::atomic<std::uint64_t> units_total{0};
  StopSource cancel;

  // guarded by the pipeline's mutex
  std::string phase = "fetching";
  std::string cancel_reason;
  kernels::Family family = kernels::Family::match;  ///< whose lanes it needs; known when its inputs are
  std::uint64_t deadline_ms = 0;                    ///< of the lease, node time
  std::uint64_t taken_ms = 0;                       ///< node time when the lease was taken or renewed
  bool delivering = false;                          ///< the courier has it

  // the owner's
  std::vector<job::Blob> inputs;
  std::unique_ptr<job::Work> work;
  std::optional<job::Outcome> outcome;
  std::uint64_t next_try_ms = 0;  ///< steady
  unsigned tries = 0;
};

/// Whether the answers of the kind are verdicts on what was given, not things found in it.
inline bool checks(const job::KindRow& kind) { return kind.kind != job::Kind::match_h; }

/// Every answer begins with the u32 count of its items.
inline std::uint64_t answer_count(ByteView answer) { return ByteReader(answer).u32(); }

/// Full jitter: between half and all of min(limit, base * 2^tries).
std::uint64_t backoff_ms(unsigned tries, std::uint64_t base_ms = 500, std::uint64_t limit_ms = 30'000);

/// The peer did not answer, or answered what only a broken or lying peer would: worth another try later.
inline bool peer_trouble(Status code) {
  return code == Status::unreachable || code == Status::timeout || code == Status::bad_input ||
         code == Status::too_large || code == Status::internal;
}

}  // namespace sparkmill::worker
