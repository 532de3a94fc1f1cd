// SPDX-License-Identifier: Apache-2.0
// Which device and kernel row a task runs on: the plan class says what kind, the client which one.
#pragma once

#include "boinc/app/client.h"
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

/// The same over a given list of devices, for tests.
Result<Selection> select(kernels::Family family, std::string_view plan, const Task& task,
                         std::span<const kernels::Device> devices, std::span<const std::string> notes);

}  // namespace sparkmill::boinc::app
