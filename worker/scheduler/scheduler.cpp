// SPDX-License-Identifier: Apache-2.0
// Lanes and slices; devices are chosen in devices.cpp.
#include "worker/scheduler/scheduler.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "worker/scheduler/lanes.h"

namespace sparkmill::worker {

namespace {

constexpr unsigned kMaxFailures = 3;
constexpr unsigned kMaxSliceFaults = 4;

/// Units a second of a lane nobody has measured.
double unknown_rate(kernels::Family family) {
  switch (family) {
    case kernels::Family::match: return 1e8;
    case kernels::Family::tensority: return 10;
    default: return 2'000;  // signatures
  }
}
/// Lanes look up this often for timed pauses and retries; work itself wakes them at once.
constexpr auto kLookUp = std::chrono::milliseconds(200);

constexpr std::uint64_t kMaxRestUs = 10'000'000;

/// What says more about the device than about the job.
bool device_fault(Status code) {
  return code == Status::no_device || code == Status::self_test_failed || code == Status::timeout ||
         code == Status::internal || code == Status::io_error;
}

std::uint64_t clock_us(clockid_t id) {
  timespec t{};
  ::clock_gettime(id, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(t.tv_nsec) / 1'000;
}

void lower_priority() {
  // Both act on this thread alone; a refusal only means ordinary priority.
  const sched_param param{};
  (void)::sched_setscheduler(0, SCHED_BATCH, &param);
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), 19);
}

}  // namespace

std::uint64_t steady_us() { return clock_us(CLOCK_MONOTONIC); }
std::uint64_t thread_cpu_us() { return clock_us(CLOCK_THREAD_CPUTIME_ID); }

Scheduler::Scheduler(SchedulerSettings settings, Hardware hardware, State& state, const Clock& clock)
    : settings_(std::move(settings)),
      hardware_(std::move(hardware)),
      state_(state),
      clock_(clock),
      started_ms_(clock.steady_ms()) {}

Scheduler::~Scheduler() {
  stop();
  for (auto& device : devices_) {
    for (Lane& lane : device->lanes) {
      if (lane.thread.joinable()) lane.thread.join();
    }
  }
}

Result<std::unique_ptr<Scheduler>> Scheduler::start(SchedulerSettings settings, Hardware hardware, State& state,
                                                    const Clock& clock, std::function<void(const std::string&)> say) {
  std::unique_ptr<Scheduler> s(new Scheduler(std::move(settings), std::move(hardware), state, clock));
  if (!say) say = [](const std::string&) {};
  SPARKMILL_TRY(s->prepare(say));
  for (auto& device : s->devices_) {
    for (Lane& lane : device->lanes) {
      lane.thread = std::thread([self = s.get(), &lane] { self->lane_loop(lane); });
    }
  }
  s->publish();
  return s;
}

Done Scheduler::run(const job::Work& work, std::span<const job::Slice> slices, std::uint64_t deadline_ms,
                    const std::function<Done(const job::Slice&, Bytes)>& done, const StopToken& stop) {
  const DoneBy by = [&done](const job::Slice& slice, Bytes result, const std::string&) {
    return done(slice, std::move(result));
  };
  return run(work, slices, deadline_ms, by, stop);
}

Done Scheduler::run(const job::Work& work, std::span<const job::Slice> slices, std::uint64_t deadline_ms,
                    const DoneBy& done, const StopToken& stop) {
  Run run;
  run.work = &work;
  run.deadline_ms = deadline_ms;
  run.pending.assign(slices.begin(), slices.end());
  run.done = &done;
  std::unique_lock lock(mutex_);
  join_race(work.family());
  auto place = std::find_if(runs_.begin(), runs_.end(), [&](const Run* r) { return r->deadline_ms > deadline_ms; });
  auto mine = runs_.insert(place, &run);
  work_.notify_all();
  while (!run.over()) {
    progress_.wait_for(lock, std::chrono::milliseconds(50));
    if (run.error) continue;
    if (stop.stop_requested()) {
      run.error = fail(Status::cancelled, "stopped");
      run.cancel.request_stop();
    } else if (stopping_) {
      run.error = fail(Status::cancelled, "stopped");
    }
  }
  runs_.erase(mine);
  progress_.notify_all();  // stop() waits for the last run
  if (run.error) return *run.error;
  return sparkmill::done();
}

std::uint64_t Scheduler::target_units(kernels::Family family, std::uint64_t total_units) const {
  std::lock_guard lock(mutex_);
  double slowest = 0;
  std::uint64_t batch = 0, lanes = 0;
  for (const auto& d : devices_) {
    const auto rate = d->lane_rate.find(family);
    if (!d->used || d->quarantined || rate == d->lane_rate.end() || rate->second <= 0) continue;
    slowest = slowest == 0 ? rate->second : std::min(slowest, rate->second);
    const auto batched = d->batch_units.find(family);
    if (batched != d->batch_units.end()) batch = std::max(batch, batched->second);
    lanes += d->lanes.size();
  }
  if (slowest == 0) slowest = unknown_rate(family);
  const double by_time = slowest * static_cast<double>(settings_.slice_ms) / 1000.0;
  // A fast device wants big batches, but a slow one beside it must still end a slice within two seconds.
  const double target = std::min(std::max(by_time, static_cast<double>(batch)), std::max(by_time, slowest * 2.0));
  // A small job is shared by the lanes all the same, down to slices of 20 ms.
  const double share = static_cast<double>(total_units) / static_cast<double>(2 * std::max<std::uint64_t>(1, lanes));
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::min(target, std::max(share, slowest * 0.02))));
}

unsigned Scheduler::lanes(kernels::Family family) const {
  std::lock_guard lock(mutex_);
  std::size_t sum = 0;
  for (const auto& d : devices_) sum += d->used && !d->quarantined && d->rows.count(family) ? d->lanes.size() : 0;
  return static_cast<unsigned>(sum);
}

std::vector<std::string> Scheduler::rows(kernels::Family family) const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& d : devices_) {
    const auto row = d->rows.find(family);
    if (d->used && row != d->rows.end()) out.push_back(row->second.row->id());
  }
  return out;
}

bool Scheduler::allowed(const Device& device) const {
  if (!device.used || device.quarantined || device.paused || device.finishing) return false;
  return device.retry_at == 0 || clock_.steady_ms() >= device.retry_at;
}

double Scheduler::duty(const Lane& lane) {
  const GiveWay& way = lane.device->way;
  return std::clamp(way.share * static_cast<double>(lane.device->lanes.size()) - lane.number, 0.0, 1.0);
}

/// Oldest deadline first within a queue; between queues the one that has had least for its weight.
Scheduler::Run* Scheduler::next_run(const Lane& lane) const {
  Run* best = nullptr;
  double least = 0;
  for (Run* run : runs_) {
    if (run->error || run->pending.empty()) continue;
    const kernels::Family family = run->work->family();
    if (lane.kernels.find(family) == lane.kernels.end()) continue;
    const auto spent = spent_.find(queue_of(family));
    const double had = spent == spent_.end() ? 0 : spent->second;
    if (best != nullptr && had >= least) continue;
    best = run;
    least = had;
  }
  return best;
}

/// Those without a weight of their own share one.
kernels::Family Scheduler::queue_of(kernels::Family family) const {
  return settings_.weights.count(family) != 0 ? family : kernels::Family::match;
}

/// A family that had nothing to do has not saved up lane time for later.
void Scheduler::join_race(kernels::Family family) {
  family = queue_of(family);
  double least = -1;
  for (const Run* run : runs_) {
    if (queue_of(run->work->family()) == family) return;
    const double had = spent_[queue_of(run->work->family())];
    least = least < 0 ? had : std::min(least, had);
  }
  double& own = spent_[family];
  own = std::max(own, least);
}

void Scheduler::lane_loop(Lane& lane) {
  if (settings_.low_priority && lane.device->info.backend == kernels::Backend::cpu) lower_priority();
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    Device& device = *lane.device;
    if (device.paused && device.paused_until_ms != 0 && clock_.unix_ms() >= device.paused_until_ms) {
      device.paused = false;
      device.paused_until_ms = 0;
    }
    if (!allowed(device)) {
      work_.wait_for(lock, kLookUp);
      continue;
    }
    const double part = duty(lane);
    const std::uint64_t now = steady_us();
    if (part <= 0 || now < lane.rest_until_us) {
      const auto rest = std::chrono::microseconds(now < lane.rest_until_us ? lane.rest_until_us - now : kMaxRestUs);
      work_.wait_for(lock, std::min<std::chrono::microseconds>(kLookUp, rest));
      continue;
    }
    if (lane.generation != device.generation && !make_kernels(lane, lock)) continue;
    Run* run = next_run(lane);
    if (run == nullptr) {
      work_.wait_for(lock, kLookUp);
      continue;
    }
    run_slice(lane, *run, lock);
  }
}

bool Scheduler::make_kernels(Lane& lane, std::unique_lock<std::mutex>& lock) {
  Device& device = *lane.device;
  const unsigned generation = device.generation;
  lane.kernels.clear();
  std::map<kernels::Family, std::unique_ptr<kernels::Kernel>> made;
  std::optional<Error> error;
  lock.unlock();
  for (const auto& [family, choice] : device.rows) {  // rows never change after start
    auto kernel = hardware_.make(*choice.row, device.info);
    if (!kernel) {
      error = kernel.error();
      break;
    }
    made.emplace(family, std::move(*kernel));
  }
  lock.lock();
  if (error) {
    device_failed(device, generation, *error);
    return false;
  }
  lane.kernels = std::move(made);
  lane.generation = generation;
  device.retry_at = 0;
  return true;
}

void Scheduler::device_failed(Device& device, unsigned generation, const Error& error) {
  ++device.errors;
  log::get("scheduler")->warn("{}: {}", device.info.id, error.message);
  if (generation != device.generation) return;  // another lane has reported this loss
  ++device.generation;
  ++device.failures;
  if (device.failures == 1) {
    device.failure_texts.clear();
    device.failed_since_ms = clock_.unix_ms();
  }
  device.failure_texts.push_back(error.message);
  if (device.failures >= kMaxFailures) {
    device.quarantined = true;
    log::get("scheduler")->error("{}: quarantined after {} failures in a row", device.info.id, device.failures);
    progress_.notify_all();
    return;
  }
  device.retry_at = clock_.steady_ms() + (settings_.retry_ms << (device.failures - 1));
}

void Scheduler::run_slice(Lane& lane, Run& run, std::unique_lock<std::mutex>& lock) {
  Device& device = *lane.device;
  const job::Slice slice = run.pending.front();
  run.pending.pop_front();
  ++run.running;
  ++device.running;
  lane.slice_since_us = steady_us();
  const StopToken cancel = run.cancel.token();
  auto kernel = lane.kernels.find(run.work->family());
  kernels::Kernel* const instance = kernel == lane.kernels.end() ? nullptr : kernel->second.get();
  lock.unlock();

  const std::uint64_t cpu0 = thread_cpu_us(), t0 = steady_us();
  Result<Bytes> result = instance == nullptr
                             ? Result<Bytes>(fail(Status::unsupported, device.info.id + ": no kernel of this family"))
                             : run.work->run(slice, *instance, cancel);
  const std::uint64_t took_us = steady_us() - t0, cpu_us = thread_cpu_us() - cpu0;

  lock.lock();
  lane.slice_since_us = 0;
  const double part = duty(lane);
  if (part > 0 && part < 1) {
    const double rest = static_cast<double>(took_us) * (1 - part) / part;
    lane.rest_until_us = steady_us() + std::min(kMaxRestUs, static_cast<std::uint64_t>(rest));
  }
  --device.running;
  device.wall_us += took_us;
  device.cpu_us += cpu_us;
  const kernels::Family family = run.work->family();
  const auto weight = settings_.weights.find(family);
  spent_[queue_of(family)] += static_cast<double>(took_us) / (weight == settings_.weights.end() ? 1.0 : weight->second);
  if (result) {
    ++device.slices;
    device.units += slice.units;
    device.failures = 0;
    device.failure_texts.clear();
    device.meters.try_emplace(family, started_ms_)
        .first->second.add(clock_.steady_ms(), static_cast<double>(slice.units));
    const double rate =
        static_cast<double>(slice.units) * 1e6 / static_cast<double>(std::max<std::uint64_t>(took_us, 1));
    double& known = device.lane_rate[family];
    // Items that cost less than a unit together say nothing about the rate.
    if (slice.units > 0) known = known <= 0 ? rate : 0.8 * known + 0.2 * rate;
  }
  lock.unlock();
  settle(lane, run, slice, result);
  lock.lock();
  --run.running;
  if (run.over()) progress_.notify_all();
}

void Scheduler::settle(Lane& lane, Run& run, const job::Slice& slice, Result<Bytes>& result) {
  std::optional<Error> error;
  if (result) {
    std::lock_guard guard(run.done_mutex);
    auto handed = (*run.done)(slice, std::move(*result), lane.device->info.id);
    if (!handed) error = handed.error();
  } else {
    error = result.error();
  }
  if (!error) return;
  std::lock_guard lock(mutex_);
  if (device_fault(error->code) && !result) {
    device_failed(*lane.device, lane.generation, *error);
    if (++run.faults[slice.index] < kMaxSliceFaults && !run.error) {
      run.pending.push_front(slice);
      work_.notify_all();
      return;
    }
  }
  if (!run.error) run.error = *error;
}

void Scheduler::give_way(const std::map<std::string, GiveWay>& ways) {
  std::lock_guard lock(mutex_);
  for (auto& d : devices_) {
    const auto it = ways.find(d->info.id);
    GiveWay way = it == ways.end() ? GiveWay{} : it->second;
    if (way.code != d->way.code) d->way_since_ms = clock_.unix_ms();
    if (way.share > d->way.share) {
      for (Lane& lane : d->lanes) lane.rest_until_us = 0;
    }
    d->way = std::move(way);
  }
  work_.notify_all();
}

bool Scheduler::given_away() const {
  std::lock_guard lock(mutex_);
  bool any = false;
  for (const auto& d : devices_) {
    if (!d->used || d->quarantined) continue;
    if (d->way.share > 0) return false;
    any = true;
  }
  return any;
}

std::vector<kernels::Device> Scheduler::used_devices() const {
  std::lock_guard lock(mutex_);
  std::vector<kernels::Device> out;
  for (const auto& d : devices_) {
    if (d->used) out.push_back(d->info);
  }
  return out;
}

void Scheduler::stop() {
  std::unique_lock lock(mutex_);
  if (!stopping_) {
    stopping_ = true;
    work_.notify_all();
    progress_.notify_all();
  }
  // Running slices may end and be kept; one that takes far longer than planned is cut short.
  const auto grace = std::chrono::milliseconds(std::max<std::uint64_t>(1'000, 4 * settings_.slice_ms));
  progress_.wait_for(lock, grace, [&] { return runs_.empty(); });
  for (Run* run : runs_) run->cancel.request_stop();
}

Scheduler::Busy Scheduler::busy() const {
  std::lock_guard lock(mutex_);
  Busy sum;
  const std::uint64_t now = steady_us();
  for (const auto& device : devices_) {
    if (!device->used) continue;
    sum.wall_us += device->wall_us;
    sum.cpu_us += device->cpu_us;
    sum.units += device->units;
    sum.lanes += static_cast<unsigned>(device->lanes.size());
    for (const Lane& lane : device->lanes) {
      if (lane.slice_since_us != 0 && now > lane.slice_since_us) sum.wall_us += now - lane.slice_since_us;
    }
  }
  return sum;
}

bool Scheduler::dead() const {
  std::lock_guard lock(mutex_);
  return std::none_of(devices_.begin(), devices_.end(), [](const auto& d) { return d->used && !d->quarantined; });
}

}  // namespace sparkmill::worker
