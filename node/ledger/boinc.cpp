// SPDX-License-Identifier: Apache-2.0
// Credit that was decided on BOINC servers: receipts of assimilators, increments of exported credit, claims.
#include "node/ledger/boinc.h"

#include <algorithm>

#include "base/hash.h"
#include "base/hex.h"
#include "node/ledger/ledger.h"
#include "node/ledger/rows.h"

namespace sparkmill::node {

/// boinc_users keeps the highest total ever credited up to: a binding that changes hands does not move it.
const char kBoincSchema[] = R"sql(
CREATE TABLE IF NOT EXISTS boinc_rules(project TEXT NOT NULL, height INTEGER NOT NULL, credit_key BLOB NOT NULL,
  is_foreign INTEGER NOT NULL, weight_ppm INTEGER NOT NULL, max_day INTEGER NOT NULL, max_result INTEGER NOT NULL,
  generation INTEGER NOT NULL, PRIMARY KEY(project, height)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS boinc_results(project TEXT NOT NULL, result TEXT NOT NULL, worker BLOB NOT NULL,
  receipt BLOB NOT NULL, PRIMARY KEY(project, result)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS boinc_bindings(project TEXT NOT NULL, user INTEGER NOT NULL, cpid BLOB NOT NULL,
  worker BLOB NOT NULL, time_s INTEGER NOT NULL, state INTEGER NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY(project, user)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS boinc_bindings_by_worker ON boinc_bindings(worker);
CREATE TABLE IF NOT EXISTS boinc_users(project TEXT NOT NULL, user INTEGER NOT NULL, generation INTEGER NOT NULL,
  total INTEGER NOT NULL, credit INTEGER NOT NULL, PRIMARY KEY(project, user)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS boinc_exports(project TEXT PRIMARY KEY, hash BLOB NOT NULL, taken_ms INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS boinc_spent(project TEXT NOT NULL, day INTEGER NOT NULL, amount INTEGER NOT NULL,
  PRIMARY KEY(project, day)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS boinc_claims(worker BLOB NOT NULL, project TEXT NOT NULL, result TEXT NOT NULL,
  claimed_ms INTEGER NOT NULL, claim BLOB NOT NULL, PRIMARY KEY(worker, project, result)) WITHOUT ROWID;
)sql";

namespace {

constexpr std::uint64_t kMaxBindings = 64;     // of one worker
constexpr std::uint64_t kMaxClaims = 100'000;  // of one worker
constexpr const char* kNotListed = "no export has listed this account yet";

Id16 first16(const Hash32& hash) {
  Id16 out{};
  std::copy_n(hash.begin(), out.size(), out.begin());
  return out;
}

__extension__ using Wide = unsigned __int128;

std::string credits(std::uint64_t micro) {
  const std::string part = std::to_string(micro % 1'000'000);
  return std::to_string(micro / 1'000'000) + "." + std::string(6 - part.size(), '0') + part;
}

protocol::BoincBindingInfo info_of(const sqlite::Statement& s) {
  protocol::BoincBindingInfo out;
  out.project = s.str(0);
  out.user_id = natural(s, 1);
  out.cpid = fixed<16>(s.blob(2));
  out.worker_pub = fixed<32>(s.blob(3));
  out.time_s = natural(s, 4);
  out.state = static_cast<protocol::BindingState>(s.integer(5));
  out.reason = s.str(6);
  out.total_micro = natural(s, 7);
  out.credit_microcobble = natural(s, 8);
  return out;
}

constexpr char kBindingColumns[] =
    "SELECT b.project, b.user, b.cpid, b.worker, b.time_s, b.state, b.reason, coalesce(u.total, 0), "
    "coalesce(u.credit, 0) FROM boinc_bindings b LEFT JOIN boinc_users u ON u.project = b.project AND u.user = b.user ";

}  // namespace

Done Ledger::set_credit_rules(const std::map<std::string, CreditRule>& rules) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Done {
    sqlite::Transaction t(*db_);
    for (const auto& [project, rule] : rules) {
      auto s = db_->prepare(
          "SELECT credit_key, is_foreign, weight_ppm, max_day, max_result, generation FROM boinc_rules WHERE project = "
          "? "
          "ORDER BY height DESC LIMIT 1");
      s.all(project);
      if (s.step()) {
        const CreditRule old{fixed<32>(s.blob(0)), natural(s, 2), natural(s, 3),
                             natural(s, 4),        natural(s, 5), s.integer(1) != 0};
        if (old == rule) continue;
        if (old.foreign != rule.foreign) {
          return fail(
              Status::bad_config,
              project + ": was " + (old.foreign ? "a foreign project" : "a project of our own") + " in this ledger",
              "its work could count twice; give the other one another master URL");
        }
        if (rule.generation < old.generation) {
          return fail(Status::bad_config,
                      project + ": generation " + std::to_string(rule.generation) + " is below " +
                          std::to_string(old.generation) + ", which counts here",
                      "generations only rise");
        }
      }
      s.reset();
      db_->prepare(
             "INSERT OR REPLACE INTO boinc_rules(project, height, credit_key, is_foreign, weight_ppm, max_day, "
             "max_result, generation) VALUES(?, ?, ?, ?, ?, ?, ?, ?)")
          .all(project, receipt_height(), rule.key, rule.foreign, rule.weight_ppm, rule.max_day_microcobble,
               rule.max_result_microcobble, rule.generation)
          .run();
    }
    t.commit();
    return done();
  });
}

std::uint64_t Ledger::credit_room(const std::string& project, const CreditRule& rule) {
  auto s = db_->prepare("SELECT amount FROM boinc_spent WHERE project = ? AND day = ?");
  s.all(project, receipt_height() / options_.chain.blocks_per_day());
  const std::uint64_t spent = s.step() ? natural(s, 0) : 0;
  return std::min(rule.max_day_microcobble - std::min(spent, rule.max_day_microcobble), own_allowance());
}

/// Paid by the node's own account, like shares; the caller has seen to it that the credit fits into the room.
void Ledger::book_boinc(protocol::Receipt& r, const std::string& project) {
  r.accepted = true;
  r.reason = "accepted";
  r.height = receipt_height();
  insert_receipt(r, options_.requester);
  db_->prepare("UPDATE accounts SET allowance = allowance - ? WHERE pub = ?")
      .all(r.credit_microcobble, options_.requester)
      .run();
  db_->prepare(
         "INSERT INTO boinc_spent(project, day, amount) VALUES(?1, ?2, ?3) "
         "ON CONFLICT(project, day) DO UPDATE SET amount = amount + ?3")
      .all(project, r.height / options_.chain.blocks_per_day(), r.credit_microcobble)
      .run();
}

protocol::CreditAnswer Ledger::credit_result(const ResultCredit& c) {
  protocol::CreditAnswer out{c.project, c.result, protocol::CreditState::refused, {}, {}};
  auto known = db_->prepare("SELECT worker, receipt FROM boinc_results WHERE project = ? AND result = ?");
  known.all(c.project, c.result);
  if (known.step()) {
    if (fixed<32>(known.blob(0)) != c.worker) {
      out.reason = "duplicate: this result was credited to another key";
      return out;
    }
    out.state = protocol::CreditState::credited;
    out.receipt_id = fixed<16>(known.blob(1));
    return out;
  }
  known.reset();
  const std::uint64_t credit = std::min(c.microcobble, c.rule.max_result_microcobble);
  if (credit > credit_room(c.project, c.rule)) {
    out.state = protocol::CreditState::pending;
    out.reason = "day_cap: this project has had its credit of the day; send it again after a day of blocks";
    return out;
  }
  protocol::Receipt r;
  r.id = protocol::boinc_result_id(c.project, c.result);
  r.job_id = c.job_id;
  r.worker_pub = c.worker;
  r.detail = "BOINC result " + c.result.substr(0, 160) + " of user " + std::to_string(c.user_id) + ", host " +
             std::to_string(c.host_id) + " at " + c.project;
  if (credit < c.microcobble) r.detail += ", cut to the cap of a result";
  r.units = c.units;
  r.credit_microcobble = credit;
  r.answer_hash = c.output_hash;
  book_boinc(r, c.project);
  db_->prepare("INSERT INTO boinc_results(project, result, worker, receipt) VALUES(?, ?, ?, ?)")
      .all(c.project, c.result, c.worker, r.id)
      .run();
  out.state = protocol::CreditState::credited;
  out.receipt_id = r.id;
  return out;
}

Result<std::vector<protocol::CreditAnswer>> Ledger::credit_results(const std::vector<ResultCredit>& results) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<std::vector<protocol::CreditAnswer>> {
    sqlite::Transaction t(*db_);
    std::vector<protocol::CreditAnswer> out;
    for (const ResultCredit& c : results) out.push_back(credit_result(c));
    t.commit();
    return out;
  });
}

Result<protocol::BoincBindingInfo> Ledger::bind_account(const AccountBinding& b) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<protocol::BoincBindingInfo> {
    sqlite::Transaction t(*db_);
    auto s = db_->prepare(std::string(kBindingColumns) + "WHERE b.project = ? AND b.user = ?");
    s.all(b.project, b.user_id);
    if (s.step()) {
      const protocol::BoincBindingInfo old = info_of(s);
      if (old.time_s == b.time_s && old.worker_pub == b.worker && old.cpid == b.cpid) return old;
      if (b.time_s <= old.time_s) {
        return fail(Status::late,
                    "user " + std::to_string(b.user_id) + " of " + b.project + ": was bound by a newer text already",
                    "let the project sign a fresh text");
      }
    }
    s.reset();
    auto count =
        db_->prepare("SELECT count(*) FROM boinc_bindings WHERE worker = ? AND NOT (project = ? AND user = ?)");
    count.all(b.worker, b.project, b.user_id);
    if (count.step() && natural(count, 0) >= kMaxBindings) {
      return fail(Status::too_large, "this worker has " + std::to_string(kMaxBindings) + " bindings",
                  "use another worker key");
    }
    count.reset();
    db_->prepare(
           "INSERT OR REPLACE INTO boinc_bindings(project, user, cpid, worker, time_s, state, reason) VALUES(?, ?, ?, "
           "?, ?, ?, ?)")
        .all(b.project, b.user_id, b.cpid, b.worker, b.time_s, protocol::BindingState::pending, kNotListed)
        .run();
    s.all(b.project, b.user_id);
    s.step();
    protocol::BoincBindingInfo out = info_of(s);
    s.reset();
    t.commit();
    return out;
  });
}

Result<std::vector<protocol::BoincBindingInfo>> Ledger::bindings(const keys::PublicKey& worker) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<std::vector<protocol::BoincBindingInfo>> {
    std::vector<protocol::BoincBindingInfo> out;
    auto s = db_->prepare(std::string(kBindingColumns) + "WHERE b.worker = ? ORDER BY b.project, b.user");
    s.all(worker);
    while (s.step()) out.push_back(info_of(s));
    return out;
  });
}

Result<std::vector<std::uint64_t>> Ledger::bound_accounts(const std::string& project) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<std::vector<std::uint64_t>> {
    std::vector<std::uint64_t> out;
    auto s = db_->prepare("SELECT user FROM boinc_bindings WHERE project = ?");
    s.all(project);
    while (s.step()) out.push_back(natural(s, 0));
    return out;
  });
}

Result<ExportReport> Ledger::credit_export(const std::string& project, const CreditRule& rule, const Hash32& hash,
                                           const std::map<std::uint64_t, ExportEntry>& users, std::uint64_t now_ms) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<ExportReport> {
    sqlite::Transaction t(*db_);
    struct Bound {
      std::uint64_t user = 0;
      Id16 cpid{};
      keys::PublicKey worker{};
      bool seen = false;  ///< has a base line of this generation
      std::uint64_t total = 0;
    };
    std::vector<Bound> bound;
    auto s = db_->prepare(
        "SELECT b.user, b.cpid, b.worker, coalesce(u.generation, 0), coalesce(u.total, 0) FROM boinc_bindings b "
        "LEFT JOIN boinc_users u ON u.project = b.project AND u.user = b.user WHERE b.project = ? ORDER BY b.user");
    s.all(project);
    while (s.step()) {
      bound.push_back(
          {natural(s, 0), fixed<16>(s.blob(1)), fixed<32>(s.blob(2)), natural(s, 3) == rule.generation, natural(s, 4)});
    }
    s.reset();
    const auto set_state = [&](std::uint64_t user, protocol::BindingState state, const std::string& reason) {
      db_->prepare("UPDATE boinc_bindings SET state = ?, reason = ? WHERE project = ? AND user = ?")
          .all(state, reason, project, user)
          .run();
    };
    const auto set_base = [&](std::uint64_t user, std::uint64_t total, std::uint64_t credit) {
      db_->prepare(
             "INSERT INTO boinc_users(project, user, generation, total, credit) VALUES(?1, ?2, ?3, ?4, ?5) "
             "ON CONFLICT(project, user) DO UPDATE SET generation = ?3, total = ?4, credit = credit + ?5")
          .all(project, user, rule.generation, total, credit)
          .run();
    };
    const auto weighed = [&](std::uint64_t micro) { return static_cast<Wide>(micro) * rule.weight_ppm / 1'000'000; };

    ExportReport out;
    std::vector<std::pair<const Bound*, std::uint64_t>> gains;
    Wide wanted = 0;
    for (const Bound& b : bound) {
      const auto listed = users.find(b.user);
      if (listed == users.end()) {
        ++out.unlisted;
        set_state(b.user, protocol::BindingState::pending, "the latest export does not list this account");
        continue;
      }
      if (listed->second.cpid != b.cpid) {
        ++out.other_cpid;
        set_state(b.user, protocol::BindingState::pending,
                  "the latest export lists this account with CPID " + to_hex(listed->second.cpid) +
                      "; bind again with that one");
        continue;
      }
      set_state(b.user, protocol::BindingState::confirmed, "");
      const std::uint64_t total = listed->second.total_micro;
      if (!b.seen) {
        ++out.first_seen;
        set_base(b.user, total, 0);
      } else if (total < b.total) {
        ++out.fallen;
      } else if (total > b.total) {
        gains.emplace_back(&b, total - b.total);
        wanted += weighed(total - b.total);
      }
    }
    const std::uint64_t room = credit_room(project, rule);
    out.capped = wanted > room;
    for (const auto& [b, gain] : gains) {
      // Over the cap everybody gets the same part; the base line moves only as far as it was credited.
      const std::uint64_t part =
          out.capped ? static_cast<std::uint64_t>(static_cast<Wide>(gain) * room / wanted) : gain;
      if (part == 0) continue;
      protocol::Receipt r;
      r.id = first16(sha256(ByteWriter()
                                .bytes("sparkmill/boinc-export/v1")
                                .len_bytes(project)
                                .u64(b->user)
                                .u64(rule.generation)
                                .u64(b->total)
                                .u64(b->total + part)
                                .data()));
      r.job_id =
          first16(sha256(ByteWriter().bytes("sparkmill/boinc-account/v1").len_bytes(project).u64(b->user).data()));
      r.worker_pub = b->worker;
      r.units = part;
      // The rounding of many parts must not pass the cap.
      r.credit_microcobble = static_cast<std::uint64_t>(std::min<Wide>(weighed(part), room - out.microcobble));
      r.answer_hash = hash;
      r.detail = "BOINC credit " + credits(b->total) + " to " + credits(b->total + part) + " of user " +
                 std::to_string(b->user) + " at " + project;
      if (r.credit_microcobble > 0) {
        book_boinc(r, project);
        ++out.credited;
        out.microcobble += r.credit_microcobble;
      }
      set_base(b->user, b->total + part, r.credit_microcobble);
    }
    db_->prepare("INSERT OR REPLACE INTO boinc_exports(project, hash, taken_ms) VALUES(?, ?, ?)")
        .all(project, hash, now_ms)
        .run();
    t.commit();
    return out;
  });
}

Result<std::uint64_t> Ledger::last_export_ms(const std::string& project) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<std::uint64_t> {
    auto s = db_->prepare("SELECT taken_ms FROM boinc_exports WHERE project = ?");
    s.all(project);
    return s.step() ? natural(s, 0) : 0;
  });
}

protocol::BoincClaimAnswer Ledger::claim_state(const keys::PublicKey& worker, const ResultClaim& claim,
                                               const CreditRule& rule) {
  protocol::BoincClaimAnswer out{protocol::boinc_result_id(claim.project, claim.result), "recorded", {}, 0};
  if (!rule.foreign) {
    auto s = db_->prepare("SELECT worker, receipt FROM boinc_results WHERE project = ? AND result = ?");
    s.all(claim.project, claim.result);
    if (!s.step()) {
      out.reason = "no_receipt";
    } else if (fixed<32>(s.blob(0)) == worker) {
      const auto receipt = find_receipt(fixed<16>(s.blob(1)));
      if (!receipt) throw sqlite::Failure(Status::corrupt, "the receipt of " + claim.result + " is missing");
      out.state = "credited";
      out.credit_microcobble = receipt->credit_microcobble;
    } else {
      out.state = "duplicate";
      out.reason = "credited_to_another_key";
    }
    return out;
  }
  auto s = db_->prepare("SELECT max(state) FROM boinc_bindings WHERE project = ? AND worker = ?");
  s.all(claim.project, worker);
  if (!s.step() || s.is_null(0)) {
    out.reason = "no_binding";
  } else if (static_cast<protocol::BindingState>(s.integer(0)) == protocol::BindingState::pending) {
    out.reason = "binding_pending";
  } else {
    out.reason = "export_decides";
  }
  return out;
}

Result<std::vector<protocol::BoincClaimAnswer>> Ledger::claim_results(const keys::PublicKey& worker,
                                                                      const std::vector<ResultClaim>& claims,
                                                                      const std::map<std::string, CreditRule>& rules,
                                                                      std::uint64_t now_ms) {
  std::lock_guard lock(mutex_);
  return sqlite::guarded("ledger", [&]() -> Result<std::vector<protocol::BoincClaimAnswer>> {
    sqlite::Transaction t(*db_);
    auto count = db_->prepare("SELECT count(*) FROM boinc_claims WHERE worker = ?");
    count.all(worker);
    std::uint64_t have = count.step() ? natural(count, 0) : 0;
    count.reset();
    std::vector<protocol::BoincClaimAnswer> out;
    for (const ResultClaim& claim : claims) {
      const auto rule = rules.find(claim.project);
      if (rule == rules.end()) {
        out.push_back({protocol::boinc_result_id(claim.project, claim.result), "refused", "unknown_project", 0});
        continue;
      }
      // Answers do not depend on the record, so a full list refuses nothing that counts.
      if (have < kMaxClaims) {
        db_->prepare(
               "INSERT OR IGNORE INTO boinc_claims(worker, project, result, claimed_ms, claim) VALUES(?, ?, ?, ?, ?)")
            .all(worker, claim.project, claim.result, now_ms, claim.claim)
            .run();
        have += static_cast<std::uint64_t>(db_->changes());
      }
      out.push_back(claim_state(worker, claim, rule->second));
    }
    t.commit();
    return out;
  });
}

}  // namespace sparkmill::node
