// SPDX-License-Identifier: Apache-2.0
// Merkle trees of the three shapes, many at once and tree by tree; ECVRF proofs; MuSig2 keys and signatures. Peers: the
// same trees on OpenSSL, the same aggregate on libsecp256k1; no library of Debian has ECVRF.
#include "base/hash.h"
#include "bench/blocks/blocks.h"
#include "bench/blocks/peer_kernels.h"
#include "bench/blocks/whole.h"
#include "bench/kernels/signature_rows.h"
#include "verify/merkle/trees.h"
#include "verify/signatures/batch.h"
#include "verify/signatures/ecvrf.h"
#include "verify/signatures/musig2.h"
#include "verify/signatures/signers/generate.h"

namespace sparkmill::bench {
namespace {

using kernels::Family;
using merkle::Tree;

constexpr std::size_t kLeaves = 16384;  ///< of all trees together
constexpr std::size_t kProofs = 256;
constexpr std::size_t kPeerShare = 16;

// -- Merkle

struct Forest {
  std::vector<std::vector<Hash32>> leaves;
  std::vector<Hash32> roots;
  std::vector<merkle::Proof> proofs;
};
/// Roots by the portable row, which is not what is timed; they tell whether the proofs are right, too.
Result<Forest> forest(Tree tree, std::size_t leaves, bool proofs, hashes::Kernel& portable, hashes::Kernel& fast) {
  Forest out;
  ChaChaWords words(sha256(view("bench merkle")));
  for (std::size_t t = 0; t < kLeaves / leaves; ++t) {
    auto& list = out.leaves.emplace_back(leaves);
    for (Hash32& leaf : list) {
      for (std::uint8_t& byte : leaf) byte = static_cast<std::uint8_t>(words.u32());
    }
  }
  SPARKMILL_ASSIGN(const auto roots, merkle::roots(tree, out.leaves, portable, {}));
  for (const merkle::Root& root : roots) out.roots.push_back(root.hash);
  for (std::size_t k = 0; proofs && k < kProofs; ++k) {
    const std::size_t t = k % out.leaves.size();
    SPARKMILL_ASSIGN(merkle::Proof proof, merkle::prove(tree, out.leaves[t], k * 7 % leaves, fast, {}));
    proof.root = out.roots[t];
    out.proofs.push_back(std::move(proof));
  }
  return out;
}

/// Roots of the first `count` trees, `at_once` in a call. `same`: digests are those of the tree's hash.
WholeLoad roots_load(const Forest& all, Tree tree, std::size_t count, std::size_t at_once, hashes::Kernel& hash,
                     bool same, std::vector<merkle::Root>& roots) {
  const double leaves = static_cast<double>(count * all.leaves.front().size());
  return {{{"trees", static_cast<double>(count)}, {"leaves", leaves}},
          [=, &all, &hash, &roots]() -> Done {
            roots.clear();
            for (std::size_t at = 0; at < count; at += at_once) {
              SPARKMILL_ASSIGN(const auto some,
                               merkle::roots(tree, std::span(all.leaves).subspan(at, at_once), hash, {}));
              roots.insert(roots.end(), some.begin(), some.end());
            }
            return done();
          },
          [=, &all, &roots] {
            bool good = roots.size() == count;
            for (std::size_t i = 0; same && i < roots.size(); ++i) good &= roots[i].hash == all.roots[i];
            return good;
          }};
}

WholeLoad proofs_load(const Forest& all, Tree tree, std::size_t count, std::size_t at_once, hashes::Kernel& hash,
                      bool same, Bytes& verdicts) {
  return {{{"proofs", static_cast<double>(count)}},
          [=, &all, &hash, &verdicts]() -> Done {
            verdicts.clear();
            for (std::size_t at = 0; at < count; at += at_once) {
              SPARKMILL_ASSIGN(const Bytes some,
                               merkle::check(tree, std::span(all.proofs).subspan(at, at_once), hash, {}));
              verdicts.insert(verdicts.end(), some.begin(), some.end());
            }
            return done();
          },
          [=, &verdicts] {
            bool good = verdicts.size() == count;
            for (const std::uint8_t v : verdicts) good &= !same || v == 1;
            return good;
          }};
}

void run_trees(benchmark::State& state, const std::string& id, Tree tree, std::size_t leaves, bool proofs) {
  const auto ours = best<hashes::Kernel>(Family::hash), portable = best<hashes::Kernel>(Family::hash, "reference");
  for (const auto* made : {&ours, &portable}) {
    if (!*made) return give_up(state, id, made->error().message, false);
  }
  const auto all = forest(tree, leaves, proofs, *portable->kernel, *ours->kernel);
  if (!all) return give_up(state, id, all.error().message, false);
  const auto openssl = openssl_hash();
  const bool same = tree != Tree::keccak256_sorted_pairs;  // SHA3-256 stands for Keccak-256 there
  if (proofs) {
    const std::size_t count = all->proofs.size(), few = count / kPeerShare;
    Bytes a, b, c;
    return run_whole(state, id, proofs_load(*all, tree, count, count, *ours->kernel, true, a),
                     {{"one_by_one", proofs_load(*all, tree, few, 1, *ours->kernel, true, b)},
                      {"openssl", proofs_load(*all, tree, few, 1, *openssl, same, c)}});
  }
  const std::size_t trees = all->roots.size(), few = std::max<std::size_t>(trees / kPeerShare, 1);
  std::vector<merkle::Root> a, b, c;
  run_whole(state, id, roots_load(*all, tree, trees, trees, *ours->kernel, true, a),
            {{"one_by_one", roots_load(*all, tree, few, 1, *ours->kernel, true, b)},
             {"openssl", roots_load(*all, tree, few, 1, *openssl, same, c)}});
}

// -- ECVRF

void run_vrf(benchmark::State& state, const std::string& id, signatures::VrfSuite suite) {
  constexpr std::size_t kCount = 64;
  struct Proof {
    signatures::VrfKey key;
    signatures::VrfProof proof;
    Hash32 alpha;
  };
  std::vector<Proof> proofs;
  for (std::size_t i = 0; i < kCount; ++i) {
    Hash32 secret{3};
    secret[1] = static_cast<std::uint8_t>(i);
    const Hash32 alpha = sha256(secret);
    const auto proof = signatures::vrf_prove(suite, secret, alpha);
    if (!proof) return give_up(state, id, proof.error().message, false);
    proofs.push_back({signatures::vrf_public_key(secret), *proof, alpha});
    if (i % 16 == 5) proofs.back().alpha[0] ^= 1;
  }
  std::vector<bool> valid(kCount);
  run_whole(state, id,
            {{{"proofs", static_cast<double>(kCount)}},
             [&]() -> Done {
               for (std::size_t i = 0; i < kCount; ++i) {
                 const Proof& p = proofs[i];
                 valid[i] = signatures::vrf_verify_vartime(suite, p.key, p.proof, p.alpha).has_value();
               }
               return done();
             },
             [&] {
               bool good = true;
               for (std::size_t i = 0; i < kCount; ++i) good &= valid[i] == (i % 16 != 5);
               return good;
             }},
            {});
}

// -- MuSig2

void run_musig2(benchmark::State& state, const std::string& id, std::size_t signers) {
  constexpr std::size_t kAggregates = 64, kPeerAggregates = 4;
  // Any points do for keys: what is timed is KeyAgg, which knows no secret.
  const auto points = signatures::generate(**signatures::form_named("ecdsa", "compressed_der_low_s"),
                                           signers + kAggregates, {Hash32{5}, 0, 32});
  if (!points) return give_up(state, id, points.error().message, false);
  const signatures::Items items = points->items.view();
  std::vector<std::vector<signatures::PlainKey>> lists(kAggregates);
  for (std::size_t a = 0; a < kAggregates; ++a) {
    for (std::size_t k = 0; k < signers; ++k) {
      signatures::PlainKey& key = lists[a].emplace_back();
      std::copy_n(items.keys.begin() + static_cast<std::ptrdiff_t>((a + k) * key.size()), key.size(), key.begin());
    }
  }
  const auto row = best<secp256k1::Kernel>(Family::secp256k1);
  if (!row) return give_up(state, id, row.error().message, false);
  std::vector<std::optional<Hash32>> ours;
  std::vector<Hash32> theirs(kPeerAggregates);
  const auto units = [&](std::size_t count) {
    return std::vector<std::pair<std::string, double>>{{"aggregates", static_cast<double>(count)},
                                                       {"keys", static_cast<double>(count * signers)}};
  };
  const WholeLoad load{units(kAggregates),
                       [&]() -> Done {
                         SPARKMILL_ASSIGN(ours, signatures::aggregate_x_only(lists, *row->kernel, {}));
                         return done();
                       },
                       [&] {
                         bool good = true;
                         for (std::size_t a = 0; a < kAggregates; ++a) {
                           const auto slow = a < kPeerAggregates ? signatures::aggregate_keys(lists[a])
                                                                 : Result<signatures::AggregateKey>(Error{});
                           good &= ours[a].has_value() && (!slow || slow->x_only() == ours[a]);
                         }
                         return good;
                       }};
  // The peer's factors are hashed before: products and sum are timed.
  std::vector<Bytes> flat(kPeerAggregates), factors(kPeerAggregates);
  for (std::size_t a = 0; a < kPeerAggregates; ++a) {
    for (const auto& key : lists[a]) {
      const auto factor = signatures::key_coefficient(lists[a], key);
      flat[a].insert(flat[a].end(), key.begin(), key.end());
      factors[a].insert(factors[a].end(), factor.begin(), factor.end());
    }
  }
  std::vector<WholePeer> peers;
  if (libsecp256k1() != nullptr) {
    peers.push_back({"libsecp256k1",
                     {units(kPeerAggregates),
                      [&]() -> Done {
                        for (std::size_t a = 0; a < kPeerAggregates; ++a) {
                          if (!libsecp256k1_weighted_sum(flat[a], factors[a], theirs[a])) {
                            return fail(Status::internal, "libsecp256k1 refuses a key");
                          }
                        }
                        return done();
                      },
                      [&] { return std::equal(theirs.begin(), theirs.end(), ours.begin()); }}});
  }
  run_whole(state, id, load, peers);
}

}  // namespace

void register_proofs() {
  const std::string trees = "merkle/" + best_name(Family::hash) + "/";
  for (const Tree tree : merkle::kTrees) {
    for (const std::size_t leaves : {16u, 256u}) {
      const std::string tail = std::string(merkle::name(tree)) + "/leaves:" + std::to_string(leaves);
      add_rows(trees + "roots/" + tail,
               [=](benchmark::State& state) { run_trees(state, trees + "roots/" + tail, tree, leaves, false); });
      if (leaves == 16) continue;
      add_rows(trees + "proofs/" + tail,
               [=](benchmark::State& state) { run_trees(state, trees + "proofs/" + tail, tree, leaves, true); });
    }
  }
  for (const auto suite : {signatures::VrfSuite::tai, signatures::VrfSuite::ell2}) {
    const std::string id = std::string("ecvrf/host/") + (suite == signatures::VrfSuite::tai ? "tai" : "ell2");
    add_rows(id, [=](benchmark::State& state) { run_vrf(state, id, suite); });
  }
  for (const std::size_t signers : {3u, 64u}) {
    const std::string id = "musig2/" + best_name(Family::secp256k1) + "/aggregate/keys:" + std::to_string(signers);
    add_rows(id, [=](benchmark::State& state) { run_musig2(state, id, signers); });
  }
}

}  // namespace sparkmill::bench
