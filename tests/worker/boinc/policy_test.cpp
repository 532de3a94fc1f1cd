// SPDX-License-Identifier: Apache-2.0
// The good neighbour's decisions, second by second.
#include "worker/boinc/policy.h"

#include <gmock/gmock.h>

namespace sparkmill::worker::boinc {
namespace {

namespace rpc = ::sparkmill::boinc::rpc;
using ::testing::HasSubstr;

rpc::Task task(bool running, const std::string& resources = "") {
  rpc::Task t;
  t.name = "t";
  t.state = 2;
  t.active = true;
  t.active_state = running ? 1 : 9;
  t.scheduler_state = 2;
  t.resources = resources;
  return t;
}

PolicySettings yielding() {
  PolicySettings s;
  s.kind = Neighbour::yield;
  return s;
}

struct Neighbourhood {
  explicit Neighbourhood(PolicySettings s = yielding(), std::vector<Gpu> gpus = {})
      : policy(std::move(s), std::move(gpus)) {
    view.connected = true;
  }
  /// One second later.
  GiveWay cpu() { return tick()["cpu"]; }
  std::map<std::string, GiveWay> tick() {
    now_ms += 1000;
    return policy.decide(view, now_ms);
  }
  void boinc_runs() {
    view.tasks = {task(true)};
    view.status.task_suspend_reason = 0;
  }
  void boinc_waits() {
    view.tasks = {task(false)};
    view.status.task_suspend_reason = rpc::kSuspendCpuBusy;
  }
  void boinc_idle() {
    view.tasks.clear();
    view.status.task_suspend_reason = 0;
  }
  Policy policy;
  View view;
  std::uint64_t now_ms = 1'000'000;
};

TEST(BoincPolicy, YieldsAtOnceAndComesBackSoon) {
  Neighbourhood n;
  EXPECT_EQ(n.cpu().share, 1);
  n.boinc_runs();
  const GiveWay way = n.cpu();
  EXPECT_EQ(way.share, 0);
  EXPECT_EQ(way.code, "boinc_runs");
  n.boinc_idle();
  EXPECT_EQ(n.cpu().share, 0) << "a moment between two tasks";
  n.tick();
  n.tick();
  EXPECT_EQ(n.cpu().share, 1);
}

TEST(BoincPolicy, FinishedSuspendedAndForeignTasksDoNotCount) {
  Neighbourhood n;
  rpc::Task t = task(false);
  t.state = 5;
  t.ready_to_report = true;
  n.view.tasks = {t};
  n.view.status.task_suspend_reason = rpc::kSuspendCpuBusy;
  EXPECT_EQ(n.cpu().share, 1);
  t = task(false);
  t.suspended = true;
  n.view.tasks = {t};
  EXPECT_EQ(n.cpu().share, 1);
  n.view.tasks = {task(true, "0.1 CPUs + 1 NVIDIA GPU")};
  n.view.status.task_suspend_reason = 0;
  EXPECT_EQ(n.cpu().share, 1) << "a GPU task needs no CPU lane of ours";
  n.view.tasks = {task(false)};
  n.view.status.task_suspend_reason = rpc::kSuspendUserRequest;
  EXPECT_EQ(n.cpu().share, 1) << "suspended by its user, not by us";
  n.boinc_runs();
  n.view.connected = false;
  EXPECT_EQ(n.cpu().share, 1);
}

TEST(BoincPolicy, ATaskThatWaitsForTheCpuCountsAsRunning) {
  Neighbourhood n;
  n.boinc_waits();
  const GiveWay way = n.cpu();
  EXPECT_EQ(way.share, 0);
  EXPECT_EQ(way.code, "boinc_waits");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(n.cpu().share, 0) << "the client looks only every ten seconds";
  n.boinc_runs();
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(n.cpu().share, 0);
}

/// Somebody else keeps the CPU busy: neither we nor BOINC may wait for ever.
TEST(BoincPolicy, SilenceInVainEndsAndIsTriedAgain) {
  Neighbourhood n;
  n.boinc_waits();
  unsigned silent = 0, worked = 0, tries = 0;
  double last = 1;
  for (int second = 0; second < 4 * 3600; ++second) {
    const double share = n.cpu().share;
    if (share == 0 && last == 1) ++tries;
    (share == 0 ? silent : worked) += 1;
    last = share;
  }
  EXPECT_GE(tries, 5u);
  EXPECT_GT(worked, 3 * silent);
  EXPECT_GE(silent, tries * 55);
  while (n.cpu().share == 0) {
  }
  EXPECT_THAT(n.policy.remark(), HasSubstr("other programs"));
  n.boinc_runs();
  EXPECT_EQ(n.cpu().share, 0) << "once it runs it comes first again";
  n.boinc_waits();
  EXPECT_EQ(n.cpu().share, 0);
}

TEST(BoincPolicy, ThrottleAndBenchmarksAreRunning) {
  Neighbourhood n;
  n.view.tasks = {task(false)};
  n.view.status.task_suspend_reason = rpc::kSuspendThrottle;
  EXPECT_EQ(n.cpu().code, "boinc_runs");
  n.boinc_idle();
  n.view.status.task_suspend_reason = rpc::kSuspendBenchmarks;
  EXPECT_EQ(n.cpu().share, 0);
}

TEST(BoincPolicy, SharesLanesWhileBothRun) {
  PolicySettings s;
  s.kind = Neighbour::share;
  s.share = 0.25;
  Neighbourhood n(s);
  EXPECT_EQ(n.cpu().share, 1);
  n.boinc_runs();
  const GiveWay way = n.cpu();
  EXPECT_EQ(way.share, 0.25);
  EXPECT_THAT(way.text, HasSubstr("25 %"));
}

/// A client with default preferences stops beside any share above 25 %, and looks at the load every ten seconds.
TEST(BoincPolicy, TakesTurnsWithAClientThatStopsBesideItsShare) {
  PolicySettings s;
  s.kind = Neighbour::share;
  s.share = 0.5;
  Neighbourhood n(s);
  n.boinc_runs();
  double ours = 0, boincs = 0;
  int busy_for = 0;
  bool suspended = false;
  constexpr int kSeconds = 3600;
  for (int second = 0; second < kSeconds; ++second) {
    const double share = n.cpu().share;
    ours += share;
    boincs += suspended ? 0 : 1;
    busy_for = (share > 0.25) != suspended ? busy_for + 1 : 0;
    if (busy_for >= 10) suspended = !suspended, busy_for = 0;
    suspended ? n.boinc_waits() : n.boinc_runs();
  }
  EXPECT_NEAR(ours / kSeconds, 0.5, 0.1);
  EXPECT_GT(boincs / kSeconds, 0.4);
  EXPECT_THAT(n.policy.remark(), HasSubstr("take turns"));
}

TEST(BoincPolicy, FirstTakesAllAndSaysSo) {
  PolicySettings s;
  s.kind = Neighbour::first;
  Neighbourhood n(s);
  n.boinc_waits();
  EXPECT_EQ(n.cpu().share, 1);
  EXPECT_THAT(n.policy.remark(), HasSubstr("first"));
}

TEST(BoincPolicy, GpusYieldOneByOne) {
  Neighbourhood n(yielding(), {{"cuda:a", "NVIDIA", 0}, {"cuda:b", "NVIDIA", 1}, {"opencl:c", "AMD", -1}});
  n.view.tasks = {task(true, "0.1 CPUs + 1 NVIDIA GPU (device 1)")};
  auto ways = n.tick();
  EXPECT_EQ(ways["cpu"].share, 1);
  EXPECT_EQ(ways["cuda:a"].share, 1);
  EXPECT_EQ(ways["cuda:b"].share, 0);
  EXPECT_EQ(ways["opencl:c"].share, 1);
  n.view.tasks = {task(true, "0.1 CPUs + 0.5 AMD/ATI GPUs")};
  n.tick(), n.tick();
  ways = n.tick();
  EXPECT_EQ(ways["cuda:b"].share, 1);
  EXPECT_EQ(ways["opencl:c"].share, 0);
  n.view.tasks = {task(true, "0.1 CPUs + 1 NVIDIA GPU")};
  n.tick(), n.tick();
  ways = n.tick();
  EXPECT_EQ(ways["cuda:a"].share, 0) << "it does not say which one: both";
  EXPECT_EQ(ways["cuda:b"].share, 0);
  EXPECT_EQ(ways["opencl:c"].share, 1);
  n.view.tasks = {task(false, "0.1 CPUs + 1 NVIDIA GPU (device 0)")};
  n.view.status.gpu_suspend_reason = rpc::kSuspendUserActive;
  n.tick(), n.tick();
  EXPECT_EQ(n.tick()["cuda:a"].share, 1) << "it does not run";
}

TEST(BoincPolicy, ObeysBoincsReasonsOnlyWhenTold) {
  PolicySettings s = yielding();
  Neighbourhood careless(s, {{"cuda:a", "NVIDIA", 0}});
  careless.view.status.task_suspend_reason = rpc::kSuspendBatteries;
  EXPECT_EQ(careless.cpu().share, 1);
  s.obey = {"battery", "user_active"};
  Neighbourhood n(s, {{"cuda:a", "NVIDIA", 0}});
  n.view.status.task_suspend_reason = rpc::kSuspendBatteries;
  auto ways = n.tick();
  EXPECT_EQ(ways["cpu"].code, "boinc_battery");
  EXPECT_EQ(ways["cpu"].share, 0);
  EXPECT_EQ(ways["cuda:a"].share, 0);
  n.view.status.task_suspend_reason = rpc::kSuspendTimeOfDay;
  n.view.status.gpu_suspend_reason = rpc::kSuspendUserActive;
  ways = n.tick();
  EXPECT_EQ(ways["cpu"].share, 1);
  EXPECT_EQ(ways["cuda:a"].code, "boinc_user_active");
}

TEST(BoincPolicy, OffSaysNothing) {
  PolicySettings s;
  s.kind = Neighbour::off;
  Neighbourhood n(s);
  n.boinc_runs();
  EXPECT_TRUE(n.tick().empty());
}

TEST(BoincPolicy, KnowsOurGpus) {
  kernels::Device cpu, cuda, radeon;
  cpu.id = "cpu";
  cuda.id = "cuda:x", cuda.backend = kernels::Backend::cuda, cuda.ordinal = 3;
  radeon.id = "opencl:y", radeon.backend = kernels::Backend::opencl, radeon.name = "AMD Radeon";
  const auto gpus = gpus_among({cpu, cuda, radeon});
  ASSERT_EQ(gpus.size(), 2u);
  EXPECT_EQ(gpus[0].vendor, "NVIDIA");
  EXPECT_EQ(gpus[0].ordinal, 3);
  EXPECT_EQ(gpus[1].vendor, "AMD");
  EXPECT_EQ(gpus[1].ordinal, -1);
}

}  // namespace
}  // namespace sparkmill::worker::boinc
