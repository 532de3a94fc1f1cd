// SPDX-License-Identifier: Apache-2.0
// Where slices of a batch run: inline on one kernel, or over several kernels, one a thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/stop.h"
#include "kernels/kernel.h"

namespace sparkmill::signatures {

/// One part of a batch on one kernel; nullptr where the form needs none.
using Part = std::function<Done(std::size_t slice, kernels::Kernel* kernel)>;

class Lanes {
 public:
  virtual ~Lanes() = default;
  virtual std::size_t count() const = 0;
  /// Calls part(slice, kernel) once for each slice in [0, slices), in any order; calls run at the same time only with
  /// different kernels. Returns the first error by slice number; after an error or a stop no new slice begins.
  virtual Done run(std::size_t slices, const Part& part, const StopToken& stop) = 0;
};

/// A plain loop over one kernel of the caller (may be nullptr for forms without a family).
class InlineLanes final : public Lanes {
 public:
  explicit InlineLanes(kernels::Kernel* kernel) : kernel_(kernel) {}
  std::size_t count() const override { return 1; }
  Done run(std::size_t slices, const Part& part, const StopToken& stop) override;

 private:
  kernels::Kernel* kernel_;
};

/// One thread a kernel, started for each run. `kernels` may hold nullptr for forms without a family.
class ThreadLanes final : public Lanes {
 public:
  explicit ThreadLanes(std::vector<std::unique_ptr<kernels::Kernel>> kernels) : kernels_(std::move(kernels)) {}
  std::size_t count() const override { return kernels_.size(); }
  Done run(std::size_t slices, const Part& part, const StopToken& stop) override;

 private:
  std::vector<std::unique_ptr<kernels::Kernel>> kernels_;
};

}  // namespace sparkmill::signatures
