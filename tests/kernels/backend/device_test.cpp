// SPDX-License-Identifier: Apache-2.0
// device.h on the host: each function against the contract's own words (match.h, predicate.h).
#include "kernels/match/device.h"

#include <gtest/gtest.h>

#include <bit>
#include <random>

#include "kernels/match/plan.h"
#include "random_task.h"

namespace sparkmill::match {
namespace {

/// 32-bit draws (std::mt19937 gives its 32 bits in a wider type).
class Draws {
 public:
  explicit Draws(unsigned seed) : engine_(seed) {}
  std::uint32_t operator()() { return static_cast<std::uint32_t>(engine_()); }

 private:
  std::mt19937 engine_;
};

using testing::dot;
using testing::join;
using testing::random_rows;

std::uint32_t by_words64(const std::uint64_t* a, const std::uint64_t* b, std::uint32_t n, bool masked) {
  const std::uint32_t words = n / 64;
  std::uint32_t v = masked ? 0 : n << 16;
  for (std::uint32_t w = 0; w < words; ++w)
    v = masked ? sm_masked64(v, a[w], a[words + w], b[w], b[words + w]) : sm_plain64(v, a[w], b[w]);
  return v;
}

std::uint32_t by_words32(const std::uint64_t* a, const std::uint64_t* b, std::uint32_t n) {
  const std::uint32_t words = n / 64;
  std::uint32_t v = 0;
  for (std::uint32_t w = 0; w < words; ++w)
    for (int half = 0; half < 64; half += 32)
      v = sm_masked32(v, static_cast<sm_u32>(a[w] >> half), static_cast<sm_u32>(a[words + w] >> half),
                      static_cast<sm_u32>(b[w] >> half), static_cast<sm_u32>(b[words + w] >> half));
  return v;
}

TEST(Device, ScoreWordsAreThoseOfTheContract) {
  std::mt19937_64 g(1);
  for (const std::uint32_t n : {64u, 128u, 192u, 2048u, 16384u}) {
    for (const bool valid : {false, true}) {
      const auto a = random_rows(g, 1, n, valid), b = random_rows(g, 1, n, valid);
      const auto* pa = reinterpret_cast<const std::uint8_t*>(a.data());
      const auto* pb = reinterpret_cast<const std::uint8_t*>(b.data());
      const std::uint32_t want = score_word(pa, pb, n);
      EXPECT_EQ(by_words64(a.data(), b.data(), n, true), want);
      EXPECT_EQ(by_words32(a.data(), b.data(), n), want);
      if (valid) {
        EXPECT_EQ(by_words64(a.data(), b.data(), n, false), want);
      }
    }
  }
}

TEST(Device, LargestScoresDoNotRunIntoEachOther) {
  const std::uint32_t n = kMaxN, words = n / 64;
  std::vector<std::uint64_t> a(2 * words, ~std::uint64_t{0}), b = a;
  std::fill_n(b.begin(), words, 0);  // all valid, all different: ham = K = 16384
  EXPECT_EQ(by_words64(a.data(), b.data(), n, true), 16384u | 16384u << 16);
  EXPECT_EQ(by_words64(a.data(), b.data(), n, false), 16384u | 16384u << 16);
  EXPECT_EQ(sm_score(16384u | 16384u << 16, 255, 255), -255 * 16384 * 2);
}

TEST(Device, CountOfFourWordsByThreeCounts) {
  Draws g(2);
  for (int k = 0; k < 2000; ++k) {
    // Sparse, dense and mixed words, and the corners.
    const std::uint32_t mask = k % 3 == 0 ? g() & g() & g() : k % 3 == 1 ? ~0u : g();
    const std::uint32_t x[4] = {g() & mask, k == 0 ? ~0u : g(), k < 2 ? ~0u : g() | mask, k < 3 ? 0u : g()};
    const int want = std::popcount(x[0]) + std::popcount(x[1]) + std::popcount(x[2]) + std::popcount(x[3]);
    ASSERT_EQ(sm_count4(x[0], x[1], x[2], x[3]), static_cast<sm_u32>(want));
  }
  EXPECT_EQ(sm_count4(~0u, ~0u, ~0u, ~0u), 128u);
}

TEST(Device, DecisionsAreThoseOfLeaf) {
  Draws g(3);
  for (int k = 0; k < 5000; ++k) {
    const std::uint32_t K = g() % 16385, ham = K == 0 ? 0 : g() % (K + 1), v = ham | K << 16;
    Leaf leaf{0, static_cast<std::int32_t>(g() % 256), static_cast<std::int32_t>(g() % 256), 0};
    leaf.threshold = static_cast<std::int32_t>(leaf.score(v)) + static_cast<std::int32_t>(g() % 3) - 1;
    ASSERT_EQ(sm_score(v, leaf.w1, leaf.w2), leaf.score(v));
    ASSERT_EQ(sm_holds(v, leaf.w1, leaf.w2, leaf.threshold) != 0, leaf.holds(v));
    const auto weight = static_cast<std::int32_t>(g());
    ASSERT_EQ(sm_weighted(v, leaf.w1, leaf.w2, weight), std::int64_t{weight} * leaf.score(v));
  }
}

TEST(Device, DigestTermsFollowTheFormula) {
  // S_j = sum (v xor a) mod 2^32 and digest = sum B_j S_j mod 2^64, with sums that pass both moduli.
  std::mt19937_64 g(4);
  std::uint64_t digest = 0;
  unsigned __int128 want = 0;
  for (int j = 0; j < 300; ++j) {
    const std::uint64_t b = g() | 1;
    std::uint32_t sum = 0;
    unsigned __int128 exact = 0;
    for (int i = 0; i < 256; ++i) {
      const auto v = static_cast<std::uint32_t>(g()), a = static_cast<std::uint32_t>(g());
      sum += sm_bind(v, a);
      exact += v ^ a;
    }
    digest += sm_column(b, sum);
    want += static_cast<unsigned __int128>(b) * static_cast<std::uint64_t>(exact % (1ull << 32));
  }
  EXPECT_EQ(digest, static_cast<std::uint64_t>(want));
}

TEST(Device, ClipKeepsRealColumns) {
  for (const std::uint32_t columns : {0u, 1u, 63u, 64u, 65u, 127u, 128u, 200u, 255u, 256u, 4096u}) {
    for (std::uint32_t w = 0; w < 4; ++w)
      for (std::uint32_t bit = 0; bit < 64; ++bit)
        ASSERT_EQ(sm_clip(columns, w) >> bit & 1, w * 64 + bit < columns ? 1u : 0u) << columns;
  }
}

TEST(Device, AnyCountsBits) {
  std::mt19937_64 g(5);
  for (std::uint32_t count = 1; count <= SM_STACK; ++count) {
    std::uint64_t stack[SM_STACK];
    for (std::uint64_t& s : stack) s = g();
    stack[0] = ~std::uint64_t{0};
    for (std::int32_t t = -1; t <= 18; ++t) {
      std::uint64_t want = 0;
      for (int bit = 0; bit < 64; ++bit) {
        std::int32_t set = 0;
        for (std::uint32_t k = 0; k < count; ++k) set += static_cast<std::int32_t>(stack[k] >> bit & 1);
        want |= std::uint64_t{set >= t} << bit;
      }
      ASSERT_EQ(sm_any(stack, count, t), want) << count << " " << t;
    }
  }
}

/// A random program: leaves and joins until one decision is left.
std::vector<Op> random_program(Draws& g) {
  std::vector<Op> ops;
  std::size_t depth = 0, leaves = 0;
  const std::size_t want = 1 + g() % kMaxLeaves;
  while (leaves < want || depth > 1) {
    const unsigned pick = g() % 8;
    if (depth == 0 || (leaves < want && pick < 4)) {
      ops.push_back(dot(static_cast<std::uint8_t>(g() % 2), 1));
      ++leaves;
      ++depth;
    } else if (pick == 4 && ops.size() < 200) {
      ops.push_back(join(OpCode::op_not, 0));
    } else if (depth >= 2 && pick == 5) {
      ops.push_back(join(OpCode::seq, 0));
      --depth;
    } else {
      const auto count = static_cast<std::uint16_t>(1 + g() % depth);
      const OpCode codes[] = {OpCode::op_and, OpCode::op_or, OpCode::any};
      const OpCode code = codes[g() % 3];
      ops.push_back(join(code, count, code == OpCode::any ? static_cast<std::int32_t>(1 + g() % count) : 0));
      depth -= count - 1u;
    }
  }
  if (g() % 2 == 0) ops.push_back(join(OpCode::limit, 0, 3));
  return ops;
}

TEST(Device, FlattenedProgramsAgreeWithPredicate) {
  Draws g(6);
  std::mt19937_64 words(7);
  constexpr std::size_t kWords = 4;
  int tried = 0;
  for (int k = 0; k < 3000; ++k) {
    const Result<Predicate> p = Predicate::make(random_program(g));
    if (!p) continue;  // one that matches everybody
    ++tried;
    std::vector<std::uint64_t> masks(p->leaves().size() * kWords), out(kWords), scratch;
    for (std::uint64_t& m : masks) m = words();
    p->combine(masks, {}, kWords, out, scratch);
    const Plan plan = make_plan(*p);
    for (std::size_t w = 0; w < kWords; ++w)
      ASSERT_EQ(sm_eval(plan.program.data(), plan.ops(), masks.data(), kWords, nullptr, 0, w), out[w]);
  }
  EXPECT_GT(tried, 500);
}

TEST(Device, FlattenedWsumTakesItsOwnMask) {
  const Result<Predicate> p = Predicate::make(testing::programs()[2]);
  ASSERT_TRUE(p);
  const Plan plan = make_plan(*p);
  ASSERT_EQ(plan.wsums.size(), 1u);
  EXPECT_EQ(plan.wsums[0].imm, -5);
  EXPECT_EQ(plan.wsums[0].terms, (std::vector<std::int32_t>{0, 3, 1, 0, 1, -2, 4, 1}));
  const std::uint64_t leaves[3] = {0xf0, 0xff00, 0x1234}, wsum = 0x5678;
  std::uint64_t out = 0;
  std::vector<std::uint64_t> scratch;
  p->combine(leaves, {&wsum, 1}, 1, {&out, 1}, scratch);
  EXPECT_EQ(sm_eval(plan.program.data(), plan.ops(), leaves, 1, &wsum, 1, 0), out);
}

TEST(Plan, LaunchesGrowTowardsTheTargetAndShrinkAtOnce) {
  LaunchSize size(1000);
  const std::uint64_t first = size.tiles();
  size.took(first, 1e-5);
  EXPECT_EQ(size.tiles(), first * 4);  // never more than four times as much
  for (int k = 0; k < 20; ++k) size.took(size.tiles(), static_cast<double>(size.tiles()) * 1e-4);
  EXPECT_EQ(size.tiles(), 250u);  // 25 ms of 0.1 ms each
  size.took(250, 25.0);
  EXPECT_EQ(size.tiles(), 1u);
  EXPECT_EQ(LaunchSize(3).tiles(), 3u);
}

}  // namespace
}  // namespace sparkmill::match
