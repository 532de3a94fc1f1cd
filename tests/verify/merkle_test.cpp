// SPDX-License-Identifier: Apache-2.0
// Trees, paths and multiproofs against an independent recursive implementation, exhaustively where the world is small.
#include "verify/merkle/merkle.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <set>

#include "base/hash.h"
#include "base/hex.h"
#include "verify/proof/proof.h"

namespace sparkmill {
namespace {

std::vector<Hash32> leaves_of(std::uint64_t count) {
  std::vector<Hash32> leaves;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::array<std::uint8_t, 8> text{};
    std::memcpy(text.data(), &i, sizeof i);
    leaves.push_back(sha256(text));
  }
  return leaves;
}

/// RFC 6962 2.1 word by word: MTH over [first, first + count).
Hash32 tree_head(const std::vector<Hash32>& leaves, std::uint64_t first, std::uint64_t count) {
  if (count == 0) return sha256({});
  if (count == 1) return leaves[first];
  std::uint64_t k = 1;
  while (2 * k < count) k *= 2;
  ByteWriter w;
  w.u8(1).bytes(tree_head(leaves, first, k)).bytes(tree_head(leaves, first + k, count - k));
  return sha256(w.data());
}

/// RFC 6962 2.1.1: PATH(m, D[n]).
std::vector<Hash32> audit_path(const std::vector<Hash32>& leaves, std::uint64_t first, std::uint64_t count,
                               std::uint64_t m) {
  if (count <= 1) return {};
  std::uint64_t k = 1;
  while (2 * k < count) k *= 2;
  std::vector<Hash32> path = m < k ? audit_path(leaves, first, k, m) : audit_path(leaves, first + k, count - k, m - k);
  path.push_back(m < k ? tree_head(leaves, first + k, count - k) : tree_head(leaves, first, k));
  return path;
}

/// The multiproof as the set of maximal subtrees without an opened leaf, left to right.
std::vector<Hash32> frontier(const std::vector<Hash32>& leaves, std::uint64_t first, std::uint64_t count,
                             const std::set<std::uint64_t>& opened) {
  bool any = false;
  for (const std::uint64_t i : opened) any = any || (i >= first && i < first + count);
  if (!any) return {tree_head(leaves, first, count)};
  if (count == 1) return {};
  std::uint64_t k = 1;
  while (2 * k < count) k *= 2;
  std::vector<Hash32> out = frontier(leaves, first, k, opened);
  const std::vector<Hash32> right = frontier(leaves, first + k, count - k, opened);
  out.insert(out.end(), right.begin(), right.end());
  return out;
}

std::vector<Hash32> pick(const std::vector<Hash32>& leaves, const std::vector<std::uint64_t>& indices) {
  std::vector<Hash32> out;
  for (const std::uint64_t i : indices) out.push_back(leaves[i]);
  return out;
}

void expect_multiproof(const std::vector<Hash32>& leaves, const std::vector<std::uint64_t>& indices) {
  const std::vector<Hash32> proof = merkle::multiproof(leaves, indices);
  ASSERT_EQ(proof, frontier(leaves, 0, leaves.size(), {indices.begin(), indices.end()}));
  const auto root = merkle::root_from_multiproof(pick(leaves, indices), indices, leaves.size(), proof);
  ASSERT_TRUE(root.ok());
  ASSERT_EQ(*root, tree_head(leaves, 0, leaves.size()));
}

TEST(Merkle, KnownShapes) {
  EXPECT_EQ(to_hex(merkle::root({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const std::vector<Hash32> l = leaves_of(3);
  EXPECT_EQ(merkle::root(std::span(l).first(1)), l[0]);
  EXPECT_EQ(merkle::root(l), merkle::inner(merkle::inner(l[0], l[1]), l[2]));
}

TEST(Merkle, RootsAndPathsOfAllSmallTrees) {
  for (std::uint64_t count = 0; count <= 70; ++count) {
    const std::vector<Hash32> leaves = leaves_of(count);
    ASSERT_EQ(merkle::root(leaves), tree_head(leaves, 0, count)) << count;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::vector<Hash32> path = merkle::path(leaves, i);
      ASSERT_EQ(path, audit_path(leaves, 0, count, i)) << count << " " << i;
      const auto root = merkle::root_from_path(leaves[i], i, count, path);
      ASSERT_TRUE(root.ok());
      ASSERT_EQ(*root, merkle::root(leaves));
    }
  }
}

TEST(Merkle, PathsOfAnotherPlaceOrLengthFail) {
  for (std::uint64_t count = 2; count <= 20; ++count) {
    const std::vector<Hash32> leaves = leaves_of(count);
    const Hash32 root = merkle::root(leaves);
    for (std::uint64_t i = 0; i < count; ++i) {
      std::vector<Hash32> path = merkle::path(leaves, i);
      for (std::uint64_t j = 0; j < count; ++j) {
        const auto other = merkle::root_from_path(leaves[i], j, count, path);
        EXPECT_TRUE(j == i || !other.ok() || *other != root) << count << " " << i << " " << j;
      }
      path.push_back(root);
      EXPECT_EQ(merkle::root_from_path(leaves[i], i, count, path).status(), Status::bad_input);
      path.resize(path.size() - 2);
      EXPECT_EQ(merkle::root_from_path(leaves[i], i, count, path).status(), Status::bad_input);
    }
    EXPECT_EQ(merkle::root_from_path(leaves[0], count, count, {}).status(), Status::bad_input);
  }
  EXPECT_EQ(merkle::root_from_path({}, 0, 0, {}).status(), Status::bad_input);
}

TEST(Merkle, MultiproofsOfAllIndexSets) {
  for (std::uint64_t count = 1; count <= 10; ++count) {  // every set
    const std::vector<Hash32> leaves = leaves_of(count);
    for (std::uint64_t set = 0; set < (1u << count); ++set) {
      std::vector<std::uint64_t> indices;
      for (std::uint64_t i = 0; i < count; ++i) {
        if (set >> i & 1) indices.push_back(i);
      }
      expect_multiproof(leaves, indices);
    }
  }
  for (std::uint64_t count = 11; count <= 40; ++count) {  // every pair
    const std::vector<Hash32> leaves = leaves_of(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      for (std::uint64_t j = i + 1; j < count; ++j) expect_multiproof(leaves, {i, j});
    }
  }
}

TEST(Merkle, DamagedMultiproofsFail) {
  const std::vector<Hash32> leaves = leaves_of(37);
  const Hash32 root = merkle::root(leaves);
  const std::vector<std::uint64_t> indices{0, 5, 6, 19, 36};
  const std::vector<Hash32> opened = pick(leaves, indices);
  const std::vector<Hash32> proof = merkle::multiproof(leaves, indices);
  const auto fails = [&](std::span<const Hash32> o, std::span<const std::uint64_t> i, std::uint64_t count,
                         std::span<const Hash32> p) {
    const auto r = merkle::root_from_multiproof(o, i, count, p);
    return !r.ok() || *r != root;
  };
  EXPECT_FALSE(fails(opened, indices, 37, proof));
  for (std::size_t k = 0; k < proof.size(); ++k) {
    std::vector<Hash32> bad = proof;
    bad[k][k % 32] ^= 1;
    EXPECT_TRUE(fails(opened, indices, 37, bad)) << k;
    EXPECT_EQ(merkle::root_from_multiproof(opened, indices, 37, std::span(proof).first(k)).status(), Status::bad_input);
  }
  for (std::size_t k = 0; k < opened.size(); ++k) {
    std::vector<Hash32> bad = opened;
    bad[k][31] ^= 0x80;
    EXPECT_TRUE(fails(bad, indices, 37, proof)) << k;
  }
  std::vector<Hash32> longer = proof;
  longer.push_back(root);
  EXPECT_EQ(merkle::root_from_multiproof(opened, indices, 37, longer).status(), Status::bad_input);
  const std::vector<std::uint64_t> unsorted{5, 0, 6, 19, 36};
  const std::vector<std::uint64_t> twice{0, 0, 6, 19, 36};
  const std::vector<std::uint64_t> outside{0, 5, 6, 19, 37};
  for (const auto& bad : {unsorted, twice, outside}) {
    EXPECT_EQ(merkle::root_from_multiproof(opened, bad, 37, proof).status(), Status::bad_input);
  }
  EXPECT_EQ(merkle::root_from_multiproof(std::span(opened).first(4), indices, 37, proof).status(), Status::bad_input);
  for (std::uint64_t count = 0; count < 80; ++count) {
    EXPECT_EQ(fails(opened, indices, count, proof), count != 37) << count;
  }
  // A claimed count of any size costs no more than the walk to the opened leaves.
  EXPECT_TRUE(fails(opened, indices, ~std::uint64_t{0}, proof));
}

TEST(Merkle, EmptyTree) {
  EXPECT_TRUE(merkle::multiproof({}, {}).empty());
  EXPECT_EQ(*merkle::root_from_multiproof({}, {}, 0, {}), merkle::root({}));
  const Hash32 extra{};
  EXPECT_EQ(merkle::root_from_multiproof({}, {}, 0, {&extra, 1}).status(), Status::bad_input);
}

TEST(Merkle, SizeAndTimeOf128OpeningsOf2To18Leaves) {
  using Time = std::chrono::steady_clock;
  const std::vector<Hash32> leaves = leaves_of(1u << 18);
  const std::vector<std::uint64_t> indices = proof::challenge_indices(sha256(view("draw")), leaves.size(), 128);
  const auto ms = [](Time::time_point a) { return std::chrono::duration<double, std::milli>(Time::now() - a).count(); };
  auto t = Time::now();
  const Hash32 root = merkle::root(leaves);
  const double root_ms = ms(t);
  t = Time::now();
  const std::vector<Hash32> proof = merkle::multiproof(leaves, indices);
  const double proof_ms = ms(t);
  t = Time::now();
  const auto rebuilt = merkle::root_from_multiproof(pick(leaves, indices), indices, leaves.size(), proof);
  const double check_ms = ms(t);
  ASSERT_TRUE(rebuilt.ok());
  EXPECT_EQ(*rebuilt, root);
  const std::size_t raw = 128 * 18 * sizeof(Hash32);
  const std::size_t packed = proof.size() * sizeof(Hash32);
  std::printf(
      "2^18 leaves, k = 128: single paths %zu bytes, multiproof %zu bytes; root %.1f ms, multiproof %.1f ms, check "
      "%.2f ms\n",
      raw, packed, root_ms, proof_ms, check_ms);
  EXPECT_EQ(raw, 73'728u);
  EXPECT_GT(packed, 40'000u);
  EXPECT_LT(packed, 46'000u);
}

}  // namespace
}  // namespace sparkmill
