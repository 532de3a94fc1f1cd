// SPDX-License-Identifier: Apache-2.0
// Proofs that a log was written on the other chain: a value in a Merkle-Patricia trie, and the exit payload, which
// takes a receipt's log through the receipts root of a block to the root hash of an accepted checkpoint.
//
// Source: "Consensus evidence" 2.6; Ethereum yellow paper, appendices C and D.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "base/stop.h"
#include "kernels/hash/hash.h"
#include "verify/blocks/bttc/span_root.h"

namespace sparkmill::bttc {

inline constexpr std::size_t kMaxPayloadBytes = 1u << 20;
inline constexpr std::size_t kMaxTrieNodes = 1024;  ///< a path of 32-byte keys has at most 65
inline constexpr std::size_t kMaxLogs = 1u << 16;

struct TrieProof {
  Hash32 root{};
  ByteView key;    ///< as bytes; its nibbles are the path
  ByteView value;  ///< what the trie must hold there
  ByteView nodes;  ///< RLP list of the nodes from the root down
};
/// Reasons: limit; at each node bad_node_hash, bad_ref (a child that is no 32-byte string: embedded ones are refused,
/// as in the contracts' library), bad_node, bad_path, bad_value; proof_too_short. Nodes behind the value: bad_node.
/// `trails`, where wanted, has a list for each proof: the digests of its nodes are added.
/// Errors: those of the kernel.
Result<std::vector<blocks::Verdict<>>> check_trie_proofs(std::span<const TrieProof> proofs, hashes::Kernel& hash,
                                                         const StopToken& stop, Trails* trails = nullptr);

/// An accepted checkpoint as the root contract stores it, by header number (steps of 10,000).
struct StoredCheckpoint {
  Hash32 root{};
  std::uint64_t start = 0;
  std::uint64_t end = 0;
};
/// What was accepted before. The caller keeps it, and adds exit ids of accepted exits in the order of its chain.
struct ExitState {
  std::map<std::uint64_t, StoredCheckpoint> headers;
  std::set<Hash32> processed;
};

struct ExitFacts {
  Hash32 exit_id{};  ///< known once everything but the replay guard has passed; else zeros
  friend bool operator==(const ExitFacts&, const ExitFacts&) = default;
};
/// Each payload against the state as it is; `mark_exits` then sorts out repeats within a batch.
/// Reasons in order: limit, bad_payload, unknown_header, block_out_of_span, bad_block_proof, bad_branch_mask,
/// bad_receipt_proof, bad_receipt, bad_log_index, already_processed. Errors: those of the kernel.
Result<std::vector<blocks::Verdict<ExitFacts>>> check_exits(const ExitState& state, std::span<const ByteView> payloads,
                                                            hashes::Kernel& hash, const StopToken& stop);
/// The same for exits that bring a state each, which the caller keeps. `trails`, where wanted, becomes a list for each
/// exit: every Keccak-256 that its checks computed, in order; what is computed follows from the exit alone.
struct ExitItem {
  const ExitState* state = nullptr;
  ByteView payload;
};
Result<std::vector<blocks::Verdict<ExitFacts>>> check_exits(std::span<const ExitItem> items, hashes::Kernel& hash,
                                                            const StopToken& stop, Trails* trails = nullptr);
/// Commits verdicts in chain order: an accepted exit whose id is taken becomes already_processed, others take theirs.
void mark_exits(ExitState& state, std::span<blocks::Verdict<ExitFacts>> verdicts);

}  // namespace sparkmill::bttc
