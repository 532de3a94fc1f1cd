// SPDX-License-Identifier: Apache-2.0
// The node's store: workers, tasks, attempts (jobs), leases, commits, openings, receipts, blocks and accounts in one
// SQLite file. Every change of state is one transaction; a crash at any point loses nothing that was answered and
// counts nothing twice. Thread-safe (one connection behind a mutex). Times are milliseconds of the node's clock.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/sqlite.h"
#include "node/ledger/boinc.h"
#include "node/ledger/chain.h"
#include "node/protocol/messages.h"
#include "verify/chain/header.h"

namespace sparkmill::node {

/// One question put to the workers; attempts at it are jobs of their own.
struct Task {
  std::int64_t id = 0;
  std::uint16_t kind = 0;
  Bytes spec;  ///< the generator's own layout: everything that builds another attempt
  keys::PublicKey requester{};
  std::uint64_t escrow_microcobble = 0;
  std::uint32_t attempts = 0;  ///< made so far
};

/// An attempt: a sealed job with its secrets and the blobs it needs.
struct Attempt {
  std::int64_t task = 0;
  Id16 job_id{};
  Bytes job;      ///< job::encode
  Bytes ringers;  ///< known only here
  std::vector<Hash32> blobs;
  std::uint64_t deadline_ms = 0;  ///< of the job
};

enum class LeaseState : std::uint8_t { taken = 1, committed = 2, opened = 3, settled = 4 };

/// What the checker needs to decide on a lease in state `opened`.
struct CheckInput {
  Id16 lease_id{};
  keys::PublicKey worker_pub{};
  Bytes job;
  Bytes ringers;
  Bytes commit;                ///< body of the commit envelope
  Bytes opening;               ///< body of the opening envelope
  std::uint32_t openings = 0;  ///< k of the lease
  Hash32 beacon2{};
  Hash32 beacon3{};
};

/// The decision on a lease; credit follows from units and weight.
struct Decision {
  bool accepted = false;
  std::string reason;
  std::string detail;
  std::uint64_t units = 0;
  std::uint64_t microcobble_per_gi_unit = 0;
  Hash32 answer_hash{};
  Bytes result;  ///< answer without ringers, kept with the task
};

struct OpeningAnswer {
  std::optional<protocol::Receipt> receipt;  ///< absent: recorded, the check is pending
  bool fresh = false;                        ///< recorded by this call
};

struct AppendedBlock {
  protocol::Block block;
  std::vector<Id16> challenged;  ///< leases that can be opened from now on
};

/// What a worker's shares of one search are worth, written as a receipt with the block that ends the search.
struct ShareCredit {
  Id16 lease_id{};
  Id16 job_id{};
  keys::PublicKey worker{};
  std::uint64_t hashes = 0;  ///< expected for so many shares
  std::uint64_t microcobble_per_gi_unit = 0;
};

struct LedgerStats {
  std::uint64_t ready = 0;  ///< attempts nobody has taken
  std::uint64_t tasks = 0;  ///< ever made
  std::uint64_t tasks_done = 0;
  std::uint64_t receipts = 0;
};

struct LedgerOptions {
  std::filesystem::path folder;
  ChainParams chain;            ///< must equal what the ledger was made with, but for the first difficulty in `bits`
  keys::PublicKey requester{};  ///< the generator's own account
  std::uint64_t requester_allowance_microcobble = 1'000'000'000'000'000;  ///< 10^9 cobblestones, given once
  std::uint64_t lease_ms = 600'000;
  std::uint64_t min_open_ms = 60'000;
  std::uint64_t reissue_grace_ms = 5'000;  ///< so long a new attempt waits for a worker who has not tried the task
  std::uint32_t max_attempts = 32;
  std::uint32_t max_open_leases = 64;  ///< of one worker
  std::uint32_t max_workers = 100'000;
  std::uint64_t max_lease_ms = 86'400'000;             ///< renewals end here
  std::map<std::uint16_t, std::uint32_t> kind_shares;  ///< of the credit that is handed out; absent: 1
};

class Ledger {
 public:
  /// Opens or creates `folder`/ledger.sqlite and the beacon chain beside it; block 0 is made at creation. Deadlines
  /// that ran while no node was up are moved by the time since the last block. Errors: locked, corrupt, bad_config
  /// (another chain, or one with and one without proof of work), io_error, no_space.
  static Result<std::unique_ptr<Ledger>> open(LedgerOptions options, const keys::SigningKey& receipt_key,
                                              std::uint64_t now_ms);

  /// Small named values (population seed, ...).
  Result<std::optional<Bytes>> meta(std::string_view key);
  Done set_meta(std::string_view key, ByteView value);

  // workers and requests
  Done register_worker(const protocol::Registration& registration, std::uint64_t now_ms);
  Result<keys::PublicKey> request_key(const keys::PublicKey& worker_pub);
  /// Error: duplicate when the nonce was used before; nonces older than the window are forgotten.
  Done use_nonce(const keys::PublicKey& worker_pub, const Id16& nonce, std::uint64_t now_ms);

  // tasks and attempts
  /// Reserves the escrow from the requester's allowance. Error: refused when it does not suffice.
  Result<Task> add_task(std::uint16_t kind, ByteView spec, std::uint64_t escrow_microcobble, std::uint64_t now_ms);
  /// The oldest open task without a live attempt; of that kind, if one is named.
  Result<std::optional<Task>> task_without_attempt(std::optional<std::uint16_t> kind = std::nullopt);
  Result<Task> task_of(const Id16& job_id);
  Done add_attempt(const Attempt& attempt, std::uint64_t now_ms);
  Result<std::vector<Hash32>> blobs();
  /// A blob is gone from disk: ready attempts that need it are dropped, their tasks get new ones.
  Done drop_attempts_with(const Hash32& sha);
  /// Unused blobs may be deleted from disk; call forget_blob after that.
  Result<std::vector<Hash32>> unused_blobs();
  Done forget_blob(const Hash32& sha);
  /// Of that kind, if one is named; receipts are those of all.
  Result<LedgerStats> stats(std::optional<std::uint16_t> kind = std::nullopt);
  /// The stored answer of a finished task; empty when there is none yet.
  Result<Bytes> task_result(std::int64_t task);

  // leases
  /// At most max leases. Where jobs of several of the kinds are ready, the credit on offer is handed out in the
  /// proportion of the kinds' shares. With held: first those the worker has, without a commit, and does not name there.
  Result<std::vector<protocol::Lease>> take(const keys::PublicKey& worker_pub, const std::vector<std::uint16_t>& kinds,
                                            std::uint32_t max, std::uint32_t openings, std::uint64_t now_ms,
                                            const std::optional<std::vector<Id16>>& held = std::nullopt);
  Result<protocol::Renewal> renew(const Id16& lease, const keys::PublicKey& worker_pub, std::uint64_t now_ms);
  bool may_read(const keys::PublicKey& worker_pub, const Hash32& blob);

  // proofs
  Result<protocol::CommitAnswer> commit(const Id16& lease, const keys::PublicKey& worker_pub, const Id16& job_id,
                                        ByteView body, std::uint64_t now_ms);
  Result<OpeningAnswer> open_lease(const Id16& lease, const keys::PublicKey& worker_pub, const Id16& job_id,
                                   ByteView body, std::uint64_t now_ms);
  /// Leases whose opening is recorded but not yet judged (after a restart: all that the crash interrupted).
  Result<std::vector<Id16>> unjudged();
  Result<CheckInput> check_input(const Id16& lease);
  /// Writes the receipt (for the next block), credit, result and the task's state; the same lease twice gives the first
  /// receipt again.
  Result<protocol::Receipt> settle(const Id16& lease, const Decision& decision, std::uint64_t now_ms);
  /// Settles every lease that is past its commit or opening deadline as "late" and returns them; ready attempts whose
  /// job deadline is near are dropped, so that their tasks get new ones.
  Result<std::vector<Id16>> expire(std::uint64_t now_ms);
  Result<protocol::Receipt> receipt(const Id16& id);
  Result<LeaseState> lease_state(const Id16& lease);

  // credit decided on BOINC servers (boinc.h, docs/boinc-credit.md)
  /// The rules in force from the next receipt on; those that did not change leave no trace.
  Done set_credit_rules(const std::map<std::string, CreditRule>& rules);
  /// Credits each result once for ever, in one transaction: receipts stand in the next block like any other. The same
  /// result again is answered as it was (another key: refused). Over a cap of the day: pending, to be sent again.
  Result<std::vector<protocol::CreditAnswer>> credit_results(const std::vector<ResultCredit>& results);
  /// Errors: late (the account was bound by a newer text), too_large (64 bindings of this worker).
  Result<protocol::BoincBindingInfo> bind_account(const AccountBinding& binding);
  Result<std::vector<protocol::BoincBindingInfo>> bindings(const keys::PublicKey& worker);
  /// User ids with a binding, of one project.
  Result<std::vector<std::uint64_t>> bound_accounts(const std::string& project);
  /// Credits what the bound accounts gained since they were last seen, in one transaction. `users` holds what the
  /// export lists of them, `hash` is the export's.
  Result<ExportReport> credit_export(const std::string& project, const CreditRule& rule, const Hash32& hash,
                                     const std::map<std::uint64_t, ExportEntry>& users, std::uint64_t now_ms);
  /// Node time of the last export that was taken; 0: none.
  Result<std::uint64_t> last_export_ms(const std::string& project);
  /// Records the claims and says what became of each; credits nothing. `rules`: the projects in force.
  Result<std::vector<protocol::BoincClaimAnswer>> claim_results(const keys::PublicKey& worker,
                                                                const std::vector<ResultClaim>& claims,
                                                                const std::map<std::string, CreditRule>& rules,
                                                                std::uint64_t now_ms);

  // blocks and accounts
  /// With proof of work: the header of the block after the tip, nonce 0. Its receipts are settled: those decided from
  /// now on stand in the block after it.
  Result<chain::BlockHeader> candidate(std::uint64_t now_ms);
  /// The caller has checked the work. Error: duplicate when the tip is not its parent (any more).
  Result<AppendedBlock> append_solved(const chain::BlockHeader& header, const std::vector<ShareCredit>& shares);
  /// A block without work, flagged; the next one is half as hard.
  Result<AppendedBlock> append_fallback(std::uint64_t now_ms, std::uint64_t nonce,
                                        const std::vector<ShareCredit>& shares);
  /// Without proof of work: the timer's block.
  Result<AppendedBlock> append_block(std::uint64_t now_ms, std::uint64_t nonce);
  Result<protocol::Block> block(std::uint64_t height);
  protocol::Block tip();
  Hash32 first_anchor();
  Result<protocol::Account> account(const keys::PublicKey& pub);
  /// Sum of all payments and carried amounts; equals the sum of rewards up to the tip.
  Result<std::uint64_t> total_paid_and_carried();

 private:
  Ledger(LedgerOptions options, const keys::SigningKey& receipt_key);
  Done prepare(std::uint64_t now_ms);
  Done check_chain_params();
  Done load_beacon();
  void move_deadlines(std::uint64_t now_ms);

  // The functions below run inside the caller's transaction and lock, and throw sqlite::Failure.
  std::optional<Bytes> get_meta(std::string_view key);
  void put_meta(std::string_view key, ByteView value);
  protocol::Receipt write_receipt(const Id16& lease, const Decision& decision, std::uint64_t now_ms);
  std::optional<protocol::Receipt> find_receipt(const Id16& id);
  void close_attempt(const Id16& job_id);
  void pay_credit(std::int64_t task, protocol::Receipt& receipt, const Decision& decision);
  void fail_task_if_tired(std::int64_t task);
  Result<AppendedBlock> append_locked(std::uint64_t time_ms, std::uint64_t nonce, bool fallback,
                                      const chain::BlockHeader* solved, const std::vector<ShareCredit>& shares);
  Result<chain::BlockHeader> next_header(std::uint64_t now_ms, std::vector<Hash32>& leaves);
  Result<Hash32> anchor_for(std::uint64_t height);
  Result<std::uint64_t> bits_after(const protocol::Block& tip);
  std::uint64_t receipt_height() const;
  void credit_shares(const ShareCredit& share, std::uint64_t height);
  void insert_receipt(protocol::Receipt& receipt, ByteView requester);  ///< signs it; the worker's account too
  std::uint64_t own_allowance();
  /// How much of a project's day and of the node's own allowance is left.
  std::uint64_t credit_room(const std::string& project, const CreditRule& rule);
  void book_boinc(protocol::Receipt& receipt, const std::string& project);
  protocol::CreditAnswer credit_result(const ResultCredit& result);
  protocol::BoincClaimAnswer claim_state(const keys::PublicKey& worker, const ResultClaim& claim,
                                         const CreditRule& rule);
  void pay_block(protocol::Block& block, std::uint64_t& carry_workers, std::uint64_t& carry_requesters);
  void pay_income(const keys::PublicKey& pub, std::uint64_t amount, std::uint64_t day);
  void pay_fund(const keys::PublicKey& pub, std::uint64_t amount, std::uint64_t day);
  std::optional<protocol::Block> find_block(std::int64_t height);  ///< -1: the latest
  struct LeaseRow {
    Id16 id{};
    Id16 job{};
    keys::PublicKey worker{};
    LeaseState state = LeaseState::taken;
    std::uint64_t taken_ms = 0;
    std::uint64_t deadline_ms = 0;
    Bytes commit_hash;  ///< empty: none yet
    std::uint64_t commit_height = 0;
    std::uint64_t open_by_height = 0;
    std::uint64_t open_by_ms = 0;
    Bytes opening_hash;
    std::uint32_t openings = 0;
  };
  std::optional<LeaseRow> find_lease(const Id16& id);
  std::vector<protocol::Lease> lost_leases(const keys::PublicKey& worker_pub, const std::vector<Id16>& held,
                                           std::uint32_t max, std::uint64_t now_ms);
  double turn_of(std::uint16_t kind) const;
  Result<LeaseRow> lease_of(const Id16& id, const keys::PublicKey& worker_pub, const Id16* job_id);

  LedgerOptions options_;
  const keys::SigningKey& receipt_key_;
  std::map<std::uint16_t, double> turns_;  ///< credit handed out over the kind's share: the least is next
  double turn_ = 0;                        ///< where the last lease began: a kind that had nothing joins here
  std::mutex mutex_;
  std::unique_ptr<sqlite::Database> db_;
  std::optional<BeaconChain> beacon_;
  std::optional<BeaconChain> next_beacon_;  ///< made when a header first needs its anchor
  std::uint64_t beacon_index_ = 0;          ///< which chain
  std::uint64_t beacon_start_ = 0;          ///< height of its first secret
  Hash32 first_anchor_{};
  protocol::Block tip_;
};

}  // namespace sparkmill::node
