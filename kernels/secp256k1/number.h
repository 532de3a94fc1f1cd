// SPDX-License-Identifier: Apache-2.0
// Numbers of 256 bits, and residues modulo a number a little below 2^256, as both the field and the group order of
// secp256k1 are. Plain 64-bit arithmetic in variable time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sparkmill::secp256k1 {

using Words4 = std::array<std::uint64_t, 4>;  ///< little-endian words

inline Words4 from_big_endian(const std::uint8_t* bytes) {
  Words4 n{};
  for (std::size_t k = 0; k < 32; ++k) n[3 - k / 8] = n[3 - k / 8] << 8 | bytes[k];
  return n;
}
inline void to_big_endian(const Words4& n, std::uint8_t* bytes) {
  for (std::size_t k = 0; k < 32; ++k) bytes[k] = static_cast<std::uint8_t>(n[3 - k / 8] >> (56 - 8 * (k % 8)));
}
inline bool is_zero(const Words4& n) { return (n[0] | n[1] | n[2] | n[3]) == 0; }
inline bool is_odd(const Words4& n) { return (n[0] & 1) != 0; }
inline bool bit(const Words4& n, std::size_t at) { return (n[at / 64] >> (at % 64) & 1) != 0; }
inline bool less(const Words4& a, const Words4& b) {
  for (std::size_t k = 4; k-- > 0;) {
    if (a[k] != b[k]) return a[k] < b[k];
  }
  return false;
}
/// sum = a + b mod 2^256; the carry.
inline bool add_words(Words4& sum, const Words4& a, const Words4& b) {
  bool carry = false;
  for (std::size_t k = 0; k < 4; ++k) {
    const std::uint64_t part = a[k] + b[k];
    const bool over = part < a[k];
    sum[k] = part + (carry ? 1 : 0);
    carry = over || (carry && sum[k] == 0);
  }
  return carry;
}
/// difference = a - b mod 2^256; the borrow.
inline bool subtract_words(Words4& difference, const Words4& a, const Words4& b) {
  bool borrow = false;
  for (std::size_t k = 0; k < 4; ++k) {
    const std::uint64_t part = a[k] - b[k];
    const bool under = a[k] < b[k];
    difference[k] = part - (borrow ? 1 : 0);
    borrow = under || (borrow && part == 0);
  }
  return borrow;
}
/// Requires 0 < bits < 64.
inline Words4 shifted_right(const Words4& n, unsigned bits) {
  Words4 out;
  for (std::size_t k = 0; k < 4; ++k) out[k] = n[k] >> bits | (k < 3 ? n[k + 1] << (64 - bits) : 0);
  return out;
}

using Words8 = std::array<std::uint64_t, 8>;

/// kA words times kB words, added to `sum`, whose words above must not overflow.
template <std::size_t kA, std::size_t kB>
inline void add_product(Words8& sum, const std::uint64_t* a, const std::uint64_t* b) {
  __extension__ using Wide = unsigned __int128;
  for (std::size_t i = 0; i < kA; ++i) {
    Wide carry = 0;
    for (std::size_t j = 0; j < kB; ++j) {
      carry += Wide{a[i]} * b[j] + sum[i + j];
      sum[i + j] = static_cast<std::uint64_t>(carry);
      carry >>= 64;
    }
    for (std::size_t k = i + kB; carry != 0 && k < 8; ++k) {
      carry += sum[k];
      sum[k] = static_cast<std::uint64_t>(carry);
      carry >>= 64;
    }
  }
}

/// Numbers mod m = M::kModulus, always below m. M also gives kComplement = 2^256 - m in kComplementWords words.
template <class M>
class Residue {
 public:
  static const Words4& modulus() { return M::kModulus; }
  static Residue zero() { return {}; }
  static Residue one() { return Residue(Words4{1, 0, 0, 0}); }
  /// n mod m.
  static Residue reduced(const Words4& n) {
    Residue r(n);
    r.subtract_once();
    return r;
  }
  const Words4& number() const { return n_; }
  bool is_zero() const { return secp256k1::is_zero(n_); }
  bool odd() const { return is_odd(n_); }

  friend Residue operator+(const Residue& a, const Residue& b) {
    Residue r;
    // 2^256 = complement; a sum below 2m loses m once.
    if (add_words(r.n_, a.n_, b.n_)) {
      subtract_words(r.n_, r.n_, M::kModulus);
    } else {
      r.subtract_once();
    }
    return r;
  }
  friend Residue operator-(const Residue& a, const Residue& b) {
    Residue r;
    if (subtract_words(r.n_, a.n_, b.n_)) add_words(r.n_, r.n_, M::kModulus);
    return r;
  }
  friend Residue operator*(const Residue& a, const Residue& b) {
    Words8 wide{};
    add_product<4, 4>(wide, a.n_.data(), b.n_.data());
    // hi * 2^256 + lo = hi * complement + lo, until nothing is above.
    while ((wide[4] | wide[5] | wide[6] | wide[7]) != 0) {
      Words8 next{wide[0], wide[1], wide[2], wide[3], 0, 0, 0, 0};
      add_product<4, M::kComplementWords>(next, wide.data() + 4, M::kComplement.data());
      wide = next;
    }
    return reduced({wide[0], wide[1], wide[2], wide[3]});
  }
  friend bool operator==(const Residue&, const Residue&) = default;

  static Residue power(const Residue& base, const Words4& exponent) {
    Residue r = one();
    for (std::size_t k = 256; k-- > 0;) {
      r = r * r;
      if (bit(exponent, k)) r = r * base;
    }
    return r;
  }
  /// 0 for 0. Requires a prime modulus.
  Residue inverse() const {
    Words4 exponent;
    subtract_words(exponent, M::kModulus, {2, 0, 0, 0});
    return power(*this, exponent);
  }

  Residue() = default;

 private:
  explicit Residue(const Words4& n) : n_(n) {}
  void subtract_once() {
    if (!less(n_, M::kModulus)) subtract_words(n_, n_, M::kModulus);
  }
  Words4 n_{};
};

/// The field: p = 2^256 - 2^32 - 977.
struct ModP {
  static constexpr Words4 kModulus = {0xfffffffefffffc2f, ~std::uint64_t{0}, ~std::uint64_t{0}, ~std::uint64_t{0}};
  static constexpr std::size_t kComplementWords = 1;
  static constexpr std::array<std::uint64_t, 1> kComplement = {0x1000003d1};
};
/// The order of the group.
struct ModN {
  static constexpr Words4 kModulus = {0xbfd25e8cd0364141, 0xbaaedce6af48a03b, 0xfffffffffffffffe, ~std::uint64_t{0}};
  static constexpr std::size_t kComplementWords = 3;
  static constexpr std::array<std::uint64_t, 3> kComplement = {0x402da1732fc9bebf, 0x4551231950b75fc4, 1};
};
using FieldElement = Residue<ModP>;
using Scalar = Residue<ModN>;

}  // namespace sparkmill::secp256k1
