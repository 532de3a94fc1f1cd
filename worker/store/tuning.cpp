// SPDX-License-Identifier: Apache-2.0
#include "worker/store/tuning.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace sparkmill::worker {

namespace {

constexpr unsigned kBudgetMs = 400;

std::optional<kernels::Tuned> known(const std::vector<TuningRow>& stored, const kernels::Row& row,
                                    const kernels::Device& device) {
  for (const TuningRow& r : stored) {
    if (r.device != device.id || r.driver != device.driver || r.row != row.id() || r.revision != row.revision) continue;
    kernels::Tuned t;
    t.row_id = r.row;
    t.revision = r.revision;
    t.units_per_s = r.units_per_s;
    t.batch_units = r.batch_units;
    return t;
  }
  return std::nullopt;
}

}  // namespace

std::function<std::vector<kernels::Tuned>(kernels::Family, const kernels::Device&)> stored_tuning(
    Store& store, std::string forced, std::function<void(const std::string&)> say) {
  return [&store, forced = std::move(forced), say = std::move(say)](kernels::Family family,
                                                                    const kernels::Device& device) {
    std::vector<kernels::Tuned> out;
    auto stored = store.tuning();
    if (!stored) return out;
    const kernels::Row* only = forced.empty() ? nullptr : kernels::find_row(family, forced);
    for (const kernels::Row& row : kernels::rows()) {
      if (row.family != family || (only != nullptr ? &row != only : !forced.empty())) continue;
      const bool rarely = row.backend == kernels::Backend::reference || row.backend == kernels::Backend::torch;
      if ((rarely && only == nullptr) || !row.probe(device).ok) continue;
      if (auto t = known(*stored, row, device)) {
        out.push_back(std::move(*t));
        continue;
      }
      kernels::TuneSettings settings;
      settings.budget_ms = kBudgetMs;
      settings.forced = row.id();
      settings.include_reference = true;
      auto measured = kernels::tune(family, device, settings);
      if (!measured || measured->empty()) continue;
      kernels::Tuned t = measured->front();
      if (!t.error.empty()) {
        log::get("scheduler")->warn("{} on {}: {}", row.id(), device.id, t.error);
        continue;
      }
      if (say) {
        say(fmt::format("device {}: {} measured once: {:.3g} units/s a lane", device.id, row.id(), t.units_per_s));
      }
      auto kept = store.put_tuning({device.id, device.driver, row.id(), row.revision, t.units_per_s, t.batch_units});
      if (!kept) log::get("store")->warn("{}", kept.error().message);
      out.push_back(std::move(t));
    }
    std::sort(out.begin(), out.end(),
              [](const kernels::Tuned& a, const kernels::Tuned& b) { return a.units_per_s > b.units_per_s; });
    return out;
  };
}

}  // namespace sparkmill::worker
