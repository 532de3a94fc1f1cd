// SPDX-License-Identifier: Apache-2.0
// The CPU rows: messages of like length side by side in the lanes of one ISA, padding, digests. Compiled for the
// baseline; only what cpu_ops.h lists runs with wider instructions.
#include <algorithm>
#include <cstring>
#include <memory>

#include "base/hash.h"
#include "kernels/backend/cpu.h"
#include "kernels/hash/constants.h"
#include "kernels/hash/cpu_ops.h"
#include "kernels/hash/hash.h"
#include "kernels/hash/rows.h"

namespace sparkmill::hashes {
namespace {

using cpu::kMostLanes;
constexpr std::size_t kChunk = 2048;          // messages that are put in order of length at once
constexpr std::size_t kBuckets = 64;          // lengths in blocks that are told apart; the last is "more"
constexpr std::uint64_t kBlocksAPoll = 8192;  // of a group of lanes: some milliseconds

/// Few and long messages are faster one by one: OpenSSL's code for one message, where the processor has SHA
/// instructions, does seven blocks while 16 lanes do one each.
constexpr std::uint64_t kLongBlocks = 8, kSinglesForLanes = 7;

#define ENTRY(index, value) value,
struct Sha256 {
  using Word = std::uint32_t;
  static constexpr Algorithm algorithm = Algorithm::sha256;
  static constexpr std::size_t words = 8, length_bytes = 8;
  static constexpr Word start[words] = {SM_SHA256_START(ENTRY)};
};
struct Sha512 {
  using Word = std::uint64_t;
  static constexpr Algorithm algorithm = Algorithm::sha512;
  static constexpr std::size_t words = 8, length_bytes = 16;
  static constexpr Word start[words] = {SM_SHA512_START(ENTRY)};
};
#undef ENTRY
template <Algorithm kAlgorithm, std::uint8_t kPad>
struct Sponge {
  using Word = std::uint64_t;
  static constexpr Algorithm algorithm = kAlgorithm;
  static constexpr std::size_t words = 25;
  static constexpr std::uint8_t pad = kPad;
};

/// The padded end of a message of `bytes`, whose last bytes % block are at `rest`: one block or two.
template <class A>
void pad_end(const std::uint8_t* rest, std::uint64_t bytes, std::uint8_t* out) {
  constexpr std::size_t block = block_bytes(A::algorithm);
  const std::size_t left = bytes % block;
  if (left != 0) std::memcpy(out, rest, left);
  if constexpr (A::words == 25) {
    std::memset(out + left, 0, block - left);
    out[left] = A::pad;
    out[block - 1] |= 0x80;
  } else {
    const std::size_t end = (blocks(A::algorithm, bytes) - bytes / block) * block;
    std::memset(out + left, 0, end - left);
    out[left] = 0x80;
    for (unsigned k = 0; k < 8; ++k) out[end - 1 - k] = static_cast<std::uint8_t>((bytes * 8) >> (8 * k));
    if constexpr (A::length_bytes == 16) out[end - 9] = static_cast<std::uint8_t>(bytes >> 61);
  }
}

/// A lane's digest out of [word][lane].
template <class A>
void take_digest(const typename A::Word* state, unsigned lanes, unsigned lane, std::uint8_t* out) {
  using Word = typename A::Word;
  for (std::size_t k = 0; k < digest_bytes(A::algorithm) / sizeof(Word); ++k, out += sizeof(Word)) {
    Word word = state[k * lanes + lane];
    if constexpr (A::words != 25) word = sizeof(Word) == 4 ? __builtin_bswap32(word) : __builtin_bswap64(word);
    std::memcpy(out, &word, sizeof word);
  }
}

class CpuKernel final : public Kernel {
 public:
  explicit CpuKernel(const cpu::Ops& ops) : ops_(ops) {}
  std::string row_id() const override { return std::string("hash/cpu/") + ops_.isa; }

  Done hash(Algorithm algorithm, const Batch& batch, std::span<std::uint8_t> out, const StopToken& stop) override {
    SPARKMILL_TRY(check(algorithm, batch, out.size()));
    bool whole = false;
    switch (algorithm) {
      case Algorithm::sha256: whole = run<Sha256>(batch, out.data(), ops_.sha256, ops_.lanes32, stop); break;
      case Algorithm::sha512: whole = run<Sha512>(batch, out.data(), ops_.sha512, ops_.lanes64, stop); break;
      case Algorithm::sha3_256:
        whole = run<Sponge<Algorithm::sha3_256, 0x06>>(batch, out.data(), ops_.keccak, ops_.lanes64, stop);
        break;
      case Algorithm::keccak256:
        whole = run<Sponge<Algorithm::keccak256, 0x01>>(batch, out.data(), ops_.keccak, ops_.lanes64, stop);
        break;
    }
    return whole ? done() : Done(fail(Status::cancelled, "stopped"));
  }

 private:
  using Compress32 = void (*)(std::uint32_t*, const std::uint8_t* const*);
  using Compress64 = void (*)(std::uint64_t*, const std::uint8_t* const*);
  template <class A>
  using Compress = std::conditional_t<sizeof(typename A::Word) == 4, Compress32, Compress64>;

  template <class A>
  bool run(const Batch& batch, std::uint8_t* out, Compress<A> compress, unsigned lanes, const StopToken& stop) {
    std::uint64_t since_poll = kBlocksAPoll;  // a token that has fired is seen at once
    for (std::size_t first = 0; first < batch.count(); first += kChunk) {
      const std::size_t count = std::min(kChunk, batch.count() - first);
      order<A>(batch, first, count);
      for (std::size_t at = 0; at < count; at += lanes) {
        const std::span<const std::uint16_t> group(order_ + at, std::min<std::size_t>(lanes, count - at));
        if (A::algorithm == Algorithm::sha256 && one_by_one(batch, first, group)) {
          if (stop.stop_requested()) return false;
          for (const std::uint16_t i : group) {
            const Hash32 digest = sha256(batch.message(first + i));
            std::memcpy(out + (first + i) * digest.size(), digest.data(), digest.size());
          }
          continue;
        }
        if (!run_group<A>(batch, first, group, out, compress, lanes, since_poll, stop)) return false;
      }
    }
    return true;
  }

  static bool one_by_one(const Batch& batch, std::size_t first, std::span<const std::uint16_t> group) {
    std::uint64_t sum = 0, most = 0;
    for (const std::uint16_t i : group) {
      const std::uint64_t n = blocks(Algorithm::sha256, batch.message(first + i).size());
      sum += n;
      most = std::max(most, n);
    }
    return most >= kLongBlocks && sum < most * kSinglesForLanes;
  }

  /// order_ = the messages of a chunk by number of blocks, so that lanes end together.
  template <class A>
  void order(const Batch& batch, std::size_t first, std::size_t count) {
    std::uint16_t ends[kBuckets + 1] = {};
    for (std::size_t i = 0; i < count; ++i) {
      bucket_[i] = static_cast<std::uint8_t>(std::min<std::uint64_t>(
          blocks(A::algorithm, batch.offsets[first + i + 1] - batch.offsets[first + i]), kBuckets - 1));
      ++ends[bucket_[i] + 1];
    }
    for (std::size_t b = 0; b < kBuckets; ++b) ends[b + 1] = static_cast<std::uint16_t>(ends[b + 1] + ends[b]);
    for (std::size_t i = 0; i < count; ++i) order_[ends[bucket_[i]]++] = static_cast<std::uint16_t>(i);
  }

  template <class A>
  bool run_group(const Batch& batch, std::size_t first, std::span<const std::uint16_t> group, std::uint8_t* out,
                 Compress<A> compress, unsigned lanes, std::uint64_t& since_poll, const StopToken& stop) {
    using Word = typename A::Word;
    constexpr std::size_t block = block_bytes(A::algorithm), digest = digest_bytes(A::algorithm);
    auto* state = reinterpret_cast<Word*>(state_);
    const std::uint8_t* data[kMostLanes];      // the lane's next block
    std::uint64_t left[kMostLanes], most = 0;  // blocks it still has
    for (unsigned lane = 0; lane < lanes; ++lane) {
      data[lane] = ends_[lane];
      left[lane] = 0;
      if (lane >= group.size()) continue;
      const ByteView message = batch.message(first + group[lane]);
      const std::size_t whole = message.size() / block * block;
      pad_end<A>(message.data() + whole, message.size(), ends_[lane]);
      if (whole != 0) data[lane] = message.data();
      left[lane] = blocks(A::algorithm, message.size());
      most = std::max(most, left[lane]);
    }
    for (std::size_t k = 0; k < A::words; ++k) {
      Word word = 0;
      if constexpr (A::words == 8) word = A::start[k];
      for (unsigned lane = 0; lane < lanes; ++lane) state[k * lanes + lane] = word;
    }
    for (std::uint64_t step = 0; step < most; ++step) {
      if (++since_poll > kBlocksAPoll) {
        since_poll = 0;
        if (stop.stop_requested()) return false;
      }
      compress(state, data);
      for (unsigned lane = 0; lane < group.size(); ++lane) {
        if (left[lane] == 0) continue;
        const std::size_t message = first + group[lane];
        if (--left[lane] == 0) {
          take_digest<A>(state, lanes, lane, out + message * digest);
          data[lane] = ends_[lane];  // whatever: the lane idles
          continue;
        }
        const ByteView bytes = batch.message(message);
        data[lane] += block;
        if (data[lane] == bytes.data() + bytes.size() / block * block) data[lane] = ends_[lane];
      }
    }
    return true;
  }

  const cpu::Ops& ops_;
  std::uint16_t order_[kChunk];
  std::uint8_t bucket_[kChunk];
  alignas(64) std::uint64_t state_[25 * kMostLanes];
  alignas(64) std::uint8_t ends_[kMostLanes][256] = {};
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
  return std::unique_ptr<kernels::Kernel>(std::make_unique<CpuKernel>(kOps()));
}

}  // namespace

kernels::Row avx2_row() {
  return {kernels::Family::hash,
          kernels::Backend::cpu,
          "avx2",
          60,
          1,
          probe<kernels::Isa::avx2>,
          make<kernels::Isa::avx2, cpu::avx2_ops>};
}
kernels::Row avx512_row() {
  return {kernels::Family::hash,
          kernels::Backend::cpu,
          "avx512",
          80,
          1,
          probe<kernels::Isa::avx512>,
          make<kernels::Isa::avx512, cpu::avx512_ops>};
}

}  // namespace sparkmill::hashes
