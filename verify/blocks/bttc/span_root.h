// SPDX-License-Identifier: Apache-2.0
// The two Merkle roots in a checkpoint: of the blocks of its span, and of the fee accounts; and proofs of single
// blocks. Keccak-256 of two children back to back, no prefixes, no sorting. Levels of all proofs of a batch are hashed
// together.
//
// Source: "Consensus evidence" 2.5.
#pragma once

#include <vector>

#include "base/stop.h"
#include "kernels/hash/hash.h"
#include "verify/blocks/bttc/word.h"
#include "verify/blocks/verdict.h"

namespace sparkmill::bttc {

inline constexpr std::size_t kMaxSpanLeaves = 1u << 20;

/// What the leaf of a block says. Number and time are words, since a proof may claim any.
struct BlockFacts {
  Word number{};
  Word time{};  ///< seconds
  Hash32 transactions_root{};
  Hash32 receipts_root{};
};
Result<std::vector<Hash32>> block_leaves(std::span<const BlockFacts> blocks, hashes::Kernel& hash,
                                         const StopToken& stop);
/// Root over leaves from start to end, padded with zero words to a power of two; one leaf is its own root.
/// Errors: bad_argument for none or more than kMaxSpanLeaves; those of the kernel.
Result<Hash32> block_root(std::span<const Hash32> leaves, hashes::Kernel& hash, const StopToken& stop);

struct FeeAccount {
  Address user{};
  Word fee{};
};
/// Accounts sorted by address (this function sorts); a level of odd size repeats its last node, and so does a single
/// leaf. Errors as block_root.
Result<Hash32> account_root(std::span<const FeeAccount> accounts, hashes::Kernel& hash, const StopToken& stop);

/// Digests that checks computed, a list for each item of a batch: work that can be shown.
using Trails = std::vector<std::vector<Hash32>>;

/// A block under the root of the span [start, end]: siblings from the bottom.
struct BlockProof {
  BlockFacts block;
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  Hash32 root{};
  ByteView siblings;
};
/// Reasons: block_out_of_span, bad_block_proof (length, depth that does not fit the span, another root).
/// `trails`, where wanted, has a list for each proof: leaf and nodes are added as they are computed.
/// Errors: those of the kernel.
Result<std::vector<blocks::Verdict<>>> check_block_proofs(std::span<const BlockProof> proofs, hashes::Kernel& hash,
                                                          const StopToken& stop, Trails* trails = nullptr);

}  // namespace sparkmill::bttc
