// SPDX-License-Identifier: Apache-2.0
// What every source of mining work speaks: jobs out, shares in, an end for each share. The scheduler sees only this,
// whether the work comes from a pool, a Bytom node or our own node.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "kernels/tensority/tensority.h"
#include "verify/chain/difficulty.h"
#include "verify/chain/header.h"

namespace sparkmill::mining {

/// Nonces first .. first + count - 1, all below 2^63.
struct NonceRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  friend bool operator==(const NonceRange&, const NonceRange&) = default;
};

/// A header to be completed by a nonce. Immutable; a change is a new job with a serial of its own.
struct MiningJob {
  std::uint64_t serial = 0;   ///< names the job within its source, never used again
  std::uint64_t session = 0;  ///< a login, or a stretch without interruption: shares of an older one cannot be sent
  std::string id;             ///< the source's own name for it
  chain::BlockHeader header;  ///< nonce is 0
  Hash32 seed{};
  chain::Target share_target;  ///< what the source wants to see; never negative or zero
  chain::Target block_target;  ///< of header.bits
  NonceRange nonces;           ///< what this worker may use of it; devices share it through a NonceBook
  bool clean = true;           ///< shares of all earlier jobs are stale: drop what runs
};

/// What a search needs of a job.
tensority::Preimage preimage(const MiningJob& job);
/// The easier of share and block target, for kernels: a result that only makes a block is wanted too.
Hash32 search_bound(const MiningJob& job);
/// Does the result make a block, not only a share?
bool makes_block(const MiningJob& job, const Hash32& result);
/// The same block content, so that a nonce tried for one need not be tried for the other.
bool same_header(const MiningJob& a, const MiningJob& b);

/// A solution, recomputed by another row before it comes here.
struct Share {
  std::uint64_t job_serial = 0;
  std::uint64_t nonce = 0;
  Hash32 result{};
  std::string device;
};

/// How a share ended. Exactly one for each ticket.
enum class ShareEnd : std::uint8_t {
  accepted,
  stale,     ///< refused because the chain or the job had moved on
  rejected,  ///< refused for another reason
  unknown,   ///< sent, and the line broke or nothing meaningful came back; never sent again
  not_sent   ///< given up before it left: its job or its line was gone
};
enum class ShareReason : std::uint8_t {
  none,
  low_difficulty,  ///< above the target: our bug, or a target misread
  job_gone,        ///< the source does not know the job any more, or has a newer block
  duplicate,
  unauthorised,
  bad_format,     ///< the source could not read it
  bad_timestamp,  ///< Bytom node: not above the median, or too far ahead
  other,
  line_broke,
  no_verdict  ///< an answer came, but says neither yes nor no
};
std::string_view name(ShareEnd end);
std::string_view name(ShareReason reason);

struct ShareAnswer {
  std::uint64_t ticket = 0;
  std::uint64_t job_serial = 0;
  std::uint64_t nonce = 0;
  std::string device;
  ShareEnd end = ShareEnd::unknown;
  ShareReason reason = ShareReason::none;
  std::string text;              ///< the source's own words, printable, at most 200 bytes
  std::uint64_t latency_ms = 0;  ///< from sending to the answer
  bool block = false;            ///< it met the block target
};

/// submitted == accepted + stale + rejected + unknown + open, always.
struct Books {
  std::uint64_t submitted = 0, accepted = 0, stale = 0, rejected = 0, unknown = 0;
  std::uint64_t open = 0;                   ///< sent, no answer yet
  std::uint64_t not_sent = 0;               ///< beside the equation: nothing left this machine
  std::uint64_t blocks = 0;                 ///< accepted ones that met the block target
  std::uint64_t jobs = 0;                   ///< jobs passed on
  std::uint64_t bad_jobs = 0;               ///< jobs refused as impossible
  std::array<std::uint64_t, 10> reasons{};  ///< by ShareReason, of all that were not accepted
  bool balanced() const { return submitted == accepted + stale + rejected + unknown + open; }
  void count(const ShareAnswer& answer);  ///< an answer to a submitted share; `not_sent` ones too
};

enum class SourcePhase : std::uint8_t {
  connecting,
  connected,    ///< logged in, a job is there
  waiting,      ///< connected, no job yet
  unreachable,  ///< tried, failed, tries again
  refused,      ///< the source does not want us; trying again would not help
  idle,         ///< the source has no work of this kind, and nobody insisted on it
  stopped
};
std::string_view name(SourcePhase phase);

struct SourceReport {
  SourcePhase phase = SourcePhase::connecting;
  std::string name;              ///< URL without credentials
  std::string detail;            ///< one sentence: the last cause
  std::uint64_t latency_ms = 0;  ///< of the last answered share or poll
  std::uint64_t switches = 0;    ///< from one pool to another
  std::uint64_t height = 0;      ///< of the current job
  double difficulty = 0;         ///< hashes expected for a share
  double block_difficulty = 0;   ///< and for a block
  std::uint64_t retry_in_ms = 0;
  Books books;
};

/// Gets news. Calls come from the source's threads, one at a time and in order; they must not block, may call submit(),
/// must not call stop().
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void on_job(const MiningJob& job) = 0;
  /// There is nothing to do any more: drop all work. The next on_job ends it.
  virtual void on_no_job(const std::string& why) = 0;
  virtual void on_answer(const ShareAnswer& answer) = 0;
  virtual void on_report(const SourceReport& report) = 0;
};

/// Thread-safe but for start and stop.
class Source {
 public:
  virtual ~Source() = default;
  /// Starts threads. `listener` must outlive stop().
  virtual Done start(Listener& listener) = 0;
  /// Queues a share and returns its ticket; its end comes by on_answer, once. An Error means that nothing was or will
  /// be sent, and that no answer comes: late (its job or session is over), duplicate (this header with this nonce was
  /// submitted before), bad_argument (above the share target, or a nonce of 2^63 or more), too_large (queue full).
  virtual Result<std::uint64_t> submit(const Share& share) = 0;
  virtual SourceReport report() const = 0;
  /// Ends the threads. Shares without an answer end as unknown, queued ones as not_sent.
  virtual void stop() = 0;
};

/// Printable ASCII of what a peer sent, cut to `limit` bytes: safe for logs and terminals.
std::string printable(std::string_view text, std::size_t limit = 200);

}  // namespace sparkmill::mining
