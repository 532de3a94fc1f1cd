// SPDX-License-Identifier: Apache-2.0
// Enrolment by the integer path: centre, normalise, quantise, project, erase the quarter nearest to zero.
#include "verify/template/enrol.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "base/hash.h"
#include "kernels/match/match.h"

namespace sparkmill::templates {

namespace {

constexpr std::uint32_t kMaxDimension = 4096;
constexpr double kScale = 8192.0;

/// y_k for all k. The inner loop is a plain 16-bit dot product, which compilers turn into multiply-add pairs.
void project(const std::int16_t* signs, std::span<const std::int16_t> q, std::span<std::int32_t> y) {
  const std::size_t d = q.size();
  for (std::size_t k = 0; k < y.size(); ++k) {
    const std::int16_t* r = signs + k * d;
    std::int32_t sum = 0;
    for (std::size_t j = 0; j < d; ++j) sum += r[j] * q[j];
    y[k] = sum;
  }
}

/// The `count` smallest |y_k|, ties by lower k, as a limit: element k is erased iff (|y_k|, k) <= the returned pair.
/// A histogram first leaves only one bucket to order.
std::uint64_t erase_limit(std::span<const std::uint32_t> magnitude, std::size_t count) {
  constexpr std::size_t kBuckets = 1024;
  std::uint32_t all = 0;
  for (const std::uint32_t m : magnitude) all |= m;
  unsigned shift = 0;
  while (all >> shift >= kBuckets) ++shift;
  std::array<std::uint32_t, kBuckets> histogram{};
  for (const std::uint32_t m : magnitude) ++histogram[m >> shift];
  std::size_t bucket = 0;
  std::size_t below = 0;
  while (below + histogram[bucket] < count) below += histogram[bucket++];
  std::vector<std::uint64_t> keys;
  keys.reserve(histogram[bucket]);
  for (std::size_t k = 0; k < magnitude.size(); ++k) {
    if (magnitude[k] >> shift == bucket) keys.push_back(std::uint64_t{magnitude[k]} << 32 | k);
  }
  const auto nth = keys.begin() + static_cast<std::ptrdiff_t>(count - below - 1);
  std::nth_element(keys.begin(), nth, keys.end());
  return *nth;
}

}  // namespace

Hash32 projection_key(ByteView app_secret, const Id16& epoch, std::uint32_t field) {
  ByteWriter info;
  info.bytes("pcb/proj/v1").u32(field);
  Hash32 key{};
  hkdf_sha256(app_secret, epoch, info.data(), key);
  return key;
}

Result<Enroller> Enroller::make(const Hash32& key, std::uint32_t n, std::span<const float> mean) {
  if (n % 64 != 0 || n < match::kMinN || n > match::kMaxN) {
    return fail(Status::bad_argument,
                "n is " + std::to_string(n) + ", expected a multiple of 64 from 64 to " + std::to_string(match::kMaxN));
  }
  if (mean.empty() || mean.size() > kMaxDimension) {
    return fail(Status::bad_argument, "features have " + std::to_string(mean.size()) + " values a row, expected 1 to " +
                                          std::to_string(kMaxDimension));
  }
  for (const float m : mean) {
    if (!std::isfinite(m)) return fail(Status::bad_argument, "the mean has a value that is not finite");
  }
  Enroller e;
  e.n_ = n;
  e.mean_.assign(mean.begin(), mean.end());
  const std::size_t count = std::size_t{n} * mean.size();
  e.signs_.resize(count);
  Bytes stream(count / 8);  // n is a multiple of 64, so whole bytes
  chacha20_stream(key, 0, 0, stream);
  for (std::size_t i = 0; i < count; ++i) {
    e.signs_[i] = static_cast<std::int16_t>(1 - 2 * (stream[i / 8] >> (i % 8) & 1));
  }
  return e;
}

Done Enroller::quantise(std::span<const float> features, std::span<std::int16_t> q) const {
  if (features.size() != mean_.size() || q.size() != mean_.size()) {
    return fail(Status::bad_argument, "the row has " + std::to_string(features.size()) + " values, the mean has " +
                                          std::to_string(mean_.size()));
  }
  double squares = 0;
  for (std::size_t j = 0; j < q.size(); ++j) {
    if (!std::isfinite(features[j])) {
      return fail(Status::bad_input, "value " + std::to_string(j) + " is not a finite number");
    }
    const double c = static_cast<double>(features[j]) - static_cast<double>(mean_[j]);
    squares += c * c;
  }
  const double length = std::sqrt(squares);
  if (!(length > 0)) {
    return fail(Status::bad_input, "the row equals the mean: nothing is left after centring",
                "enrol at least two different rows, or give the population's mean with --mean");
  }
  for (std::size_t j = 0; j < q.size(); ++j) {
    const double c = static_cast<double>(features[j]) - static_cast<double>(mean_[j]);
    const double scaled = std::nearbyint(kScale * (c / length));  // default rounding: half to even
    q[j] = static_cast<std::int16_t>(std::clamp(scaled, -32768.0, 32767.0));
  }
  return done();
}

void Enroller::enrol_quantised(std::span<const std::int16_t> q, std::span<std::uint8_t> row) const {
  if (q.size() != mean_.size() || row.size() != n_ / 4) std::abort();  // a programming error
  std::vector<std::int32_t> y(n_);
  project(signs_.data(), q, y);
  std::vector<std::uint32_t> magnitude(n_);
  for (std::size_t k = 0; k < n_; ++k) magnitude[k] = static_cast<std::uint32_t>(std::abs(y[k]));
  const std::uint64_t limit = erase_limit(magnitude, n_ / 4);
  std::fill(row.begin(), row.end(), std::uint8_t{0});
  std::uint8_t* sign = row.data();
  std::uint8_t* valid = sign + n_ / 8;
  for (std::size_t k = 0; k < n_; ++k) {
    const bool kept = (std::uint64_t{magnitude[k]} << 32 | k) > limit;
    sign[k / 8] = static_cast<std::uint8_t>(sign[k / 8] | (kept && y[k] < 0) << (k % 8));
    valid[k / 8] = static_cast<std::uint8_t>(valid[k / 8] | kept << (k % 8));
  }
}

Done Enroller::enrol(std::span<const float> features, std::span<std::uint8_t> row) const {
  std::vector<std::int16_t> q(mean_.size());
  SPARKMILL_TRY(quantise(features, q));
  enrol_quantised(q, row);
  return done();
}

}  // namespace sparkmill::templates
