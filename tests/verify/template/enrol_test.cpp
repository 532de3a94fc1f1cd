// SPDX-License-Identifier: Apache-2.0
// Enrolment and synthetic rows against the vectors of the independent Python oracle, and what enrolment refuses.
#include "verify/template/enrol.h"

#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/hex.h"
#include "kernels/match/match.h"
#include "verify/template/population.h"

namespace sparkmill::templates {
namespace {

using Json = nlohmann::json;

const Json& vectors() {
  static const Json document = [] {
    std::ifstream in(SPARKMILL_SOURCE_DIR "/tests/vectors/enrol.json");
    return Json::parse(in);
  }();
  return document;
}

TEST(Enrol, MatchesTheOracle) {
  std::size_t from_features = 0;
  for (const Json& c : vectors()["cases"]) {
    const std::string name = c["name"];
    const auto key = *array_from_hex<32>(c["key"].get<std::string>());
    const auto n = c["n"].get<std::uint32_t>();
    const auto q = c["q"].get<std::vector<std::int16_t>>();
    const Bytes expected = *from_hex(c["row"].get<std::string>());
    const bool has_features = c.contains("features");
    std::vector<float> mean(q.size(), 0.0f);
    if (has_features) {
      mean = c["mean"].get<std::vector<float>>();
      const auto epoch = *array_from_hex<16>(c["epoch"].get<std::string>());
      EXPECT_EQ(projection_key(*from_hex(c["secret"].get<std::string>()), epoch, c["field"].get<std::uint32_t>()), key)
          << name;
    }
    auto enroller = Enroller::make(key, n, mean);
    ASSERT_TRUE(enroller.ok()) << name << enroller.error().message;
    Bytes row(n / 4, 0xee);
    enroller->enrol_quantised(q, row);
    EXPECT_EQ(to_hex(row), to_hex(expected)) << name;
    if (!has_features) continue;
    ++from_features;
    const auto features = c["features"].get<std::vector<float>>();
    std::vector<std::int16_t> mine(q.size());
    ASSERT_TRUE(enroller->quantise(features, mine).ok()) << name;
    EXPECT_EQ(mine, q) << name;
    Bytes again(n / 4);
    ASSERT_TRUE(enroller->enrol(features, again).ok());
    EXPECT_EQ(again, expected) << name;
  }
  EXPECT_GE(from_features, 8u);
}

TEST(Enrol, ErasesExactlyAQuarterAndKeepsNoSignThere) {
  const Features& faces = real_faces();
  for (const std::uint32_t n : {64u, 192u, 2048u, 16384u}) {
    auto enroller = Enroller::make(Hash32{1}, n, mean_of(faces));
    ASSERT_TRUE(enroller.ok());
    Bytes row(n / 4);
    for (std::uint32_t i = 0; i < faces.count(); i += 11) {
      ASSERT_TRUE(enroller->enrol(faces.row(i), row).ok());
      unsigned valid = 0;
      for (std::size_t b = 0; b < n / 8; ++b) {
        valid += static_cast<unsigned>(std::popcount(row[n / 8 + b]));
        EXPECT_EQ(row[b] & ~row[n / 8 + b], 0);
      }
      EXPECT_EQ(valid, n / 4 * 3);
    }
  }
}

TEST(Enrol, ScaleDoesNotMatterAndOppositeRowsHaveOppositeSigns) {
  const std::vector<float> mean(40, 0.0f);
  auto enroller = Enroller::make(Hash32{2}, 512, mean);
  std::vector<float> x(40);
  for (std::size_t j = 0; j < x.size(); ++j) x[j] = static_cast<float>(j * j % 17) - 7.5f;
  std::vector<float> doubled = x;
  std::vector<float> opposite = x;
  for (float& v : doubled) v *= 2;
  for (float& v : opposite) v = -v;
  Bytes a(128), b(128), c(128);
  ASSERT_TRUE(enroller->enrol(x, a).ok() && enroller->enrol(doubled, b).ok() && enroller->enrol(opposite, c).ok());
  EXPECT_EQ(a, b);
  const std::uint32_t v = match::score_word(a.data(), c.data(), 512);
  EXPECT_EQ(v >> 16, 384u);
  EXPECT_GE(v & 0xffff, 383u);  // y = 0 counts as + on both sides, so one element could agree
}

TEST(Enrol, Refusals) {
  const std::vector<float> mean = {1, 2, 3};
  EXPECT_EQ(Enroller::make({}, 100, mean).status(), Status::bad_argument);
  EXPECT_EQ(Enroller::make({}, 0, mean).status(), Status::bad_argument);
  EXPECT_EQ(Enroller::make({}, 16448, mean).status(), Status::bad_argument);
  EXPECT_EQ(Enroller::make({}, 64, {}).status(), Status::bad_argument);
  EXPECT_EQ(Enroller::make({}, 64, std::vector<float>(4097, 1.0f)).status(), Status::bad_argument);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(Enroller::make({}, 64, std::vector<float>{nan}).status(), Status::bad_argument);
  auto enroller = Enroller::make({}, 64, mean);
  Bytes row(16);
  EXPECT_EQ(enroller->enrol(mean, row).status(), Status::bad_input);  // equals the mean
  EXPECT_EQ(enroller->enrol(std::vector<float>{1, nan, 3}, row).status(), Status::bad_input);
  EXPECT_EQ(enroller->enrol(std::vector<float>{1, std::numeric_limits<float>::infinity(), 3}, row).status(),
            Status::bad_input);
  EXPECT_EQ(enroller->enrol(std::vector<float>{1, 2}, row).status(), Status::bad_argument);
  const float big = std::numeric_limits<float>::max();
  EXPECT_TRUE(enroller->enrol(std::vector<float>{big, -big, big}, row).ok());
  const float tiny = std::numeric_limits<float>::denorm_min();
  auto around_zero = Enroller::make({}, 64, std::vector<float>{0, 0, 0});
  EXPECT_TRUE(around_zero->enrol(std::vector<float>{tiny, 0, 0}, row).ok());
}

TEST(Population, SyntheticRowsMatchTheOracle) {
  for (const Json& p : vectors()["population"]) {
    const auto seed = *array_from_hex<32>(p["seed"].get<std::string>());
    const Features rows = synthetic(real_faces(), seed, p["index"].get<std::uint32_t>(), 1);
    ASSERT_EQ(rows.count(), 1u);
    EXPECT_EQ(rows.labels[0].variant, "synthetic");
    EXPECT_EQ(rows.labels[0].person, -1);
    const ByteView bytes(reinterpret_cast<const std::uint8_t*>(rows.values.data()), rows.values.size() * 4);
    EXPECT_EQ(to_hex(bytes), p["row"].get<std::string>());
  }
}

TEST(Population, ARowDependsOnSeedAndIndexOnly) {
  const Features all = synthetic(real_faces(), Hash32{3}, 0, 50);
  const Features part = synthetic(real_faces(), Hash32{3}, 20, 30);
  const Features other = synthetic(real_faces(), Hash32{4}, 0, 50);
  EXPECT_TRUE(std::equal(part.values.begin(), part.values.end(), all.values.begin() + 20 * 128));
  EXPECT_NE(all.values, other.values);
  EXPECT_EQ(synthetic(real_faces(), Hash32{3}, 0, 0).count(), 0u);
}

TEST(Population, SyntheticMomentsFollowTheRealOnes) {
  const Features& faces = real_faces();
  const std::vector<float> mean = mean_of(faces);
  constexpr std::uint32_t kCount = 4000;
  const Features rows = synthetic(faces, Hash32{5}, 0, kCount);
  double z_squares = 0, z_fourth = 0;
  for (std::uint32_t j = 0; j < 128; ++j) {
    double spread = 0;
    for (std::uint32_t i = 0; i < faces.count(); ++i) spread += std::pow(faces.row(i)[j] - mean[j], 2);
    spread = std::sqrt(spread / faces.count());
    double sum = 0;
    for (std::uint32_t i = 0; i < kCount; ++i) {
      const double z = (rows.row(i)[j] - mean[j]) / spread;
      sum += z;
      z_squares += z * z;
      z_fourth += z * z * z * z;
    }
    EXPECT_NEAR(sum / kCount, 0, 6 / std::sqrt(double{kCount}));
  }
  const double total = 128.0 * kCount;
  EXPECT_NEAR(z_squares / total, 1.0, 0.01);
  EXPECT_NEAR(z_fourth / total, 3.0 - 0.1, 0.05);  // twelve uniforms: excess kurtosis -1.2 / 12
}

TEST(Population, PerturbedRowsAreAsFarAsAsked) {
  const Features& faces = real_faces();
  const std::vector<float> mean = mean_of(faces);
  for (const double amount : {0.0, 0.1, 0.5, 2.0}) {
    double ratio = 0;
    for (std::uint32_t i = 0; i < 22; ++i) {
      const auto row = faces.row(i);
      const std::vector<float> moved = perturbed(row, mean, amount, Hash32{static_cast<std::uint8_t>(i)});
      double norm = 0, noise = 0;
      for (std::size_t j = 0; j < row.size(); ++j) {
        norm += std::pow(row[j] - mean[j], 2);
        noise += std::pow(moved[j] - row[j], 2);
      }
      ratio += std::sqrt(noise / norm) / 22;
    }
    EXPECT_NEAR(ratio, amount, amount * 0.05);
  }
  EXPECT_EQ(perturbed(faces.row(0), mean, 0.3, Hash32{1}), perturbed(faces.row(0), mean, 0.3, Hash32{1}));
  EXPECT_NE(perturbed(faces.row(0), mean, 0.3, Hash32{1}), perturbed(faces.row(0), mean, 0.3, Hash32{2}));
}

TEST(Population, RealFacesAreAllThere) {
  const Features& faces = real_faces();
  EXPECT_EQ(faces.count(), 110u);
  EXPECT_EQ(faces.dimension, 128u);
  std::map<std::string, int> variants;
  for (const auto& label : faces.labels) ++variants[label.variant];
  EXPECT_THAT(variants, testing::UnorderedElementsAre(testing::Pair("orig", 22), testing::Pair("small", 22),
                                                      testing::Pair("dark", 22), testing::Pair("noise", 22),
                                                      testing::Pair("contrast", 22)));
}

}  // namespace
}  // namespace sparkmill::templates
