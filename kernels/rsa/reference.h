// SPDX-License-Identifier: Apache-2.0
// The oracle's integers: schoolbook products and long division (Knuth, TAOCP 2, 4.3.1, algorithms M and D), nothing of
// Montgomery. Over any limb, so that tests can go through every value of a small one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sparkmill::rsa::reference {

/// Numbers of kLimbs >= 2 limbs, lowest first. `Wide` holds a product of two limbs and two limbs more.
template <class Limb, class Wide, std::size_t kLimbs>
struct Integers {
  using Number = std::array<Limb, kLimbs>;
  using Product = std::array<Limb, 2 * kLimbs>;
  static constexpr unsigned kBits = 8 * sizeof(Limb);
  static constexpr Wide kBase = Wide{1} << kBits;

  static bool less(const Number& a, const Number& b) {
    for (std::size_t k = kLimbs; k-- > 0;) {
      if (a[k] != b[k]) return a[k] < b[k];
    }
    return false;
  }

  static Product multiply(const Number& a, const Number& b) {
    Product product{};
    for (std::size_t i = 0; i < kLimbs; ++i) {
      Limb carry = 0;
      for (std::size_t j = 0; j < kLimbs; ++j) {
        const Wide sum = Wide{a[i]} * b[j] + product[i + j] + carry;
        product[i + j] = static_cast<Limb>(sum);
        carry = static_cast<Limb>(sum >> kBits);
      }
      product[i + kLimbs] = carry;
    }
    return product;
  }

  /// a mod n. Requires the top bit of n set.
  static Number modulo(const Product& a, const Number& n) {
    std::array<Limb, 2 * kLimbs + 1> u{};
    for (std::size_t k = 0; k < a.size(); ++k) u[k] = a[k];
    for (std::size_t j = kLimbs + 1; j-- > 0;) {
      subtract_multiple(&u[j], n, digit(&u[j], n));
    }
    Number rest;
    for (std::size_t k = 0; k < kLimbs; ++k) rest[k] = u[k];
    return rest;
  }

  static Number multiply_modulo(const Number& a, const Number& b, const Number& n) { return modulo(multiply(a, b), n); }

  /// s^(2^squarings) mod n. Requires s < n.
  static Number square_modulo(Number s, unsigned squarings, const Number& n) {
    for (unsigned k = 0; k < squarings; ++k) s = multiply_modulo(s, s, n);
    return s;
  }

 private:
  /// The digit u / n of kLimbs + 1 limbs by kLimbs, or one more than it.
  static Wide digit(const Limb* u, const Number& n) {
    const Wide top = Wide{u[kLimbs]} << kBits | u[kLimbs - 1];
    Wide q = top / n[kLimbs - 1], rest = top % n[kLimbs - 1];
    while (q >= kBase || q * n[kLimbs - 2] > (rest << kBits | u[kLimbs - 2])) {
      --q;
      rest += n[kLimbs - 1];
      if (rest >= kBase) break;
    }
    return q;
  }

  /// u -= q n, and n is added once where q was one too many.
  static void subtract_multiple(Limb* u, const Number& n, Wide q) {
    Wide carry = 0;
    Limb borrow = 0;
    for (std::size_t k = 0; k <= kLimbs; ++k) {
      carry += k < kLimbs ? q * n[k] : Wide{0};
      const Wide take = Wide{static_cast<Limb>(carry)} + borrow;
      carry >>= kBits;
      borrow = u[k] < take ? 1 : 0;
      u[k] = static_cast<Limb>(u[k] - take);
    }
    if (borrow == 0) return;
    Wide sum = 0;
    for (std::size_t k = 0; k <= kLimbs; ++k) {
      sum += Wide{u[k]} + (k < kLimbs ? n[k] : Limb{0});
      u[k] = static_cast<Limb>(sum);
      sum >>= kBits;
    }
  }
};

__extension__ using Wide64 = unsigned __int128;
using Integers2048 = Integers<std::uint64_t, Wide64, 32>;

}  // namespace sparkmill::rsa::reference
