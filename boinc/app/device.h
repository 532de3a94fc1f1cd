// SPDX-License-Identifier: Apache-2.0
// Which device and kernel row a task runs on: the plan class says what kind, the client which one.
#pragma once

#include "boinc/app/client.h"
#include "kernels/backend/discover.h"
#include "kernels/registry.h"

namespace sparkmill::boinc::app {

struct Selection {
  kernels::Device device;
  const kernels::Row* row = nullptr;
};

/// `plan`: "" (best CPU row, or, for a GPU task, CUDA on NVIDIA and OpenCL elsewhere), "avx2", "avx512" (CPU rows up to
/// that level), "opencl", "cuda"; class names that only contain one of these words count as it. Errors: no_device (the
/// GPU is not there now: ask again later), unsupported (this processor or build can never run it), bad_argument.
Result<Selection> select(kernels::Family family, std::string_view plan, const Task& task);

/// What there is to choose from; for tests.
struct Machine {
  kernels::Device cpu;
  std::vector<kernels::Device> cuda;
  std::vector<kernels::OpenclGpu> opencl;
  std::vector<kernels::Device> opencl_any;  ///< processors, too: for use without a client
  std::vector<std::string> notes;           ///< why a backend found nothing
};
Result<Selection> select(kernels::Family family, std::string_view plan, const Task& task, const Machine& machine);

}  // namespace sparkmill::boinc::app
