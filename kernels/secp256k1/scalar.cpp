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

void write_low_digits(unsigned u1, unsigned u2, std::size_t item, std::size_t lanes, Chunk& chunk) {
  // u1 = x + y with an odd x, |x| < 2^10, and y = 1023 or 1024 more than a multiple of 2^11.
  const int odd = static_cast<int>(u1 & 1), block = static_cast<int>(u1 >> 11);
  const int x = static_cast<int>(u1) - (2048 * block + 1023 + odd);
  put_digit(chunk.low_g, item, lanes, 0, odd_row(x), x < 0);
  put_digit(chunk.low_g, item, lanes, 1, 2 * block + odd, false);
  // u2 = 2^11 d3 + 2^6 d2 + 2 d1 + d0, where d3, d2, d1 are odd and below 32, and d0 makes d1 odd: 0, +-1 or +-2.
  const int d3 = static_cast<int>(u2 >> 12) * 2 + 1;
  int rest = static_cast<int>(u2) - 2048 * d3;        // -2048 to 2047
  const int d2 = ((rest + 2048) / 128 - 16) * 2 + 1;  // rounded down
  rest -= 64 * d2;                                    // -64 to 63
  constexpr int kAtMultipleOfFour = 2, kNone = 0;
  const int low = rest & 3;
  const int d0 = low == 0 ? (rest < 0 ? -kAtMultipleOfFour : kAtMultipleOfFour) : low == 1 ? -1 : low == 2 ? kNone : 1;
  const int d1 = (rest - d0) / 2;
  put_digit(chunk.low_q, item, lanes, 3, odd_row(d3), false);
  put_digit(chunk.low_q, item, lanes, 2, odd_row(d2), d2 < 0);
  put_digit(chunk.low_q, item, lanes, 1, odd_row(d1), d1 < 0);
  put_digit(chunk.low_q, item, lanes, 0, low == 0 ? static_cast<int>(2 * kRowsQ) : 0, d0 < 0);
  chunk.low_none[item / lanes] |= static_cast<std::uint32_t>(low == 2) << item % lanes;
}

const std::uint64_t* base_table() {
  struct Table {
    alignas(64) std::uint64_t row[kAllRowsG][kRowWords];
  };
  static const std::unique_ptr<const Table> table = [] {
    using Curve = reference::Group<reference::Secp256k1>;
    const FieldElement beta =
        FieldElement::reduced({0xc1396c28719501ee, 0x9cf0497512f58995, 0x6e64479eac3434e9, 0x7ae96a2b657c0710});
    struct Entry {
      Curve::Point point;
      std::size_t row, turned;  // turned: of lambda times the point, or kNone
      FieldElement prefix;      // of all Z before
    };
    constexpr std::size_t kNone = ~std::size_t{0};
    std::vector<Entry> entries;
    FieldElement all = FieldElement::one();
    const auto add = [&](const Curve::Point& p, std::size_t row, std::size_t turned) {
      entries.push_back({p, row, turned, all});
      all = all * p.z;
    };
    const Curve::Point one = Curve::point(Curve::base());
    Curve::Point base = one, last = one;
    for (std::size_t part = 0; part < kTableG; ++part) {
      const Curve::Point two = Curve::twice(base);
      Curve::Point p = base;
      for (std::size_t k = 0; k < kRowsG; ++k) {
        const std::size_t row = first_row(part, kRowsG, kRowsTableG) + k;
        add(p, row, row + kRowsG);
        if (part == 0) last = p;
        p = Curve::add(p, two);
      }
      for (std::size_t k = 0; k < kTurnsG * kWindowG; ++k) base = Curve::twice(base);
    }
    // last is 1023 G: rows 2 j and 2 j + 1 are it and one more, plus 2048 j.
    Curve::Point low[2] = {last, Curve::add(last, one)};
    const Curve::Point step = Curve::twice(low[1]);
    for (std::size_t k = 0; k < kLowRowsG; ++k) {
      add(low[k % 2], 2 * kRowsG + k, kNone);
      low[k % 2] = Curve::add(low[k % 2], step);
    }
    auto made = std::make_unique<Table>();
    const auto put = [&](std::size_t row, const FieldElement& x, const FieldElement& y) {
      for (std::size_t w = 0; w < 4; ++w) {
        made->row[row][w] = x.number()[w];
        made->row[row][4 + w] = y.number()[w];
      }
    };
    all = all.inverse();
    for (std::size_t k = entries.size(); k-- > 0;) {
      const Entry& e = entries[k];
      const FieldElement inverse = all * e.prefix, square = inverse * inverse;
      all = all * e.point.z;
      const FieldElement x = e.point.x * square, y = e.point.y * square * inverse;
      put(e.row, x, y);
      if (e.turned != kNone) put(e.turned, x * beta, y);
    }
    return made;
  }();
  return table->row[0];
}

}  // namespace sparkmill::secp256k1::cpu
