// SPDX-License-Identifier: Apache-2.0
// The mathematics of the oracle and of the CPU rows on curves y^2 = x^3 + b so small that everything can be tried,
// against a group that is written down as a list of multiples.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "base/hash.h"
#include "kernels/secp256k1/reference.h"
#include "kernels/secp256k1/scalar.h"

#define SM_INLINE inline
#include "kernels/secp256k1/cpu_impl.h"

namespace sparkmill::secp256k1::test {
namespace {

/// Integers mod kM with the members of Residue.
template <unsigned kM>
struct Small {
  unsigned v = 0;
  static const Words4& modulus() {
    static const Words4 m{kM, 0, 0, 0};
    return m;
  }
  static Small zero() { return {}; }
  static Small one() { return {1 % kM}; }
  static Small reduced(const Words4& n) {
    unsigned r = 0;
    for (std::size_t k = 256; k-- > 0;) r = (2 * r + (bit(n, k) ? 1 : 0)) % kM;
    return {r};
  }
  Words4 number() const { return {v, 0, 0, 0}; }
  bool is_zero() const { return v == 0; }
  bool odd() const { return v % 2 == 1; }
  friend Small operator+(Small a, Small b) { return {(a.v + b.v) % kM}; }
  friend Small operator-(Small a, Small b) { return {(a.v + kM - b.v) % kM}; }
  friend Small operator*(Small a, Small b) { return {a.v * b.v % kM}; }
  friend bool operator==(Small, Small) = default;
  static Small power(Small base, const Words4& exponent) {
    Small r = one();
    for (std::size_t k = 256; k-- > 0;) r = bit(exponent, k) ? r * r * base : r * r;
    return r;
  }
  Small inverse() const {
    for (unsigned i = 1; i < kM; ++i) {
      if (v * i % kM == 1) return {i};
    }
    return {};
  }
};

/// Infinity or a point, by the affine law.
struct Pair {
  bool infinite = true;
  unsigned x = 0, y = 0;
  friend bool operator==(const Pair&, const Pair&) = default;
  friend auto operator<=>(const Pair&, const Pair&) = default;
};

/// y^2 = x^3 + kB over kP, of prime order kN, with a base point.
template <unsigned kP, unsigned kB, unsigned kN>
struct Toy {
  using Field = Small<kP>;
  using Scalar = Small<kN>;
  static constexpr unsigned kPrime = kP, kOrder = kN;
  static Field b() { return {kB}; }
  static Field base_x() { return {multiples()[1].x}; }
  static Field base_y() { return {multiples()[1].y}; }

  static Pair add(const Pair& p, const Pair& q) {
    if (p.infinite) return q;
    if (q.infinite) return p;
    Field slope;
    if (p.x == q.x) {
      if ((p.y + q.y) % kP == 0) return {};
      slope = Field{3 * p.x % kP * p.x % kP} * Field{2 * p.y % kP}.inverse();
    } else {
      slope = (Field{q.y} - Field{p.y}) * (Field{q.x} - Field{p.x}).inverse();
    }
    const Field x = slope * slope - Field{p.x} - Field{q.x};
    return {false, x.v, (slope * (Field{p.x} - x) - Field{p.y}).v};
  }
  /// [k]G; the curve must have kN points, or the list would not close.
  static const std::vector<Pair>& multiples() {
    static const std::vector<Pair> list = [] {
      Pair base;
      for (unsigned x = 0; x < kP && base.infinite; ++x) {
        for (unsigned y = 1; y < kP && base.infinite; ++y) {
          if (y * y % kP == (x * x % kP * x + kB) % kP) base = {false, x, y};
        }
      }
      std::vector<Pair> all{Pair{}, base};
      while (all.size() <= kN) all.push_back(add(all.back(), base));
      EXPECT_TRUE(all.back().infinite);
      all.pop_back();
      return all;
    }();
    return list;
  }
  static const std::map<Pair, unsigned>& logarithms() {
    static const std::map<Pair, unsigned> map = [] {
      std::map<Pair, unsigned> m;
      for (unsigned k = 0; k < kN; ++k) m[multiples()[k]] = k;
      EXPECT_EQ(m.size(), kN);
      return m;
    }();
    return map;
  }
  static Pair sum(unsigned u1, unsigned u2, unsigned log_q) { return multiples()[(u1 + u2 * log_q) % kN]; }
};

template <class Curve>
class ToyCurve : public testing::Test {};
// Order below p, as secp256k1, and above it.
using Curves = testing::Types<Toy<19, 2, 13>, Toy<7, 3, 13>>;
TYPED_TEST_SUITE(ToyCurve, Curves);

Words4 words(unsigned n) { return {n, 0, 0, 0}; }

TYPED_TEST(ToyCurve, EveryKeyAndSignature) {
  using Curve = TypeParam;
  using Group = reference::Group<Curve>;
  constexpr unsigned p = Curve::kPrime, n = Curve::kOrder;
  const auto& logs = Curve::logarithms();
  std::size_t valid = 0;
  for (unsigned x = 0; x < p + 2; ++x) {
    for (unsigned y = 0; y < p + 2; ++y) {
      const auto q = Group::key(words(x), words(y));
      const auto log = x < p && y < p ? logs.find({false, x, y}) : logs.end();
      ASSERT_EQ(q.has_value(), log != logs.end()) << x << ' ' << y;
      if (!q) {
        EXPECT_FALSE(Group::ecdsa(q, words(1), words(1), words(1)));
        continue;
      }
      const auto pressed = Group::compressed_key(static_cast<std::uint8_t>(2 + y % 2), words(x));
      ASSERT_TRUE(pressed && pressed->x == q->x && pressed->y == q->y);
      for (unsigned r = 0; r < n + 2; ++r) {
        for (unsigned s = 0; s < n + 2; ++s) {
          for (unsigned z = 0; z < n + 2; ++z) {
            const auto equation = Group::ecdsa(q, words(r), words(s), words(z));
            ASSERT_EQ(equation.has_value(), r > 0 && r < n && s > 0 && s < n);
            if (!equation) continue;
            const unsigned w = Small<n>{s}.inverse().v, u1 = z * w % n, u2 = r * w % n;
            const Pair point = Curve::sum(u1, u2, log->second);
            const bool want = !point.infinite && point.x % n == r;
            ASSERT_EQ(Group::ecdsa_holds(*equation, words(r)), want)
                << x << ' ' << y << ' ' << r << ' ' << s << ' ' << z;
            valid += want ? 1 : 0;
            if (z != 3) continue;
            const auto shifted = Group::shifted_sum(*equation, 1);
            const Pair half = Curve::sum(u1 / 2, u2 / 2, log->second);
            ASSERT_EQ(Group::is_infinity(shifted), half.infinite);
            if (!half.infinite) {
              ASSERT_EQ(Group::affine(shifted).y.v, half.y);
            }
          }
        }
      }
    }
  }
  EXPECT_GT(valid, 100u);
}

TYPED_TEST(ToyCurve, EveryRecovery) {
  using Curve = TypeParam;
  using Group = reference::Group<Curve>;
  constexpr unsigned p = Curve::kPrime, n = Curve::kOrder;
  const auto& logs = Curve::logarithms();
  std::size_t found = 0, beyond = 0;
  for (unsigned r = 0; r < p + n + 2; ++r) {
    for (unsigned recid = 0; recid < 6; ++recid) {
      const unsigned x = r + (recid & 2 ? n : 0);
      auto log = logs.end();
      for (auto at = logs.begin(); at != logs.end(); ++at) {
        if (!at->first.infinite && at->first.x == x && at->first.y % 2 == (recid & 1)) log = at;
      }
      for (unsigned s = 0; s < 2 * n; ++s) {
        for (unsigned z = 0; z < n; ++z) {
          for (const RecoverRule rule : {RecoverRule::in_range, RecoverRule::unranged}) {
            const auto equation = Group::recovery(rule, words(r), words(s), words(z), recid);
            const bool ranged = r > 0 && r < n && s > 0 && s < n;
            const bool want = recid < 4 && r % n != 0 && (rule == RecoverRule::unranged || ranged) && log != logs.end();
            ASSERT_EQ(equation.has_value(), want) << r << ' ' << recid << ' ' << s;
            if (!want) continue;
            const Small<n> w = Small<n>{r % n}.inverse();
            const unsigned u1 = (Small<n>{} - Small<n>{z} * w).v, u2 = (Small<n>{s % n} * w).v;
            const Pair q = Curve::sum(u1, u2, log->second);
            const auto point = Group::sum(*equation);
            ASSERT_EQ(Group::is_infinity(point), q.infinite);
            if (q.infinite) continue;
            ASSERT_EQ(Group::affine(point).x.v, q.x);
            ASSERT_EQ(Group::affine(point).y.v, q.y);
            ++found;
            beyond += recid & 2 ? 1 : 0;
          }
        }
      }
    }
  }
  EXPECT_GT(found, 100u);
  EXPECT_EQ(beyond > 0, n < p);
}

TYPED_TEST(ToyCurve, EverySchnorrEquation) {
  using Curve = TypeParam;
  using Group = reference::Group<Curve>;
  constexpr unsigned p = Curve::kPrime, n = Curve::kOrder;
  const auto& logs = Curve::logarithms();
  for (unsigned px = 0; px < p + 2; ++px) {
    auto key = logs.end();
    for (auto at = logs.begin(); at != logs.end(); ++at) {
      if (!at->first.infinite && at->first.x == px && at->first.y % 2 == 0) key = at;
    }
    for (unsigned rx = 0; rx < p + 2; ++rx) {
      for (unsigned s = 0; s < n + 2; ++s) {
        for (unsigned e = 0; e < 2 * n; ++e) {
          const auto equation = Group::bip340(words(px), words(rx), words(s), words(e));
          ASSERT_EQ(equation.has_value(), key != logs.end() && rx < p && s < n);
          if (!equation) continue;
          const Pair point = Curve::multiples()[(s + (n - key->second) * (e % n)) % n];
          ASSERT_EQ(Group::bip340_holds(*equation, words(rx)), !point.infinite && point.y % 2 == 0 && point.x == rx);
        }
      }
    }
  }
}

// --- the formulas of the CPU rows over a field of one lane ---

/// A toy curve large enough for the tables: 31 Q is not infinity, and cube roots of 1 on either side.
struct Wider : Toy<1063, 3, 1129> {
  static unsigned beta() {  // in the field
    for (unsigned x = 2;; ++x) {
      if (x * x % kPrime * x % kPrime == 1) return x;
    }
  }
  /// The multiple that (beta x, y) is.
  static unsigned lambda() {
    const Pair g = multiples()[1];
    return logarithms().at({false, g.x * beta() % kPrime, g.y});
  }
};

/// cpu_impl.h's idea of a field; elements are plain residues.
struct ToyField {
  static constexpr std::size_t kWidth = 1, kSides = 1;
  using Mask = std::uint32_t;
  using Fe = Wider::Field;
  using Wide = Fe;
  static Wide mul_wide(Fe a, Fe b) { return a * b; }
  static Wide sqr_wide(Fe a) { return a * a; }
  static Fe mul(Fe a, Fe b) { return a * b; }
  static Fe sqr(Fe a) { return a * a; }
  static Fe carry(Wide a) { return a; }
  static Wide wide(Fe a) { return a; }
  static Wide wide_add(Wide a, Wide b) { return a + b; }
  static Wide wide_sub(Wide a, Wide b) { return a - b; }
  template <int kShift>
  static Wide wide_shl(Wide a) {
    return a * Fe{1u << kShift};
  }
  static Wide wide_negate(Mask m, Wide a) { return m ? Fe{} - a : a; }
  static Fe select(Mask m, Fe a, Fe b) { return m ? a : b; }
  static Fe constant(const Words4& w) { return w == cpu::kBeta ? Fe{Wider::beta()} : Fe::reduced(w); }
  static Fe frozen(Fe a) { return a; }
  static Mask is_zero(Fe a) { return a.v == 0 ? 1 : 0; }
  static Mask odd(Fe a) { return a.v % 2; }
  static Fe load(const std::uint64_t (*word)[cpu::kChunk], std::size_t first) {
    return Fe{static_cast<unsigned>(word[0][first])};
  }
  static void store(Fe f, std::uint64_t (*word)[cpu::kChunk], std::size_t first) { word[0][first] = f.v; }
  static void put_rows(std::uint64_t* const* rows, Fe x, Fe y) { rows[0][0] = x.v, rows[0][4] = y.v; }
  static void get_rows(const std::uint64_t* const* rows, Fe& x, Fe& y) {
    x = {static_cast<unsigned>(rows[0][0])};
    y = {static_cast<unsigned>(rows[0][4])};
  }
};
using Lanes = cpu::Lanes<ToyField>;
Lanes::Fe fe(unsigned v) { return {{{v}}}; }
unsigned value(const Lanes::Fe& a) { return a.side[0].v; }

Lanes::Point with_z(const Pair& p, unsigned z) {
  return {fe(p.x * z % Wider::kPrime * z % Wider::kPrime),
          fe(p.y * z % Wider::kPrime * z % Wider::kPrime * z % Wider::kPrime), fe(z)};
}
Pair affine(const Lanes::Point& p) {
  if (value(p.z) == 0) return {};
  const ToyField::Fe i = p.z.side[0].inverse();
  return {false, (p.x.side[0] * i * i).v, (p.y.side[0] * i * i * i).v};
}

TEST(LaneFormulas, EveryDoublingAndAdditionMeetsItsExceptionInZ) {
  const auto& all = Wider::multiples();
  for (unsigned a = 1; a < Wider::kOrder; ++a) {
    Lanes::Point twice = with_z(all[a], 1 + a % 1000);
    Lanes::double_point(twice, 1);
    ASSERT_EQ(affine(twice), all[2 * a % Wider::kOrder]);
    for (unsigned b = 1; b < Wider::kOrder; ++b) {
      const bool negative = b % 2 == 1;
      Lanes::Point sum = with_z(all[a], 1 + b % 1000);
      const std::uint64_t row[8] = {all[b].x, 0, 0, 0, all[b].y, 0, 0, 0};
      const std::uint64_t* rows[1] = {row};
      Lanes::add_rows(sum, nullptr, rows, negative);
      const unsigned other = negative ? Wider::kOrder - b : b;
      if (a == b || a + b == Wider::kOrder) {
        ASSERT_EQ(value(sum.z), 0u) << a << ' ' << b;
      } else {
        ASSERT_EQ(affine(sum), all[(a + other) % Wider::kOrder]) << a << ' ' << b;
      }
    }
  }
  // From Z = 0 nothing comes back.
  Lanes::Point lost{fe(5), fe(7), fe(0)};
  Lanes::double_point(lost, 3);
  EXPECT_EQ(value(lost.z), 0u);
}

TEST(LaneFormulas, TablesOfEveryKey) {
  static Lanes::Workspace w;
  const auto& all = Wider::multiples();
  for (unsigned a = 1; a < Wider::kOrder; ++a) {
    Lanes::Fe z;
    Lanes::make_table(w, fe(all[a].x), fe(all[a].y), z);
    for (unsigned k = 0; k < cpu::kRowsQ; ++k) {
      for (unsigned half = 0; half < 2; ++half) {
        const std::uint64_t* row = w.table[0][half * cpu::kRowsQ + k];
        const Lanes::Point p{fe(static_cast<unsigned>(row[0])), fe(static_cast<unsigned>(row[4])), z};
        const unsigned factor = (2 * k + 1) * (half == 1 ? Wider::lambda() : 1);
        ASSERT_EQ(affine(p), all[factor % Wider::kOrder * a % Wider::kOrder]) << a << ' ' << k << ' ' << half;
      }
    }
    const std::uint64_t* two = w.table[0][2 * cpu::kRowsQ];
    const Lanes::Point p{fe(static_cast<unsigned>(two[0])), fe(static_cast<unsigned>(two[4])), z};
    ASSERT_EQ(affine(p), all[2 * a % Wider::kOrder]) << a;
  }
}

unsigned value(const cpu::Half& h) {
  const unsigned v = Small<Wider::kOrder>::reduced({h.words[0], h.words[1], h.words[2], 0}).v;
  return h.negative && v != 0 ? Wider::kOrder - v : v;
}

/// Whole ladders with random digits: on so small a curve many meet an exception. Those that show none are right.
TEST(LaneFormulas, LaddersAreRightOrSayThatTheyAreNot) {
  static Lanes::Workspace w;
  static cpu::Chunk chunk;
  const auto& all = Wider::multiples();
  constexpr unsigned n = Wider::kOrder;
  /// Odd multiples of `log`, of 2^shift log, ... and the same times lambda, behind a plain table of `front` rows.
  const auto fill = [&](std::vector<std::uint64_t>& table, unsigned log, std::size_t rows, std::size_t entries,
                        std::size_t front, std::size_t shift) {
    table.resize(cpu::first_row(rows, entries, front) * cpu::kRowWords);
    for (std::size_t row = 0; row < rows; ++row) {
      for (unsigned half = 0; half < 2; ++half) {
        for (unsigned k = 0; k < entries; ++k) {
          const Pair p = all[(2 * k + 1) % n * log % n * (half == 1 ? Wider::lambda() : 1) % n];
          const std::size_t at = cpu::first_row(row, entries, front) + half * entries + k;
          table[at * 8] = p.x;
          table[at * 8 + 4] = p.y;
        }
      }
      for (std::size_t k = 0; k < shift; ++k) log = 2 * log % n;
    }
  };
  std::vector<std::uint64_t> base, key_table;
  fill(base, 1, cpu::kTableG, cpu::kRowsG, cpu::kRowsTableG, cpu::kTurnsG * cpu::kWindowG);
  bool infinite_row[cpu::kLowRowsG];
  for (unsigned k = 0; k < cpu::kLowRowsG; ++k) {
    const Pair p = all[(2048 * (k / 2) + 1023 + k % 2) % n];
    infinite_row[k] = p.infinite;  // the true order is no divisor of these multiples
    base[(2 * cpu::kRowsG + k) * 8] = p.x;
    base[(2 * cpu::kRowsG + k) * 8 + 4] = p.y;
  }
  ChaChaWords words(sha256(view("toy ladders")));
  std::size_t right = 0, exceptions = 0;
  for (unsigned turn = 0; turn < 2500; ++turn) {
    chunk = {};
    chunk.evidence = turn % 2 == 1;
    cpu::Half half[4];
    for (cpu::Half& h : half) h = {{words.u64() | 1, words.u64(), words.u64() & 3}, words.below(2) == 1};
    cpu::write_digits<cpu::kWindowG>(half[0], 0, 1, chunk.g[0]);
    cpu::write_digits<cpu::kWindowG>(half[1], 0, 1, chunk.g[1]);
    cpu::write_digits<cpu::kWindowQ>(half[2], 0, 1, chunk.q[0]);
    cpu::write_digits<cpu::kWindowQ>(half[3], 0, 1, chunk.q[1]);
    const unsigned low1 = static_cast<unsigned>(words.below(65536)), low2 = static_cast<unsigned>(words.below(65536));
    cpu::write_low_digits(low1, low2, 0, 1, chunk);
    if (chunk.evidence && infinite_row[chunk.low_g.row[1]]) continue;
    const unsigned log = 1 + static_cast<unsigned>(words.below(n - 1));
    Lanes::Fe z;
    Lanes::make_table(w, fe(all[log].x), fe(all[log].y), z);
    Lanes::ladder(w, 0, chunk, base.data(), z);
    const unsigned want = (value(half[0]) + value(half[1]) * Wider::lambda() +
                           (value(half[2]) + value(half[3]) * Wider::lambda()) % n * log) %
                          n;
    for (const bool known : {false, true}) {
      if (known) {
        fill(key_table, log, cpu::kTableQ, cpu::kRowsQ, cpu::kRowsTableQ, cpu::kTurnsQ * cpu::kWindowQ);
        key_table[2 * cpu::kRowsQ * 8] = all[2 * log % n].x;
        key_table[2 * cpu::kRowsQ * 8 + 4] = all[2 * log % n].y;
        chunk.key_table[0] = key_table.data();
        Lanes::known_ladder(w, 0, chunk, base.data());
      }
      if (value(w.sum[0].z) == 0) {
        ++exceptions;
        continue;
      }
      ++right;
      unsigned end = want;
      if (chunk.evidence) {
        ASSERT_EQ(affine(w.pause[0]), all[want]) << known;
        end = (want * 65536 % n + low1 + low2 % n * log) % n;
      }
      ASSERT_EQ(affine(w.sum[0]), all[end]) << known;
    }
  }
  EXPECT_GT(right, 3000u);
  EXPECT_GT(exceptions, 100u);
}

// --- scalars ---

TEST(LowDigits, EveryNumberIsTheirSum) {
  static cpu::Chunk chunk;
  const auto odd = [](const auto& digits, std::size_t i) {
    return (2 * digits.row[i] + 1) * (digits.negative[i] != 0 ? -1 : 1);
  };
  for (int n = 0; n < 65536; ++n) {
    std::fill_n(chunk.low_q.negative, cpu::kLowDigitsQ, 0u);
    chunk.low_g.negative[0] = chunk.low_none[0] = 0;
    cpu::write_low_digits(static_cast<unsigned>(n), static_cast<unsigned>(n), 0, 1, chunk);
    ASSERT_LT(chunk.low_g.row[0], cpu::kRowsG);
    ASSERT_LT(chunk.low_g.row[1], cpu::kLowRowsG);
    ASSERT_EQ(odd(chunk.low_g, 0) + 2048 * (chunk.low_g.row[1] / 2) + 1023 + chunk.low_g.row[1] % 2, n);
    int sum = chunk.low_q.row[0] == 2 * cpu::kRowsQ ? (chunk.low_q.negative[0] != 0 ? -2 : 2) : odd(chunk.low_q, 0);
    if (chunk.low_none[0] != 0) sum = 0;
    for (std::size_t i = 1; i < cpu::kLowDigitsQ; ++i) {
      ASSERT_LT(chunk.low_q.row[i], cpu::kRowsQ);
      sum += odd(chunk.low_q, i) * (1 << cpu::kLowWeightQ[i]);
    }
    ASSERT_EQ(sum, n);
  }
}

TEST(BaseTable, RowsOfLowDigitsAreTheirMultiples) {
  using Group = reference::Group<reference::Secp256k1>;
  const Group::Point base = Group::point(Group::base());
  for (const unsigned k : {0u, 1u, 2u, 3u, cpu::kLowRowsG - 2, cpu::kLowRowsG - 1}) {
    const Group::Affine a =
        Group::affine(Group::combine_vartime({2048 * (k / 2) + 1023 + k % 2, 0, 0, 0}, base, {}, base));
    const std::uint64_t* row = cpu::base_table() + (2 * cpu::kRowsG + k) * cpu::kRowWords;
    EXPECT_TRUE(std::equal(row, row + 4, a.x.number().begin()) && std::equal(row + 4, row + 8, a.y.number().begin()))
        << k;
  }
}

TEST(Halves, AreOddAndSmallAndAddUp) {
  const Scalar lambda =
      Scalar::reduced({0xdf02967c1b23bd72, 0x122e22ea20816678, 0xa5261c028812645a, 0x5363ad4cc05c30e0});
  ChaChaWords draw(sha256(view("halves")));
  const auto scalar_of = [](const cpu::Half& h) {
    const Scalar n = Scalar::reduced({h.words[0], h.words[1], h.words[2], 0});
    return h.negative ? Scalar::zero() - n : n;
  };
  for (unsigned turn = 0; turn < 20000; ++turn) {
    Scalar n = Scalar::reduced({draw.u64(), draw.u64(), draw.u64(), draw.u64()});
    if (turn % 4 == 0) n = Scalar::reduced({draw.below(5), 0, 0, 0}) * (turn % 8 == 0 ? lambda : Scalar::one());
    if (turn % 12 == 0) n = Scalar::zero() - n;
    if (turn % 5 == 0) n = Scalar::reduced(shifted_right(n.number(), 16));
    cpu::Half half[2];
    cpu::split(n.number(), half);
    ASSERT_TRUE(scalar_of(half[0]) + scalar_of(half[1]) * lambda == n);
    for (const cpu::Half& h : half) {
      ASSERT_EQ(h.words[0] & 1, 1u);
      ASSERT_EQ(h.words[2] >> (cpu::kHalfBits - 128), 0u);
    }
  }
}

}  // namespace
}  // namespace sparkmill::secp256k1::test
