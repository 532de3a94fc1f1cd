// SPDX-License-Identifier: Apache-2.0
#include "kernels/hash/behind_block.h"

#include <algorithm>
#include <cstring>

#include "kernels/hash/constants.h"

namespace sparkmill::hashes::cpu {
namespace {

constexpr std::size_t kBlock = 64;

/// Blocks of a tail with its padding.
std::uint64_t blocks_of(std::uint64_t tail) { return tail / kBlock + (tail % kBlock < 56 ? 1 : 2); }

/// The last bytes of a tail and its padding: one block or two. The common block and the head count, too.
void pad_end(ByteView tail, std::uint8_t* out) {
  const std::size_t left = tail.size() % kBlock, size = left < 56 ? kBlock : 2 * kBlock;
  if (left != 0) std::memcpy(out, tail.data() + tail.size() - left, left);
  std::memset(out + left, 0, size - left);
  out[left] = 0x80;
  const std::uint64_t bits = (std::uint64_t{tail.size()} + 2 * kBlock) * 8;
  for (unsigned k = 0; k < 8; ++k) out[size - 1 - k] = static_cast<std::uint8_t>(bits >> (8 * k));
}

void take_digest(const std::uint32_t* state, unsigned lanes, unsigned lane, Hash32& out) {
  for (std::size_t k = 0; k < 8; ++k) {
    const std::uint32_t word = __builtin_bswap32(state[k * lanes + lane]);
    std::memcpy(out.data() + 4 * k, &word, sizeof word);
  }
}

}  // namespace

BehindBlockHasher::BehindBlockHasher(const Ops& ops, ByteView block) : ops_(ops) {
#define ENTRY(index, value) value,
  static constexpr std::uint32_t kStart[8] = {SM_SHA256_START(ENTRY)};
#undef ENTRY
  const std::uint8_t* same[kMostLanes];
  std::fill(std::begin(same), std::end(same), block.data());
  for (unsigned k = 0; k < 8; ++k) std::fill_n(start_ + k * ops.lanes32, ops.lanes32, kStart[k]);
  ops.sha256(start_, same);
}

void BehindBlockHasher::run(std::span<BehindBlock> items) const {
  for (std::size_t at = 0; at < items.size(); at += ops_.lanes32) {
    run_group(items.subspan(at, std::min<std::size_t>(ops_.lanes32, items.size() - at)));
  }
}

void BehindBlockHasher::run_group(std::span<BehindBlock> items) const {
  const unsigned lanes = ops_.lanes32;
  alignas(64) std::uint32_t state[8 * kMostLanes];
  alignas(64) std::uint8_t ends[kMostLanes][2 * kBlock];
  const std::uint8_t* next[kMostLanes] = {};
  std::uint64_t most = 0;
  std::memcpy(state, start_, sizeof(std::uint32_t) * 8 * lanes);
  for (unsigned lane = 0; lane < lanes; ++lane) {
    next[lane] = items[lane < items.size() ? lane : 0].head;  // lanes without an item idle
    if (lane >= items.size()) continue;
    pad_end(items[lane].tail, ends[lane]);
    most = std::max(most, blocks_of(items[lane].tail.size()));
  }
  ops_.sha256(state, next);
  for (std::uint64_t step = 0; step < most; ++step) {
    for (unsigned lane = 0; lane < items.size(); ++lane) {
      const ByteView tail = items[lane].tail;
      const std::uint64_t whole = tail.size() / kBlock;
      if (step >= blocks_of(tail.size())) continue;  // done: whatever, the lane idles
      next[lane] = step < whole ? tail.data() + step * kBlock : ends[lane] + (step - whole) * kBlock;
    }
    ops_.sha256(state, next);
    for (unsigned lane = 0; lane < items.size(); ++lane) {
      if (step + 1 == blocks_of(items[lane].tail.size())) take_digest(state, lanes, lane, items[lane].digest);
    }
  }
}

}  // namespace sparkmill::hashes::cpu
