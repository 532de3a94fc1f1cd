// SPDX-License-Identifier: Apache-2.0
// The CPU rows: chains, packed matrices and their sharing, over the inner functions of one ISA. Compiled for the
// baseline; only what cpu_ops.h lists runs with wider instructions.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

#include "kernels/backend/cpu.h"
#include "kernels/tensority/cpu_ops.h"
#include "kernels/tensority/rows.h"
#include "kernels/tensority/tensority.h"

namespace sparkmill::tensority {
namespace {

struct Free {
  void operator()(std::uint8_t* p) const { std::free(p); }
};
using Aligned = std::unique_ptr<std::uint8_t[], Free>;

Aligned allocate(std::size_t bytes) {
  Aligned p(static_cast<std::uint8_t*>(std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096)));
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

/// The matrices of an epoch in the order of one ISA. Immutable; all lanes of the process share it.
struct Packed {
  Hash32 seed{};
  const cpu::Ops* ops = nullptr;
  Aligned data;
  const std::uint8_t* matrix(std::uint8_t index) const { return data.get() + index * ops->packed_bytes; }
};

/// The packed form of an epoch, made by the first who asks while the others wait (about 10 ms). It lives as long as a
/// kernel uses it. May throw bad_alloc.
std::shared_ptr<const Packed> shared_packed(const Epoch& epoch, const cpu::Ops& ops) {
  static std::mutex mutex;
  static std::vector<std::weak_ptr<const Packed>> all;
  const std::lock_guard lock(mutex);
  std::erase_if(all, [](const auto& weak) { return weak.expired(); });
  for (const auto& weak : all) {
    const auto packed = weak.lock();
    if (packed != nullptr && packed->ops == &ops && packed->seed == epoch.seed()) return packed;
  }
  auto packed = std::make_shared<Packed>();
  packed->seed = epoch.seed();
  packed->ops = &ops;
  packed->data = allocate(kMatrices * ops.packed_bytes);
  for (std::size_t m = 0; m < kMatrices; ++m) {
    ops.pack(epoch.matrix(static_cast<std::uint8_t>(m)), packed->data.get() + m * ops.packed_bytes);
  }
  all.push_back(packed);
  return packed;
}

class CpuKernel final : public Kernel {
 public:
  explicit CpuKernel(const cpu::Ops& ops) : ops_(ops), memory_(allocate(3 * kMatrixBytes)) {}

  Done prepare(const Epoch& epoch) override {
    const auto has = [&](const auto& p) { return p != nullptr && p->seed == epoch.seed(); };
    if (has(used_[0])) return done();
    if (!has(used_[1])) {
      try {
        used_[1].reset();  // before the new one is made: two are alive at most
        used_[1] = shared_packed(epoch, ops_);
      } catch (const std::bad_alloc&) {
        return fail(Status::internal, "out of memory for the 17 MiB of packed matrices of a seed");
      }
    }
    std::swap(used_[0], used_[1]);
    return done();
  }

  Done hash(const Epoch& epoch, std::span<const Hash32> headers, std::span<Hash32> out,
            const StopToken& stop) override {
    if (headers.size() != out.size()) {
      return fail(Status::bad_argument, "tensority: " + std::to_string(headers.size()) + " headers, but room for " +
                                            std::to_string(out.size()) + " results");
    }
    SPARKMILL_TRY(prepare(epoch));
    std::uint8_t* sum = memory_.get() + 2 * kMatrixBytes;
    for (std::size_t h = 0; h < headers.size(); ++h) {
      std::memset(sum, 0, kMatrixBytes);
      for (const auto& sequence : sequences(headers[h])) {
        if (!chain(sequence, sum, stop)) return fail(Status::cancelled, "stopped");
      }
      out[h] = finish(std::span<const std::uint8_t, kMatrixBytes>(sum, kMatrixBytes));
    }
    return done();
  }

  std::string row_id() const override { return std::string("tensority/cpu/") + ops_.isa; }

 private:
  /// Adds the result of one chain; false when stopped, which is looked at before each step (35 us to 1 ms).
  bool chain(const std::array<std::uint8_t, 32>& sequence, std::uint8_t* sum, const StopToken& stop) {
    const Packed& packed = *used_[0];
    std::uint8_t* from = memory_.get();
    std::uint8_t* to = from + kMatrixBytes;
    ops_.first(packed.matrix(sequence[0]), from);
    for (unsigned t = 1; t < kSteps; ++t) {
      if (stop.stop_requested()) return false;
      ops_.step(packed.matrix(sequence[t % 32]), packed.matrix(sequence[(t + 1) % 32]), from, to);
      std::swap(from, to);
    }
    ops_.add(from, sum);
    return true;
  }

  const cpu::Ops& ops_;
  Aligned memory_;                         ///< two states and the sum of chains
  std::shared_ptr<const Packed> used_[2];  ///< last used first
};

template <kernels::Isa kIsa>
kernels::Probe probe(const kernels::Device& device) {
  if (device.id != "cpu") return {false, "runs on the device \"cpu\" only"};
  return kernels::probe_isa(kIsa);
}

template <kernels::Isa kIsa, const cpu::Ops& (*kOps)()>
Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device&) {
  const kernels::Probe p = kernels::probe_isa(kIsa);
  if (!p.ok) return fail(Status::unsupported, p.why);
  try {
    return std::unique_ptr<kernels::Kernel>(std::make_unique<CpuKernel>(kOps()));
  } catch (const std::bad_alloc&) {
    return fail(Status::internal, "out of memory for a tensority kernel");
  }
}

template <kernels::Isa kIsa, const cpu::Ops& (*kOps)()>
kernels::Row row(std::string_view isa, int rank) {
  return {kernels::Family::tensority, kernels::Backend::cpu, isa, rank, 1, probe<kIsa>, make<kIsa, kOps>};
}

}  // namespace

kernels::Row avx2_row() { return row<kernels::Isa::avx2, cpu::avx2_ops>("avx2", 60); }
kernels::Row avx512_row() { return row<kernels::Isa::avx512vnni, cpu::avx512_ops>("avx512", 80); }
kernels::Row amx_row() { return row<kernels::Isa::amx, cpu::amx_ops>("amx", 90); }

}  // namespace sparkmill::tensority
