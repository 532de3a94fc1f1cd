// SPDX-License-Identifier: Apache-2.0
#include "kernels/secp256k1/scalar.h"

#include <memory>
#include <vector>

#include "kernels/secp256k1/reference.h"

namespace sparkmill::secp256k1::cpu {
namespace {

__extension__ using Wide = unsigned __int128;

/// Numbers mod 2^192 in two's complement: the halves are below 2^130.
struct Words3 {
  std::uint64_t w[3];
};
Words3 product(const std::uint64_t a[2], const std::uint64_t b[3]) {
  Words3 p{};
  for (int i = 0; i < 2; ++i) {
    Wide carry = 0;
    for (int j = 0; i + j < 3; ++j) {
      carry += Wide{a[i]} * b[j] + p.w[i + j];
      p.w[i + j] = static_cast<std::uint64_t>(carry);
      carry >>= 64;
    }
  }
  return p;
}
Words3 sum(const Words3& a, const Words3& b) {
  Words3 s;
  Wide carry = 0;
  for (int k = 0; k < 3; ++k) {
    carry += Wide{a.w[k]} + b.w[k];
    s.w[k] = static_cast<std::uint64_t>(carry);
    carry >>= 64;
  }
  return s;
}
Words3 negative(const Words3& a) { return sum({{~a.w[0], ~a.w[1], ~a.w[2]}}, {{1, 0, 0}}); }
Words3 difference(const Words3& a, const Words3& b) { return sum(a, negative(b)); }

// The basis (kA, -kB), (kC, kA), and kA, kB times 2^384 / N, rounded.
constexpr Words3 kA = {{0xe86c90e49284eb15, 0x3086d221a7d46bcd, 0}};
constexpr Words3 kB = {{0x6f547fa90abfe4c3, 0xe4437ed6010e8828, 0}};
constexpr Words3 kC = {{0x57c1108d9d44cfd8, 0x14ca50f7a8e2f3f6, 1}};
constexpr Words4 kAOverN = {0xe893209a45dbb031, 0x3daa8a1471e8ca7f, 0xe86c90e49284eb15, 0x3086d221a7d46bcd};
constexpr Words4 kBOverN = {0x1571b4ae8ac47f71, 0x221208ac9df506c6, 0x6f547fa90abfe4c4, 0xe4437ed6010e8828};

/// round(n g / 2^384), two words.
void quotient(const Words4& n, const Words4& g, std::uint64_t out[2]) {
  Words8 wide{};
  wide[5] = std::uint64_t{1} << 63;
  add_product<4, 4>(wide, n.data(), g.data());
  out[0] = wide[6];
  out[1] = wide[7];
}

Half half_of(Words3 n) {
  const bool below = n.w[2] >> 63 != 0;
  if (below) n = negative(n);
  return {{n.w[0], n.w[1], n.w[2]}, below};
}

}  // namespace

void invert_all(std::span<Scalar> n, std::span<Scalar> prefix) {
  Scalar all = Scalar::one();
  for (std::size_t k = 0; k < n.size(); ++k) {
    prefix[k] = all;
    all = all * n[k];
  }
  all = all.inverse();
  for (std::size_t k = n.size(); k-- > 0;) {
    const Scalar inverse = all * prefix[k];
    all = all * n[k];
    n[k] = inverse;
  }
}

void split(const Words4& n, Half half[2]) {
  std::uint64_t c1[2], c2[2];
  quotient(n, kAOverN, c1);
  quotient(n, kBOverN, c2);
  Words3 first = difference(difference({{n[0], n[1], n[2]}}, product(c1, kA.w)), product(c2, kC.w));
  Words3 second = difference(product(c1, kB.w), product(c2, kA.w));
  // (kA, -kB) is odd in both places, (kC, kA) in the second only.
  if ((first.w[0] & 1) == 0) {
    first = sum(first, kA);
    second = difference(second, kB);
  }
  if ((second.w[0] & 1) == 0) {
    first = sum(first, kC);
    second = sum(second, kA);
  }
  half[0] = half_of(first);
  half[1] = half_of(second);
}

const std::uint64_t* base_table() {
  struct Table {
    alignas(64) std::uint64_t row[kTableG * 2 * kRowsG][kRowWords];
  };
  static const std::unique_ptr<const Table> table = [] {
    using Curve = reference::Group<reference::Secp256k1>;
    const FieldElement beta =
        FieldElement::reduced({0xc1396c28719501ee, 0x9cf0497512f58995, 0x6e64479eac3434e9, 0x7ae96a2b657c0710});
    std::vector<Curve::Point> points;
    std::vector<FieldElement> prefix;  // of all Z before
    FieldElement all = FieldElement::one();
    Curve::Point base = Curve::point(Curve::base());
    for (std::size_t part = 0; part < kTableG; ++part) {
      const Curve::Point two = Curve::twice(base);
      Curve::Point p = base;
      for (std::size_t k = 0; k < kRowsG; ++k) {
        points.push_back(p);
        prefix.push_back(all);
        all = all * p.z;
        p = Curve::add(p, two);
      }
      for (std::size_t k = 0; k < kTurnsG * kWindowG; ++k) base = Curve::twice(base);
    }
    auto made = std::make_unique<Table>();
    all = all.inverse();
    for (std::size_t k = points.size(); k-- > 0;) {
      const FieldElement inverse = all * prefix[k], square = inverse * inverse;
      all = all * points[k].z;
      const Words4 x = (points[k].x * square).number(), endo = (points[k].x * square * beta).number(),
                   y = (points[k].y * square * inverse).number();
      std::uint64_t* plain = made->row[k / kRowsG * 2 * kRowsG + k % kRowsG];
      std::uint64_t* turned = plain + kRowsG * kRowWords;
      for (std::size_t w = 0; w < 4; ++w) {
        plain[w] = x[w];
        turned[w] = endo[w];
        plain[4 + w] = turned[4 + w] = y[w];
      }
    }
    return made;
  }();
  return table->row[0];
}

}  // namespace sparkmill::secp256k1::cpu
