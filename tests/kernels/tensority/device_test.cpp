// SPDX-License-Identifier: Apache-2.0
// device.h on the host: SHA3 against OpenSSL's, everything else against the specification's own words.
#include "kernels/tensority/device.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "base/hash.h"
#include "kernels/tensority/device_batch.h"

namespace sparkmill::tensority {
namespace {

std::uint32_t draw(std::mt19937_64& g) { return static_cast<std::uint32_t>(g()); }

Hash32 bytes_of(const sm_u64* words) {
  Hash32 h;
  std::memcpy(h.data(), words, h.size());
  return h;
}

template <std::size_t kSize>
std::array<std::uint8_t, kSize> random_message(std::mt19937_64& g, int k) {
  std::array<std::uint8_t, kSize> m;
  for (std::uint8_t& b : m) b = k == 0 ? 0 : k == 1 ? 0xff : static_cast<std::uint8_t>(g());
  return m;
}

TEST(TensorityDevice, Sha3OfTheThreeMessageSizes) {
  std::mt19937_64 g(1);
  for (int k = 0; k < 100; ++k) {
    sm_u64 words[32], d[4];
    const auto eight = random_message<8>(g, k);
    std::memcpy(words, eight.data(), eight.size());
    sm_sha3_8(words[0], d);
    ASSERT_EQ(bytes_of(d), sha3_256(eight));
    const auto block = random_message<136>(g, k);
    std::memcpy(words, block.data(), block.size());
    sm_sha3_136(words, d);
    ASSERT_EQ(bytes_of(d), sha3_256(block));
    const auto two = random_message<256>(g, k);
    std::memcpy(words, two.data(), two.size());
    sm_sha3_256(words, d);
    ASSERT_EQ(bytes_of(d), sha3_256(two));
  }
}

TEST(TensorityDevice, HeaderHashIsThatOfTheContract) {
  std::mt19937_64 g(2);
  for (int k = 0; k < 100; ++k) {
    const Preimage preimage = random_message<136>(g, k);
    const std::uint64_t nonce = g();
    sm_u64 words[17], d[4];
    std::memcpy(words, preimage.data(), 128);
    words[16] = nonce;
    sm_header_hash(words, d);
    ASSERT_EQ(bytes_of(d), header_hash(preimage, nonce));
  }
}

TEST(TensorityDevice, FoldOfEverySum) {
  const std::int32_t most = 256 * 128 * 128;
  for (std::int32_t v = -most; v <= most; v += v > -300 && v < 300 ? 1 : 37) {
    // (v & 0xff) + ((v >> 8) & 0xff) mod 256, with an arithmetic shift.
    const auto want = static_cast<std::uint8_t>((v & 0xff) + ((v >> 8) & 0xff));
    ASSERT_EQ(sm_fold(v), want) << v;
  }
  EXPECT_EQ(sm_fold(0x7fff), 0x7eu);
  EXPECT_EQ(sm_fold(-1), 0xfeu);
}

TEST(TensorityDevice, FirstStepIsTheFoldOfTheByteItself) {
  for (std::uint32_t x = 0; x < 256; ++x) {
    const std::uint32_t want = sm_fold(static_cast<std::int8_t>(x));
    EXPECT_EQ(sm_first4(x), want);
    EXPECT_EQ(sm_first4(x << 24 | 0x800080u), want << 24 | 0x7f007fu);  // no borrow between bytes
  }
}

TEST(TensorityDevice, DotProductAndSumsOfFourBytes) {
  std::mt19937_64 g(3);
  for (int k = 0; k < 5000; ++k) {
    const std::uint32_t a = k == 0 ? 0x80808080u : draw(g), b = k < 2 ? 0x80808080u : draw(g);
    const auto start = static_cast<std::int32_t>(g() % 1000000);
    std::int32_t dot = start;
    std::uint32_t sum = 0;
    for (int e = 0; e < 32; e += 8) {
      dot += static_cast<std::int8_t>(a >> e) * static_cast<std::int8_t>(b >> e);
      sum |= (((a >> e) + (b >> e)) & 0xff) << e;
    }
    ASSERT_EQ(sm_dot4(a, b, start), dot);
    ASSERT_EQ(sm_add4(a, b), sum);
  }
}

TEST(TensorityDevice, RowFoldTakesColumns64Apart) {
  std::mt19937_64 g(4);
  sm_u32 w[16], out[4];
  for (sm_u32& x : w) x = draw(g);
  sm_fold_words(w, out);
  for (sm_u32 e = 0; e < 4; ++e) {
    sm_u32 row[4];
    for (int r = 0; r < 4; ++r) {
      row[r] = 0;
      for (int column = 0; column < 4; ++column) row[r] |= (w[4 * r + column] >> (8 * e) & 0xff) << (8 * column);
    }
    for (int k = 2; k > 0; k /= 2)
      for (int i = 0; i < k; ++i) row[i] = (row[i] * 0x01000193u) ^ row[i + k];
    EXPECT_EQ(out[e], row[0]);
  }
}

TEST(TensorityDevice, ResultsCompareAsLittleEndianNumbers) {
  std::mt19937_64 g(5);
  for (int k = 0; k < 2000; ++k) {
    sm_u64 a[4], b[4];
    for (int i = 0; i < 4; ++i) {
      a[i] = g();
      b[i] = g() % 3 == 0 ? g() : a[i];  // often equal at the top
    }
    const Hash32 x = bytes_of(a), y = bytes_of(b);
    ASSERT_EQ(sm_compare(a, b) <= 0, meets(x, y));
    ASSERT_EQ(sm_compare(b, a) <= 0, meets(y, x));
    ASSERT_EQ(sm_compare(a, a), 0);
    ASSERT_EQ(below(x, y), !meets(y, x));
  }
}

TEST(TensorityDevice, PartsCoverEverythingOnce) {
  for (const sm_u32 items : {64u, 256u}) {
    for (const sm_u32 count : {1u, 63u, 64u, 65u, 255u, 257u, 4096u}) {
      EXPECT_EQ(sm_part(0, items, count), 0u);
      EXPECT_EQ(sm_part(items, items, count), count);
      for (sm_u32 id = 0; id < items; ++id) EXPECT_LE(sm_part(id, items, count), sm_part(id + 1, items, count));
    }
  }
}

/// A result whose value as a number is `value`.
Hash32 number(std::uint64_t value) {
  const sm_u64 words[4] = {value, 0, 0, 0};
  return bytes_of(words);
}

TEST(TensorityBatch, HitsAndTheBestOfSeveralBatches) {
  SearchResult out;
  const std::vector<Hash32> one{number(50), number(7), number(9)}, two{number(8), number(3)}, three{number(60)};
  EXPECT_TRUE(add_batch(100, one, std::vector<std::uint32_t>{1, 2}, 1, out));
  EXPECT_TRUE(add_batch(103, two, std::vector<std::uint32_t>{0, 1}, 1, out));
  EXPECT_TRUE(add_batch(105, three, {}, 0, out));
  EXPECT_EQ(out.count, 6u);
  EXPECT_EQ(out.best.nonce, 104u);
  EXPECT_EQ(out.best.result, number(3));
  ASSERT_EQ(out.hits.size(), 4u);
  EXPECT_EQ(out.hits[1].nonce, 102u);
  EXPECT_EQ(out.hits[2].nonce, 103u);
}

TEST(TensorityBatch, AFullListEndsAtItsLastHit) {
  SearchResult out;
  out.hits.resize(kMaxHits - 2);
  out.count = kMaxHits - 2;
  out.best = {0, number(20)};
  const std::vector<Hash32> results{number(30), number(10), number(11), number(40), number(1)};
  EXPECT_FALSE(add_batch(5000, results, std::vector<std::uint32_t>{1, 2, 4}, 4, out));
  EXPECT_EQ(out.hits.size(), kMaxHits);
  EXPECT_EQ(out.hits.back().nonce, 5002u);
  EXPECT_EQ(out.count, kMaxHits - 2 + 3);
  EXPECT_EQ(out.best.nonce, 5001u);  // 5004 lies beyond the end
}

TEST(TensorityBatch, LaunchesGrowTowardsTheTargetAndShrinkAtOnce) {
  Pace pace(1, 1000, 0.02);
  pace.took(1, 1e-6);
  EXPECT_EQ(pace.units(), 4u);  // never more than four times as much
  for (int k = 0; k < 20; ++k) pace.took(pace.units(), static_cast<double>(pace.units()) * 1e-4);
  EXPECT_EQ(pace.units(), 200u);
  pace.took(200, 20.0);
  EXPECT_EQ(pace.units(), 1u);
  for (int k = 0; k < 20; ++k) pace.took(pace.units(), 1e-9);
  EXPECT_EQ(pace.units(), 1000u);
}

}  // namespace
}  // namespace sparkmill::tensority
