// SPDX-License-Identifier: Apache-2.0
// Parts below and beside whole hashes: single steps of each CPU row on extreme matrices, the order of tile operations
// on tiles made of memory, the search around any hash, comparisons with targets.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "base/hash.h"
#include "kernels/backend/cpu.h"
#include "kernels/selftest.h"
#include "kernels/tensority/known.h"
#include "kernels/tensority/tensority.h"
#if defined(__x86_64__)
#include "kernels/tensority/amx_tiles.h"
#include "kernels/tensority/cpu_ops.h"
#endif

namespace sparkmill::tensority::test {
namespace {

Hash32 number(std::uint8_t low, std::uint8_t high) {
  Hash32 h{};
  h[0] = low;
  h[31] = high;
  return h;
}

/// A kernel whose hash is SHA-256: what search() does around it, at thousands of nonces.
class Cheap final : public Kernel {
 public:
  explicit Cheap(std::size_t batch) : batch_(batch) {}
  Done prepare(const Epoch&) override { return done(); }
  Done hash(const Epoch&, std::span<const Hash32> headers, std::span<Hash32> out, const StopToken& stop) override {
    ++calls;
    if (on_call) on_call();
    if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
    if (calls == fail_at) return fail(Status::no_device, "gone");
    EXPECT_LE(headers.size(), batch_);
    for (std::size_t h = 0; h < headers.size(); ++h) out[h] = sha256(headers[h]);
    return done();
  }
  std::size_t batch() const override { return batch_; }

  std::size_t calls = 0, fail_at = 0;
  std::function<void()> on_call;

 private:
  std::size_t batch_;
};

SearchTask task_of(std::uint64_t first, std::uint64_t count) {
  static const auto epoch = *Epoch::build(Hash32{});
  SearchTask task;
  task.epoch = epoch.get();
  task.preimage.fill(7);
  task.first_nonce = first;
  task.count = count;
  task.target.fill(0xff);
  return task;
}

TEST(Search, BatchesOfAnySizeGiveTheSame) {
  SearchTask task = task_of(1000, 777);
  task.target = number(0, 0x10);
  Cheap one(1);
  const auto want = one.search(task, StopToken());
  ASSERT_TRUE(want);
  EXPECT_EQ(one.calls, 777u);
  EXPECT_GT(want->hits.size(), 20u);
  for (const std::size_t batch : {2, 7, 256, 777, 5000}) {
    Cheap kernel(batch);
    const auto got = kernel.search(task, StopToken());
    ASSERT_TRUE(got);
    EXPECT_EQ(kernel.calls, (777 + batch - 1) / batch);
    EXPECT_EQ(got->count, 777u);
    EXPECT_EQ(got->best.nonce, want->best.nonce);
    ASSERT_EQ(got->hits.size(), want->hits.size());
    for (std::size_t h = 0; h < got->hits.size(); ++h) {
      EXPECT_EQ(got->hits[h].nonce, want->hits[h].nonce);
      EXPECT_EQ(got->hits[h].result, sha256(header_hash(task.preimage, got->hits[h].nonce)));
      EXPECT_TRUE(h == 0 || got->hits[h].nonce > got->hits[h - 1].nonce);
    }
  }
}

TEST(Search, EndsWhenItIsFull) {
  Cheap kernel(100);
  const auto found = kernel.search(task_of(5, 10000), StopToken());  // everything is a hit
  ASSERT_TRUE(found);
  EXPECT_EQ(found->hits.size(), kMaxHits);
  EXPECT_EQ(found->count, kMaxHits);
  EXPECT_EQ(found->hits.back().nonce, 5 + kMaxHits - 1);
  for (const Found& hit : found->hits) EXPECT_TRUE(meets(found->best.result, hit.result));
}

TEST(Search, AStopIsNoErrorAndTheCountIsAPrefix) {
  StopSource stop;
  Cheap kernel(10);
  kernel.on_call = [&] {
    if (kernel.calls == 4) stop.request_stop();
  };
  const auto found = kernel.search(task_of(0, 1000), stop.token());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->count, 30u);
  EXPECT_EQ(found->hits.size(), 30u);
  EXPECT_EQ(kernel.search(task_of(0, 1000), stop.token())->count, 0u);
}

TEST(Search, ErrorsAndEmptyRanges) {
  Cheap kernel(10);
  kernel.fail_at = 3;
  EXPECT_EQ(kernel.search(task_of(0, 1000), StopToken()).status(), Status::no_device);
  EXPECT_EQ(kernel.search(task_of(0, 0), StopToken())->count, 0u);
  constexpr std::uint64_t kEnd = std::uint64_t{1} << 63;
  EXPECT_EQ(kernel.search(task_of(kEnd - 3, 3), StopToken())->count, 3u);
  EXPECT_EQ(kernel.search(task_of(kEnd, 0), StopToken())->count, 0u);
  EXPECT_EQ(kernel.search(task_of(kEnd - 3, 4), StopToken()).status(), Status::bad_argument);
  EXPECT_EQ(kernel.search(task_of(kEnd + 1, 0), StopToken()).status(), Status::bad_argument);
  EXPECT_EQ(kernel.search(task_of(5, ~std::uint64_t{0}), StopToken()).status(), Status::bad_argument);
  SearchTask none = task_of(0, 1);
  none.epoch = nullptr;
  EXPECT_EQ(kernel.search(none, StopToken()).status(), Status::bad_argument);
}

/// Different in every byte from one seed to the next.
std::vector<Hash32> random_seeds(std::size_t count) {
  std::vector<Hash32> seeds;
  for (std::size_t s = 0; s < count; ++s) seeds.push_back(sha256(number(static_cast<std::uint8_t>(s), 1)));
  return seeds;
}

TEST(Seeds, ManyAtOnceGiveWhatEachGivesAlone) {
  std::vector<Hash32> seeds = random_seeds(17);
  seeds[0] = known_seed();
  seeds[5] = Hash32{};
  seeds[16] = seeds[3];  // twice
  std::vector<std::shared_ptr<const Epoch>> alone;
  for (const Hash32& seed : seeds) alone.push_back(*Epoch::build(seed));
  for (const std::size_t count : {0u, 1u, 3u, 4u, 15u, 16u, 17u}) {
    const auto many = Epoch::build_many(std::span(seeds).first(count));
    ASSERT_TRUE(many) << many.error().message;
    ASSERT_EQ(many->size(), count);
    for (std::size_t s = 0; s < count; ++s) {
      EXPECT_EQ((*many)[s]->seed(), seeds[s]);
      EXPECT_EQ(std::memcmp((*many)[s]->matrices().data(), alone[s]->matrices().data(), kListBytes), 0)
          << "seed " << s << " of " << count;
    }
  }
}

TEST(Seeds, StopWithinAChunk) {
  StopSource stop;
  stop.request_stop();
  for (const std::size_t count : {1u, 16u}) {
    EXPECT_EQ(Epoch::build_many(random_seeds(count), stop.token()).status(), Status::cancelled);
  }
  EXPECT_TRUE(Epoch::build_many({}, stop.token()).ok()) << "nothing to do is done";
}

TEST(Targets, AreLittleEndianNumbersAndEqualityPasses) {
  EXPECT_TRUE(meets(number(5, 1), number(5, 1)));
  EXPECT_TRUE(meets(number(255, 1), number(0, 2)));
  EXPECT_FALSE(meets(number(0, 2), number(255, 1)));
  EXPECT_FALSE(meets(number(6, 1), number(5, 1)));
  EXPECT_TRUE(meets(Hash32{}, Hash32{}));
  EXPECT_FALSE(meets(number(1, 0), Hash32{}));
}

/// A device that went wrong in one answer.
class Liar final : public Kernel {
 public:
  explicit Liar(std::size_t wrong) : wrong_(wrong) {}
  Done prepare(const Epoch&) override { return done(); }
  Done hash(const Epoch&, std::span<const Hash32> headers, std::span<Hash32> out, const StopToken&) override {
    for (std::size_t h = 0; h < headers.size(); ++h) out[h] = known_answers()[h].result;
    if (wrong_ < out.size()) out[wrong_][17] ^= 4;
    return done();
  }

 private:
  std::size_t wrong_;
};

TEST(SelfTest, FindsAWrongAnswer) {
  for (std::size_t wrong = 0; wrong <= known_answers().size(); ++wrong) {
    Liar liar(wrong);
    const Done result = kernels::self_test(kernels::Family::tensority, "liar", liar);
    EXPECT_EQ(result.status(), wrong < known_answers().size() ? Status::self_test_failed : Status::ok);
    if (result) continue;
    EXPECT_NE(result.error().message.find(known_answers()[wrong].name), std::string::npos);
  }
}

#if defined(__x86_64__)

using Signed = std::vector<std::int8_t>;

Signed filled(std::initializer_list<int> pattern) {
  Signed m(kMatrixBytes);
  for (std::size_t k = 0; k < m.size(); ++k) m[k] = static_cast<std::int8_t>(pattern.begin()[k % pattern.size()]);
  return m;
}

Signed random_matrix(std::uint8_t key) {
  Hash32 k{};
  k[0] = key;
  Signed m(kMatrixBytes);
  chacha20_stream(k, 0, 0, {reinterpret_cast<std::uint8_t*>(m.data()), m.size()});
  return m;
}

/// Random, but every entry one of the two ends of its range, or of its middle.
Signed ends(std::uint8_t key, std::initializer_list<int> values) {
  Signed m = random_matrix(key);
  for (std::int8_t& x : m) x = static_cast<std::int8_t>(values.begin()[static_cast<std::uint8_t>(x) % values.size()]);
  return m;
}

std::uint8_t fold(std::int32_t v) { return static_cast<std::uint8_t>((v & 0xff) + ((v >> 8) & 0xff)); }

/// A chain of the matrices: after the first, each is a step. Plain loops, as bytes.
std::vector<std::uint8_t> plain_chain(std::span<const Signed> matrices) {
  Signed a(kMatrixBytes);
  for (std::size_t i = 0; i < kDim; ++i) {
    for (std::size_t j = 0; j < kDim; ++j) a[i * kDim + j] = static_cast<std::int8_t>(fold(matrices[0][j * kDim + i]));
  }
  for (const Signed& b : matrices.subspan(1)) {
    Signed next(kMatrixBytes);
    for (std::size_t i = 0; i < kDim; ++i) {
      for (std::size_t j = 0; j < kDim; ++j) {
        std::int32_t v = 0;
        for (std::size_t n = 0; n < kDim; ++n) v += a[i * kDim + n] * b[j * kDim + n];
        next[i * kDim + j] = static_cast<std::int8_t>(fold(v));
      }
    }
    a = next;
  }
  return {a.begin(), a.end()};
}

struct Aligned {
  explicit Aligned(std::size_t bytes) : p(static_cast<std::uint8_t*>(std::aligned_alloc(64, bytes))) {}
  ~Aligned() { std::free(p); }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  std::uint8_t* p;
};

/// The same chain by a row's inner functions. Four chains are added up, which is the only form that all rows share.
std::vector<std::uint8_t> chain_sum(const cpu::Ops& ops, std::span<const Signed> matrices) {
  Aligned packed(ops.packed_bytes), a(kMatrixBytes), b(kMatrixBytes), sum(kMatrixBytes);
  ops.pack(matrices[0].data(), packed.p);
  ops.first(packed.p, a.p);
  for (const Signed& m : matrices.subspan(1)) {
    ops.pack(m.data(), packed.p);
    ops.step(packed.p, packed.p, a.p, b.p);
    std::swap(a.p, b.p);
  }
  std::memset(sum.p, 0, kMatrixBytes);
  ops.add(a.p, sum.p);
  // A row may hold its state with an offset that four chains cancel: three chains of zeros show it.
  const std::vector<Signed> zeros(2, Signed(kMatrixBytes));
  ops.pack(zeros[0].data(), packed.p);
  ops.first(packed.p, a.p);
  ops.step(packed.p, packed.p, a.p, b.p);
  for (int k = 0; k < 3; ++k) ops.add(b.p, sum.p);
  return {sum.p, sum.p + kMatrixBytes};
}

TEST(Steps, EveryCpuRowOnExtremeMatrices) {
  const std::vector<std::vector<Signed>> chains{
      {random_matrix(1), random_matrix(2), random_matrix(3)},
      {filled({-128}), filled({-128}), filled({-128})},
      {filled({127}), filled({-128}), filled({127})},
      {filled({-1}), filled({-128, 127}), filled({0, -1, 1})},
      {ends(4, {-128, 127}), ends(5, {-128, 127}), ends(6, {-128, -127, 127})},
      {ends(7, {-127, -127, -128}), ends(8, {-128}), ends(9, {0, -128})},
      {random_matrix(10), ends(11, {-128, 0, 0, 0}), random_matrix(12), ends(13, {-1, 0, 1})},
  };
  const std::pair<kernels::Isa, const cpu::Ops& (*)()> rows[] = {{kernels::Isa::avx2, cpu::avx2_ops},
                                                                 {kernels::Isa::avxvnni, cpu::avxvnni_ops},
                                                                 {kernels::Isa::avx512vnni, cpu::avx512_ops},
                                                                 {kernels::Isa::amx, cpu::amx_ops}};
  for (std::size_t c = 0; c < chains.size(); ++c) {
    const auto want = plain_chain(chains[c]);
    for (const auto& [isa, ops] : rows) {
      if (!kernels::probe_isa(isa).ok) continue;
      const auto got = chain_sum(ops(), chains[c]);
      const auto differs = std::mismatch(got.begin(), got.end(), want.begin()).first - got.begin();
      EXPECT_EQ(differs, static_cast<std::ptrdiff_t>(kMatrixBytes)) << ops().isa << ", chain " << c;
    }
  }
}

/// The tile registers as the manual describes them.
struct MemoryTiles {
  std::uint8_t tile[8][16][64] = {};

  template <int kTile>
  void load(const void* from, std::size_t stride) {
    for (std::size_t r = 0; r < 16; ++r) std::memcpy(tile[kTile][r], static_cast<const char*>(from) + r * stride, 64);
  }
  template <int kTile>
  void store(void* to, std::size_t stride) {
    for (std::size_t r = 0; r < 16; ++r) std::memcpy(static_cast<char*>(to) + r * stride, tile[kTile][r], 64);
  }
  template <int kSums, int kUnsigned, int kSigned>
  void multiply() {
    for (std::size_t m = 0; m < 16; ++m) {
      for (std::size_t k = 0; k < 16; ++k) {
        for (std::size_t n = 0; n < 16; ++n) {
          std::int32_t sum = 0;
          std::memcpy(&sum, tile[kSums][m] + 4 * n, 4);
          for (std::size_t i = 0; i < 4; ++i) {
            sum += tile[kUnsigned][m][4 * k + i] * static_cast<std::int8_t>(tile[kSigned][k][4 * n + i]);
          }
          std::memcpy(tile[kSums][m] + 4 * n, &sum, 4);
        }
      }
    }
  }
};

TEST(Tiles, TheOrderOfLoadsAndProductsGivesTheSums) {
  const Signed a = random_matrix(20), b = random_matrix(21);
  std::vector<std::uint8_t> rows(a.begin(), a.begin() + cpu::kAmxRows * kDim), panel(64 * kDim);
  std::vector<std::int32_t> start(64), sums(cpu::kAmxRows * 64);
  for (std::size_t c = 0; c < 64; ++c) {
    start[c] = static_cast<std::int32_t>(c * 1000) - 30000;
    for (std::size_t n = 0; n < kDim; ++n) {
      panel[n / 4 * 256 + c * 4 + n % 4] = static_cast<std::uint8_t>(b[c * kDim + n]);
    }
  }
  MemoryTiles tiles;
  cpu::amx_products(tiles, rows.data(), panel.data(), start.data(), sums.data());
  for (std::size_t r = 0; r < cpu::kAmxRows; ++r) {
    for (std::size_t c = 0; c < 64; ++c) {
      std::int32_t want = start[c];
      for (std::size_t n = 0; n < kDim; ++n) want += rows[r * kDim + n] * b[c * kDim + n];
      ASSERT_EQ(sums[r * 64 + c], want) << r << ", " << c;
    }
  }
}

#endif

}  // namespace
}  // namespace sparkmill::tensority::test
