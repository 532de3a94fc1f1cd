// SPDX-License-Identifier: Apache-2.0
// Judges openings, one at a time, on its own thread with the best CPU row. The ledger is the queue: what is recorded as
// opened is judged, also after a restart.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <set>
#include <thread>

#include "base/stop.h"
#include "node/jobs/blob_store.h"
#include "node/ledger/ledger.h"
#include "node/server/node_time.h"

namespace sparkmill::node {

/// The decision on one opening: ringers, claims, opened leaves, root; of kinds in `confirm` everything. A lie is a
/// Decision; an Error is our own failure.
Result<Decision> judge(const CheckInput& input, job::BlobSource& blobs, job::Executor& executor,
                       const std::set<job::Kind>& confirm);

/// The best CPU row of each family, made and tested when it is first needed. One thread at a time.
class CpuExecutor final : public job::Executor {
 public:
  /// Errors: no_device, self_test_failed.
  Result<job::Executor*> need(kernels::Family family);
  Done run(const job::Work& work, std::span<const job::Slice> slices,
           const std::function<Done(const job::Slice&, Bytes)>& done, const StopToken& stop) override;

 private:
  std::map<kernels::Family, std::unique_ptr<job::InlineExecutor>> rows_;
};

class Checker {
 public:
  /// Chooses the kernel row and runs its known answers. `confirm`: kinds that are recomputed as a whole. Errors:
  /// no_device, self_test_failed.
  static Result<std::unique_ptr<Checker>> make(Ledger& ledger, BlobStore& blobs, const NodeTime& time,
                                               std::set<job::Kind> confirm,
                                               std::function<void(const protocol::Receipt&)> on_receipt);
  ~Checker();
  void start();
  void stop();
  /// An opening was recorded.
  void wake();
  /// The receipt of a lease, waiting at most `timeout_ms` for its judgement. Error: timeout.
  Result<protocol::Receipt> wait(const Id16& lease, unsigned timeout_ms);

 private:
  Checker(Ledger& ledger, BlobStore& blobs, const NodeTime& time, std::set<job::Kind> confirm,
          std::function<void(const protocol::Receipt&)> on_receipt)
      : ledger_(ledger), blobs_(blobs), time_(time), confirm_(std::move(confirm)), on_receipt_(std::move(on_receipt)) {}
  void loop();
  bool check_one(const Id16& lease);

  Ledger& ledger_;
  BlobStore& blobs_;
  const NodeTime& time_;
  const std::set<job::Kind> confirm_;
  std::function<void(const protocol::Receipt&)> on_receipt_;
  CpuExecutor executor_;
  std::thread thread_;
  StopSource stop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable judged_;
  bool woken_ = false;
  std::map<Id16, int> failures_;  ///< checker thread only
};

}  // namespace sparkmill::node
