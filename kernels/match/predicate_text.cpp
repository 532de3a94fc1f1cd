// SPDX-License-Identifier: Apache-2.0
// Recursive-descent parser and printer of the readable predicate form.
#include "kernels/match/predicate_text.h"

#include <algorithm>
#include <limits>

namespace sparkmill::match {

namespace {

constexpr std::int64_t kInt32Min = std::numeric_limits<std::int32_t>::min();
constexpr std::int64_t kInt32Max = std::numeric_limits<std::int32_t>::max();
// Deep enough for every program of kMaxOps ops, so that the printed form always parses.
constexpr std::size_t kMaxNesting = kMaxOps + 1;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-'; }

class Parser {
 public:
  Parser(std::string_view text, std::span<const std::string> names) : text_(text), names_(names) {}

  Result<Predicate> program() {
    if (text_.size() > kMaxPredicateText) {
      return fail(Status::bad_input, "predicate: " + std::to_string(text_.size()) + " characters, at most " +
                                         std::to_string(kMaxPredicateText) + " are allowed");
    }
    if (looking_at_call("limit")) {
      take_word();
      SPARKMILL_TRY(expect('('));
      SPARKMILL_ASSIGN(const std::int64_t count, number(1, kInt32Max, "a count of pairs to keep per request"));
      SPARKMILL_TRY(expect(','));
      SPARKMILL_TRY(expression());
      SPARKMILL_TRY(expect(')'));
      SPARKMILL_TRY(push(OpCode::limit, 0, 0, count));
    } else {
      SPARKMILL_TRY(expression());
    }
    skip_space();
    if (at_ != text_.size()) return expected("the end of the predicate");
    return Predicate::make(std::move(ops_));
  }

 private:
  // ---- tokens ----

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
  }
  char peek() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view symbol) {
    skip_space();
    if (text_.substr(at_, symbol.size()) != symbol) return false;
    at_ += symbol.size();
    return true;
  }
  /// The word at the cursor (empty if none), without moving.
  std::string_view word() {
    if (!is_letter(peek())) return {};
    std::size_t end = at_;
    while (end < text_.size() && is_word(text_[end])) ++end;
    return text_.substr(at_, end - at_);
  }
  std::string_view take_word() {
    const std::string_view w = word();
    at_ += w.size();
    return w;
  }
  bool looking_at_call(std::string_view name) {
    if (word() != name) return false;
    std::size_t next = at_ + name.size();
    while (next < text_.size() && (text_[next] == ' ' || text_[next] == '\t' || text_[next] == '\n')) ++next;
    return next < text_.size() && text_[next] == '(';
  }

  // ---- errors ----

  Error error_at(std::size_t at, const std::string& what, std::string hint = {}) const {
    return fail(Status::bad_input, "predicate, column " + std::to_string(at + 1) + ": " + what, std::move(hint));
  }
  Error expected(const std::string& what) {
    skip_space();
    std::string found = "the end";
    if (at_ < text_.size()) {
      const std::string_view w = word();
      const char c = text_[at_];
      found = "'" + (w.empty() ? std::string(1, c) : std::string(w.substr(0, kMaxFieldName))) + "'";
      if (c < ' ' || c > '~') found = "the byte " + std::to_string(static_cast<unsigned char>(c));
    }
    return error_at(at_, "expected " + what + ", found " + found);
  }
  Done expect(char c) {
    if (take(c)) return done();
    return expected(std::string("'") + c + "'");
  }
  Done expect(std::string_view symbol) {
    if (take(symbol)) return done();
    return expected("'" + std::string(symbol) + "'");
  }

  Result<std::int64_t> number(std::int64_t low, std::int64_t high, const std::string& what) {
    skip_space();
    const std::size_t start = at_;
    const bool negative = take('-');
    if (at_ >= text_.size() || !is_digit(text_[at_])) {
      at_ = start;
      return expected(what);
    }
    std::int64_t value = 0;
    for (; at_ < text_.size() && is_digit(text_[at_]); ++at_) {
      value = std::min<std::int64_t>(value * 10 + (text_[at_] - '0'), std::int64_t{1} << 40);  // far out of any range
    }
    if (negative) value = -value;
    if (value < low || value > high) {
      return error_at(start, "expected " + what + " from " + std::to_string(low) + " to " + std::to_string(high) +
                                 ", found " + std::string(text_.substr(start, std::min<std::size_t>(at_ - start, 24))));
    }
    return value;
  }

  Done push(OpCode code, std::size_t field, std::size_t arg, std::int64_t imm, std::vector<WeightedTerm> terms = {}) {
    if (ops_.size() == kMaxOps) return error_at(at_, "more than " + std::to_string(kMaxOps) + " operations");
    if ((code == OpCode::leaf_dot || code == OpCode::leaf_frac) && leaves_++ == kMaxLeaves) {
      return error_at(at_, "more than " + std::to_string(kMaxLeaves) + " leaves");
    }
    ops_.push_back({code, static_cast<std::uint8_t>(field), static_cast<std::uint16_t>(arg),
                    static_cast<std::int32_t>(imm), std::move(terms)});
    return done();
  }

  // ---- grammar ----

  Done expression() {
    if (++depth_ > kMaxNesting) return error_at(at_, "nested more than " + std::to_string(kMaxNesting) + " deep");
    const Done result = inner_expression();
    --depth_;
    return result;
  }

  Done inner_expression() {
    if (looking_at_call("and")) return list(OpCode::op_and);
    if (looking_at_call("or")) return list(OpCode::op_or);
    if (looking_at_call("any")) return list(OpCode::any);
    if (looking_at_call("wsum")) return weighted_sum();
    if (looking_at_call("limit")) return error_at(at_, "limit may only stand outermost");
    if (looking_at_call("not")) {
      take_word();
      SPARKMILL_TRY(expect('('));
      SPARKMILL_TRY(expression());
      SPARKMILL_TRY(expect(')'));
      return push(OpCode::op_not, 0, 0, 0);
    }
    if (looking_at_call("seq")) {
      take_word();
      SPARKMILL_TRY(expect('('));
      SPARKMILL_TRY(expression());
      SPARKMILL_TRY(expect(','));
      SPARKMILL_TRY(expression());
      SPARKMILL_TRY(expect(')'));
      return push(OpCode::seq, 0, 0, 0);
    }
    return leaf(false);
  }

  Done list(OpCode code) {
    take_word();
    SPARKMILL_TRY(expect('('));
    std::int64_t want = 0;
    std::size_t want_at = 0;
    if (code == OpCode::any) {
      skip_space();
      want_at = at_;
      SPARKMILL_ASSIGN(want, number(1, kMaxLeaves, "how many must hold"));
      SPARKMILL_TRY(expect(','));
    }
    std::size_t count = 0;
    do {
      SPARKMILL_TRY(expression());
      ++count;
    } while (take(','));
    SPARKMILL_TRY(expect(')'));
    if (want > static_cast<std::int64_t>(count)) {
      return error_at(want_at, "asks for " + std::to_string(want) + " of " + std::to_string(count) + " operands");
    }
    return push(code, 0, count, want);
  }

  Done weighted_sum() {
    take_word();
    SPARKMILL_TRY(expect('('));
    std::vector<WeightedTerm> terms;
    for (;;) {
      if (!terms.empty() && take(">=")) break;
      WeightedTerm term;
      term.weight = 1;
      if (peek() == '-' || is_digit(peek())) {
        SPARKMILL_ASSIGN(const std::int64_t weight, number(kInt32Min, kInt32Max, "a weight"));
        SPARKMILL_TRY(expect('*'));
        term.weight = static_cast<std::int32_t>(weight);
      }
      term.leaf = static_cast<std::uint16_t>(leaves_);
      SPARKMILL_TRY(leaf(true));
      terms.push_back(term);
      if (!take(',')) return expected("',' and then another term or '>= number'");
    }
    SPARKMILL_ASSIGN(const std::int64_t threshold, number(kInt32Min, kInt32Max, "a threshold"));
    SPARKMILL_TRY(expect(')'));
    const std::size_t count = terms.size();
    return push(OpCode::wsum, 0, count, threshold, std::move(terms));
  }

  Result<std::size_t> field() {
    skip_space();
    const std::size_t start = at_;
    if (word().empty()) return expected("a test such as " + sample());
    const std::string_view name = take_word();
    const auto it = std::find(names_.begin(), names_.end(), name);
    if (it != names_.end()) return static_cast<std::size_t>(it - names_.begin());
    if (peek() == '(') {
      return error_at(start, "'" + std::string(name.substr(0, kMaxFieldName)) + "' is not an operation",
                      "operations: and, or, any, not, seq, wsum, limit");
    }
    std::string known;
    for (const std::string& n : names_) known += (known.empty() ? "" : ", ") + n;
    return error_at(start, "no field is called '" + std::string(name.substr(0, kMaxFieldName)) + "'",
                    "the fields are: " + known);
  }

  std::string sample() const { return (names_.empty() ? std::string("face") : names_.front()) + ".dot>=523"; }

  /// One leaf; inside a weighted sum its own threshold may be left out.
  Done leaf(bool in_sum) {
    SPARKMILL_ASSIGN(const std::size_t f, field());
    SPARKMILL_TRY(expect('.'));
    skip_space();
    const std::string_view kind = word();
    if (kind == "dot") {
      take_word();
      std::int64_t threshold = 0;
      if (!in_sum) SPARKMILL_TRY(expect(">="));
      if (!in_sum || take(">=")) {
        SPARKMILL_ASSIGN(threshold, number(kInt32Min, kInt32Max, "a threshold"));
      }
      return push(OpCode::leaf_dot, f, 0, threshold);
    }
    if (kind == "frac") return fraction(f);
    if (kind == "valid" && !in_sum) return valid(f);
    return expected(in_sum ? "dot or frac(w2/w1)" : "dot, frac(w2/w1) or valid");
  }

  Done fraction(std::size_t f) {
    take_word();
    SPARKMILL_TRY(expect('('));
    skip_space();
    const std::size_t start = at_;
    SPARKMILL_ASSIGN(const std::int64_t w2, number(0, 255, "the weight w2"));
    SPARKMILL_TRY(expect('/'));
    SPARKMILL_ASSIGN(const std::int64_t w1, number(0, 255, "the weight w1"));
    SPARKMILL_TRY(expect(')'));
    if (w1 == 0 && w2 == 0) return error_at(start, "w1 and w2 are both 0");
    std::int64_t threshold = 0;
    if (take(">=")) {
      SPARKMILL_ASSIGN(threshold, number(kInt32Min, kInt32Max, "a threshold"));
    }
    return push(OpCode::leaf_frac, f, static_cast<std::size_t>(w1 << 8 | w2), threshold);
  }

  /// valid <= c: -K >= -c. valid >= c: not(-K >= 1 - c).
  Done valid(std::size_t f) {
    take_word();
    if (take("<=")) {
      SPARKMILL_ASSIGN(const std::int64_t count, number(-kInt32Max, -kInt32Min, "a count of valid elements"));
      return push(OpCode::leaf_frac, f, 1, -count);
    }
    if (!take(">=")) return expected("'>=' or '<='");
    SPARKMILL_ASSIGN(const std::int64_t count, number(1 - kInt32Max, 1 - kInt32Min, "a count of valid elements"));
    SPARKMILL_TRY(push(OpCode::leaf_frac, f, 1, 1 - count));
    return push(OpCode::op_not, 0, 0, 0);
  }

  std::string_view text_;
  std::span<const std::string> names_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::size_t leaves_ = 0;
  std::vector<Op> ops_;
};

// ---- printing ----

std::string field_name(std::uint8_t field, std::span<const std::string> names) {
  return field < names.size() ? names[field] : "f" + std::to_string(field);
}

bool is_valid_count(const Op& op) { return op.code == OpCode::leaf_frac && op.arg == 1; }

std::string leaf_text(const Op& op, std::span<const std::string> names, bool in_sum) {
  const std::string name = field_name(op.field, names);
  if (!in_sum && is_valid_count(op)) return name + ".valid<=" + std::to_string(-std::int64_t{op.imm});
  std::string out = name + ".dot";
  if (op.code == OpCode::leaf_frac) {
    out = name + ".frac(" + std::to_string(op.arg & 255) + "/" + std::to_string(op.arg >> 8) + ")";
  }
  if (!in_sum || op.imm != 0) out += ">=" + std::to_string(op.imm);
  return out;
}

struct Part {
  std::string text;
  const Op* leaf = nullptr;  ///< set for a bare leaf
};

std::string joined(std::span<const Part> parts) {
  std::string out;
  for (const Part& p : parts) out += (out.empty() ? "" : ", ") + p.text;
  return out;
}

std::string call_text(const Op& op, std::span<const Part> parts, std::span<const std::string> names) {
  switch (op.code) {
    case OpCode::op_and: return "and(" + joined(parts) + ")";
    case OpCode::op_or: return "or(" + joined(parts) + ")";
    case OpCode::any: return "any(" + std::to_string(op.imm) + ", " + joined(parts) + ")";
    case OpCode::seq: return "seq(" + joined(parts) + ")";
    case OpCode::limit: return "limit(" + std::to_string(op.imm) + ", " + joined(parts) + ")";
    case OpCode::op_not:
      if (const Op* leaf = parts[0].leaf; leaf != nullptr && is_valid_count(*leaf)) {
        return field_name(leaf->field, names) + ".valid>=" + std::to_string(1 - std::int64_t{leaf->imm});
      }
      return "not(" + joined(parts) + ")";
    default: break;
  }
  std::string out = "wsum(";
  for (std::size_t t = 0; t < parts.size(); ++t) {
    out += std::to_string(op.terms[t].weight) + "*" + leaf_text(*parts[t].leaf, names, true) + ", ";
  }
  return out + ">= " + std::to_string(op.imm) + ")";
}

std::size_t operands(const Op& op) {
  if (op.code == OpCode::op_not || op.code == OpCode::limit) return 1;
  return op.code == OpCode::seq ? 2 : op.arg;
}

}  // namespace

bool valid_field_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxFieldName && is_letter(name.front()) &&
         std::all_of(name.begin(), name.end(), is_word);
}

Result<Predicate> parse_predicate(std::string_view text, std::span<const std::string> names) {
  return Parser(text, names.first(std::min(names.size(), kMaxFields))).program();
}

std::string predicate_text(const Predicate& predicate, std::span<const std::string> names) {
  std::vector<Part> stack;
  for (const Op& op : predicate.ops()) {
    if (op.code == OpCode::leaf_dot || op.code == OpCode::leaf_frac) {
      stack.push_back({leaf_text(op, names, false), &op});
      continue;
    }
    const std::size_t base = stack.size() - operands(op);
    std::string joined_text = call_text(op, std::span<const Part>(stack).subspan(base), names);
    stack.resize(base);
    stack.push_back({std::move(joined_text), nullptr});
  }
  return stack.front().text;
}

}  // namespace sparkmill::match
