// SPDX-License-Identifier: Apache-2.0
// Jobs, leaves, challenges and frames byte for byte as an independent Python oracle computes them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"
#include "base/hex.h"
#include "tests/verify/support.h"
#include "verify/merkle/merkle.h"

namespace sparkmill {
namespace {

using nlohmann::json;

const json& document() {
  static const json d = [] {
    const auto text = read_text_file(SPARKMILL_SOURCE_DIR "/tests/vectors/match_job.json", 1u << 20);
    EXPECT_TRUE(text.ok());
    return json::parse(*text);
  }();
  return d;
}

Bytes bytes_of(const json& value) { return *from_hex(value.get<std::string>()); }

template <std::size_t N = 32>
std::array<std::uint8_t, N> array_of(const json& value) {
  return *array_from_hex<N>(value.get<std::string>());
}

std::vector<std::uint64_t> numbers_of(const json& values) {
  std::vector<std::uint64_t> out;
  for (const json& v : values)
    out.push_back(v.is_string() ? std::stoull(v.get<std::string>()) : v.get<std::uint64_t>());
  return out;
}

/// A vector's job, opened over its files for its lease.
struct Case {
  explicit Case(const json& c) : v(c), key(keys::KeyFile::from_seed(array_of(c["key_file_seed"])).role("envelope")) {
    for (const json& file : v["files"]) blobs.add(bytes_of(file));
    job = *job::decode(bytes_of(v["job"]));
    work = std::move(*job::open(job, blobs, job::Binding::to_lease(array_of<16>(v["lease_id"]), key.public_key())));
    outcome = testing::outcome_of(*work);
  }
  proof::Envelope frame(proof::EnvelopeKind kind, Bytes body) const {
    return {kind, array_of(v["node_pub"]), job.id, array_of<16>(v["lease_id"]), {}, std::move(body)};
  }
  const json& v;
  keys::SigningKey key;
  job::MemoryBlobs blobs;
  job::Job job;
  std::unique_ptr<job::Work> work;
  job::Outcome outcome;
};

class ProofVectors : public ::testing::TestWithParam<std::size_t> {
 protected:
  Case c_{document()["cases"][GetParam()]};
};

TEST_P(ProofVectors, JobAndKeys) {
  EXPECT_EQ(job::canonical(c_.job), bytes_of(c_.v["canonical"]));
  EXPECT_EQ(to_hex(c_.job.id), c_.v["job_id"]);
  EXPECT_EQ(to_hex(c_.key.public_key()), c_.v["worker_pub"]);
  EXPECT_EQ(c_.work->units(), c_.v["units"].get<std::uint64_t>());
  const auto params = job::decode_match_params(c_.job.params);
  ASSERT_TRUE(params.ok());
  EXPECT_EQ(job::encode_match_params(*params), c_.job.params);
  const auto words = match::expand_digest_words(array_of(c_.v["digest_key"]), params->requests, params->users);
  for (std::size_t i = 0; i < c_.v["row_words"].size(); ++i) {
    EXPECT_EQ(words.row[i], c_.v["row_words"][i].get<std::uint32_t>());
  }
  const std::vector<std::uint64_t> columns = numbers_of(c_.v["column_words"]);
  for (std::size_t j = 0; j < columns.size(); ++j) EXPECT_EQ(words.column[j], columns[j]);
}

TEST_P(ProofVectors, LeavesAnswerRoot) {
  ASSERT_EQ(c_.outcome.leaves.size(), c_.v["leaves"].size());
  for (std::size_t i = 0; i < c_.outcome.leaves.size(); ++i) EXPECT_EQ(to_hex(c_.outcome.leaves[i]), c_.v["leaves"][i]);
  EXPECT_EQ(to_hex(c_.outcome.answer), c_.v["answer"]);
  EXPECT_EQ(to_hex(merkle::root(c_.outcome.leaves)), c_.v["root"]);
  EXPECT_GE(c_.v["pairs"].get<int>(), 3);
}

TEST_P(ProofVectors, ChallengeFramesAndFileProof) {
  const proof::Commit commit = testing::commit_of(c_.outcome);
  const Hash32 seed = proof::challenge_seed(array_of(c_.v["beacons"][0]), array_of(c_.v["beacons"][1]), c_.job.id,
                                            array_of<16>(c_.v["lease_id"]), c_.key.public_key(), commit.root);
  EXPECT_EQ(to_hex(seed), c_.v["challenge_seed"]);
  const auto indices = proof::challenge_indices(seed, commit.leaf_count, c_.v["k"].get<std::uint32_t>());
  EXPECT_EQ(indices, numbers_of(c_.v["indices"]));
  const Bytes opening = *proof::make_opening(*c_.work, c_.outcome, indices);
  EXPECT_EQ(to_hex(proof::encode(c_.frame(proof::EnvelopeKind::commit, proof::encode(commit)), c_.key)),
            c_.v["commit_envelope"]);
  EXPECT_EQ(to_hex(proof::encode(c_.frame(proof::EnvelopeKind::opening, opening), c_.key)), c_.v["opening_envelope"]);
  const Bytes file = *proof::make_file_proof(*c_.work, c_.outcome);
  EXPECT_EQ(to_hex(file), c_.v["file_proof"]);
  const Hash32 day = array_of(c_.v["day_secret"]);
  const Hash32 beacon = array_of(c_.v["beacons"][0]);
  const std::string name = c_.v["unit_name"];
  EXPECT_EQ(to_hex(proof::verifier_seed(day, sha256(file), name, nullptr)), c_.v["verifier_seed"]);
  EXPECT_EQ(to_hex(proof::verifier_seed(day, sha256(file), name, &beacon)), c_.v["verifier_seed_with_beacon"]);
}

TEST_P(ProofVectors, TheOraclesProofIsAccepted) {
  const auto commit_frame = proof::decode(bytes_of(c_.v["commit_envelope"]), 1u << 20);
  const auto opening_frame = proof::decode(bytes_of(c_.v["opening_envelope"]), 1u << 20);
  ASSERT_TRUE(commit_frame.ok());
  ASSERT_TRUE(opening_frame.ok());
  job::InlineExecutor executor = testing::cpu_executor();
  const auto verdict = proof::check(*c_.work, *proof::decode_commit(commit_frame->body), numbers_of(c_.v["indices"]),
                                    opening_frame->body, executor);
  ASSERT_TRUE(verdict.ok());
  EXPECT_TRUE(verdict->accepted) << verdict->reason << " " << verdict->detail;
}

INSTANTIATE_TEST_SUITE_P(All, ProofVectors, ::testing::Range(std::size_t{0}, std::size_t{3}));

TEST(DrawVectors, SameIndices) {
  ASSERT_EQ(document()["cases"].size(), 3u);
  ASSERT_GE(document()["draws"].size(), 5u);
  for (const json& d : document()["draws"]) {
    EXPECT_EQ(proof::challenge_indices(array_of(d["seed"]), std::stoull(d["leaves"].get<std::string>()),
                                       d["k"].get<std::uint32_t>()),
              numbers_of(d["indices"]))
        << d["leaves"];
  }
}

}  // namespace
}  // namespace sparkmill
