// SPDX-License-Identifier: Apache-2.0
// The HTTP face of the node (DESIGN 7, docs/openapi.yaml): one handler a route, all state behind the ledger.
#pragma once

#include <atomic>
#include <condition_variable>

#include "base/http/server.h"
#include "node/jobs/blob_store.h"
#include "node/ledger/ledger.h"
#include "node/mining/mining.h"
#include "node/server/auth.h"
#include "node/server/checker.h"
#include "node/server/events.h"
#include "node/server/node_time.h"

namespace sparkmill::node {

/// A commit's answer has at most 2^22 pairs; its envelope adds little.
inline constexpr std::uint64_t kCommitLimit = (32u << 20) + 4096;
inline constexpr std::uint64_t kOpeningLimit = 16u << 20;
inline constexpr std::uint64_t kControlLimit = 64u << 10;
/// How long POST open waits for the check before it answers 202.
inline constexpr unsigned kCheckWaitMs = 10'000;

struct RoutesContext {
  Ledger* ledger = nullptr;
  BlobStore* blobs = nullptr;
  Checker* checker = nullptr;
  EventHub* events = nullptr;
  const NodeTime* time = nullptr;
  Mining* mining = nullptr;  ///< absent: blocks come by a timer
  Identity identity;
  protocol::Info info;  ///< the constant part
  std::uint32_t openings = 128;
  std::function<void()> on_taken;  ///< wakes the generator
};

class Routes {
 public:
  explicit Routes(RoutesContext context) : c_(std::move(context)) {}
  void install(http::Server& server);
  /// Jobs became ready: waiting lease requests look again.
  void wake();

 private:
  http::Response info();
  http::Response register_worker(const http::Request& request);
  http::Response take_leases(const http::Request& request);
  http::Response take_search(const keys::PublicKey& worker, const protocol::LeaseRequest& ask);
  http::Response solve(const http::Request& request);
  http::Response lease_action(const http::Request& request);
  http::Response renew(const Id16& lease, const keys::PublicKey& worker);
  http::Response commit(const Id16& lease, const keys::PublicKey& worker, ByteView body);
  http::Response open(const Id16& lease, const keys::PublicKey& worker, ByteView body);
  http::Server::FileAnswer blob(const http::Request& request);
  http::Response receipt(const http::Request& request);
  http::Response block(const http::Request& request);
  http::Response account(const http::Request& request);
  void events(std::shared_ptr<http::EventStream> stream);
  Result<keys::PublicKey> who(const http::Request& request, const keys::PublicKey* registering = nullptr);

  RoutesContext c_;
  http::Server* server_ = nullptr;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::uint64_t generation_ = 0;
  std::atomic<int> waiting_leases_{0};
  std::atomic<int> waiting_checks_{0};
};

}  // namespace sparkmill::node
