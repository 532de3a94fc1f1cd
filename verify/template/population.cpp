// SPDX-License-Identifier: Apache-2.0
// Synthetic populations. Normal variates are centred sums of twelve 16-bit uniforms: integer work and one
// multiplication, so every compiler and machine draws the same rows; the tails end at six standard deviations.
#include "verify/template/population.h"

#include <array>
#include <cmath>
#include <cstdlib>

#include "base/hash.h"

extern "C" {
extern const unsigned char sparkmill_faces_json[];
extern const unsigned char sparkmill_faces_json_end[];
}

namespace sparkmill::templates {

namespace {

constexpr std::size_t kUniforms = 12;

/// Row `index` of standard normal variates of the seed.
void normal_row(const Hash32& seed, std::uint64_t index, std::span<double> out) {
  std::vector<std::uint16_t> words(out.size() * kUniforms);
  chacha20_stream(seed, index, 0,
                  {reinterpret_cast<std::uint8_t*>(words.data()), words.size() * sizeof(std::uint16_t)});
  constexpr std::int32_t kTwiceMean = kUniforms * 65535;        // twice the expected sum
  constexpr double kPerDeviation = 1.0 / (2 * 65535.99999237);  // 2 * sqrt(12 * (65536^2 - 1) / 12)
  for (std::size_t j = 0; j < out.size(); ++j) {
    std::int32_t sum = 0;
    for (std::size_t u = 0; u < kUniforms; ++u) sum += words[j * kUniforms + u];
    out[j] = static_cast<double>(2 * sum - kTwiceMean) * kPerDeviation;
  }
}

std::vector<double> means(const Features& features) {
  std::vector<double> sum(features.dimension, 0.0);
  for (std::uint32_t i = 0; i < features.count(); ++i) {
    const auto row = features.row(i);
    for (std::size_t j = 0; j < row.size(); ++j) sum[j] += static_cast<double>(row[j]);
  }
  for (double& s : sum) s /= static_cast<double>(features.count());
  return sum;
}

std::vector<double> deviations(const Features& features, std::span<const double> mean) {
  std::vector<double> squares(features.dimension, 0.0);
  for (std::uint32_t i = 0; i < features.count(); ++i) {
    const auto row = features.row(i);
    for (std::size_t j = 0; j < row.size(); ++j) {
      const double c = static_cast<double>(row[j]) - mean[j];
      squares[j] += c * c;
    }
  }
  for (double& s : squares) s = std::sqrt(s / static_cast<double>(features.count()));
  return squares;
}

}  // namespace

const Features& real_faces() {
  static const Features faces = [] {
    const ByteView json(sparkmill_faces_json,
                        static_cast<std::size_t>(sparkmill_faces_json_end - sparkmill_faces_json));
    auto parsed = read_features(json, "built-in faces");
    if (!parsed) std::abort();  // the embedded file is part of this build and tested
    return std::move(*parsed);
  }();
  return faces;
}

std::vector<float> mean_of(const Features& features) {
  std::vector<float> out;
  for (const double m : means(features)) out.push_back(static_cast<float>(m));
  return out;
}

Features synthetic(const Features& like, const Hash32& seed, std::uint32_t first, std::uint32_t count) {
  Features out;
  out.dimension = like.dimension;
  if (like.count() == 0) return out;
  const std::vector<double> mean = means(like);
  const std::vector<double> deviation = deviations(like, mean);
  out.values.resize(std::size_t{count} * like.dimension);
  out.labels.assign(count, {-1, -1, "synthetic"});
  std::vector<double> normal(like.dimension);
  for (std::uint32_t i = 0; i < count; ++i) {
    normal_row(seed, std::uint64_t{first} + i, normal);
    float* row = out.values.data() + std::size_t{i} * like.dimension;
    for (std::size_t j = 0; j < normal.size(); ++j) row[j] = static_cast<float>(mean[j] + deviation[j] * normal[j]);
  }
  return out;
}

std::vector<float> perturbed(std::span<const float> row, std::span<const float> mean, double amount,
                             const Hash32& seed) {
  double squares = 0;
  for (std::size_t j = 0; j < row.size(); ++j) {
    const double c = static_cast<double>(row[j]) - static_cast<double>(mean[j]);
    squares += c * c;
  }
  // A noise vector of d values with this deviation has about `amount` times the row's centred norm.
  const double deviation = amount * std::sqrt(squares / static_cast<double>(row.size()));
  std::vector<double> normal(row.size());
  normal_row(seed, 0, normal);
  std::vector<float> out(row.begin(), row.end());
  for (std::size_t j = 0; j < out.size(); ++j) {
    out[j] = static_cast<float>(static_cast<double>(row[j]) + deviation * normal[j]);
  }
  return out;
}

}  // namespace sparkmill::templates
