// SPDX-License-Identifier: Apache-2.0
// Every cheat of the rules, with fixed seeds and its measured rate. The job is real (64 x 64 tiles, real kernel); the
// statistics replay its tiles, so that a thousand checks cost one job, through the same check as everybody's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "base/hash.h"
#include "tests/verify/support.h"
#include "verify/job/match_tiles.h"
#include "verify/job/ringers.h"
#include "verify/merkle/merkle.h"
#include "verify/template/enrol.h"
#include "verify/template/population.h"

namespace sparkmill::proof {
namespace {

using testing::id_of;
using testing::Sample;
using testing::seed_of;

constexpr std::uint32_t kSide = 64;  // tiles
constexpr std::uint64_t kLeaves = kSide * kSide;
constexpr std::size_t kStride = 12;  // one digest and a count
constexpr int kTrials = 1000;

struct World {
  Sample sample{{.requests = kSide * 256, .users = kSide * 256, .n = 64, .twins = 200, .threshold = 46}, "cheats"};
  testing::ReplayExecutor replay{*sample.work};
  job::Outcome truth = testing::outcome_of(*sample.work);
};
World& world() {
  static World w;
  return w;
}

Hash32 beacon(std::string_view name, int trial) { return seed_of(std::string(name) + std::to_string(trial)); }

/// What the node does after blocks h+2 and h+3.
std::vector<std::uint64_t> challenge(const Commit& commit, std::uint32_t k, int trial, std::string_view world_name) {
  const Hash32 seed =
      challenge_seed(beacon(std::string(world_name) + "h+2/", trial), beacon(std::string(world_name) + "h+3/", trial),
                     world().sample.job.id, id_of("lease"), seed_of("worker"), commit.root);
  return challenge_indices(seed, commit.leaf_count, k);
}

Verdict verdict(const job::Work& work, const Commit& commit, std::span<const std::uint64_t> indices, ByteView opening,
                job::Executor& executor) {
  const auto v = check(work, commit, indices, opening, executor);
  EXPECT_TRUE(v.ok()) << (v.ok() ? "" : v.error().message);
  return v.ok() ? *v : Verdict{};
}

/// A worker that leaves `skipped` tiles out: it knows neither digest nor pairs of them, and writes zeros.
job::Outcome skip_tiles(const job::Outcome& truth, std::uint64_t skipped, const Hash32& seed) {
  const std::vector<std::uint64_t> tiles = challenge_indices(seed, kLeaves, static_cast<std::uint32_t>(skipped));
  job::Outcome lie;
  lie.evidence = truth.evidence;
  lie.leaves = truth.leaves;
  std::vector<match::Pair> pairs = *job::decode_pairs(truth.answer);
  for (const std::uint64_t tile : tiles) {
    std::fill_n(lie.evidence.begin() + static_cast<std::ptrdiff_t>(tile * kStride), kStride, std::uint8_t{0});
    lie.leaves[tile] = job::leaf_hash(static_cast<std::uint32_t>(tile / kSide),
                                      static_cast<std::uint32_t>(tile % kSide), Bytes(8), {});
  }
  std::erase_if(pairs, [&](match::Pair p) {
    return std::binary_search(tiles.begin(), tiles.end(), std::uint64_t{p.i / 256} * kSide + p.j / 256);
  });
  lie.answer = job::encode_pairs(pairs);
  return lie;
}

/// Trials in which skipping `skipped` tiles was caught with `k` openings.
int caught_skipping(std::uint64_t skipped, std::uint32_t k, std::string_view name) {
  World& w = world();
  int caught = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    const job::Outcome lie = skip_tiles(w.truth, skipped, beacon(std::string(name) + "skip/", trial));
    const Commit commit = testing::commit_of(lie);
    const std::vector<std::uint64_t> indices = challenge(commit, k, trial, name);
    const auto opening = make_opening(*w.sample.work, lie, indices);
    EXPECT_TRUE(opening.ok());
    const Verdict v = verdict(*w.sample.work, commit, indices, *opening, w.replay);
    EXPECT_TRUE(v.accepted || v.reason == "leaf_mismatch") << v.reason;
    caught += v.accepted ? 0 : 1;
  }
  return caught;
}

TEST(Cheats, HonestWorkIsNeverCaught) {
  World& w = world();
  const Commit commit = testing::commit_of(w.truth);
  for (int trial = 0; trial < 100; ++trial) {
    const auto indices = challenge(commit, 128, trial, "honest");
    const auto opening = make_opening(*w.sample.work, w.truth, indices);
    ASSERT_TRUE(verdict(*w.sample.work, commit, indices, *opening, w.replay).accepted) << trial;
  }
}

TEST(Cheats, SkippingFivePercentAtK128) {
  const int caught = caught_skipping(205, 128, "five");
  std::printf("skipping 205 of 4096 tiles (5.0 %%), k = 128: caught %d of %d\n", caught, kTrials);
  EXPECT_GE(caught, 990);
}

TEST(Cheats, SkippingOnePercentAtK688) {
  const int caught = caught_skipping(41, 688, "one");
  std::printf("skipping 41 of 4096 tiles (1.0 %%), k = 688: caught %d of %d\n", caught, kTrials);
  EXPECT_GE(caught, 990);
}

// The replay above stands for the kernel; here the kernel itself recomputes, as on the node.
TEST(Cheats, SkippingFivePercentAgainstRealRecomputation) {
  World& w = world();
  job::InlineExecutor executor = testing::cpu_executor();
  int caught = 0;
  for (int trial = 0; trial < 20; ++trial) {
    const job::Outcome lie = skip_tiles(w.truth, 205, beacon("real/skip/", trial));
    const Commit commit = testing::commit_of(lie);
    const auto indices = challenge(commit, 128, trial, "real");
    const auto opening = make_opening(*w.sample.work, lie, indices);
    caught += verdict(*w.sample.work, commit, indices, *opening, executor).accepted ? 0 : 1;
  }
  std::printf("the same with every opened tile recomputed: caught %d of 20\n", caught);
  EXPECT_GE(caught, 19);
}

TEST(Cheats, OneInventedPairIsAlwaysCaught) {
  World& w = world();
  const std::vector<match::Pair> pairs = *job::decode_pairs(w.truth.answer);
  ChaChaWords draw(seed_of("invented"));
  constexpr int kInvented = 250;
  int caught = 0;
  for (int trial = 0; trial < kInvented; ++trial) {
    const match::Pair invented{static_cast<std::uint32_t>(draw.below(kSide * 256)),
                               static_cast<std::uint32_t>(draw.below(kSide * 256))};
    if (std::find(pairs.begin(), pairs.end(), invented) != pairs.end()) continue;
    std::vector<match::Pair> more = pairs;
    const auto key = [](match::Pair p) { return std::pair(std::uint64_t{p.i / 256} * kSide + p.j / 256, p); };
    more.insert(std::find_if(more.begin(), more.end(), [&](match::Pair p) { return key(p) > key(invented); }),
                invented);
    // A careful liar: the leaf counts and hashes the pair as well, so the tree agrees with the answer.
    job::Outcome lie = w.truth;
    const std::uint64_t tile = key(invented).first;
    lie.evidence[tile * kStride + 8] = static_cast<std::uint8_t>(lie.evidence[tile * kStride + 8] + 1);
    const auto coherent = w.sample.work->rebuild(lie.evidence, job::encode_pairs(more));
    ASSERT_TRUE(coherent.ok());
    const Commit commit = testing::commit_of(*coherent);
    const auto indices = challenge(commit, 4, trial, "invented");
    const auto opening = make_opening(*w.sample.work, *coherent, indices);
    const Verdict v = verdict(*w.sample.work, commit, indices, *opening, w.replay);
    EXPECT_EQ(v.reason, "false_pair");
    caught += v.accepted ? 0 : 1;
  }
  std::printf("one invented pair: caught %d of %d\n", caught, kInvented);
  EXPECT_EQ(caught, kInvented);
}

// The same worker computes every digest but says "no match": the openings see it only where a match lies, the ringers
// always.
TEST(Cheats, DroppingAllPairsIsAlwaysCaughtByRingers) {
  const templates::Features& faces = templates::real_faces();
  const std::vector<float> mean = templates::mean_of(faces);
  constexpr std::uint32_t kN = 256;
  const auto enroller = templates::Enroller::make(templates::projection_key(view("s"), id_of("epoch"), 0), kN, mean);
  ASSERT_TRUE(enroller.ok());
  const templates::Features impostors = templates::synthetic(faces, seed_of("impostors"), 0, 400);
  const auto enrol = [&](const templates::Features& f) {
    Bytes rows(std::size_t{f.count()} * (kN / 4));
    for (std::uint32_t i = 0; i < f.count(); ++i) {
      EXPECT_TRUE(enroller->enrol(f.row(i), std::span(rows).subspan(std::size_t{i} * (kN / 4), kN / 4)).ok());
    }
    return rows;
  };
  const Bytes requests = enrol(faces);
  const Bytes users = enrol(impostors);
  const std::int32_t tau = 100;
  const match::Predicate predicate = testing::dots_at_least({&tau, 1});
  const job::RingerField field{&faces, &*enroller, mean, requests, users};
  int caught = 0;
  constexpr int kLeases = 20;
  for (int lease = 0; lease < kLeases; ++lease) {
    const auto planted = job::plant({&field, 1}, predicate, beacon("ringers/", lease));
    ASSERT_TRUE(planted.ok());
    job::MemoryBlobs blobs;
    const Hash32 a = blobs.add(testing::template_file(requests, kN));
    const Hash32 b = blobs.add(testing::template_file(planted->user_rows[0], kN));
    const job::Job job = job::make_match_job({faces.count(), planted->ringers.users, 1, predicate}, {a, b}, 1);
    const auto work = job::open(job, blobs, {});
    ASSERT_TRUE(work.ok());
    const job::Outcome truth = testing::outcome_of(**work);
    ASSERT_TRUE(job::check_ringers(planted->ringers, truth.answer).ok());
    caught += job::check_ringers(planted->ringers, job::encode_pairs({})).reason == "ringer_missing" ? 1 : 0;
  }
  std::printf("all pairs dropped: caught by ringers %d of %d leases\n", caught, kLeases);
  EXPECT_EQ(caught, kLeases);
}

TEST(Cheats, RingersAloneCatchAFivePercentSkipper) {
  // 64 pairs above the threshold at places the worker cannot know; a skipped row of tiles loses its ringers.
  int caught = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    ChaChaWords draw(beacon("alone/", trial));
    job::Ringers ringers{kSide * 256, {}};
    std::set<std::uint32_t> places;
    while (places.size() < 64) places.insert(static_cast<std::uint32_t>(draw.below(kSide * 256)));
    std::vector<match::Pair> found;
    const auto skipped = challenge_indices(beacon("alone/skip/", trial), kLeaves, 205);
    for (const std::uint32_t user : places) {
      const auto request = static_cast<std::uint32_t>(draw.below(kSide * 256));
      ringers.list.push_back({request, user, true});
      const std::uint64_t tile = std::uint64_t{request / 256} * kSide + user / 256;
      if (!std::binary_search(skipped.begin(), skipped.end(), tile)) found.push_back({request, user});
    }
    caught += job::check_ringers(ringers, job::encode_pairs(found)).ok() ? 0 : 1;
  }
  std::printf("skipping 5.0 %% of tiles, 64 ringers and no opening: caught %d of %d\n", caught, kTrials);
  EXPECT_GE(caught, 940);  // 1 - 0.95^64 = 96.2 %, minus 3.6 standard deviations
}

TEST(Cheats, AnotherWorkersDigests) {
  World& w = world();
  const auto mine = w.sample.work->rebind(job::Binding::to_lease(id_of("lease"), seed_of("thief")));
  const Commit stolen = testing::commit_of(w.truth);  // of "worker", handed in by "thief"
  const auto indices = challenge(stolen, 128, 0, "stolen");
  const auto opening = make_opening(*mine, w.truth, indices);
  job::InlineExecutor executor = testing::cpu_executor();
  const Verdict v = verdict(*mine, stolen, indices, *opening, executor);
  EXPECT_FALSE(v.accepted);
  EXPECT_EQ(v.reason, "leaf_mismatch");
}

TEST(Cheats, AReplayedProofOfAnotherLease) {
  World& w = world();
  const auto later = w.sample.work->rebind(job::Binding::to_lease(id_of("later lease"), seed_of("worker")));
  const Commit old = testing::commit_of(w.truth);
  const auto indices = challenge(old, 128, 0, "replay");
  const auto opening = make_opening(*later, w.truth, indices);
  job::InlineExecutor executor = testing::cpu_executor();
  EXPECT_EQ(verdict(*later, old, indices, *opening, executor).reason, "leaf_mismatch");
  // The frame names lease and worker under the signature: it cannot be relabelled either.
  const keys::SigningKey key = keys::KeyFile::from_seed(seed_of("worker")).role("envelope");
  Envelope e;
  e.kind = EnvelopeKind::opening;
  e.lease_id = id_of("lease");
  e.body = *opening;
  Bytes frame = encode(e, key);
  const Id16 other = id_of("later lease");
  std::copy(other.begin(), other.end(), frame.begin() + 4 + 2 + 2 + 4 + 32 + 16);
  EXPECT_EQ(decode(frame, 1u << 20).status(), Status::refused);
}

TEST(Cheats, ARootChangedAfterTheBeacon) {
  World& w = world();
  // Skips tiles, sees the challenge, computes the opened tiles after all, and wants them under the committed root.
  const job::Outcome lie = skip_tiles(w.truth, 205, seed_of("late repair"));
  const Commit commit = testing::commit_of(lie);
  const auto indices = challenge(commit, 128, 0, "repair");
  job::Outcome repaired = lie;
  for (const std::uint64_t tile : indices) {
    repaired.leaves[tile] = w.truth.leaves[tile];
    std::copy_n(w.truth.evidence.begin() + static_cast<std::ptrdiff_t>(tile * kStride), kStride,
                repaired.evidence.begin() + static_cast<std::ptrdiff_t>(tile * kStride));
  }
  const auto opening = make_opening(*w.sample.work, repaired, indices);
  const Verdict v = verdict(*w.sample.work, commit, indices, *opening, w.replay);
  EXPECT_FALSE(v.accepted);
  EXPECT_TRUE(v.reason == "root_mismatch" || v.reason == "missing_pair") << v.reason;
}

TEST(Cheats, ASecondCommitDrawsOtherLeaves) {
  World& w = world();
  const Commit first = testing::commit_of(skip_tiles(w.truth, 205, seed_of("first")));
  const Commit second = testing::commit_of(w.truth);
  ASSERT_NE(first.root, second.root);
  const auto a = challenge(first, 128, 0, "twice");
  const auto b = challenge(second, 128, 0, "twice");  // the same beacons
  EXPECT_NE(a, b);
  // An opening drawn for one root does not open the other.
  const auto opening = make_opening(*w.sample.work, w.truth, b);
  EXPECT_FALSE(verdict(*w.sample.work, first, a, *opening, w.replay).accepted);
  EXPECT_FALSE(verdict(*w.sample.work, second, a, *opening, w.replay).accepted);
  EXPECT_TRUE(verdict(*w.sample.work, second, b, *opening, w.replay).accepted);
}

TEST(Cheats, ATruncatedOpeningAndAWrongLeafCount) {
  World& w = world();
  Commit commit = testing::commit_of(w.truth);
  const auto indices = challenge(commit, 128, 0, "cut");
  const Bytes opening = *make_opening(*w.sample.work, w.truth, indices);
  for (std::size_t size = 0; size < opening.size(); size += 97) {
    EXPECT_EQ(verdict(*w.sample.work, commit, indices, ByteView(opening).first(size), w.replay).reason, "malformed");
  }
  // Fewer leaves would let the skipper be challenged only where it worked.
  commit.leaf_count = kLeaves / 2;
  EXPECT_EQ(verdict(*w.sample.work, commit, indices, opening, w.replay).reason, "leaf_count");
}

}  // namespace
}  // namespace sparkmill::proof
