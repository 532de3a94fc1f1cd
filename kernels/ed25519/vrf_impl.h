// SPDX-License-Identifier: Apache-2.0
// ECVRF in lanes: Elligator 2 and both differences of points of a proof. Included by cpu_impl.h, whose points, tables
// and powers it takes.
#pragma once

#include "kernels/ed25519/cpu_impl.h"

namespace sparkmill::ed25519::cpu {
namespace {

constexpr std::uint64_t kMontgomeryJ[5] = {486662, 0, 0, 0, 0};
constexpr std::uint64_t kOneMinusI[5] = {0x1e4d8b5f15f3e, 0x72a5a0370e762, 0x10a16342f39f, 0x7a6a597fb361,
                                         0x547cdb7fb03e2};
constexpr std::uint64_t kOnePlusI[5] = {0x61b274a0ea0b1, 0xd5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e,
                                        0x2b8324804fc1d};
/// The even root of -486664.
constexpr std::uint64_t kScale[5] = {0x604aaff457e06, 0x2296fa350598d, 0x7f13dfb16874f, 0x35de93d846e01,
                                     0xf26edf460a00};

template <class F>
struct Vrf {
  using L = Lanes<F>;
  using V = typename F::V;
  using Fe = typename F::Fe;
  using Mask = typename F::Mask;
  using Point = typename L::Point;
  using Projective = typename L::Projective;
  static constexpr std::size_t kLanes = L::kLanes, kGroups = L::kGroups, kPair = L::kPair, kDecode = L::kDecode;

  using Table = std::uint64_t[kLanes][kEntriesA][F::kCachedWords];
  struct Workspace {
    Table key[kPair], h_table[kPair], gamma[kPair];
    Fe x[kGroups], y[kGroups];  // of -Y
    Fe gx[kGroups], gy[kGroups];
    Point h[kGroups];
    Mask good[kGroups];
    Projective out[VrfChunk::kPoints][kGroups];
    Fe prefix[VrfChunk::kPoints * kGroups];
  };

  static Fe load(const std::uint64_t (*word)[kChunk], std::size_t group) {
    V w[4];
    for (std::size_t k = 0; k < 4; ++k) w[k] = F::load(word[k] + group * kLanes);
    return F::unpacked(w);
  }
  static Fe negated(const Fe& a) { return F::difference(F::constant(kZero), a); }

  /// RFC 9380 6.7.1 on curve25519 (J = 486662, Z = 2), then the map of 6.8.2, with one power for both candidates:
  /// x1 = n / d with n = -J, d = 1 + 2 u^2, which is never 0. Where N / D = curve(x1) is no square, r = its "root" has
  /// D r^2 = i N or -i N, and curve(-x1 - J) = 2 u^2 N / D is the square of (1 - i) u r or (1 + i) u r.
  static void map_to_curve(const std::uint64_t (*word)[kChunk], std::size_t group, Point* to) {
    Fe u[kDecode], n[kDecode], d[kDecode], top[kDecode], bottom[kDecode], base[kDecode], power[kDecode];
    const Fe one = F::constant(kOne), j = F::constant(kMontgomeryJ), minus_j = negated(j);
    for (std::size_t g = 0; g < kDecode; ++g) {
      u[g] = load(word, group + g);
      const Fe uu = F::sqr(u[g]);
      n[g] = minus_j;
      d[g] = F::sum(F::sum(uu, uu), one);
      const Fe dd = F::sqr(d[g]);
      top[g] = F::mul(minus_j, F::sum(F::mul(minus_j, F::sum(minus_j, F::mul(j, d[g]))), dd));
      bottom[g] = F::mul(dd, d[g]);
      const Fe b3 = F::mul(F::sqr(bottom[g]), bottom[g]);
      power[g] = F::mul(top[g], b3);
      base[g] = F::mul(power[g], F::mul(b3, bottom[g]));
    }
    Fe root[kDecode];
    L::template power_252<kDecode>(root, base);
    for (std::size_t g = 0; g < kDecode; ++g) {
      Fe r = F::mul(root[g], power[g]);
      const Fe check = F::mul(F::sqr(r), bottom[g]), turned = F::mul(top[g], F::constant(kSqrtMinusOne));
      const Mask plus = F::is_zero(F::difference(check, top[g])), minus = F::is_zero(F::sum(check, top[g]));
      const Mask square = F::mask_or(plus, minus), turned_plus = F::is_zero(F::difference(check, turned));
      const Fe other = F::mul(F::mul(u[g], r), F::select(turned_plus, F::constant(kOneMinusI), F::constant(kOnePlusI)));
      Fe t = F::select(minus, F::mul(r, F::constant(kSqrtMinusOne)), r);
      t = F::select(square, t, other);
      // Odd of the first candidate, even of the second.
      t = F::select(F::mask_xor(F::odd(F::frozen(t).v[0]), square), negated(t), t);
      const Fe s = F::select(square, n[g], negated(F::sum(n[g], F::mul(j, d[g]))));  // over d
      const Fe below = F::sum(s, d[g]), above = F::difference(s, d[g]), td = F::mul(t, d[g]);
      const Fe scaled = F::mul(s, F::constant(kScale));
      const Point p = {F::mul(scaled, below), F::mul(above, td), F::mul(below, td), F::mul(scaled, above)};
      const Mask none = F::is_zero(p.z);
      const Point neutral = L::identity();
      to[g] = {F::select(none, neutral.x, p.x), F::select(none, neutral.y, p.y), F::select(none, neutral.z, p.z),
               F::select(none, neutral.t, p.t)};
    }
  }

  static void differences(Workspace& w, const VrfChunk& chunk, std::size_t group, const std::uint64_t* base_table) {
    constexpr std::size_t kTurns = 12, kRows = kTurns * kWindowB / (kTurnsB * kWindowB);  // rows of B: 2^108 apart
    static_assert(kTurns % kTurnsB == 0 && 3 * kTurns >= kDigitsB);
    constexpr std::size_t kTopC = (kDigitsC - 1) * kWindowA, kTopS = 50 * kWindowA;
    const auto digits_a = [&](const std::int16_t* digits, std::size_t g, std::size_t digit) {
      return digits + ((group + g) * kDigitsA + digit) * kLanes;
    };
    Point p[kPair];
    for (std::size_t g = 0; g < kPair; ++g) {
      L::make_table(w.key[g], L::affine(w.x[group + g], w.y[group + g]));
      p[g] = L::identity();
    }
    for (std::size_t bit = kTopC + 1; bit-- > 0;) {
      const bool with_c = bit % kWindowA == 0, with_b = bit % kWindowB == 0 && bit / kWindowB < kTurns;
      if (bit != kTopC) L::double_pair(p, with_c || with_b);
      for (std::size_t g = 0; with_c && g < kPair; ++g)
        L::add_a(p[g], w.key[g], digits_a(chunk.c, g, bit / kWindowA), with_b);
      if (!with_b) continue;
      for (std::size_t digit = bit / kWindowB, row = 0; digit < kDigitsB; digit += kTurns, row += kRows) {
        for (std::size_t g = 0; g < kPair; ++g)
          L::add_b(p[g], base_table + row * L::kRowWordsB, chunk.s_base + ((group + g) * kDigitsB + digit) * kLanes,
                   digit + kTurns < kDigitsB);
      }
    }
    for (std::size_t g = 0; g < kPair; ++g) {
      w.out[VrfChunk::kU][group + g] = {p[g].x, p[g].y, p[g].z};
      L::make_table(w.h_table[g], w.h[group + g]);
      L::make_table(w.gamma[g], L::affine(w.gx[group + g], w.gy[group + g]));
      p[g] = L::identity();
    }
    for (std::size_t bit = kTopS + 1; bit-- > 0;) {
      const bool with_s = bit % kWindowA == 0, with_c = with_s && bit <= kTopC;
      if (bit != kTopS) L::double_pair(p, with_s);
      for (std::size_t g = 0; with_s && g < kPair; ++g)
        L::add_a(p[g], w.h_table[g], digits_a(chunk.s, g, bit / kWindowA), with_c);
      for (std::size_t g = 0; with_c && g < kPair; ++g)
        L::add_a(p[g], w.gamma[g], digits_a(chunk.c, g, bit / kWindowA), false);
    }
    for (std::size_t g = 0; g < kPair; ++g) w.out[VrfChunk::kV][group + g] = {p[g].x, p[g].y, p[g].z};
  }

  /// By one inversion of the product of all Z, of which none is 0.
  static void encode_all(Workspace& w, std::size_t groups, VrfChunk& chunk) {
    const std::size_t all = groups * VrfChunk::kPoints;
    const auto at = [&](std::size_t k) -> const Projective& { return w.out[k / groups][k % groups]; };
    Fe product = at(0).z;
    for (std::size_t k = 1; k < all; ++k) {
      w.prefix[k] = product;
      product = F::mul(product, at(k).z);
    }
    L::invert(product);
    for (std::size_t k = all; k-- > 0;) {
      const Fe inverse = k == 0 ? product : F::mul(product, w.prefix[k]);
      if (k != 0) product = F::mul(product, at(k).z);
      L::encode(F::mul(at(k).x, inverse), F::mul(at(k).y, inverse), chunk.point[k / groups], k % groups);
    }
  }

  static void run(VrfChunk& chunk, const std::uint64_t* base_table, void* workspace) {
    auto& w = *static_cast<Workspace*>(workspace);
    const std::size_t used = (chunk.count + kLanes - 1) / kLanes;
    const std::size_t groups = (used + kDecode - 1) / kDecode * kDecode;  // padding is worked like the rest
    const auto put_good = [&](std::size_t g, std::uint8_t* to) {
      for (std::size_t k = g; k < g + kDecode; ++k) {
        for (std::size_t l = 0; l < kLanes; ++l) to[k * kLanes + l] = F::bits_of(w.good[k]) >> l & 1;
      }
    };
    for (std::size_t g = 0; g < groups; g += kDecode) {
      L::decode(chunk.key, g, true, w.x + g, w.y + g, w.good + g);
      put_good(g, chunk.key_decoded);
      L::decode(chunk.gamma, g, true, w.gx + g, w.gy + g, w.good + g);
      put_good(g, chunk.gamma_decoded);
      if (chunk.elligator) map_to_curve(chunk.h[0], g, w.h + g);
      for (std::size_t k = g; k < g + kDecode; ++k) {
        if (!chunk.elligator) w.h[k] = L::affine(load(chunk.h[0], k), load(chunk.h[1], k));
        Point eight = {negated(w.gx[k]), w.gy[k], F::constant(kOne), F::constant(kZero)};
        for (int twice = 0; twice < 3; ++twice) {
          L::double_point(w.h[k], twice == 2);
          L::double_point(eight, false);
        }
        w.out[VrfChunk::kH][k] = {w.h[k].x, w.h[k].y, w.h[k].z};
        w.out[VrfChunk::kEightGamma][k] = {eight.x, eight.y, eight.z};
      }
    }
    const std::size_t pairs = (used + kPair - 1) / kPair * kPair;
    for (std::size_t g = 0; g < pairs; g += kPair) differences(w, chunk, g, base_table);
    encode_all(w, pairs, chunk);
  }
};

}  // namespace
}  // namespace sparkmill::ed25519::cpu
