// SPDX-License-Identifier: Apache-2.0
// Seeded populations, predicates and tasks for the device tests.
#pragma once

#include <random>
#include <vector>

#include "kernels/match/match.h"

namespace sparkmill::match::testing {

/// Rows in match.h layout, as 64-bit words. `valid`: every element is.
inline std::vector<std::uint64_t> random_rows(std::mt19937_64& g, std::uint32_t count, std::uint32_t n, bool valid) {
  const std::size_t words = n / 64;
  std::vector<std::uint64_t> rows(count * 2 * words);
  for (std::size_t r = 0; r < count; ++r) {
    for (std::size_t w = 0; w < words; ++w) {
      const std::uint64_t m = valid ? ~std::uint64_t{0} : g() | g();
      rows[(2 * r + 1) * words + w] = m;
      rows[2 * r * words + w] = g() & m;
    }
  }
  return rows;
}

/// Two fields of different n with all their rows; keeps the memory that the planes point at.
class Population {
 public:
  Population(std::uint64_t seed, std::uint32_t requests, std::uint32_t users, std::uint32_t n, bool valid,
             std::uint64_t content_id = 0) {
    std::mt19937_64 g(seed);
    for (std::uint32_t f = 0; f < 2; ++f) {
      const std::uint32_t m = f == 0 ? n : n + 64;
      a_[f] = random_rows(g, requests, m, valid);
      b_[f] = random_rows(g, users, m, valid);
      const std::uint64_t id = content_id == 0 ? 0 : content_id + 2 * f;
      fields_.push_back({planes(a_[f], requests, m, valid, id), planes(b_[f], users, m, valid, id == 0 ? 0 : id + 1)});
    }
  }
  Population(const Population&) = delete;
  Population& operator=(const Population&) = delete;
  const std::vector<FieldPair>& fields() const { return fields_; }

 private:
  static Planes planes(const std::vector<std::uint64_t>& rows, std::uint32_t count, std::uint32_t n, bool valid,
                       std::uint64_t id) {
    return {reinterpret_cast<const std::uint8_t*>(rows.data()), count, n, valid, id};
  }
  std::vector<std::uint64_t> a_[2], b_[2];
  std::vector<FieldPair> fields_;
};

inline Op dot(std::uint8_t field, std::int32_t threshold) { return {OpCode::leaf_dot, field, 0, threshold, {}}; }
inline Op join(OpCode code, std::uint16_t count, std::int32_t imm = 0) { return {code, 0, count, imm, {}}; }
inline Op frac(std::uint8_t field, unsigned w1, unsigned w2, std::int32_t threshold) {
  return {OpCode::leaf_frac, field, static_cast<std::uint16_t>(w1 << 8 | w2), threshold, {}};
}

/// One leaf; every op but WSUM; WSUM.
inline std::vector<std::vector<Op>> programs() {
  Op wsum = join(OpCode::wsum, 2, -5);
  wsum.terms = {{0, 3}, {1, -2}};
  return {{dot(0, 12)},
          {dot(0, 3), dot(1, 5), frac(1, 4, 1, -3), dot(0, 0), join(OpCode::any, 3, 2), join(OpCode::op_not, 0),
           join(OpCode::op_and, 2), dot(1, 60), join(OpCode::op_or, 2), join(OpCode::limit, 0, 5)},
          {dot(0, 3), frac(1, 4, 1, -3), wsum, dot(0, 2), join(OpCode::seq, 0)}};
}

}  // namespace sparkmill::match::testing
