// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/elligator.h"

#include <algorithm>
#include <vector>

#include "kernels/ed25519/sha512.h"
#include "verify/signatures/ecvrf.h"

namespace sparkmill::signatures {
namespace elligator {
namespace {

using ed25519::sha512;
using ed25519::reference::Curve25519;
using Field = ed25519::reference::Field25519;
using Number = ed25519::reference::Number<32>;

constexpr std::size_t kWideBytes = 48;  // L of RFC 9380 5.1: 255 bits and 128 of margin

Field small(std::uint32_t n) {
  return Field::from_bytes({static_cast<std::uint8_t>(n), static_cast<std::uint8_t>(n >> 8),
                            static_cast<std::uint8_t>(n >> 16), static_cast<std::uint8_t>(n >> 24)});
}

/// A square root where there is one: (p + 3) / 8 = (p - 5) / 8 + 1.
std::optional<Field> root(const Field& a) {
  static const Number exponent =
      ed25519::reference::shifted_right(ed25519::reference::minus(Curve25519::prime(), 5), 3);
  Field r = a * Group::power(a, exponent);
  if (!(r * r == a)) r = r * Curve25519::sqrt_minus_one();
  if (!(r * r == a)) return std::nullopt;
  return r;
}

Field with_sign(const Field& a, bool odd) { return Group::odd(a) == odd ? a : Field::zero() - a; }

/// `count` elements of RFC 9380 5.2.
std::vector<Field> hash_to_field(ByteView message, ByteView dst, std::size_t count) {
  const Bytes uniform = expand_message_xmd_sha512(message, dst, count * kWideBytes);
  std::vector<Field> out;
  for (std::size_t i = 0; i < count; ++i) {
    ed25519::reference::Number<kWideBytes> wide;
    std::reverse_copy(uniform.begin() + static_cast<std::ptrdiff_t>(i * kWideBytes),
                      uniform.begin() + static_cast<std::ptrdiff_t>((i + 1) * kWideBytes), wide.begin());
    out.push_back(Field::from_bytes(ed25519::reference::modulo(wide, Curve25519::prime())));
  }
  return out;
}

/// RFC 9380 6.7.1 on curve25519 (J = 486662, K = 1, Z = 2), then the rational map of 6.8.2.
Group::Point map_to_curve(const Field& u) {
  static const Field j = small(486662);
  static const Field scale = with_sign(*root(Field::zero() - small(486664)), false);
  const auto curve = [](const Field& x) { return x * (x * x + j * x + Field::one()); };
  // 1 + 2 u^2 is never 0: -1/2 is no square mod p.
  const Field x1 = (Field::zero() - j) * Group::inverse(Field::one() + small(2) * u * u);
  Field s = x1;
  auto t = root(curve(x1));
  if (t) {
    t = with_sign(*t, true);
  } else {
    s = Field::zero() - x1 - j;
    t = with_sign(*root(curve(s)), false);
  }
  const Field below = s + Field::one();
  if (*t == Field::zero() || below == Field::zero()) return Group::identity();
  return {scale * s * below, (s - Field::one()) * *t, *t * below};
}

}  // namespace

Group::Point encode_to_curve(ByteView message, ByteView dst) {
  return Group::times_eight(map_to_curve(hash_to_field(message, dst, 1).front()));
}

Group::Point hash_to_curve(ByteView message, ByteView dst) {
  const std::vector<Field> u = hash_to_field(message, dst, 2);
  return Group::times_eight(Group::add(map_to_curve(u[0]), map_to_curve(u[1])));
}

}  // namespace elligator

Bytes expand_message_xmd_sha512(ByteView message, ByteView dst, std::size_t bytes) {
  constexpr std::size_t kBlock = 128, kDigest = 64;
  const Bytes pad(kBlock);
  Bytes tail(dst.begin(), dst.end());
  tail.push_back(static_cast<std::uint8_t>(dst.size()));
  const std::uint8_t length[] = {static_cast<std::uint8_t>(bytes >> 8), static_cast<std::uint8_t>(bytes), 0};
  const auto first = ed25519::sha512({pad, message, length, tail});
  Bytes out;
  std::array<std::uint8_t, kDigest> block{};
  for (std::uint8_t i = 1; out.size() < bytes; ++i) {
    for (std::size_t k = 0; k < kDigest; ++k) block[k] ^= first[k];
    block = ed25519::sha512({block, ByteView(&i, 1), tail});
    out.insert(out.end(), block.begin(), block.end());
  }
  out.resize(bytes);
  return out;
}

CurvePoint hash_to_edwards25519(ByteView message, ByteView dst, bool uniform) {
  using elligator::Group;
  const Group::Point point =
      uniform ? elligator::hash_to_curve(message, dst) : elligator::encode_to_curve(message, dst);
  const auto inverse = Group::inverse(point.z);
  return {(point.x * inverse).to_bytes(), (point.y * inverse).to_bytes()};
}

}  // namespace sparkmill::signatures
