// SPDX-License-Identifier: Apache-2.0
// Predicates: what is refused and with which words, byte-code and text round trips, and evaluation against a tree.
#include "kernels/match/predicate.h"

#include <gmock/gmock.h>

#include <functional>

#include "base/hash.h"
#include "kernels/match/predicate_text.h"

namespace sparkmill::match {
namespace {

using testing::HasSubstr;

const std::vector<std::string> kNames = {"face", "voice", "x-1", "and", "e", "f", "g", "h"};

std::uint32_t word(std::uint32_t ham, std::uint32_t k) { return ham | k << 16; }

Predicate parsed(std::string_view text) {
  auto p = parse_predicate(text, kNames);
  EXPECT_TRUE(p.ok()) << text << ": " << (p ? "" : p.error().message);
  if (!p) std::abort();
  return *p;
}

Op leaf(std::int32_t threshold) { return {OpCode::leaf_dot, 0, 0, threshold, {}}; }
Op op(OpCode code, std::uint16_t arg = 0, std::int32_t imm = 0) { return {code, 0, arg, imm, {}}; }

TEST(Predicate, LeafScores) {
  const Predicate dot = parsed("face.dot>=523");
  // K = 1200, ham = 338: dot = 524.
  const std::uint32_t v = word(338, 1200);
  EXPECT_EQ(dot.leaves()[0].score(v), 524);
  EXPECT_TRUE(dot.matches(std::array{v}));
  EXPECT_FALSE(dot.matches(std::array{word(339, 1200)}));
  const Predicate frac = parsed("face.frac(2/7)");
  EXPECT_TRUE(frac.matches(std::array{word(5, 14)}));
  EXPECT_FALSE(frac.matches(std::array{word(6, 14)}));
  const Predicate enough = parsed("and(face.dot>=1, face.valid>=512)");
  EXPECT_TRUE(enough.matches(std::array{word(0, 600), word(0, 512)}));
  EXPECT_FALSE(enough.matches(std::array{word(0, 600), word(0, 511)}));
  EXPECT_FALSE(enough.needs_scores());
  EXPECT_EQ(enough.field_count(), 1u);
}

TEST(Predicate, WeightedSumAndLimit) {
  const Predicate p = parsed("limit(5, wsum(2*face.dot, 3*voice.frac(2/7), >= 900))");
  EXPECT_EQ(p.limit(), 5u);
  EXPECT_TRUE(p.needs_scores());
  EXPECT_EQ(p.field_count(), 2u);
  // face: dot = 300. voice: 7 * 100 - 2 * 200 = 300 with K = 200, ham = 50.
  EXPECT_TRUE(p.matches(std::array{word(0, 300), word(50, 200)}));
  EXPECT_EQ(p.rank_score(std::array{word(0, 300), word(50, 200)}), 300);
  // face: dot = 0. 3 * 300 just reaches the threshold; one more differing element does not.
  EXPECT_TRUE(p.matches(std::array{word(150, 300), word(50, 200)}));
  EXPECT_FALSE(p.matches(std::array{word(150, 300), word(51, 200)}));
}

TEST(Predicate, BadProgramsAreRefusedWithTheOp) {
  const auto refused = [](std::vector<Op> ops, const std::string& words) {
    auto p = Predicate::make(std::move(ops));
    ASSERT_FALSE(p.ok()) << words;
    EXPECT_EQ(p.status(), Status::bad_input);
    EXPECT_THAT(p.error().message, HasSubstr(words));
  };
  refused({}, "no ops");
  refused({leaf(1), leaf(2)}, "2 decisions on the stack");
  refused({op(OpCode::op_not)}, "op 0 (NOT): takes 1 decisions, 0 are on the stack");
  refused({leaf(1), op(OpCode::op_and, 2)}, "op 1 (AND): takes 2");
  refused({leaf(1), op(OpCode::op_and, 0)}, "the number of operands, is 0");
  refused({leaf(1), op(OpCode::any, 1, 2)}, "asks for 2 of 1");
  refused({leaf(1), op(OpCode::any, 1, 0)}, "asks for 0 of 1");
  refused({leaf(1), op(OpCode::seq)}, "op 1 (SEQ)");
  refused({leaf(1), op(OpCode::limit, 0, 0)}, "keeps 0");
  refused({leaf(1), op(OpCode::limit, 0, 3), op(OpCode::limit, 0, 3)}, "must be the last op");
  refused({leaf(1), op(OpCode::op_not)}, "a pair for which no leaf holds would match");
  refused({leaf(1), op(OpCode::op_not), leaf(2), op(OpCode::op_or, 2)}, "no leaf holds would match");
  refused({{OpCode::leaf_dot, 8, 0, 1, {}}}, "the highest allowed is 7");
  refused({{OpCode::leaf_dot, 0, 1, 1, {}}}, "arg must be 0");
  refused({{OpCode::leaf_frac, 0, 0, 1, {}}}, "w1 and w2 are both 0");
  refused({{static_cast<OpCode>(9), 0, 0, 0, {}}}, "op code 9 is not defined");
  refused({leaf(1), {OpCode::op_and, 1, 1, 0, {}}}, "field must be 0");
  refused({leaf(1), {OpCode::op_and, 0, 1, 4, {}}}, "imm must be 0");
  refused({leaf(1), {OpCode::op_and, 0, 1, 0, {{0, 1}}}}, "weights belong to WSUM");
  refused({leaf(1), {OpCode::wsum, 0, 1, 0, {}}}, "arg says 1 weights, 0 are given");
  refused({leaf(1), {OpCode::wsum, 0, 1, 0, {{1, 1}}}}, "names leaf 1, expected leaf 0");
  refused({leaf(1), op(OpCode::op_not), {OpCode::wsum, 0, 1, 0, {{0, 1}}}}, "is not a leaf");
  std::vector<Op> many(17, leaf(1));
  many.push_back(op(OpCode::op_and, 17));
  refused(many, "more than 16 leaves");
  std::vector<Op> deep(257, op(OpCode::op_not));
  deep[0] = leaf(1);
  refused(deep, "257 ops");
  deep.pop_back();  // 255 negations: true where nothing holds
  refused(deep, "no leaf holds");
  deep.pop_back();
  EXPECT_TRUE(Predicate::make(deep).ok());
}

TEST(Predicate, DecodeRefusesCutCodeAndReservedBytes) {
  const Bytes code = parsed("wsum(2*face.dot, 3*voice.dot, >= 9)").encode();
  ASSERT_EQ(code.size(), 5u * 8);
  EXPECT_TRUE(Predicate::decode(code).ok());
  for (std::size_t cut = 0; cut < code.size(); ++cut) {
    if (cut == 8) continue;  // the first leaf alone is a program
    EXPECT_FALSE(Predicate::decode(ByteView(code).first(cut)).ok()) << cut;
  }
  Bytes reserved = code;
  reserved[3 * 8 + 2] = 1;
  auto p = Predicate::decode(reserved);
  ASSERT_FALSE(p.ok());
  EXPECT_THAT(p.error().message, HasSubstr("reserved"));
}

TEST(PredicateText, KnownByteCode) {
  const Bytes code = parsed("and(face.dot>=523, voice.frac(2/7), face.valid>=512)").encode();
  ByteWriter w;
  w.u8(0).u8(0).u16(0).i32(523);
  w.u8(1).u8(1).u16(7 << 8 | 2).i32(0);
  w.u8(1).u8(0).u16(1).i32(1 - 512).u8(5).u8(0).u16(0).i32(0);
  w.u8(2).u8(0).u16(3).i32(0);
  EXPECT_EQ(code, w.data());
}

TEST(PredicateText, ErrorsPointAtTheColumn) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "column 1: expected a test such as face.dot>=523, found the end"},
      {"face.dot>523", "column 9: expected '>=', found '>'"},
      {"face.dot>=", "column 11: expected a threshold, found the end"},
      {"face.dot>=5x", "column 12: expected the end of the predicate, found 'x'"},
      {"face.size>=5", "column 6: expected dot, frac(w2/w1) or valid, found 'size'"},
      {"nose.dot>=5", "column 1: no field is called 'nose'"},
      {"xor(face.dot>=5)", "column 1: 'xor' is not an operation"},
      {"and(face.dot>=5, )", "column 18: expected a test"},
      {"and(face.dot>=5", "column 16: expected ')', found the end"},
      {"any(3, face.dot>=5, face.dot>=6)", "column 5: asks for 3 of 2 operands"},
      {"any(0, face.dot>=5)", "column 5: expected how many must hold from 1 to 16, found 0"},
      {"any(face.dot>=5)", "column 5: expected how many must hold, found 'face'"},
      {"and(limit(3, face.dot>=5))", "column 5: limit may only stand outermost"},
      {"limit(0, face.dot>=5)", "column 7: expected a count"},
      {"face.dot>=2147483648", "column 11: expected a threshold from -2147483648 to 2147483647, found 2147483648"},
      {"face.dot>=99999999999999999999999999", "column 11"},
      {"face.frac(0/0)", "column 11: w1 and w2 are both 0"},
      {"face.frac(2/256)", "column 13: expected the weight w1 from 0 to 255"},
      {"face.valid=5", "column 11: expected '>=' or '<='"},
      {"wsum(2*face.dot)", "column 16: expected ',' and then another term"},
      {"wsum(2 face.dot, >= 3)", "column 8: expected '*', found 'face'"},
      {"wsum(face.valid>=3, >= 3)", "column 11: expected dot or frac(w2/w1), found 'valid'"},
      {"wsum(>= 3)", "column 6: expected a test"},
      {"seq(face.dot>=1, face.dot>=2, face.dot>=3)", "column 29: expected ')', found ','"},
      {"face.dot\x01>=3", "column 9: expected '>=', found the byte 1"},
      {"not(face.dot>=3)", "no leaf holds would match"},
      {"face.valid>=3", "no leaf holds would match"},
  };
  for (const auto& [text, words] : cases) {
    auto p = parse_predicate(text, kNames);
    ASSERT_FALSE(p.ok()) << text;
    EXPECT_EQ(p.status(), Status::bad_input);
    EXPECT_THAT(p.error().message, HasSubstr(words)) << text;
  }
  EXPECT_FALSE(parse_predicate(std::string(kMaxPredicateText + 1, ' '), kNames).ok());
  std::string deep;
  for (int i = 0; i < 4000; ++i) deep += "not(";
  auto p = parse_predicate(deep, kNames);
  ASSERT_FALSE(p.ok());
  EXPECT_THAT(p.error().message, HasSubstr("nested"));
}

TEST(PredicateText, SpacesAndFieldsNamedLikeOperations) {
  const Predicate a = parsed(" and ( and.dot >= -7 ,\n\tface . frac ( 2 / 7 ) >= 3 ) ");
  EXPECT_EQ(predicate_text(a, kNames), "and(and.dot>=-7, face.frac(2/7)>=3)");
  EXPECT_EQ(a.encode(), parsed("and(and.dot>=-7,face.frac(2/7)>=3)").encode());
}

TEST(PredicateText, FieldNames) {
  EXPECT_TRUE(valid_field_name("face"));
  EXPECT_TRUE(valid_field_name("A1_b-c"));
  EXPECT_FALSE(valid_field_name(""));
  EXPECT_FALSE(valid_field_name("1a"));
  EXPECT_FALSE(valid_field_name("a.b"));
  EXPECT_FALSE(valid_field_name(std::string(33, 'a')));
}

// ---- random programs, with a tree evaluated the obvious way beside the byte-code ----

struct Random {
  ChaChaWords words;
  explicit Random(std::uint8_t seed) : words(Hash32{seed}) {}
  std::uint64_t below(std::uint64_t n) { return words.below(n); }
  std::int32_t any_i32() {
    if (below(8) == 0) return below(2) != 0 ? INT32_MIN : INT32_MAX;
    return static_cast<std::int32_t>(words.u32()) >> below(32);
  }
};

using Eval = std::function<bool(std::span<const std::uint32_t>)>;

struct Generator {
  Random& random;
  std::vector<Op> ops;
  std::size_t leaves = 0;

  std::size_t add_leaf() {
    Op leaf_op;
    leaf_op.field = static_cast<std::uint8_t>(random.below(kMaxFields));
    leaf_op.imm = random.any_i32();
    if (random.below(2) != 0) leaf_op.imm %= 2000;
    if (random.below(3) == 0) {
      leaf_op.code = OpCode::leaf_frac;
      leaf_op.arg = static_cast<std::uint16_t>(random.below(4) == 0 ? 1 : 1 + random.below(65535));
    }
    ops.push_back(leaf_op);
    return leaves++;
  }

  Eval leaf_eval(std::size_t at, const Op& o) {
    const std::int64_t w1 = o.code == OpCode::leaf_dot ? 1 : o.arg >> 8;
    const std::int64_t w2 = o.code == OpCode::leaf_dot ? 0 : o.arg & 255;
    return [=, imm = o.imm](std::span<const std::uint32_t> v) {
      const std::int64_t ham = v[at] & 0xffff;
      const std::int64_t k = v[at] >> 16;
      return w1 * (k - 2 * ham) - w2 * k >= imm;
    };
  }

  Eval expression(std::size_t budget) {
    const std::uint64_t kind = budget <= 1 ? 0 : random.below(7);
    if (kind == 0) {
      const std::size_t at = add_leaf();
      return leaf_eval(at, ops.back());
    }
    if (kind == 1) {
      Eval inner = expression(budget - 1);
      ops.push_back(op(OpCode::op_not));
      return [inner](auto v) { return !inner(v); };
    }
    if (kind == 2) return weighted(budget);
    std::size_t count = kind == 3 ? 2 : 1 + random.below(std::min<std::size_t>(budget, 4));
    std::vector<Eval> parts;
    for (std::size_t i = 0; i < count; ++i) parts.push_back(expression(budget / count));
    std::size_t want = 1;
    if (kind == 3) {
      ops.push_back(op(OpCode::seq));
      want = 2;
    } else if (kind == 4) {
      ops.push_back(op(OpCode::op_and, static_cast<std::uint16_t>(count)));
      want = count;
    } else if (kind == 5) {
      ops.push_back(op(OpCode::op_or, static_cast<std::uint16_t>(count)));
    } else {
      want = 1 + random.below(count);
      ops.push_back(op(OpCode::any, static_cast<std::uint16_t>(count), static_cast<std::int32_t>(want)));
    }
    return [parts, want](auto v) {
      std::size_t held = 0;
      for (const Eval& part : parts) held += part(v);
      return held >= want;
    };
  }

  Eval weighted(std::size_t budget) {
    const std::size_t count = 1 + random.below(std::min<std::size_t>(budget, 3));
    Op sum = op(OpCode::wsum, static_cast<std::uint16_t>(count), random.any_i32());
    std::vector<Leaf> used;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = add_leaf();
      const Op& o = ops.back();
      used.push_back(o.code == OpCode::leaf_dot ? Leaf{o.field, 1, 0, o.imm}
                                                : Leaf{o.field, o.arg >> 8, o.arg & 255, o.imm});
      sum.terms.push_back({static_cast<std::uint16_t>(at), random.any_i32()});
    }
    ops.push_back(sum);
    return [used, sum](std::span<const std::uint32_t> v) {
      std::int64_t total = 0;
      for (std::size_t i = 0; i < used.size(); ++i) total += used[i].score(v[sum.terms[i].leaf]) * sum.terms[i].weight;
      return total >= sum.imm;
    };
  }
};

/// Checks combine() against matches() and the tree, 192 pairs at once.
void check_evaluation(const Predicate& p, const Eval& tree, Random& random) {
  constexpr std::size_t kWords = 3;
  const std::size_t leaves = p.leaves().size();
  std::vector<std::vector<std::uint32_t>> pairs(64 * kWords, std::vector<std::uint32_t>(leaves));
  std::vector<std::uint64_t> masks(leaves * kWords, 0);
  std::vector<std::uint64_t> wsums;
  for (const Op& o : p.ops()) {
    if (o.code == OpCode::wsum) wsums.resize(wsums.size() + kWords, 0);
  }
  std::vector<bool> expected(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    for (std::size_t l = 0; l < leaves; ++l) {
      const auto k = static_cast<std::uint32_t>(random.below(2049));
      pairs[i][l] = word(static_cast<std::uint32_t>(random.below(k + 1)), k);
      if (p.leaves()[l].holds(pairs[i][l])) masks[l * kWords + i / 64] |= 1ull << i % 64;
    }
    std::size_t w = 0;
    for (const Op& o : p.ops()) {
      if (o.code != OpCode::wsum) continue;
      std::int64_t sum = 0;
      for (const WeightedTerm& t : o.terms) sum += p.leaves()[t.leaf].score(pairs[i][t.leaf]) * t.weight;
      if (sum >= o.imm) wsums[w * kWords + i / 64] |= 1ull << i % 64;
      ++w;
    }
    expected[i] = tree(pairs[i]);
    EXPECT_EQ(p.matches(pairs[i]), expected[i]);
  }
  std::vector<std::uint64_t> out(kWords);
  std::vector<std::uint64_t> scratch;
  p.combine(masks, wsums, kWords, out, scratch);
  for (std::size_t i = 0; i < pairs.size(); ++i) EXPECT_EQ((out[i / 64] >> i % 64 & 1) != 0, expected[i]) << i;
}

TEST(PredicateProperty, RandomProgramsSurviveEveryRoundTrip) {
  Random random(42);
  std::size_t valid = 0;
  for (int round = 0; round < 4000; ++round) {
    Generator g{random, {}, 0};
    const Eval tree = g.expression(1 + random.below(kMaxLeaves));
    if (random.below(4) == 0) g.ops.push_back(op(OpCode::limit, 0, 1 + (random.any_i32() & 0xffff)));
    auto made = Predicate::make(g.ops);
    if (!made) {
      ASSERT_THAT(made.error().message, HasSubstr("no leaf holds"));
      continue;
    }
    ++valid;
    const Bytes code = made->encode();
    auto decoded = Predicate::decode(code);
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(decoded->encode(), code);
    const std::string text = predicate_text(*made, kNames);
    auto back = parse_predicate(text, kNames);
    ASSERT_TRUE(back.ok()) << text << "\n" << back.error().message;
    EXPECT_EQ(back->encode(), code) << text;
    EXPECT_EQ(predicate_text(*back, kNames), text);
    if (round % 8 == 0) check_evaluation(*made, tree, random);
  }
  EXPECT_GT(valid, 1500u);
}

}  // namespace
}  // namespace sparkmill::match
