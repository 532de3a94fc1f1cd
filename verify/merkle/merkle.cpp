// SPDX-License-Identifier: Apache-2.0
#include "verify/merkle/merkle.h"

#include <algorithm>
#include <bit>

#include "base/hash.h"

namespace sparkmill::merkle {
namespace {

/// Largest power of two below `count`; requires count >= 2.
std::uint64_t split(std::uint64_t count) { return std::bit_floor(count - 1); }

/// Number of indices below `bound`.
std::size_t below(std::span<const std::uint64_t> indices, std::uint64_t bound) {
  return static_cast<std::size_t>(std::lower_bound(indices.begin(), indices.end(), bound) - indices.begin());
}

void collect(std::span<const Hash32> leaves, std::uint64_t first, std::span<const std::uint64_t> indices,
             std::vector<Hash32>& out) {
  if (indices.empty()) {
    out.push_back(root(leaves));
    return;
  }
  if (leaves.size() <= 1) return;
  const std::uint64_t k = split(leaves.size());
  const std::size_t left = below(indices, first + k);
  collect(leaves.first(k), first, indices.first(left), out);
  collect(leaves.subspan(k), first + k, indices.subspan(left), out);
}

/// State of the walk that mirrors collect() on the verifier's side.
struct Rebuild {
  std::span<const Hash32> opened;
  std::span<const Hash32> proof;
  std::size_t next_opened = 0;
  std::size_t next_proof = 0;
  bool missing = false;

  Hash32 node(std::uint64_t first, std::uint64_t count, std::span<const std::uint64_t> indices) {
    if (indices.empty()) {
      if (next_proof == proof.size()) {
        missing = true;
        return {};
      }
      return proof[next_proof++];
    }
    if (count == 1) return opened[next_opened++];
    const std::uint64_t k = split(count);
    const std::size_t left = below(indices, first + k);
    const Hash32 a = node(first, k, indices.first(left));
    if (missing) return {};
    const Hash32 b = node(first + k, count - k, indices.subspan(left));
    return missing ? Hash32{} : inner(a, b);
  }
};

}  // namespace

Hash32 inner(const Hash32& left, const Hash32& right) {
  std::array<std::uint8_t, 65> text;
  text[0] = 0x01;
  std::memcpy(text.data() + 1, left.data(), 32);
  std::memcpy(text.data() + 33, right.data(), 32);
  return sha256(text);
}

Hash32 root(std::span<const Hash32> leaves) {
  if (leaves.empty()) return sha256({});
  if (leaves.size() == 1) return leaves.front();
  const std::uint64_t k = split(leaves.size());
  return inner(root(leaves.first(k)), root(leaves.subspan(k)));
}

std::vector<Hash32> path(std::span<const Hash32> leaves, std::uint64_t index) {
  std::vector<Hash32> siblings;
  while (leaves.size() > 1) {
    const std::uint64_t k = split(leaves.size());
    if (index < k) {
      siblings.push_back(root(leaves.subspan(k)));
      leaves = leaves.first(k);
    } else {
      siblings.push_back(root(leaves.first(k)));
      leaves = leaves.subspan(k);
      index -= k;
    }
  }
  std::reverse(siblings.begin(), siblings.end());
  return siblings;
}

Result<Hash32> root_from_path(const Hash32& leaf, std::uint64_t index, std::uint64_t count,
                              std::span<const Hash32> path) {
  if (index >= count) {
    return fail(Status::bad_input,
                "Merkle path: leaf " + std::to_string(index) + " of a tree of " + std::to_string(count));
  }
  // From the root down: at each level, whether the leaf lies in the right part. At most 64 levels.
  std::array<bool, 64> right{};
  std::size_t depth = 0;
  while (count > 1) {
    const std::uint64_t k = split(count);
    right[depth] = index >= k;
    index -= right[depth] ? k : 0;
    count = right[depth] ? count - k : k;
    ++depth;
  }
  if (path.size() != depth) {
    return fail(Status::bad_input,
                "Merkle path: " + std::to_string(path.size()) + " hashes, this leaf needs " + std::to_string(depth));
  }
  Hash32 node = leaf;
  for (std::size_t i = 0; i < depth; ++i) {
    node = right[depth - 1 - i] ? inner(path[i], node) : inner(node, path[i]);
  }
  return node;
}

std::vector<Hash32> multiproof(std::span<const Hash32> leaves, std::span<const std::uint64_t> indices) {
  std::vector<Hash32> out;
  if (!leaves.empty()) collect(leaves, 0, indices, out);
  return out;
}

Result<Hash32> root_from_multiproof(std::span<const Hash32> opened, std::span<const std::uint64_t> indices,
                                    std::uint64_t count, std::span<const Hash32> proof) {
  if (opened.size() != indices.size()) {
    return fail(Status::bad_input, "Merkle multiproof: " + std::to_string(opened.size()) + " leaves for " +
                                       std::to_string(indices.size()) + " indices");
  }
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] >= count || (i > 0 && indices[i] <= indices[i - 1])) {
      return fail(Status::bad_input, "Merkle multiproof: index " + std::to_string(indices[i]) + " at place " +
                                         std::to_string(i) + " is out of order or not below " + std::to_string(count));
    }
  }
  if (count == 0) {
    if (!proof.empty()) return fail(Status::bad_input, "Merkle multiproof: hashes for an empty tree");
    return root({});
  }
  Rebuild walk{opened, proof};
  const Hash32 top = walk.node(0, count, indices);
  if (walk.missing) return fail(Status::bad_input, "Merkle multiproof: hashes are missing");
  if (walk.next_proof != proof.size()) {
    return fail(Status::bad_input,
                "Merkle multiproof: " + std::to_string(proof.size() - walk.next_proof) + " hashes are left over");
  }
  return top;
}

}  // namespace sparkmill::merkle
