// SPDX-License-Identifier: Apache-2.0
// The oracle's mathematics on curves so small that everything can be tried: every key, commitment, S and hash under
// every policy, against a group that is written down as a list of points.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "kernels/ed25519/reference.h"

namespace sparkmill::ed25519::test {
namespace {

using reference::Number;

/// -x^2 + y^2 = 1 + d x^2 y^2 over the integers mod kP, of order 8 kL.
template <unsigned kP, unsigned kYBits>
struct Toy {
  struct Field {
    unsigned v = 0;
    static Field zero() { return {0}; }
    static Field one() { return {1}; }
    static Field from_bytes(const Number<1>& b) { return {(b[0] & ((1u << kYBits) - 1)) % kP}; }
    Number<1> to_bytes() const { return {static_cast<std::uint8_t>(v)}; }
    friend Field operator+(Field a, Field b) { return {(a.v + b.v) % kP}; }
    friend Field operator-(Field a, Field b) { return {(a.v + kP - b.v) % kP}; }
    friend Field operator*(Field a, Field b) { return {a.v * b.v % kP}; }
    friend bool operator==(Field, Field) = default;
  };
  struct Parameters {
    unsigned d = 0, root = 0, order = 0, x = 0, y = 0;
  };
  using Pair = std::pair<unsigned, unsigned>;

  static unsigned inverse(unsigned a) {
    for (unsigned i = 1; i < kP; ++i) {
      if (a * i % kP == 1) return i;
    }
    return 0;
  }
  static std::vector<Pair> points(unsigned d) {
    std::vector<Pair> list;
    for (unsigned x = 0; x < kP; ++x) {
      for (unsigned y = 0; y < kP; ++y) {
        const unsigned xx = x * x % kP, yy = y * y % kP;
        if ((yy + kP - xx) % kP == (1 + d * xx % kP * yy) % kP) list.push_back({x, y});
      }
    }
    return list;
  }
  /// By the affine law, with inverses from a list.
  static Pair add(unsigned d, Pair p, Pair q) {
    const unsigned t = d * p.first % kP * q.first % kP * p.second % kP * q.second % kP;
    const unsigned x = (p.first * q.second + q.first * p.second) % kP * inverse((1 + t) % kP) % kP;
    return {x, (p.second * q.second + p.first * q.first) % kP * inverse((1 + kP - t) % kP) % kP};
  }
  static Pair times(unsigned d, unsigned n, Pair p) {
    Pair sum{0, 1};
    for (unsigned k = 0; k < n; ++k) sum = add(d, sum, p);
    return sum;
  }
  static const Parameters& parameters() {
    static const Parameters found = [] {
      std::vector<bool> square(kP);
      for (unsigned x = 1; x < kP; ++x) square[x * x % kP] = true;
      Parameters r;
      for (unsigned x = 1; x < kP; ++x) {
        if (x * x % kP == kP - 1) r.root = x;
      }
      for (unsigned d = 2; d < kP; ++d) {
        const auto all = square[d] ? std::vector<Pair>() : points(d);
        for (const unsigned prime : {3u, 5u, 7u}) {
          if (all.size() != 8 * prime || prime < 5) continue;
          for (const Pair& p : all) {
            if (p == Pair{0, 1} || times(d, prime, p) != Pair{0, 1}) continue;
            r.d = d, r.order = prime, r.x = p.first, r.y = p.second;
            return r;
          }
        }
      }
      return r;
    }();
    return found;
  }

  static constexpr std::size_t kBytes = 1;
  static constexpr std::size_t kSignBit = kYBits;
  static constexpr std::size_t kLegacyBits = 4;
  static Number<1> prime() { return {static_cast<std::uint8_t>(kP)}; }
  static Number<1> order() { return {static_cast<std::uint8_t>(parameters().order)}; }
  static Field d() { return {parameters().d}; }
  static Field sqrt_minus_one() { return {parameters().root}; }
  static Field base_x() { return {parameters().x}; }
  static Field base_y() { return {parameters().y}; }
};

template <class Curve>
class ToyCurve : public testing::Test {};
using Curves = testing::Types<Toy<29, 5>, Toy<37, 6>>;
TYPED_TEST_SUITE(ToyCurve, Curves);

TYPED_TEST(ToyCurve, EveryInputUnderEveryPolicy) {
  using Curve = TypeParam;
  using Group = reference::Group<Curve>;
  using Pair = typename Curve::Pair;
  const auto& c = Curve::parameters();
  ASSERT_NE(c.order, 0u) << "no curve of this size";
  const unsigned encodings = 2u << Curve::kSignBit, y_mask = (1u << Curve::kSignBit) - 1;
  const unsigned p = Curve::prime()[0];

  // Points by their encodings, lenient and not, from the list of points.
  std::map<unsigned, Pair> lenient;
  std::map<Pair, unsigned> canonical;
  const auto all = Curve::points(c.d);
  for (const Pair& point : all) {
    canonical[point] = point.second | (point.first & 1) << Curve::kSignBit;
    for (unsigned y = point.second; y <= y_mask; y += p) {
      for (const unsigned sign : {0u, 1u}) {
        if (point.first == 0 || (point.first & 1) == sign) lenient[y | sign << Curve::kSignBit] = point;
      }
    }
  }
  const auto negative = [&](Pair q) { return Pair{(p - q.first) % p, q.second}; };
  const auto eight = [&](Pair q) { return Curve::times(c.d, 8, q); };
  std::map<Pair, bool> small;
  for (const Pair& q : all) small[q] = eight(q) == Pair{0, 1};
  std::vector<Pair> of_base;
  for (unsigned s = 0; s < 16; ++s) of_base.push_back(Curve::times(c.d, s, {c.x, c.y}));

  std::size_t accepted[6] = {}, wrong = 0;
  for (unsigned a = 0; a < encodings; ++a) {
    const Number<1> a_bytes{static_cast<std::uint8_t>(a)};
    bool is_canonical = false;
    const auto decoded = Group::decode(a_bytes, is_canonical);
    ASSERT_EQ(decoded.has_value(), lenient.contains(a)) << a;
    if (decoded) {
      ASSERT_EQ(decoded->x.v, lenient[a].first) << a;
      ASSERT_EQ(is_canonical, canonical[lenient[a]] == a) << a;
      ASSERT_EQ(Group::encode(*decoded)[0], canonical[lenient[a]]) << a;
    }
    for (unsigned k = 0; k < c.order; ++k) {
      const Pair ka = decoded ? Curve::times(c.d, k, lenient[a]) : Pair{0, 1};
      for (unsigned s = 0; s < 16; ++s) {
        const Pair got = Curve::add(c.d, of_base[s], negative(ka));
        for (unsigned r = 0; r < encodings; ++r) {
          for (std::size_t policy = 0; policy < 6; ++policy) {
            const bool key_ok = decoded && (!(policy == 2 || policy == 3) || canonical[lenient[a]] == a);
            bool want = key_ok && (policy == 1 || s < c.order);
            if (policy == 3 || policy == 4) {
              const auto at = lenient.find(r);
              want = want && at != lenient.end() && (policy == 4 || canonical[at->second] == r) &&
                     small[Curve::add(c.d, got, negative(at->second))];
            } else {
              want = want && canonical[got] == r;
              if (policy == 5) want = want && !small[lenient[a]] && !small[got];
            }
            // Most are refused because of A; the oracle is asked about all the others, and some of those.
            if (!key_ok && r != a) continue;
            const bool valid = Group::valid_vartime(kPolicies[policy], a_bytes, {static_cast<std::uint8_t>(r)},
                                                    {static_cast<std::uint8_t>(s)}, {static_cast<std::uint8_t>(k)});
            wrong += valid != want ? 1 : 0;
            accepted[policy] += valid ? 1 : 0;
          }
        }
      }
    }
  }
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(accepted[0], accepted[2]);  // lenient keys
  EXPECT_GT(accepted[1], accepted[0]);  // S from L on
  EXPECT_GT(accepted[4], accepted[3]);
  EXPECT_GT(accepted[3], accepted[2]);  // torsion
  EXPECT_LT(accepted[5], accepted[0]);  // small order
}

TYPED_TEST(ToyCurve, EveryRangeOfSAndEvidence) {
  using Curve = TypeParam;
  using Group = reference::Group<Curve>;
  const auto& c = Curve::parameters();
  for (unsigned s = 0; s < 256; ++s) {
    for (const Policy policy : kPolicies) {
      EXPECT_EQ(Group::s_in_range(policy, {static_cast<std::uint8_t>(s)}),
                policy == Policy::bytom_legacy ? s < 16 : s < c.order);
    }
  }
  const Number<1> key = Group::encode(Group::base());
  for (unsigned s = 0; s < c.order; ++s) {
    for (unsigned k = 0; k < c.order; ++k) {
      const auto got =
          Group::evidence_vartime(Policy::go, key, {static_cast<std::uint8_t>(s)}, {static_cast<std::uint8_t>(k)}, 1);
      const auto want = Curve::times(c.d, (s / 2 + c.order - k / 2) % c.order, {c.x, c.y});
      EXPECT_EQ(got[0], want.second | (want.first & 1) << Curve::kSignBit);
    }
  }
}

}  // namespace
}  // namespace sparkmill::ed25519::test
