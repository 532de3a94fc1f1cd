// SPDX-License-Identifier: Apache-2.0
// What the generator asks of a kind: questions for workers, and fresh attempts at them with secrets that only the node
// knows. docs/adding-a-job-kind.md.
#pragma once

#include <memory>
#include <string>

#include "base/stop.h"
#include "node/jobs/blob_store.h"
#include "node/ledger/ledger.h"
#include "verify/job/job.h"

namespace sparkmill::node {

struct GeneratorSettings;

/// An attempt before it has an id in the ledger.
struct MadeAttempt {
  Bytes spec;    ///< of the task, enough to make another attempt at it
  job::Job job;  ///< blobs are in the store
  Bytes secrets;
  std::string text;  ///< what it asks, for the log
};

class Maker {
 public:
  virtual ~Maker() = default;
  virtual job::Kind kind() const = 0;
  /// Part of a core's time that making jobs of this kind may take: work that costs more to make than to do must not
  /// take the machine.
  virtual double duty() const { return 1; }
  /// An attempt at `again`, or at task number `index` of this kind. Errors: cancelled, no_space, what inputs report.
  virtual Result<MadeAttempt> make(const Task* again, std::uint64_t index, std::uint64_t deadline_ms,
                                   const StopToken& stop) = 0;
};

/// Real faces hidden in a synthetic population, with ringers.
std::unique_ptr<Maker> match_maker(const GeneratorSettings& settings, BlobStore& blobs);
/// Fresh signatures and real ones from blocks, with planted bad items.
std::unique_ptr<Maker> batch_maker(const GeneratorSettings& settings, BlobStore& blobs);
/// Fresh blocks and real ones, with planted bad ones.
std::unique_ptr<Maker> blocks_maker(const GeneratorSettings& settings, BlobStore& blobs);

/// What the secrets of an attempt say about an answer, and what is kept of an accepted one: the answer to the task
/// alone, without what was planted. A lie is a Finding. Errors: corrupt secrets, bad_input, unsupported kind.
Result<job::Finding> check_secrets(const job::Work& work, ByteView secrets, ByteView answer);
Result<Bytes> task_answer(const job::Work& work, ByteView secrets, ByteView answer);
/// What a receipt adds to "accepted" so that nobody takes a verdict for more than it is; empty: nothing.
std::string caveat(const job::Work& work);

}  // namespace sparkmill::node
