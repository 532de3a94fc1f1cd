// SPDX-License-Identifier: Apache-2.0
// The companion against a peer that a test bends: what it shows, decides, records and claims, and how it takes faults.
#include "worker/boinc/companion.h"

#include <gmock/gmock.h>

#include <fstream>

#include "base/file.h"
#include "base/hash.h"
#include "base/hex.h"
#include "tests/fake/boinc_peer.h"
#include "tests/worker/support.h"
#include "verify/unit/result.h"

namespace sparkmill::worker::boinc {
namespace {

namespace rpc = ::sparkmill::boinc::rpc;
using fake::BoincPeer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kRunning =
    "<results><result><name>w_1</name><project_url>http://a/</project_url><state>2</state>"
    "<active_task><active_task_state>1</active_task_state><scheduler_state>2</scheduler_state>"
    "<fraction_done>0.25</fraction_done></active_task></result></results>";
constexpr const char* kFinished =
    "<results><result><name>w_1</name><project_url>http://a/</project_url><state>5</state><ready_to_report/>"
    "<exit_status>0</exit_status><final_elapsed_time>9.5</final_elapsed_time><final_cpu_time>8</final_cpu_time>"
    "<completed_time>1795235239.5</completed_time></result></results>";
constexpr const char* kOld =
    "<old_results><old_result><project_url>http://a/</project_url><result_name>w_1</result_name><app_name>upper</"
    "app_name>"
    "<exit_status>0</exit_status><elapsed_time>9.5</elapsed_time><cpu_time>8</cpu_time>"
    "<completed_time>1795235239.5</completed_time></old_result></old_results>";

struct CompanionTest : ::testing::Test {
  CompanionTest() {
    idle();
    peer.set("get_project_status",
             "<projects><project><master_url>http://a/</master_url><project_name>A</project_name><userid>7</userid>"
             "<hostid>9</hostid><external_cpid>3538eb46a08ee6ca65a2905634d5f0e5</external_cpid><project_dir>" +
                 (folder.path() / "projects" / "a").string() + "</project_dir></project></projects>");
    settings.policy.kind = Neighbour::yield;
    settings.policy.linger_ms = 200;
    settings.address = rpc::Address{"127.0.0.1", peer.port(), ""};
    settings.poll_ms = 20;
    settings.look_ms = 100;
    settings.reply_ms = 20'000;
    auto opened = Store::open(folder.path() / "store.sqlite");
    if (!opened) std::abort();
    store = std::move(*opened);
  }
  void idle() {
    peer.set("get_cc_status",
             "<cc_status><task_suspend_reason>0</task_suspend_reason><task_mode>2</task_mode></cc_status>");
    peer.set("get_results", "<results></results>");
    peer.set("get_old_results", "<old_results></old_results>");
  }
  void start() {
    CompanionParts parts{*store,
                         state,
                         system_clock(),
                         {},
                         [this](const auto& ways) {
                           std::lock_guard lock(mutex);
                           given = ways;
                         },
                         [this](const keys::PublicKey& app) { return unit::make_statement(worker, app, 1); },
                         worker.public_key(),
                         [this] { ++finished; }};
    companion = std::make_unique<Companion>(settings, std::move(parts));
    companion->start();
  }
  GiveWay cpu() {
    std::lock_guard lock(mutex);
    return given.count("cpu") != 0 ? given["cpu"] : GiveWay{};
  }
  BoincState shown() { return state.snapshot().boinc; }
  template <class F>
  static bool soon(F&& holds) {
    for (int i = 0; i < 3000 && !holds(); ++i) ::usleep(10'000);
    return holds();
  }

  testing::TempFolder folder;
  BoincPeer peer;
  CompanionSettings settings;
  const keys::SigningKey worker = keys::KeyFile::from_seed(sha256(view("worker"))).role("envelope");
  std::atomic<int> finished{0};
  State state;
  std::unique_ptr<Store> store;
  std::mutex mutex;
  std::map<std::string, GiveWay> given;
  std::unique_ptr<Companion> companion;  // last: it goes first
};

TEST_F(CompanionTest, ShowsTheClientAndGivesWay) {
  start();
  ASSERT_TRUE(soon([&] { return shown().state == "connected" && !shown().projects.empty(); }));
  EXPECT_EQ(shown().version, "7.20.5");
  EXPECT_EQ(shown().policy, "yield");
  EXPECT_EQ(shown().mode, "auto");
  EXPECT_EQ(shown().projects[0].host_id, 9);
  EXPECT_EQ(cpu().share, 1);
  peer.set("get_results", kRunning);
  ASSERT_TRUE(soon([&] { return cpu().share == 0; }));
  EXPECT_EQ(cpu().code, "boinc_runs");
  ASSERT_TRUE(soon([&] { return shown().running == 1; }));
  EXPECT_EQ(shown().tasks[0].phase, "running");
  EXPECT_DOUBLE_EQ(shown().tasks[0].progress, 0.25);
  idle();
  ASSERT_TRUE(soon([&] { return cpu().share == 1; }));
  const std::string json = to_json(state.snapshot(), system_clock());
  EXPECT_THAT(json, HasSubstr("\"boinc\":{\"policy\":\"yield\",\"state\":\"connected\""));
  EXPECT_THAT(to_text(state.snapshot(), system_clock(), false), HasSubstr("boinc    connected, 7.20.5"));
  EXPECT_THAT(to_prometheus(state.snapshot(), system_clock()), HasSubstr("sparkmill_boinc_connected 1"));
}

TEST_F(CompanionTest, NoClientIsSilenceAndItIsFoundLater) {
  peer.stop();
  start();
  ASSERT_TRUE(soon([&] { return shown().on; }));
  EXPECT_EQ(shown().state, "absent");
  EXPECT_EQ(shown().detail, "");
  EXPECT_THAT(to_text(state.snapshot(), system_clock(), false), ::testing::Not(HasSubstr("boinc")));
  peer.restart();
  EXPECT_TRUE(soon([&] { return shown().state == "connected"; }));
}

TEST_F(CompanionTest, OffAsksNobody) {
  settings.policy.kind = Neighbour::off;
  start();
  ::usleep(200'000);
  EXPECT_EQ(peer.connections(), 0u);
  EXPECT_FALSE(shown().on);
}

TEST_F(CompanionTest, ALostClientGivesTheCpuBackAndARestartIsNoticed) {
  peer.set("get_results", kRunning);
  start();
  ASSERT_TRUE(soon([&] { return cpu().share == 0; }));
  peer.stop();
  ASSERT_TRUE(soon([&] { return cpu().share == 1; }));
  EXPECT_THAT(shown().state, ::testing::AnyOf("unreachable", "absent"));
  EXPECT_TRUE(shown().tasks.empty());
  peer.restart();
  EXPECT_TRUE(soon([&] { return cpu().share == 0; }));
}

TEST_F(CompanionTest, GarbageEndlessAndHalfOpenAreStatesNotCrashes) {
  start();
  ASSERT_TRUE(soon([&] { return shown().state == "connected"; }));
  peer.set_fault(BoincPeer::Fault::garbage);
  ASSERT_TRUE(soon([&] { return shown().state == "not_boinc"; }));
  EXPECT_THAT(shown().detail, HasSubstr("no BOINC client"));
  peer.set_fault(BoincPeer::Fault::none);
  ASSERT_TRUE(soon([&] { return shown().state == "connected"; }));
  peer.set_fault(BoincPeer::Fault::closes);
  ASSERT_TRUE(soon([&] { return shown().state == "unreachable"; }));
  peer.set_fault(BoincPeer::Fault::none);
  ASSERT_TRUE(soon([&] { return shown().state == "connected"; }));
  peer.set_fault(BoincPeer::Fault::silent);
  ::usleep(200'000);
  const auto t0 = std::chrono::steady_clock::now();
  companion->stop();  // does not wait for the reply
  EXPECT_LT(std::chrono::steady_clock::now() - t0, std::chrono::seconds(10));
}

TEST_F(CompanionTest, FinishedResultsAreKeptWhenTheClientForgetsThem) {
  start();
  ASSERT_TRUE(soon([&] { return shown().state == "connected"; }));
  peer.set("get_results", kFinished);
  ASSERT_TRUE(soon([&] { return shown().results == 1; }));
  EXPECT_EQ(shown().claims_waiting, 0u) << "the project has not got it yet";
  peer.set("get_results", "<results></results>");
  peer.set("get_old_results", kOld);
  peer.stop();  // a restart makes the companion look at everything at once
  ASSERT_TRUE(soon([&] { return shown().state != "connected"; }));
  peer.restart();
  ASSERT_TRUE(soon([&] { return shown().claims_waiting == 1; }));
  EXPECT_EQ(shown().results, 1u);
  idle();
  companion->stop();
  const auto rows = store->boinc_claims_due(10, UINT64_MAX / 2);
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1u);
  const BoincRow& r = (*rows)[0];
  EXPECT_EQ(r.project_url, "http://a/");
  EXPECT_EQ(r.name, "w_1");
  EXPECT_EQ(r.app, "upper");
  EXPECT_EQ(r.elapsed_ms, 9500u);
  EXPECT_EQ(r.cpu_ms, 8000u);
  EXPECT_EQ(r.completed_ms, 1'795'235'239'500u);
  EXPECT_EQ(r.user_id, 7u);
  EXPECT_EQ(r.host_id, 9u);
  EXPECT_EQ(r.cpid[0], 0x35);
}

TEST_F(CompanionTest, TheJobLogTellsWhatWasFinishedUnseen) {
  const auto now = system_clock().unix_ms() / 1000;
  {
    std::ofstream log(folder.path() / "job_log_a.txt");
    log << "garbage\n" << now - 10 * 86400 << " ue 1 ct 1 fe 1 nm old_0 et 1 es 0\n";
    log << now - 60 << " ue 60.0 ct 8.8 fe 6e10 nm w_9_0 et 9.0 es 0\n" << now - 30 << " ue 60.0 ct 8.8 fe 6e10 nm cut";
  }
  start();
  ASSERT_TRUE(soon([&] { return shown().results == 1; }));
}

TEST_F(CompanionTest, OurApplicationsKeyIsBoundToThisWorker) {
  const auto app = keys::KeyFile::from_seed(sha256(view("app"))).role("envelope").public_key();
  const auto dir = folder.path() / "projects" / "a";
  std::filesystem::create_directories(dir);
  start();
  ASSERT_TRUE(soon([&] { return shown().state == "connected" && !shown().projects.empty(); }));
  ASSERT_TRUE(write_file_atomic(dir / std::string(unit::kAppPublicFile), view(to_hex(app) + "\n")).ok());
  const auto file = dir / std::string(unit::kAppStatementFile);
  const auto bound = [&]() -> std::optional<keys::PublicKey> {
    const auto bytes = read_file(file, unit::kStatementBytes);
    if (!bytes) return std::nullopt;
    const auto statement = unit::decode_statement(*bytes, app);
    return statement ? std::optional(statement->worker_pub) : std::nullopt;
  };
  ASSERT_TRUE(soon([&] { return bound() == worker.public_key(); }));
  companion->stop();
  // Another worker beside the same client keeps what it has; one that is no statement is replaced.
  const auto other = keys::KeyFile::from_seed(sha256(view("other"))).role("envelope");
  ASSERT_TRUE(write_file_atomic(file, unit::make_statement(other, app, 1)).ok());
  start();
  ASSERT_TRUE(soon([&] { return shown().state == "connected" && !shown().projects.empty(); }));
  ::usleep(200'000);
  EXPECT_EQ(bound(), other.public_key());
  companion->stop();
  ASSERT_TRUE(write_file_atomic(file, Bytes(unit::kStatementBytes, 7)).ok());
  start();
  EXPECT_TRUE(soon([&] { return bound() == worker.public_key(); }));
}

TEST_F(CompanionTest, TheHashThatTheApplicationNotedGoesWithTheResult) {
  const auto dir = folder.path() / "projects" / "a";
  std::filesystem::create_directories(dir);
  const Hash32 hash = sha256(view("result file"));
  {
    std::ofstream notes(dir / std::string(unit::kAppResultsFile));
    notes << "w_10 " << to_hex(Hash32{}) << "\ngarbage\nw_1 " << to_hex(hash) << "\nw_1 cut";
  }
  peer.set("get_old_results", kOld);
  start();
  ASSERT_TRUE(soon([&] { return shown().claims_waiting == 1; }));
  EXPECT_GE(finished, 1);
  companion->stop();
  const auto rows = store->boinc_claims_due(10, UINT64_MAX / 2);
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ((*rows)[0].output_hash, hash);
}

TEST_F(CompanionTest, WhatIsGivenAwayIsShownWithItsReason) {
  peer.set("get_results", kRunning);
  start();
  ASSERT_TRUE(soon([&] { return shown().gives.size() == 1; }));
  EXPECT_EQ(shown().gives[0].device, "cpu");
  EXPECT_EQ(shown().gives[0].share, 0);
  EXPECT_EQ(shown().gives[0].code, "boinc_runs");
  EXPECT_THAT(to_text(state.snapshot(), system_clock(), false), HasSubstr("cpu: nothing ours: "));
  EXPECT_THAT(to_json(state.snapshot(), system_clock()),
              HasSubstr("\"gives\":[{\"device\":\"cpu\",\"share\":0.0,\"code\":\"boinc_runs\""));
  idle();
  EXPECT_TRUE(soon([&] { return shown().gives.empty(); }));
}

}  // namespace
}  // namespace sparkmill::worker::boinc
