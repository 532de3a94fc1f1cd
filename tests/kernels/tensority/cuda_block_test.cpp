// SPDX-License-Identifier: Apache-2.0
// What the CUDA kernels of `tensority` do with indices, run on the host thread after thread: packed matrices, operand
// and sum registers of the tensor cores as PTX defines them, descriptors, the dot-product form, the fold to results,
// the list of hits. Only the instructions themselves, copies and barriers are left to a GPU.
#include "kernels/tensority/cuda_block.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>

#include "kernels/tensority/tensority.h"

namespace sparkmill::tensority {
namespace {

using namespace device;
using Bytes256 = std::vector<unsigned char>;  // a matrix, row-major

Bytes256 random_matrix(std::mt19937_64& g) {
  Bytes256 m(kMatrix);
  for (unsigned char& b : m) b = static_cast<unsigned char>(g() % 5 == 0 ? 0x80 : g());
  return m;
}

/// One step word for word as the specification has it.
Bytes256 plain_step(const Bytes256& a, const Bytes256& b) {
  Bytes256 out(kMatrix);
  for (std::size_t i = 0; i < kDim; ++i) {
    for (std::size_t j = 0; j < kDim; ++j) {
      std::int32_t v = 0;
      for (std::size_t n = 0; n < kDim; ++n)
        v += static_cast<std::int8_t>(a[i * kDim + n]) * static_cast<std::int8_t>(b[j * kDim + n]);
      out[i * kDim + j] = static_cast<unsigned char>((v & 0xff) + ((v >> 8) & 0xff));
    }
  }
  return out;
}

Bytes256 plain_first(const Bytes256& b) {
  Bytes256 identity(kMatrix);
  for (std::size_t i = 0; i < kDim; ++i) identity[i * kDim + i] = 1;
  return plain_step(identity, b);
}

std::vector<sm_u32> pack(const Bytes256& m) {
  std::vector<sm_u32> words(SM_STATE_WORDS);
  for (sm_u32 at = 0; at < SM_STATE_WORDS; ++at) words[at] = packed_word(m.data(), at);
  return words;
}

/// A stored state back to a matrix.
Bytes256 unpack_state(const std::vector<sm_u32>& words) {
  Bytes256 m(kMatrix);
  for (sm_u32 block = 0; block < 16; ++block)
    for (sm_u32 s = 0; s < 8; ++s)
      for (sm_u32 lane = 0; lane < 32; ++lane)
        for (sm_u32 reg = 0; reg < 4; ++reg)
          for (sm_u32 e = 0; e < 4; ++e) {
            const Cell c = a_cell(lane, reg, e);
            m[(16 * block + c.row) * kDim + column_of(32 * s + c.column)] =
                static_cast<unsigned char>(words[fragment_at(block, s, lane) + reg] >> (8 * e));
          }
  return m;
}

TEST(TensorityLayout, PlacesRenameColumnsWithinSixteen) {
  std::vector<bool> seen(kDim);
  for (sm_u32 p = 0; p < kDim; ++p) {
    EXPECT_EQ(column_of(p) / 16, p / 16);
    EXPECT_EQ(place_of(column_of(p)), p);
    seen[column_of(p)] = true;
  }
  EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](bool s) { return s; }));
}

TEST(TensorityLayout, WhatALaneHasOfASumIsWhatItGivesToTheNextStep) {
  // For every lane, block of 32 columns and register: the bytes next_fragment packs are those of a_cell.
  for (sm_u32 lane = 0; lane < 32; ++lane) {
    for (sm_u32 s = 0; s < 8; ++s) {
      sm_u32 rows[16], columns[16], a[4];
      for (sm_u32 j = 0; j < 4; ++j)
        for (sm_u32 i = 0; i < 4; ++i) {
          const Cell c = sum_cell(lane, 4 * s + j, i);
          rows[4 * j + i] = c.row;  // small numbers fold to themselves
          columns[4 * j + i] = c.column;
        }
      next_fragment(rows, a);
      next_fragment(rows + 8, a + 2);
      for (sm_u32 reg = 0; reg < 4; ++reg)
        for (sm_u32 e = 0; e < 4; ++e) ASSERT_EQ(a[reg] >> (8 * e) & 0xff, a_cell(lane, reg, e).row);
      next_fragment(columns, a);
      next_fragment(columns + 8, a + 2);
      for (sm_u32 reg = 0; reg < 4; ++reg)
        for (sm_u32 e = 0; e < 4; ++e)
          ASSERT_EQ(a[reg] >> (8 * e) & 0xff,
                    sm_fold(static_cast<sm_i32>(column_of(32 * s + a_cell(lane, reg, e).column))));
    }
  }
}

TEST(TensorityLayout, FoldOfFourSums) {
  std::mt19937_64 g(1);
  for (int k = 0; k < 5000; ++k) {
    sm_i32 v[4];
    for (sm_i32& x : v) x = static_cast<sm_i32>(g() % (1u << 23)) - (1 << 22);
    const sm_u32 want = sm_fold(v[0]) | sm_fold(v[1]) << 8 | sm_fold(v[2]) << 16 | sm_fold(v[3]) << 24;
    ASSERT_EQ(fold4(static_cast<sm_u32>(v[0]), static_cast<sm_u32>(v[1]), static_cast<sm_u32>(v[2]),
                    static_cast<sm_u32>(v[3])),
              want);
  }
}

TEST(TensorityLayout, PackedMatricesAndFirstStates) {
  std::mt19937_64 g(2);
  const Bytes256 m = random_matrix(g);
  const std::vector<sm_u32> packed = pack(m);
  const auto* bytes = reinterpret_cast<const unsigned char*>(packed.data());
  for (sm_u32 n = 0; n < kDim; ++n)
    for (sm_u32 p = 0; p < kDim; ++p) ASSERT_EQ(bytes[packed_at(n, p)], m[n * kDim + column_of(p)]);
  std::vector<sm_u32> first(SM_STATE_WORDS);
  for (sm_u32 at = 0; at < SM_STATE_WORDS; ++at) first[at] = first_word(m.data(), at);
  EXPECT_EQ(unpack_state(first), plain_first(m));
}

/// Bytes of B that the tensor cores see: row n (0..255), place k (0..31) of a step, read through a descriptor as the
/// layout without swizzle defines it.
unsigned char through_descriptor(const unsigned char* shared, sm_u64 descriptor, sm_u32 n, sm_u32 k) {
  const auto start = static_cast<sm_u32>(descriptor & 0x3fff) << 4;
  const auto leading = static_cast<sm_u32>(descriptor >> 16 & 0x3fff) << 4;
  const auto stride = static_cast<sm_u32>(descriptor >> 32 & 0x3fff) << 4;
  EXPECT_EQ(descriptor >> 46, 0u);  // no base offset, no swizzle
  return shared[start + k / 16 * leading + n / 8 * stride + n % 8 * 16 + k % 16];
}

/// Bytes of B that a warp's lanes get from ldmatrix for a step: core i of the four comes from the addresses that lanes
/// 8 i to 8 i + 7 give, and lane l receives bytes 4 (l % 4) to 4 (l % 4) + 3 of its row l / 4.
unsigned char through_ldmatrix(const unsigned char* chunk, sm_u32 step, sm_u32 j, const Cell& cell) {
  // Core (j % 2, half along k) of the load for columns 16 (j / 2) and on.
  const sm_u32 core = j % 2 * 2 + cell.column / 16, lane = core * 8 + cell.row;
  return chunk[ldmatrix_at(lane) + step * 2 * kLeading + j / 2 * 2 * kStride + cell.column % 16];
}

enum class Reader { descriptor, ldmatrix };

/// A whole step of all 16 blocks of rows, from registers to registers.
std::vector<sm_u32> tensor_step(const std::vector<sm_u32>& state, const std::vector<sm_u32>& packed, Reader reader) {
  // Somewhere in shared memory, not at its start.
  constexpr sm_u32 kAt = 1024 + kMatrix;
  std::vector<unsigned char> shared(kAt + kMatrix);
  std::memcpy(shared.data() + kAt, packed.data(), kMatrix);
  // B as the cores see it: [place][row].
  std::vector<std::int8_t> b(kMatrix);
  for (sm_u32 s = 0; s < 8; ++s) {
    if (reader == Reader::descriptor) {
      for (sm_u32 n = 0; n < kDim; ++n)
        for (sm_u32 k = 0; k < 32; ++k)
          b[n * kDim + 32 * s + k] =
              static_cast<std::int8_t>(through_descriptor(shared.data(), wgmma_descriptor(kAt) + s * kStepUnits, n, k));
      continue;
    }
    for (sm_u32 j = 0; j < 32; ++j)
      for (sm_u32 lane = 0; lane < 32; ++lane)
        for (sm_u32 reg = 0; reg < 2; ++reg)
          for (sm_u32 e = 0; e < 4; ++e) {
            const Cell c = b_cell(lane, reg, e);
            b[(8 * j + c.row) * kDim + 32 * s + c.column] =
                static_cast<std::int8_t>(through_ldmatrix(shared.data() + kAt + j / 4 * 4 * kStride, s, j % 4, c));
          }
  }
  std::vector<sm_u32> next(SM_STATE_WORDS);
  std::vector<std::int8_t> a(16 * kDim);  // [row][place], gathered from the registers of a warp
  std::vector<std::int32_t> v(16 * kDim);
  for (sm_u32 block = 0; block < 16; ++block) {
    for (sm_u32 s = 0; s < 8; ++s)
      for (sm_u32 lane = 0; lane < 32; ++lane)
        for (sm_u32 reg = 0; reg < 4; ++reg)
          for (sm_u32 e = 0; e < 4; ++e) {
            const Cell c = a_cell(lane, reg, e);
            a[c.row * kDim + 32 * s + c.column] =
                static_cast<std::int8_t>(state[fragment_at(block, s, lane) + reg] >> (8 * e));
          }
    for (sm_u32 i = 0; i < 16; ++i)
      for (sm_u32 j = 0; j < kDim; ++j) {
        v[i * kDim + j] = 0;
        for (sm_u32 p = 0; p < kDim; ++p) v[i * kDim + j] += a[i * kDim + p] * b[j * kDim + p];
      }
    for (sm_u32 lane = 0; lane < 32; ++lane) {
      sm_u32 d[128];
      for (sm_u32 j = 0; j < 32; ++j)
        for (sm_u32 i = 0; i < 4; ++i) {
          const Cell c = sum_cell(lane, j, i);
          d[4 * j + i] = static_cast<sm_u32>(v[c.row * kDim + c.column]);
        }
      for (sm_u32 s = 0; s < 8; ++s) {
        next_fragment(d + 16 * s, &next[fragment_at(block, s, lane)]);
        next_fragment(d + 16 * s + 8, &next[fragment_at(block, s, lane)] + 2);
      }
    }
  }
  return next;
}

class TensorityStep : public ::testing::TestWithParam<Reader> {};

TEST_P(TensorityStep, OnTensorCoreLayoutsIsThePlainProduct) {
  std::mt19937_64 g(3);
  const Bytes256 m = random_matrix(g);
  std::vector<sm_u32> state(SM_STATE_WORDS);
  for (sm_u32 at = 0; at < SM_STATE_WORDS; ++at) state[at] = first_word(m.data(), at);
  Bytes256 want = plain_first(m);
  for (int step = 0; step < 2; ++step) {
    const Bytes256 b = random_matrix(g);
    state = tensor_step(state, pack(b), GetParam());
    want = plain_step(want, b);
    ASSERT_EQ(unpack_state(state), want) << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Readers, TensorityStep, ::testing::Values(Reader::descriptor, Reader::ldmatrix));

TEST(TensorityDot, StepsOfAllThreadsAreThePlainProduct) {
  std::mt19937_64 g(4);
  const Bytes256 m = random_matrix(g), b = random_matrix(g);
  std::vector<sm_u32> state(SM_STATE_WORDS);
  for (sm_u32 row = 0; row < kBlockThreads; ++row) dot_first(row, m.data(), state.data());
  auto matrix_of = [](const std::vector<sm_u32>& words) {
    Bytes256 out(kMatrix);
    for (sm_u32 row = 0; row < kDim; ++row)
      for (sm_u32 column = 0; column < kDim; ++column)
        out[row * kDim + column] = static_cast<unsigned char>(words[column / 4 * kDim + row] >> (column % 4 * 8));
    return out;
  };
  ASSERT_EQ(matrix_of(state), plain_first(m));
  std::vector<std::array<sm_u32, 64>> a(kBlockThreads);
  for (sm_u32 row = 0; row < kBlockThreads; ++row) dot_load(row, state.data(), a[row].data());
  std::vector<Quad> staged(kDotRows * 16);
  alignas(16) std::array<unsigned char, kMatrix> aligned;
  std::copy(b.begin(), b.end(), aligned.begin());
  for (sm_u32 first = 0; first < kDim; first += kDotRows) {
    for (sm_u32 id = 0; id < kBlockThreads; ++id) dot_stage(id, aligned.data(), first, staged.data());
    for (sm_u32 row = 0; row < kBlockThreads; ++row) dot_rows(row, a[row].data(), first, staged.data(), state.data());
  }
  EXPECT_EQ(matrix_of(state), plain_step(plain_first(m), b));
}

/// The last two stages from four chain results in the layout of a form.
template <bool kFragments>
Hash32 tail(const std::vector<sm_u32>& states) {
  std::vector<sm_u32> folded(kFoldedWords, 0xdeadbeef);
  for (sm_u32 id = 0; id < kBlockThreads; ++id) tail_fold<kFragments>(id, states.data(), folded.data());
  for (sm_u32 rows = 8; rows > 0; rows /= 2)
    for (sm_u32 id = 0; id < kBlockThreads; ++id) tail_level(id, rows, folded.data());
  sm_u64 message[32], d[4];
  std::memcpy(message, folded.data(), sizeof message);
  sm_sha3_256(message, d);
  Hash32 result;
  std::memcpy(result.data(), d, sizeof d);
  return result;
}

TEST(TensorityTail, SumAndRowFoldInBothLayouts) {
  std::mt19937_64 g(5);
  std::vector<sm_u32> fragments, rows(SM_CHAINS * SM_STATE_WORDS);
  std::array<std::uint8_t, kMatrixBytes> sum{};
  for (sm_u32 chain = 0; chain < SM_CHAINS; ++chain) {
    std::vector<sm_u32> words(SM_STATE_WORDS);
    for (sm_u32& w : words) w = static_cast<sm_u32>(g());
    const Bytes256 m = unpack_state(words);
    fragments.insert(fragments.end(), words.begin(), words.end());
    for (sm_u32 row = 0; row < kDim; ++row)
      for (sm_u32 column = 0; column < kDim; ++column) {
        const unsigned char byte = m[row * kDim + column];
        sum[row * kDim + column] = static_cast<std::uint8_t>(sum[row * kDim + column] + byte);
        rows[chain * SM_STATE_WORDS + column / 4 * kDim + row] |= static_cast<sm_u32>(byte) << (column % 4 * 8);
      }
  }
  const Hash32 want = finish(sum);
  EXPECT_EQ(tail<true>(fragments), want);
  EXPECT_EQ(tail<false>(rows), want);
}

TEST(TensorityCollect, HitsInOrderAndTheBest) {
  std::mt19937_64 g(6);
  for (const sm_u32 count : {1u, 2u, 255u, 256u, 257u, 1000u, 4096u}) {
    for (const std::uint64_t top : {std::uint64_t{0}, std::uint64_t{1} << 60, ~std::uint64_t{0}}) {
      std::vector<sm_u64> results(4 * count);
      for (sm_u64& w : results) w = g();
      const sm_u64 target[4] = {0, 0, 0, top};
      Parts parts;
      std::vector<sm_u32> hits(count + 2, 0xdeadbeef), want;
      for (sm_u32 id = 0; id < kBlockThreads; ++id) collect_count(id, results.data(), target, count, parts);
      for (sm_u32 id = 0; id < kBlockThreads; ++id)
        collect_write(id, results.data(), target, count, parts, hits.data());
      sm_u32 best = 0;
      for (sm_u32 h = 0; h < count; ++h) {
        if (sm_compare(&results[4 * h], target) <= 0) want.push_back(h);
        if (sm_compare(&results[4 * h], &results[4 * best]) < 0) best = h;
      }
      ASSERT_EQ(hits[0], want.size());
      EXPECT_EQ(hits[1], best);
      EXPECT_TRUE(std::equal(want.begin(), want.end(), hits.begin() + 2));
    }
  }
}

}  // namespace
}  // namespace sparkmill::tensority
