// SPDX-License-Identifier: Apache-2.0
// The scheduler with real rows on the real CPU; kernels are wrapped only to inject faults.
#include "worker/scheduler/scheduler.h"

#include <gmock/gmock.h>

#include <atomic>
#include <set>

#include "kernels/match/match.h"
#include "tests/verify/support.h"
#include "tests/worker/support.h"
#include "worker/scheduler/lanes.h"

namespace sparkmill::worker {
namespace {

using testing::Sample;
using testing::Shape;

/// What the wrapped kernels do instead of computing.
struct Faults {
  std::atomic<int> lose{0};       ///< so many runs say that the device is lost
  std::atomic<int> fail_make{0};  ///< so many makes fail their self-test
  std::atomic<int> makes{0};
  std::atomic<int> slow_ms{0};
};

class FaultyKernel final : public match::Kernel {
 public:
  FaultyKernel(std::unique_ptr<kernels::Kernel> inner, Faults& faults) : inner_(std::move(inner)), faults_(faults) {}
  Done run(const match::Task& task, match::TileResults& out, const StopToken& stop) override {
    for (int i = 0; i < faults_.slow_ms && !stop.stop_requested(); ++i) ::usleep(1000);
    if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
    if (faults_.lose.fetch_sub(1) > 0) return fail(Status::no_device, "the driver was reset");
    return dynamic_cast<match::Kernel&>(*inner_).run(task, out, stop);
  }

 private:
  std::unique_ptr<kernels::Kernel> inner_;
  Faults& faults_;
};

struct Bench {
  explicit Bench(unsigned lanes = 2) : sample(Shape{1500, 1500, 64, 1, 40, 44}) {
    settings.cpu_lanes = lanes;
    settings.retry_ms = 20;
    hardware.discover = [](std::vector<std::string>*) {
      std::vector<kernels::Device> all = kernels::discover_devices();
      all.resize(1);
      return all;
    };
    hardware.make = [this](const kernels::Row& row,
                           const kernels::Device& device) -> Result<std::unique_ptr<kernels::Kernel>> {
      ++faults.makes;
      if (faults.fail_make.fetch_sub(1) > 0) return fail(Status::self_test_failed, "wrong known answer");
      auto kernel = kernels::make_tested(row, device);
      if (!kernel) return kernel.error();
      return std::unique_ptr<kernels::Kernel>(std::make_unique<FaultyKernel>(std::move(*kernel), faults));
    };
  }
  Result<std::unique_ptr<Scheduler>> start() { return Scheduler::start(settings, hardware, state, system_clock()); }
  DeviceState device() {
    const Snapshot s = state.snapshot();
    return s.devices.empty() ? DeviceState{} : s.devices.front();
  }
  bool has_reason(const std::string& code) {
    const DeviceState d = device();
    return std::any_of(d.reasons.begin(), d.reasons.end(), [&](const Reason& r) { return r.code == code; });
  }

  Sample sample;
  SchedulerSettings settings;
  Hardware hardware;
  Faults faults;
  State state;
};

TEST(Scheduler, RunsEachSliceOnceAndTheOutcomeIsTheInlineOne) {
  Bench b;
  auto s = b.start();
  ASSERT_TRUE(s) << s.error().message;
  const auto slices = b.sample.work->slice(b.sample.work->units() / 20);
  ASSERT_GT(slices.size(), 8u);
  std::set<std::uint32_t> seen;
  std::vector<Bytes> results;
  JobExecutor executor(**s, 1);
  auto result = executor.run(*b.sample.work, slices,
                             [&](const job::Slice& slice, Bytes bytes) {
                               EXPECT_TRUE(seen.insert(slice.index).second);
                               results.push_back(std::move(bytes));
                               return done();
                             },
                             {});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(seen.size(), slices.size());
  auto outcome = b.sample.work->assemble(results);
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(outcome->leaves, testing::outcome_of(*b.sample.work).leaves);
  (*s)->publish();
  EXPECT_EQ(b.device().slices, slices.size());
  EXPECT_GT((*s)->busy().wall_us, 0u);
  EXPECT_EQ((*s)->busy().lanes, 2u);
}

TEST(Scheduler, TakesTheOldestDeadlineFirst) {
  Bench b(1);
  b.faults.slow_ms = 5;
  auto s = b.start();
  ASSERT_TRUE(s);
  const auto slices = b.sample.work->slice(b.sample.work->units() / 12);
  std::mutex m;
  std::vector<char> order;
  auto run = [&](char name, std::uint64_t deadline) {
    return std::thread([&, name, deadline] {
      auto r = (*s)->run(*b.sample.work, slices, deadline,
                         [&](const job::Slice&, Bytes) {
                           std::lock_guard lock(m);
                           order.push_back(name);
                           return done();
                         },
                         {});
      EXPECT_TRUE(r);
    });
  };
  ASSERT_TRUE((*s)->pause("", 0));
  std::thread late = run('L', 900), early = run('E', 100);
  ::usleep(100'000);
  EXPECT_TRUE(order.empty()) << "a paused device starts nothing";
  EXPECT_TRUE(b.has_reason("user_pause"));
  EXPECT_EQ(b.device().activity, Activity::paused);
  ASSERT_TRUE((*s)->resume(""));
  late.join();
  early.join();
  const auto first_late = std::find(order.begin(), order.end(), 'L');
  const auto last_early = std::find(order.rbegin(), order.rend(), 'E').base();
  EXPECT_TRUE(last_early <= first_late) << std::string(order.begin(), order.end());
}

TEST(Scheduler, ALostDeviceIsTestedAgainAndNoSliceIsLost) {
  Bench b(1);
  auto s = b.start();
  ASSERT_TRUE(s);
  const int makes = b.faults.makes;
  b.faults.lose = 2;
  const auto slices = b.sample.work->slice(b.sample.work->units() / 6);
  std::set<std::uint32_t> seen;
  auto r = (*s)->run(*b.sample.work, slices, 1,
                     [&](const job::Slice& slice, Bytes) {
                       seen.insert(slice.index);
                       return done();
                     },
                     {});
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(seen.size(), slices.size());
  EXPECT_EQ(b.faults.makes, makes + 2) << "made and self-tested again after each loss";
  (*s)->publish();
  EXPECT_EQ(b.device().errors, 2u);
  EXPECT_FALSE((*s)->dead());
}

TEST(Scheduler, ThreeFailuresInARowQuarantineTheDevice) {
  Bench b(1);
  auto s = b.start();
  ASSERT_TRUE(s);
  b.faults.lose = 1;
  b.faults.fail_make = 2;  // not the first lane's: that one is made already
  StopSource stop;
  std::thread watcher([&] {
    for (int i = 0; i < 500 && !(*s)->dead(); ++i) ::usleep(10'000);
    (*s)->publish();
    stop.request_stop();
  });
  const auto slices = b.sample.work->slice(b.sample.work->units());
  auto r = (*s)->run(
      *b.sample.work, slices, 1, [](const job::Slice&, Bytes) { return done(); }, stop.token());
  watcher.join();
  EXPECT_EQ(r.status(), Status::cancelled) << "the slice went back and waited";
  EXPECT_TRUE((*s)->dead());
  EXPECT_EQ(b.device().activity, Activity::quarantined);
  ASSERT_TRUE(b.has_reason("quarantined"));
  EXPECT_NE(b.device().reasons[0].text.find("wrong known answer"), std::string::npos) << b.device().reasons[0].text;
  // Asked for by the user, it gets another chance.
  ASSERT_TRUE((*s)->resume("cpu"));
  EXPECT_TRUE((*s)->run(*b.sample.work, slices, 1, [](const job::Slice&, Bytes) { return done(); }, {}));
}

TEST(Scheduler, ADeviceThatFailsItsFirstSelfTestIsAnError) {
  Bench b;
  b.faults.fail_make = 1;
  auto s = b.start();
  ASSERT_FALSE(s);
  EXPECT_EQ(s.status(), Status::self_test_failed);
  EXPECT_EQ(exit_code(s.status()), 5);
}

TEST(Scheduler, UnknownDevicesAndRowsAreErrors) {
  Bench b;
  b.settings.devices = {"cuda:0000:99:00.0"};
  auto s = b.start();
  ASSERT_FALSE(s);
  EXPECT_EQ(s.status(), Status::no_device);
  Bench forced;
  forced.settings.backend = "cpu/pentium";
  EXPECT_FALSE(forced.start());
  Bench reference;
  reference.settings.backend = "reference";
  auto r = reference.start();
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(reference.device().kernel, "match/reference");
  EXPECT_EQ(reference.device().kernel_reason, "forced");
}

TEST(Scheduler, ProcessorByOpenClIsLeftAloneUnlessAskedFor) {
  Bench b;
  kernels::Device pocl;
  pocl.id = "opencl:0.0";
  pocl.backend = kernels::Backend::opencl;
  pocl.name = "pthread-something";
  pocl.driver = "Portable Computing Language 3.1";
  auto only_cpu = b.hardware.discover;
  b.hardware.discover = [&](std::vector<std::string>* notes) {
    auto all = only_cpu(notes);
    all.push_back(pocl);
    return all;
  };
  auto s = b.start();
  ASSERT_TRUE(s);
  const Snapshot tree = b.state.snapshot();
  ASSERT_EQ(tree.devices.size(), 2u);
  EXPECT_EQ(tree.devices[1].activity, Activity::absent);
  ASSERT_FALSE(tree.devices[1].reasons.empty());
  EXPECT_EQ(tree.devices[1].reasons[0].code, "not_used");
}

TEST(Scheduler, ATimedPauseEndsByItselfAndNotBefore) {
  Bench b(1);
  ManualClock clock;
  auto s = Scheduler::start(b.settings, b.hardware, b.state, clock);
  ASSERT_TRUE(s);
  ASSERT_TRUE((*s)->pause("cpu", clock.unix_ms() + 60'000));
  std::atomic<bool> ran{false};
  const auto slices = b.sample.work->slice(b.sample.work->units());
  std::thread job([&] {
    EXPECT_TRUE((*s)->run(*b.sample.work, slices, 1,
                          [&](const job::Slice&, Bytes) {
                            ran = true;
                            return done();
                          },
                          {}));
  });
  clock.advance_ms(59'000);
  ::usleep(300'000);
  EXPECT_FALSE(ran);
  clock.advance_ms(1'001);
  job.join();
  EXPECT_TRUE(ran);
  EXPECT_EQ((*s)->pause("gpu9", 0).status(), Status::not_found);
}

/// Work without end on the scheduler's lanes while it lives.
struct Load {
  Load(Scheduler& scheduler, const job::Work& work) {
    thread = std::thread([&scheduler, &work, this] {
      const auto slices = work.slice(work.units() / 40);
      while (!stop.stop_requested()) {
        (void)scheduler.run(
            work, slices, 1, [](const job::Slice&, Bytes) { return done(); }, stop.token());
      }
    });
  }
  ~Load() {
    stop.request_stop();
    thread.join();
  }
  StopSource stop;
  std::thread thread;
};

/// CPU time that the lanes use in `ms`, in cores.
double cores_used(Scheduler& s, unsigned ms) {
  const auto before = s.busy();
  const auto t0 = steady_us();
  ::usleep(ms * 1000);
  const auto after = s.busy();
  return static_cast<double>(after.wall_us - before.wall_us) / static_cast<double>(steady_us() - t0);
}

TEST(Scheduler, LanesGiveWayWithinASliceAndComeBack) {
  Bench b(2);
  b.faults.slow_ms = 5;  // a slice takes 5 ms and no CPU: the shares are then those of the lanes alone
  auto s = b.start();
  ASSERT_TRUE(s);
  const Load load(**s, *b.sample.work);
  EXPECT_FALSE((*s)->given_away());
  EXPECT_GT(cores_used(**s, 500), 1.0);
  (*s)->give_way({{"cpu", {0, "boinc_runs", "BOINC computes on the CPU"}}});
  EXPECT_TRUE((*s)->given_away());
  ::usleep(300'000);  // more than a slice
  EXPECT_LT(cores_used(**s, 1000), 0.05);
  (*s)->publish();
  EXPECT_EQ(b.device().activity, Activity::paused);
  EXPECT_TRUE(b.has_reason("boinc_runs"));
  (*s)->give_way({{"cpu", {0.25, "boinc_runs", "our share"}}});
  EXPECT_FALSE((*s)->given_away());
  const double quarter = cores_used(**s, 2000);
  EXPECT_GT(quarter, 0.2);
  EXPECT_LT(quarter, 0.85) << "a quarter of two lanes is half a core";
  (*s)->publish();
  EXPECT_TRUE(b.has_reason("boinc_runs"));
  (*s)->give_way({});
  EXPECT_GT(cores_used(**s, 500), 1.0);
  (*s)->publish();
  EXPECT_FALSE(b.has_reason("boinc_runs"));
}

TEST(Scheduler, StopEndsWithinASliceAndHandsRunningSlicesOver) {
  Bench b(1);
  b.faults.slow_ms = 100;
  auto s = b.start();
  ASSERT_TRUE(s);
  const auto slices = b.sample.work->slice(b.sample.work->units() / 20);
  std::atomic<int> handed{0};
  Done result = done();
  std::thread job([&] {
    result = (*s)->run(*b.sample.work, slices, 1,
                       [&](const job::Slice&, Bytes) {
                         ++handed;
                         return done();
                       },
                       {});
  });
  ::usleep(50'000);
  const auto t0 = std::chrono::steady_clock::now();
  (*s)->stop();
  job.join();
  EXPECT_LT(std::chrono::steady_clock::now() - t0, std::chrono::seconds(2));
  EXPECT_EQ(result.status(), Status::cancelled);
  EXPECT_GE(handed, 1) << "the running slice ended and was kept";
  EXPECT_LT(handed, static_cast<int>(slices.size()));
}

TEST(Scheduler, AnErrorOfTheReceiverEndsTheRun) {
  Bench b;
  auto s = b.start();
  ASSERT_TRUE(s);
  const auto slices = b.sample.work->slice(b.sample.work->units() / 10);
  auto r = (*s)->run(*b.sample.work, slices, 1,
                     [](const job::Slice&, Bytes) -> Done { return fail(Status::no_space, "disk full"); }, {});
  EXPECT_EQ(r.status(), Status::no_space);
}

TEST(Scheduler, SliceSizeFollowsRateAndJob) {
  Bench b(2);
  b.hardware.tuned = [](kernels::Family, const kernels::Device& device) {
    kernels::Tuned t;
    t.row_id = kernels::choose(kernels::Family::match, device)->row->id();
    t.units_per_s = 1e9;
    return std::vector<kernels::Tuned>{t};
  };
  auto s = b.start();
  ASSERT_TRUE(s);
  EXPECT_EQ((*s)->target_units(kernels::Family::match, 1ull << 40), 250'000'000u);
  EXPECT_EQ((*s)->target_units(kernels::Family::match, 400'000'000), 100'000'000u) << "two lanes share a small job";
  EXPECT_EQ((*s)->target_units(kernels::Family::match, 1), 20'000'000u);
  EXPECT_EQ(b.device().kernel_reason.rfind("tuned", 0), 0u) << b.device().kernel_reason;
}

TEST(RateMeter, CountsOnlyItsWindow) {
  RateMeter meter(10'000);
  meter.add(11'000, 500);
  EXPECT_NEAR(meter.rates(12'000).s10, 250, 1e-6) << "a window that has not passed is divided by its age";
  meter.add(15'000, 500);
  EXPECT_NEAR(meter.rates(20'000).s60, 100, 1e-6);
  const Rates later = meter.rates(40'000);
  EXPECT_EQ(later.s10, 0);
  EXPECT_GT(later.s60, 0);
  EXPECT_EQ(meter.rates(40'000 + 1'000'000).m15, 0);
}

}  // namespace
}  // namespace sparkmill::worker
