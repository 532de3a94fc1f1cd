// SPDX-License-Identifier: Apache-2.0
#include "worker/store/store.h"

#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "base/file.h"
#include "base/sqlite.h"
#include "tests/worker/support.h"

namespace sparkmill::worker {
namespace {

using testing::id_number;
using testing::lease_row;
using testing::receipt_for;
using testing::SmallDisk;
using testing::TempFolder;

TEST(Store, KeepsALeaseThroughAllItsSteps) {
  TempFolder folder;
  LeaseRow lease = lease_row(1);
  {
    auto store = Store::open(folder.path() / "store.sqlite");
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_TRUE(*(*store)->add_lease(lease));
    EXPECT_FALSE(*(*store)->add_lease(lease)) << "the same lease twice must be known";
    ASSERT_TRUE((*store)->set_target(lease.lease_id, 4242));
    for (std::uint32_t i : {2u, 0u, 1u}) {
      ASSERT_TRUE((*store)->put_slice(lease.lease_id, {i, Bytes(10 + i, static_cast<std::uint8_t>(i))}));
    }
    lease.root[1] = 9;
    lease.leaf_count = 12;
    lease.answers = 3;
    lease.commit = Bytes{5, 6};
    ASSERT_TRUE((*store)->put_commit(lease));
  }
  auto store = Store::open(folder.path() / "store.sqlite");
  ASSERT_TRUE(store);
  auto rows = (*store)->unfinished();
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1u);
  const LeaseRow& back = rows->front();
  EXPECT_EQ(back.lease_id, lease.lease_id);
  EXPECT_EQ(back.job, lease.job);
  EXPECT_EQ(back.node_pub, lease.node_pub);
  EXPECT_EQ(back.target_units, 4242u);
  EXPECT_EQ(back.phase, Phase::committed);
  EXPECT_EQ(back.root, lease.root);
  EXPECT_EQ(back.commit, lease.commit);
  EXPECT_EQ(back.answers, 3u);
  EXPECT_EQ(*(*store)->slice_indices(lease.lease_id), (std::vector<std::uint32_t>{0, 1, 2}));
  auto slices = (*store)->slices(lease.lease_id);
  ASSERT_TRUE(slices);
  EXPECT_EQ((*slices)[2].result, Bytes(12, 2));

  ASSERT_TRUE((*store)->set_commit_answer(lease.lease_id, {40, 49, 1234}));
  ASSERT_TRUE((*store)->put_opening(lease.lease_id, Bytes{8, 8, 8}));
  rows = (*store)->unfinished();
  EXPECT_EQ(rows->front().phase, Phase::opening);
  EXPECT_EQ(rows->front().height, 40u);
  EXPECT_EQ(rows->front().open_by_ms, 1234u);
  EXPECT_EQ(rows->front().opening, (Bytes{8, 8, 8}));
}

TEST(Store, CountsAReceiptOnceAndFreesTheWork) {
  TempFolder folder;
  auto store = Store::open(folder.path() / "store.sqlite");
  ASSERT_TRUE(store);
  const LeaseRow good = lease_row(1), bad = lease_row(2), gone = lease_row(3);
  for (const LeaseRow& r : {good, bad, gone}) {
    ASSERT_TRUE((*store)->add_lease(r));
    ASSERT_TRUE((*store)->put_slice(r.lease_id, {0, Bytes{1}}));
  }
  EXPECT_TRUE(*(*store)->put_receipt(receipt_for(good, true), 11));
  EXPECT_FALSE(*(*store)->put_receipt(receipt_for(good, true), 11));
  EXPECT_TRUE(*(*store)->put_receipt(receipt_for(bad, false), 5));
  EXPECT_TRUE(*(*store)->drop(gone.lease_id, "late", "stale"));
  EXPECT_FALSE(*(*store)->drop(gone.lease_id, "late", "stale"));
  EXPECT_FALSE(*(*store)->drop(good.lease_id, "late", "stale")) << "a finished lease cannot be given up";
  auto c = (*store)->counters();
  ASSERT_TRUE(c);
  EXPECT_EQ(c->accepted, 1u);
  EXPECT_EQ(c->rejected, 1u);
  EXPECT_EQ(c->stale, 1u);
  EXPECT_EQ(c->answers, 11u);
  EXPECT_EQ(c->credit_microcobble, 77u);
  EXPECT_TRUE((*store)->unfinished()->empty());
  for (const LeaseRow& r : {good, bad, gone}) EXPECT_TRUE((*store)->slices(r.lease_id)->empty());
  EXPECT_FALSE(*(*store)->add_lease(good)) << "a lease that was finished must not begin again";
  // A slice that arrives after the end is not kept.
  ASSERT_TRUE((*store)->put_slice(gone.lease_id, {7, Bytes{1}}));
  EXPECT_TRUE((*store)->slice_indices(gone.lease_id)->empty());
}

TEST(Store, RemembersTuningAndNodes) {
  TempFolder folder;
  auto store = Store::open(folder.path() / "store.sqlite");
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->put_tuning({"cpu", "linux", "match/cpu/avx2", 3, 1.5e9, 1000}));
  ASSERT_TRUE((*store)->put_tuning({"cpu", "linux", "match/cpu/avx2", 4, 2.5e9, 2000}));
  auto rows = (*store)->tuning();
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ(rows->front().revision, 4u);
  EXPECT_EQ(rows->front().units_per_s, 2.5e9);
  EXPECT_EQ(rows->front().batch_units, 2000u);
  keys::PublicKey key{};
  key[5] = 5;
  EXPECT_FALSE((*store)->pinned_node("http://a")->has_value());
  ASSERT_TRUE((*store)->pin_node("http://a", key));
  EXPECT_EQ(**(*store)->pinned_node("http://a"), key);
}

TEST(Store, IsLockedAgainstASecondWorker) {
  TempFolder folder;
  auto first = Store::open(folder.path() / "store.sqlite");
  ASSERT_TRUE(first);
  auto second = Store::open(folder.path() / "store.sqlite");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.status(), Status::locked);
  EXPECT_EQ(exit_code(second.status()), 10);
}

std::filesystem::path aside_file(const std::filesystem::path& folder) {
  for (const auto& item : std::filesystem::directory_iterator(folder)) {
    const std::string name = item.path().filename().string();
    if (name.find(".damaged-") != std::string::npos && name.find("-wal") == std::string::npos) return item.path();
  }
  return {};
}

TEST(Store, MovesADamagedFileAsideAndNeverDeletesIt) {
  for (bool whole : {true, false}) {
    TempFolder folder;
    const auto file = folder.path() / "store.sqlite";
    {
      auto store = Store::open(file);
      ASSERT_TRUE(store);
      for (std::uint8_t i = 0; i < 60; ++i) {
        LeaseRow r = lease_row(i);
        r.job = Bytes(3000, i);
        ASSERT_TRUE((*store)->add_lease(r));
      }
    }
    std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
    const auto size = std::filesystem::file_size(file);
    const std::string noise(whole ? 100 : 30'000, '\x5a');
    f.seekp(whole ? 0 : static_cast<std::streamoff>(size / 3));
    f.write(noise.data(), static_cast<std::streamsize>(noise.size()));
    f.close();
    auto damaged = Store::open(file);
    ASSERT_FALSE(damaged) << "whole = " << whole;
    EXPECT_EQ(damaged.status(), Status::corrupt);
    EXPECT_NE(damaged.error().hint.find("moved to"), std::string::npos) << damaged.error().hint;
    const auto aside = aside_file(folder.path());
    ASSERT_FALSE(aside.empty());
    EXPECT_EQ(std::filesystem::file_size(aside), size);
    auto fresh = Store::open(file);
    ASSERT_TRUE(fresh) << fresh.error().message;
    EXPECT_TRUE((*fresh)->unfinished()->empty());
  }
}

TEST(Store, SharesAreCountedOnceAndNeverSentTwice) {
  TempFolder folder;
  const auto file = folder.path() / "store.sqlite";
  const auto share = [](unsigned n) { return ShareRow{{static_cast<std::uint8_t>(n)}, "pool", "cpu", 7, n}; };
  {
    auto store = Store::open(file);
    ASSERT_TRUE(store) << store.error().message;
    for (unsigned n : {1u, 2u, 3u, 4u, 5u}) EXPECT_TRUE(*(*store)->begin_share(share(n)));
    EXPECT_FALSE(*(*store)->begin_share(share(1)));
    ASSERT_TRUE((*store)->end_share({1}, {"accepted", "", "", true}));
    ASSERT_TRUE((*store)->end_share({1}, {"rejected", "other", "", false})) << "comes too late to count";
    ASSERT_TRUE((*store)->end_share({2}, {"rejected", "low_difficulty", "Low Difficulty Share", true}));
    ASSERT_TRUE((*store)->end_share({3}, {"stale", "job_gone", "", false}));
    ASSERT_TRUE((*store)->drop_share({4}));
    ASSERT_TRUE((*store)->drop_share({3})) << "has ended";
  }
  auto store = Store::open(file);  // 5 had no answer when the program was killed
  ASSERT_TRUE(store);
  EXPECT_EQ(*(*store)->close_open_shares(), 1u);
  EXPECT_EQ(*(*store)->close_open_shares(), 0u);
  const auto totals = (*store)->share_totals();
  ASSERT_TRUE(totals);
  EXPECT_EQ(totals->accepted, 1u);
  EXPECT_EQ(totals->rejected, 1u);
  EXPECT_EQ(totals->stale, 1u);
  EXPECT_EQ(totals->unknown, 1u);
  EXPECT_EQ(totals->blocks, 1u) << "of accepted ones";
  const std::map<std::string, std::uint64_t> reasons{
      {"rejected.low_difficulty", 1}, {"stale.job_gone", 1}, {"unknown.line_broke", 1}};
  EXPECT_EQ(totals->reasons, reasons);
  for (unsigned n : {1u, 2u, 3u, 5u}) EXPECT_FALSE(*(*store)->begin_share(share(n))) << n;
  EXPECT_TRUE(*(*store)->begin_share(share(4))) << "never left";
}

TEST(Store, AnOlderSchemaIsBroughtUp) {
  TempFolder folder;
  const auto file = folder.path() / "store.sqlite";
  ASSERT_TRUE((*Store::open(file))->add_lease(lease_row(1)));
  {
    auto db = sqlite::Database::open(file, true);
    ASSERT_TRUE(db);
    (*db)->exec("DROP TABLE shares");
    (*db)->exec("DROP TABLE boinc_results");
    (*db)->exec("PRAGMA user_version = 1");
  }
  auto store = Store::open(file);
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ((*store)->unfinished()->size(), 1u);
  EXPECT_TRUE(*(*store)->begin_share({{1}, "pool", "cpu", 7, 1}));
  BoincRow row;
  row.project_url = "http://a/";
  row.name = "w_0";
  row.acknowledged = true;
  EXPECT_TRUE(*(*store)->put_boinc_result(row));
  EXPECT_FALSE(*(*store)->put_boinc_result(row)) << "a result is recorded once";
  EXPECT_EQ((*store)->boinc_counts()->unclaimed, 1u);
}

TEST(Store, ResultsOfVersionThreeAreDueForClaimAndReceipt) {
  TempFolder folder;
  const auto file = folder.path() / "store.sqlite";
  { ASSERT_TRUE(Store::open(file)); }
  {
    auto db = sqlite::Database::open(file, true);
    ASSERT_TRUE(db);
    for (const char* column : {"output_hash", "claim_tries", "claim_at_ms", "receipt", "receipt_reason",
                               "receipt_tries", "receipt_at_ms", "receipt_credit"}) {
      (*db)->exec(std::string("ALTER TABLE boinc_results DROP COLUMN ") + column);
    }
    (*db)->exec(
        "INSERT INTO boinc_results(project, name, app, exit_status, elapsed_ms, cpu_ms, completed_ms, user_id, "
        "host_id, "
        "cpid, acknowledged, claim) VALUES('http://a/', 'smk_x_0', 'sparkmill', 0, 1, 1, 1, 7, 8, zeroblob(16), 1, "
        "'recorded')");
    (*db)->exec("PRAGMA user_version = 3");
  }
  auto store = Store::open(file);
  ASSERT_TRUE(store) << store.error().message;
  const auto claims = (*store)->boinc_claims_due(10, 5);
  ASSERT_TRUE(claims);
  ASSERT_EQ(claims->size(), 1u) << "a claim that was only recorded is asked about again";
  EXPECT_EQ((*claims)[0].user_id, 7u);
  EXPECT_EQ((*store)->boinc_receipts_due(10, 5)->size(), 1u);
  ASSERT_TRUE((*store)->set_boinc_claim((*claims)[0], {"recorded", "no_receipt", 0, 100}).ok());
  EXPECT_TRUE((*store)->boinc_claims_due(10, 99)->empty());
  EXPECT_EQ((*store)->boinc_claims_due(10, 100)->front().tries, 1u);
  ASSERT_TRUE((*store)->set_boinc_receipt((*claims)[0], {"credited", "", 55, 0}).ok());
  EXPECT_EQ((*store)->boinc_claims_due(10, 5)->size(), 1u) << "its receipt decides the claim";
  EXPECT_EQ((*store)->boinc_counts()->credit_microcobble, 55u);
}

TEST(Store, LeavesANewerSchemaAlone) {
  TempFolder folder;
  const auto file = folder.path() / "store.sqlite";
  ASSERT_TRUE(Store::open(file));
  {
    auto db = sqlite::Database::open(file, true);
    ASSERT_TRUE(db);
    (*db)->exec("PRAGMA user_version = 99");
  }
  auto newer = Store::open(file);
  ASSERT_FALSE(newer);
  EXPECT_NE(newer.error().message.find("99"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(file));
  EXPECT_TRUE(aside_file(folder.path()).empty());
}

TEST(Store, ASliceCostsLessThanAMillisecond) {
  TempFolder folder;
  auto store = Store::open(folder.path() / "store.sqlite");
  ASSERT_TRUE(store);
  const LeaseRow lease = lease_row(1);
  ASSERT_TRUE((*store)->add_lease(lease));
  std::vector<double> ms;
  for (std::uint32_t i = 0; i < 200; ++i) {
    const auto t0 = std::chrono::steady_clock::now();
    ASSERT_TRUE((*store)->put_slice(lease.lease_id, {i, Bytes(36'000, 1)}));
    ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - t0).count());
  }
  ASSERT_TRUE((*store)->flush());
  EXPECT_EQ((*store)->slice_indices(lease.lease_id)->size(), 200u);
  std::nth_element(ms.begin(), ms.begin() + 100, ms.end());
  EXPECT_LT(ms[100], 1.0) << "median";
}

/// A child writes slices and says through a pipe up to which one it has flushed; it is killed at a random moment.
TEST(Store, AKilledProcessLosesNothingItWasToldIsSafe) {
  TempFolder folder;
  const auto file = folder.path() / "store.sqlite";
  std::uint32_t next = 0;
  unsigned random = 12345;  // fixed seed
  for (int round = 0; round < 12; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto store = Store::open(file);
      if (!store) ::_exit(3);
      if (!(*store)->add_lease(lease_row(1))) ::_exit(4);
      for (std::uint32_t i = next;; ++i) {
        if (!(*store)->put_slice(lease_row(1).lease_id, {i, Bytes(500, static_cast<std::uint8_t>(i))})) ::_exit(5);
        if (i % 4 == 3) {
          if (!(*store)->flush()) ::_exit(6);
          if (::write(pipe_ends[1], &i, sizeof i) != sizeof i) ::_exit(7);
        }
      }
    }
    ::close(pipe_ends[1]);
    random = random * 1103515245 + 12345;
    std::uint32_t safe = 0, told = 0;
    // At least one flush is awaited, so that each round shows something; the kill comes a random time later.
    ASSERT_EQ(::read(pipe_ends[0], &told, sizeof told), static_cast<ssize_t>(sizeof told));
    safe = told;
    ::usleep(random / 65536 % 20'000);
    ::kill(child, SIGKILL);
    while (::read(pipe_ends[0], &told, sizeof told) == static_cast<ssize_t>(sizeof told)) safe = told;
    ::close(pipe_ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with " << WEXITSTATUS(status);
    auto store = Store::open(file);
    ASSERT_TRUE(store) << store.error().message;
    auto indices = (*store)->slice_indices(lease_row(1).lease_id);
    ASSERT_TRUE(indices);
    ASSERT_GT(indices->size(), safe);
    for (std::uint32_t i = 0; i < indices->size(); ++i) ASSERT_EQ((*indices)[i], i) << "a hole";
    next = static_cast<std::uint32_t>(indices->size());
  }
}

TEST(Store, WaitsForRoomOnAFullDiskAndGoesOn) {
  TempFolder folder;
  SmallDisk disk(folder.path() / "disk", 1024);
  if (!disk.ok) GTEST_SKIP() << "this user may not mount a tmpfs";
  StoreSettings settings;
  settings.trouble_patience_ms = 20'000;
  auto store = Store::open(folder.path() / "disk/store.sqlite", settings);
  ASSERT_TRUE(store) << store.error().message;
  std::atomic<int> trouble{0}, fine{0};
  (*store)->on_trouble([&](const std::optional<Error>& e) {
    if (e) {
      EXPECT_EQ(e->code, Status::no_space);
    }
    ++(e ? trouble : fine);
  });
  const LeaseRow lease = lease_row(1);
  ASSERT_TRUE((*store)->add_lease(lease));
  const auto ballast = folder.path() / "disk/ballast";
  ASSERT_TRUE(write_file_atomic(ballast, Bytes(500u << 10, 1)));
  for (std::uint32_t i = 0; i < 10; ++i) {
    ASSERT_TRUE((*store)->put_slice(lease.lease_id, {i, Bytes(40'000, 1)}));
  }
  for (int i = 0; i < 100 && trouble == 0; ++i) ::usleep(50'000);
  EXPECT_GE(trouble, 1);
  std::filesystem::remove(ballast);
  ASSERT_TRUE((*store)->flush());
  EXPECT_EQ(fine, 1);
  EXPECT_EQ((*store)->slice_indices(lease.lease_id)->size(), 10u);
}

TEST(Store, GivesUpAFullDiskAfterItsPatience) {
  TempFolder folder;
  SmallDisk disk(folder.path() / "disk", 512);
  if (!disk.ok) GTEST_SKIP() << "this user may not mount a tmpfs";
  StoreSettings settings;
  settings.trouble_patience_ms = 300;
  auto store = Store::open(folder.path() / "disk/store.sqlite", settings);
  ASSERT_TRUE(store) << store.error().message;
  const LeaseRow lease = lease_row(1);
  ASSERT_TRUE((*store)->add_lease(lease));
  std::uint32_t i = 0;
  Done last = done();
  while (i < 200 && last) last = (*store)->put_slice(lease.lease_id, {i++, Bytes(40'000, 1)});
  if (last) last = (*store)->flush();
  ASSERT_FALSE(last);
  EXPECT_EQ(last.status(), Status::no_space);
  EXPECT_EQ(exit_code(last.status()), 75);
}

}  // namespace
}  // namespace sparkmill::worker
