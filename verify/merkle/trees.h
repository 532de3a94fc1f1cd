// SPDX-License-Identifier: Apache-2.0
// The Merkle trees of the chains, many at once: a level of all trees of a call is one batch of a hash kernel (roots
// take some thousand leaves at a time). Source: the specification "Signatures and proofs" 7, "Bytom blocks" 5.
//
// Two things that a bare tree rule leaves open, and what is done about them here:
// - A tree without prefixes takes an inner node, or the root, for a leaf. check() accepts that, as the chains' own code
//   does, unless the proof says where its leaf stands (Place): then the number and the sides of its steps must be those
//   of the place, and no node above the leaves has one.
// - The Bitcoin tree repeats the last node of an odd level, so two lists can have one root (CVE-2012-2459). roots()
//   tells: `repeated` is set when two neighbours that are hashed together are equal, which honest lists never have.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/stop.h"
#include "kernels/hash/hash.h"

namespace sparkmill::merkle {

enum class Tree : std::uint8_t {
  bytom_sha3_256,          ///< leaf SHA3(00 | leaf), node SHA3(01 | l | r); the last of an odd level goes up as it is
  keccak256_sorted_pairs,  ///< node Keccak(smaller | larger), leaves as they are; the last of an odd level goes up
  sha256d_bitcoin,         ///< node SHA-256(SHA-256(l | r)), leaves as they are; the last of an odd level is doubled
};
inline constexpr std::array kTrees = {Tree::bytom_sha3_256, Tree::keccak256_sorted_pairs, Tree::sha256d_bitcoin};
/// "bytom_sha3_256", "keccak256_sorted_pairs", "sha256d_bitcoin".
std::string_view name(Tree tree);
std::optional<Tree> tree_named(std::string_view name);

/// Root of no leaves: SHA3-256 of nothing for Bytom; the others have none, zeros stand for it (as in Bitcoin's code).
Hash32 empty_root(Tree tree);

struct Root {
  Hash32 hash{};
  bool repeated = false;  ///< sha256d_bitcoin only
};
/// roots of many lists of leaves. Errors: what the kernel reports.
Result<std::vector<Root>> roots(Tree tree, std::span<const std::vector<Hash32>> lists, hashes::Kernel& hash,
                                const StopToken& stop);
/// The same over Bytom leaves of any bytes (the status texts): list i is leaves[offsets[i] .. offsets[i + 1]).
Result<std::vector<Hash32>> bytom_roots(std::span<const ByteView> leaves, std::span<const std::size_t> offsets,
                                        hashes::Kernel& hash, const StopToken& stop);

enum class Side : std::uint8_t { left, right };
struct Step {
  Side side = Side::right;  ///< where the sibling stands; sorted pairs do not ask
  Hash32 hash{};
  friend bool operator==(const Step&, const Step&) = default;
};
struct Place {
  std::uint64_t index = 0;
  std::uint64_t count = 1;
};
struct Proof {
  Hash32 leaf{};
  std::vector<Step> steps;  ///< from the leaf up
  Hash32 root{};
  std::optional<Place> place;  ///< given: steps must be those of this place
};
/// Steps that a proof of this place has, from the leaf up, without hashes. Requires index < count.
std::vector<Side> sides(Tree tree, const Place& place);

/// One verdict a proof, 1: it leads to its root. Over 64 steps: 0. Errors: what the kernel reports.
Result<Bytes> check(Tree tree, std::span<const Proof> proofs, hashes::Kernel& hash, const StopToken& stop);

/// The proof of a leaf. Errors: bad_argument (index), what the kernel reports.
Result<Proof> prove(Tree tree, std::span<const Hash32> leaves, std::uint64_t index, hashes::Kernel& hash,
                    const StopToken& stop);

/// Several leaves of one tree under one root: parents that two of them share are hashed once.
struct Multiproof {
  std::uint64_t count = 0;             ///< leaves of the tree
  std::vector<std::uint64_t> indices;  ///< rising, below count
  std::vector<Hash32> leaves;          ///< those at indices
  std::vector<Hash32> hashes;          ///< siblings that cannot be computed, level by level from below, left to right
  Hash32 root{};
};
/// One verdict a proof. 0 too when indices are not rising or out of range, or hashes are missing or left over; a root
/// over no leaf proves nothing: 0. Errors: what the kernel reports.
Result<Bytes> check(Tree tree, std::span<const Multiproof> proofs, hashes::Kernel& hash, const StopToken& stop);
/// Errors: bad_argument (indices), what the kernel reports.
Result<Multiproof> prove(Tree tree, std::span<const Hash32> leaves, std::span<const std::uint64_t> indices,
                         hashes::Kernel& hash, const StopToken& stop);

}  // namespace sparkmill::merkle
