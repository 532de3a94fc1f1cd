// SPDX-License-Identifier: Apache-2.0
// Seeded templates and predicates for the tests of the family `match`.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "kernels/match/match.h"

namespace sparkmill::match::test {

enum class Kind { random, all_valid, none_valid, identical };
inline constexpr Kind kKinds[] = {Kind::random, Kind::all_valid, Kind::none_valid, Kind::identical};

inline std::string_view name(Kind kind) {
  switch (kind) {
    case Kind::random: return "random";
    case Kind::all_valid: return "all valid";
    case Kind::none_valid: return "none valid";
    case Kind::identical: return "identical";
  }
  return "";
}

/// Rows of one side. `identical`: the row is the same on both sides and everywhere.
inline std::vector<std::uint64_t> make_side(std::uint32_t count, std::uint32_t n, Kind kind, std::uint64_t seed) {
  std::mt19937_64 random(kind == Kind::identical ? 1 : seed);
  const std::size_t words = n / 64;
  std::vector<std::uint64_t> rows(count * 2 * words);
  for (std::size_t r = 0; r < count; ++r) {
    std::uint64_t* row = &rows[r * 2 * words];
    if (kind == Kind::identical && r > 0) {
      std::copy(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(2 * words), row);
      continue;
    }
    for (std::size_t w = 0; w < words; ++w) {
      const std::uint64_t valid = kind == Kind::all_valid    ? ~std::uint64_t{0}
                                  : kind == Kind::none_valid ? 0
                                                             : random() | random();
      row[words + w] = valid;
      row[w] = random() & valid;
    }
  }
  return rows;
}

struct Shape {
  std::uint32_t requests = 0, users = 0;
  std::vector<std::uint32_t> n;  ///< one a field
  Kind kind = Kind::random;
};

/// Owns the inputs of a task. Some users are noisy copies of requests, so that thresholds are met.
class Sample {
 public:
  Sample(const Shape& shape, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    data_.reserve(2 * shape.n.size());
    for (std::size_t f = 0; f < shape.n.size(); ++f) {
      const std::uint32_t n = shape.n[f];
      const std::size_t words = n / 64;
      data_.push_back(make_side(shape.requests, n, shape.kind, random()));
      data_.push_back(make_side(shape.users, n, shape.kind, random()));
      const std::vector<std::uint64_t>& requests = data_[2 * f];
      std::vector<std::uint64_t>& users = data_[2 * f + 1];
      for (std::uint32_t j = 3; shape.requests > 0 && j < shape.users; j += 11) {
        const std::uint32_t i = j * 7 % shape.requests;
        for (std::size_t w = 0; w < 2 * words; ++w) users[j * 2 * words + w] = requests[i * 2 * words + w];
        users[j * 2 * words] ^= random() & random() & users[j * 2 * words + words];
      }
      const bool valid = shape.kind == Kind::all_valid;
      const auto planes = [&](std::size_t side, std::uint32_t count) {
        return Planes{reinterpret_cast<const std::uint8_t*>(data_[2 * f + side].data()), count, n, valid, 0};
      };
      fields_.push_back({planes(0, shape.requests), planes(1, shape.users)});
    }
    Hash32 key{};
    for (auto& byte : key) byte = static_cast<std::uint8_t>(random());
    words_ = expand_digest_words(key, shape.requests, shape.users);
    tiles_ = {0, (shape.requests + kTile - 1) / kTile, 0, (shape.users + kTile - 1) / kTile};
  }

  Task task(const Predicate& predicate) const {
    Task t;
    t.fields = fields_;
    t.predicate = &predicate;
    t.words = &words_;
    t.tiles = tiles_;
    return t;
  }

 private:
  std::vector<std::vector<std::uint64_t>> data_;
  std::vector<FieldPair> fields_;
  DigestWords words_;
  TileRange tiles_;
};

inline Op dot(std::uint8_t field, std::int32_t tau) { return {OpCode::leaf_dot, field, 0, tau, {}}; }
inline Op frac(std::uint8_t field, unsigned w1, unsigned w2, std::int32_t imm) {
  return {OpCode::leaf_frac, field, static_cast<std::uint16_t>(w1 << 8 | w2), imm, {}};
}
inline Op op(OpCode code, std::uint16_t arg = 0, std::int32_t imm = 0) { return {code, 0, arg, imm, {}}; }
inline Predicate predicate(std::vector<Op> ops) { return Predicate::make(std::move(ops)).value(); }

}  // namespace sparkmill::match::test
