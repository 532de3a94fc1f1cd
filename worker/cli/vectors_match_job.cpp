// SPDX-License-Identifier: Apache-2.0
// Vector files of match jobs: job, leaves, answer, challenge, opening and file proof, byte for byte, on every kernel
// row.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "verify/job/match_h.h"
#include "verify/merkle/merkle.h"
#include "verify/proof/proof.h"
#include "worker/cli/vector_formats.h"

namespace sparkmill::cli {

namespace {

using Json = nlohmann::json;

Result<Bytes> hex_of(const Json& c, const char* key) { return from_hex(c.at(key).get_ref<const std::string&>(), key); }

template <std::size_t N>
Result<std::array<std::uint8_t, N>> array_of(const Json& c, const char* key) {
  return array_from_hex<N>(c.at(key).get_ref<const std::string&>(), key);
}

/// A case's job, opened over its files for its lease.
struct Case {
  std::string name;
  const Json* json = nullptr;
  job::MemoryBlobs blobs;
  job::Job job;
  Id16 lease{};
  keys::PublicKey worker{};
  std::unique_ptr<job::Work> work;
};

Result<std::unique_ptr<Case>> open_case(const Json& j) {
  auto c = std::make_unique<Case>();
  c->name = j.at("name").get<std::string>();
  c->json = &j;
  for (const Json& file : j.at("files")) {
    SPARKMILL_ASSIGN(Bytes bytes, from_hex(file.get_ref<const std::string&>(), "files"));
    c->blobs.add(std::move(bytes));
  }
  SPARKMILL_ASSIGN(const Bytes job_bytes, hex_of(j, "job"));
  SPARKMILL_ASSIGN(c->job, job::decode(job_bytes));
  SPARKMILL_ASSIGN(c->lease, array_of<16>(j, "lease_id"));
  SPARKMILL_ASSIGN(c->worker, array_of<32>(j, "worker_pub"));
  SPARKMILL_ASSIGN(c->work, job::open(c->job, c->blobs, job::Binding::to_lease(c->lease, c->worker)));
  return c;
}

/// The first thing that differs; empty: all is equal. Errors: kernel and file errors.
Result<std::string> run_case(const Case& c, kernels::Kernel& kernel) {
  const Json& j = *c.json;
  std::vector<Bytes> results;
  for (const job::Slice& slice : c.work->slice(1)) {
    SPARKMILL_ASSIGN(Bytes bytes, c.work->run(slice, kernel, StopToken()));
    results.push_back(std::move(bytes));
  }
  SPARKMILL_ASSIGN(const job::Outcome outcome, c.work->assemble(results));
  SPARKMILL_TRY(c.work->recheck(outcome));
  std::vector<std::string> leaves;
  for (const Hash32& leaf : outcome.leaves) leaves.push_back(to_hex(leaf));
  if (leaves != j.at("leaves").get<std::vector<std::string>>()) return std::string("leaves differ");
  if (to_hex(outcome.answer) != j.at("answer").get<std::string>()) return std::string("answer differs");
  const Hash32 root = merkle::root(outcome.leaves);
  if (to_hex(root) != j.at("root").get<std::string>()) return std::string("root differs");
  SPARKMILL_ASSIGN(const Bytes proof, proof::make_file_proof(*c.work, outcome));
  if (to_hex(proof) != j.at("file_proof").get<std::string>()) return std::string("file proof differs");
  SPARKMILL_ASSIGN(const Hash32 beacon2, array_from_hex<32>(j.at("beacons").at(0).get_ref<const std::string&>()));
  SPARKMILL_ASSIGN(const Hash32 beacon3, array_from_hex<32>(j.at("beacons").at(1).get_ref<const std::string&>()));
  const Hash32 seed = proof::challenge_seed(beacon2, beacon3, c.job.id, c.lease, c.worker, root);
  const auto indices = proof::challenge_indices(seed, outcome.leaves.size(), j.at("k").get<std::uint32_t>());
  if (indices != j.at("indices").get<std::vector<std::uint64_t>>()) return std::string("challenge differs");
  SPARKMILL_ASSIGN(const Bytes expected, hex_of(j, "opening_envelope"));
  SPARKMILL_ASSIGN(const proof::Envelope envelope, proof::decode(expected, expected.size()));
  SPARKMILL_ASSIGN(const Bytes opening, proof::make_opening(*c.work, outcome, indices));
  return std::string(opening == envelope.body ? "" : "opening differs");
}

VectorResult draw_results(const Json& draws) {
  VectorResult result{"challenge draws", 0, 0, 0, {}};
  for (const Json& d : draws) {
    const auto leaves = d.at("leaves").get<std::string>();
    const auto seed = array_of<32>(d, "seed");
    std::vector<std::uint64_t> expected;
    for (const Json& v : d.at("indices")) {
      expected.push_back(v.is_string() ? std::strtoull(v.get_ref<const std::string&>().c_str(), nullptr, 10)
                                       : v.get<std::uint64_t>());
    }
    const bool equal = seed.ok() && proof::challenge_indices(*seed, std::strtoull(leaves.c_str(), nullptr, 10),
                                                             d.at("k").get<std::uint32_t>()) == expected;
    count_case(result, leaves + " leaves", equal ? "" : "indices differ");
  }
  return result;
}

}  // namespace

Result<std::vector<VectorResult>> run_match_job_vectors(const Json& root, const VectorContext& context) {
  std::vector<std::unique_ptr<Case>> cases;
  for (const Json& j : root.at("cases")) {
    auto c = open_case(j);
    if (!c) return fail(Status::bad_input, "case " + std::to_string(cases.size()) + ": " + c.error().message);
    cases.push_back(std::move(*c));
  }
  std::vector<VectorResult> results =
      on_rows(kernels::Family::match, context, static_cast<unsigned>(cases.size()),
              [&](kernels::Kernel& kernel, const std::string& name) {
                VectorResult result{name, 0, 0, 0, {}};
                for (const auto& c : cases) {
                  const auto difference = run_case(*c, kernel);
                  count_case(result, c->name, difference ? *difference : difference.error().message);
                }
                return result;
              });
  results.push_back(draw_results(root.at("draws")));
  return results;
}

}  // namespace sparkmill::cli
