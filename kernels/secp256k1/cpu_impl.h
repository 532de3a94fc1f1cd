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

/// A body of Lanes::each that must stay in line.
#define SM_EACH(side) [&](std::size_t side) __attribute__((always_inline))

namespace sparkmill::secp256k1::cpu {
namespace {

constexpr Words4 kZero = {0, 0, 0, 0}, kOne = {1, 0, 0, 0}, kSeven = {7, 0, 0, 0};
constexpr Words4 kBeta = {0xc1396c28719501ee, 0x9cf0497512f58995, 0x6e64479eac3434e9, 0x7ae96a2b657c0710};
constexpr Words4 kBaseX = {0x59f2815b16f81798, 0x029bfcdb2dce28d9, 0x55a06295ce870b07, 0x79be667ef9dcbbac};
constexpr Words4 kBaseY = {0x9c47d08ffb10d4b8, 0xfd17b448a6855419, 0x5da4fbfc0e1108a8, 0x483ada7726a3c465};

template <class F>
struct Lanes {
  using One = typename F::Fe;
  using Wide = typename F::Wide;
  using Mask = typename F::Mask;
  static constexpr std::size_t kSides = F::kSides;  ///< worked in turn, so that one's waits are the other's work
  static constexpr std::size_t kWidth = F::kWidth;
  static constexpr std::size_t kLanes = kSides * kWidth;
  static constexpr std::size_t kGroups = kChunk / kLanes;

  /// An element in every lane of a group.
  struct Fe {
    One side[kSides];
  };
  struct Point {
    Fe x, y, z;
  };
  struct Workspace {
    /// Odd multiples of Q, then of lambda Q, then 2 Q, over a Z that all of them share.
    alignas(64) std::uint64_t table[kLanes][kRowsTableQ][kRowWords];
    Point sum[kGroups], pause[kGroups];
    Fe prefix[2 * kGroups];
    Fe entry_x[kRowsQ], entry_y[kRowsQ], ratio[kRowsQ];
    Point base[kTableQ];
  };

  /// body(side) for each side. A loop that the compiler cannot unroll: twice the code would overflow the cache of
  /// decoded instructions. What stands in one body is short, a product or two, so that the sides overlap.
  template <class Body>
  static SM_INLINE void each(Body body) {
    if constexpr (kSides == 1) {
      body(std::size_t{0});
    } else {
      std::size_t sides = kSides;
      __asm__("" : "+r"(sides));
      for (std::size_t s = 0; s < sides; ++s) body(s);
    }
  }
  /// Bits of the lanes of a side.
  static SM_INLINE Mask part(Mask m, std::size_t side) {
    return static_cast<Mask>(m >> (kWidth * side)) & static_cast<Mask>((std::uint64_t{1} << kWidth) - 1);
  }
  static constexpr Mask kAll = static_cast<Mask>((std::uint64_t{1} << kLanes) - 1);

  static SM_INLINE One difference(const One& a, const One& b) { return F::carry(F::wide_sub(F::wide(a), F::wide(b))); }
  static SM_INLINE One negated(const One& a) { return F::carry(F::wide_negate(kAll, F::wide(a))); }
  static SM_INLINE Wide thrice(const Wide& a) { return F::wide_add(a, F::template wide_shl<1>(a)); }

  static Fe constant(const Words4& w) {
    Fe out;
    each([&](std::size_t s) { out.side[s] = F::constant(w); });
    return out;
  }
  static __attribute__((noinline)) void multiply(Fe& to, const Fe& a, const Fe& b) {
    each([&](std::size_t s) { to.side[s] = F::mul(a.side[s], b.side[s]); });
  }
  static __attribute__((noinline)) void square_many(Fe& x, int n) {
    for (int k = 0; k < n; ++k) each([&](std::size_t s) { x.side[s] = F::sqr(x.side[s]); });
  }
  /// m ? a : b
  static void select(Fe& to, Mask m, const Fe& a, const Fe& b) {
    each([&](std::size_t s) { to.side[s] = F::select(part(m, s), a.side[s], b.side[s]); });
  }
  static Mask is_zero(const Fe& a) {
    Mask m = 0;
    each([&](std::size_t s) { m |= F::is_zero(a.side[s]) << (kWidth * s); });
    return m;
  }
  static Mask bits_of(const std::uint8_t* bytes) {
    Mask m = 0;
    for (std::size_t l = 0; l < kLanes; ++l) m |= static_cast<Mask>(bytes[l] & 1u) << l;
    return m;
  }
  static void put_bits(Mask m, std::uint8_t* bytes) {
    for (std::size_t l = 0; l < kLanes; ++l) bytes[l] = m >> l & 1;
  }

  // --- powers ---

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
    Fe yy, e, d;
    struct {
      Wide side[kSides];
    } c8;
    for (int k = 0; k < times; ++k) {
      each(SM_EACH(s) {
        yy.side[s] = F::sqr(p.y.side[s]);
        e.side[s] = F::carry(thrice(F::sqr_wide(p.x.side[s])));
      });
      each(SM_EACH(s) {
        d.side[s] = F::carry(F::template wide_shl<2>(F::mul_wide(p.x.side[s], yy.side[s])));  // 4 X Y^2
        p.z.side[s] = F::carry(F::template wide_shl<1>(F::mul_wide(p.y.side[s], p.z.side[s])));
      });
      each(SM_EACH(s) {
        p.x.side[s] = F::carry(F::wide_sub(F::sqr_wide(e.side[s]), F::template wide_shl<1>(F::wide(d.side[s]))));
        d.side[s] = difference(d.side[s], p.x.side[s]);
        c8.side[s] = F::template wide_shl<3>(F::sqr_wide(yy.side[s]));
      });
      each(SM_EACH(s) { p.y.side[s] = F::carry(F::wide_sub(F::mul_wide(e.side[s], d.side[s]), c8.side[s])); });
    }
  }
  /// p += (x, y) of the rows, or (x, -y) in the lanes of `negative`; the Z of p, for what is added, is
  /// *shared_z Z. One copy of the code for all additions.
  static __attribute__((noinline)) void add_rows(Point& p, const Fe* shared_z, const std::uint64_t* const* rows,
                                                 Mask negative) {
    Fe x, y, z, zz, h, hh;
    if (shared_z != nullptr) {
      each(SM_EACH(s) { z.side[s] = F::mul(p.z.side[s], shared_z->side[s]); });
    } else {
      z = p.z;
    }
    each(SM_EACH(s) {
      zz.side[s] = F::sqr(z.side[s]);
      F::get_rows(rows + kWidth * s, x.side[s], y.side[s]);
    });
    each(SM_EACH(s) {
      h.side[s] = F::carry(F::wide_sub(F::mul_wide(x.side[s], zz.side[s]), F::wide(p.x.side[s])));
      zz.side[s] = F::mul(z.side[s], zz.side[s]);
    });
    each(SM_EACH(s) {
      const Wide sy = F::wide_negate(part(negative, s), F::mul_wide(y.side[s], zz.side[s]));
      y.side[s] = F::carry(F::wide_sub(sy, F::wide(p.y.side[s])));  // the difference of both y
      hh.side[s] = F::sqr(h.side[s]);
    });
    each(SM_EACH(s) {
      p.z.side[s] = F::mul(p.z.side[s], h.side[s]);
      x.side[s] = F::mul(p.x.side[s], hh.side[s]);  // V
    });
    each(SM_EACH(s) {
      h.side[s] = F::mul(h.side[s], hh.side[s]);  // H^3
      p.x.side[s] = F::carry(F::wide_sub(F::sqr_wide(y.side[s]),
                                         F::wide_add(F::wide(h.side[s]), F::template wide_shl<1>(F::wide(x.side[s])))));
    });
    each(SM_EACH(s) {
      const One f = difference(x.side[s], p.x.side[s]);
      p.y.side[s] = F::carry(F::wide_sub(F::mul_wide(y.side[s], f), F::mul_wide(p.y.side[s], h.side[s])));
    });
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
  template <std::size_t kDigits>
  static SM_INLINE void find_rows(const Digits<kDigits>& d, std::size_t group, std::size_t digit,
                                  const std::uint64_t* const* table, std::size_t offset, const std::uint64_t** rows) {
    const std::uint16_t* at = d.row + (group * kDigits + digit) * kLanes;
    for (std::size_t l = 0; l < kLanes; ++l) rows[l] = table[l] + offset + at[l] * kRowWords;
  }
  static constexpr std::size_t kStrideQ = kRowsTableQ * kRowWords;
  /// The points of the rows, or their negatives in the lanes of `negative`.
  static void set(Point& p, const std::uint64_t* const* rows, Mask negative) {
    each([&](std::size_t s) {
      One& y = p.y.side[s];
      F::get_rows(rows + kWidth * s, p.x.side[s], y);
      y = F::select(part(negative, s), negated(y), y);
      p.z.side[s] = F::constant(kOne);
    });
  }

  /// `half`: 1 for lambda Q.
  template <std::size_t kDigits>
  static SM_INLINE void add_q(Point& p, const Workspace& w, const Digits<kDigits>& d, std::size_t half,
                              std::size_t group, std::size_t digit) {
    const std::uint64_t* rows[kLanes];
    find_rows(d, group, digit, w.table[0][half * kRowsQ], kStrideQ, rows);
    add_rows(p, nullptr, rows, sign(d, group, digit));
  }
  /// `half`: 1 for lambda G, 2 for the rows of low digits.
  template <std::size_t kDigits>
  static SM_INLINE void add_g(Point& p, const Fe* shared_z, const std::uint64_t* base_table, const Digits<kDigits>& d,
                              std::size_t half, std::size_t group, std::size_t digit) {
    const std::uint64_t* rows[kLanes];
    find_rows(d, group, digit, base_table + half * kRowsG * kRowWords, 0, rows);
    add_rows(p, shared_z, rows, sign(d, group, digit));
  }

  static void put_rows(Workspace& w, std::size_t row, std::size_t side, const One& x, const One& y) {
    std::uint64_t* rows[kWidth];
    for (std::size_t l = 0; l < kWidth; ++l) rows[l] = w.table[kWidth * side + l][row];
    F::put_rows(rows, x, y);
  }
  /// Q, 3 Q, .. 31 Q, the same times lambda, and 2 Q as (x, y) of points (x : y : shared_z): `shared_z` is what the Z
  /// of a sum of them must be multiplied by. Co-Z additions (Meloni 2007).
  static __attribute__((noinline)) void make_table(Workspace& w, const Fe& x, const Fe& y, Fe& shared_z) {
    Fe tx, ty;
    each([&](std::size_t s) {
      // 2 Q and Q over Z = 2 y.
      const One yy = F::sqr(y.side[s]);
      const One d = F::carry(F::template wide_shl<2>(F::mul_wide(x.side[s], yy)));
      const Wide c8 = F::template wide_shl<3>(F::sqr_wide(yy));
      const One e = F::carry(thrice(F::sqr_wide(x.side[s])));
      tx.side[s] = F::carry(F::wide_sub(F::sqr_wide(e), F::template wide_shl<1>(F::wide(d))));
      ty.side[s] = F::carry(F::wide_sub(F::mul_wide(e, difference(d, tx.side[s])), c8));
      w.entry_x[0].side[s] = d;
      w.entry_y[0].side[s] = F::carry(c8);
    });
    for (std::size_t k = 1; k < kRowsQ; ++k) {
      Fe &h = w.ratio[k], &px = w.entry_x[k], &py = w.entry_y[k], r, w2;
      each([&](std::size_t s) {
        h.side[s] = difference(tx.side[s], w.entry_x[k - 1].side[s]);
        const One hh = F::sqr(h.side[s]);
        tx.side[s] = F::mul(tx.side[s], hh);
        w2.side[s] = F::mul(w.entry_x[k - 1].side[s], hh);
      });
      each([&](std::size_t s) {
        r.side[s] = difference(ty.side[s], w.entry_y[k - 1].side[s]);
        px.side[s] =
            F::carry(F::wide_sub(F::sqr_wide(r.side[s]), F::wide_add(F::wide(tx.side[s]), F::wide(w2.side[s]))));
        ty.side[s] = F::mul(ty.side[s], difference(tx.side[s], w2.side[s]));
      });
      each([&](std::size_t s) {
        py.side[s] =
            F::carry(F::wide_sub(F::mul_wide(r.side[s], difference(tx.side[s], px.side[s])), F::wide(ty.side[s])));
      });
    }
    // 2 Q was brought along to the Z of 31 Q, which becomes everybody's.
    each([&](std::size_t s) { put_rows(w, 2 * kRowsQ, s, tx.side[s], ty.side[s]); });
    Fe scale = constant(kOne);
    for (std::size_t k = kRowsQ; k-- > 0;) {
      each([&](std::size_t s) {
        One ex = w.entry_x[k].side[s], ey = w.entry_y[k].side[s];
        if (k != kRowsQ - 1) {
          scale.side[s] = F::mul(scale.side[s], w.ratio[k + 1].side[s]);
          const One ss = F::sqr(scale.side[s]);
          ex = F::mul(ex, ss);
          ey = F::mul(ey, F::mul(scale.side[s], ss));
        }
        put_rows(w, k, s, ex, ey);
        put_rows(w, kRowsQ + k, s, F::mul(ex, F::constant(kBeta)), ey);
      });
    }
    each([&](std::size_t s) {
      shared_z.side[s] = F::carry(F::template wide_shl<1>(F::mul_wide(y.side[s], scale.side[s])));
    });
  }

  // --- one group ---

  /// x and y of the keys of a group; G where the key is no point.
  static void decode(Chunk& chunk, std::size_t group, Fe& x, Fe& y) {
    const std::size_t first = group * kLanes;
    Fe right;
    each([&](std::size_t s) {
      x.side[s] = F::load(chunk.key, first + kWidth * s);
      const One& v = x.side[s];
      right.side[s] = F::carry(F::wide_add(F::mul_wide(F::sqr(v), v), F::wide(F::constant(kSeven))));
      if (!chunk.compressed) y.side[s] = F::load(chunk.key + 4, first + kWidth * s);
    });
    if (chunk.compressed) root(y, right);
    const Mask wanted = bits_of(chunk.key_odd + first);
    Mask good = 0;
    each([&](std::size_t s) {
      One& v = y.side[s];
      const Mask on_curve = F::is_zero(difference(F::sqr(v), right.side[s]));
      if (chunk.compressed) v = F::select(F::odd(F::frozen(v)) ^ part(wanted, s), negated(v), v);
      x.side[s] = F::select(on_curve, x.side[s], F::constant(kBaseX));
      v = F::select(on_curve, v, F::constant(kBaseY));
      good |= on_curve << (kWidth * s);
    });
    put_bits(good, chunk.decoded + first);
  }
  static void ladder(Workspace& w, std::size_t group, const Chunk& chunk, const std::uint64_t* base_table,
                     const Fe& shared_z) {
    Point p;
    {
      const std::uint64_t* rows[kLanes];
      find_rows(chunk.q[0], group, kDigitsQ - 1, w.table[0][0], kStrideQ, rows);
      set(p, rows, sign(chunk.q[0], group, kDigitsQ - 1));
    }
    for (std::size_t i = kDigitsQ; i-- > 0;) {
      if (i != kDigitsQ - 1) {
        double_point(p, kWindowQ);
        add_q(p, w, chunk.q[0], 0, group, i);
      }
      add_q(p, w, chunk.q[1], 1, group, i);
      if (i % (kWindowG / kWindowQ) != 0) continue;
      for (std::size_t half = 0; half < 2; ++half)
        add_g(p, &shared_z, base_table, chunk.g[half], half, group, i / (kWindowG / kWindowQ));
    }
    if (chunk.evidence) {
      w.pause[group] = p;
      multiply(w.pause[group].z, p.z, shared_z);
      const std::uint64_t* q[kLanes];
      for (std::size_t l = 0; l < kLanes; ++l) q[l] = w.table[l][0];
      lower(p, group, chunk, q, base_table, &shared_z);
    }
    w.sum[group] = p;
    multiply(w.sum[group].z, p.z, shared_z);
  }
  /// 2^16 p + [u1 mod 2^16]G + [u2 mod 2^16]Q. `q`: each lane's rows of Q; `shared_z`: what its Z is multiplied by for
  /// G, nullptr for 1.
  static void lower(Point& p, std::size_t group, const Chunk& chunk, const std::uint64_t* const* q,
                    const std::uint64_t* base_table, const Fe* shared_z) {
    const std::uint64_t* rows[kLanes];
    unsigned weight = kLowBits;
    for (std::size_t i = kLowDigitsQ; i-- > 1;) {
      double_point(p, static_cast<int>(weight - kLowWeightQ[i]));
      weight = kLowWeightQ[i];
      find_rows(chunk.low_q, group, i, q, 0, rows);
      add_rows(p, nullptr, rows, sign(chunk.low_q, group, i));
    }
    double_point(p, static_cast<int>(weight));
    const Point before = p;
    const Mask none = static_cast<Mask>(chunk.low_none[group]);
    find_rows(chunk.low_q, group, 0, q, 0, rows);
    add_rows(p, nullptr, rows, sign(chunk.low_q, group, 0));
    select(p.x, none, before.x, p.x);
    select(p.y, none, before.y, p.y);
    select(p.z, none, before.z, p.z);
    add_g(p, shared_z, base_table, chunk.low_g, 0, group, 0);
    add_g(p, shared_z, base_table, chunk.low_g, 2, group, 1);
  }
  /// The ladder of keys with tables of their own, whose points have Z = 1. The digits of the last row end early.
  static void known_ladder(Workspace& w, std::size_t group, const Chunk& chunk, const std::uint64_t* base_table) {
    const std::uint64_t *rows[kLanes], *const *keys = chunk.key_table + group * kLanes;
    const auto offset = [](std::size_t half, std::size_t row) {
      return (first_row(row, kRowsQ, kRowsTableQ) + half * kRowsQ) * kRowWords;
    };
    static_assert(kWindowG % kWindowQ == 0 && (kTurnsG - 1) * kWindowG == (kTurnsQ - 1) * kWindowQ);
    Point p;
    find_rows(chunk.q[0], group, kTurnsQ - 1, keys, 0, rows);
    set(p, rows, sign(chunk.q[0], group, kTurnsQ - 1));
    for (std::size_t turn = kTurnsQ; turn-- > 0;) {
      if (turn != kTurnsQ - 1) double_point(p, kWindowQ);
      for (std::size_t row = 0, digit = turn; digit < kDigitsQ; ++row, digit += kTurnsQ) {
        for (std::size_t half = 0; half < 2; ++half) {
          if (digit == kTurnsQ - 1 && half == 0) continue;  // where the sum starts
          find_rows(chunk.q[half], group, digit, keys, offset(half, row), rows);
          add_rows(p, nullptr, rows, sign(chunk.q[half], group, digit));
        }
      }
      if (turn % (kWindowG / kWindowQ) != 0) continue;
      for (std::size_t row = 0, digit = turn / (kWindowG / kWindowQ); digit < kDigitsG; ++row, digit += kTurnsG) {
        for (std::size_t half = 0; half < 2; ++half)
          add_g(p, nullptr, base_table + first_row(row, kRowsG, kRowsTableG) * kRowWords, chunk.g[half], half, group,
                digit);
      }
    }
    if (chunk.evidence) {
      w.pause[group] = p;
      lower(p, group, chunk, keys, base_table, nullptr);
    }
    w.sum[group] = p;
  }
  static void make_key_tables(Chunk& chunk, std::uint64_t* const* table, void* workspace) {
    auto& w = *static_cast<Workspace*>(workspace);
    Fe x, y;
    decode(chunk, 0, x, y);
    Point p = {x, y, constant(kOne)};
    for (std::size_t row = 0; row < kTableQ; ++row) {
      w.base[row] = p;
      if (row + 1 < kTableQ) double_point(p, kTurnsQ * kWindowQ);
    }
    for (std::size_t row = 0; row < kTableQ; ++row) {
      // The row's point affine, its multiples over a Z that they share, and these affine. A key comes here once in a
      // long while: inversions are not shared.
      Fe inverse = w.base[row].z, shared_z;
      if (row != 0) invert(inverse);
      scale(w.base[row].x, w.base[row].y, inverse);
      make_table(w, w.base[row].x, w.base[row].y, shared_z);
      invert(shared_z);
      for (std::size_t k = 0; k < (row == 0 ? kRowsTableQ : 2 * kRowsQ); ++k) {
        const std::uint64_t* from[kLanes];
        std::uint64_t* to[kLanes];
        for (std::size_t l = 0; l < kLanes; ++l) {
          from[l] = w.table[l][k];
          to[l] = table[l] + (first_row(row, kRowsQ, kRowsTableQ) + k) * kRowWords;
        }
        each([&](std::size_t s) { F::get_rows(from + kWidth * s, x.side[s], y.side[s]); });
        scale(x, y, shared_z);
        each([&](std::size_t s) { F::put_rows(to + kWidth * s, x.side[s], y.side[s]); });
      }
    }
  }
  /// x z^2, y z^3.
  static void scale(Fe& x, Fe& y, const Fe& z) {
    each([&](std::size_t s) {
      const One square = F::sqr(z.side[s]);
      x.side[s] = F::mul(x.side[s], square);
      y.side[s] = F::mul(y.side[s], F::mul(square, z.side[s]));
    });
  }

  /// X = r Z^2, or (r + N) Z^2: no division.
  static void compare(Chunk& chunk, std::size_t group, const Point& p) {
    const std::size_t first = group * kLanes;
    Mask same = 0;
    each([&](std::size_t s) {
      const One zz = F::sqr(p.z.side[s]);
      for (auto* r : {chunk.r, chunk.r_plus_n}) {
        const One x = F::mul(F::load(r, first + kWidth * s), zz);
        same |= F::is_zero(difference(x, p.x.side[s])) << (kWidth * s);
      }
    });
    put_bits(same, chunk.matches + first);
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
      auto* to = k < sums ? chunk.point : chunk.pause;
      const std::size_t first = (k < sums ? k : k - sums) * kLanes;
      each([&](std::size_t s) {
        const One square = F::sqr(inverse.side[s]);
        F::store(F::frozen(F::mul(at(k).x.side[s], square)), to, first + kWidth * s);
        const One cube = F::mul(square, inverse.side[s]);
        F::store(F::frozen(F::mul(at(k).y.side[s], cube)), to + 4, first + kWidth * s);
      });
    }
  }

  static void run(Chunk& chunk, const std::uint64_t* base_table, void* workspace) {
    auto& w = *static_cast<Workspace*>(workspace);
    const std::size_t groups = (chunk.count + kLanes - 1) / kLanes;
    const Fe one = constant(kOne);
    for (std::size_t g = 0; g < groups; ++g) {
      if (chunk.known) {
        known_ladder(w, g, chunk, base_table);
      } else {
        Fe x, y, shared_z;
        decode(chunk, g, x, y);
        make_table(w, x, y, shared_z);
        ladder(w, g, chunk, base_table, shared_z);
      }
      // The pause may have met an exception only where the end did too: Z stays 0.
      const Mask exception = is_zero(w.sum[g].z);
      put_bits(exception, chunk.exception + g * kLanes);
      select(w.sum[g].z, exception, one, w.sum[g].z);
      select(w.pause[g].z, exception, one, w.pause[g].z);
      if (chunk.compare) compare(chunk, g, w.sum[g]);
    }
    normalise(w, groups, chunk);
  }

  static Ops ops(const char* isa) { return {isa, kLanes, sizeof(Workspace), run, make_key_tables}; }
};

}  // namespace
}  // namespace sparkmill::secp256k1::cpu
