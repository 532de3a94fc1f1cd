// SPDX-License-Identifier: Apache-2.0
// Thin RAII over SQLite: one Database a thread (or guarded by its owner), prepared statements, transactions.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>

#include "base/bytes.h"
#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace sparkmill::sqlite {

/// Thrown for failures in the middle of a statement; carries the Status (no_space, locked, corrupt, io_error, duplicate
/// for a broken UNIQUE or PRIMARY KEY, internal for the rest).
/// The owner of a database catches it at its boundary and turns it into a Result.
struct Failure : std::runtime_error {
  Failure(Status c, const std::string& message) : std::runtime_error(message), code(c) {}
  Status code;
};

class Statement {
 public:
  ~Statement();
  Statement(Statement&&) noexcept;
  Statement& bind(int index, std::int64_t v);  ///< 1-based
  Statement& bind(int index, std::string_view v);
  Statement& bind(int index, ByteView v);
  Statement& bind_null(int index);
  /// Binds all arguments in order from 1. Integers, std::string_view and ByteView.
  template <class... Args>
  Statement& all(const Args&... args) {
    reset();
    int i = 0;
    (bind_one(++i, args), ...);
    return *this;
  }
  bool step();  ///< true: a row is there; false: done. Throws Failure.
  void run();   ///< steps to the end, then resets
  void reset();
  std::int64_t integer(int column) const;  ///< 0-based
  std::string str(int column) const;
  Bytes blob(int column) const;
  bool is_null(int column) const;

 private:
  friend class Database;
  explicit Statement(sqlite3_stmt* s) : s_(s) {}
  template <class T>
  void bind_one(int i, const T& v) {
    if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
      bind(i, static_cast<std::int64_t>(v));
    } else if constexpr (std::is_convertible_v<T, std::string_view>) {
      bind(i, std::string_view(v));
    } else {
      bind(i, ByteView(v));
    }
  }
  sqlite3_stmt* s_ = nullptr;
};

class Database {
 public:
  /// Opens or creates; WAL, synchronous = FULL, foreign keys on, busy timeout 5 s. `exclusive` holds the file against a
  /// second process (Status::locked with the hint to stop the other one).
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& path, bool exclusive);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  Statement prepare(std::string_view sql);  ///< throws Failure
  void exec(std::string_view sql);          ///< throws Failure
  std::int64_t last_insert_id() const;
  std::int64_t changes() const;

 private:
  Database() = default;
  sqlite3* db_ = nullptr;
  int lock_fd_ = -1;
};

/// BEGIN IMMEDIATE .. COMMIT; rolls back unless commit() was called.
class Transaction {
 public:
  explicit Transaction(Database& db);
  ~Transaction();
  void commit();

 private:
  Database& db_;
  bool open_ = true;
};

/// Runs `body` and turns a Failure into an Error that names `what`.
template <class F>
auto guarded(std::string_view what, F&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const Failure& f) {
    return fail(f.code, std::string(what) + ": " + f.what());
  }
}

}  // namespace sparkmill::sqlite
