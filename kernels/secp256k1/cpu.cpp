// SPDX-License-Identifier: Apache-2.0
// The CPU rows: a batch cut into chunks, ranges, scalars and verdicts around the inner function of one ISA. Compiled
// for the baseline; only what cpu_ops.h lists runs with wider instructions.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>

#include "base/hash.h"
#include "kernels/backend/cpu.h"
#include "kernels/backend/key_cache.h"
#include "kernels/hash/behind_block.h"
#include "kernels/secp256k1/reference.h"
#include "kernels/secp256k1/rows.h"
#include "kernels/secp256k1/scalar.h"

namespace sparkmill::secp256k1 {
namespace {

struct Free {
  void operator()(void* p) const { std::free(p); }
};

/// Not written, so that pages come when they are used.
std::unique_ptr<void, Free> reserve(std::size_t bytes) {
  constexpr std::size_t kPage = 4096;
  std::unique_ptr<void, Free> p(std::aligned_alloc(kPage, (bytes + kPage - 1) / kPage * kPage));
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
std::unique_ptr<void, Free> allocate(std::size_t bytes) {
  auto p = reserve(bytes);
  std::memset(p.get(), 0, bytes);
  return p;
}

constexpr std::size_t kKeyTables = 256;  ///< of 8 KiB each
constexpr std::size_t kWorthALane = 10;  ///< a table costs what eight items of a known key save (README)

constexpr Words4 kBaseX = {0x59f2815b16f81798, 0x029bfcdb2dce28d9, 0x55a06295ce870b07, 0x79be667ef9dcbbac};
constexpr Words4 kOne = {1, 0, 0, 0};

/// One item before the ladder. `taken` is 0 where ranges refuse it; then the numbers are harmless ones.
struct Input {
  bool taken;
  Words4 x, y;       ///< of Q; y only when it is given
  std::uint8_t odd;  ///< else its parity
  Words4 r, s, z;    ///< the numbers of the equation: for bip340 s and z = e
};

class CpuKernel final : public Kernel {
 public:
  CpuKernel(const cpu::Ops& ops, const hashes::cpu::Ops& hash)
      : ops_(ops),
        challenges_(hash, challenge_tags()),
        base_table_(cpu::base_table()),
        workspace_(allocate(ops.workspace_bytes)),
        memory_(allocate(sizeof(Memory))),
        key_tables_(reserve(kKeyTables * cpu::kKeyTableWords * sizeof(std::uint64_t))),
        cache_({kKeyTables, ops.lanes, kWorthALane * ops.lanes, ops.lanes}) {}

  Done verify_vartime(Check which, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                      const StopToken& stop) override {
    SPARKMILL_TRY(check(which, batch, results));
    for (std::size_t first = 0; first < batch.count; first += kernels::KeyCache::kSpan) {
      if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
      const std::size_t count = std::min(kernels::KeyCache::kSpan, batch.count - first), bytes = key_bytes(which);
      const kernels::KeyCache::Split items =
          cache_.split(static_cast<std::uint8_t>(which), batch.keys.subspan(first * bytes, count * bytes), bytes, count,
                       [this, which](std::span<const ByteView> keys, std::span<const std::uint16_t> tables) {
                         make_key_tables(which, keys, tables);
                       });
      for (const bool known : {false, true}) {
        const std::span<const std::uint32_t> list = known ? items.known : items.plain;
        for (std::size_t at = 0; at < list.size(); at += cpu::kChunk) {
          if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
          run_chunk(which, batch, results, first, list.subspan(at, std::min(cpu::kChunk, list.size() - at)), known);
        }
      }
    }
    return done();
  }

  Done recover_vartime(RecoverRule rule, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                       std::span<std::uint8_t> public_keys, const StopToken& stop) override {
    SPARKMILL_TRY(check_recover(batch, results, public_keys));
    const bool wanted = !results.evidence.empty();
    for (std::size_t first = 0; first < batch.count; first += cpu::kChunk) {
      if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
      const std::size_t count = std::min(cpu::kChunk, batch.count - first);
      start(count, true, false, wanted);
      for (std::size_t i = 0; i < count; ++i)
        memory().input[i] = read(rule, batch.signature(first + i, kRecoverableBytes), batch.message(first + i));
      put_quotients(count, true);
      ops_.run(memory().chunk, base_table_, workspace_.get());
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = first + i;
        std::uint8_t* evidence = wanted ? results.evidence.data() + at * kEvidenceBytes : nullptr;
        std::uint8_t* key = public_keys.data() + at * kPublicKeyBytes;
        if (finish(i, evidence)) {
          results.valid[at] = 1;
          to_big_endian(column(memory().chunk.point, i), key);
          to_big_endian(column(memory().chunk.point + 4, i), key + 32);
        } else if (memory().input[i].taken && memory().chunk.decoded[i] != 0) {
          const reference::Answer answer =
              reference::recover_vartime(rule, batch.signature(at, kRecoverableBytes), batch.message(at), wanted, key);
          results.valid[at] = answer.valid ? 1 : 0;
          if (wanted) std::copy(answer.evidence.begin(), answer.evidence.end(), evidence);
        } else {
          results.valid[at] = 0;
          std::fill_n(key, kPublicKeyBytes, std::uint8_t{0});
        }
      }
    }
    return done();
  }
  std::size_t batch() const override { return 16 * cpu::kChunk; }
  std::string row_id() const override { return std::string("secp256k1/cpu/") + ops_.isa; }

 private:
  /// What a chunk needs beside the workspace of the ISA.
  struct Memory {
    cpu::Chunk chunk;
    Input input[cpu::kChunk];
    Scalar inverse[cpu::kChunk], prefix[cpu::kChunk];
    bool key_good[kKeyTables];  ///< the key of the table is a point
    hashes::cpu::BehindBlock challenge[cpu::kChunk];
  };
  std::uint64_t* key_table(std::size_t number) {
    return static_cast<std::uint64_t*>(key_tables_.get()) + number * cpu::kKeyTableWords;
  }

  void make_key_tables(Check which, std::span<const ByteView> keys, std::span<const std::uint16_t> tables) {
    Memory& m = memory();
    std::uint64_t* to[cpu::kChunk];
    m.chunk.compressed = which != Check::ecdsa;
    for (std::size_t l = 0; l < ops_.lanes; ++l) {
      const std::size_t k = l < keys.size() ? l : 0;
      to[l] = key_table(tables[k]);
      const Input key = read_key(which, keys[k]).value_or(refused());
      for (std::size_t w = 0; w < 4; ++w) {
        m.chunk.key[w][l] = key.x[w];
        m.chunk.key[4 + w][l] = key.y[w];
      }
      m.chunk.key_odd[l] = key.odd;
    }
    ops_.make_key_tables(m.chunk, to, workspace_.get());
    for (std::size_t k = 0; k < keys.size(); ++k) m.key_good[tables[k]] = m.chunk.decoded[k] != 0;
  }

  void run_chunk(Check which, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                 std::size_t first, std::span<const std::uint32_t> items, bool known) {
    Memory& m = memory();
    const bool wanted = !results.evidence.empty();
    const std::size_t bytes = key_bytes(which), count = items.size();
    start(count, which != Check::ecdsa, which != Check::bip340, wanted);
    m.chunk.known = known;
    if (known) {
      const std::size_t padded = (count + ops_.lanes - 1) / ops_.lanes * ops_.lanes;
      for (std::size_t i = 0; i < padded; ++i) {
        const std::uint32_t item = items[std::min(i, count - 1)];
        m.chunk.key_table[i] = key_table(cache_.table_of(item));
        m.chunk.decoded[i] = m.key_good[cache_.table_of(item)] ? 1 : 0;
        // These lie apart.
        __builtin_prefetch(batch.signatures.data() + (first + item) * kSignatureBytes);
        __builtin_prefetch(batch.keys.data() + (first + item) * bytes);
        __builtin_prefetch(batch.messages.data() + batch.message_offsets[first + item]);
      }
    }
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = first + items[i];
      m.input[i] = read(which, batch.key(at, bytes), batch.signature(at, kSignatureBytes), batch.message(at));
    }
    if (which == Check::bip340) {
      hash_challenges(batch, first, items);
      for (std::size_t i = 0; i < count; ++i) put_scalars(i, m.input[i].s, m.input[i].z);
    } else {
      put_quotients(count, false);
    }
    ops_.run(m.chunk, base_table_, workspace_.get());
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = first + items[i];
      std::uint8_t* evidence = wanted ? results.evidence.data() + at * kEvidenceBytes : nullptr;
      if (finish(i, evidence)) {
        results.valid[at] = holds(which, i) ? 1 : 0;
      } else if (m.input[i].taken && m.chunk.decoded[i] != 0) {
        const reference::Answer answer = reference::verify_vartime(
            which, batch.key(at, bytes), batch.signature(at, kSignatureBytes), batch.message(at), wanted);
        results.valid[at] = answer.valid ? 1 : 0;
        if (wanted) std::copy(answer.evidence.begin(), answer.evidence.end(), evidence);
      } else {
        results.valid[at] = 0;
      }
    }
  }
  Memory& memory() { return *static_cast<Memory*>(memory_.get()); }

  static Words4 column(const std::uint64_t (*w)[cpu::kChunk], std::size_t i) {
    return {w[0][i], w[1][i], w[2][i], w[3][i]};
  }
  static bool in_range(const Words4& n) { return !is_zero(n) && less(n, ModN::kModulus); }
  static Input refused() { return {false, kBaseX, {}, 0, kOne, kOne, kOne}; }

  /// x, and y or its parity, of the point that counts; nothing where no encoding has these bytes.
  static std::optional<Input> read_key(Check which, ByteView key) {
    Input in{true, {}, {}, 0, {}, {}, {}};
    in.x = from_big_endian(key.data() + (which == Check::ecdsa_compressed ? 1 : 0));
    if (!less(in.x, ModP::kModulus)) return std::nullopt;
    if (which == Check::bip340) {
      in.odd = 1;  // the negative of the key
    } else if (which == Check::ecdsa) {
      in.y = from_big_endian(key.data() + 32);
      if (!less(in.y, ModP::kModulus)) return std::nullopt;
    } else {
      if (key[0] != 2 && key[0] != 3) return std::nullopt;
      in.odd = key[0] & 1;
    }
    return in;
  }
  /// For bip340 without the challenge.
  static Input read(Check which, ByteView key, ByteView signature, ByteView message) {
    const auto its_key = read_key(which, key);
    if (!its_key) return refused();
    Input in = *its_key;
    in.r = from_big_endian(signature.data());
    in.s = from_big_endian(signature.data() + 32);
    if (which == Check::bip340) {
      if (!less(in.r, ModP::kModulus) || !less(in.s, ModN::kModulus)) return refused();
      return in;  // z is the challenge, made for all together
    }
    if (!in_range(in.r) || !in_range(in.s)) return refused();
    in.z = from_big_endian(message.data());
    return in;
  }
  static Input read(RecoverRule rule, ByteView signature, ByteView digest) {
    Input in{true,
             {},
             {},
             static_cast<std::uint8_t>(signature[64] & 1),
             from_big_endian(signature.data()),
             from_big_endian(signature.data() + 32),
             from_big_endian(digest.data())};
    if (signature[64] > 3) return refused();
    if (rule == RecoverRule::in_range && (!in_range(in.r) || !in_range(in.s))) return refused();
    in.x = in.r;
    if ((signature[64] & 2) != 0 && add_words(in.x, in.r, ModN::kModulus)) return refused();
    if (!less(in.x, ModP::kModulus) || Scalar::reduced(in.r).is_zero()) return refused();
    return in;
  }

  /// The tag "BIP0340/challenge" twice, the block that every challenge begins with.
  static Bytes challenge_tags() {
    const Hash32 tag = sha256(view("BIP0340/challenge"));
    Bytes block(tag.begin(), tag.end());
    block.insert(block.end(), tag.begin(), tag.end());
    return block;
  }
  void hash_challenges(const kernels::SignatureBatch& batch, std::size_t first, std::span<const std::uint32_t> items) {
    Memory& m = memory();
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::size_t at = first + items[i];
      std::memcpy(m.challenge[i].head, batch.signature(at, kSignatureBytes).data(), 32);
      std::memcpy(m.challenge[i].head + 32, batch.key(at, kXOnlyKeyBytes).data(), 32);
      m.challenge[i].tail = batch.message(at);
    }
    challenges_.run(std::span(m.challenge, items.size()));
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (m.input[i].taken) m.input[i].z = Scalar::reduced(from_big_endian(m.challenge[i].digest.data())).number();
    }
  }

  void start(std::size_t count, bool compressed, bool compare, bool evidence) {
    cpu::Chunk& c = memory().chunk;
    c.count = count;
    c.compressed = compressed;
    c.compare = compare;
    c.evidence = evidence;
    c.known = false;
    for (auto& digits : c.q) std::memset(digits.negative, 0, sizeof digits.negative);
    for (auto& digits : c.g) std::memset(digits.negative, 0, sizeof digits.negative);
    std::memset(c.low_q.negative, 0, sizeof c.low_q.negative);
    std::memset(c.low_g.negative, 0, sizeof c.low_g.negative);
    std::memset(c.low_none, 0, sizeof c.low_none);
  }
  /// The digits of u1 and u2, and the columns of the item.
  void put_scalars(std::size_t i, const Words4& u1, const Words4& u2) {
    cpu::Chunk& c = memory().chunk;
    const Input& in = memory().input[i];
    for (std::size_t k = 0; k < 4; ++k) {
      c.key[k][i] = in.x[k];
      c.key[4 + k][i] = in.y[k];
    }
    c.key_odd[i] = in.odd;
    if (c.compare) {
      Words4 sum = in.r;
      if (add_words(sum, in.r, ModN::kModulus) || !less(sum, ModP::kModulus)) sum = in.r;
      for (std::size_t k = 0; k < 4; ++k) {
        c.r[k][i] = in.r[k];
        c.r_plus_n[k][i] = sum[k];
      }
    }
    cpu::Half half[2];
    const auto high = [&](const Words4& n) { return c.evidence ? shifted_right(n, cpu::kLowBits) : n; };
    cpu::split(high(u1), half);
    for (std::size_t h = 0; h < 2; ++h) cpu::write_digits<cpu::kWindowG>(half[h], i, ops_.lanes, c.g[h]);
    cpu::split(high(u2), half);
    for (std::size_t h = 0; h < 2; ++h) cpu::write_digits<cpu::kWindowQ>(half[h], i, ops_.lanes, c.q[h]);
    if (!c.evidence) return;
    const std::uint64_t mask = (std::uint64_t{1} << cpu::kLowBits) - 1;
    cpu::write_low_digits(static_cast<unsigned>(u1[0] & mask), static_cast<unsigned>(u2[0] & mask), i, ops_.lanes, c);
  }
  /// u1 = z / s, u2 = r / s; recovery: u1 = -z / r, u2 = s / r.
  void put_quotients(std::size_t count, bool recovery) {
    Memory& m = memory();
    for (std::size_t i = 0; i < count; ++i) m.inverse[i] = Scalar::reduced(recovery ? m.input[i].r : m.input[i].s);
    cpu::invert_all(std::span(m.inverse, count), std::span(m.prefix, count));
    for (std::size_t i = 0; i < count; ++i) {
      const Input& in = m.input[i];
      const Scalar z = Scalar::reduced(in.z);
      const Scalar u1 = (recovery ? Scalar::zero() - z : z) * m.inverse[i];
      put_scalars(i, u1.number(), (Scalar::reduced(recovery ? in.s : in.r) * m.inverse[i]).number());
    }
  }
  /// Whether the ladder's answer counts; then the evidence is written, where wanted, else zeros are.
  bool finish(std::size_t i, std::uint8_t* evidence) {
    const cpu::Chunk& c = memory().chunk;
    const bool counts = memory().input[i].taken && c.decoded[i] != 0 && c.exception[i] == 0;
    if (evidence == nullptr) return counts;
    std::fill_n(evidence, kEvidenceBytes, std::uint8_t{0});
    if (!counts) return false;
    evidence[0] = static_cast<std::uint8_t>(2 | (c.pause[4][i] & 1));
    to_big_endian(column(c.pause, i), evidence + 1);
    return true;
  }
  bool holds(Check which, std::size_t i) {
    const cpu::Chunk& c = memory().chunk;
    if (which != Check::bip340) return c.matches[i] != 0;
    return (c.point[4][i] & 1) == 0 && column(c.point, i) == memory().input[i].r;
  }

  const cpu::Ops& ops_;
  const hashes::cpu::BehindBlockHasher challenges_;
  const std::uint64_t* base_table_;
  std::unique_ptr<void, Free> workspace_, memory_, key_tables_;
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
    // The widest lanes for hashes, whatever those of the curve: both rows have AVX2 at least.
    const bool wide = kIsa != kernels::Isa::avx2 && kernels::probe_isa(kernels::Isa::avx512).ok;
    const hashes::cpu::Ops& hash = wide ? hashes::cpu::avx512_ops() : hashes::cpu::avx2_ops();
    return std::unique_ptr<kernels::Kernel>(std::make_unique<CpuKernel>(kOps(), hash));
  } catch (const std::bad_alloc&) {
    return fail(Status::internal, "out of memory for a secp256k1 kernel");
  }
}

template <kernels::Isa kIsa, const cpu::Ops& (*kOps)()>
kernels::Row row(std::string_view isa, int rank) {
  return {kernels::Family::secp256k1, kernels::Backend::cpu, isa, rank, 2, probe<kIsa>, make<kIsa, kOps>};
}

}  // namespace

kernels::Row avx2_row() { return row<kernels::Isa::avx2, cpu::avx2_ops>("avx2", 60); }
kernels::Row avx512_row() { return row<kernels::Isa::avx512ifma, cpu::avx512_ops>("avx512", 80); }

}  // namespace sparkmill::secp256k1
