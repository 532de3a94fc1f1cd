// SPDX-License-Identifier: Apache-2.0
// The body of the CPU rows, written once over a field F (field_*.h) that holds one element in each lane: roots, tables
// of multiples, the ladder, inversions.
//
// Points are Jacobian, x = X / Z^2, y = Y / Z^3. Additions are the plain incomplete ones. Each multiplies Z by H, the
// difference of the two x, so where an addition met equal or opposite points Z is 0, and stays 0 through everything
// that follows: one test of Z at the end finds every exception. Doublings have none, the order being odd, and the
// ladder never adds infinity, all digits being odd.
#pragma once

#include "kernels/secp256k1/cpu_ops.h"

namespace sparkmill::secp256k1::cpu {
namespace {

constexpr Words4 kZero = {0, 0, 0, 0}, kOne = {1, 0, 0, 0}, kSeven = {7, 0, 0, 0};
constexpr Words4 kBeta = {0xc1396c28719501ee, 0x9cf0497512f58995, 0x6e64479eac3434e9, 0x7ae96a2b657c0710};
constexpr Words4 kBaseX = {0x59f2815b16f81798, 0x029bfcdb2dce28d9, 0x55a06295ce870b07, 0x79be667ef9dcbbac};
constexpr Words4 kBaseY = {0x9c47d08ffb10d4b8, 0xfd17b448a6855419, 0x5da4fbfc0e1108a8, 0x483ada7726a3c465};

template <class F>
struct Lanes {
  using Fe = typename F::Fe;
  using Wide = typename F::Wide;
  using Mask = typename F::Mask;
  static constexpr std::size_t kLanes = F::kLanes;
  static constexpr std::size_t kGroups = kChunk / kLanes;
  static constexpr Mask kAll = static_cast<Mask>((std::uint64_t{1} << kLanes) - 1);

  struct Point {
    Fe x, y, z;
  };
  struct Workspace {
    /// Odd multiples of Q, then of lambda Q, over a Z that all of them share.
    alignas(64) std::uint64_t table[kLanes][2 * kRowsQ][kRowWords];
    Point sum[kGroups], pause[kGroups];
    Fe prefix[2 * kGroups];
    Fe entry_x[kRowsQ], entry_y[kRowsQ], ratio[kRowsQ];
  };

  static SM_INLINE Fe difference(const Fe& a, const Fe& b) { return F::carry(F::wide_sub(F::wide(a), F::wide(b))); }
  static SM_INLINE Fe negated(const Fe& a) { return F::carry(F::wide_negate(kAll, F::wide(a))); }

  // --- powers ---

  static __attribute__((noinline)) void square_many(Fe& x, int n) {
    for (int k = 0; k < n; ++k) x = F::sqr(x);
  }
  static __attribute__((noinline)) void multiply(Fe& to, const Fe& a, const Fe& b) { to = F::mul(a, b); }
  /// x2 = x^3, x22 = x^(2^22 - 1), to = x^(2^223 - 1): the common part of both powers below.
  static void power_223(Fe& to, Fe& x2, Fe& x22, const Fe& x) {
    const auto lengthen = [](Fe& out, const Fe& low, const Fe& high, int n) {
      Fe shifted = high;
      square_many(shifted, n);
      multiply(out, shifted, low);
    };
    Fe x3, x11, x44, x88;
    lengthen(x2, x, x, 1);
    lengthen(x3, x, x2, 1);
    lengthen(to, x3, x3, 3);  // 6
    lengthen(to, x3, to, 3);  // 9
    lengthen(x11, x2, to, 2);
    lengthen(x22, x11, x11, 11);
    lengthen(x44, x22, x22, 22);
    lengthen(x88, x44, x44, 44);
    lengthen(to, x88, x88, 88);  // 176
    lengthen(to, x44, to, 44);   // 220
    lengthen(to, x3, to, 3);
  }
  /// x^((p + 1) / 4).
  static void root(Fe& to, const Fe& x) {
    Fe x2, x22;
    power_223(to, x2, x22, x);
    square_many(to, 23);
    multiply(to, to, x22);
    square_many(to, 6);
    multiply(to, to, x2);
    square_many(to, 2);
  }
  /// x^(p - 2).
  static void invert(Fe& x) {
    Fe to, x2, x22;
    power_223(to, x2, x22, x);
    square_many(to, 23);
    multiply(to, to, x22);
    square_many(to, 5);
    multiply(to, to, x);
    square_many(to, 3);
    multiply(to, to, x2);
    square_many(to, 2);
    multiply(x, to, x);
  }

  // --- the group ---

  static __attribute__((noinline)) void double_point(Point& p, int times) {
    for (int k = 0; k < times; ++k) {
      const Fe yy = F::sqr(p.y);
      const Wide xx = F::sqr_wide(p.x);
      const Fe e = F::carry(F::wide_add(xx, F::template wide_shl<1>(xx)));
      const Fe d = F::carry(F::template wide_shl<2>(F::mul_wide(p.x, yy)));  // 4 X Y^2
      p.z = F::carry(F::template wide_shl<1>(F::mul_wide(p.y, p.z)));
      p.x = F::carry(F::wide_sub(F::sqr_wide(e), F::template wide_shl<1>(F::wide(d))));
      const Fe f = difference(d, p.x);
      p.y = F::carry(F::wide_sub(F::mul_wide(e, f), F::template wide_shl<3>(F::sqr_wide(yy))));
    }
  }
  /// p += (x, y), or (x, -y) in the lanes of `negative`; the Z of p, for what is added, is `z`.
  static SM_INLINE void add_affine(Point& p, const Fe& z, const Fe& x, const Fe& y, Mask negative) {
    const Fe zz = F::sqr(z);
    const Fe h = F::carry(F::wide_sub(F::mul_wide(x, zz), F::wide(p.x)));
    const Fe zzz = F::mul(z, zz);
    const Wide s = F::wide_negate(negative, F::mul_wide(y, zzz));
    const Fe r = F::carry(F::wide_sub(s, F::wide(p.y)));
    const Fe hh = F::sqr(h);
    p.z = F::mul(p.z, h);
    const Fe v = F::mul(p.x, hh), hhh = F::mul(h, hh);
    p.x = F::carry(F::wide_sub(F::sqr_wide(r), F::wide_add(F::wide(hhh), F::template wide_shl<1>(F::wide(v)))));
    p.y = F::carry(F::wide_sub(F::mul_wide(r, difference(v, p.x)), F::mul_wide(p.y, hhh)));
  }

  template <std::size_t kDigits>
  static SM_INLINE Mask sign(const Digits<kDigits>& d, std::size_t group, std::size_t digit) {
    return static_cast<Mask>(d.negative[group * kDigits + digit]);
  }
  /// Rows of the digits of a group; a lane's table starts `stride` words after its neighbour's.
  template <std::size_t kDigits>
  static SM_INLINE void find_rows(const Digits<kDigits>& d, std::size_t group, std::size_t digit,
                                  const std::uint64_t* table, std::size_t stride, const std::uint64_t** rows) {
    const std::uint16_t* at = d.row + (group * kDigits + digit) * kLanes;
    for (std::size_t l = 0; l < kLanes; ++l) rows[l] = table + l * stride + at[l] * kRowWords;
  }
  static constexpr std::size_t kStrideQ = 2 * kRowsQ * kRowWords;

  /// `half`: 1 for lambda Q.
  template <std::size_t kDigits>
  static SM_INLINE void add_q(Point& p, const Workspace& w, const Digits<kDigits>& d, std::size_t half,
                              std::size_t group, std::size_t digit) {
    const std::uint64_t* rows[kLanes];
    find_rows(d, group, digit, w.table[0][half * kRowsQ], kStrideQ, rows);
    add_rows(p, nullptr, rows, sign(d, group, digit));
  }
  template <std::size_t kDigits>
  static SM_INLINE void add_g(Point& p, const Fe& shared_z, const std::uint64_t* base_table, const Digits<kDigits>& d,
                              std::size_t half, std::size_t group, std::size_t digit) {
    const std::uint64_t* rows[kLanes];
    find_rows(d, group, digit, base_table + half * kRowsG * kRowWords, 0, rows);
    add_rows(p, &shared_z, rows, sign(d, group, digit));
  }
  /// One copy of the code for all additions: several would not fit the cache of decoded instructions.
  static __attribute__((noinline)) void add_rows(Point& p, const Fe* shared_z, const std::uint64_t* const* rows,
                                                 Mask negative) {
    Fe x, y, z = p.z;
    if (shared_z != nullptr) z = F::mul(p.z, *shared_z);
    F::get_rows(rows, x, y);
    add_affine(p, z, x, y, negative);
  }

  /// Q, 3 Q, .. 31 Q and the same times lambda as (x, y) of points (x : y : shared_z): `shared_z` is what the Z of a
  /// sum of them must be multiplied by. Co-Z additions (Meloni 2007).
  static __attribute__((noinline)) void make_table(Workspace& w, const Fe& x, const Fe& y, Fe& shared_z) {
    // 2 Q and Q over Z = 2 y.
    const Fe yy = F::sqr(y), d = F::carry(F::template wide_shl<2>(F::mul_wide(x, yy)));
    const Wide xx = F::sqr_wide(x), c8 = F::template wide_shl<3>(F::sqr_wide(yy));
    const Fe e = F::carry(F::wide_add(xx, F::template wide_shl<1>(xx)));
    Fe px = d, py = F::carry(c8);
    Fe tx = F::carry(F::wide_sub(F::sqr_wide(e), F::template wide_shl<1>(F::wide(d))));
    Fe ty = F::carry(F::wide_sub(F::mul_wide(e, difference(d, tx)), c8));
    w.entry_x[0] = px, w.entry_y[0] = py;
    for (std::size_t k = 1; k < kRowsQ; ++k) {
      const Fe h = difference(tx, px), r = difference(ty, py);
      const Fe hh = F::sqr(h);
      const Fe w1 = F::mul(tx, hh), w2 = F::mul(px, hh);
      const Fe a1 = F::mul(ty, difference(w1, w2));
      px = F::carry(F::wide_sub(F::sqr_wide(r), F::wide_add(F::wide(w1), F::wide(w2))));
      py = F::carry(F::wide_sub(F::mul_wide(r, difference(w1, px)), F::wide(a1)));
      tx = w1, ty = a1;
      w.entry_x[k] = px, w.entry_y[k] = py, w.ratio[k] = h;
    }
    Fe scale = F::constant(kOne);
    const Fe beta = F::constant(kBeta);
    for (std::size_t k = kRowsQ; k-- > 0;) {
      Fe ex = w.entry_x[k], ey = w.entry_y[k];
      if (k != kRowsQ - 1) {
        scale = k == kRowsQ - 2 ? w.ratio[k + 1] : F::mul(scale, w.ratio[k + 1]);
        const Fe ss = F::sqr(scale);
        ex = F::mul(ex, ss);
        ey = F::mul(ey, F::mul(scale, ss));
      }
      std::uint64_t* rows[kLanes];
      for (std::size_t l = 0; l < kLanes; ++l) rows[l] = w.table[l][k];
      F::put_rows(rows, ex, ey);
      for (std::size_t l = 0; l < kLanes; ++l) rows[l] = w.table[l][kRowsQ + k];
      F::put_rows(rows, F::mul(ex, beta), ey);
    }
    shared_z = F::carry(F::template wide_shl<1>(F::mul_wide(y, scale)));
  }

  // --- one group ---

  /// x and y of the keys of a group; G where the key is no point.
  static void decode(Chunk& chunk, std::size_t group, Fe& x, Fe& y) {
    const std::size_t first = group * kLanes;
    x = F::load(chunk.key, first);
    const Fe right = F::carry(F::wide_add(F::mul_wide(F::sqr(x), x), F::wide(F::constant(kSeven))));
    if (chunk.compressed) {
      root(y, right);
    } else {
      y = F::load(chunk.key + 4, first);
    }
    const Mask good = F::is_zero(difference(F::sqr(y), right));
    if (chunk.compressed) {
      Mask wanted = 0;
      for (std::size_t l = 0; l < kLanes; ++l) wanted |= static_cast<Mask>(chunk.key_odd[first + l] & 1u) << l;
      y = F::select(F::odd(F::frozen(y)) ^ wanted, negated(y), y);
    }
    x = F::select(good, x, F::constant(kBaseX));
    y = F::select(good, y, F::constant(kBaseY));
    for (std::size_t l = 0; l < kLanes; ++l) chunk.decoded[first + l] = good >> l & 1;
  }
  static void ladder(Workspace& w, std::size_t group, const Chunk& chunk, const std::uint64_t* base_table,
                     const Fe& shared_z) {
    Point p;
    {
      const std::uint64_t* rows[kLanes];
      find_rows(chunk.q[0], group, kDigitsQ - 1, w.table[0][0], kStrideQ, rows);
      F::get_rows(rows, p.x, p.y);
      p.y = F::select(sign(chunk.q[0], group, kDigitsQ - 1), negated(p.y), p.y);
      p.z = F::constant(kOne);
    }
    for (std::size_t i = kDigitsQ; i-- > 0;) {
      if (i != kDigitsQ - 1) {
        double_point(p, kWindowQ);
        add_q(p, w, chunk.q[0], 0, group, i);
      }
      add_q(p, w, chunk.q[1], 1, group, i);
      if (i % (kWindowG / kWindowQ) != 0) continue;
      for (std::size_t half = 0; half < 2; ++half)
        add_g(p, shared_z, base_table, chunk.g[half], half, group, i / (kWindowG / kWindowQ));
    }
    if (chunk.evidence) {
      w.pause[group] = {p.x, p.y, F::mul(p.z, shared_z)};
      lower(p, w, group, chunk, base_table, shared_z);
    }
    w.sum[group] = {p.x, p.y, F::mul(p.z, shared_z)};
  }
  /// 2^16 p + [u1 mod 2^16]G + [u2 mod 2^16]Q.
  static void lower(Point& p, const Workspace& w, std::size_t group, const Chunk& chunk,
                    const std::uint64_t* base_table, const Fe& shared_z) {
    double_point(p, kLowBits - (kLowDigitsQ - 1) * kWindowQ);
    for (std::size_t i = kLowDigitsQ; i-- > 0;) {
      if (i != kLowDigitsQ - 1) double_point(p, kWindowQ);
      add_q(p, w, chunk.low_q, 0, group, i);
      if (i % (kWindowG / kWindowQ) == 0)
        add_g(p, shared_z, base_table, chunk.low_g, 0, group, i / (kWindowG / kWindowQ));
    }
    for (std::size_t term = 0; term < 2; ++term) {
      Mask even = 0;
      for (std::size_t l = 0; l < kLanes; ++l)
        even |= static_cast<Mask>(chunk.even[term][group * kLanes + l] & 1u) << l;
      if (even == 0) continue;
      const std::uint64_t* rows[kLanes];
      for (std::size_t l = 0; l < kLanes; ++l) rows[l] = term == 0 ? base_table : w.table[l][0];
      Point less = p;
      add_rows(less, term == 0 ? &shared_z : nullptr, rows, kAll);
      p = {F::select(even, less.x, p.x), F::select(even, less.y, p.y), F::select(even, less.z, p.z)};
    }
  }

  /// X = r Z^2, or (r + N) Z^2: no division.
  static void compare(Chunk& chunk, std::size_t group, const Point& p) {
    const std::size_t first = group * kLanes;
    const Fe zz = F::sqr(p.z);
    Mask same = F::is_zero(difference(F::mul(F::load(chunk.r, first), zz), p.x));
    same |= F::is_zero(difference(F::mul(F::load(chunk.r_plus_n, first), zz), p.x));
    for (std::size_t l = 0; l < kLanes; ++l) chunk.matches[first + l] = same >> l & 1;
  }
  /// All points affine, by one inversion of the product of all Z, of which none is 0.
  static void normalise(Workspace& w, std::size_t groups, Chunk& chunk) {
    const std::size_t sums = chunk.compare ? 0 : groups, all = sums + (chunk.evidence ? groups : 0);
    if (all == 0) return;
    const auto at = [&](std::size_t k) -> const Point& { return k < sums ? w.sum[k] : w.pause[k - sums]; };
    Fe product = at(0).z;
    for (std::size_t k = 1; k < all; ++k) {
      w.prefix[k] = product;  // of all before k
      multiply(product, product, at(k).z);
    }
    invert(product);
    for (std::size_t k = all; k-- > 0;) {
      Fe inverse = product;
      if (k != 0) {
        multiply(inverse, product, w.prefix[k]);
        multiply(product, product, at(k).z);
      }
      Fe square = F::sqr(inverse), x, y;
      multiply(x, at(k).x, square);
      multiply(square, square, inverse);
      multiply(y, at(k).y, square);
      auto* to = k < sums ? chunk.point : chunk.pause;
      const std::size_t first = (k < sums ? k : k - sums) * kLanes;
      F::store(F::frozen(x), to, first);
      F::store(F::frozen(y), to + 4, first);
    }
  }

  static void run(Chunk& chunk, const std::uint64_t* base_table, void* workspace) {
    auto& w = *static_cast<Workspace*>(workspace);
    const std::size_t groups = (chunk.count + kLanes - 1) / kLanes;
    const Fe one = F::constant(kOne);
    for (std::size_t g = 0; g < groups; ++g) {
      Fe x, y, shared_z;
      decode(chunk, g, x, y);
      make_table(w, x, y, shared_z);
      ladder(w, g, chunk, base_table, shared_z);
      // The pause may have met an exception only where the end did too: Z stays 0.
      const Mask exception = F::is_zero(w.sum[g].z);
      for (std::size_t l = 0; l < kLanes; ++l) chunk.exception[g * kLanes + l] = exception >> l & 1;
      if (exception != 0) {
        w.sum[g].z = F::select(exception, one, w.sum[g].z);
        w.pause[g].z = F::select(exception, one, w.pause[g].z);
      }
      if (chunk.compare) compare(chunk, g, w.sum[g]);
    }
    normalise(w, groups, chunk);
  }

  static Ops ops(const char* isa) { return {isa, kLanes, sizeof(Workspace), run}; }
};

}  // namespace
}  // namespace sparkmill::secp256k1::cpu
