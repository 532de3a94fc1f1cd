// SPDX-License-Identifier: Apache-2.0
// Keeps a few jobs of each kind ready: match.h (real faces hidden in a synthetic population), verify.batch (fresh
// signatures) and verify.blocks (fresh blocks), with fresh secrets planted in every attempt. One background thread; a
// full disk or a spent allowance stops generation with a reason, not the node.
#pragma once

#include <condition_variable>
#include <functional>
#include <optional>
#include <thread>

#include "node/jobs/blob_store.h"
#include "node/jobs/maker.h"
#include "node/server/node_time.h"
#include "verify/job/ringers.h"

namespace sparkmill::node {

struct GeneratorSettings {
  std::uint32_t requests = 0;
  std::uint32_t users = 0;  ///< with ringers
  std::uint32_t n = 2048;
  std::string predicate;
  std::uint32_t queue_ahead = 2;
  std::uint64_t max_jobs = 0;  ///< tasks in this ledger; 0: endless
  bool match = true;
  std::uint32_t signatures = 0;  ///< in a verify.batch job; 0: none are made
  std::uint32_t blocks = 0;      ///< items of a verify.blocks job; 0: none are made
  Hash32 seed{};
};

/// The least sizes that hold all real faces and the ringers.
inline constexpr std::uint32_t kMinRequests = 64;
inline constexpr std::uint32_t kMinUsers = 256;
inline constexpr std::uint32_t kMinSignatures = 256;
inline constexpr std::uint32_t kMinBlocks = 256;
inline constexpr std::uint32_t kMatchRingers = 2 * job::kRingersEachSide;
inline const std::vector<std::string> kMatchFields = {"face"};
inline constexpr std::uint64_t kJobLifeMs = 7ull * 86'400'000;

class Generator {
 public:
  /// Error: bad_config for sizes or a predicate that cannot be.
  static Done check(const GeneratorSettings& settings);
  Generator(GeneratorSettings settings, Ledger& ledger, BlobStore& blobs, const NodeTime& time,
            std::function<void()> on_ready);
  ~Generator();
  void start();
  void stop();
  /// Something changed (a job was taken, a task came back): look now.
  void wake();
  /// Why nothing is made at the moment; empty when all is well.
  std::string reason() const;

 private:
  /// A kind and its thread: what takes long to make does not hold up the others.
  struct Line {
    std::unique_ptr<Maker> maker;
    std::thread thread;
    std::uint64_t rest_until_ms = 0;  ///< steady clock
    std::uint64_t seen = 0;           ///< of wakes_
    std::string reason;
  };
  void loop(Line& line);
  Result<bool> step(Line& line);
  /// May a task be added that is none yet? Then it counts until `made` is called.
  Result<bool> reserve();
  void made();
  Done make_attempt(Maker& maker, const std::optional<Task>& again, std::uint64_t next_index);
  Done collect_garbage();
  void set_reason(Line& line, const std::string& reason);

  GeneratorSettings settings_;
  Ledger& ledger_;
  BlobStore& blobs_;
  const NodeTime& time_;
  std::function<void()> on_ready_;
  std::vector<Line> lines_;
  StopSource stop_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t wakes_ = 1;
  std::mutex room_mutex_;
  std::uint64_t under_way_ = 0;  ///< new tasks that the ledger may not have yet
};

}  // namespace sparkmill::node
