// SPDX-License-Identifier: Apache-2.0
// The project's books in SQLite: accounts, hosts, work units, results, credit. One writer; every public function is one
// transaction, so that a kill -9 leaves the state before or after it. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "base/sqlite.h"
#include "boinc/project/catalog.h"
#include "boinc/project/messages.h"
#include "boinc/project/transition.h"

namespace sparkmill::boinc::project {

/// Who may get two instances of one unit.
enum class Repeat : std::uint8_t {
  none_of_user,  ///< a user gets one instance of a unit, whatever became of it
  none_of_host,  ///< a host gets one; two hosts of a user may confirm each other
  any            ///< only for units of quorum 1: otherwise a host would confirm itself
};

struct Policy {
  std::uint32_t request_delay_s = 7;
  std::uint32_t next_rpc_delay_s = 0;  ///< clients ask again within that time even without need; 0: not said
  std::uint32_t tasks_per_device = 2;  ///< held by a host at once, for each core or device
  std::uint64_t retry_ms = 30'000;     ///< until a validator or assimilator that failed is tried again
  Repeat repeat = Repeat::none_of_user;
  std::uint32_t keep_files_s = 86'400;  ///< outputs, after their unit was assimilated
};

struct InputFile {
  std::string name, open_name;
  bool copy = false;
  std::uint64_t nbytes = 0;
  std::string md5;
};

struct OutputSlot {
  std::string open_name;
  std::uint64_t max_nbytes = 0;
  bool optional = false;
};

struct UnitSpec {
  std::string name, app, command_line;
  std::int64_t batch = 0;
  std::int64_t fpops_est = 0, fpops_bound = 0;
  std::int64_t memory_bytes = 0, disk_bytes = 0;
  std::int64_t delay_s = 0;             ///< from sending to the deadline
  std::int64_t credit_microcobble = 0;  ///< fixed, for each valid result
  Limits limits;
  std::vector<InputFile> inputs;
  std::vector<OutputSlot> outputs;
};

struct OutputFile {
  std::string name, open_name;
  std::uint64_t max_nbytes = 0;
  bool optional = false;
};

/// A result that goes to a host.
struct Task {
  std::string result;
  std::int64_t deadline_ms = 0;
  UnitSpec unit;
  const Version* version = nullptr;
  double flops = 0;
  std::vector<OutputFile> outputs;
};

struct UserView {
  std::int64_t id = 0, created_ms = 0;
  std::string name, email, cross_project_id;
  std::int64_t credit_microcobble = 0;
  double average_microcobble = 0;
  std::int64_t average_ms = 0;
  std::string external_cpid() const;
};

/// What the scheduler says to a request.
struct Answer {
  std::vector<std::pair<bool, std::string>> messages;  ///< true: a notice for the user, false: for the log
  std::uint32_t delay_s = 0;
  std::optional<UserView> user;  ///< nothing: unknown account, and nothing below is set
  std::int64_t new_host = 0;     ///< 0: the host keeps its id
  std::int64_t host_credit_microcobble = 0;
  double host_average_microcobble = 0;
  bool needs_key = false;  ///< the client has no code signing key yet
  std::vector<std::string> acks, aborts, aborts_if_not_started;
  std::vector<Task> tasks;
};

/// A file that the books know of as an output of a result.
struct ExpectedFile {
  std::uint64_t max_nbytes = 0;
  bool complete = false;
  std::string md5;      ///< of the complete file
  bool frozen = false;  ///< its result was reported: content no longer changes
};

/// A unit whose good results the validator has to see.
struct ToValidate {
  std::int64_t unit = 0;
  std::string name;
  Limits limits;
  struct Item {
    std::int64_t result = 0;
    std::string name;
    bool canonical = false;
    std::vector<std::string> files;  ///< names of its outputs that arrived, in order
  };
  std::vector<Item> items;  ///< the canonical result, if there is one, and all that are not decided
};

/// What the validator said about one result.
struct Verdict {
  std::int64_t result = 0;
  Validity validity = Validity::init;
  bool init_failed = false;  ///< invalid already by itself: outcome validate_error
  std::string note;
};

struct Validation {
  std::vector<Verdict> verdicts;
  std::optional<std::int64_t> canonical;
  std::optional<std::uint32_t> target;  ///< more instances are needed for a decision
  unsigned error_mask = 0;
};

struct ToAssimilate {
  std::int64_t unit = 0;
  std::string name;
  std::int64_t batch = 0;
  unsigned error_mask = 0;
  std::string result;              ///< the canonical one; empty when the unit failed
  std::vector<std::string> files;  ///< of the canonical result
  struct Owner {
    std::string result;
    std::int64_t user = 0, host = 0;
  };
  std::vector<Owner> owners;  ///< of every valid result
};

struct ResultView {
  std::string name, unit, outcome, validity, state, note, device;
  std::int64_t host = 0, user = 0, exit_status = 0, sent_ms = 0, deadline_ms = 0, received_ms = 0;
  std::int64_t credit_microcobble = 0, elapsed_ms = 0, cpu_ms = 0;
};
struct UnitView {
  std::int64_t id = 0;
  std::string name, app, canonical, note;
  unsigned error_mask = 0;
  bool assimilated = false;
};
struct HostView {
  std::int64_t id = 0, user = 0, seen_ms = 0, credit_microcobble = 0;
  std::string name, cpu;
};
struct Overview {
  std::vector<UserView> users;
  std::vector<HostView> hosts;
  std::vector<UnitView> units;      ///< the newest, as many as asked for
  std::vector<ResultView> results;  ///< likewise
  std::map<std::string, std::int64_t> counts;
};

/// A page's names for numbers of specs/boinc.md 6.
std::string_view name(ServerState state);
std::string_view name(Outcome outcome);
std::string_view name(Validity validity);
std::string error_mask_text(unsigned mask);

class Books {
 public:
  /// `catalog` and `clock` must outlive it. Errors: locked (a second server on the folder), corrupt, io_error,
  /// no_space.
  static Result<std::unique_ptr<Books>> open(const std::filesystem::path& file, const Catalog& catalog,
                                             const Clock& clock, Policy policy);

  // accounts.cpp ------------------------------------------------------------------------------------------------
  /// `passwd_hash` is MD5(password + lower-case address), as the client sends it; a slow salted hash of it is kept.
  /// Returns the authenticator; of an existing account when the password is the same. Errors: duplicate, bad_input.
  Result<std::string> create_account(const std::string& email, const std::string& passwd_hash, const std::string& user);
  /// Errors: not_found, refused (wrong password). An empty hash asks only whether the account exists and gives "".
  Result<std::string> find_account(const std::string& email, const std::string& passwd_hash);
  /// Errors: refused (no account has that key).
  Result<std::int64_t> user_id(const std::string& authenticator);

  // work.cpp ----------------------------------------------------------------------------------------------------
  /// Errors: duplicate (a unit of that name), bad_input, not_found (no such application).
  Done add_unit(const UnitSpec& unit);
  Done cancel_unit(const std::string& name);
  /// Gives a unit that failed or was cancelled another try, with as many errors and instances as at first. Errors:
  /// not_found (no such unit), refused (not given up, or a hundred instances in all).
  Done reissue_unit(const std::string& name);

  // scheduling.cpp ----------------------------------------------------------------------------------------------
  Result<Answer> schedule(const SchedulerRequest& request);

  // work.cpp ----------------------------------------------------------------------------------------------------
  /// Errors: not_found.
  Result<ExpectedFile> expected_file(const std::string& name);
  Done file_arrived(const std::string& name, std::uint64_t nbytes, const std::string& md5);

  // rounds.cpp --------------------------------------------------------------------------------------------------
  /// Looks at every unit whose time has come. Returns how many.
  Result<std::size_t> transition();
  Result<std::optional<ToValidate>> next_to_validate();
  /// Writes verdicts down and grants credit, each result once.
  Done validated(std::int64_t unit, const Validation& validation);
  Result<std::optional<ToAssimilate>> next_to_assimilate();
  Done assimilated(std::int64_t unit);
  /// The executable failed by itself: the unit waits for Policy::retry_ms, the page shows `note`.
  Done try_later(std::int64_t unit, const std::string& note);

  /// Outputs that arrived, of units that are assimilated and have no instance left at work, received at least
  /// Policy::keep_files_s ago. The canonical result's are among them.
  Result<std::vector<std::string>> deletable_files(std::size_t limit);
  Done file_deleted(const std::string& name);

  // views.cpp ---------------------------------------------------------------------------------------------------
  Result<Overview> overview(std::size_t rows);

 private:
  Books(std::unique_ptr<sqlite::Database> db, const Catalog& catalog, const Clock& clock, Policy policy)
      : db_(std::move(db)), catalog_(catalog), clock_(clock), policy_(policy) {}
  std::int64_t now() const { return static_cast<std::int64_t>(clock_.unix_ms()); }
  /// Runs `body` under the lock, in a transaction that is committed when it returns a value.
  template <class F>
  auto transact(std::string_view what, F&& body) -> decltype(body()) {
    std::lock_guard lock(mutex_);
    return sqlite::guarded(what, [&]() -> decltype(body()) {
      sqlite::Transaction transaction(*db_);
      auto out = body();
      if (out) transaction.commit();
      return out;
    });
  }
  template <class... Args>
  void run(std::string_view sql, const Args&... args) {
    db_->prepare(sql).all(args...).run();
  }

  std::optional<UserView> user_of(const std::string& authenticator);
  std::int64_t host_of(const SchedulerRequest& request, const UserView& user, Answer& answer);
  void take_report(const Reported& report, std::int64_t host, Answer& answer);
  void resend_lost(const SchedulerRequest& request, std::int64_t host, Answer& answer);
  void abort_unneeded(const SchedulerRequest& request, Answer& answer);
  void give_work(const SchedulerRequest& request, const UserView& user, std::int64_t host, Answer& answer);
  bool had_it(std::int64_t unit, std::uint32_t quorum, std::int64_t user, std::int64_t host);
  UnitSpec unit_of(std::int64_t id);
  std::vector<OutputFile> outputs_of(std::int64_t result);
  std::vector<std::string> files_of(std::int64_t result);
  void look_at(std::int64_t unit);
  void make_result(std::int64_t unit, const std::string& unit_name, std::uint32_t seq);
  void grant(std::int64_t result, std::int64_t credit);

  std::unique_ptr<sqlite::Database> db_;
  const Catalog& catalog_;
  const Clock& clock_;
  const Policy policy_;
  std::mutex mutex_;
};

}  // namespace sparkmill::boinc::project
