// SPDX-License-Identifier: Apache-2.0
#include "verify/blocks/bttc/span_root.h"

#include <bit>

#include "verify/blocks/message_list.h"

namespace sparkmill::bttc {
namespace {

using blocks::MessageList;

constexpr std::size_t kNode = sizeof(Hash32);

Result<std::vector<Hash32>> keccak(const MessageList& list, hashes::Kernel& hash, const StopToken& stop) {
  return list.hash(hashes::Algorithm::keccak256, hash, stop);
}

Done check_count(std::size_t count, const char* what) {
  if (count != 0 && count <= kMaxSpanLeaves) return done();
  return fail(Status::bad_argument,
              std::to_string(count) + " " + what + ", expected 1 to " + std::to_string(kMaxSpanLeaves));
}

/// One level up; the number of nodes is even.
Result<std::vector<Hash32>> parents(std::span<const Hash32> nodes, hashes::Kernel& hash, const StopToken& stop) {
  MessageList list;
  for (std::size_t i = 0; i + 1 < nodes.size(); i += 2) list.add({nodes[i], nodes[i + 1]});
  return keccak(list, hash, stop);
}

/// Where the block stands in its span; nullopt: outside.
std::optional<std::uint64_t> place(const BlockProof& p) {
  const auto at = number(p.block.number);
  if (!at || *at < p.start || *at > p.end) return std::nullopt;
  return *at - p.start;
}

}  // namespace

Result<std::vector<Hash32>> block_leaves(std::span<const BlockFacts> blocks, hashes::Kernel& hash,
                                         const StopToken& stop) {
  MessageList list;
  for (const BlockFacts& b : blocks) list.add({b.number, b.time, b.transactions_root, b.receipts_root});
  return keccak(list, hash, stop);
}

Result<Hash32> block_root(std::span<const Hash32> leaves, hashes::Kernel& hash, const StopToken& stop) {
  SPARKMILL_TRY(check_count(leaves.size(), "blocks"));
  std::vector<Hash32> nodes(leaves.begin(), leaves.end());
  nodes.resize(std::bit_ceil(nodes.size()));
  while (nodes.size() > 1) {
    SPARKMILL_ASSIGN(nodes, parents(nodes, hash, stop));
  }
  return nodes[0];
}

Result<Hash32> account_root(std::span<const FeeAccount> accounts, hashes::Kernel& hash, const StopToken& stop) {
  SPARKMILL_TRY(check_count(accounts.size(), "accounts"));
  std::vector<FeeAccount> sorted(accounts.begin(), accounts.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const FeeAccount& a, const FeeAccount& b) { return a.user < b.user; });
  MessageList list;
  for (const FeeAccount& a : sorted) list.add({word_of(a.user), a.fee});
  SPARKMILL_ASSIGN(std::vector<Hash32> nodes, keccak(list, hash, stop));
  do {
    if (nodes.size() % 2 != 0) nodes.push_back(nodes.back());
    SPARKMILL_ASSIGN(nodes, parents(nodes, hash, stop));
  } while (nodes.size() > 1);
  return nodes[0];
}

Result<std::vector<blocks::Verdict<>>> check_block_proofs(std::span<const BlockProof> proofs, hashes::Kernel& hash,
                                                          const StopToken& stop, Trails* trails) {
  std::vector<blocks::Verdict<>> verdicts(proofs.size(), blocks::refused("bad_block_proof", "another root"));
  std::vector<std::size_t> open;  // items that still climb
  std::vector<BlockFacts> facts;
  for (std::size_t i = 0; i < proofs.size(); ++i) {
    const BlockProof& p = proofs[i];
    if (!place(p)) {
      verdicts[i] = blocks::refused("block_out_of_span");
    } else if (p.siblings.size() != kNode * static_cast<std::size_t>(std::bit_width(p.end - p.start))) {
      verdicts[i] = blocks::refused("bad_block_proof", std::to_string(p.siblings.size()) + " bytes of siblings");
    } else {
      open.push_back(i);
      facts.push_back(p.block);
    }
  }
  SPARKMILL_ASSIGN(std::vector<Hash32> nodes, block_leaves(facts, hash, stop));
  for (std::size_t depth = 0; !open.empty(); ++depth) {
    std::vector<std::size_t> climbing;
    MessageList list;
    for (std::size_t k = 0; k < open.size(); ++k) {
      const BlockProof& p = proofs[open[k]];
      if (trails != nullptr) (*trails)[open[k]].push_back(nodes[k]);
      if (depth * kNode == p.siblings.size()) {
        if (nodes[k] == p.root) verdicts[open[k]] = blocks::accepted();
        continue;
      }
      const ByteView sibling = p.siblings.subspan(depth * kNode, kNode);
      if (*place(p) >> depth & 1) {
        list.add({sibling, nodes[k]});
      } else {
        list.add({nodes[k], sibling});
      }
      climbing.push_back(open[k]);
    }
    SPARKMILL_ASSIGN(nodes, keccak(list, hash, stop));
    open = std::move(climbing);
  }
  return verdicts;
}

}  // namespace sparkmill::bttc
