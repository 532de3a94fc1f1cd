// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/signers/secp256k1_numbers.h"

#include <span>

namespace sparkmill::signatures::secp256k1_numbers {
namespace {

constexpr std::size_t kRows = 32;      ///< bytes of a scalar
constexpr std::size_t kColumns = 256;  ///< values of a byte

constexpr std::size_t kAtOnce = 64;

/// Replaces every number, none of them 0, by its inverse; one inversion for all.
template <class Number>
void invert_all(std::span<Number> numbers) {
  std::vector<Number> prefix{Number::one()};
  for (const Number& n : numbers) prefix.push_back(prefix.back() * n);
  Number inverse = prefix.back().inverse();
  for (std::size_t k = numbers.size(); k-- > 0;) {
    const Number own = inverse * prefix[k];
    inverse = inverse * numbers[k];
    numbers[k] = own;
  }
}

/// Requires points that are not infinity.
std::vector<Point> affine_of(std::span<const Group::Point> points) {
  std::vector<Field> z;
  for (const Group::Point& p : points) z.push_back(p.z);
  invert_all(std::span(z));
  std::vector<Point> out;
  for (std::size_t k = 0; k < points.size(); ++k) {
    const Field square = z[k] * z[k];
    out.push_back({points[k].x * square, points[k].y * square * z[k]});
  }
  return out;
}

/// [v 256^k]G at k * 256 + v; no matter what at v = 0.
std::vector<Point> make_table() {
  std::vector<Group::Point> table;
  table.reserve(kRows * kColumns);
  Group::Point unit = Group::point(Group::base());
  for (std::size_t k = 0; k < kRows; ++k) {
    table.push_back(unit);
    Group::Point sum = unit;
    for (std::size_t v = 1; v < kColumns; ++v) {
      table.push_back(sum);
      sum = Group::add(sum, unit);
    }
    unit = sum;
  }
  return affine_of(table);
}

/// p + q, with fewer products than the oracle's sum.
Group::Point plus(const Group::Point& p, const Point& q) {
  if (Group::is_infinity(p)) return Group::point(q);
  const Field zz = p.z * p.z, h = q.x * zz - p.x;
  if (h.is_zero()) return Group::add(p, Group::point(q));
  const Field r = q.y * p.z * zz - p.y, hh = h * h, hhh = h * hh, v = p.x * hh;
  const Field x = r * r - hhh - v - v;
  return {x, r * (v - x) - p.y * hhh, p.z * h};
}

Group::Point sum_for(const Scalar& n) {
  static const std::vector<Point> table = make_table();
  Group::Point sum = Group::infinity();
  for (std::size_t k = 0; k < kRows; ++k) {
    const std::size_t v = n.number()[k / 8] >> (8 * (k % 8)) & 0xff;
    if (v != 0) sum = plus(sum, table[k * kColumns + v]);
  }
  return sum;
}

}  // namespace

Point times_generator(const Scalar& n) { return Group::affine(sum_for(n)); }

Multiple Multiples::next() {
  if (made_.empty()) fill();
  const Multiple out = made_.back();
  made_.pop_back();
  return out;
}

void Multiples::fill() {
  std::vector<Scalar> numbers;
  std::vector<Group::Point> points;
  while (numbers.size() < kAtOnce) {
    std::array<std::uint8_t, 32> bytes{};
    for (std::uint8_t& b : bytes) b = static_cast<std::uint8_t>(draw_.u32());
    const Scalar n = scalar_of(bytes);
    if (n.is_zero()) continue;
    numbers.push_back(n);
    points.push_back(sum_for(n));
  }
  std::vector<Scalar> inverses = numbers;
  invert_all(std::span(inverses));
  const std::vector<Point> affine = affine_of(points);
  for (std::size_t k = 0; k < kAtOnce; ++k) made_.push_back({numbers[k], inverses[k], affine[k]});
}

Scalar scalar_of(ByteView bytes) { return Scalar::reduced(secp256k1::from_big_endian(bytes.data())); }

Scalar x_as_scalar(const Point& p) { return Scalar::reduced(p.x.number()); }

void append(const secp256k1::Words4& n, Bytes& out) {
  std::uint8_t bytes[32];
  secp256k1::to_big_endian(n, bytes);
  out.insert(out.end(), bytes, bytes + sizeof bytes);
}

Bytes xy(const Point& p) {
  Bytes out;
  append(p.x.number(), out);
  append(p.y.number(), out);
  return out;
}

std::array<std::uint8_t, 33> compressed(const Point& p) {
  std::array<std::uint8_t, 33> out{};
  out[0] = p.y.odd() ? 3 : 2;
  secp256k1::to_big_endian(p.x.number(), out.data() + 1);
  return out;
}

}  // namespace sparkmill::signatures::secp256k1_numbers
