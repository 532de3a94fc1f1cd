// SPDX-License-Identifier: Apache-2.0
// Vector files of Merkle proofs: tree, leaf, steps and root, on every row of the hash family, each case twice: by the
// bare rule, and bound to the place it names. A bound proof must be refused where the file says that the bare rule
// takes an inner node for a leaf.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "verify/merkle/trees.h"
#include "worker/cli/vector_formats.h"

namespace sparkmill::cli {
namespace {

using Json = nlohmann::json;
using merkle::Proof;
using merkle::Tree;

struct Case {
  std::string name;
  Proof bare;
  Proof bound;
  bool valid = false;
  std::optional<bool> bound_valid;  ///< none: the file does not tell
  bool sized = true;                ///< every hash has 32 bytes; others lead nowhere
};

/// Reads a hash; of another size, `one` is refused without a look.
Result<Hash32> hash_at(const Json& text, const char* what, Case& one) {
  SPARKMILL_ASSIGN(const Bytes bytes, from_hex(text.get_ref<const std::string&>(), what));
  Hash32 hash{};
  one.sized = one.sized && bytes.size() == hash.size();
  if (one.sized) std::copy(bytes.begin(), bytes.end(), hash.begin());
  return hash;
}

Result<Proof> proof_of(const Json& c, Tree tree, Case& one) {
  Proof proof;
  SPARKMILL_ASSIGN(proof.leaf, hash_at(c.at("leaf"), "leaf", one));
  SPARKMILL_ASSIGN(proof.root, hash_at(c.at("root"), "root", one));
  const Json& steps = c.at("proof");
  if (!steps.is_array()) return fail(Status::bad_input, "proof is no list");
  for (const Json& step : steps) {
    const bool sided = step.is_array();
    if (!sided && tree != Tree::keccak256_sorted_pairs)
      return fail(Status::bad_input, "a step of the proof has no side");
    if (sided && step.size() != 2) return fail(Status::bad_input, "a step of the proof is a side and a hash");
    SPARKMILL_ASSIGN(const Hash32 hash, hash_at(sided ? step.at(1) : step, "proof", one));
    const std::string side = sided ? step.at(0).get<std::string>() : "R";
    if (side != "L" && side != "R") return fail(Status::bad_input, "side '" + side.substr(0, 40) + "', not L or R");
    proof.steps.push_back({side == "L" ? merkle::Side::left : merkle::Side::right, hash});
  }
  return proof;
}

VectorResult run_tree(hashes::Kernel& kernel, const std::string& row, const std::vector<std::vector<Case>>& by_tree) {
  VectorResult result{row, 0, 0, 0, {}};
  for (std::size_t t = 0; t < by_tree.size(); ++t) {
    std::vector<Proof> proofs;
    for (const Case& c : by_tree[t]) proofs.push_back(c.bare);
    for (const Case& c : by_tree[t]) proofs.push_back(c.bound);
    const auto verdicts = merkle::check(merkle::kTrees[t], proofs, kernel, StopToken());
    for (std::size_t i = 0; i < by_tree[t].size(); ++i) {
      const Case& c = by_tree[t][i];
      std::string difference;
      if (!verdicts) {
        difference = verdicts.error().message;
      } else if ((c.sized && (*verdicts)[i] != 0) != c.valid) {
        difference = c.valid ? "refused" : "accepted";
      } else if (c.sized && c.bound_valid && ((*verdicts)[by_tree[t].size() + i] != 0) != *c.bound_valid) {
        difference = *c.bound_valid ? "refused at its place" : "accepted at a place where no leaf stands";
      }
      count_case(result, c.name, difference);
    }
  }
  return result;
}

}  // namespace

Result<std::vector<VectorResult>> run_merkle_vectors(const Json& root, const VectorContext& context) {
  std::vector<std::vector<Case>> by_tree(merkle::kTrees.size());
  unsigned count = 0;
  SPARKMILL_TRY(each_case(root, [&](const Json& c, const std::string& name) -> Done {
    const auto tree_name = c.at("tree").get<std::string>();
    const auto tree = merkle::tree_named(tree_name);
    if (!tree) return fail(Status::bad_input, "unknown tree '" + tree_name.substr(0, 40) + "'");
    Case one{tree_name + " " + name, {}, {}, c.at("valid").get<bool>(), std::nullopt, true};
    ++count;
    SPARKMILL_ASSIGN(one.bare, proof_of(c, *tree, one));
    one.bound = one.bare;
    one.bound.place = {c.at("index").get<std::uint64_t>(), c.at("n").get<std::uint64_t>()};
    const auto& why = c.at("why").get_ref<const std::string&>();
    const bool inner = why.find("INNER NODE") != std::string::npos;
    if (!one.valid || why == "valid") one.bound_valid = one.valid;
    const merkle::Place& place = *one.bound.place;
    if (inner && (place.index >= place.count || one.bare.steps.size() != merkle::sides(*tree, place).size())) {
      one.bound_valid = false;
    }
    by_tree[static_cast<std::size_t>(*tree)].push_back(std::move(one));
    return done();
  }));
  return on_rows(kernels::Family::hash, context, count, [&](kernels::Kernel& kernel, const std::string& name) {
    return run_tree(dynamic_cast<hashes::Kernel&>(kernel), name, by_tree);
  });
}

}  // namespace sparkmill::cli
