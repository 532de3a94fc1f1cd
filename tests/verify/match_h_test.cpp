// SPDX-License-Identifier: Apache-2.0
// The kind match.h: params and blobs refused by name, slicing, leaves rebuilt from scratch, answers, LIMIT, memory.
#include "verify/job/match_h.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "base/hash.h"
#include "tests/verify/support.h"
#include "verify/job/match_tiles.h"
#include "verify/merkle/merkle.h"
#include "verify/template/template_file.h"

namespace sparkmill::job {
namespace {

using ::testing::HasSubstr;
using testing::id_of;
using testing::Sample;
using testing::Shape;

MatchParams some_params(std::uint32_t requests = 3, std::uint32_t users = 5) {
  const std::int32_t threshold = 44;
  return {requests, users, 1, testing::dots_at_least({&threshold, 1})};
}

TEST(MatchParamsTest, RoundTripAndEveryField) {
  const Bytes good = encode_match_params(some_params());
  const auto back = decode_match_params(good);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->requests, 3u);
  EXPECT_EQ(back->users, 5u);
  EXPECT_EQ(encode_match_params(*back), good);
  const auto refuses = [&](std::size_t at, std::uint8_t value, const char* name) {
    Bytes bad = good;
    bad[at] = value;
    const auto r = decode_match_params(bad);
    ASSERT_FALSE(r.ok()) << name;
    EXPECT_EQ(r.status(), Status::bad_input) << name;
    EXPECT_THAT(r.error().message, HasSubstr(name));
  };
  refuses(0, 2, "version");
  refuses(2, 0, "flags");
  refuses(2, 3, "flags");
  refuses(4, 0, "fields");
  refuses(4, 9, "fields");
  refuses(6, 1, "reserved");
  refuses(8, 0, "requests");
  refuses(11, 0xff, "requests");
  refuses(12, 0, "users");
  refuses(15, 2, "users");
  refuses(16, 1, "tile");
  refuses(20, 0, "too many");
  refuses(20, 200, "too short");
  refuses(24, 99, "predicate");
  refuses(25, 1, "field 1");
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(decode_match_params(ByteView(good).first(size)).ok()) << size;
  }
}

/// Opens a job over two rows of blobs that the caller has bent.
Result<std::unique_ptr<Work>> open_with(Bytes requests, Bytes users, std::uint32_t m = 3, std::uint32_t n = 5) {
  MemoryBlobs blobs;
  const Hash32 a = blobs.add(std::move(requests));
  const Hash32 b = blobs.add(std::move(users));
  return open(make_match_job(some_params(m, n), {a, b}, 1), blobs, {});
}

Bytes file(std::uint32_t rows, std::uint32_t n, std::uint32_t field = 0, std::string_view app = "tests") {
  return testing::template_file(testing::random_rows(testing::seed_of("rows"), rows, n), n, field, app);
}

TEST(MatchBlobs, MustFitTheParamsAndEachOther) {
  EXPECT_TRUE(open_with(file(3, 64), file(5, 64)).ok());
  const auto refuses = [](Result<std::unique_ptr<Work>> r, std::initializer_list<const char*> parts) {
    ASSERT_FALSE(r.ok());
    for (const char* part : parts) EXPECT_THAT(r.error().message, HasSubstr(part));
  };
  refuses(open_with(file(4, 64), file(5, 64)), {"field 0", "requests", "4 rows"});
  refuses(open_with(file(3, 64), file(6, 64)), {"field 0", "users", "6 rows"});
  refuses(open_with(file(3, 64), file(5, 128)), {"field 0", "n = 64", "n = 128"});
  refuses(open_with(file(3, 64), file(5, 64, 0, "others")), {"field 0", "application"});
  refuses(open_with(file(3, 64), file(5, 64, 1)), {"field 0", "field 1"});
  Bytes broken = file(3, 64);
  broken.back() ^= 1;
  refuses(open_with(broken, file(5, 64)), {"field 0, requests"});
  refuses(open_with({}, file(5, 64)), {"field 0, requests"});
}

TEST(MatchBlobs, CountAndPresence) {
  MemoryBlobs blobs;
  const Hash32 a = blobs.add(file(3, 64));
  const auto one = open(make_match_job(some_params(), {a}, 1), blobs, {});
  ASSERT_FALSE(one.ok());
  EXPECT_THAT(one.error().message, HasSubstr("1 blobs for 1 field(s), expected 2"));
  const auto absent = open(make_match_job(some_params(), {a, {}}, 1), blobs, {});
  EXPECT_EQ(absent.status(), Status::not_found);
  const auto huge = open(make_match_job(some_params(1u << 24, 1u << 24), {a, a}, 1), blobs, {});
  EXPECT_EQ(huge.status(), Status::too_large);
}

TEST(MatchSlices, CoverOnceForAnyTargetAndAddUp) {
  Shape shape{.requests = 256 * 37 + 11, .users = 256 * 18 + 200, .n = 192, .twins = 0};
  const Sample sample(shape, "slices");
  const std::uint64_t tile_units = (65536 * 3 + 31) / 32;
  for (const std::uint64_t target : {std::uint64_t{0}, std::uint64_t{1}, tile_units * 3, tile_units * 20,
                                     tile_units * 64, tile_units * 300, ~std::uint64_t{0}}) {
    const std::vector<Slice> slices = sample.work->slice(target);
    std::vector<int> seen(sample.work->leaf_count());
    std::uint64_t units = 0;
    for (std::size_t k = 0; k < slices.size(); ++k) {
      EXPECT_EQ(slices[k].index, k);
      units += slices[k].units;
      EXPECT_LE(slices[k].units, std::max(target, tile_units));
      const auto& r = slices[k].range;
      for (std::uint32_t ti = r[0]; ti < r[1]; ++ti) {
        for (std::uint32_t tj = r[2]; tj < r[3]; ++tj) ++seen[ti * 19 + tj];
      }
    }
    EXPECT_EQ(seen, std::vector<int>(38 * 19, 1)) << target;
    EXPECT_EQ(units, sample.work->units()) << target;
    EXPECT_EQ(slices.size(), sample.work->slice(target).size());
  }
  EXPECT_EQ(sample.work->slice(~std::uint64_t{0}).size(), 1u);
}

TEST(MatchUnits, RoundUpPerTile) {
  // One leaf at n = 2048: one unit a pair. Smaller n: 1/32ths, rounded up for each tile.
  EXPECT_EQ((Grid{300, 300, 1, 32}).units({0, 2, 0, 2}), 90'000u);
  EXPECT_EQ((Grid{1, 1, 1, 1}).units({0, 1, 0, 1}), 1u);
  EXPECT_EQ((Grid{257, 1, 1, 3}).units({0, 2, 0, 1}), (256u * 3 + 31) / 32 + 1);
}

/// The leaf by the words of the rules: own key stream, own digest sum, own byte layout.
Hash32 leaf_from_scratch(const Sample& s, const std::vector<templates::TemplateFile>& files, std::uint32_t ti,
                         std::uint32_t tj) {
  const Hash32 key =
      Sha256().update("sparkmill/digest/v1").update(s.binding.context).update(s.binding.worker_pub).finish();
  ByteWriter w;
  w.u8(0).u32(ti).u32(tj);
  std::vector<match::Pair> pairs;
  for (std::uint32_t f = 0; f < s.shape.fields; ++f) {
    std::uint64_t digest = 0;
    for (std::uint32_t j = tj * 256; j < std::min(s.shape.users, tj * 256 + 256); ++j) {
      std::uint32_t sum = 0;
      for (std::uint32_t i = ti * 256; i < std::min(s.shape.requests, ti * 256 + 256); ++i) {
        std::array<std::uint8_t, 4> word{};
        chacha20_stream(key, 0, std::uint64_t{i} * 4, word);
        std::uint32_t a = 0;
        std::memcpy(&a, word.data(), 4);
        const std::uint32_t v =
            match::score_word(files[2 * f].planes.row(i), files[2 * f + 1].planes.row(j), s.shape.n);
        sum += v ^ a;
      }
      std::array<std::uint8_t, 8> word{};
      chacha20_stream(key, 1, std::uint64_t{j} * 8, word);
      std::uint64_t b = 0;
      std::memcpy(&b, word.data(), 8);
      digest += (b | 1) * sum;
    }
    w.u64(digest);
  }
  for (std::uint32_t i = ti * 256; i < std::min(s.shape.requests, ti * 256 + 256); ++i) {
    for (std::uint32_t j = tj * 256; j < std::min(s.shape.users, tj * 256 + 256); ++j) {
      bool all = true;
      for (std::uint32_t f = 0; f < s.shape.fields; ++f) {
        const std::uint32_t v =
            match::score_word(files[2 * f].planes.row(i), files[2 * f + 1].planes.row(j), s.shape.n);
        all =
            all && static_cast<std::int32_t>(v >> 16) - 2 * static_cast<std::int32_t>(v & 0xffff) >= s.shape.threshold;
      }
      if (all) pairs.push_back({i, j});
    }
  }
  ByteWriter list;
  for (const match::Pair p : pairs) list.u32(p.i).u32(p.j);
  w.u32(static_cast<std::uint32_t>(pairs.size())).bytes(sha256(list.data()));
  return sha256(w.data());
}

TEST(MatchOutcome, LeavesFollowTheRules) {
  for (const std::uint32_t fields : {1u, 2u}) {
    Sample sample({.requests = 300, .users = 520, .n = 128, .fields = fields, .twins = 30, .threshold = 70}, "leaves");
    std::vector<templates::TemplateFile> files;
    for (const Hash32& hash : sample.job.blobs) {
      files.push_back(*templates::parse(sample.blobs.get(hash)->bytes, "blob"));
    }
    const Outcome outcome = testing::outcome_of(*sample.work);
    ASSERT_EQ(outcome.leaves.size(), 6u);
    for (std::uint32_t tile = 0; tile < 6; ++tile) {
      EXPECT_EQ(outcome.leaves[tile], leaf_from_scratch(sample, files, tile / 3, tile % 3)) << tile;
    }
    EXPECT_GE(decode_pairs(outcome.answer)->size(), 10u);
    EXPECT_TRUE(sample.work->recheck(outcome).ok());
  }
}

TEST(MatchOutcome, SameBytesForAnySlicingAndOrder) {
  const Sample sample({}, "slicing");
  const Outcome whole = testing::outcome_of(*sample.work, ~std::uint64_t{0});
  std::vector<Bytes> tiles = testing::run_all(*sample.work, 0);
  EXPECT_EQ(tiles, testing::run_all(*sample.work, 0));
  std::reverse(tiles.begin(), tiles.end());
  const auto shuffled = sample.work->assemble(tiles);
  ASSERT_TRUE(shuffled.ok());
  EXPECT_EQ(shuffled->leaves, whole.leaves);
  EXPECT_EQ(shuffled->answer, whole.answer);
  EXPECT_EQ(shuffled->evidence, whole.evidence);
}

TEST(MatchOutcome, AssembleWantsEachTileOnceAndItsOwn) {
  Sample sample({}, "assemble");
  const std::vector<Bytes> tiles = testing::run_all(*sample.work, 0);
  const auto refuses = [&](const std::vector<Bytes>& slices, const char* why) {
    const auto r = sample.work->assemble(slices);
    ASSERT_FALSE(r.ok()) << why;
    EXPECT_THAT(r.error().message, HasSubstr(why));
  };
  refuses({tiles.begin() + 1, tiles.end()}, "1 of 12 tiles are missing");
  std::vector<Bytes> bad = tiles;
  bad.push_back(tiles[3]);
  refuses(bad, "twice");
  refuses({}, "12 of 12");
  const auto other = sample.open(Binding::to_lease(id_of("another lease"), sample.binding.worker_pub));
  bad = tiles;
  bad[5] = testing::run_all(*other, 0)[5];
  refuses(bad, "another job or lease");
  for (std::size_t at = 0; at < 32; ++at) {  // every byte of the head
    bad = tiles;
    bad[5][at] ^= 1;
    EXPECT_FALSE(sample.work->assemble(bad).ok()) << at;
  }
  for (std::size_t size = 0; size < tiles[5].size(); ++size) {
    bad = tiles;
    bad[5].resize(size);
    EXPECT_FALSE(sample.work->assemble(bad).ok()) << size;
  }
}

TEST(MatchOutcome, RebindGivesWhatAFreshOpenGives) {
  Sample sample({}, "rebind");
  const Binding other = Binding::to_lease(id_of("second"), testing::seed_of("other worker"));
  const auto rebound = sample.work->rebind(other);
  const auto opened = sample.open(other);
  const Outcome a = testing::outcome_of(*rebound);
  EXPECT_EQ(a.leaves, testing::outcome_of(*opened).leaves);
  const Outcome first = testing::outcome_of(*sample.work);
  EXPECT_EQ(a.answer, first.answer);
  for (std::size_t k = 0; k < a.leaves.size(); ++k) EXPECT_NE(a.leaves[k], first.leaves[k]) << k;
}

TEST(MatchAnswer, OrderAndClaims) {
  const Sample sample({}, "answer");
  const Outcome outcome = testing::outcome_of(*sample.work);
  const std::vector<match::Pair> pairs = *decode_pairs(outcome.answer);
  ASSERT_GE(pairs.size(), 20u);
  EXPECT_TRUE(sample.work->check_answer(outcome.answer).ok());
  EXPECT_TRUE(sample.work->check_answer(encode_pairs({})).ok());
  std::vector<match::Pair> bad = pairs;
  std::swap(bad[2], bad[3]);
  EXPECT_EQ(sample.work->check_answer(encode_pairs(bad)).status(), Status::bad_input);
  bad = pairs;
  bad.insert(bad.begin() + 4, bad[4]);
  EXPECT_EQ(sample.work->check_answer(encode_pairs(bad)).status(), Status::bad_input);
  bad = pairs;
  bad.back() = {sample.shape.requests, 0};
  EXPECT_EQ(sample.work->check_answer(encode_pairs(bad)).status(), Status::bad_input);
  bad = pairs;
  bad.back() = {sample.shape.requests - 1, sample.shape.users - 1};
  const Done lie = sample.work->check_answer(encode_pairs(bad));
  EXPECT_EQ(lie.status(), Status::mismatch);
  EXPECT_THAT(lie.error().message, HasSubstr("(699, 899)"));
  for (std::size_t size = 0; size < 20; ++size) {
    EXPECT_EQ(sample.work->check_answer(ByteView(outcome.answer).first(size)).status(), Status::bad_input);
  }
}

TEST(MatchLimit, KeepsTheBestOfEachRequest) {
  match::Op leaf;
  leaf.imm = -100;
  match::Op limit;
  limit.code = match::OpCode::limit;
  limit.imm = 2;
  const auto predicate = match::Predicate::make({leaf, limit});
  ASSERT_TRUE(predicate.ok());
  // Scores K - 2 ham by hand: pair (i, j) has K = 60 and ham = j % 4, so every fourth user ties.
  const auto words = [](match::Pair p, std::span<std::uint32_t> v) { v[0] = 60u << 16 | p.j % 4; };
  std::vector<match::Pair> pairs;
  for (std::uint32_t i = 0; i < 9; ++i) {
    for (std::uint32_t j = i; j < 20; ++j) pairs.push_back({8 - i, j});
  }
  const Id16 job_id = id_of("job");
  const std::vector<match::Pair> kept = apply_limit(*predicate, job_id, pairs, words);
  EXPECT_TRUE(std::is_sorted(kept.begin(), kept.end()));
  EXPECT_EQ(kept.size(), 18u);
  const auto tie = [&](match::Pair p) {
    ByteWriter w;
    w.bytes(job_id).u32(p.i).u32(p.j);
    return sha256(w.data());
  };
  for (const match::Pair p : pairs) {  // kept iff fewer than two others of the request are better
    int better = 0;
    for (const match::Pair q : pairs) {
      if (q.i == p.i && (q.j % 4 < p.j % 4 || (q.j % 4 == p.j % 4 && tie(q) < tie(p)))) ++better;
    }
    EXPECT_EQ(std::binary_search(kept.begin(), kept.end(), p), better < 2) << p.i << " " << p.j;
  }
}

TEST(MatchLimit, FinalPairsAreSortedByRequest) {
  const Sample sample({}, "final");
  const Outcome outcome = testing::outcome_of(*sample.work);
  const auto pairs = final_pairs(*sample.work, outcome.answer);
  ASSERT_TRUE(pairs.ok());
  EXPECT_TRUE(std::is_sorted(pairs->begin(), pairs->end()));
  EXPECT_EQ(pairs->size(), decode_pairs(outcome.answer)->size());
  EXPECT_FALSE(final_pairs(*sample.work, Bytes{1, 0, 0, 0}).ok());
}

std::uint64_t peak_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stoull(line.substr(6));
  }
  return 0;
}

// Bookkeeping of a 2^17 x 2^17 job, 2^18 tiles. The tile results are made up, for their cost is the kernel's; what is
// measured is everything around them: slices, assembly, root, opening, file proof.
TEST(MatchMemory, BookkeepingOf2To18TilesTakesTensOfMegabytes) {
  const Sample sample({.requests = 1u << 17, .users = 1u << 17, .n = 64, .twins = 0}, "large");
  const Hash32 key =
      Sha256().update("sparkmill/digest/v1").update(sample.binding.context).update(sample.binding.worker_pub).finish();
  const Hash32 tag_hash = Sha256().update("sparkmill/slice/v1").update(key).update(sample.job.id).finish();
  std::uint64_t tag = 0;
  std::memcpy(&tag, tag_hash.data(), sizeof tag);
  const std::uint64_t before = peak_kib();
  std::vector<Bytes> results;
  for (const Slice& slice : sample.work->slice(1u << 24)) {
    match::TileResults made_up;
    const match::TileRange range{slice.range[0], slice.range[1], slice.range[2], slice.range[3]};
    made_up.digests.assign(range.tiles(), slice.index);
    made_up.counts.assign(range.tiles(), 0);
    results.push_back(encode_slice(tag, range, 1, made_up));
  }
  const auto outcome = sample.work->assemble(results);
  ASSERT_TRUE(outcome.ok());
  ASSERT_EQ(outcome->leaves.size(), 1u << 18);
  const auto indices = proof::challenge_indices(merkle::root(outcome->leaves), outcome->leaves.size(), 128);
  const auto opening = proof::make_opening(*sample.work, *outcome, indices);
  ASSERT_TRUE(opening.ok());
  const auto file_proof = proof::make_file_proof(*sample.work, *outcome);
  ASSERT_TRUE(file_proof.ok());
  const std::uint64_t mib = (peak_kib() - before) / 1024;
  std::printf("2^18 tiles: %zu slices, %llu MiB at the peak, opening %zu bytes (k = 128), file proof %zu bytes\n",
              results.size(), static_cast<unsigned long long>(mib), opening->size(), file_proof->size());
  EXPECT_LT(opening->size(), 48'000u);
  EXPECT_LT(file_proof->size(), 3'200'000u);
#if !defined(SPARKMILL_CHECKED) && !defined(__SANITIZE_THREAD__)  // their shadows count, too
  EXPECT_LT(mib, 64u);
#endif
}

}  // namespace
}  // namespace sparkmill::job
