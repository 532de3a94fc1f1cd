// SPDX-License-Identifier: Apache-2.0
// Hashes, ranges and verdicts around the inner functions of one ISA. Compiled for the baseline.
#include "kernels/ed25519/vrf.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/backend/cpu.h"
#include "kernels/ed25519/cpu_memory.h"
#include "kernels/ed25519/encoding.h"
#include "kernels/ed25519/sha512.h"

namespace sparkmill::ed25519 {
namespace {

using cpu::kChunk;

constexpr std::uint8_t kEncodeDomain = 1, kChallengeDomain = 2, kHashDomain = 3, kBack = 0;
constexpr std::uint64_t kOnes = ~std::uint64_t{0};

/// ELL2's domain separation tag with its length, RFC 9381 5.4.1.2 and RFC 9380 5.3.1.
constexpr std::string_view kTag = "ECVRF_edwards25519_XMD:SHA-512_ELL2_NU_\x04\x28";
static_assert(kTag.size() == 41);

constexpr std::size_t kBuffer = 512;  ///< longer messages are hashed one by one

/// expand_message_xmd: a block of zeros, the length wanted and a zero, the number of the block.
constexpr std::uint8_t kPad[128] = {}, kLength[] = {0, 48, 0}, kFirst = 1;

/// 384 bits mod p, as any number below 2^255.
Words4 modulo_prime(const std::uint64_t w[6]) {
  __extension__ using Wide = unsigned __int128;
  Words4 out{};
  Wide sum = 0;
  for (std::size_t k = 0; k < 4; ++k) {  // 2^256 = 38
    sum += w[k];
    if (k < 2) sum += Wide{w[4 + k]} * 38;
    out[k] = static_cast<std::uint64_t>(sum);
    sum >>= 64;
  }
  auto high = static_cast<std::uint64_t>(sum) * 38;
  for (int turn = 0; turn < 3; ++turn) {
    sum = high + Wide{19} * (out[3] >> 63);
    out[3] &= kOnes >> 1;
    for (std::size_t k = 0; k < 4; ++k) {
      sum += out[k];
      out[k] = static_cast<std::uint64_t>(sum);
      sum >>= 64;
    }
    high = 0;
  }
  return out;
}

class CpuVrf final : public VrfKernel {
 public:
  CpuVrf(const cpu::Ops& ops, const std::uint64_t* base_table)
      : ops_(ops),
        base_table_(base_table),
        workspace_(cpu::allocate(ops.vrf_workspace_bytes)),
        memory_(cpu::allocate(sizeof(Memory))) {}

  std::string_view isa() const override { return ops_.isa; }

  Done verify_vartime(VrfSuite suite, const kernels::SignatureBatch& batch, const VrfResults& results,
                      const StopToken& stop) override {
    SPARKMILL_TRY(kernels::check(batch, {results.valid, results.evidence},
                                 {"ecvrf", kVrfKeyBytes, kVrfProofBytes, kVrfEvidenceBytes, 0}));
    if (!results.outputs.empty() && results.outputs.size() != batch.count * kVrfOutputBytes) {
      return fail(Status::bad_argument, "ecvrf: " + std::to_string(results.outputs.size()) +
                                            " bytes of room for outputs of " + std::to_string(batch.count) + " items");
    }
    std::fill(results.valid.begin(), results.valid.end(), std::uint8_t{0});
    std::fill(results.evidence.begin(), results.evidence.end(), std::uint8_t{0});
    std::fill(results.outputs.begin(), results.outputs.end(), std::uint8_t{0});
    // A chunk is filled with items whose bytes may be a proof's.
    std::size_t at = 0;
    while (at < batch.count) {
      if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
      std::size_t count = 0;
      while (at < batch.count && count < kChunk) {
        if (take(batch, at, count)) ++count;
        ++at;
      }
      if (count != 0) run_chunk(suite, batch, results, count);
    }
    return done();
  }

 private:
  struct Memory {
    cpu::VrfChunk chunk;
    std::size_t item[kChunk];
    cpu::HashJob jobs[kChunk];
    std::uint8_t buffer[kChunk][kBuffer];
    std::size_t pending[kChunk];
    alignas(64) std::uint64_t candidate[4][kChunk], x[4][kChunk];
    std::uint8_t good[kChunk];
  };
  Memory& memory() { return *static_cast<Memory*>(memory_.get()); }

  static Words4 words(const std::uint8_t* bytes) {
    Words4 w;
    std::memcpy(w.data(), bytes, sizeof w);
    return w;
  }
  static void put(std::uint64_t (*word)[kChunk], std::size_t i, const Words4& w) {
    for (std::size_t k = 0; k < 4; ++k) word[k][i] = w[k];
  }
  static void get(const std::uint64_t (*word)[kChunk], std::size_t i, std::uint8_t* bytes) {
    for (std::size_t k = 0; k < 4; ++k) std::memcpy(bytes + 8 * k, &word[k][i], 8);
  }
  /// The first 32 bytes of a digest as little-endian words.
  static Words4 first_half(const std::uint64_t* digest) {
    return {__builtin_bswap64(digest[0]), __builtin_bswap64(digest[1]), __builtin_bswap64(digest[2]),
            __builtin_bswap64(digest[3])};
  }

  /// Item `from` as item i of the chunk, unless its bytes alone refuse it.
  bool take(const kernels::SignatureBatch& batch, std::size_t from, std::size_t i) {
    Memory& m = memory();
    const std::uint8_t* proof = batch.signatures.data() + from * kVrfProofBytes;
    const Words4 key = words(batch.keys.data() + from * kVrfKeyBytes), gamma = words(proof), s = words(proof + 48);
    if (!below_order(s) || !is_canonical(key) || has_small_order(key) || !is_canonical(gamma)) return false;
    m.item[i] = from;
    put(m.chunk.key, i, key);
    put(m.chunk.gamma, i, gamma);
    const std::size_t group = i / ops_.lanes, lane = i % ops_.lanes;
    Words4 c{};
    std::memcpy(c.data(), proof + 32, 16);
    cpu::write_digits_a(c, false, m.chunk.c + group * cpu::kDigitsA * ops_.lanes + lane, ops_.lanes);
    cpu::write_digits_a(s, false, m.chunk.s + group * cpu::kDigitsA * ops_.lanes + lane, ops_.lanes);
    cpu::write_digits_b(s, false, m.chunk.s_base + group * cpu::kDigitsB * ops_.lanes + lane, ops_.lanes);
    return true;
  }

  /// The parts one after the other in the buffer of job `j`; they fit.
  void write_job(std::size_t j, std::initializer_list<ByteView> parts) {
    Memory& m = memory();
    std::size_t at = 0;
    for (const ByteView part : parts) {
      if (!part.empty()) std::memcpy(m.buffer[j] + at, part.data(), part.size());
      at += part.size();
    }
    m.jobs[j] = {nullptr, nullptr, m.buffer[j], at, {}};
  }
  void hash_alone(std::size_t j, std::initializer_list<ByteView> parts) {
    const auto digest = sha512(parts);
    for (std::size_t k = 0; k < 8; ++k) {
      std::memcpy(&memory().jobs[j].digest[k], digest.data() + 8 * k, 8);
      memory().jobs[j].digest[k] = __builtin_bswap64(memory().jobs[j].digest[k]);
    }
  }
  /// Jobs of `count` items by `parts(item, take)`, which calls take with the parts; long ones one by one.
  template <class Parts>
  void hash(std::size_t count, Parts parts) {
    Memory& m = memory();
    std::vector<std::size_t>& alone = alone_;
    alone.clear();
    for (std::size_t j = 0; j < count; ++j) {
      parts(j, [&](std::initializer_list<ByteView> list) {
        std::size_t bytes = 0;
        for (const ByteView part : list) bytes += part.size();
        if (bytes <= kBuffer) return write_job(j, list);
        m.jobs[j] = {nullptr, nullptr, m.buffer[j], 0, {}};
        alone.push_back(j);
      });
    }
    ops_.hash(m.jobs, count);
    for (const std::size_t j : alone) {
      parts(j, [&](std::initializer_list<ByteView> list) { hash_alone(j, list); });
    }
  }

  /// RFC 9381 5.4.1.1: those that found no point try the next counter, closed up to full lanes.
  void try_and_increment(const kernels::SignatureBatch& batch, std::size_t count) {
    Memory& m = memory();
    const std::uint8_t suite[] = {static_cast<std::uint8_t>(VrfSuite::tai), kEncodeDomain};
    for (std::size_t i = 0; i < count; ++i) m.pending[i] = i;
    for (std::size_t i = count; i < kChunk; ++i) {  // padding must be on the curve, or it takes all inversions along
      put(m.chunk.h[0], i, {});
      put(m.chunk.h[1], i, {1, 0, 0, 0});
    }
    std::size_t left = count;
    for (unsigned counter = 0; left != 0 && counter < 256; ++counter) {
      const std::uint8_t end[] = {static_cast<std::uint8_t>(counter), kBack};
      hash(left, [&](std::size_t j, auto give) {
        const std::size_t item = m.item[m.pending[j]];
        give({suite, batch.key(item, kVrfKeyBytes), batch.message(item), end});
      });
      for (std::size_t j = 0; j < left; ++j) put(m.candidate, j, first_half(m.jobs[j].digest));
      ops_.decode(m.candidate, left, m.x, m.good);
      std::size_t still = 0;
      for (std::size_t j = 0; j < left; ++j) {
        const Words4 y = first_half(m.jobs[j].digest);
        const std::size_t i = m.pending[j];
        if (m.good[j] == 0 || !is_canonical(y) || has_small_order(y)) {
          m.pending[still++] = i;
          continue;
        }
        put(m.chunk.h[0], i, {m.x[0][j], m.x[1][j], m.x[2][j], m.x[3][j]});
        put(m.chunk.h[1], i, without_sign(y));
      }
      left = still;
    }
    for (std::size_t j = 0; j < left; ++j) {  // probability 2^-256; its proofs verify for nobody else either
      put(m.chunk.h[0], m.pending[j], {});
      put(m.chunk.h[1], m.pending[j], {1, 0, 0, 0});
    }
  }
  /// RFC 9381 5.4.1.2 up to the field element: one of 48 bytes, by expand_message_xmd.
  void hash_to_field(const kernels::SignatureBatch& batch, std::size_t count) {
    Memory& m = memory();
    hash(count, [&](std::size_t j, auto give) {
      const std::size_t item = m.item[j];
      give({kPad, batch.key(item, kVrfKeyBytes), batch.message(item), kLength, view(kTag)});
    });
    for (std::size_t j = 0; j < count; ++j) {
      std::uint64_t digest[8];
      for (std::size_t k = 0; k < 8; ++k) digest[k] = __builtin_bswap64(m.jobs[j].digest[k]);
      write_job(j, {ByteView(reinterpret_cast<const std::uint8_t*>(digest), sizeof digest), ByteView(&kFirst, 1),
                    view(kTag)});
    }
    ops_.hash(m.jobs, count);
    for (std::size_t j = 0; j < count; ++j) {
      const std::uint64_t* d = m.jobs[j].digest;
      const std::uint64_t wide[6] = {d[5], d[4], d[3], d[2], d[1], d[0]};
      put(m.chunk.h[0], j, modulo_prime(wide));
    }
  }

  void run_chunk(VrfSuite suite, const kernels::SignatureBatch& batch, const VrfResults& results, std::size_t count) {
    Memory& m = memory();
    using Chunk = cpu::VrfChunk;
    m.chunk.count = count;
    m.chunk.elligator = suite == VrfSuite::ell2;
    if (m.chunk.elligator) {
      hash_to_field(batch, count);
    } else {
      try_and_increment(batch, count);
    }
    ops_.vrf(m.chunk, base_table_, workspace_.get());
    const auto suite_byte = static_cast<std::uint8_t>(suite);
    for (std::size_t i = 0; i < count; ++i) {  // RFC 9381 5.4.3
      std::uint8_t* to = m.buffer[i];
      to[0] = suite_byte;
      to[1] = kChallengeDomain;
      get(m.chunk.key, i, to + 2);
      get(m.chunk.point[Chunk::kH], i, to + 34);
      get(m.chunk.gamma, i, to + 66);
      get(m.chunk.point[Chunk::kU], i, to + 98);
      get(m.chunk.point[Chunk::kV], i, to + 130);
      to[162] = kBack;
      m.jobs[i] = {nullptr, nullptr, to, 163, {}};
    }
    ops_.hash(m.jobs, count);
    std::size_t valid = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (m.chunk.key_decoded[i] == 0 || m.chunk.gamma_decoded[i] == 0) continue;
      const std::size_t at = m.item[i];
      if (!results.evidence.empty())
        std::memcpy(results.evidence.data() + at * kVrfEvidenceBytes, m.buffer[i] + 98, kVrfEvidenceBytes);
      const Words4 c = first_half(m.jobs[i].digest);
      if (std::memcmp(c.data(), batch.signatures.data() + at * kVrfProofBytes + 32, 16) != 0) continue;
      results.valid[at] = 1;
      m.pending[valid++] = i;
    }
    if (results.outputs.empty() || valid == 0) return;
    for (std::size_t j = 0; j < valid; ++j) {
      std::uint8_t* to = m.buffer[j];
      to[0] = suite_byte;
      to[1] = kHashDomain;
      get(m.chunk.point[Chunk::kEightGamma], m.pending[j], to + 2);
      to[34] = kBack;
      m.jobs[j] = {nullptr, nullptr, to, 35, {}};
    }
    ops_.hash(m.jobs, valid);
    for (std::size_t j = 0; j < valid; ++j) {
      std::uint8_t* to = results.outputs.data() + m.item[m.pending[j]] * kVrfOutputBytes;
      for (std::size_t k = 0; k < 8; ++k) {
        const std::uint64_t word = __builtin_bswap64(m.jobs[j].digest[k]);
        std::memcpy(to + 8 * k, &word, sizeof word);
      }
    }
  }

  const cpu::Ops& ops_;
  const std::uint64_t* base_table_;
  std::unique_ptr<void, cpu::Free> workspace_, memory_;
  std::vector<std::size_t> alone_;
};

}  // namespace

std::unique_ptr<VrfKernel> make_vrf_kernel(std::string_view isa) {
  if (isa == "avx512" && kernels::probe_isa(kernels::Isa::avx512ifma).ok)
    return std::make_unique<CpuVrf>(cpu::avx512_ops(), cpu::base_table<cpu::avx512_ops>());
  if (isa == "avx2" && kernels::probe_isa(kernels::Isa::avx2).ok)
    return std::make_unique<CpuVrf>(cpu::avx2_ops(), cpu::base_table<cpu::avx2_ops>());
  return nullptr;
}
std::unique_ptr<VrfKernel> make_vrf_kernel() {
  auto kernel = make_vrf_kernel("avx512");
  return kernel != nullptr ? std::move(kernel) : make_vrf_kernel("avx2");
}

}  // namespace sparkmill::ed25519
