// SPDX-License-Identifier: Apache-2.0
// Merkle trees of RFC 6962 shape over SHA-256: inner node = H(0x01 | left | right), split at the largest power of two
// below the count, empty root = H(""). Leaf hashes come ready-made (their prefix is 0x00). Single paths and
// multiproofs.
#pragma once

#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace sparkmill::merkle {

Hash32 inner(const Hash32& left, const Hash32& right);
Hash32 root(std::span<const Hash32> leaves);

/// Sibling hashes from leaf to root. Requires index < leaves.size().
std::vector<Hash32> path(std::span<const Hash32> leaves, std::uint64_t index);
/// The root that this path gives; nullopt-like error (bad_input) when the path's length does not fit count and index.
Result<Hash32> root_from_path(const Hash32& leaf, std::uint64_t index, std::uint64_t count,
                              std::span<const Hash32> path);

/// The hashes a verifier needs beside the leaves at `indices` (sorted, distinct, in range), in the order of a
/// left-to-right, depth-first walk.
std::vector<Hash32> multiproof(std::span<const Hash32> leaves, std::span<const std::uint64_t> indices);
/// Error: bad_input when hashes are missing or left over, or indices are unsorted or out of range.
Result<Hash32> root_from_multiproof(std::span<const Hash32> opened, std::span<const std::uint64_t> indices,
                                    std::uint64_t count, std::span<const Hash32> proof);

}  // namespace sparkmill::merkle
