// SPDX-License-Identifier: Apache-2.0
// The chains' Merkle trees against plain recursive ones, proofs and multiproofs exhaustively over small trees, and the
// two known holes: an inner node given as a leaf, and CVE-2012-2459.
#include "verify/merkle/trees.h"

#include <gtest/gtest.h>

#include "base/hash.h"
#include "kernels/registry.h"

namespace sparkmill::merkle {
namespace {

hashes::Kernel& kernel() {
  static const auto made = [] {
    const kernels::Device device = kernels::discover_devices().front();
    const auto choice = kernels::choose(kernels::Family::hash, device);
    return choice->row->make(device);
  }();
  return dynamic_cast<hashes::Kernel&>(**made);
}

Hash32 keccak(ByteView bytes) {
  Hash32 out{};
  const std::uint64_t offsets[] = {0, bytes.size()};
  EXPECT_TRUE(kernel().hash(hashes::Algorithm::keccak256, {bytes, offsets}, out, {}).ok());
  return out;
}

Bytes joined(std::initializer_list<ByteView> parts) {
  Bytes out;
  for (const ByteView part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

constexpr std::uint8_t kZero[] = {0}, kOne[] = {1};

/// The definition, top down for Bytom, level by level for the others.
Hash32 plain_root(Tree tree, std::vector<Hash32> leaves) {
  if (tree == Tree::bytom_sha3_256) {
    if (leaves.empty()) return sha3_256({});
    if (leaves.size() == 1) return sha3_256(joined({kZero, leaves[0]}));
    std::size_t k = 1;
    while (2 * k < leaves.size()) k *= 2;
    const Hash32 left = plain_root(tree, {leaves.begin(), leaves.begin() + static_cast<std::ptrdiff_t>(k)});
    const Hash32 right = plain_root(tree, {leaves.begin() + static_cast<std::ptrdiff_t>(k), leaves.end()});
    return sha3_256(joined({kOne, left, right}));
  }
  if (leaves.empty()) return {};
  while (leaves.size() > 1) {
    std::vector<Hash32> above;
    for (std::size_t i = 0; i < leaves.size(); i += 2) {
      if (i + 1 == leaves.size() && tree == Tree::keccak256_sorted_pairs) {
        above.push_back(leaves[i]);
        continue;
      }
      const Hash32& a = leaves[i];
      const Hash32& b = leaves[std::min(i + 1, leaves.size() - 1)];
      above.push_back(tree == Tree::keccak256_sorted_pairs ? keccak(joined({std::min(a, b), std::max(a, b)}))
                                                           : sha256(sha256(joined({a, b}))));
    }
    leaves = above;
  }
  return leaves[0];
}

std::vector<Hash32> leaves_of(std::size_t count) {
  std::vector<Hash32> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t text[] = {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8), 7};
    out[i] = sha256(text);
  }
  return out;
}

TEST(Trees, RootsOfManyListsAtOnce) {
  for (const Tree tree : kTrees) {
    std::vector<std::vector<Hash32>> lists;
    for (std::size_t n = 0; n <= 33; ++n) lists.push_back(leaves_of(n));
    const auto found = roots(tree, lists, kernel(), {});
    ASSERT_TRUE(found.ok());
    for (std::size_t n = 0; n <= 33; ++n) {
      EXPECT_EQ((*found)[n].hash, plain_root(tree, lists[n])) << name(tree) << " " << n;
      EXPECT_FALSE((*found)[n].repeated);
    }
    EXPECT_EQ(tree_named(name(tree)), tree);
  }
  EXPECT_FALSE(tree_named("oak"));
}

TEST(Trees, RepeatedTailOfBitcoinShows) {
  std::vector<Hash32> honest = leaves_of(6);
  std::vector<Hash32> longer = honest;
  longer.push_back(honest[4]);
  longer.push_back(honest[5]);
  const std::vector<Hash32> lists[] = {honest, longer};
  const auto found = roots(Tree::sha256d_bitcoin, lists, kernel(), {});
  EXPECT_EQ((*found)[0].hash, (*found)[1].hash);
  EXPECT_FALSE((*found)[0].repeated);
  EXPECT_TRUE((*found)[1].repeated);
}

TEST(Trees, EveryProofOfSmallTrees) {
  for (const Tree tree : kTrees) {
    for (std::size_t n = 1; n <= 17; ++n) {
      const auto leaves = leaves_of(n);
      std::vector<Proof> proofs;
      Bytes expected;
      for (std::size_t i = 0; i < n; ++i) {
        const auto proof = prove(tree, leaves, i, kernel(), {});
        ASSERT_TRUE(proof.ok());
        EXPECT_EQ(proof->steps.size(), sides(tree, *proof->place).size());
        proofs.push_back(*proof);
        expected.push_back(1);
        const auto bad = [&](auto change) {
          proofs.push_back(*proof);
          change(proofs.back());
          expected.push_back(0);
        };
        bad([](Proof& p) { p.leaf[3] ^= 4; });
        bad([](Proof& p) { p.root[3] ^= 4; });
        bad([](Proof& p) { p.place->index = p.place->count; });
        bad([](Proof& p) { p.steps.push_back({Side::left, {}}); });
        if (proof->steps.empty()) continue;
        bad([](Proof& p) { p.steps.back().hash[31] ^= 1; });
        bad([](Proof& p) { p.steps.pop_back(); });
        bad([](Proof& p) { p.steps.resize(65); });
        if (tree == Tree::keccak256_sorted_pairs || proof->steps[0].hash == proof->leaf) continue;
        bad([](Proof& p) { p.steps[0].side = p.steps[0].side == Side::left ? Side::right : Side::left; });
      }
      const auto verdicts = check(tree, proofs, kernel(), {});
      ASSERT_TRUE(verdicts.ok());
      EXPECT_EQ(*verdicts, expected) << name(tree) << " " << n;
      EXPECT_FALSE(prove(tree, leaves, n, kernel(), {}).ok());
    }
  }
}

TEST(Trees, AnInnerNodeIsNoLeafAtItsPlace) {
  const auto leaves = leaves_of(4);
  const auto proof = prove(Tree::keccak256_sorted_pairs, leaves, 0, kernel(), {});
  Proof inner{keccak(joined({std::min(leaves[0], leaves[1]), std::max(leaves[0], leaves[1])})),
              {proof->steps[1]},
              proof->root,
              std::nullopt};
  Proof bound = inner;
  bound.place = {0, 4};
  const Proof both[] = {inner, bound};
  EXPECT_EQ(*check(Tree::keccak256_sorted_pairs, both, kernel(), {}), (Bytes{1, 0}));
}

TEST(Trees, MultiproofsOfEverySubset) {
  for (const Tree tree : kTrees) {
    for (std::size_t n = 1; n <= 9; ++n) {
      const auto leaves = leaves_of(n);
      std::vector<Multiproof> proofs;
      Bytes expected;
      for (std::uint32_t set = 1; set < 1u << n; ++set) {
        std::vector<std::uint64_t> indices;
        for (std::size_t i = 0; i < n; ++i) {
          if (set >> i & 1) indices.push_back(i);
        }
        const auto proof = prove(tree, leaves, indices, kernel(), {});
        ASSERT_TRUE(proof.ok());
        proofs.push_back(*proof);
        expected.push_back(1);
        const auto bad = [&](auto change) {
          proofs.push_back(*proof);
          change(proofs.back());
          expected.push_back(0);
        };
        bad([](Multiproof& p) { p.leaves.back()[0] ^= 1; });
        bad([](Multiproof& p) { p.hashes.emplace_back(); });
        bad([](Multiproof& p) { p.leaves.pop_back(); });
        bad([](Multiproof& p) { p.indices.back() = p.count; });
        if (!proof->hashes.empty()) {
          bad([](Multiproof& p) { p.hashes.pop_back(); });
          bad([](Multiproof& p) { p.hashes.front()[9] ^= 1; });
        }
      }
      EXPECT_EQ(*check(tree, proofs, kernel(), {}), expected) << name(tree) << " " << n;
    }
    EXPECT_EQ(*check(tree, std::vector<Multiproof>(1), kernel(), {}), Bytes{0});
    const std::uint64_t falling[] = {1, 0};
    EXPECT_EQ(prove(tree, leaves_of(3), falling, kernel(), {}).status(), Status::bad_argument);
  }
}

}  // namespace
}  // namespace sparkmill::merkle
