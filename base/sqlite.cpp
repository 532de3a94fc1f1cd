// SPDX-License-Identifier: Apache-2.0
#include "base/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace sparkmill::sqlite {

namespace {

Status status_of(int code, int system_errno) {
  if (system_errno == ENOSPC || system_errno == EDQUOT) return Status::no_space;
  switch (code & 0xff) {
    case SQLITE_FULL: return Status::no_space;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Status::locked;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Status::corrupt;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM: return Status::io_error;
    case SQLITE_CONSTRAINT:
      return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ? Status::duplicate
                                                                                      : Status::internal;
    case SQLITE_TOOBIG: return Status::too_large;
    default: return Status::internal;
  }
}

/// The system errno belongs to I/O failures only; for other codes it may be left over from an earlier call.
[[noreturn]] void raise(sqlite3* db, std::string_view what) {
  const int code = sqlite3_extended_errcode(db);
  const int primary = code & 0xff;
  const bool io = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN || primary == SQLITE_FULL;
  std::string message = sqlite3_errmsg(db);
  if (!what.empty()) message += " (in: " + std::string(what.substr(0, 120)) + ")";
  throw Failure(status_of(code, io ? sqlite3_system_errno(db) : 0), message);
}

std::string hint_for(Status status) {
  switch (status) {
    case Status::no_space: return "free some space on that file system";
    case Status::locked: return "stop the other process that uses it, or choose another data folder";
    case Status::corrupt: return "move the file away and start again; what was delivered is kept by the node";
    default: return "check that the folder exists and that this user may write there";
  }
}

/// Takes the side lock. Returns the descriptor; the lock ends with the process, so a crash never leaves it behind.
Result<int> take_lock(const std::filesystem::path& path) {
  const std::string side = path.string() + ".lock";
  const int fd = ::open(side.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    const int err = errno;
    return fail(status_of(SQLITE_CANTOPEN, err), side + ": " + std::strerror(err),
                hint_for(status_of(SQLITE_CANTOPEN, err)));
  }
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int err = errno;
    char holder[32] = {};
    const ssize_t n = ::pread(fd, holder, sizeof holder - 1, 0);
    ::close(fd);
    if (err != EWOULDBLOCK) return fail(Status::io_error, side + ": " + std::strerror(err));
    const std::string who = n > 0 ? " (process " + std::string(holder, static_cast<std::size_t>(n)) + ")" : "";
    return fail(Status::locked, path.string() + ": in use by another process" + who, hint_for(Status::locked));
  }
  const std::string self = std::to_string(::getpid());
  // The number is only for the message above; a full disk must not make the lock fail.
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, self.data(), self.size(), 0) < 0) errno = 0;
  return fd;
}

}  // namespace

Statement::~Statement() { sqlite3_finalize(s_); }
Statement::Statement(Statement&& other) noexcept : s_(std::exchange(other.s_, nullptr)) {}

namespace {
void check_bind(sqlite3_stmt* s, int code) {
  if (code != SQLITE_OK) raise(sqlite3_db_handle(s), sqlite3_sql(s));
}
}  // namespace

Statement& Statement::bind(int index, std::int64_t v) {
  check_bind(s_, sqlite3_bind_int64(s_, index, v));
  return *this;
}

Statement& Statement::bind(int index, std::string_view v) {
  check_bind(s_, sqlite3_bind_text64(s_, index, v.empty() ? "" : v.data(), v.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind(int index, ByteView v) {
  // A null pointer would bind NULL, and an empty blob is not NULL.
  check_bind(s_, v.empty() ? sqlite3_bind_zeroblob(s_, index, 0)
                           : sqlite3_bind_blob64(s_, index, v.data(), v.size(), SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::bind_null(int index) {
  check_bind(s_, sqlite3_bind_null(s_, index));
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(s_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  try {
    raise(sqlite3_db_handle(s_), sqlite3_sql(s_));
  } catch (...) {
    sqlite3_reset(s_);  // a failed statement must not keep its locks
    throw;
  }
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() { sqlite3_reset(s_); }

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(s_, column); }

std::string Statement::str(int column) const {
  const auto* p = reinterpret_cast<const char*>(sqlite3_column_text(s_, column));
  return p == nullptr ? std::string() : std::string(p, static_cast<std::size_t>(sqlite3_column_bytes(s_, column)));
}

Bytes Statement::blob(int column) const {
  const auto* p = static_cast<const std::uint8_t*>(sqlite3_column_blob(s_, column));
  const auto n = static_cast<std::size_t>(sqlite3_column_bytes(s_, column));
  return p == nullptr ? Bytes() : Bytes(p, p + n);
}

bool Statement::is_null(int column) const { return sqlite3_column_type(s_, column) == SQLITE_NULL; }

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& path, bool exclusive) {
  std::unique_ptr<Database> db(new Database);
  if (exclusive) {
    SPARKMILL_ASSIGN(db->lock_fd_, take_lock(path));
  }
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  try {
    if (sqlite3_open_v2(path.c_str(), &db->db_, flags, nullptr) != SQLITE_OK) {
      if (db->db_ == nullptr) return fail(Status::internal, path.string() + ": out of memory");
      raise(db->db_, {});
    }
    sqlite3_busy_timeout(db->db_, 5'000);
    db->exec("PRAGMA journal_mode = WAL");
    db->exec("PRAGMA synchronous = FULL");
    db->exec("PRAGMA foreign_keys = ON");
  } catch (const Failure& f) {
    return fail(f.code, path.string() + ": " + f.what(), hint_for(f.code));
  }
  return db;
}

Database::~Database() {
  if (db_ != nullptr) sqlite3_close_v2(db_);
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

Statement Database::prepare(std::string_view sql) {
  sqlite3_stmt* s = nullptr;
  if (sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &s, nullptr) !=
      SQLITE_OK) {
    raise(db_, sql);
  }
  return Statement(s);
}

void Database::exec(std::string_view sql) {
  const std::string text(sql);
  if (sqlite3_exec(db_, text.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) raise(db_, sql);
}

std::int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(db_); }
std::int64_t Database::changes() const { return sqlite3_changes64(db_); }

Transaction::Transaction(Database& db) : db_(db) { db_.exec("BEGIN IMMEDIATE"); }

Transaction::~Transaction() {
  if (!open_) return;
  try {
    db_.exec("ROLLBACK");
  } catch (const Failure&) {
    // SQLite has already rolled back by itself after a full disk or an I/O error.
  }
}

void Transaction::commit() {
  db_.exec("COMMIT");
  open_ = false;
}

}  // namespace sparkmill::sqlite
