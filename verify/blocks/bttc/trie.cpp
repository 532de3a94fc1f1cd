// SPDX-License-Identifier: Apache-2.0
// Walks down Merkle-Patricia tries. Which nodes there are is known from the proofs alone, so all are hashed at once.
#include "verify/blocks/bttc/exit.h"
#include "verify/blocks/bttc/rlp.h"
#include "verify/blocks/message_list.h"

namespace sparkmill::bttc {
namespace {

constexpr std::size_t kBranchItems = 17;

/// What is left of a key, in nibbles.
struct Path {
  ByteView key;
  std::size_t at = 0;
  bool end() const { return at == 2 * key.size(); }
  std::uint8_t next() {
    const std::uint8_t byte = key[at / 2];
    return at++ % 2 == 0 ? byte >> 4 : byte & 15;
  }
};

/// The hex-prefix form of a leaf's or an extension's path.
struct Prefix {
  bool leaf = false;
  Path nibbles;
};
std::optional<Prefix> read_prefix(const rlp::Item& item) {
  const ByteView bytes = item.payload;
  if (item.list || bytes.empty() || bytes[0] >> 4 > 3) return std::nullopt;
  const bool odd = (bytes[0] >> 4 & 1) != 0;
  if (!odd && (bytes[0] & 15) != 0) return std::nullopt;
  Prefix p{bytes[0] >> 5 != 0, {bytes, odd ? 1u : 2u}};
  if (!p.leaf && p.nibbles.end()) return std::nullopt;
  return p;
}

bool same(ByteView a, ByteView b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

/// One walk; stops at the value or at the first thing that is wrong.
class Walk {
 public:
  explicit Walk(const TrieProof& proof) : value_(proof.value), path_{proof.key}, want_(proof.root) {}

  /// Takes the next node. Empty: go on, or arrived.
  std::string_view step(const rlp::Item& node, const Hash32& hash) {
    if (!same(want_, hash)) return "bad_node_hash";
    const auto items = rlp::children(node, kBranchItems);
    if (!items) return "bad_node";
    if (items->size() == kBranchItems) return branch(*items);
    if (items->size() == 2) return short_node(*items);
    return "bad_node";
  }
  bool arrived() const { return arrived_; }

 private:
  std::string_view branch(std::span<const rlp::Item> items) {
    if (path_.end()) return compare(items[16]);
    return follow(items[path_.next()]);
  }
  std::string_view short_node(std::span<const rlp::Item> items) {
    auto prefix = read_prefix(items[0]);
    if (!prefix) return "bad_node";
    while (!prefix->nibbles.end()) {
      if (path_.end() || path_.next() != prefix->nibbles.next()) return "bad_path";
    }
    if (!prefix->leaf) return follow(items[1]);
    return path_.end() ? compare(items[1]) : "bad_path";
  }
  std::string_view follow(const rlp::Item& child) {
    if (child.list || child.payload.size() != want_.size()) return "bad_ref";
    std::copy(child.payload.begin(), child.payload.end(), want_.begin());
    return {};
  }
  std::string_view compare(const rlp::Item& item) {
    if (item.list || !same(item.payload, value_)) return "bad_value";
    arrived_ = true;
    return {};
  }

  ByteView value_;
  Path path_;
  Hash32 want_;
  bool arrived_ = false;
};

blocks::Verdict<> walk(const TrieProof& proof, std::span<const rlp::Item> nodes, std::span<const Hash32> hashes) {
  Walk walk(proof);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::string where = "node " + std::to_string(i);
    if (walk.arrived()) return blocks::refused("bad_node", where + " stands behind the value");
    if (const std::string_view reason = walk.step(nodes[i], hashes[i]); !reason.empty()) {
      return blocks::refused(reason, where);
    }
  }
  if (!walk.arrived()) return blocks::refused("proof_too_short", std::to_string(nodes.size()) + " nodes");
  return blocks::accepted();
}

}  // namespace

Result<std::vector<blocks::Verdict<>>> check_trie_proofs(std::span<const TrieProof> proofs, hashes::Kernel& hash,
                                                         const StopToken& stop, Trails* trails) {
  std::vector<blocks::Verdict<>> verdicts(proofs.size());
  std::vector<std::vector<rlp::Item>> nodes(proofs.size());
  blocks::MessageList list;
  for (std::size_t i = 0; i < proofs.size(); ++i) {
    rlp::Item all;
    if (proofs[i].nodes.size() > kMaxPayloadBytes || proofs[i].key.size() > kMaxPayloadBytes) {
      verdicts[i] = blocks::refused("limit", "at most 1 MiB");
      continue;
    }
    if (!rlp::parse(proofs[i].nodes, all) || !rlp::well_formed(all)) {
      verdicts[i] = blocks::refused("bad_node", "the nodes are no list in RLP's shortest form");
      continue;
    }
    auto items = rlp::children(all, kMaxTrieNodes);
    if (!items) {
      verdicts[i] = all.list ? blocks::refused("limit", "at most " + std::to_string(kMaxTrieNodes) + " nodes")
                             : blocks::refused("bad_node", "the nodes are no list");
      continue;
    }
    for (const rlp::Item& node : *items) list.add({node.whole});
    nodes[i] = std::move(*items);
  }
  SPARKMILL_ASSIGN(const std::vector<Hash32> hashes, list.hash(hashes::Algorithm::keccak256, hash, stop));
  std::size_t first = 0;
  for (std::size_t i = 0; i < proofs.size(); ++i) {
    if (!verdicts[i].reason.empty()) continue;
    const std::span<const Hash32> own = std::span(hashes).subspan(first, nodes[i].size());
    verdicts[i] = walk(proofs[i], nodes[i], own);
    if (trails != nullptr) (*trails)[i].insert((*trails)[i].end(), own.begin(), own.end());
    first += own.size();
  }
  return verdicts;
}

}  // namespace sparkmill::bttc
