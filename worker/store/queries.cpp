// SPDX-License-Identifier: Apache-2.0
// The statements of the store, one function a fact. Each body may run twice (a retried transaction): it assigns its
// results instead of adding to them.
#include "worker/store/store.h"

namespace sparkmill::worker {

namespace {

constexpr std::int64_t kSharesKept = 1 << 16;  // their sources forgot them long ago

template <std::size_t N>
std::array<std::uint8_t, N> array_of(const Bytes& bytes) {
  std::array<std::uint8_t, N> out{};
  if (bytes.size() != N) throw sqlite::Failure(Status::corrupt, "a stored id or hash has the wrong length");
  std::memcpy(out.data(), bytes.data(), N);
  return out;
}

void count(sqlite::Database& db, std::string_view name, std::uint64_t by) {
  db.prepare("INSERT INTO counters(name, value) VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET value = value + ?2")
      .all(name, by)
      .run();
}

void count_share(sqlite::Database& db, const std::string& end, const std::string& reason, bool block,
                 std::uint64_t by) {
  count(db, "share." + end + (reason.empty() ? "" : "." + reason), by);
  if (block && end == "accepted") count(db, "share.blocks", by);
}

/// Work in progress of a lease is worth nothing once its receipt is there or it was given up.
void forget_work(sqlite::Database& db, const Id16& lease) {
  db.prepare("DELETE FROM slices WHERE lease_id = ?1").all(ByteView(lease)).run();
  db.prepare("DELETE FROM commits WHERE lease_id = ?1").all(ByteView(lease)).run();
  db.prepare("DELETE FROM openings WHERE lease_id = ?1").all(ByteView(lease)).run();
  db.prepare(
        "DELETE FROM jobs WHERE job_id = (SELECT job_id FROM leases WHERE lease_id = ?1) AND NOT EXISTS (SELECT 1 FROM "
        "leases WHERE job_id = jobs.job_id AND phase < 5 AND lease_id <> ?1)")
      .all(ByteView(lease))
      .run();
}

LeaseRow lease_from(const sqlite::Statement& s) {
  LeaseRow r;
  r.lease_id = array_of<16>(s.blob(0));
  r.job_id = array_of<16>(s.blob(1));
  r.node_pub = array_of<32>(s.blob(2));
  r.deadline_ms = static_cast<std::uint64_t>(s.integer(3));
  r.attempt = static_cast<std::uint32_t>(s.integer(4));
  r.openings = static_cast<std::uint32_t>(s.integer(5));
  r.phase = static_cast<Phase>(s.integer(6));
  r.target_units = static_cast<std::uint64_t>(s.integer(7));
  r.job = s.blob(8);
  if (!s.is_null(9)) {
    r.root = array_of<32>(s.blob(9));
    r.leaf_count = static_cast<std::uint64_t>(s.integer(10));
    r.answer_hash = array_of<32>(s.blob(11));
    r.answers = static_cast<std::uint64_t>(s.integer(12));
    r.commit = s.blob(13);
    r.height = static_cast<std::uint64_t>(s.integer(14));
    r.open_by_height = static_cast<std::uint64_t>(s.integer(15));
    r.open_by_ms = static_cast<std::uint64_t>(s.integer(16));
  }
  if (!s.is_null(17)) r.opening = s.blob(17);
  return r;
}

}  // namespace

Result<bool> Store::add_lease(const LeaseRow& r) {
  bool fresh = false;
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    db.prepare(
          "INSERT OR IGNORE INTO leases(lease_id, job_id, node_pub, deadline_ms, attempt, openings, phase) "
          "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")
        .all(ByteView(r.lease_id), ByteView(r.job_id), ByteView(r.node_pub), r.deadline_ms, r.attempt, r.openings,
             Phase::running)
        .run();
    fresh = db.changes() == 1;
    if (fresh) {
      db.prepare("INSERT OR IGNORE INTO jobs(job_id, job) VALUES(?1, ?2)")
          .all(ByteView(r.job_id), ByteView(r.job))
          .run();
    }
  }));
  return fresh;
}

Done Store::set_target(const Id16& lease, std::uint64_t target_units) {
  return call([&](sqlite::Database& db) {
    db.prepare("UPDATE leases SET target_units = ?2 WHERE lease_id = ?1").all(ByteView(lease), target_units).run();
  });
}

Done Store::set_deadline(const Id16& lease, std::uint64_t deadline_ms) {
  return call([&](sqlite::Database& db) {
    db.prepare("UPDATE leases SET deadline_ms = ?2 WHERE lease_id = ?1").all(ByteView(lease), deadline_ms).run();
  });
}

Done Store::put_slice(const Id16& lease, SliceRow slice) {
  const std::size_t bytes = slice.result.size() + 128;
  auto row = std::make_shared<SliceRow>(std::move(slice));
  return enqueue({[lease, row](sqlite::Database& db) {
                    // The lease may have been given up meanwhile: its slices are not wanted then.
                    db.prepare(
                          "INSERT OR REPLACE INTO slices(lease_id, slice, result) SELECT ?1, ?2, ?3 "
                          "WHERE EXISTS (SELECT 1 FROM leases WHERE lease_id = ?1 AND phase = 1)")
                        .all(ByteView(lease), row->index, ByteView(row->result))
                        .run();
                  },
                  bytes, nullptr});
}

Result<std::vector<SliceRow>> Store::slices(const Id16& lease) {
  std::vector<SliceRow> out;
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    out.clear();
    sqlite::Statement s = db.prepare("SELECT slice, result FROM slices WHERE lease_id = ?1 ORDER BY slice");
    s.all(ByteView(lease));
    while (s.step()) {
      out.push_back({static_cast<std::uint32_t>(s.integer(0)), s.blob(1)});
    }
  }));
  return out;
}

Result<std::vector<std::uint32_t>> Store::slice_indices(const Id16& lease) {
  std::vector<std::uint32_t> out;
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    out.clear();
    sqlite::Statement s = db.prepare("SELECT slice FROM slices WHERE lease_id = ?1 ORDER BY slice");
    s.all(ByteView(lease));
    while (s.step()) out.push_back(static_cast<std::uint32_t>(s.integer(0)));
  }));
  return out;
}

Done Store::put_commit(const LeaseRow& r) {
  return call([&](sqlite::Database& db) {
    db.prepare(
          "INSERT OR REPLACE INTO commits(lease_id, root, leaf_count, answer_hash, answers, envelope) VALUES(?1, ?2, "
          "?3, ?4, ?5, ?6)")
        .all(ByteView(r.lease_id), ByteView(r.root), r.leaf_count, ByteView(r.answer_hash), r.answers,
             ByteView(r.commit))
        .run();
    db.prepare("UPDATE leases SET phase = ?2 WHERE lease_id = ?1").all(ByteView(r.lease_id), Phase::committed).run();
  });
}

Done Store::set_commit_answer(const Id16& lease, const protocol::CommitAnswer& a) {
  return call([&](sqlite::Database& db) {
    db.prepare("UPDATE commits SET height = ?2, open_by_height = ?3, open_by_ms = ?4 WHERE lease_id = ?1")
        .all(ByteView(lease), a.height, a.open_by_height, a.open_by_ms)
        .run();
    db.prepare("UPDATE leases SET phase = ?2 WHERE lease_id = ?1").all(ByteView(lease), Phase::waiting).run();
  });
}

Done Store::put_opening(const Id16& lease, ByteView envelope) {
  return call([&](sqlite::Database& db) {
    db.prepare("INSERT OR REPLACE INTO openings(lease_id, envelope) VALUES(?1, ?2)")
        .all(ByteView(lease), envelope)
        .run();
    db.prepare("UPDATE leases SET phase = ?2 WHERE lease_id = ?1").all(ByteView(lease), Phase::opening).run();
  });
}

Result<bool> Store::put_receipt(const protocol::Receipt& receipt, std::uint64_t answers, bool checks) {
  const std::string json = protocol::to_json(receipt);
  bool fresh = false;
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    db.prepare(
          "INSERT OR IGNORE INTO receipts(lease_id, accepted, reason, units, credit, answers, height, json) "
          "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
        .all(ByteView(receipt.id), receipt.accepted, std::string_view(receipt.reason), receipt.units,
             receipt.credit_microcobble, answers, receipt.height, std::string_view(json))
        .run();
    fresh = db.changes() == 1;
    if (!fresh) return;
    count(db, receipt.accepted ? "accepted" : "rejected", 1);
    if (receipt.accepted) {
      if (!checks) count(db, "units", receipt.units);
      count(db, checks ? "checked" : "answers", answers);
      count(db, "credit", receipt.credit_microcobble);
    }
    forget_work(db, receipt.id);
    db.prepare("UPDATE leases SET phase = ?2 WHERE lease_id = ?1").all(ByteView(receipt.id), Phase::done).run();
  }));
  return fresh;
}

Result<bool> Store::drop(const Id16& lease, const std::string& reason, std::string_view counter) {
  bool changed = false;
  const std::string name(counter);
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    db.prepare("UPDATE leases SET phase = ?2, reason = ?3 WHERE lease_id = ?1 AND phase < 5")
        .all(ByteView(lease), Phase::dropped, std::string_view(reason))
        .run();
    changed = db.changes() == 1;
    if (!changed) return;
    count(db, name, 1);
    forget_work(db, lease);
  }));
  return changed;
}

Result<std::vector<LeaseRow>> Store::unfinished() {
  std::vector<LeaseRow> out;
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    out.clear();
    sqlite::Statement s = db.prepare(
        "SELECT l.lease_id, l.job_id, l.node_pub, l.deadline_ms, l.attempt, l.openings, l.phase, l.target_units, "
        "j.job, "
        "c.root, c.leaf_count, c.answer_hash, c.answers, c.envelope, c.height, c.open_by_height, c.open_by_ms, "
        "o.envelope FROM leases l JOIN jobs j ON j.job_id = l.job_id LEFT JOIN commits c ON c.lease_id = l.lease_id "
        "LEFT JOIN openings o ON o.lease_id = l.lease_id WHERE l.phase < 5 ORDER BY l.deadline_ms");
    while (s.step()) out.push_back(lease_from(s));
  }));
  return out;
}

Result<std::vector<Id16>> Store::held_leases(std::size_t limit) {
  std::vector<Id16> out;
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    out.clear();
    sqlite::Statement s =
        db.prepare("SELECT lease_id FROM leases WHERE phase < 5 OR phase = 6 ORDER BY deadline_ms DESC LIMIT ?");
    s.all(static_cast<std::uint64_t>(limit));
    while (s.step()) out.push_back(array_of<16>(s.blob(0)));
  }));
  return out;
}

Result<Counters> Store::counters() {
  Counters c;
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    sqlite::Statement s = db.prepare("SELECT name, value FROM counters");
    while (s.step()) {
      const std::string name = s.str(0);
      const auto value = static_cast<std::uint64_t>(s.integer(1));
      if (name == "accepted") c.accepted = value;
      if (name == "rejected") c.rejected = value;
      if (name == "stale") c.stale = value;
      if (name == "wrong") c.wrong = value;
      if (name == "units") c.units = value;
      if (name == "answers") c.answers = value;
      if (name == "checked") c.checked = value;
      if (name == "credit") c.credit_microcobble = value;
    }
  }));
  return c;
}

Result<std::uint64_t> Store::receipt_count() {
  std::uint64_t n = 0;
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    sqlite::Statement s = db.prepare("SELECT count(*) FROM receipts");
    n = s.step() ? static_cast<std::uint64_t>(s.integer(0)) : 0;
  }));
  return n;
}

Result<bool> Store::begin_share(const ShareRow& share) {
  bool fresh = false;
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    db.prepare("INSERT OR IGNORE INTO shares(id, source, device, height, nonce, at_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")
        .all(ByteView(share.id), std::string_view(share.source), std::string_view(share.device), share.height,
             share.nonce, clock_.unix_ms())
        .run();
    fresh = db.changes() == 1;
    if (!fresh) return;
    db.prepare("DELETE FROM shares WHERE seq <= (SELECT max(seq) FROM shares) - ?1 AND state <> 'open'")
        .all(kSharesKept)
        .run();
  }));
  return fresh;
}

Done Store::end_share(const Hash32& id, const ShareResult& result) {
  return enqueue({[id, result](sqlite::Database& db) {
                    db.prepare(
                          "UPDATE shares SET state = ?2, reason = ?3, words = ?4, block = ?5 WHERE id = ?1 AND state = "
                          "'open'")
                        .all(ByteView(id), std::string_view(result.end), std::string_view(result.reason),
                             std::string_view(result.words), result.block)
                        .run();
                    if (db.changes() == 1) count_share(db, result.end, result.reason, result.block, 1);
                  },
                  256, nullptr});
}

Done Store::drop_share(const Hash32& id) {
  return enqueue({[id](sqlite::Database& db) {
                    db.prepare("DELETE FROM shares WHERE id = ?1 AND state = 'open'").all(ByteView(id)).run();
                  },
                  128, nullptr});
}

Result<std::uint64_t> Store::close_open_shares() {
  std::uint64_t closed = 0;
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    db.exec("UPDATE shares SET state = 'unknown', reason = 'line_broke' WHERE state = 'open'");
    closed = static_cast<std::uint64_t>(db.changes());
    if (closed != 0) count_share(db, "unknown", "line_broke", false, closed);
  }));
  return closed;
}

Result<ShareTotals> Store::share_totals() {
  ShareTotals out;
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    out = {};
    sqlite::Statement s = db.prepare("SELECT name, value FROM counters WHERE name LIKE 'share.%'");
    while (s.step()) {
      const std::string name = s.str(0).substr(std::string_view("share.").size());
      const auto value = static_cast<std::uint64_t>(s.integer(1));
      if (name == "blocks") {
        out.blocks = value;
        continue;
      }
      const std::string end = name.substr(0, name.find('.'));
      if (end == "accepted") out.accepted += value;
      if (end == "stale") out.stale += value;
      if (end == "rejected") out.rejected += value;
      if (end == "unknown") out.unknown += value;
      if (end != name) out.reasons[name] = value;
    }
  }));
  return out;
}

Result<std::vector<TuningRow>> Store::tuning() {
  std::vector<TuningRow> out;
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    out.clear();
    sqlite::Statement s = db.prepare("SELECT device, driver, kernel, revision, rate, batch FROM tuning");
    while (s.step()) {
      out.push_back({s.str(0), s.str(1), s.str(2), static_cast<std::uint32_t>(s.integer(3)),
                     static_cast<double>(s.integer(4)), static_cast<std::uint64_t>(s.integer(5))});
    }
  }));
  return out;
}

Done Store::put_tuning(const TuningRow& r) {
  return call([&](sqlite::Database& db) {
    db.prepare(
          "INSERT OR REPLACE INTO tuning(device, driver, kernel, revision, rate, batch) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")
        .all(std::string_view(r.device), std::string_view(r.driver), std::string_view(r.row), r.revision,
             static_cast<std::int64_t>(r.units_per_s), r.batch_units)
        .run();
  });
}

Result<std::optional<keys::PublicKey>> Store::pinned_node(const std::string& url) {
  std::optional<keys::PublicKey> out;
  SPARKMILL_TRY(call([&](sqlite::Database& db) {
    sqlite::Statement s = db.prepare("SELECT node_pub FROM nodes WHERE url = ?1");
    s.all(std::string_view(url));
    out.reset();
    if (s.step()) out = array_of<32>(s.blob(0));
  }));
  return out;
}

Done Store::pin_node(const std::string& url, const keys::PublicKey& key) {
  return call([&](sqlite::Database& db) {
    db.prepare("INSERT OR REPLACE INTO nodes(url, node_pub) VALUES(?1, ?2)")
        .all(std::string_view(url), ByteView(key))
        .run();
  });
}

}  // namespace sparkmill::worker
