// SPDX-License-Identifier: Apache-2.0
// Ringers made from the real faces: near the threshold, at unpredictable places, found by honest work, gone from the
// answer.
#include "verify/job/ringers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "base/hash.h"
#include "tests/verify/support.h"
#include "verify/template/template_file.h"

namespace sparkmill::job {
namespace {

using testing::seed_of;

constexpr std::uint32_t kN = 512;
constexpr std::int32_t kTau = 160;
constexpr std::uint32_t kUsers = 600;

/// Requests = the real faces, users = synthetic rows, enrolled twice as two fields of one application.
struct Population {
  templates::Features faces = templates::real_faces();
  templates::Features impostors = templates::synthetic(faces, seed_of("impostors"), 0, kUsers);
  std::vector<float> mean = templates::mean_of(faces);
  std::vector<templates::Enroller> enrollers;
  std::vector<Bytes> request_rows, user_rows;

  explicit Population(std::uint32_t fields) {
    for (std::uint32_t f = 0; f < fields; ++f) {
      const Hash32 key = templates::projection_key(view("secret"), testing::id_of("epoch"), f);
      enrollers.push_back(std::move(*templates::Enroller::make(key, kN, mean)));
      request_rows.push_back(enrol(faces, f));
      user_rows.push_back(enrol(impostors, f));
    }
  }
  Bytes enrol(const templates::Features& features, std::uint32_t field) const {
    Bytes rows(std::size_t{features.count()} * (kN / 4));
    for (std::uint32_t i = 0; i < features.count(); ++i) {
      const Done enrolled =
          enrollers[field].enrol(features.row(i), std::span(rows).subspan(std::size_t{i} * (kN / 4), kN / 4));
      EXPECT_TRUE(enrolled.ok());
    }
    return rows;
  }
  std::vector<RingerField> fields() const {
    std::vector<RingerField> out;
    for (std::size_t f = 0; f < enrollers.size(); ++f) {
      out.push_back({&faces, &enrollers[f], mean, request_rows[f], user_rows[f]});
    }
    return out;
  }
};
const Population& population() {
  static const Population p(2);
  return p;
}

match::Predicate face_at_least(std::int32_t tau) { return testing::dots_at_least({&tau, 1}); }

std::int32_t dot(const Bytes& requests, std::uint32_t i, const Bytes& users, std::uint32_t j) {
  const std::uint32_t v =
      match::score_word(requests.data() + std::size_t{i} * (kN / 4), users.data() + std::size_t{j} * (kN / 4), kN);
  return static_cast<std::int32_t>(v >> 16) - 2 * static_cast<std::int32_t>(v & 0xffff);
}

TEST(Ringers, StandJustAboveAndJustBelow) {
  const auto fields = population().fields();
  const auto planted = plant({fields.data(), 1}, face_at_least(kTau), seed_of("lease 1"));
  ASSERT_TRUE(planted.ok());
  ASSERT_EQ(planted->ringers.list.size(), 128u);
  EXPECT_EQ(planted->ringers.users, kUsers + 128);
  int above = 0;
  std::int32_t farthest = 0;
  for (const Ringer& r : planted->ringers.list) {
    const std::int32_t d = dot(population().request_rows[0], r.request, planted->user_rows[0], r.user);
    EXPECT_EQ(d >= kTau, r.above) << d;
    farthest = std::max(farthest, r.above ? d - kTau : kTau - d);
    above += r.above ? 1 : 0;
  }
  EXPECT_EQ(above, 64);
  std::printf("128 ringers, n = %u: farthest from the threshold by %d of %u\n", kN, farthest, kN);
  EXPECT_LE(farthest, 6);
}

TEST(Ringers, OldRowsKeepTheirOrder) {
  const auto fields = population().fields();
  const auto planted = plant(fields, testing::dots_at_least(std::array{kTau, kTau}), seed_of("lease 2"));
  ASSERT_TRUE(planted.ok());
  const std::vector<std::uint32_t> map = new_to_old(planted->ringers);
  ASSERT_EQ(map.size(), kUsers + 128);
  for (std::size_t f = 0; f < 2; ++f) {
    ASSERT_EQ(planted->user_rows[f].size(), map.size() * (kN / 4));
    std::uint32_t next = 0;
    for (std::size_t j = 0; j < map.size(); ++j) {
      if (map[j] == kRingerRow) continue;
      ASSERT_EQ(map[j], next++);
      const auto row = planted->user_rows[f].begin() + static_cast<std::ptrdiff_t>(j * (kN / 4));
      ASSERT_TRUE(std::equal(row, row + kN / 4,
                             population().user_rows[f].begin() + static_cast<std::ptrdiff_t>(map[j] * (kN / 4))));
    }
    EXPECT_EQ(next, kUsers);
  }
  for (const Ringer& r : planted->ringers.list) {  // both fields decide
    const bool holds = dot(population().request_rows[0], r.request, planted->user_rows[0], r.user) >= kTau &&
                       dot(population().request_rows[1], r.request, planted->user_rows[1], r.user) >= kTau;
    EXPECT_EQ(holds, r.above);
  }
}

TEST(Ringers, PlacesAndRowsComeFromTheSeedAlone) {
  const auto fields = population().fields();
  const auto make = [&](std::string_view seed) {
    return std::move(*plant({fields.data(), 1}, face_at_least(kTau), seed_of(seed), 8));
  };
  const Planted a = make("x");
  EXPECT_EQ(a.user_rows, make("x").user_rows);
  EXPECT_EQ(a.ringers.list, make("x").ringers.list);
  EXPECT_NE(a.ringers.list, make("y").ringers.list);
  std::set<std::uint32_t> places;  // spread over the whole population, not only its end
  int in_first_half = 0;
  for (int t = 0; t < 12; ++t) {
    for (const Ringer& r : make(std::to_string(t)).ringers.list) {
      places.insert(r.user);
      in_first_half += r.user < (kUsers + 16) / 2 ? 1 : 0;
    }
  }
  EXPECT_GT(places.size(), 140u);  // 192 draws from 616 places: 165 expected
  EXPECT_NEAR(in_first_half, 96, 35);
}

TEST(Ringers, HonestWorkFindsThemAndTheAnswerLosesThem) {
  const auto fields = population().fields();
  const match::Predicate predicate = face_at_least(kTau);
  const auto planted = plant({fields.data(), 1}, predicate, seed_of("lease 3"));
  ASSERT_TRUE(planted.ok());
  const std::uint32_t requests = population().faces.count();
  const auto outcome_over = [&](const Bytes& users, std::uint32_t count, std::unique_ptr<Work>& work) {
    MemoryBlobs blobs;
    const Hash32 a = blobs.add(testing::template_file(population().request_rows[0], kN));
    const Hash32 b = blobs.add(testing::template_file(users, kN));
    const Job job = make_match_job({requests, count, 1, predicate}, {a, b}, 1);
    work = std::move(*open(job, blobs, {}));
    return testing::outcome_of(*work);
  };
  std::unique_ptr<Work> with, without;
  const Outcome salted = outcome_over(planted->user_rows[0], planted->ringers.users, with);
  const Outcome plain = outcome_over(population().user_rows[0], kUsers, without);
  const Finding finding = check_ringers(planted->ringers, salted.answer);
  EXPECT_TRUE(finding.ok()) << finding.reason;
  const auto stripped = final_pairs(*with, salted.answer, planted->ringers);
  ASSERT_TRUE(stripped.ok());
  EXPECT_EQ(*stripped, *final_pairs(*without, plain.answer));
  EXPECT_EQ(*stripped, strip(planted->ringers, *decode_pairs(salted.answer)));
  EXPECT_GE(decode_pairs(salted.answer)->size(), 64u);
}

TEST(Ringers, MissingAndInventedOnesAreFound) {
  const Ringers ringers{10, {{0, 2, true}, {1, 5, false}, {3, 7, true}}};
  const std::vector<match::Pair> good{{0, 2}, {0, 9}, {3, 7}};
  EXPECT_TRUE(check_ringers(ringers, encode_pairs(good)).ok());
  EXPECT_EQ(check_ringers(ringers, encode_pairs({})).reason, "ringer_missing");
  EXPECT_EQ(check_ringers(ringers, encode_pairs(std::vector<match::Pair>{{0, 2}})).reason, "ringer_missing");
  const std::vector<match::Pair> invented{{0, 2}, {1, 5}, {3, 7}};
  EXPECT_EQ(check_ringers(ringers, encode_pairs(invented)).reason, "ringer_invented");
  EXPECT_EQ(check_ringers(ringers, Bytes{1}).reason, "malformed");
}

TEST(Ringers, LimitIsAppliedAfterTheyAreGone) {
  const auto fields = population().fields();
  match::Op leaf;
  leaf.imm = kTau;
  match::Op limit;
  limit.code = match::OpCode::limit;
  limit.imm = 1;
  const auto predicate = match::Predicate::make({leaf, limit});
  ASSERT_TRUE(predicate.ok());
  // Each face is also a user, so each request has a match that no ringer may displace.
  std::vector<RingerField> own{fields[0]};
  own[0].user_rows = population().request_rows[0];
  const auto planted = plant(own, *predicate, seed_of("lease 4"));
  ASSERT_TRUE(planted.ok());
  MemoryBlobs blobs;
  const Hash32 a = blobs.add(testing::template_file(population().request_rows[0], kN));
  const Hash32 b = blobs.add(testing::template_file(planted->user_rows[0], kN));
  const std::uint32_t count = population().faces.count();
  const auto work = open(make_match_job({count, planted->ringers.users, 1, *predicate}, {a, b}, 1), blobs, {});
  ASSERT_TRUE(work.ok());
  const auto pairs = final_pairs(**work, testing::outcome_of(**work).answer, planted->ringers);
  ASSERT_TRUE(pairs.ok());
  std::set<std::uint32_t> found;
  for (const match::Pair p : *pairs) EXPECT_TRUE(found.insert(p.i).second);
  EXPECT_EQ(found.size(), count);
}

TEST(Ringers, CodecIsStrict) {
  const Ringers ringers{10, {{0, 2, true}, {1, 5, false}, {3, 7, true}}};
  const Bytes bytes = encode(ringers);
  const auto back = decode_ringers(bytes);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->users, 10u);
  EXPECT_EQ(back->list, ringers.list);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_ringers(ByteView(bytes).first(size)).ok());
  EXPECT_FALSE(decode_ringers(encode(Ringers{10, {{0, 5, true}, {0, 5, true}}})).ok());
  EXPECT_FALSE(decode_ringers(encode(Ringers{5, {{0, 5, true}}})).ok());
}

TEST(Ringers, UnfitPredicatesAndPopulationsAreRefused) {
  const auto fields = population().fields();
  const auto too_high = plant({fields.data(), 1}, face_at_least(10'000), seed_of("s"));
  EXPECT_EQ(too_high.status(), Status::bad_input);
  const auto always = plant({fields.data(), 1}, face_at_least(-10'000), seed_of("s"));
  EXPECT_EQ(always.status(), Status::bad_input);
  std::vector<RingerField> bent{fields[0]};
  bent[0].user_rows = bent[0].user_rows.first(77);
  EXPECT_EQ(plant(bent, face_at_least(kTau), seed_of("s")).status(), Status::bad_argument);
  EXPECT_EQ(plant({fields.data(), 1}, testing::dots_at_least(std::array{kTau, kTau}), seed_of("s")).status(),
            Status::bad_argument);
}

}  // namespace
}  // namespace sparkmill::job
