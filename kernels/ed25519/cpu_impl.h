// SPDX-License-Identifier: Apache-2.0
// The body of the CPU rows, written once over a field F (field_*.h) that holds one element in each lane: points, tables
// of multiples, the ladder, decoding, encoding. On AVX-512 two groups are worked in turn, so that one's products fill
// the waits of the other's.
//
// Points are extended coordinates (X : Y : Z : T), XY = ZT (Hisil, Wong, Carter, Dawson 2008; a = -1). All formulas are
// complete on the curve: no case of equal, opposite or small-order points is special.
#pragma once

#include "kernels/ed25519/cpu_ops.h"
#include "kernels/ed25519/sha512_lanes.h"

namespace sparkmill::ed25519::cpu {
namespace {

constexpr std::uint64_t kD[5] = {0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb, 0x52036cee2b6ff};
constexpr std::uint64_t kTwoD[5] = {0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977,
                                    0x2406d9dc56dff};
constexpr std::uint64_t kSqrtMinusOne[5] = {0x61b274a0ea0b0, 0x0d5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e,
                                            0x2b8324804fc1d};
constexpr std::uint64_t kBaseX[5] = {0x62d608f25d51a, 0x412a4b4f6592a, 0x75b7171a4b31d, 0x1ff60527118fe,
                                     0x216936d3cd6e5};
constexpr std::uint64_t kBaseY[5] = {0x6666666666658, 0x4cccccccccccc, 0x1999999999999, 0x3333333333333,
                                     0x6666666666666};
constexpr std::uint64_t kZero[5] = {0, 0, 0, 0, 0};
constexpr std::uint64_t kOne[5] = {1, 0, 0, 0, 0};

template <class F>
struct Vrf;

template <class F>
struct Lanes {
  using V = typename F::V;
  using Fe = typename F::Fe;
  using Factor = typename F::Factor;
  using Wide = typename F::Wide;
  using Mask = typename F::Mask;
  static constexpr std::size_t kLanes = F::kLanes;
  static constexpr std::size_t kGroups = kChunk / kLanes;
  static constexpr std::size_t kPair = F::kPair;  ///< groups whose ladders are interleaved
  static constexpr std::size_t kDecode = 4;       ///< groups whose powers are interleaved
  static constexpr std::size_t kMade = 128;       ///< entries made affine by one inversion
  static constexpr std::size_t kRowWordsA = kEntriesA * F::kAffineWords, kRowWordsB = kEntriesB * F::kAffineWords;
  static_assert(kMade % (kEntriesA - 1) == 0 && (kEntriesB - 1) % kMade == 0);

  struct Point {
    Fe x, y, z, t;
  };
  struct Projective {
    Fe x, y, z;
  };
  /// Y + X, Y - X, 2d T, 2 Z.
  struct Cached {
    Fe c[4];
  };
  struct Workspace {
    std::uint64_t table[kPair][kLanes][kEntriesA][F::kCachedWords];
    Projective sum[kGroups], pause[kGroups];
    Fe x[kGroups], y[kGroups];  ///< -A, affine
    Fe rx[kGroups], ry[kGroups];
    Fe prefix[2 * kGroups];
    Mask a_good[kGroups], r_good[kGroups];
    Projective made[kMade];
    Fe made_prefix[kMade];
  };

  // --- points ---

  static SM_INLINE Point identity() {
    return {F::constant(kZero), F::constant(kOne), F::constant(kOne), F::constant(kZero)};
  }
  /// The four products that end every formula. T is not needed before a doubling.
  static SM_INLINE void finish(Point& p, const Fe& e, const Fe& f, const Fe& g, const Fe& h, bool with_t) {
    p.x = F::mul(e, f);
    p.y = F::mul(g, h);
    p.z = F::mul(f, g);
    if (with_t) p.t = F::mul(e, h);
  }
  static SM_INLINE void double_point(Point& p, bool with_t) {
    const Wide xx = F::sqr_wide(p.x), yy = F::sqr_wide(p.y), zz = F::sqr_wide(p.z);
    const Wide sum = F::sqr_wide(F::sum_factor(p.x, p.y));
    const Wide h = F::wide_add(yy, xx), g = F::wide_sub(yy, xx);
    const Fe e = F::carry(F::wide_sub(sum, h));
    const Fe f = F::carry(F::wide_sub(F::wide_add(F::wide_twice(zz), xx), yy));  // 2 ZZ - g
    finish(p, e, f, F::carry(g), F::carry(h), with_t);
  }
  static SM_INLINE void add_cached(Point& p, const Factor& y_plus_x, const Factor& y_minus_x, const Factor& t2d,
                                   const Factor& z2, bool with_t) {
    const Wide a = F::mul_wide(F::difference_factor(p.y, p.x), y_minus_x);
    const Wide b = F::mul_wide(F::sum_factor(p.y, p.x), y_plus_x);
    const Wide c = F::mul_wide(p.t, t2d), d = F::mul_wide(p.z, z2);
    finish(p, F::carry(F::wide_sub(b, a)), F::carry(F::wide_sub(d, c)), F::carry(F::wide_add(d, c)),
           F::carry(F::wide_add(b, a)), with_t);
  }
  static SM_INLINE void add_affine(Point& p, const Factor& y_plus_x, const Factor& y_minus_x, const Factor& t2d,
                                   bool with_t) {
    const Wide a = F::mul_wide(F::difference_factor(p.y, p.x), y_minus_x);
    const Wide b = F::mul_wide(F::sum_factor(p.y, p.x), y_plus_x);
    const Wide c = F::mul_wide(p.t, t2d), d = F::wide_twice(F::widened(p.z));
    finish(p, F::carry(F::wide_sub(b, a)), F::carry(F::wide_sub(d, c)), F::carry(F::wide_add(d, c)),
           F::carry(F::wide_add(b, a)), with_t);
  }
  static SM_INLINE void add_cached(Point& p, const Cached& q, bool with_t) {
    add_cached(p, q.c[0], q.c[1], q.c[2], q.c[3], with_t);
  }
  static SM_INLINE Cached cached(const Point& p) {
    return {{F::sum(p.y, p.x), F::difference(p.y, p.x), F::mul(p.t, F::constant(kTwoD)), F::sum(p.z, p.z)}};
  }

  // --- powers ---

  /// x[g]^(2^n) for groups that are worked side by side.
  template <std::size_t kSide>
  static __attribute__((noinline)) void square_many(Fe* x, int n) {
    for (int k = 0; k < n; ++k) {
      for (std::size_t g = 0; g < kSide; ++g) x[g] = F::sqr(x[g]);
    }
  }
  template <std::size_t kSide>
  static __attribute__((noinline)) void multiply_many(Fe* to, const Fe* a, const Fe* b) {
    for (std::size_t g = 0; g < kSide; ++g) to[g] = F::mul(a[g], b[g]);
  }
  template <std::size_t kSide>
  static void copy(Fe* to, const Fe* from) {
    for (std::size_t g = 0; g < kSide; ++g) to[g] = from[g];
  }
  /// to = x^(2^250 - 1), eleven = x^11: the common part of the powers p - 2 and (p - 5) / 8.
  template <std::size_t kSide>
  static void power_250(Fe* to, Fe* eleven, const Fe* x) {
    Fe a[kSide], b[kSide], c[kSide];
    copy<kSide>(a, x);
    square_many<kSide>(a, 1);  // 2
    copy<kSide>(b, a);
    square_many<kSide>(b, 2);            // 8
    multiply_many<kSide>(b, b, x);       // 9
    multiply_many<kSide>(eleven, a, b);  // 11
    copy<kSide>(a, eleven);
    square_many<kSide>(a, 1);       // 22
    multiply_many<kSide>(b, a, b);  // 2^5 - 1
    const auto lengthen = [](Fe* out, const Fe* low, const Fe* high, int n) {
      Fe shifted[kSide];
      copy<kSide>(shifted, high);
      square_many<kSide>(shifted, n);
      multiply_many<kSide>(out, shifted, low);
    };
    lengthen(b, b, b, 5);    // 2^10 - 1
    lengthen(a, b, b, 10);   // 2^20 - 1
    lengthen(c, a, a, 20);   // 2^40 - 1
    lengthen(b, b, c, 10);   // 2^50 - 1
    lengthen(a, b, b, 50);   // 2^100 - 1
    lengthen(c, a, a, 100);  // 2^200 - 1
    lengthen(to, b, c, 50);  // 2^250 - 1
  }
  /// x^((p - 5) / 8) = x^(2^252 - 3).
  template <std::size_t kSide>
  static void power_252(Fe* to, const Fe* x) {
    Fe unused[kSide];
    power_250<kSide>(to, unused, x);
    square_many<kSide>(to, 2);
    multiply_many<kSide>(to, to, x);
  }
  static void invert(Fe& x) {
    Fe to[1], eleven[1];
    power_250<1>(to, eleven, &x);
    square_many<1>(to, 5);
    multiply_many<1>(&x, to, eleven);
  }

  // --- decoding and encoding ---

  /// The points of kDecode groups from `group` on: x with the wanted sign, y; `good` where there is one. Lanes without
  /// a point get x = 0, y = 1, so that what follows stays on the curve. The sign bit, flipped when `negate`, is the
  /// parity of x; x = 0 has no other sign.
  static void decode(const std::uint64_t (*word)[kChunk], std::size_t group, bool negate, Fe* x, Fe* y, Mask* good) {
    Fe u[kDecode], v[kDecode], uv3[kDecode], base[kDecode], root[kDecode];
    Mask sign[kDecode];
    const Fe one = F::constant(kOne);
    for (std::size_t g = 0; g < kDecode; ++g) {
      V w[4];
      for (std::size_t k = 0; k < 4; ++k) w[k] = F::load(word[k] + (group + g) * kLanes);
      sign[g] = F::top_bit(w[3]);
      y[g] = F::unpacked(w);
      const Fe yy = F::sqr(y[g]);
      u[g] = F::difference(yy, one);
      v[g] = F::sum(F::mul(yy, F::constant(kD)), one);
      const Fe v3 = F::mul(F::sqr(v[g]), v[g]);
      uv3[g] = F::mul(u[g], v3);
      base[g] = F::mul(uv3[g], F::mul(v3, v[g]));
    }
    power_252<kDecode>(root, base);
    for (std::size_t g = 0; g < kDecode; ++g) {
      Fe r = F::mul(root[g], uv3[g]);
      const Fe check = F::mul(F::sqr(r), v[g]);
      const Mask plus = F::is_zero(F::difference(check, u[g]));
      const Mask minus = F::is_zero(F::sum(check, u[g]));
      r = F::select(plus, r, F::mul(r, F::constant(kSqrtMinusOne)));
      const Mask wanted = negate ? F::mask_not(sign[g]) : sign[g];
      const Mask flip = F::mask_xor(F::odd(F::frozen(r).v[0]), wanted);
      r = F::select(flip, F::difference(F::constant(kZero), r), r);
      good[g] = F::mask_or(plus, minus);
      x[g] = F::select(good[g], r, F::constant(kZero));
      y[g] = F::select(good[g], y[g], one);
    }
  }
  /// Bytes of (x, y) as four words for each lane of the group.
  static SM_INLINE void encode(const Fe& x, const Fe& y, std::uint64_t (*word)[kChunk], std::size_t group) {
    V w[4];
    F::packed(F::frozen(y), w);
    w[3] = F::or64(w[3], F::template shl<63>(F::parity(F::frozen(x))));
    for (std::size_t k = 0; k < 4; ++k) F::store(word[k] + group * kLanes, w[k]);
  }
  /// Every sum (and pause) encoded, by one inversion of the product of all Z: no Z is 0, the formulas being complete.
  static void encode_all(const Workspace& w, Fe* prefix, std::size_t groups, bool with_pause, Chunk& chunk) {
    const std::size_t all = groups * (with_pause ? 2 : 1);
    const auto at = [&](std::size_t k) -> const Projective& { return k < groups ? w.sum[k] : w.pause[k - groups]; };
    Fe product = at(0).z;
    for (std::size_t k = 1; k < all; ++k) {
      prefix[k] = product;  // of all before k
      product = F::mul(product, at(k).z);
    }
    invert(product);
    for (std::size_t k = all; k-- > 0;) {
      const Projective& p = at(k);
      const Fe inverse = k == 0 ? product : F::mul(product, prefix[k]);
      if (k != 0) product = F::mul(product, p.z);
      encode(F::mul(p.x, inverse), F::mul(p.y, inverse), k < groups ? chunk.point : chunk.evidence,
             k < groups ? k : k - groups);
    }
  }

  // --- tables ---

  static Point affine(const Fe& x, const Fe& y) { return {x, y, F::constant(kOne), F::mul(x, y)}; }
  /// 0 .. 16 times p, the entries of a lane in one piece.
  static __attribute__((noinline)) void make_table(std::uint64_t (*table)[kEntriesA][F::kCachedWords], Point p) {
    const auto put = [&](std::size_t entry, const Cached& c) {
      std::uint64_t* rows[kLanes];
      for (std::size_t l = 0; l < kLanes; ++l) rows[l] = table[l][entry];
      F::put_entry(rows, c.c, 4);
    };
    put(0, cached(identity()));
    const Cached one = cached(p);
    put(1, one);
    for (std::size_t k = 2; k < kEntriesA; ++k) {
      add_cached(p, one, true);
      put(k, cached(p));
    }
  }
  /// Rows of the digits of a group, and the lanes whose digit is negative.
  template <std::size_t kWords>
  static SM_INLINE Mask find_rows(const std::int16_t* digits, const std::uint64_t* const* base,
                                  const std::uint64_t** rows) {
    unsigned negative = 0;
    for (std::size_t l = 0; l < kLanes; ++l) {
      const int digit = digits[l];
      negative |= static_cast<unsigned>(digit < 0) << l;
      rows[l] = base[l] + static_cast<std::size_t>(digit < 0 ? -digit : digit) * kWords;
    }
    return F::mask_of(negative);
  }
  static __attribute__((noinline)) void add_a(Point& p, const std::uint64_t (*table)[kEntriesA][F::kCachedWords],
                                              const std::int16_t* digits, bool with_t) {
    const std::uint64_t *base[kLanes], *rows[kLanes];
    for (std::size_t l = 0; l < kLanes; ++l) base[l] = table[l][0];
    const Mask negative = find_rows<F::kCachedWords>(digits, base, rows);
    Fe e[4];
    F::template get_entry<4>(rows, e);
    add_cached(p, F::select(negative, e[1], e[0]), F::select(negative, e[0], e[1]),
               F::select(negative, F::negated_factor(e[2]), e[2]), e[3], with_t);
  }
  /// A multiple out of a table of affine entries for each lane.
  static __attribute__((noinline)) void add_row(Point& p, const std::uint64_t* const* table, const std::int16_t* digits,
                                                bool with_t) {
    const std::uint64_t* rows[kLanes];
    const Mask negative = find_rows<F::kAffineWords>(digits, table, rows);
    Fe e[3];
    F::template get_entry<3>(rows, e);
    add_affine(p, F::select(negative, e[1], e[0]), F::select(negative, e[0], e[1]),
               F::select(negative, F::negated_factor(e[2]), e[2]), with_t);
  }
  static SM_INLINE void add_b(Point& p, const std::uint64_t* table, const std::int16_t* digits, bool with_t) {
    const std::uint64_t* base[kLanes];
    for (std::size_t l = 0; l < kLanes; ++l) base[l] = table;
    add_row(p, base, digits, with_t);
  }
  /// Many tables do not fit the second cache: the entries of the next addition set out while this one is worked.
  static SM_INLINE void fetch_early(const std::uint64_t* const* table, std::size_t offset, const std::int16_t* digits) {
    for (std::size_t l = 0; l < kLanes; ++l) {
      const int digit = digits[l];
      const std::uint64_t* row =
          table[l] + offset + static_cast<std::size_t>(digit < 0 ? -digit : digit) * F::kAffineWords;
      __builtin_prefetch(row);
      __builtin_prefetch(row + 8);
    }
  }
  /// put(k, entry) of the first `count` of w.made, affine, by one inversion: no Z is 0.
  template <class Put>
  static void make_affine(Workspace& w, std::size_t count, Put put) {
    Fe product = w.made[0].z;
    for (std::size_t k = 1; k < count; ++k) {
      w.made_prefix[k] = product;
      product = F::mul(product, w.made[k].z);
    }
    invert(product);
    for (std::size_t k = count; k-- > 0;) {
      const Fe inverse = k == 0 ? product : F::mul(product, w.made_prefix[k]);
      if (k != 0) product = F::mul(product, w.made[k].z);
      const Fe x = F::mul(w.made[k].x, inverse), y = F::mul(w.made[k].y, inverse);
      const Fe entry[3] = {F::sum(y, x), F::difference(y, x), F::mul(F::mul(x, y), F::constant(kTwoD))};
      put(k, entry);
    }
  }
  /// 0 .. entries - 1 times 2^(turns width j) P for each row j; a lane's rows go to table[lane].
  static void make_rows(Workspace& w, Point p, std::size_t entries, std::size_t rows, std::size_t turns,
                        std::size_t width, std::uint64_t* const* table) {
    const std::size_t each = entries - 1;  // beside 0
    std::size_t made = 0, first = 0;       // `first`: number of w.made[0] among all
    const auto put = [&](std::size_t row, std::size_t multiple, const Fe* entry) {
      std::uint64_t* to[kLanes];
      for (std::size_t l = 0; l < kLanes; ++l) to[l] = table[l] + (row * entries + multiple) * F::kAffineWords;
      F::put_entry(to, entry, 3);
    };
    const Fe one = F::constant(kOne), neutral[3] = {one, one, F::constant(kZero)};
    for (std::size_t row = 0; row < rows; ++row) {
      put(row, 0, neutral);
      const Cached base = cached(p);
      for (std::size_t k = 1; k <= each; ++k) {
        if (k > 1) add_cached(p, base, true);
        w.made[made++] = {p.x, p.y, p.z};
        if (made < kMade && (row + 1 < rows || k < each)) continue;
        make_affine(w, made,
                    [&](std::size_t at, const Fe* entry) { put((first + at) / each, (first + at) % each + 1, entry); });
        first += made;
        made = 0;
      }
      // p is 2^(width - 1) times the row's base.
      if (row + 1 < rows) {
        for (std::size_t k = turns * width - (width - 1); k-- > 0;) double_point(p, k == 0);
      }
    }
  }

  // --- the ladder ---

  static __attribute__((noinline)) void double_pair(Point* p, bool with_t) {
    // One copy of the code: two would push the additions out of the cache of decoded instructions.
    for (std::size_t g = 0; g < kPair; ++g) double_point(p[g], with_t);
  }
  static void ladder(Workspace& w, std::size_t group, const Chunk& chunk, const std::uint64_t* base_table) {
    const Schedule& s = *chunk.schedule;
    Point p[kPair];
    for (Point& start : p) start = identity();
    for (int bit = static_cast<int>(s.top); bit >= 0; --bit) {
      const int a = s.a[bit], b = s.b[bit];
      if (bit != static_cast<int>(s.top)) double_pair(p, a >= 0 || b >= 0);
      // T of a sum is wanted only by an addition that follows.
      if (a >= 0) {
        for (std::size_t g = 0; g < kPair; ++g)
          add_a(p[g], w.table[g], chunk.a + ((group + g) * kDigitsA + static_cast<std::size_t>(a)) * kLanes,
                b >= 0 || (bit == 0 && chunk.cofactored));
      }
      if (b >= 0) {
        for (std::size_t g = 0; g < kPair; ++g)
          add_b(p[g], base_table, chunk.b + ((group + g) * kDigitsB + static_cast<std::size_t>(b)) * kLanes,
                bit == 0 && chunk.cofactored);
      }
      if (bit == s.pause) {
        for (std::size_t g = 0; g < kPair; ++g) w.pause[group + g] = {p[g].x, p[g].y, p[g].z};
      }
    }
    end_ladder(w, group, chunk, p);
  }
  /// The same of keys with tables of their own. T is wanted until the last addition before a doubling.
  static void known_ladder(Workspace& w, std::size_t group, const Chunk& chunk, const std::uint64_t* base_table) {
    const Schedule& s = *chunk.schedule;
    const auto digits_a = [&](std::size_t g, std::size_t digit) {
      return chunk.a + ((group + g) * kDigitsA + digit) * kLanes;
    };
    const auto digits_b = [&](std::size_t g, std::size_t digit) {
      return chunk.b + ((group + g) * kDigitsB + digit) * kLanes;
    };
    Point p[kPair];
    for (Point& start : p) start = identity();
    constexpr std::size_t kTopTurn = (kTurnsA - 1) * kWindowA;
    static_assert(kTopTurn >= (kTurnsB - 1) * kWindowB);
    for (std::size_t bit = kTopTurn + 1; bit-- > 0;) {
      const bool with_a = bit % kWindowA == 0, with_b = bit % kWindowB == 0 && bit / kWindowB < kTurnsB;
      if (bit != kTopTurn) double_pair(p, with_a || with_b);
      const bool ends = bit == 0 && s.pause < 0 && chunk.cofactored;
      if (with_a) {
        for (std::size_t digit = s.low_a + bit / kWindowA, row = 0; digit < s.count_a; digit += kTurnsA, ++row) {
          const bool more = digit + kTurnsA < s.count_a || with_b || ends;
          const bool last = digit + kTurnsA >= s.count_a;
          const std::size_t next = last ? s.low_a + bit / kWindowA - 1 : digit + kTurnsA;
          for (std::size_t g = 0; g < kPair; ++g) {
            const std::uint64_t *table[kLanes], *const *keys = chunk.key_table + (group + g) * kLanes;
            if (!last || bit != 0) fetch_early(keys, last ? 0 : (row + 1) * kRowWordsA, digits_a(g, next));
            for (std::size_t l = 0; l < kLanes; ++l) table[l] = keys[l] + row * kRowWordsA;
            add_row(p[g], table, digits_a(g, digit), more);
          }
        }
      }
      if (with_b) {
        for (std::size_t digit = s.low_b + bit / kWindowB, row = 0; digit < s.count_b; digit += kTurnsB, ++row) {
          for (std::size_t g = 0; g < kPair; ++g)
            add_b(p[g], base_table + row * kRowWordsB, digits_b(g, digit), digit + kTurnsB < s.count_b || ends);
        }
      }
    }
    if (s.pause >= 0) {
      for (std::size_t g = 0; g < kPair; ++g) w.pause[group + g] = {p[g].x, p[g].y, p[g].z};
      for (std::size_t bit = static_cast<std::size_t>(s.pause); bit-- > 0;) {
        const bool with_a = bit % kLowA == 0, with_b = bit % kLowB == 0;
        double_pair(p, with_a);
        for (std::size_t g = 0; with_a && g < kPair; ++g)
          add_row(p[g], chunk.key_table + (group + g) * kLanes, digits_a(g, bit / kLowA),
                  with_b || (bit == 0 && chunk.cofactored));
        for (std::size_t g = 0; with_b && g < kPair; ++g)
          add_b(p[g], base_table, digits_b(g, bit / kLowB), bit == 0 && chunk.cofactored);
      }
    }
    end_ladder(w, group, chunk, p);
  }
  static void end_ladder(Workspace& w, std::size_t group, const Chunk& chunk, Point* p) {
    for (std::size_t g = 0; g < kPair; ++g) {
      if (chunk.cofactored) {
        const Fe x = F::difference(F::constant(kZero), w.rx[group + g]);
        add_cached(p[g], cached(affine(x, w.ry[group + g])), false);
        for (int k = 0; k < 3; ++k) double_point(p[g], false);
      }
      w.sum[group + g] = {p[g].x, p[g].y, p[g].z};
    }
  }

  static void verify(Chunk& chunk, const std::uint64_t* base_table, void* workspace) {
    auto& w = *static_cast<Workspace*>(workspace);
    const std::size_t used = (chunk.count + kLanes - 1) / kLanes;
    const std::size_t groups = (used + kDecode - 1) / kDecode * kDecode;  // padding is worked like the rest
    for (std::size_t g = 0; g < groups; g += kDecode) {
      if (!chunk.known) decode(chunk.key, g, true, w.x + g, w.y + g, w.a_good + g);
      if (chunk.cofactored) decode(chunk.r, g, false, w.rx + g, w.ry + g, w.r_good + g);
    }
    const std::size_t pairs = (used + kPair - 1) / kPair * kPair;
    for (std::size_t g = 0; g < pairs; g += kPair) {
      if (chunk.known) {
        known_ladder(w, g, chunk, base_table);
        continue;
      }
      for (std::size_t k = 0; k < kPair; ++k) make_table(w.table[k], affine(w.x[g + k], w.y[g + k]));
      ladder(w, g, chunk, base_table);
    }
    if (!chunk.cofactored || chunk.schedule->pause >= 0)
      encode_all(w, w.prefix, pairs, chunk.schedule->pause >= 0, chunk);
    for (std::size_t g = 0; g < used; ++g) {
      const unsigned a = chunk.known ? 0 : F::bits_of(w.a_good[g]), r = chunk.cofactored ? F::bits_of(w.r_good[g]) : 0;
      unsigned neutral = 0;
      if (chunk.cofactored) {
        neutral = F::bits_of(F::mask_and(F::is_zero(w.sum[g].x), F::is_zero(F::difference(w.sum[g].y, w.sum[g].z))));
      }
      for (std::size_t l = 0; l < kLanes; ++l) {
        const std::size_t i = g * kLanes + l;
        if (!chunk.known) chunk.a_decoded[i] = a >> l & 1;
        chunk.r_decoded[i] = r >> l & 1;
        if (chunk.cofactored)
          chunk.point[0][i] = chunk.point[1][i] = chunk.point[2][i] = chunk.point[3][i] = (neutral >> l & 1) ^ 1;
      }
    }
  }

  static void make_key_tables(Chunk& chunk, std::uint64_t* const* table, void* workspace) {
    auto& w = *static_cast<Workspace*>(workspace);
    decode(chunk.key, 0, true, w.x, w.y, w.a_good);
    const unsigned good = F::bits_of(w.a_good[0]);
    for (std::size_t l = 0; l < kLanes; ++l) chunk.a_decoded[l] = good >> l & 1;
    make_rows(w, affine(w.x[0], w.y[0]), kEntriesA, kRowsA, kTurnsA, kWindowA, table);
  }
  /// Of B; all lanes work the same multiples and write the same entries. Row 0 is the whole of the plain ladder's.
  static void make_base_table(std::uint64_t* table, void* workspace) {
    const Fe x = F::constant(kBaseX), y = F::constant(kBaseY);
    std::uint64_t* tables[kLanes];
    for (std::size_t l = 0; l < kLanes; ++l) tables[l] = table;
    make_rows(*static_cast<Workspace*>(workspace), affine(x, y), kEntriesB, kRowsB, kTurnsB, kWindowB, tables);
  }

  static void decode_all(const std::uint64_t (*word)[kChunk], std::size_t count, std::uint64_t (*x)[kChunk],
                         std::uint8_t* good) {
    for (std::size_t g = 0; g * kLanes < count; g += kDecode) {
      Fe px[kDecode], py[kDecode];
      Mask is_point[kDecode];
      decode(word, g, false, px, py, is_point);
      for (std::size_t k = 0; k < kDecode; ++k) {
        V w[4];
        F::packed(F::frozen(px[k]), w);
        for (std::size_t part = 0; part < 4; ++part) F::store(x[part] + (g + k) * kLanes, w[part]);
        for (std::size_t l = 0; l < kLanes; ++l) good[(g + k) * kLanes + l] = F::bits_of(is_point[k]) >> l & 1;
      }
    }
  }

  static Ops ops(const char* isa) {
    return {isa,
            kLanes,
            kPair * kLanes,
            sizeof(Workspace),
            kRowsB * kRowWordsB * sizeof(std::uint64_t),
            make_base_table,
            kRowsA * kRowWordsA * sizeof(std::uint64_t),
            make_key_tables,
            Sha512Lanes<F>::run,
            verify,
            decode_all,
            sizeof(typename Vrf<F>::Workspace),
            Vrf<F>::run};
  }
};

}  // namespace
}  // namespace sparkmill::ed25519::cpu

#include "kernels/ed25519/vrf_impl.h"
