// SPDX-License-Identifier: Apache-2.0
// Mining for our own node: searches are leases of kind tensority, taken by a long poll that a new block ends; shares go
// to /v1/solutions.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "worker/source/node_client.h"
#include "worker/source/share_gate.h"

namespace sparkmill::mining {

class NodeSource final : public Source {
 public:
  /// `link` is shared with whoever else talks to the node; the worker must be enlisted there before a search is given.
  /// `if_needed`: a node whose blocks need no proof of work is no trouble, but leaves this source idle.
  explicit NodeSource(std::shared_ptr<worker::NodeLink> link, bool if_needed = false);
  ~NodeSource() override;

  Done start(Listener& listener) override;
  Result<std::uint64_t> submit(const Share& share) override;
  SourceReport report() const override;
  void stop() override;

 private:
  struct Queued {
    std::uint64_t ticket = 0;
    Share share;
    MiningJob job;
    Id16 lease_id{};
  };
  struct Known {
    MiningJob job;
    Id16 lease_id{};
  };
  void search_loop();
  void submit_loop();
  /// Error: bad_input when the lease makes no sense as a search.
  Done take(const protocol::Lease& lease);
  void lost(const Error& error);
  ShareAnswer send(worker::NodeClient& client, const Queued& queued);
  void settle(const ShareAnswer& answer);
  void rest(std::uint64_t ms);

  std::shared_ptr<worker::NodeLink> link_;
  const bool if_needed_;
  StopSource stop_;
  Listener* listener_ = nullptr;
  std::thread searching_, submitting_;

  std::mutex telling_;  ///< one call to the listener at a time; taken before mutex_
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::deque<Known> known_;  ///< newest last
  std::deque<Queued> queue_;
  ShareGate gate_;
  std::uint64_t next_ticket_ = 1;
  std::uint64_t serial_ = 0;
  SourceReport report_;
};

}  // namespace sparkmill::mining
