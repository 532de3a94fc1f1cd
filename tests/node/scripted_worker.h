// SPDX-License-Identifier: Apache-2.0
// A worker reduced to its protocol, so that tests can make it honest or a liar at any step.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/http/client.h"
#include "node/protocol/messages.h"
#include "node/protocol/signing.h"
#include "verify/job/match_h.h"
#include "verify/proof/proof.h"

namespace sparkmill::testing {

/// What a test may spoil in one signed request.
struct Tamper {
  std::optional<keys::PublicKey> node_pub;
  std::optional<Id16> boot_id;
  std::int64_t time_offset_ms = 0;
  std::string sign_target;  ///< non-empty: sign this path instead of the one that is called
  std::optional<Bytes> sign_body;
  std::string header;  ///< non-empty: this header as it is
};

/// A job at hand: its blobs fetched and checked, opened for the lease.
struct Assignment {
  protocol::Lease lease;
  job::Job job;
  job::MemoryBlobs blobs;
  std::unique_ptr<job::Work> work;
};

class ScriptedWorker {
 public:
  /// `seed` makes different keys.
  ScriptedWorker(std::string url, std::uint8_t seed);

  std::vector<std::string> kinds = {"match.h"};  ///< that it asks for

  protocol::Info refresh();
  http::Response get(const std::string& target);
  http::Response send(const std::string& method, const std::string& target, Bytes body, const Tamper& tamper = {});
  /// The same bytes again, header included.
  http::Response resend();
  http::Response enlist();

  std::vector<protocol::Lease> lease(std::uint32_t wait_ms = 30'000, std::uint32_t max = 1);
  /// Aborts the test when there is no job.
  std::unique_ptr<Assignment> take();
  /// Computes all of `work` honestly.
  job::Outcome compute(const job::Work& work);
  http::Response commit(const Assignment& a, const proof::Commit& commit);
  /// Waits for the blocks and opens what the challenge asks of `outcome`.
  http::Response open(const Assignment& a, const protocol::CommitAnswer& answer, const proof::Commit& commit,
                      const job::Outcome& outcome);
  Bytes opening_envelope(const Assignment& a, const protocol::CommitAnswer& answer, const proof::Commit& commit,
                         const job::Outcome& outcome);
  http::Response post_opening(const Assignment& a, const Bytes& envelope);
  protocol::Block wait_block(std::uint64_t height);
  /// Honest commit and opening of `outcome` under `commit`; the receipt.
  protocol::Receipt finish(const Assignment& a, const proof::Commit& commit, const job::Outcome& outcome);

  const keys::PublicKey& pub() const { return envelope_.public_key(); }
  const protocol::Info& info() const { return info_; }
  const keys::SigningKey& envelope_key() const { return envelope_; }
  const keys::SigningKey& request_key() const { return request_; }

 private:
  keys::SigningKey envelope_;
  keys::SigningKey request_;
  std::unique_ptr<http::Client> client_;
  protocol::Info info_;
  http::Request last_;
  std::map<kernels::Family, std::unique_ptr<job::InlineExecutor>> executors_;
};

proof::Commit commit_of(const job::Outcome& outcome);

}  // namespace sparkmill::testing
