// SPDX-License-Identifier: Apache-2.0
// The oracle's mathematics over any curve of the kind of Ed25519, so that tests can run all of it on a curve small
// enough to try everything: -x^2 + y^2 = 1 + d x^2 y^2, d no square, cofactor 8, p = 5 mod 8. Clear and slow.
//
// A Curve gives: Field (zero, one, from_bytes, to_bytes, + - *, ==), kBytes of an encoding, kSignBit (the bit above y),
// prime() and order() as little-endian numbers of kBytes bytes, d(), sqrt_minus_one(), base_x(), base_y() and
// kLegacyBits, the bits of S that `bytom_legacy` allows.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "kernels/ed25519/ed25519.h"

namespace sparkmill::ed25519::reference {

template <std::size_t N>
using Number = std::array<std::uint8_t, N>;  ///< little-endian

template <std::size_t N>
bool bit(const Number<N>& n, std::size_t at) {
  return (n[at / 8] >> (at % 8) & 1) != 0;
}
template <std::size_t N>
bool less(const Number<N>& a, const Number<N>& b) {
  for (std::size_t k = N; k-- > 0;) {
    if (a[k] != b[k]) return a[k] < b[k];
  }
  return false;
}
template <std::size_t N>
Number<N> shifted_right(const Number<N>& a, std::size_t bits) {
  Number<N> out{};
  for (std::size_t k = 0; k + bits < 8 * N; ++k) out[k / 8] |= static_cast<std::uint8_t>(bit(a, k + bits) << (k % 8));
  return out;
}
/// a - small mod 2^(8 N), for the exponents p - 2 and p - 5.
template <std::size_t N>
Number<N> minus(Number<N> a, unsigned small) {
  for (std::size_t k = 0; small != 0 && k < N; ++k) {
    const unsigned byte = a[k];
    a[k] = static_cast<std::uint8_t>(byte - small);
    small = byte < small ? 1 : 0;
  }
  return a;
}
/// wide mod m, bit by bit from the top. Requires m < 2^(8 N - 1).
template <std::size_t N, std::size_t W>
Number<N> modulo(const Number<W>& wide, const Number<N>& m) {
  Number<N> r{};
  for (std::size_t k = 8 * W; k-- > 0;) {
    unsigned carry = bit(wide, k);
    for (std::uint8_t& byte : r) {
      const unsigned doubled = 2u * byte + carry;
      byte = static_cast<std::uint8_t>(doubled);
      carry = doubled >> 8;
    }
    if (less(r, m)) continue;
    unsigned borrow = 0;
    for (std::size_t b = 0; b < N; ++b) {
      const unsigned difference = 256u + r[b] - m[b] - borrow;
      r[b] = static_cast<std::uint8_t>(difference);
      borrow = difference < 256 ? 1 : 0;
    }
  }
  return r;
}

template <class Curve>
struct Group {
  using F = typename Curve::Field;
  static constexpr std::size_t kBytes = Curve::kBytes;
  using Encoded = Number<kBytes>;
  using Scalar = Number<kBytes>;

  /// Projective (X : Y : Z), x = X / Z, y = Y / Z.
  struct Point {
    F x, y, z;
  };
  static Point identity() { return {F::zero(), F::one(), F::one()}; }
  static Point base() { return {Curve::base_x(), Curve::base_y(), F::one()}; }

  /// Complete for all points of the curve, since -1 is a square and d is not.
  static Point add(const Point& p, const Point& q) {
    const F a = p.z * q.z, b = a * a, c = p.x * q.x, d = p.y * q.y, e = Curve::d() * c * d;
    const F f = b - e, g = b + e;
    return {a * f * ((p.x + p.y) * (q.x + q.y) - c - d), a * g * (d + c), f * g};
  }
  static Point negate(const Point& p) { return {F::zero() - p.x, p.y, p.z}; }
  static Point multiply_vartime(const Scalar& n, const Point& p) {
    Point sum = identity();
    for (std::size_t k = 8 * kBytes; k-- > 0;) {
      sum = add(sum, sum);
      if (bit(n, k)) sum = add(sum, p);
    }
    return sum;
  }
  static Point times_eight(const Point& p) {
    Point r = p;
    for (int k = 0; k < 3; ++k) r = add(r, r);
    return r;
  }
  static bool is_identity(const Point& p) { return p.x == F::zero() && p.y == p.z; }

  static F power(const F& a, const Number<kBytes>& exponent) {
    F r = F::one();
    for (std::size_t k = 8 * kBytes; k-- > 0;) {
      r = r * r;
      if (bit(exponent, k)) r = r * a;
    }
    return r;
  }
  static F inverse(const F& a) { return power(a, minus(Curve::prime(), 2)); }
  static bool odd(const F& a) { return (a.to_bytes()[0] & 1) != 0; }

  static Encoded encode(const Point& p) {
    const F i = inverse(p.z);
    Encoded e = (p.y * i).to_bytes();
    if (odd(p.x * i)) e[Curve::kSignBit / 8] |= static_cast<std::uint8_t>(1u << (Curve::kSignBit % 8));
    return e;
  }
  /// Leniently; `canonical` says whether encode() would give the same bytes. Requires no bits above the sign bit.
  static std::optional<Point> decode(const Encoded& bytes, bool& canonical) {
    Encoded y_bytes = bytes;
    y_bytes[Curve::kSignBit / 8] &= static_cast<std::uint8_t>((1u << (Curve::kSignBit % 8)) - 1);
    const bool sign = bit(bytes, Curve::kSignBit);
    const F y = F::from_bytes(y_bytes);
    const F u = y * y - F::one(), v = Curve::d() * y * y + F::one();
    const F v3 = v * v * v;
    F x = u * v3 * power(u * v3 * v3 * v, shifted_right(minus(Curve::prime(), 5), 3));
    if (v * x * x == F::zero() - u) x = x * Curve::sqrt_minus_one();
    if (!(v * x * x == u)) return std::nullopt;
    if (odd(x) != sign) x = F::zero() - x;
    canonical = less(y_bytes, Curve::prime()) && !(x == F::zero() && sign);
    return Point{x, y, F::one()};
  }

  /// S in range for the policy.
  static bool s_in_range(Policy policy, const Scalar& s) {
    if (rules(policy).s_below_order) return less(s, Curve::order());
    for (std::size_t k = Curve::kLegacyBits; k < 8 * kBytes; ++k) {
      if (bit(s, k)) return false;
    }
    return true;
  }
  /// A as the policy decodes it; nothing where it refuses the encoding. Small order is another question.
  static std::optional<Point> decode_for(Policy policy, const Encoded& a) {
    bool canonical = false;
    const auto point = decode(a, canonical);
    return point && (canonical || !rules(policy).canonical_a) ? point : std::nullopt;
  }

  /// The verdict on A, R, S and the reduced hash k.
  static bool valid_vartime(Policy policy, const Encoded& a, const Encoded& r, const Scalar& s, const Scalar& k) {
    const Rules rule = rules(policy);
    const auto key = decode_for(policy, a);
    if (!s_in_range(policy, s) || !key) return false;
    const Point got = add(multiply_vartime(s, base()), negate(multiply_vartime(k, *key)));
    if (!rule.cofactored) {
      if (encode(got) != r) return false;
      // The bytes are those of `got`, so its order is R's.
      return !rule.small_order_refused || (!is_identity(times_eight(*key)) && !is_identity(times_eight(got)));
    }
    bool canonical = false;
    const auto commitment = decode(r, canonical);
    if (!commitment || (rule.canonical_r && !canonical)) return false;
    return is_identity(times_eight(add(got, negate(*commitment))));
  }
  /// enc([S >> shift]B - [k >> shift]A), or zeros as the contract says.
  static Encoded evidence_vartime(Policy policy, const Encoded& a, const Scalar& s, const Scalar& k,
                                  std::size_t shift) {
    const auto key = decode_for(policy, a);
    if (!s_in_range(policy, s) || !key) return Encoded{};
    return encode(add(multiply_vartime(shifted_right(s, shift), base()),
                      negate(multiply_vartime(shifted_right(k, shift), *key))));
  }
};

/// SHA-512(R || A || M) mod L.
Number<32> challenge(ByteView r, ByteView a, ByteView message);

/// The real curve.
struct Field25519 {
  std::array<std::uint64_t, 5> limb{};  ///< radix 2^51, each below 2^52

  static Field25519 zero() { return {}; }
  static Field25519 one() { return {{1, 0, 0, 0, 0}}; }
  static Field25519 from_bytes(const Number<32>& bytes);  ///< bit 255 is ignored; y >= p is taken mod p
  Number<32> to_bytes() const;                            ///< in [0, p)
  friend Field25519 operator+(const Field25519& a, const Field25519& b);
  friend Field25519 operator-(const Field25519& a, const Field25519& b);
  friend Field25519 operator*(const Field25519& a, const Field25519& b);
  friend bool operator==(const Field25519& a, const Field25519& b) { return a.to_bytes() == b.to_bytes(); }
};

struct Curve25519 {
  using Field = Field25519;
  static constexpr std::size_t kBytes = 32;
  static constexpr std::size_t kSignBit = 255;
  static constexpr std::size_t kLegacyBits = 253;
  static const Number<32>& prime();
  static const Number<32>& order();
  static const Field& d();
  static const Field& sqrt_minus_one();
  static const Field& base_x();
  static const Field& base_y();
};

}  // namespace sparkmill::ed25519::reference
