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

/// How vendors' OpenCL platforms call themselves.
bool made_by(const kernels::OpenclGpu& gpu, std::string_view gpu_type) {
  if (gpu_type == "NVIDIA") return contains(gpu.vendor, "NVIDIA");
  if (gpu_type == "ATI") return contains(gpu.vendor, "AMD") || contains(gpu.vendor, "Advanced Micro");
  if (gpu_type == "intel_gpu") return contains(gpu.vendor, "Intel");
  return false;
}

const kernels::Device* find_device(bool cuda, unsigned wanted, const Task& task, const Machine& machine) {
  for (const kernels::Device& device : machine.cuda) {
    if (cuda && device.ordinal == wanted) return &device;
  }
  for (const kernels::Device& device : machine.opencl_any) {
    if (!cuda && task.gpu_type.empty() && device.ordinal == wanted) return &device;
  }
  for (const kernels::OpenclGpu& gpu : machine.opencl) {
    if (!cuda && gpu.index == wanted && made_by(gpu, task.gpu_type)) return &gpu.device;
  }
  return nullptr;
}

}  // namespace

Result<Selection> select(kernels::Family family, std::string_view plan_name, const Task& task, const Machine& machine) {
  SPARKMILL_ASSIGN(const Plan plan, plan_of(plan_name, task));
  if (plan != Plan::opencl && plan != Plan::cuda) return select_cpu(family, plan, machine.cpu);
  const bool cuda = plan == Plan::cuda;
  const kernels::Backend backend = cuda ? kernels::Backend::cuda : kernels::Backend::opencl;
  const auto row = std::find_if(kernels::rows().begin(), kernels::rows().end(),
                                [&](const kernels::Row& r) { return r.family == family && r.backend == backend; });
  if (row == kernels::rows().end()) {
    std::string why;
    for (const kernels::AbsentBackend& absent : kernels::absent_backends()) {
      if (absent.backend == kernels::name(backend)) why = ": " + absent.why;
    }
    return fail(Status::unsupported, "this build has no " + std::string(kernels::name(backend)) + " rows" + why);
  }
  const auto wanted = static_cast<unsigned>(std::max(0, cuda ? task.gpu_device : task.gpu_opencl_index));
  const kernels::Device* device = find_device(cuda, wanted, task, machine);
  std::string why;
  if (device != nullptr) {
    const kernels::Probe probe = row->probe(*device);
    if (probe.ok) return Selection{*device, &*row};
    why = "; " + device->id + ": " + probe.why;
  }
  for (const std::string& note : machine.notes) why += "; " + note;
  return fail(Status::no_device, "waiting for " + (task.gpu_type.empty() ? std::string("GPU") : task.gpu_type) +
                                     " device " + std::to_string(wanted) + why);
}

Result<Selection> select(kernels::Family family, std::string_view plan, const Task& task) {
  Machine machine{kernels::cpu_device(), {}, {}, {}, {}};
  std::string note;
  machine.cuda = kernels::cuda_devices(note);
  if (!note.empty()) machine.notes.push_back(note);
  machine.opencl_any = kernels::opencl_devices(note);
  machine.opencl = kernels::opencl_gpus(note);
  if (!note.empty()) machine.notes.push_back(note);
  return select(family, plan, task, machine);
}

}  // namespace sparkmill::boinc::app
