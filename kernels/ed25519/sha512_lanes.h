// SPDX-License-Identifier: Apache-2.0
// SHA-512 of many messages at once, one in each lane. A lane that ends its message takes the next one, so that mixed
// lengths keep all lanes busy. V-operations come from the field of the ISA (field_*.h).
#pragma once

#include "kernels/ed25519/cpu_ops.h"
#include "kernels/ed25519/sha512.h"

namespace sparkmill::ed25519::cpu {
namespace {

template <class F>
struct Sha512Lanes {
  using V = typename F::V;
  static constexpr std::size_t kLanes = F::kLanes;
  static constexpr std::size_t kBlock = 128;

  /// Where a lane stands: blocks are numbered; the message is R || A || M or M, then padding.
  struct Lane {
    HashJob* job = nullptr;
    std::size_t block = 0, blocks = 0;
    alignas(64) std::uint8_t buffer[kBlock];
  };

  static std::size_t head_of(const HashJob& job) { return job.r == nullptr ? 0 : 64; }
  static std::size_t blocks_of(const HashJob& job) { return (head_of(job) + job.bytes + 17 + kBlock - 1) / kBlock; }

  /// The next block of a lane: in place where it lies whole within M.
  static const std::uint8_t* next_block(Lane& lane) {
    const HashJob& job = *lane.job;
    const std::size_t head = head_of(job), from = lane.block * kBlock, total = head + job.bytes;
    if (from >= head && from + kBlock <= total) return job.message + (from - head);
    std::uint8_t* out = lane.buffer;
    std::size_t at = 0;
    if (from < head) {
      __builtin_memcpy(out, job.r, 32);
      __builtin_memcpy(out + 32, job.a, 32);
      at = head;
    }
    if (from + at < total) {
      const std::size_t left = total - from - at, size = left < kBlock - at ? left : kBlock - at;
      if (size != 0) __builtin_memcpy(out + at, job.message + (from + at - head), size);
      at += size;
    }
    if (at < kBlock) __builtin_memset(out + at, 0, kBlock - at);
    if (from + at == total && at < kBlock) out[at] = 0x80;
    if (lane.block + 1 == lane.blocks) {
      const std::uint64_t bits = __builtin_bswap64(8 * static_cast<std::uint64_t>(total));
      __builtin_memcpy(out + kBlock - 8, &bits, 8);
    }
    return out;
  }

  static __attribute__((noinline)) void compress(std::uint64_t (*state)[kLanes], const std::uint8_t* const* blocks) {
    V w[16], s[8];
    F::load_blocks(blocks, w);
    for (int k = 0; k < 8; ++k) s[k] = F::load(state[k]);
    V a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
    for (std::size_t t = 0; t < 80; t += 16) {
#pragma GCC unroll 16
      for (std::size_t i = 0; i < 16; ++i) {
        const V big1 = F::xor3(F::template ror<14>(e), F::template ror<18>(e), F::template ror<41>(e));
        const V t1 =
            F::add64(F::add64(F::add64(h, big1), F::add64(F::choose(e, f, g), w[i])), F::set1(kSha512Round[t + i]));
        const V big0 = F::xor3(F::template ror<28>(a), F::template ror<34>(a), F::template ror<39>(a));
        const V t2 = F::add64(big0, F::majority(a, b, c));
        h = g, g = f, f = e, e = F::add64(d, t1), d = c, c = b, b = a, a = F::add64(t1, t2);
        if (t != 64) {
          const V w1 = w[(i + 1) % 16], w14 = w[(i + 14) % 16];
          const V s0 = F::xor3(F::template ror<1>(w1), F::template ror<8>(w1), F::template shr<7>(w1));
          const V s1 = F::xor3(F::template ror<19>(w14), F::template ror<61>(w14), F::template shr<6>(w14));
          w[i] = F::add64(F::add64(w[i], s0), F::add64(w[(i + 9) % 16], s1));
        }
      }
    }
    const V end[8] = {a, b, c, d, e, f, g, h};
    for (int k = 0; k < 8; ++k) F::store(state[k], F::add64(s[k], end[k]));
  }

  static void run(HashJob* jobs, std::size_t count) {
    Lane lanes[kLanes];
    alignas(64) std::uint64_t state[8][kLanes];
    const std::uint8_t* blocks[kLanes];
    std::size_t next = 0, busy = 0;
    const auto give = [&](std::size_t l) {
      lanes[l].job = next < count ? &jobs[next++] : nullptr;
      lanes[l].block = 0;
      for (std::size_t k = 0; k < 8; ++k) state[k][l] = kSha512Start[k];
      if (lanes[l].job == nullptr) return;
      lanes[l].blocks = blocks_of(*lanes[l].job);
      ++busy;
    };
    for (std::size_t l = 0; l < kLanes; ++l) {
      give(l);
      __builtin_memset(lanes[l].buffer, 0, kBlock);
    }
    while (busy != 0) {
      for (std::size_t l = 0; l < kLanes; ++l) blocks[l] = lanes[l].job ? next_block(lanes[l]) : lanes[l].buffer;
      compress(state, blocks);
      for (std::size_t l = 0; l < kLanes; ++l) {
        if (lanes[l].job == nullptr || ++lanes[l].block != lanes[l].blocks) continue;
        for (std::size_t k = 0; k < 8; ++k) lanes[l].job->digest[k] = state[k][l];
        --busy;
        give(l);
      }
    }
  }
};

}  // namespace
}  // namespace sparkmill::ed25519::cpu
