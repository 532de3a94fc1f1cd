// SPDX-License-Identifier: Apache-2.0
// What the worker may not lose: leases, slice results, commits, openings, receipts, tuning, pinned node keys.
// SQLite (WAL, synchronous = FULL) behind one writer thread with a bounded queue; locked against a second worker.
//
// Durability: every call but put_slice() returns after its transaction is on disk. put_slice() returns once the result
// is queued; the writer commits whatever is queued in one transaction, again and again, so that a crash costs the
// slices that were running and those handed over during the last fsync. Order is kept: a commit is never on disk before
// the slices it was built from.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/sqlite.h"
#include "node/protocol/boinc_claim.h"
#include "node/protocol/messages.h"

namespace sparkmill::worker {

/// Where a lease stands. Numbers are stored.
enum class Phase : std::uint8_t {
  running = 1,    ///< slices are being computed
  committed = 2,  ///< the commit is stored, the node may not have it yet
  waiting = 3,    ///< the node has recorded the commit at `height`
  opening = 4,    ///< the opening is stored, the node may not have it yet
  done = 5,       ///< receipt stored
  dropped = 6     ///< given up, see `reason`
};

struct LeaseRow {
  Id16 lease_id{};
  Id16 job_id{};
  keys::PublicKey node_pub{};
  Bytes job;  ///< job::encode
  std::uint64_t deadline_ms = 0;
  std::uint32_t attempt = 1;
  std::uint32_t openings = 0;
  Phase phase = Phase::running;
  std::uint64_t target_units = 0;  ///< slicing of the first run, kept so that stored slices fit after a restart
  Hash32 root{};
  std::uint64_t leaf_count = 0;
  Hash32 answer_hash{};
  std::uint64_t answers = 0;
  Bytes commit;  ///< signed envelope, resent byte for byte
  std::uint64_t height = 0;
  std::uint64_t open_by_height = 0;
  std::uint64_t open_by_ms = 0;
  Bytes opening;  ///< signed envelope
};

struct SliceRow {
  std::uint32_t index = 0;
  Bytes result;
};

/// Totals over the life of this store.
struct Counters {
  std::uint64_t accepted = 0, rejected = 0, stale = 0, wrong = 0;
  std::uint64_t units = 0;    ///< of accepted receipts of kinds that find something, as the node counted them
  std::uint64_t answers = 0;  ///< found by them
  std::uint64_t checked = 0;  ///< items decided by the kinds that check: signatures, blocks
  std::uint64_t credit_microcobble = 0;
};

/// A solution on its way to a source of mining work.
struct ShareRow {
  Hash32 id{};  ///< hash of the header with its nonce
  std::string source;
  std::string device;
  std::uint64_t height = 0;
  std::uint64_t nonce = 0;
};

/// How it ended.
struct ShareResult {
  std::string end;     ///< "accepted", "stale", "rejected" or "unknown"
  std::string reason;  ///< one word, empty for accepted
  std::string words;   ///< of the source
  bool block = false;
};

/// Over the life of this store.
struct ShareTotals {
  std::uint64_t accepted = 0, stale = 0, rejected = 0, unknown = 0;
  std::uint64_t blocks = 0;
  std::map<std::string, std::uint64_t> reasons;  ///< "rejected.low_difficulty", "stale.job_gone", ...
};

struct TuningRow {
  std::string device, driver, row;
  std::uint32_t revision = 0;
  double units_per_s = 0;
  std::uint64_t batch_units = 0;
};

/// A finished result of the BOINC client.
struct BoincRow {
  std::string project_url, name;
  std::string app;  ///< empty: not known yet
  std::int32_t exit_status = 0;
  std::uint64_t elapsed_ms = 0, cpu_ms = 0, completed_ms = 0;
  std::uint64_t user_id = 0, host_id = 0;
  Id16 cpid{};
  bool acknowledged = false;  ///< the project's server has it
  Hash32 output_hash{};       ///< SHA-256 of the result file; zeros: not known
  unsigned tries = 0;         ///< of a row that is due: how often it was asked about before
};

/// What became of a claim, or of a project's receipt, and when to ask again.
struct BoincFate {
  std::string state;   ///< of the protocol, or "expired", "other_key"; empty: not known yet
  std::string reason;  ///< stable code
  std::uint64_t credit_microcobble = 0;
  std::uint64_t again_ms = 0;  ///< unix time to ask again; 0: this was the last word
};

struct BoincCounts {
  std::uint64_t results = 0;    ///< finished, well or not
  std::uint64_t failed = 0;     ///< of these, with an exit status other than 0
  std::uint64_t unclaimed = 0;  ///< acknowledged, good, and the node has not decided
  std::uint64_t credited = 0;   ///< claims
  std::uint64_t receipts_waiting = 0, receipts_credited = 0, receipts_refused = 0;  ///< of projects of our own
  std::uint64_t credit_microcobble = 0;                                             ///< by these receipts
};

struct StoreSettings {
  std::size_t queue_items = 512;
  std::size_t queue_bytes = 32u << 20;
  std::uint64_t trouble_patience_ms = 600'000;  ///< how long a full disk is waited for before the store gives up
};

class Store {
 public:
  /// Opens or creates `path`. Errors: locked (another worker), corrupt (damaged or from a newer version; a damaged file
  /// is moved aside, never deleted, and the message says where), no_space, io_error.
  static Result<std::unique_ptr<Store>> open(const std::filesystem::path& path, StoreSettings settings = {},
                                             const Clock& clock = system_clock());
  ~Store();  ///< writes what is queued, then closes

  /// Called from the writer thread: an error at each failed try to write (full disk), nullopt when it works
  /// again.
  void on_trouble(std::function<void(const std::optional<Error>&)> callback);

  /// False: this lease is known already and nothing was changed.
  Result<bool> add_lease(const LeaseRow& lease);
  Done set_target(const Id16& lease, std::uint64_t target_units);
  Done set_deadline(const Id16& lease, std::uint64_t deadline_ms);
  /// Queues one slice result; waits only while the queue is full. Error: the store has given up.
  Done put_slice(const Id16& lease, SliceRow slice);
  Result<std::vector<SliceRow>> slices(const Id16& lease);
  /// Indices only: what a resumed job has done already.
  Result<std::vector<std::uint32_t>> slice_indices(const Id16& lease);
  Done put_commit(const LeaseRow& lease);  ///< root, leaf_count, answer_hash, answers, commit; phase = committed
  Done set_commit_answer(const Id16& lease, const protocol::CommitAnswer& answer);  ///< phase = waiting
  Done put_opening(const Id16& lease, ByteView envelope);                           ///< phase = opening
  /// Counts the receipt and frees slices, commit and opening. `checks`: the answers are verdicts. False: it was counted
  /// before.
  Result<bool> put_receipt(const protocol::Receipt& receipt, std::uint64_t answers, bool checks = false);
  /// Gives a lease up; `counter` is "stale" or "wrong". False: it was finished before.
  Result<bool> drop(const Id16& lease, const std::string& reason, std::string_view counter);

  Result<std::vector<LeaseRow>> unfinished();
  /// At most `limit` leases that have no receipt, those given up among them; the latest deadlines first.
  Result<std::vector<Id16>> held_leases(std::size_t limit);
  Result<Counters> counters();
  Result<std::uint64_t> receipt_count();

  /// Before a share leaves this machine. False: it left before, perhaps in an earlier life; it must not again. Of the
  /// oldest shares only the counts are kept.
  Result<bool> begin_share(const ShareRow& share);
  /// Its end, counted once. Queued; waits only while the queue is full.
  Done end_share(const Hash32& id, const ShareResult& result);
  /// It did not leave after all. Queued.
  Done drop_share(const Hash32& id);
  /// At the start: shares without an answer end as unknown. How many there were.
  Result<std::uint64_t> close_open_shares();
  Result<ShareTotals> share_totals();

  Result<std::vector<TuningRow>> tuning();
  Done put_tuning(const TuningRow& row);

  /// The key first seen at this URL; nullopt when it is new.
  Result<std::optional<keys::PublicKey>> pinned_node(const std::string& url);
  Done pin_node(const std::string& url, const keys::PublicKey& key);

  /// Records a result once; what becomes known later (application, acknowledgement, account) is added. True: it is new.
  Result<bool> put_boinc_result(const BoincRow& row);
  /// Good, acknowledged, without the node's final word and to be asked about at `now_ms` (unix); longest due first.
  Result<std::vector<BoincRow>> boinc_claims_due(std::size_t limit, std::uint64_t now_ms);
  /// The same of results of our own application, whose project's receipt was not credited yet.
  Result<std::vector<BoincRow>> boinc_receipts_due(std::size_t limit, std::uint64_t now_ms);
  Done set_boinc_claim(const BoincRow& row, const BoincFate& fate);
  /// A credited receipt makes a claim that waits for it due at once.
  Done set_boinc_receipt(const BoincRow& row, const BoincFate& fate);
  Result<BoincCounts> boinc_counts();

  std::uint64_t bytes() const;  ///< size of the database files
  /// Waits until everything queued so far is on disk.
  Done flush();

 private:
  using Body = std::function<void(sqlite::Database&)>;
  struct Item {
    Body body;
    std::size_t bytes = 0;
    std::shared_ptr<std::promise<Done>> waiter;  ///< empty: nobody waits
  };

  Store(std::filesystem::path path, StoreSettings settings, const Clock& clock);
  Done call(Body body);
  Done enqueue(Item item);
  void write_loop();
  /// One transaction over all items. Returns the failure, if any; nothing is written then.
  std::optional<Error> write(std::span<Item> items);
  void settle(std::vector<Item>& batch);
  bool wait_out(const Error& error, std::uint64_t since_ms);

  std::filesystem::path path_;
  StoreSettings settings_;
  const Clock& clock_;
  std::unique_ptr<sqlite::Database> db_;  // the writer thread's alone after open()

  std::mutex mutex_;
  std::condition_variable work_, room_;
  std::deque<Item> queue_;
  std::size_t queued_bytes_ = 0;
  bool closing_ = false;
  std::optional<Error> broken_;
  std::function<void(const std::optional<Error>&)> trouble_;
  std::thread writer_;
};

}  // namespace sparkmill::worker
