// SPDX-License-Identifier: Apache-2.0
// The SQLite wrapper: values, transactions, and which failure becomes which Status.
#include "base/sqlite.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>

#include "base/file.h"
#include "tests/base/temp_folder.h"

namespace sparkmill::sqlite {
namespace {

using test::TempFolder;
using namespace std::string_view_literals;

std::unique_ptr<Database> open_ok(const std::filesystem::path& path, bool exclusive = false) {
  auto db = Database::open(path, exclusive);
  EXPECT_TRUE(db.ok()) << (db.ok() ? "" : db.error().message);
  return db ? std::move(*db) : nullptr;
}

Status status_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Failure& f) {
    return f.code;
  }
  return Status::ok;
}

TEST(Sqlite, ValuesComeBackAsTheyWent) {
  const TempFolder folder;
  auto db = open_ok(folder / "a.sqlite");
  db->exec("CREATE TABLE t (i INTEGER, s TEXT, b BLOB, n INTEGER)");
  const Bytes blob{0, 1, 2, 255};
  db->prepare("INSERT INTO t VALUES (?, ?, ?, ?)").all(INT64_MIN, "a\0b"sv, blob, std::uint8_t{7}).run();
  db->prepare("INSERT INTO t VALUES (?, ?, ?, ?)")
      .bind(1, std::int64_t{5})
      .bind(2, std::string_view())
      .bind(3, ByteView())
      .bind_null(4)
      .run();
  auto q = db->prepare("SELECT i, s, b, n FROM t ORDER BY rowid");
  ASSERT_TRUE(q.step());
  EXPECT_EQ(q.integer(0), INT64_MIN);
  EXPECT_EQ(q.str(1), std::string("a\0b", 3));
  EXPECT_EQ(q.blob(2), blob);
  EXPECT_EQ(q.integer(3), 7);
  ASSERT_TRUE(q.step());
  EXPECT_FALSE(q.is_null(1));
  EXPECT_FALSE(q.is_null(2)) << "an empty blob is not NULL";
  EXPECT_TRUE(q.is_null(3));
  EXPECT_FALSE(q.step());
}

TEST(Sqlite, WalAndFullSync) {
  const TempFolder folder;
  auto db = open_ok(folder / "a.sqlite");
  auto mode = db->prepare("PRAGMA journal_mode");
  ASSERT_TRUE(mode.step());
  EXPECT_EQ(mode.str(0), "wal");
  auto sync = db->prepare("PRAGMA synchronous");
  ASSERT_TRUE(sync.step());
  EXPECT_EQ(sync.integer(0), 2);
}

TEST(Sqlite, TransactionWithoutCommitLeavesNothing) {
  const TempFolder folder;
  auto db = open_ok(folder / "a.sqlite");
  db->exec("CREATE TABLE t (i INTEGER PRIMARY KEY)");
  {
    Transaction lost(*db);
    db->exec("INSERT INTO t VALUES (1)");
  }
  {
    Transaction kept(*db);
    db->exec("INSERT INTO t VALUES (2)");
    kept.commit();
  }
  auto q = db->prepare("SELECT i FROM t");
  ASSERT_TRUE(q.step());
  EXPECT_EQ(q.integer(0), 2);
  EXPECT_FALSE(q.step());
  EXPECT_EQ(status_of([&] { db->exec("INSERT INTO t VALUES (2)"); }), Status::duplicate);
}

TEST(Sqlite, GuardedTurnsAFailureIntoAnError) {
  const TempFolder folder;
  auto db = open_ok(folder / "a.sqlite");
  const auto r = guarded("store", [&]() -> Done {
    db->exec("SELECT * FROM nowhere");
    return done();
  });
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.error().code, Status::internal);
  EXPECT_NE(r.error().message.find("store: no such table"), std::string::npos) << r.error().message;
}

TEST(Sqlite, GarbageIsCorrupt) {
  const TempFolder folder;
  std::ofstream(folder / "a.sqlite") << std::string(4096, 'x');
  const auto db = Database::open(folder / "a.sqlite", false);
  ASSERT_FALSE(db.ok());
  EXPECT_EQ(db.error().code, Status::corrupt);
  EXPECT_NE(db.error().message.find("a.sqlite"), std::string::npos);
}

TEST(Sqlite, DamagedPagesAreCorrupt) {
  const TempFolder folder;
  {
    auto db = open_ok(folder / "a.sqlite");
    db->exec("CREATE TABLE t (b BLOB); INSERT INTO t VALUES (zeroblob(200000))");
    db->exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  {
    std::fstream f(folder / "a.sqlite", std::ios::in | std::ios::out | std::ios::binary);
    f.seekp(4096);
    f << std::string(40'000, '\xee');
  }
  auto db = open_ok(folder / "a.sqlite");
  EXPECT_EQ(status_of([&] {
              auto q = db->prepare("SELECT sum(length(b)), max(b) FROM t");
              q.step();
            }),
            Status::corrupt);
}

TEST(Sqlite, FullDiskIsNoSpaceAndTheTransactionGoesBack) {
  const TempFolder folder;
  auto db = open_ok(folder / "a.sqlite");
  db->exec("CREATE TABLE t (b BLOB)");
  db->exec("PRAGMA max_page_count = 20");  // SQLite's own way to a full disk, same code path and code
  EXPECT_EQ(status_of([&] {
              Transaction t(*db);
              db->exec("INSERT INTO t VALUES (zeroblob(1000000))");
              t.commit();
            }),
            Status::no_space);
  auto q = db->prepare("SELECT count(*) FROM t");
  ASSERT_TRUE(q.step());
  EXPECT_EQ(q.integer(0), 0);
}

TEST(Sqlite, MissingFolderIsNamed) {
  const TempFolder folder;
  const auto db = Database::open(folder / "none/a.sqlite", true);
  ASSERT_FALSE(db.ok());
  EXPECT_EQ(db.error().code, Status::io_error);
  EXPECT_NE(db.error().message.find("none/a.sqlite"), std::string::npos);
  EXPECT_FALSE(db.error().hint.empty());
}

TEST(Sqlite, ExclusiveHoldsAgainstASecondProcessAndEndsWithIt) {
  const TempFolder folder;
  const auto path = folder / "a.sqlite";
  int ready[2];
  int go[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(go), 0);
  const pid_t child = ::fork();
  if (child == 0) {  // holds the lock until it is killed
    const auto db = Database::open(path, true);
    const char c = db.ok() ? 'y' : 'n';
    if (::write(ready[1], &c, 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  char c = 0;
  ASSERT_EQ(::read(ready[0], &c, 1), 1);
  ASSERT_EQ(c, 'y');
  const auto second = Database::open(path, true);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Status::locked);
  EXPECT_NE(second.error().message.find(path.string()), std::string::npos);
  EXPECT_NE(second.error().message.find(std::to_string(child)), std::string::npos) << second.error().message;
  EXPECT_NE(second.error().hint.find("stop the other"), std::string::npos);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(Database::open(path, true).ok()) << "a killed process leaves no lock behind";
}

}  // namespace
}  // namespace sparkmill::sqlite
