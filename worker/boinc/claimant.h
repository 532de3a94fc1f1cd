// SPDX-License-Identifier: Apache-2.0
// Brings what finished BOINC results are worth to the node, on a thread of its own, so that a slow network never delays
// the good neighbour. Results of our own application: the receipt that the project's assimilator published is fetched
// from PROJECT_URL/public/receipts/RESULT.receipt and handed to the node. All results, if told to: signed claims. What
// is not decided is asked about again, later each time, until it is or a month has passed. Source: BOINC page 5, jobs
// and proofs 8; docs/boinc-credit.md.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/stop.h"
#include "node/protocol/boinc.h"
#include "node/protocol/boinc_claim.h"
#include "worker/store/store.h"

namespace sparkmill::worker::boinc {

struct ClaimantSettings {
  bool claims = false;
  bool receipts = true;
  unsigned poll_ms = 5'000;
};

/// Where it stands in the worker; all of it outlives the claimant. Error not_found of both senders: this node has no
/// place for that.
struct ClaimantParts {
  Store& store;
  const Clock& clock;
  keys::PublicKey worker_pub{};
  std::function<Result<std::vector<protocol::BoincClaimAnswer>>(std::vector<protocol::BoincClaim>)> send_claims;
  std::function<Result<std::vector<protocol::CreditAnswer>>(const protocol::BoincReceipts&)> bring_receipts;
  /// The receipt of a result as its project publishes it. Error not_found: not there yet.
  std::function<Result<Bytes>(const std::string& project_url, const std::string& result)> fetch_receipt;
  std::function<void()> changed;   ///< after the store learned something
  std::function<void()> credited;  ///< after the node credited something to this worker; both may be empty
};

class Claimant {
 public:
  Claimant(ClaimantSettings settings, ClaimantParts parts) : settings_(settings), parts_(std::move(parts)) {}
  ~Claimant() { stop(); }
  void start();
  void stop();
  void poke();  ///< a result has just become due
  /// One round over everything that is due now. For the thread, and for tests without one.
  void pass();

 private:
  struct Pause {
    std::uint64_t until_ms = 0;  ///< steady
    bool over(std::uint64_t now_ms) const { return now_ms >= until_ms; }
  };
  void loop();
  void carry_receipts();
  void settle_receipt(const BoincRow& row, const Bytes& receipt, const protocol::CreditAnswer& answer);
  void send_claims();
  /// When to ask again after that many tries, 0 when the result is too old for it.
  std::uint64_t again(const BoincRow& row, std::uint64_t first_ms) const;
  void receipt_later(const BoincRow& row, const std::string& reason);
  void keep(const Done& kept);

  const ClaimantSettings settings_;
  ClaimantParts parts_;
  Pause receipts_pause_, claims_pause_;
  bool learned_ = false;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool poked_ = false, stopping_ = false;
  std::thread thread_;
};

/// HTTP GET of a receipt, redirects are not followed. Requires a result name of our own form. Errors: not_found (404),
/// bad_input (no such name, another status), too_large, network.
Result<Bytes> fetch_published_receipt(const std::string& project_url, const std::string& result,
                                      const std::string& ca_file, StopToken stop);

}  // namespace sparkmill::worker::boinc
