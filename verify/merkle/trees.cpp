// SPDX-License-Identifier: Apache-2.0
#include "verify/merkle/trees.h"

#include <algorithm>

#include "base/hash.h"

namespace sparkmill::merkle {
namespace {

constexpr std::size_t kMostSteps = 64;

bool doubles(Tree tree) { return tree == Tree::sha256d_bitcoin; }

/// Messages of one level of everything, and where their digests go.
class Level {
 public:
  Level(Tree tree, hashes::Kernel& hash, const StopToken& stop) : tree_(tree), hash_(hash), stop_(stop) {}

  void leaf(ByteView bytes, Hash32& out) {
    messages_.push_back(0x00);
    add(bytes);
    end(out);
  }
  /// `out` may be one of the two.
  void node(const Hash32& left, const Hash32& right, Hash32& out) {
    const bool turned = tree_ == Tree::keccak256_sorted_pairs && right < left;
    if (tree_ == Tree::bytom_sha3_256) messages_.push_back(0x01);
    add(turned ? right : left);
    add(turned ? left : right);
    end(out);
  }
  Done run() {
    Bytes digests(out_.size() * sizeof(Hash32));
    SPARKMILL_TRY(hash_.hash(algorithm(), {messages_, offsets_}, digests, stop_));
    if (tree_ == Tree::sha256d_bitcoin) {
      std::vector<std::uint64_t> each(out_.size() + 1);
      for (std::size_t i = 0; i < each.size(); ++i) each[i] = i * sizeof(Hash32);
      messages_ = digests;
      SPARKMILL_TRY(hash_.hash(algorithm(), {messages_, each}, digests, stop_));
    }
    for (std::size_t i = 0; i < out_.size(); ++i) {
      std::memcpy(out_[i]->data(), digests.data() + i * sizeof(Hash32), sizeof(Hash32));
    }
    messages_.clear();
    offsets_.assign(1, 0);
    out_.clear();
    return done();
  }

 private:
  hashes::Algorithm algorithm() const {
    switch (tree_) {
      case Tree::bytom_sha3_256: return hashes::Algorithm::sha3_256;
      case Tree::keccak256_sorted_pairs: return hashes::Algorithm::keccak256;
      case Tree::sha256d_bitcoin: return hashes::Algorithm::sha256;
    }
    return hashes::Algorithm::sha256;
  }
  void add(ByteView bytes) { messages_.insert(messages_.end(), bytes.begin(), bytes.end()); }
  void end(Hash32& out) {
    offsets_.push_back(messages_.size());
    out_.push_back(&out);
  }

  const Tree tree_;
  hashes::Kernel& hash_;
  const StopToken& stop_;
  Bytes messages_;
  std::vector<std::uint64_t> offsets_{0};
  std::vector<Hash32*> out_;
};

/// Replaces each list by the level above until one node is left; `below`, where wanted, sees every level.
template <class Seen>
Result<std::vector<Root>> fold(Tree tree, std::vector<std::vector<Hash32>> lists, Level& level, Seen seen) {
  std::vector<Root> out(lists.size());
  for (bool more = true; more;) {
    more = false;
    seen(lists);
    std::vector<std::vector<Hash32>> above(lists.size());
    for (std::size_t i = 0; i < lists.size(); ++i) {
      std::vector<Hash32>& nodes = lists[i];
      if (nodes.size() <= 1) {
        above[i] = std::move(nodes);
        continue;
      }
      more = true;
      const std::size_t pairs = nodes.size() / 2;
      const bool odd = nodes.size() % 2 != 0;
      above[i].resize(pairs + (odd ? 1 : 0));
      for (std::size_t k = 0; k < pairs; ++k) {
        level.node(nodes[2 * k], nodes[2 * k + 1], above[i][k]);
        out[i].repeated = out[i].repeated || (doubles(tree) && nodes[2 * k] == nodes[2 * k + 1]);
      }
      if (odd && doubles(tree)) level.node(nodes.back(), nodes.back(), above[i].back());
      if (odd && !doubles(tree)) above[i].back() = nodes.back();
    }
    if (more) SPARKMILL_TRY(level.run());
    lists = std::move(above);
  }
  for (std::size_t i = 0; i < lists.size(); ++i) out[i].hash = lists[i].empty() ? empty_root(tree) : lists[i][0];
  return out;
}

Result<std::vector<Root>> fold(Tree tree, std::vector<std::vector<Hash32>> lists, Level& level) {
  return fold(tree, std::move(lists), level, [](const auto&) {});
}

/// The nodes right above the leaves' bytes: hashed for Bytom, the leaves themselves elsewhere.
Done to_nodes(Tree tree, std::vector<Hash32>& leaves, Level& level) {
  if (tree != Tree::bytom_sha3_256) return done();
  for (Hash32& leaf : leaves) level.leaf(leaf, leaf);
  return level.run();
}

/// A proof on its way up.
struct Climb {
  const Proof* proof;
  Hash32 node;
};

bool fits_place(Tree tree, const Proof& proof) {
  if (proof.steps.size() > kMostSteps) return false;
  if (!proof.place) return true;
  if (proof.place->index >= proof.place->count) return false;
  const std::vector<Side> wanted = sides(tree, *proof.place);
  if (wanted.size() != proof.steps.size()) return false;
  if (tree == Tree::keccak256_sorted_pairs) return true;
  return std::equal(wanted.begin(), wanted.end(), proof.steps.begin(),
                    [](Side side, const Step& step) { return side == step.side; });
}

/// A multiproof on its way up: the nodes it knows on this level, by rising index.
struct Joint {
  const Multiproof* proof;
  std::vector<std::uint64_t> indices;
  std::vector<Hash32> nodes;
  std::uint64_t count;
  std::size_t used = 0;
  bool broken = false;
};

bool rising(std::span<const std::uint64_t> indices, std::uint64_t count) {
  for (std::size_t k = 0; k < indices.size(); ++k) {
    if (indices[k] >= count || (k > 0 && indices[k] <= indices[k - 1])) return false;
  }
  return true;
}

/// Asks for the parents of the known nodes; siblings come from the neighbour in the list, else from the proof.
void raise(Tree tree, Joint& joint, std::vector<Hash32>& parents, Level& level) {
  std::vector<std::uint64_t> above;
  parents.resize(joint.nodes.size());
  for (std::size_t k = 0; k < joint.nodes.size(); ++k) {
    const std::uint64_t index = joint.indices[k];
    const bool alone = index % 2 == 0 && index + 1 == joint.count;
    Hash32& parent = parents[above.size()];
    above.push_back(index / 2);
    if (alone && !doubles(tree)) {
      parent = joint.nodes[k];
      continue;
    }
    Hash32 sibling = joint.nodes[k];  // of itself, where the last is doubled
    if (index % 2 == 0 && k + 1 < joint.nodes.size() && joint.indices[k + 1] == index + 1) {
      sibling = joint.nodes[++k];
      level.node(joint.nodes[k - 1], sibling, parent);
      continue;
    }
    if (!alone) {
      if (joint.used == joint.proof->hashes.size()) {
        joint.broken = true;
        return;
      }
      sibling = joint.proof->hashes[joint.used++];
    }
    if (index % 2 == 0) {
      level.node(joint.nodes[k], sibling, parent);
    } else {
      level.node(sibling, joint.nodes[k], parent);
    }
  }
  parents.resize(above.size());
  joint.indices = std::move(above);
  joint.count = joint.count / 2 + joint.count % 2;
}

}  // namespace

std::string_view name(Tree tree) {
  switch (tree) {
    case Tree::bytom_sha3_256: return "bytom_sha3_256";
    case Tree::keccak256_sorted_pairs: return "keccak256_sorted_pairs";
    case Tree::sha256d_bitcoin: return "sha256d_bitcoin";
  }
  return "?";
}

std::optional<Tree> tree_named(std::string_view wanted) {
  const auto found = std::find_if(kTrees.begin(), kTrees.end(), [&](Tree tree) { return name(tree) == wanted; });
  return found == kTrees.end() ? std::nullopt : std::optional(*found);
}

Hash32 empty_root(Tree tree) { return tree == Tree::bytom_sha3_256 ? sha3_256({}) : Hash32{}; }

Result<std::vector<Root>> roots(Tree tree, std::span<const std::vector<Hash32>> lists, hashes::Kernel& hash,
                                const StopToken& stop) {
  // Enough for any row of the processor, and what a level holds stays in the cache of a core.
  constexpr std::size_t kLeavesAtOnce = 4096;
  Level level(tree, hash, stop);
  std::vector<Root> out;
  out.reserve(lists.size());
  while (out.size() < lists.size()) {
    std::vector<std::vector<Hash32>> nodes;
    for (std::size_t leaves = 0; out.size() + nodes.size() < lists.size() && leaves < kLeavesAtOnce;) {
      leaves += nodes.emplace_back(lists[out.size() + nodes.size()]).size();
    }
    if (tree == Tree::bytom_sha3_256) {
      for (std::vector<Hash32>& list : nodes) {
        for (Hash32& leaf : list) level.leaf(leaf, leaf);
      }
      SPARKMILL_TRY(level.run());
    }
    SPARKMILL_ASSIGN(const std::vector<Root> some, fold(tree, std::move(nodes), level));
    out.insert(out.end(), some.begin(), some.end());
  }
  return out;
}

Result<std::vector<Hash32>> bytom_roots(std::span<const ByteView> leaves, std::span<const std::size_t> offsets,
                                        hashes::Kernel& hash, const StopToken& stop) {
  Level level(Tree::bytom_sha3_256, hash, stop);
  std::vector<std::vector<Hash32>> nodes(offsets.empty() ? 0 : offsets.size() - 1);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    nodes[i].resize(offsets[i + 1] - offsets[i]);
    for (std::size_t k = 0; k < nodes[i].size(); ++k) level.leaf(leaves[offsets[i] + k], nodes[i][k]);
  }
  SPARKMILL_TRY(level.run());
  SPARKMILL_ASSIGN(const std::vector<Root> found, fold(Tree::bytom_sha3_256, std::move(nodes), level));
  std::vector<Hash32> out;
  for (const Root& root : found) out.push_back(root.hash);
  return out;
}

std::vector<Side> sides(Tree tree, const Place& place) {
  std::vector<Side> out;
  std::uint64_t index = place.index;
  for (std::uint64_t count = place.count; count > 1; count = count / 2 + count % 2, index /= 2) {
    const bool alone = index % 2 == 0 && index + 1 == count;
    if (alone && !doubles(tree)) continue;
    out.push_back(index % 2 == 0 ? Side::right : Side::left);
  }
  return out;
}

Result<Bytes> check(Tree tree, std::span<const Proof> proofs, hashes::Kernel& hash, const StopToken& stop) {
  Level level(tree, hash, stop);
  Bytes out(proofs.size());
  std::vector<Climb> climbs;
  std::size_t most = 0;
  for (const Proof& proof : proofs) {
    climbs.push_back({&proof, proof.leaf});
    if (fits_place(tree, proof)) most = std::max(most, proof.steps.size());
  }
  if (tree == Tree::bytom_sha3_256) {
    for (Climb& climb : climbs) level.leaf(climb.node, climb.node);
    SPARKMILL_TRY(level.run());
  }
  for (std::size_t step = 0; step < most; ++step) {
    for (Climb& climb : climbs) {
      if (step >= climb.proof->steps.size()) continue;
      const Step& next = climb.proof->steps[step];
      if (next.side == Side::left) {
        level.node(next.hash, climb.node, climb.node);
      } else {
        level.node(climb.node, next.hash, climb.node);
      }
    }
    SPARKMILL_TRY(level.run());
  }
  for (std::size_t i = 0; i < proofs.size(); ++i) {
    out[i] = fits_place(tree, proofs[i]) && climbs[i].node == proofs[i].root ? 1 : 0;
  }
  return out;
}

Result<Proof> prove(Tree tree, std::span<const Hash32> leaves, std::uint64_t index, hashes::Kernel& hash,
                    const StopToken& stop) {
  if (index >= leaves.size()) {
    return fail(Status::bad_argument,
                "Merkle proof: leaf " + std::to_string(index) + " of " + std::to_string(leaves.size()));
  }
  Level level(tree, hash, stop);
  Proof proof{leaves[index], {}, {}, Place{index, leaves.size()}};
  std::vector<Hash32> nodes(leaves.begin(), leaves.end());
  SPARKMILL_TRY(to_nodes(tree, nodes, level));
  std::uint64_t at = index;
  const auto take_sibling = [&](const std::vector<std::vector<Hash32>>& lists) {
    const std::vector<Hash32>& nodes_here = lists[0];
    if (nodes_here.size() <= 1) return;
    const bool alone = at % 2 == 0 && at + 1 == nodes_here.size();
    if (!alone || doubles(tree)) {
      proof.steps.push_back({at % 2 == 0 ? Side::right : Side::left, nodes_here[alone ? at : at ^ 1]});
    }
    at /= 2;
  };
  std::vector<std::vector<Hash32>> lists{std::move(nodes)};
  SPARKMILL_ASSIGN(const std::vector<Root> root, fold(tree, std::move(lists), level, take_sibling));
  proof.root = root[0].hash;
  return proof;
}

Result<Bytes> check(Tree tree, std::span<const Multiproof> proofs, hashes::Kernel& hash, const StopToken& stop) {
  Level level(tree, hash, stop);
  std::vector<Joint> joints;
  for (const Multiproof& proof : proofs) {
    joints.push_back({&proof, proof.indices, proof.leaves, proof.count, 0, false});
    Joint& joint = joints.back();
    joint.broken =
        proof.indices.size() != proof.leaves.size() || proof.leaves.empty() || !rising(proof.indices, proof.count);
    if (joint.broken || tree != Tree::bytom_sha3_256) continue;
    for (Hash32& node : joint.nodes) level.leaf(node, node);
  }
  if (tree == Tree::bytom_sha3_256) SPARKMILL_TRY(level.run());
  for (bool more = true; more;) {
    more = false;
    std::vector<std::vector<Hash32>> parents(joints.size());
    for (std::size_t i = 0; i < joints.size(); ++i) {
      Joint& joint = joints[i];
      if (joint.broken || joint.count <= 1) continue;
      more = true;
      raise(tree, joint, parents[i], level);
    }
    if (!more) break;
    SPARKMILL_TRY(level.run());
    for (std::size_t i = 0; i < joints.size(); ++i) {
      if (!joints[i].broken && !parents[i].empty()) joints[i].nodes = std::move(parents[i]);
    }
  }
  Bytes out(proofs.size());
  for (std::size_t i = 0; i < proofs.size(); ++i) {
    const Joint& joint = joints[i];
    out[i] = !joint.broken && joint.used == proofs[i].hashes.size() && joint.nodes[0] == proofs[i].root ? 1 : 0;
  }
  return out;
}

Result<Multiproof> prove(Tree tree, std::span<const Hash32> leaves, std::span<const std::uint64_t> indices,
                         hashes::Kernel& hash, const StopToken& stop) {
  if (indices.empty() || !rising(indices, leaves.size())) {
    return fail(Status::bad_argument,
                "Merkle multiproof: indices that do not rise below " + std::to_string(leaves.size()) + ", or none");
  }
  Level level(tree, hash, stop);
  Multiproof proof{leaves.size(), {indices.begin(), indices.end()}, {}, {}, {}};
  for (const std::uint64_t index : indices) proof.leaves.push_back(leaves[index]);
  std::vector<Hash32> nodes(leaves.begin(), leaves.end());
  SPARKMILL_TRY(to_nodes(tree, nodes, level));
  std::vector<std::uint64_t> known(indices.begin(), indices.end());
  const auto take_siblings = [&](const std::vector<std::vector<Hash32>>& lists) {
    const std::vector<Hash32>& here = lists[0];
    if (here.size() <= 1) return;
    std::vector<std::uint64_t> above;
    for (std::size_t k = 0; k < known.size(); ++k) {
      const std::uint64_t index = known[k];
      above.push_back(index / 2);
      if (index % 2 == 0 && k + 1 < known.size() && known[k + 1] == index + 1) {
        ++k;
      } else if (index % 2 == 1 || index + 1 < here.size()) {
        proof.hashes.push_back(here[index ^ 1]);
      }
    }
    known = std::move(above);
  };
  std::vector<std::vector<Hash32>> lists{std::move(nodes)};
  SPARKMILL_ASSIGN(const std::vector<Root> root, fold(tree, std::move(lists), level, take_siblings));
  proof.root = root[0].hash;
  return proof;
}

}  // namespace sparkmill::merkle
