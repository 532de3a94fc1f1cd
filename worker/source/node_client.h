// SPDX-License-Identifier: Apache-2.0
// The worker's side of the node protocol (DESIGN 7, jobs and proofs 3): signed requests in the node's time, typed
// answers, and checks of everything a node says that can be checked. A node is never believed, only measured.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "base/http/client.h"
#include "node/protocol/boinc.h"
#include "node/protocol/boinc_claim.h"
#include "node/protocol/messages.h"
#include "node/protocol/signing.h"
#include "worker/store/blob_cache.h"

namespace sparkmill::worker {

struct NodeLinkSettings {
  std::string url;
  std::string ca_file;
  std::string pin_name;                    ///< under which the node's key is remembered; empty: the URL
  std::optional<keys::PublicKey> trusted;  ///< configured key: replaces what was remembered
};

/// Where the node's key is remembered: the store, or a test's memory.
struct KeyMemory {
  std::function<Result<std::optional<keys::PublicKey>>(const std::string&)> recall;
  std::function<Done(const std::string&, const keys::PublicKey&)> remember;
};

/// What all connections to one node share: its key, its boot id, its clock. Thread-safe.
class NodeLink {
 public:
  static Result<std::shared_ptr<NodeLink>> make(NodeLinkSettings settings, const keys::KeyFile& key, KeyMemory memory,
                                                const Clock& clock);

  const NodeLinkSettings& settings() const { return settings_; }
  const http::Url& url() const { return url_; }
  const keys::PublicKey& worker_pub() const { return envelope_.public_key(); }
  const keys::SigningKey& envelope_key() const { return envelope_; }

  /// Takes an info answer in: checks protocol and key, learns boot id and time. Errors: refused (key changed),
  /// unsupported -> refused (protocol), bad_input.
  Done learn(const protocol::Info& info, std::uint64_t asked_steady_ms, std::uint64_t answered_steady_ms);
  bool known() const;
  protocol::Info info() const;
  /// The node's clock as far as known: its last word plus our steady clock since. 0 before the first contact.
  std::uint64_t now_ms() const;
  std::string sign(std::string_view method, std::string_view target, ByteView body) const;
  protocol::Registration registration(const std::string& name, std::vector<std::string> devices) const;
  const Clock& clock() const { return clock_; }

 private:
  NodeLink(NodeLinkSettings settings, http::Url url, const keys::KeyFile& key, KeyMemory memory, const Clock& clock);
  NodeLinkSettings settings_;
  http::Url url_;
  keys::SigningKey envelope_;
  keys::SigningKey request_;
  KeyMemory memory_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::optional<protocol::Info> info_;
  std::int64_t offset_ms_ = 0;  ///< node time minus steady clock
};

/// One connection; one thread at a time. Errors of every call: unreachable, timeout (network); bad_input, too_large,
/// corrupt (the node's answer makes no sense); refused and what else the node says.
class NodeClient {
 public:
  explicit NodeClient(std::shared_ptr<NodeLink> link, StopToken stop = {});

  Result<protocol::Info> info();
  Done enlist(const std::string& name, std::vector<std::string> devices);
  /// `held`: the leases this worker knows of; the node hands out again what it gave but does not find there.
  Result<std::vector<protocol::Lease>> leases(const std::vector<std::string>& kinds, std::uint32_t max,
                                              std::uint32_t wait_ms, std::vector<Id16> held);
  /// A search (kind tensority); waits up to wait_ms for one of a block of which `held` names none. None: nothing new.
  Result<std::optional<protocol::Lease>> search(std::vector<Id16> held, std::uint32_t wait_ms);
  Result<protocol::SolutionAnswer> solve(const protocol::Solution& solution);
  /// Signs the claims for this node. Error not_found: the node has no place for them.
  Result<std::vector<protocol::BoincClaimAnswer>> claim(std::vector<protocol::BoincClaim> claims);
  Result<protocol::Renewal> renew(const Id16& lease);
  Result<protocol::CommitAnswer> commit(const Id16& lease, const Bytes& envelope);
  /// nullopt: recorded, the check still runs. The receipt's signature is checked against the node's key.
  Result<std::optional<protocol::Receipt>> open(const Id16& lease, const Bytes& envelope);
  Result<std::optional<protocol::Receipt>> receipt(const Id16& lease);
  Result<protocol::Block> block(std::uint64_t height);
  Result<protocol::Block> latest_block();
  Result<protocol::Account> account();
  /// Credit from BOINC (docs/boinc-credit.md), answers in the order of what was sent; at most kMaxBoincBatch.
  Result<std::vector<protocol::CreditAnswer>> bring_receipts(const protocol::BoincReceipts& receipts);
  Result<protocol::BoincBindingInfo> bind_account(const protocol::BoincBinding& binding);
  Result<std::vector<protocol::BoincBindingInfo>> bindings();
  /// The text that the owner of that account lets his project sign, for this worker and node, as of now.
  Result<std::string> ownership_text(const Id16& cpid);
  BlobCache::Fetch blob_fetch();
  /// Blocks until the stream ends or `on_event` returns false.
  Done events(const std::function<bool(std::string_view event, std::string_view data)>& on_event);

 private:
  Result<http::Response> get(const std::string& target);
  Result<http::Response> signed_call(const std::string& method, const std::string& target, Bytes body,
                                     unsigned timeout_ms = 0);
  Result<std::optional<protocol::Receipt>> receipt_answer(const Id16& lease, const Result<http::Response>& answer);
  std::shared_ptr<NodeLink> link_;
  StopToken stop_;
  http::Client client_;
};

/// The challenge seed's beacons, checked against each other: heights, hash links, the beacon formula and the chain of
/// secrets. Error: bad_input naming what does not fit.
Done check_beacons(const protocol::Block& second, const protocol::Block& third, std::uint64_t commit_height);

}  // namespace sparkmill::worker
