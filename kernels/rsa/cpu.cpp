// SPDX-License-Identifier: Apache-2.0
// The CPU rows: a batch cut into groups of lanes, ranges and EM around the power of one ISA. Compiled for the baseline;
// only what cpu_ops.h lists runs with wider instructions.
#include <cstdlib>
#include <cstring>
#include <new>

#include "kernels/backend/cpu.h"
#include "kernels/rsa/cpu_ops.h"
#include "kernels/rsa/encoding.h"
#include "kernels/rsa/rows.h"

namespace sparkmill::rsa {
namespace {

struct Free {
  void operator()(void* p) const { std::free(p); }
};

std::unique_ptr<void, Free> allocate(std::size_t bytes) {
  constexpr std::size_t kPage = 4096;
  std::unique_ptr<void, Free> p(std::aligned_alloc(kPage, (bytes + kPage - 1) / kPage * kPage));
  if (p == nullptr) throw std::bad_alloc();
  std::memset(p.get(), 0, bytes);
  return p;
}

struct Constants {
  std::uint8_t ones[kModulusBytes], zero[kModulusBytes];
};
/// What lanes without an item, or with a refused one, compute: 0 mod 2^2048 - 1.
const Constants& constants() {
  static const Constants c = [] {
    Constants made{};
    std::memset(made.ones, 0xff, sizeof made.ones);
    return made;
  }();
  return c;
}

class CpuKernel final : public Kernel {
 public:
  explicit CpuKernel(const cpu::Ops& ops)
      : ops_(ops), workspace_(allocate(ops.workspace_bytes)), group_(allocate(sizeof(cpu::Group))) {}

  Done verify_vartime(Encoding encoding, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                      const StopToken& stop) override {
    SPARKMILL_TRY(check(encoding, batch, results));
    for (std::size_t first = 0; first < batch.count; first += ops_.lanes) {
      if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
      run_group(encoding, batch, results, first, std::min(ops_.lanes, batch.count - first));
    }
    return done();
  }
  std::size_t batch() const override { return 1024; }
  std::string row_id() const override { return std::string("rsa/cpu/") + ops_.isa; }

 private:
  void run_group(Encoding encoding, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                 std::size_t first, std::size_t count) {
    cpu::Group& group = *static_cast<cpu::Group*>(group_.get());
    const bool evidence = !results.evidence.empty();
    bool in_range[cpu::kMostLanes];
    std::uint8_t nowhere[kEvidenceBytes];
    for (std::size_t lane = 0; lane < ops_.lanes; ++lane) {
      const std::size_t i = first + lane;
      const std::uint8_t* n = &batch.keys[(lane < count ? i : first) * kModulusBytes];
      const std::uint8_t* s = &batch.signatures[(lane < count ? i : first) * kSignatureBytes];
      // Big-endian: bytes compare as numbers do.
      in_range[lane] = lane < count && usable_modulus({n, kModulusBytes}) && std::memcmp(s, n, kModulusBytes) < 0;
      group.n[lane] = in_range[lane] ? n : constants().ones;
      group.s[lane] = in_range[lane] ? s : constants().zero;
      group.middle[lane] = evidence && lane < count ? &results.evidence[i * kEvidenceBytes] : nowhere;
      // Written much later: by then the lines are there.
      for (std::size_t at = 0; evidence && at < kEvidenceBytes; at += 64)
        __builtin_prefetch(group.middle[lane] + at, 1);
    }
    ops_.power(group, evidence, workspace_.get());
    for (std::size_t lane = 0; lane < count; ++lane) {
      const auto em = encoded(encoding, batch.message(first + lane));
      const bool same = std::memcmp(group.power[lane], em.data(), kModulusBytes) == 0;
      results.valid[first + lane] =
          in_range[lane] && same ? 1 : 0;  // 0 mod 2^2048 - 1 is 0: no evidence, as it must be
    }
  }

  const cpu::Ops& ops_;
  std::unique_ptr<void, Free> workspace_, group_;
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
    return fail(Status::internal, "out of memory for an rsa kernel");
  }
}

template <kernels::Isa kIsa, const cpu::Ops& (*kOps)()>
kernels::Row row(std::string_view isa, int rank) {
  return {kernels::Family::rsa, kernels::Backend::cpu, isa, rank, 2, probe<kIsa>, make<kIsa, kOps>};
}

}  // namespace

kernels::Row avx2_row() { return row<kernels::Isa::avx2, cpu::avx2_ops>("avx2", 60); }
kernels::Row avx512_row() { return row<kernels::Isa::avx512ifma, cpu::avx512_ops>("avx512", 80); }

}  // namespace sparkmill::rsa
