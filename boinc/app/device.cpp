// SPDX-License-Identifier: Apache-2.0
#include "boinc/app/device.h"

#include <algorithm>
#include <array>

namespace sparkmill::boinc::app {
namespace {

enum class Plan { any_cpu, avx2, avx512, opencl, cuda };

bool contains(std::string_view text, std::string_view word) { return text.find(word) != std::string_view::npos; }

Result<Plan> plan_of(std::string_view plan, const Task& task) {
  if (contains(plan, "opencl")) return Plan::opencl;
  if (contains(plan, "cuda")) return Plan::cuda;
  if (contains(plan, "avx512")) return Plan::avx512;
  if (contains(plan, "avx2")) return Plan::avx2;
  if (!plan.empty() && plan != "mt") {
    return fail(Status::bad_argument, "--plan '" + std::string(plan) + "' is unknown",
                "avx2, avx512, opencl, cuda, or a class whose name contains one of them");
  }
  if (task.gpu_type.empty()) return Plan::any_cpu;
  return task.gpu_type == "NVIDIA" ? Plan::cuda : Plan::opencl;
}

/// Rows of a level and those below it: an avx2 version must run where there is no more than AVX2.
bool within(Plan plan, std::string_view isa) {
  if (plan == Plan::avx512) return isa == "avx512" || isa == "amx" || isa == "avx2" || isa == "avxvnni";
  return isa == "avx2" || isa == "avxvnni";
}

Result<Selection> select_cpu(kernels::Family family, Plan plan, const kernels::Device& cpu) {
  if (plan == Plan::any_cpu) {
    SPARKMILL_ASSIGN(const kernels::Choice choice, kernels::choose(family, cpu));
    return Selection{cpu, choice.row};
  }
  std::string why;
  for (const kernels::Row& row : kernels::rows()) {
    if (row.family != family || row.backend != kernels::Backend::cpu || !within(plan, row.isa)) continue;
    const kernels::Probe probe = row.probe(cpu);
    if (probe.ok) return Selection{cpu, &row};
    why += "; " + row.id() + ": " + probe.why;
  }
  return fail(Status::unsupported, "no row of this plan class can run on this processor" + why,
              "the project's plan_class_spec.xml should not have sent it here");
}

/// How vendors' OpenCL platforms call themselves. Without a client any device will do.
bool made_by(const kernels::Device& device, std::string_view gpu_type) {
  if (gpu_type.empty()) return true;
  if (!device.gpu) return false;
  if (gpu_type == "NVIDIA") return contains(device.vendor, "NVIDIA");
  if (gpu_type == "ATI") return contains(device.vendor, "AMD") || contains(device.vendor, "Advanced Micro");
  if (gpu_type == "intel_gpu") return contains(device.vendor, "Intel");
  return false;
}

}  // namespace

Result<Selection> select(kernels::Family family, std::string_view plan_name, const Task& task,
                         std::span<const kernels::Device> devices, std::span<const std::string> notes) {
  SPARKMILL_ASSIGN(const Plan plan, plan_of(plan_name, task));
  if (plan != Plan::opencl && plan != Plan::cuda) return select_cpu(family, plan, devices.front());
  const bool cuda = plan == Plan::cuda;
  const kernels::Backend backend = cuda ? kernels::Backend::cuda : kernels::Backend::opencl;
  const auto in_build = [&](const kernels::Row& row) { return row.family == family && row.backend == backend; };
  if (std::none_of(kernels::rows().begin(), kernels::rows().end(), in_build)) {
    std::string why;
    for (const kernels::AbsentBackend& absent : kernels::absent_backends()) {
      if (absent.backend == kernels::name(backend)) why = ": " + absent.why;
    }
    return fail(Status::unsupported, "this build has no " + std::string(kernels::name(backend)) + " rows" + why);
  }
  const int wanted = cuda ? std::max(0, task.gpu_device) : std::max(0, task.gpu_opencl_index);
  std::string why;
  for (const kernels::Device& device : devices) {
    if (device.backend != backend) continue;
    const bool is_it = cuda ? static_cast<int>(device.ordinal) == wanted
                            : made_by(device, task.gpu_type) && static_cast<int>(device.vendor_index) == wanted;
    if (!is_it) continue;
    for (const kernels::Row& row : kernels::rows()) {
      if (!in_build(row)) continue;
      const kernels::Probe probe = row.probe(device);
      if (probe.ok) return Selection{device, &row};
      why += "; " + device.id + ": " + probe.why;
    }
  }
  for (const std::string& note : notes) why += "; " + note;
  return fail(Status::no_device, "waiting for the " + (task.gpu_type.empty() ? std::string("GPU") : task.gpu_type) +
                                     " device " + std::to_string(wanted) + why);
}

Result<Selection> select(kernels::Family family, std::string_view plan, const Task& task) {
  std::vector<std::string> notes;
  const std::vector<kernels::Device> devices = kernels::discover_devices(&notes);
  return select(family, plan, task, devices, notes);
}

}  // namespace sparkmill::boinc::app
