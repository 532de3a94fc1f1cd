// SPDX-License-Identifier: Apache-2.0
// The oracle's mathematics over any curve y^2 = x^3 + b of prime order over a field with p = 3 mod 4, so that tests can
// run all of it on curves small enough to try everything. Clear and slow; every exception of the group law is written
// out.
//
// A Curve gives: Field and Scalar with the members of Residue (number.h), b(), base_x(), base_y().
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "kernels/secp256k1/number.h"
#include "kernels/secp256k1/secp256k1.h"

namespace sparkmill::secp256k1::reference {

using Evidence = std::array<std::uint8_t, kEvidenceBytes>;

template <class Curve>
struct Group {
  using F = typename Curve::Field;
  using S = typename Curve::Scalar;

  /// Jacobian: x = X / Z^2, y = Y / Z^3; infinity has Z = 0.
  struct Point {
    F x, y, z;
  };
  struct Affine {
    F x, y;
  };
  static Point infinity() { return {F::one(), F::one(), F::zero()}; }
  static bool is_infinity(const Point& p) { return p.z.is_zero(); }
  static Point point(const Affine& a) { return {a.x, a.y, F::one()}; }
  static Affine base() { return {Curve::base_x(), Curve::base_y()}; }
  static Point negate(const Point& p) { return {p.x, F::zero() - p.y, p.z}; }

  /// No point has y = 0, the order being odd; infinity stays what it is.
  static Point twice(const Point& p) {
    const F yy = p.y * p.y, xyy = p.x * yy, xx = p.x * p.x;
    const F d = xyy + xyy + xyy + xyy, e = xx + xx + xx, c = yy * yy;
    const F x = e * e - d - d;
    const F c4 = c + c + c + c;
    return {x, e * (d - x) - c4 - c4, p.y * p.z + p.y * p.z};
  }
  static Point add(const Point& p, const Point& q) {
    if (is_infinity(p)) return q;
    if (is_infinity(q)) return p;
    const F zz1 = p.z * p.z, zz2 = q.z * q.z;
    const F u1 = p.x * zz2, u2 = q.x * zz1, s1 = p.y * q.z * zz2, s2 = q.y * p.z * zz1;
    if (u1 == u2) return s1 == s2 ? twice(p) : infinity();
    const F h = u2 - u1, r = s2 - s1, hh = h * h, hhh = h * hh, v = u1 * hh;
    const F x = r * r - hhh - v - v;
    return {x, r * (v - x) - s1 * hhh, p.z * q.z * h};
  }
  /// [a]P + [b]Q. a and b are integers, not residues: any 256 bits.
  static Point combine_vartime(const Words4& a, const Point& p, const Words4& b, const Point& q) {
    const Point both = add(p, q);
    Point sum = infinity();
    for (std::size_t k = 256; k-- > 0;) {
      sum = twice(sum);
      if (bit(a, k) && bit(b, k)) {
        sum = add(sum, both);
      } else if (bit(a, k)) {
        sum = add(sum, p);
      } else if (bit(b, k)) {
        sum = add(sum, q);
      }
    }
    return sum;
  }
  /// Requires a point that is not infinity.
  static Affine affine(const Point& p) {
    const F i = p.z.inverse(), ii = i * i;
    return {p.x * ii, p.y * ii * i};
  }
  static bool on_curve(const F& x, const F& y) { return y * y == x * x * x + Curve::b(); }
  /// The point with this x and parity of y; nothing when there is none. No y is 0.
  static std::optional<Affine> lift_x(const F& x, bool odd) {
    Words4 exponent;
    add_words(exponent, F::modulus(), {1, 0, 0, 0});
    exponent = shifted_right(exponent, 2);  // (p + 1) / 4, as p = 3 mod 4 and p + 1 < 2^256
    F y = F::power(x * x * x + Curve::b(), exponent);
    if (!on_curve(x, y)) return std::nullopt;
    if (y.odd() != odd) y = F::zero() - y;
    return Affine{x, y};
  }
  static std::optional<Affine> key(const Words4& x, const Words4& y) {
    if (!less(x, F::modulus()) || !less(y, F::modulus())) return std::nullopt;
    const Affine a{F::reduced(x), F::reduced(y)};
    return on_curve(a.x, a.y) ? std::optional(a) : std::nullopt;
  }
  static std::optional<Affine> compressed_key(std::uint8_t head, const Words4& x) {
    if ((head != 2 && head != 3) || !less(x, F::modulus())) return std::nullopt;
    return lift_x(F::reduced(x), head == 3);
  }

  /// [u1]G + [u2]Q of an equation, the integers below the order; nothing where there is no such equation.
  struct Equation {
    Words4 u1, u2;
    Affine q;
  };
  static Point sum(const Equation& e) { return combine_vartime(e.u1, point(base()), e.u2, point(e.q)); }
  static Point shifted_sum(const Equation& e, unsigned shift) {
    return combine_vartime(shifted_right(e.u1, shift), point(base()), shifted_right(e.u2, shift), point(e.q));
  }
  static bool in_range(const Words4& n) { return !is_zero(n) && less(n, S::modulus()); }

  static std::optional<Equation> ecdsa(const std::optional<Affine>& q, const Words4& r, const Words4& s,
                                       const Words4& z) {
    if (!q || !in_range(r) || !in_range(s)) return std::nullopt;
    const S w = S::reduced(s).inverse();
    return Equation{(S::reduced(z) * w).number(), (S::reduced(r) * w).number(), *q};
  }
  /// x(R) mod N = r.
  static bool ecdsa_holds(const Equation& e, const Words4& r) {
    const Point point = sum(e);
    return !is_infinity(point) && S::reduced(affine(point).x.number()).number() == r;
  }

  /// e: the challenge, any 256 bits. [s]G - [e]P, written as [s]G + [e](-P).
  static std::optional<Equation> bip340(const Words4& px, const Words4& rx, const Words4& s, const Words4& e) {
    if (!less(px, F::modulus()) || !less(rx, F::modulus()) || !less(s, S::modulus())) return std::nullopt;
    const auto p = lift_x(F::reduced(px), true);  // the key has even y, its negative odd
    if (!p) return std::nullopt;
    return Equation{s, S::reduced(e).number(), *p};
  }
  static bool bip340_holds(const Equation& e, const Words4& rx) {
    const Point point = sum(e);
    if (is_infinity(point)) return false;
    const Affine a = affine(point);
    return !a.y.odd() && a.x.number() == rx;
  }

  /// Q = [-z / r]G + [s / r]R.
  static std::optional<Equation> recovery(RecoverRule rule, const Words4& r, const Words4& s, const Words4& z,
                                          unsigned recid) {
    if (recid > 3) return std::nullopt;
    if (rule == RecoverRule::in_range && (!in_range(r) || !in_range(s))) return std::nullopt;
    const S reduced = S::reduced(r);
    if (reduced.is_zero()) return std::nullopt;
    Words4 x = r;
    if ((recid & 2) != 0 && add_words(x, r, S::modulus())) return std::nullopt;
    if (!less(x, F::modulus())) return std::nullopt;
    const auto point = lift_x(F::reduced(x), (recid & 1) != 0);
    if (!point) return std::nullopt;
    const S w = reduced.inverse();
    return Equation{(S::zero() - S::reduced(z) * w).number(), (S::reduced(s) * w).number(), *point};
  }
};

/// The real curve.
struct Secp256k1 {
  using Field = FieldElement;
  using Scalar = secp256k1::Scalar;
  static Field b() { return Field::reduced({7, 0, 0, 0}); }
  static Field base_x() {
    return Field::reduced({0x59f2815b16f81798, 0x029bfcdb2dce28d9, 0x55a06295ce870b07, 0x79be667ef9dcbbac});
  }
  static Field base_y() {
    return Field::reduced({0x9c47d08ffb10d4b8, 0xfd17b448a6855419, 0x5da4fbfc0e1108a8, 0x483ada7726a3c465});
  }
};

/// int(H_tag("BIP0340/challenge", r || x(P) || m)), not reduced. Requires 32 bytes each of r and key.
Words4 bip340_challenge(ByteView r, ByteView key, ByteView message);

/// The oracle's answer for one item; also what CPU rows ask when their formulas meet an exception.
struct Answer {
  bool valid = false;
  Evidence evidence{};  ///< zeros unless wanted
};
Answer verify_vartime(Check which, ByteView key, ByteView signature, ByteView message, bool with_evidence);
/// `public_key` gets 64 bytes, zeros when the answer is not valid.
Answer recover_vartime(RecoverRule rule, ByteView signature, ByteView digest, bool with_evidence,
                       std::uint8_t* public_key);

}  // namespace sparkmill::secp256k1::reference
