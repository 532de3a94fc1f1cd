// SPDX-License-Identifier: Apache-2.0
// The CPU rows: a batch cut into chunks, hashes, scalars and verdicts around the inner functions of one ISA. Compiled
// for the baseline; only what cpu_ops.h lists runs with wider instructions.
#include <algorithm>
#include <cstring>
#include <new>

#include "kernels/backend/cpu.h"
#include "kernels/backend/key_cache.h"
#include "kernels/ed25519/cpu_memory.h"
#include "kernels/ed25519/ed25519.h"
#include "kernels/ed25519/encoding.h"
#include "kernels/ed25519/rows.h"

namespace sparkmill::ed25519 {
namespace {

constexpr std::size_t kKeyTables = 256;  ///< of 17 KiB each
constexpr std::size_t kWorthALane = 6;   ///< a table costs what six items of a known key save (README)

Words4 words(const std::uint8_t* bytes) {
  Words4 w;
  std::memcpy(w.data(), bytes, sizeof w);
  return w;
}

class CpuKernel final : public Kernel {
 public:
  CpuKernel(const cpu::Ops& ops, const std::uint64_t* base_table)
      : ops_(ops),
        base_table_(base_table),
        workspace_(cpu::allocate(ops.workspace_bytes)),
        memory_(cpu::allocate(sizeof(Memory))),
        key_tables_(cpu::reserve(kKeyTables * ops.key_table_bytes)),
        cache_({kKeyTables, ops.lanes, kWorthALane * ops.lanes, ops.side_by_side}) {}

  Done verify_vartime(Policy policy, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                      const StopToken& stop) override {
    SPARKMILL_TRY(check(batch, results));
    for (std::size_t first = 0; first < batch.count; first += kernels::KeyCache::kSpan) {
      if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
      const std::size_t count = std::min(kernels::KeyCache::kSpan, batch.count - first);
      const kernels::KeyCache::Split items =
          cache_.split(0, batch.keys.subspan(first * kKeyBytes, count * kKeyBytes), kKeyBytes, count,
                       [this](std::span<const ByteView> keys, std::span<const std::uint16_t> tables) {
                         make_key_tables(keys, tables);
                       });
      for (const bool known : {false, true}) {
        const std::span<const std::uint32_t> list = known ? items.known : items.plain;
        for (std::size_t at = 0; at < list.size(); at += cpu::kChunk) {
          if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
          run_chunk(rules(policy), batch, results, first, list.subspan(at, std::min(cpu::kChunk, list.size() - at)),
                    known);
        }
      }
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
    bool key_good[kKeyTables];  ///< the key of the table is a point
  };

  Memory& memory() { return *static_cast<Memory*>(memory_.get()); }
  std::uint64_t* key_table(std::size_t number) {
    return static_cast<std::uint64_t*>(key_tables_.get()) + number * (ops_.key_table_bytes / sizeof(std::uint64_t));
  }

  void make_key_tables(std::span<const ByteView> keys, std::span<const std::uint16_t> tables) {
    Memory& m = memory();
    std::uint64_t* to[cpu::kChunk];
    for (std::size_t l = 0; l < ops_.lanes; ++l) {
      const std::size_t k = l < keys.size() ? l : 0;
      to[l] = key_table(tables[k]);
      const Words4 a = words(keys[k].data());
      for (std::size_t w = 0; w < 4; ++w) m.chunk.key[w][l] = a[w];
    }
    ops_.make_key_tables(m.chunk, to, workspace_.get());
    for (std::size_t k = 0; k < keys.size(); ++k) m.key_good[tables[k]] = m.chunk.a_decoded[k] != 0;
  }

  void prepare(const Rules& rule, const kernels::SignatureBatch& batch, std::size_t first,
               std::span<const std::uint32_t> items, bool known, bool evidence) {
    Memory& m = memory();
    const std::size_t count = items.size();
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = first + items[i];
      const ByteView message = batch.message(at);
      const std::uint8_t* signature = batch.signatures.data() + at * kSignatureBytes;
      m.jobs[i] = {signature, batch.keys.data() + at * kKeyBytes, message.data(), message.size(), {}};
      if (!known) continue;
      // These lie apart.
      for (const std::uint8_t* line : {m.jobs[i].r, m.jobs[i].r + 63, m.jobs[i].a, message.data()})
        __builtin_prefetch(line);
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
    if (known) {
      const std::size_t padded = (count + ops_.side_by_side - 1) / ops_.side_by_side * ops_.side_by_side;
      for (std::size_t i = 0; i < padded; ++i) {
        const std::uint16_t table = cache_.table_of(items[std::min(i, count - 1)]);
        m.chunk.key_table[i] = key_table(table);
        m.chunk.a_decoded[i] = m.key_good[table] ? 1 : 0;
      }
    }
    m.chunk.known = known;
    m.chunk.count = count;
    m.chunk.schedule = evidence ? &cpu::evidence_schedule() : &cpu::plain_schedule();
    m.chunk.cofactored = rule.cofactored;
  }

  void run_chunk(const Rules& rule, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                 std::size_t first, std::span<const std::uint32_t> items, bool known) {
    prepare(rule, batch, first, items, known, !results.evidence.empty());
    Memory& m = memory();
    ops_.verify(m.chunk, base_table_, workspace_.get());
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::size_t at = first + items[i];
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
      results.valid[at] = valid ? 1 : 0;
      if (results.evidence.empty()) continue;
      const Words4 evidence = decoded ? column(m.chunk.evidence) : Words4{};
      std::memcpy(results.evidence.data() + at * kEvidenceBytes, evidence.data(), sizeof evidence);
    }
  }

  const cpu::Ops& ops_;
  const std::uint64_t* base_table_;
  std::unique_ptr<void, cpu::Free> workspace_, memory_, key_tables_;
  kernels::KeyCache cache_;
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
    return std::unique_ptr<kernels::Kernel>(std::make_unique<CpuKernel>(kOps(), cpu::base_table<kOps>()));
  } catch (const std::bad_alloc&) {
    return fail(Status::internal, "out of memory for an ed25519 kernel");
  }
}

template <kernels::Isa kIsa, const cpu::Ops& (*kOps)()>
kernels::Row row(std::string_view isa, int rank) {
  return {kernels::Family::ed25519, kernels::Backend::cpu, isa, rank, 2, probe<kIsa>, make<kIsa, kOps>};
}

}  // namespace

kernels::Row avx2_row() { return row<kernels::Isa::avx2, cpu::avx2_ops>("avx2", 60); }
kernels::Row avx512_row() { return row<kernels::Isa::avx512ifma, cpu::avx512_ops>("avx512", 80); }

}  // namespace sparkmill::ed25519
