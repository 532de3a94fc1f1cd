// SPDX-License-Identifier: Apache-2.0
// The CPU rows: a batch cut into chunks, hashes, scalars and verdicts around the inner functions of one ISA. Compiled
// for the baseline; only what cpu_ops.h lists runs with wider instructions.
#include <cstdlib>
#include <cstring>
#include <new>

#include "kernels/backend/cpu.h"
#include "kernels/ed25519/cpu_ops.h"
#include "kernels/ed25519/ed25519.h"
#include "kernels/ed25519/encoding.h"
#include "kernels/ed25519/rows.h"

namespace sparkmill::ed25519 {
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

Words4 words(const std::uint8_t* bytes) {
  Words4 w;
  std::memcpy(w.data(), bytes, sizeof w);
  return w;
}

class CpuKernel final : public Kernel {
 public:
  explicit CpuKernel(const cpu::Ops& ops)
      : ops_(ops),
        base_table_(allocate(ops.base_table_bytes)),
        workspace_(allocate(ops.workspace_bytes)),
        memory_(allocate(sizeof(Memory))) {
    ops_.make_base_table(base_table(), workspace_.get());
  }

  Done verify_vartime(Policy policy, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                      const StopToken& stop) override {
    SPARKMILL_TRY(check(batch, results));
    for (std::size_t first = 0; first < batch.count; first += cpu::kChunk) {
      if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
      run_chunk(rules(policy), batch, results, first, std::min(cpu::kChunk, batch.count - first));
    }
    return done();
  }
  std::size_t batch() const override { return 16 * cpu::kChunk; }
  std::string row_id() const override { return std::string("ed25519/cpu/") + ops_.isa; }

 private:
  /// What a chunk needs beside the workspace of the ISA.
  struct Memory {
    cpu::Chunk chunk;
    cpu::HashJob jobs[cpu::kChunk];
    bool s_in_range[cpu::kChunk];
  };

  std::uint64_t* base_table() { return static_cast<std::uint64_t*>(base_table_.get()); }

  void prepare(const Rules& rule, const kernels::SignatureBatch& batch, std::size_t first, std::size_t count,
               bool evidence) {
    Memory& m = *static_cast<Memory*>(memory_.get());
    for (std::size_t i = 0; i < count; ++i) {
      const ByteView message = batch.message(first + i);
      const std::uint8_t* signature = batch.signatures.data() + (first + i) * kSignatureBytes;
      m.jobs[i] = {signature, batch.keys.data() + (first + i) * kKeyBytes, message.data(), message.size(), {}};
    }
    ops_.hash(m.jobs, count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t group = i / ops_.lanes, lane = i % ops_.lanes;
      std::uint64_t wide[8];
      for (std::size_t k = 0; k < 8; ++k) wide[k] = __builtin_bswap64(m.jobs[i].digest[k]);
      cpu::write_digits_a(modulo_order(wide), evidence, m.chunk.a + group * cpu::kDigitsA * ops_.lanes + lane,
                          ops_.lanes);
      Words4 s = words(m.jobs[i].r + 32);
      m.s_in_range[i] = rule.s_below_order ? below_order(s) : s[3] >> 61 == 0;
      if (!m.s_in_range[i]) s = {};
      cpu::write_digits_b(s, evidence, m.chunk.b + group * cpu::kDigitsB * ops_.lanes + lane, ops_.lanes);
      const Words4 a = words(m.jobs[i].a), r = words(m.jobs[i].r);
      for (std::size_t k = 0; k < 4; ++k) {
        m.chunk.key[k][i] = a[k];
        m.chunk.r[k][i] = r[k];
      }
    }
    m.chunk.count = count;
    m.chunk.schedule = evidence ? &cpu::evidence_schedule() : &cpu::plain_schedule();
    m.chunk.cofactored = rule.cofactored;
  }

  void run_chunk(const Rules& rule, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                 std::size_t first, std::size_t count) {
    prepare(rule, batch, first, count, !results.evidence.empty());
    Memory& m = *static_cast<Memory*>(memory_.get());
    ops_.verify(m.chunk, base_table(), workspace_.get());
    for (std::size_t i = 0; i < count; ++i) {
      const auto column = [i](const std::uint64_t(&w)[4][cpu::kChunk]) {
        return Words4{w[0][i], w[1][i], w[2][i], w[3][i]};
      };
      const Words4 a = column(m.chunk.key), r = column(m.chunk.r), point = column(m.chunk.point);
      const bool decoded = m.s_in_range[i] && m.chunk.a_decoded[i] != 0 && (!rule.canonical_a || is_canonical(a));
      bool valid = decoded;
      if (rule.cofactored) {
        valid = valid && m.chunk.r_decoded[i] != 0 && (!rule.canonical_r || is_canonical(r)) && point == Words4{};
      } else {
        valid = valid && point == r;
      }
      if (rule.small_order_refused) valid = valid && !has_small_order(a) && !has_small_order(r);
      results.valid[first + i] = valid ? 1 : 0;
      if (results.evidence.empty()) continue;
      const Words4 evidence = decoded ? column(m.chunk.evidence) : Words4{};
      std::memcpy(results.evidence.data() + (first + i) * kEvidenceBytes, evidence.data(), sizeof evidence);
    }
  }

  const cpu::Ops& ops_;
  std::unique_ptr<void, Free> base_table_, workspace_, memory_;
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
    return fail(Status::internal, "out of memory for an ed25519 kernel");
  }
}

template <kernels::Isa kIsa, const cpu::Ops& (*kOps)()>
kernels::Row row(std::string_view isa, int rank) {
  return {kernels::Family::ed25519, kernels::Backend::cpu, isa, rank, 1, probe<kIsa>, make<kIsa, kOps>};
}

}  // namespace

kernels::Row avx2_row() { return row<kernels::Isa::avx2, cpu::avx2_ops>("avx2", 60); }
kernels::Row avx512_row() { return row<kernels::Isa::avx512ifma, cpu::avx512_ops>("avx512", 80); }

}  // namespace sparkmill::ed25519
