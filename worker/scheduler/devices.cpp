// SPDX-License-Identifier: Apache-2.0
// Which devices are used, with which row, and what is said about them.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/log.h"
#include "worker/scheduler/lanes.h"

namespace sparkmill::worker {

namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// An OpenCL driver that computes on the processor itself.
bool is_cpu_by_opencl(const kernels::Device& d) {
  if (d.backend != kernels::Backend::opencl || !d.pci.empty()) return false;
  const std::string driver = lower(d.driver), name = lower(d.name);
  return driver.find("portable computing language") != std::string::npos || driver.find("pocl") != std::string::npos ||
         name.rfind("pthread", 0) == 0 || name.rfind("cpu", 0) == 0;
}

unsigned default_cpu_lanes(unsigned cores) { return cores > 2 ? cores - 1 : std::max(1u, cores); }

}  // namespace

std::string Scheduler::unused_because(const kernels::Device& device, const std::vector<kernels::Device>& all) const {
  if (!settings_.devices.empty()) {
    const bool wanted =
        std::find(settings_.devices.begin(), settings_.devices.end(), device.id) != settings_.devices.end();
    return wanted ? "" : "not in the setting `devices`";
  }
  if (is_cpu_by_opencl(device)) return "it computes on the processor, which the device cpu uses already";
  if (device.backend == kernels::Backend::opencl && !device.pci.empty()) {
    for (const kernels::Device& other : all) {
      if (other.backend == kernels::Backend::cuda && other.pci == device.pci) {
        return "the same card is used as " + other.id;
      }
    }
  }
  return "";
}

Done Scheduler::choose_row(Device& device, kernels::Family family) {
  std::string tuned_row;
  if (hardware_.tuned) {
    for (const kernels::Tuned& t : hardware_.tuned(family, device.info)) {
      if (t.error.empty() && t.units_per_s > 0) {
        device.tuned[family] = t;
        tuned_row = t.row_id;
        break;
      }
    }
  }
  // A row forced for one family alone leaves the others to choose.
  const bool elsewhere = !settings_.backend.empty() && kernels::find_row(family, settings_.backend) == nullptr &&
                         std::any_of(settings_.families.begin(), settings_.families.end(), [&](kernels::Family other) {
                           return kernels::find_row(other, settings_.backend) != nullptr;
                         });
  SPARKMILL_ASSIGN(kernels::Choice choice,
                   kernels::choose(family, device.info, elsewhere ? "" : settings_.backend, tuned_row));
  if (choice.reason.rfind("tuned", 0) == 0) {
    choice.reason = fmt::format("tuned: {:.3g} units/s a lane", device.tuned[family].units_per_s);
  }
  device.rows[family] = choice;
  if (auto t = device.tuned.find(family); t != device.tuned.end() && t->second.row_id == choice.row->id()) {
    device.lane_rate[family] = t->second.units_per_s;
    device.batch_units[family] = t->second.batch_units;
  }
  return done();
}

Done Scheduler::adopt(Device& device) {
  std::optional<Error> missing;
  for (kernels::Family family : settings_.families) {
    if (Done chosen = choose_row(device, family); !chosen) missing = chosen.error();
  }
  if (device.rows.empty() || (missing && missing->code == Status::bad_argument)) return *missing;
  Lane& first = device.lanes.emplace_back();
  first.device = &device;
  for (const auto& [family, choice] : device.rows) {
    auto kernel = hardware_.make(*choice.row, device.info);
    if (!kernel) return kernel.error();
    first.kernels.emplace(family, std::move(*kernel));
  }
  first.generation = device.generation;
  unsigned lanes = std::max(1u, device.info.lanes);
  if (device.info.backend == kernels::Backend::cpu) {
    lanes = settings_.cpu_lanes != 0 ? settings_.cpu_lanes : default_cpu_lanes(lanes);
  }
  for (unsigned i = 1; i < lanes; ++i) {
    Lane& lane = device.lanes.emplace_back();
    lane.device = &device;
    lane.number = i;
  }
  return done();
}

Done Scheduler::prepare(const std::function<void(const std::string&)>& say) {
  std::vector<std::string> notes;
  const std::vector<kernels::Device> found = hardware_.discover(&notes);
  for (const std::string& note : notes) say(note);
  for (const std::string& id : settings_.devices) {
    if (std::none_of(found.begin(), found.end(), [&](const auto& d) { return d.id == id; })) {
      std::string known;
      for (const auto& d : found) known += (known.empty() ? "" : ", ") + d.id;
      return fail(Status::no_device, "device " + id + ": there is no such device here", "known: " + known);
    }
  }
  std::optional<Error> last;
  unsigned usable = 0;
  for (const kernels::Device& info : found) {
    auto device = std::make_unique<Device>();
    device->info = info;
    device->unused_text = unused_because(info, found);
    device->used = device->unused_text.empty();
    if (!device->used) {
      device->unused_code = "not_used";
      say(fmt::format("device {} ({}): not used: {}", info.id, info.name, device->unused_text));
    } else if (auto adopted = adopt(*device); adopted) {
      ++usable;
      for (const auto& [family, choice] : device->rows) {
        say(fmt::format("device {} ({}): {} lane{}, kernel {} ({}), self-test passed", info.id, info.name,
                        device->lanes.size(), device->lanes.size() == 1 ? "" : "s", choice.row->id(), choice.reason));
      }
    } else {
      last = adopted.error();
      device->lanes.clear();
      device->used = false;
      device->quarantined = adopted.status() == Status::self_test_failed;
      device->unused_code = device->quarantined ? "self_test_failed" : "no_kernel";
      device->unused_text = adopted.error().message;
      say(fmt::format("device {} ({}): not used: {}", info.id, info.name, adopted.error().message));
    }
    devices_.push_back(std::move(device));
  }
  if (usable == 0) {
    if (last) return *last;
    return fail(Status::no_device, "no device here can run anything", "`sparkmill devices --probe` says why");
  }
  return done();
}

Result<std::vector<Scheduler::Device*>> Scheduler::named(const std::string& id) const {
  std::vector<Device*> out;
  for (const auto& device : devices_) {
    if (id.empty() || device->info.id == id) out.push_back(device.get());
  }
  if (out.empty())
    return fail(Status::not_found, "device " + id + ": there is no such device", "see `sparkmill devices`");
  return out;
}

Done Scheduler::pause(const std::string& id, std::uint64_t until_unix_ms) {
  {
    std::lock_guard lock(mutex_);
    auto devices = named(id);
    if (!devices) return devices.error();
    for (Device* d : *devices) {
      d->paused = true;
      // A pause never ends earlier than it was first said.
      const bool open_ended = until_unix_ms == 0;
      d->paused_until_ms = open_ended ? 0 : std::max(d->paused_until_ms, until_unix_ms);
      d->paused_since_ms = clock_.unix_ms();
    }
  }
  publish();
  return done();
}

Done Scheduler::resume(const std::string& id) {
  {
    std::lock_guard lock(mutex_);
    auto devices = named(id);
    if (!devices) return devices.error();
    for (Device* d : *devices) {
      d->paused = d->finishing = false;
      d->paused_until_ms = 0;
      if (d->quarantined && d->used) {  // the user asks for another try
        d->quarantined = false;
        d->failures = 0;
        d->retry_at = 0;
      }
    }
  }
  work_.notify_all();
  publish();
  return done();
}

Done Scheduler::finish(const std::string& id) {
  {
    std::lock_guard lock(mutex_);
    auto devices = named(id);
    if (!devices) return devices.error();
    for (Device* d : *devices) {
      d->finishing = true;
      d->paused_since_ms = clock_.unix_ms();
    }
  }
  publish();
  return done();
}

DeviceState Scheduler::describe(Device& d, std::uint64_t now_ms) const {
  DeviceState s;
  s.id = d.info.id;
  s.name = d.info.name;
  s.backend = kernels::name(d.info.backend);
  s.driver = d.info.driver;
  s.pci = d.info.pci;
  s.memory_bytes = d.info.memory_bytes;
  s.lanes = d.used ? static_cast<unsigned>(d.lanes.size()) : d.info.lanes;
  if (!d.rows.empty()) {
    s.kernel = d.rows.begin()->second.row->id();
    s.kernel_reason = d.rows.begin()->second.reason;
  }
  if (const auto rate = d.lane_rate.find(kernels::Family::match); rate != d.lane_rate.end()) {
    s.batch = static_cast<std::uint64_t>(rate->second * static_cast<double>(settings_.slice_ms) / 1000.0);
  }
  if (auto m = d.meters.find(kernels::Family::match); m != d.meters.end()) s.rate = m->second.rates(now_ms);
  if (auto m = d.meters.find(kernels::Family::tensority); m != d.meters.end()) s.hash_rate = m->second.rates(now_ms);
  for (const kernels::Family family : kSignatureFamilies) {
    const auto m = d.meters.find(family);
    if (m == d.meters.end()) continue;
    const Rates rates = m->second.rates(now_ms);
    s.signature_rate.s10 += rates.s10;
    s.signature_rate.s60 += rates.s60;
    s.signature_rate.m15 += rates.m15;
  }
  s.busy_ms = d.wall_us / 1000;
  s.slices = d.slices;
  s.errors = d.errors;
  auto reason = [&](const char* code, std::string text, std::uint64_t since = 0, std::uint64_t until = 0) {
    s.reasons.push_back({code, std::move(text), since, until});
  };
  const std::string why = d.failure_texts.empty() ? "" : fmt::format("{}", fmt::join(d.failure_texts, "; "));
  if (d.quarantined) {
    s.activity = Activity::quarantined;
    reason(d.used ? "quarantined" : "self_test_failed", d.used ? "failed three times in a row: " + why : d.unused_text,
           d.failed_since_ms);
  } else if (!d.used) {
    s.activity = Activity::absent;
    reason(d.unused_code.c_str(), d.unused_text);
  } else if (d.paused || d.finishing) {
    s.activity = Activity::paused;
    if (d.paused) reason("user_pause", "paused on request", d.paused_since_ms, d.paused_until_ms);
    if (d.finishing) reason("finishing", "takes no new slices, on request", d.paused_since_ms);
  } else if (d.retry_at != 0 && now_ms < d.retry_at) {
    s.activity = Activity::waiting;
    reason("device_lost", "lost; tried again soon: " + why, d.failed_since_ms,
           clock_.unix_ms() + (d.retry_at - now_ms));
  } else if (d.way.share <= 0) {
    s.activity = Activity::paused;
  } else if (d.running > 0) {
    s.activity = Activity::running;
  } else {
    s.activity = Activity::waiting;
    reason("waiting_for_work", "no slice is ready for it");
  }
  if (d.used && d.way.share < 1) reason(d.way.code.c_str(), d.way.text, d.way_since_ms);
  return s;
}

void Scheduler::publish() {
  std::vector<DeviceState> devices;
  {
    std::lock_guard lock(mutex_);
    const std::uint64_t now = clock_.steady_ms();
    for (const auto& d : devices_) devices.push_back(describe(*d, now));
  }
  state_.update([&](Snapshot& s) {
    // "since" of a lasting reason is the moment it was first written.
    for (DeviceState& d : devices) {
      for (Reason& r : d.reasons) {
        if (r.since_ms != 0) continue;
        r.since_ms = clock_.unix_ms();
        for (const DeviceState& old : s.devices) {
          for (const Reason& o : old.reasons) {
            if (old.id == d.id && o.code == r.code) r.since_ms = o.since_ms;
          }
        }
      }
    }
    s.devices = std::move(devices);
  });
}

std::string Scheduler::devices_text() const {
  std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& d : devices_) {
    if (!d->quarantined) continue;
    out += (out.empty() ? "" : "; ") + d->info.id + ": " +
           (d->failure_texts.empty() ? d->unused_text : d->failure_texts.back());
  }
  return out;
}

std::vector<std::string> Scheduler::descriptions() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& d : devices_) {
    if (!d->used || d->rows.empty()) continue;
    out.push_back(fmt::format("{}: {}, {} lanes, {}", d->info.id, d->info.name, d->lanes.size(),
                              d->rows.begin()->second.row->id()));
  }
  return out;
}

}  // namespace sparkmill::worker
