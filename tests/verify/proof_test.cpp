// SPDX-License-Identifier: Apache-2.0
// Envelope, commit, challenge, opening and file proof: round trips, every kind of damage, and a verdict for each lie.
#include "verify/proof/proof.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "base/hash.h"
#include "tests/verify/support.h"
#include "verify/merkle/merkle.h"

namespace sparkmill::proof {
namespace {

using ::testing::HasSubstr;
using testing::id_of;
using testing::Sample;
using testing::seed_of;

keys::SigningKey envelope_key(std::string_view who = "worker") {
  return keys::KeyFile::from_seed(seed_of(who)).role("envelope");
}

Envelope some_envelope() {
  Envelope e;
  e.kind = EnvelopeKind::opening;
  e.node_pub = seed_of("node");
  e.job_id = id_of("job");
  e.lease_id = id_of("lease");
  e.body = {9, 8, 7, 6, 5};
  return e;
}

TEST(EnvelopeTest, RoundTrip) {
  const keys::SigningKey key = envelope_key();
  const Bytes bytes = encode(some_envelope(), key);
  EXPECT_EQ(bytes.size(), kEnvelopeOverhead + 5);
  EXPECT_EQ(bytes, encode(some_envelope(), key));
  const auto back = decode(bytes, 5);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->kind, EnvelopeKind::opening);
  EXPECT_EQ(back->node_pub, some_envelope().node_pub);
  EXPECT_EQ(back->job_id, some_envelope().job_id);
  EXPECT_EQ(back->lease_id, some_envelope().lease_id);
  EXPECT_EQ(back->worker_pub, key.public_key());
  EXPECT_EQ(back->body, some_envelope().body);
}

TEST(EnvelopeTest, EveryFlippedByteAndEveryLengthIsRefused) {
  const Bytes bytes = encode(some_envelope(), envelope_key());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    Bytes bad = bytes;
    bad[at] ^= 0x01;
    const auto e = decode(bad, 1000);
    ASSERT_FALSE(e.ok()) << at;
    EXPECT_TRUE(e.status() == Status::bad_input || e.status() == Status::refused) << at;
    EXPECT_EQ(decode(ByteView(bytes).first(at), 1000).status(), Status::bad_input) << at;
  }
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_EQ(decode(longer, 1000).status(), Status::bad_input);
}

TEST(EnvelopeTest, LimitsAndNames) {
  const Bytes bytes = encode(some_envelope(), envelope_key());
  const auto big = decode(bytes, 4);
  ASSERT_FALSE(big.ok());
  EXPECT_THAT(big.error().message, HasSubstr("at most 4"));
  const auto field = [&](std::size_t at, std::uint8_t value) {
    Bytes bad = bytes;
    bad[at] = value;
    return decode(bad, 1000).error().message;
  };
  EXPECT_THAT(field(0, 'X'), HasSubstr("SMP1"));
  EXPECT_THAT(field(4, 5), HasSubstr("kind 5"));
  EXPECT_THAT(field(4, 0), HasSubstr("kind 0"));
  EXPECT_THAT(field(6, 2), HasSubstr("version 2"));
}

TEST(CommitTest, RoundTripAndDamage) {
  const Commit commit{seed_of("root"), 77, {1, 2, 3}};
  const Bytes bytes = encode(commit);
  const auto back = decode_commit(bytes);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->root, commit.root);
  EXPECT_EQ(back->leaf_count, 77u);
  EXPECT_EQ(back->answer, commit.answer);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_commit(ByteView(bytes).first(size)).ok());
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(decode_commit(longer).ok());
}

TEST(Challenge, DistinctSortedAndFirstOfTheStream) {
  const Hash32 seed = seed_of("seed");
  const auto some = challenge_indices(seed, 1000, 128);
  EXPECT_EQ(some.size(), 128u);
  EXPECT_TRUE(std::is_sorted(some.begin(), some.end()));
  EXPECT_EQ(std::set<std::uint64_t>(some.begin(), some.end()).size(), 128u);
  EXPECT_LT(some.back(), 1000u);
  // A smaller k is a prefix of the same draw.
  const auto fewer = challenge_indices(seed, 1000, 64);
  EXPECT_TRUE(std::includes(some.begin(), some.end(), fewer.begin(), fewer.end()));
  // By hand: u64 words of the stream, a word from the incomplete last block of residues on is dropped.
  std::set<std::uint64_t> by_hand;
  for (std::uint64_t word = 0; by_hand.size() < 128; ++word) {
    std::array<std::uint8_t, 8> b{};
    chacha20_stream(seed, 0, word * 8, b);
    std::uint64_t x = 0;
    std::memcpy(&x, b.data(), 8);
    if (x < ~std::uint64_t{0} / 1000 * 1000) by_hand.insert(x % 1000);
  }
  EXPECT_EQ(some, std::vector<std::uint64_t>(by_hand.begin(), by_hand.end()));
}

TEST(Challenge, AllLeavesWhenThereAreFew) {
  const std::vector<std::uint64_t> all{0, 1, 2, 3, 4};
  EXPECT_EQ(challenge_indices(seed_of("s"), 5, 128), all);
  EXPECT_EQ(challenge_indices(seed_of("s"), 5, 5), all);
  EXPECT_EQ(challenge_indices(seed_of("s"), 5, 4).size(), 4u);
  EXPECT_TRUE(challenge_indices(seed_of("s"), 0, 4).empty());
  EXPECT_TRUE(challenge_indices(seed_of("s"), 9, 0).empty());
}

TEST(Challenge, UniformEnough) {
  std::vector<int> hits(50);
  for (int t = 0; t < 5000; ++t) {
    for (const std::uint64_t i : challenge_indices(seed_of(std::to_string(t)), 50, 10)) ++hits[i];
  }
  for (const int h : hits) EXPECT_NEAR(h, 1000, 150);  // 5 standard deviations
}

TEST(Challenge, EveryPartOfTheSeedMatters) {
  const Hash32 a = seed_of("a");
  const Hash32 b = seed_of("b");
  const std::set<Hash32> seeds{
      challenge_seed(a, a, id_of("a"), id_of("a"), a, a), challenge_seed(b, a, id_of("a"), id_of("a"), a, a),
      challenge_seed(a, b, id_of("a"), id_of("a"), a, a), challenge_seed(a, a, id_of("b"), id_of("a"), a, a),
      challenge_seed(a, a, id_of("a"), id_of("b"), a, a), challenge_seed(a, a, id_of("a"), id_of("a"), b, a),
      challenge_seed(a, a, id_of("a"), id_of("a"), a, b)};
  EXPECT_EQ(seeds.size(), 7u);
  const std::set<Hash32> draws{verifier_seed(a, a, "unit_1", nullptr), verifier_seed(b, a, "unit_1", nullptr),
                               verifier_seed(a, b, "unit_1", nullptr), verifier_seed(a, a, "unit_2", nullptr),
                               verifier_seed(a, a, "unit_1", &a)};
  EXPECT_EQ(draws.size(), 5u);
}

/// One computed job, shared by the cases below.
struct Proven {
  Sample sample{{}, "proof"};
  job::Outcome outcome = testing::outcome_of(*sample.work);
  Commit commit = testing::commit_of(outcome);
  std::vector<std::uint64_t> indices = challenge_indices(seed_of("challenge"), outcome.leaves.size(), 5);
  Bytes opening = *make_opening(*sample.work, outcome, indices);
  job::InlineExecutor executor = testing::cpu_executor();

  Verdict verdict(const Commit& c, ByteView o) {
    const auto v = check(*sample.work, c, indices, o, executor);
    EXPECT_TRUE(v.ok());
    return v.ok() ? *v : Verdict{};
  }
};
Proven& proven() {
  static Proven p;
  return p;
}

TEST(Check, HonestWorkIsAccepted) {
  const Verdict v = proven().verdict(proven().commit, proven().opening);
  EXPECT_TRUE(v.accepted) << v.detail;
  EXPECT_EQ(v.reason, "accepted");
}

TEST(Check, EachLieHasItsVerdict) {
  Proven& p = proven();
  Commit c = p.commit;
  c.root[3] ^= 1;
  EXPECT_EQ(p.verdict(c, p.opening).reason, "root_mismatch");
  c = p.commit;
  ++c.leaf_count;
  EXPECT_EQ(p.verdict(c, p.opening).reason, "leaf_count");
  c.leaf_count = 0;
  EXPECT_EQ(p.verdict(c, p.opening).reason, "leaf_count");
  Bytes o = p.opening;
  o[4] ^= 1;  // first digest
  const Verdict leaf = p.verdict(p.commit, o);
  EXPECT_EQ(leaf.reason, "leaf_mismatch");
  EXPECT_THAT(leaf.detail, HasSubstr("digest"));
  o = p.opening;
  o[4 + 8] ^= 1;  // first count
  EXPECT_THAT(p.verdict(p.commit, o).detail, HasSubstr("counted"));
  o = p.opening;
  o.back() ^= 1;  // a sibling hash
  EXPECT_EQ(p.verdict(p.commit, o).reason, "root_mismatch");
}

TEST(Check, AnAnswerThatDiffersFromAnOpenedLeaf) {
  Proven& p = proven();
  std::vector<match::Pair> pairs = *job::decode_pairs(p.commit.answer);
  const auto opened = std::find_if(pairs.begin(), pairs.end(), [&](match::Pair q) {
    return std::binary_search(p.indices.begin(), p.indices.end(), std::uint64_t{q.i / 256} * 4 + q.j / 256);
  });
  ASSERT_NE(opened, pairs.end());
  pairs.erase(opened);
  Commit c = p.commit;
  c.answer = job::encode_pairs(pairs);
  EXPECT_EQ(p.verdict(c, p.opening).reason, "missing_pair");
}

TEST(Check, MalformedOpeningsAreAVerdictNotACrash) {
  Proven& p = proven();
  for (std::size_t size = 0; size < p.opening.size(); ++size) {
    EXPECT_EQ(p.verdict(p.commit, ByteView(p.opening).first(size)).reason, "malformed") << size;
  }
  Bytes o = p.opening;
  o.push_back(0);
  EXPECT_EQ(p.verdict(p.commit, o).reason, "malformed");
  o = p.opening;
  o[0] = o[1] = o[2] = o[3] = 0xff;
  EXPECT_EQ(p.verdict(p.commit, o).reason, "malformed");
  Commit c = p.commit;
  c.answer.pop_back();
  EXPECT_EQ(p.verdict(c, p.opening).reason, "malformed");
  c.answer = {0xff, 0xff, 0xff, 0xff};
  EXPECT_EQ(p.verdict(c, p.opening).reason, "malformed");
}

TEST(Check, ExecutorFailuresAreErrorsNotVerdicts) {
  class Broken final : public job::Executor {
    Done run(const job::Work&, std::span<const job::Slice>, const std::function<Done(const job::Slice&, Bytes)>&,
             const StopToken&) override {
      return fail(Status::no_device, "the card is gone");
    }
  } broken;
  Proven& p = proven();
  EXPECT_EQ(check(*p.sample.work, p.commit, p.indices, p.opening, broken).status(), Status::no_device);
}

TEST(FileProof, RoundTripNamesItsJob) {
  Proven& p = proven();
  const Bytes body = *make_file_proof(*p.sample.work, p.outcome);
  EXPECT_EQ(body, *make_file_proof(*p.sample.work, p.outcome));
  const auto job = file_proof_job(body);
  ASSERT_TRUE(job.ok());
  EXPECT_EQ(job->id, p.sample.job.id);
  for (const std::uint32_t k : {0u, 1u, 5u, 12u, 500u}) {
    const auto v = check_file_proof(*p.sample.work, body, seed_of("draw"), k, p.executor);
    ASSERT_TRUE(v.ok());
    EXPECT_TRUE(v->accepted) << v->detail;
  }
  const Sample other({.requests = 600}, "another");
  EXPECT_EQ(check_file_proof(*other.work, body, seed_of("draw"), 5, p.executor)->reason, "wrong_job");
}

TEST(FileProof, EveryFlippedByteIsCaughtWhenAllIsOpened) {
  Proven& p = proven();
  testing::ReplayExecutor replay(*p.sample.work);
  const Bytes body = *make_file_proof(*p.sample.work, p.outcome);
  std::set<std::string> reasons;
  for (std::size_t at = 0; at < body.size(); ++at) {
    Bytes bad = body;
    bad[at] ^= 0x10;
    const auto v = check_file_proof(*p.sample.work, bad, seed_of("draw"), 12, replay);
    ASSERT_TRUE(v.ok());
    EXPECT_FALSE(v->accepted) << at;
    reasons.insert(v->reason);
    const auto cut = check_file_proof(*p.sample.work, ByteView(body).first(at), seed_of("draw"), 12, replay);
    ASSERT_TRUE(cut.ok());
    EXPECT_EQ(cut->reason, "malformed") << at;
  }
  EXPECT_TRUE(reasons.contains("root_mismatch"));
  EXPECT_TRUE(reasons.contains("malformed"));
}

TEST(FileProof, ACoherentLieIsCaughtByRecomputation) {
  Proven& p = proven();
  // One digest changed and the root made to fit: only opening that tile shows it.
  job::Outcome lie = p.outcome;
  lie.evidence[7 * 12] ^= 1;
  lie = *p.sample.work->rebuild(lie.evidence, lie.answer);
  const Bytes body = *make_file_proof(*p.sample.work, lie);
  const auto all = check_file_proof(*p.sample.work, body, seed_of("draw"), 12, p.executor);
  EXPECT_EQ(all->reason, "leaf_mismatch");
  EXPECT_THAT(all->detail, HasSubstr("tile (1, 3)"));
  // Pairs dropped from the answer but not from the counts.
  ByteWriter w;
  Bytes dropped = *make_file_proof(*p.sample.work, p.outcome);
  dropped.resize(dropped.size() - p.outcome.answer.size() - 4);
  w.bytes(dropped).len_bytes(job::encode_pairs({}));
  EXPECT_EQ(check_file_proof(*p.sample.work, w.data(), seed_of("draw"), 1, p.executor)->reason, "answer_mismatch");
}

}  // namespace
}  // namespace sparkmill::proof
