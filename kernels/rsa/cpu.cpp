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

std::uint64_t word(const std::uint8_t* big_endian, std::size_t k) {
  std::uint64_t w;
  std::memcpy(&w, big_endian + kModulusBytes - 8 * (k + 1), sizeof w);
  return __builtin_bswap64(w);
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
    const std::size_t lanes = ops_.lanes;
    bool in_range[cpu::kMostLanes];
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const std::size_t i = first + lane;
      in_range[lane] = lane < count && usable_modulus(batch.key(i, kModulusBytes)) &&
                       std::memcmp(&batch.signatures[i * kSignatureBytes], &batch.keys[i * kModulusBytes],
                                   kModulusBytes) < 0;  // big-endian: bytes compare as numbers do
      for (std::size_t k = 0; k < cpu::kWords; ++k) {
        // Lanes without an item, or with a refused one, count 0 mod 2^2048 - 1.
        group.n[k * lanes + lane] = in_range[lane] ? word(&batch.keys[i * kModulusBytes], k) : ~std::uint64_t{0};
        group.s[k * lanes + lane] = in_range[lane] ? word(&batch.signatures[i * kSignatureBytes], k) : 0;
      }
    }
    const bool evidence = !results.evidence.empty();
    ops_.power(group, evidence, workspace_.get());
    for (std::size_t lane = 0; lane < count; ++lane) {
      const std::size_t i = first + lane;
      const auto em = encoded(encoding, batch.message(i));
      bool same = in_range[lane];
      for (std::size_t k = 0; k < cpu::kWords && same; ++k) same = group.power[k * lanes + lane] == word(em.data(), k);
      results.valid[i] = same ? 1 : 0;
      for (std::size_t k = 0; k < cpu::kWords && evidence; ++k) {
        const std::uint64_t w = in_range[lane] ? __builtin_bswap64(group.middle[k * lanes + lane]) : 0;
        std::memcpy(&results.evidence[(i + 1) * kEvidenceBytes - 8 * (k + 1)], &w, sizeof w);
      }
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
  return {kernels::Family::rsa, kernels::Backend::cpu, isa, rank, 1, probe<kIsa>, make<kIsa, kOps>};
}

}  // namespace

kernels::Row avx512_row() { return row<kernels::Isa::avx512ifma, cpu::avx512_ops>("avx512", 80); }

}  // namespace sparkmill::rsa
