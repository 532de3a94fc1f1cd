// SPDX-License-Identifier: Apache-2.0
// Validation, codec and evaluation of predicate byte-code. Unused fields of an op must be zero, so that one meaning has
// one encoding (the code's hash is published).
#include "kernels/match/predicate.h"

#include <algorithm>
#include <array>
#include <string>

namespace sparkmill::match {

namespace {

std::string_view op_name(OpCode code) {
  switch (code) {
    case OpCode::leaf_dot: return "LEAF_DOT";
    case OpCode::leaf_frac: return "LEAF_FRAC";
    case OpCode::op_and: return "AND";
    case OpCode::op_or: return "OR";
    case OpCode::any: return "ANY";
    case OpCode::op_not: return "NOT";
    case OpCode::seq: return "SEQ";
    case OpCode::limit: return "LIMIT";
    case OpCode::wsum: return "WSUM";
  }
  return "unknown op";
}

Error op_error(std::size_t index, const Op& op, const std::string& reason) {
  return fail(Status::bad_input,
              "predicate op " + std::to_string(index) + " (" + std::string(op_name(op.code)) + "): " + reason);
}

/// How many decisions an op takes from the stack.
std::size_t pops(const Op& op) {
  switch (op.code) {
    case OpCode::leaf_dot:
    case OpCode::leaf_frac: return 0;
    case OpCode::op_not:
    case OpCode::limit: return 1;
    case OpCode::seq: return 2;
    default: return op.arg;
  }
}

bool is_leaf(OpCode code) { return code == OpCode::leaf_dot || code == OpCode::leaf_frac; }

/// Reason why the op's own fields are wrong, or empty.
std::string field_fault(const Op& op) {
  const bool leaf = is_leaf(op.code);
  if (static_cast<unsigned>(op.code) > static_cast<unsigned>(OpCode::wsum)) {
    return "op code " + std::to_string(static_cast<unsigned>(op.code)) + " is not defined";
  }
  if (leaf && op.field >= kMaxFields) {
    return "field " + std::to_string(op.field) + ", the highest allowed is " + std::to_string(kMaxFields - 1);
  }
  if (!leaf && op.field != 0) return "field must be 0, it is " + std::to_string(op.field);
  if (op.code != OpCode::wsum && !op.terms.empty()) return "weights belong to WSUM only";
  const bool uses_arg = op.code == OpCode::leaf_frac || op.code == OpCode::op_and || op.code == OpCode::op_or ||
                        op.code == OpCode::any || op.code == OpCode::wsum;
  if (uses_arg && op.arg == 0) return leaf ? "w1 and w2 are both 0" : "arg, the number of operands, is 0";
  if (!uses_arg && op.arg != 0) return "arg must be 0, it is " + std::to_string(op.arg);
  const bool uses_imm = leaf || op.code == OpCode::any || op.code == OpCode::limit || op.code == OpCode::wsum;
  if (!uses_imm && op.imm != 0) return "imm must be 0, it is " + std::to_string(op.imm);
  if (op.code == OpCode::any && (op.imm < 1 || op.imm > op.arg)) {
    return "asks for " + std::to_string(op.imm) + " of " + std::to_string(op.arg) + " operands";
  }
  if (op.code == OpCode::limit && op.imm < 1) return "keeps " + std::to_string(op.imm) + ", expected at least 1";
  if (op.code == OpCode::wsum && op.terms.size() != op.arg) {
    return "arg says " + std::to_string(op.arg) + " weights, " + std::to_string(op.terms.size()) + " are given";
  }
  return {};
}

Leaf leaf_of(const Op& op) {
  if (op.code == OpCode::leaf_dot) return {op.field, 1, 0, op.imm};
  return {op.field, op.arg >> 8, op.arg & 255, op.imm};
}

/// WSUM's operands must be leaves, each weighted once, in their order.
std::string wsum_fault(const Op& op, std::span<const int> operands) {
  for (std::size_t t = 0; t < operands.size(); ++t) {
    if (operands[t] < 0) return "operand " + std::to_string(t) + " is not a leaf";
    if (op.terms[t].leaf != operands[t]) {
      return "weight " + std::to_string(t) + " names leaf " + std::to_string(op.terms[t].leaf) + ", expected leaf " +
             std::to_string(operands[t]);
    }
  }
  return {};
}

bool combine_bits(const Op& op, std::span<const bool> operands) {
  const auto held = static_cast<std::size_t>(std::count(operands.begin(), operands.end(), true));
  switch (op.code) {
    case OpCode::op_or: return held > 0;
    case OpCode::any: return held >= static_cast<std::size_t>(op.imm);
    case OpCode::op_not: return held == 0;
    default: return held == operands.size();  // AND, SEQ, LIMIT
  }
}

/// Walks the program with given leaf decisions; `wsum(op)` decides each WSUM.
template <class LeafHolds, class WsumHolds>
bool evaluate(std::span<const Op> ops, LeafHolds leaf_holds, WsumHolds wsum_holds) {
  std::array<bool, kMaxLeaves> stack{};
  std::size_t depth = 0;
  std::size_t leaf = 0;
  for (const Op& op : ops) {
    const std::size_t taken = pops(op);
    depth -= taken;
    bool value = false;
    if (is_leaf(op.code)) {
      value = leaf_holds(leaf++);
    } else if (op.code == OpCode::wsum) {
      value = wsum_holds(op);
    } else {
      value = combine_bits(op, std::span<const bool>(stack).subspan(depth, taken));
    }
    stack[depth++] = value;
  }
  return stack[0];
}

/// Bits where at least `want` of the operands are set: a five-plane counter, enough for 16 operands.
std::uint64_t at_least(std::span<const std::uint64_t> operands, std::size_t stride, std::size_t count, unsigned want) {
  static_assert(kMaxLeaves < 32);
  std::array<std::uint64_t, 5> plane{};
  for (std::size_t o = 0; o < count; ++o) {
    std::uint64_t carry = operands[o * stride];
    for (std::uint64_t& p : plane) {
      const std::uint64_t next = p & carry;
      p ^= carry;
      carry = next;
    }
  }
  std::uint64_t greater = 0;
  std::uint64_t equal = ~std::uint64_t{0};
  for (std::size_t b = plane.size(); b-- > 0;) {
    if ((want >> b & 1) != 0) {
      equal &= plane[b];
    } else {
      greater |= equal & plane[b];
      equal &= ~plane[b];
    }
  }
  return greater | equal;
}

/// One op on masks: `s` points at the first of `count` operands of `words` masks each; the result replaces the first.
void combine_masks(const Op& op, std::span<std::uint64_t> s, std::size_t count, std::size_t words) {
  switch (op.code) {
    case OpCode::op_not:
      for (std::size_t w = 0; w < words; ++w) s[w] = ~s[w];
      return;
    case OpCode::op_or:
      for (std::size_t o = 1; o < count; ++o) {
        for (std::size_t w = 0; w < words; ++w) s[w] |= s[o * words + w];
      }
      return;
    case OpCode::any:
      for (std::size_t w = 0; w < words; ++w) {
        s[w] = at_least(s.subspan(w), words, count, static_cast<unsigned>(op.imm));
      }
      return;
    default:  // AND, SEQ; LIMIT has one operand
      for (std::size_t o = 1; o < count; ++o) {
        for (std::size_t w = 0; w < words; ++w) s[w] &= s[o * words + w];
      }
  }
}

}  // namespace

Result<Predicate> Predicate::make(std::vector<Op> ops) {
  if (ops.empty()) return fail(Status::bad_input, "predicate: no ops");
  if (ops.size() > kMaxOps) {
    return fail(Status::bad_input, "predicate: " + std::to_string(ops.size()) + " ops, at most " +
                                       std::to_string(kMaxOps) + " are allowed");
  }
  Predicate p;
  std::vector<int> stack;  // ordinal of a bare leaf, or -1 for a combined decision
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const Op& op = ops[i];
    if (std::string fault = field_fault(op); !fault.empty()) return op_error(i, op, fault);
    const std::size_t taken = pops(op);
    if (taken > stack.size()) {
      return op_error(
          i, op,
          "takes " + std::to_string(taken) + " decisions, " + std::to_string(stack.size()) + " are on the stack");
    }
    const std::size_t base = stack.size() - taken;
    if (op.code == OpCode::limit) {
      if (i + 1 != ops.size()) return op_error(i, op, "must be the last op");
      p.limit_ = static_cast<std::uint32_t>(op.imm);
    } else if (op.code == OpCode::wsum) {
      if (std::string fault = wsum_fault(op, std::span<const int>(stack).subspan(base)); !fault.empty()) {
        return op_error(i, op, fault);
      }
      p.has_wsum_ = true;
    }
    stack.resize(base);
    if (is_leaf(op.code)) {
      if (p.leaves_.size() == kMaxLeaves) {
        return op_error(i, op, "more than " + std::to_string(kMaxLeaves) + " leaves");
      }
      stack.push_back(static_cast<int>(p.leaves_.size()));
      p.leaves_.push_back(leaf_of(op));
      p.fields_ = std::max<std::uint32_t>(p.fields_, op.field + 1u);
    } else {
      stack.push_back(-1);
    }
  }
  if (stack.size() != 1) {
    return fail(Status::bad_input,
                "predicate: leaves " + std::to_string(stack.size()) + " decisions on the stack, expected one",
                "join them with AND, OR or ANY");
  }
  if (evaluate(
          ops, [](std::size_t) { return false; }, [](const Op&) { return false; })) {
    return fail(Status::bad_input, "predicate: a pair for which no leaf holds would match",
                "combine the negated part with a test that must hold, e.g. and(face.dot>=523, not(...))");
  }
  p.ops_ = std::move(ops);
  return p;
}

Result<Predicate> Predicate::decode(ByteView code) {
  ByteReader r(code);
  std::vector<Op> ops;
  while (r.left() != 0) {
    if (ops.size() == kMaxOps) {
      return fail(Status::bad_input, "predicate: more than " + std::to_string(kMaxOps) + " ops");
    }
    Op op;
    op.code = static_cast<OpCode>(r.u8());
    op.field = r.u8();
    op.arg = r.u16();
    op.imm = r.i32();
    if (op.code == OpCode::wsum && op.arg > kMaxLeaves) {
      return op_error(ops.size(), op, std::to_string(op.arg) + " weights, at most " + std::to_string(kMaxLeaves));
    }
    for (std::uint16_t t = 0; op.code == OpCode::wsum && t < op.arg; ++t) {
      WeightedTerm term;
      term.leaf = r.u16();
      const std::uint16_t zero = r.u16();
      term.weight = r.i32();
      if (!r.failed() && zero != 0) return op_error(ops.size(), op, "reserved bytes of a weight are not 0");
      op.terms.push_back(term);
    }
    if (r.failed()) {
      return fail(Status::bad_input, "predicate: byte-code of " + std::to_string(code.size()) +
                                         " bytes ends inside op " + std::to_string(ops.size()));
    }
    ops.push_back(std::move(op));
  }
  return make(std::move(ops));
}

Bytes Predicate::encode() const {
  ByteWriter w;
  for (const Op& op : ops_) {
    w.u8(static_cast<std::uint8_t>(op.code)).u8(op.field).u16(op.arg).i32(op.imm);
    for (const WeightedTerm& term : op.terms) w.u16(term.leaf).u16(0).i32(term.weight);
  }
  return std::move(w).data();
}

bool Predicate::matches(std::span<const std::uint32_t> v) const {
  return evaluate(
      ops_, [&](std::size_t leaf) { return leaves_[leaf].holds(v[leaf]); },
      [&](const Op& op) {
        // |score| < 2^25, |weight| <= 2^31, at most 16 terms: the sum stays below 2^60.
        std::int64_t sum = 0;
        for (const WeightedTerm& term : op.terms)
          sum += std::int64_t{term.weight} * leaves_[term.leaf].score(v[term.leaf]);
        return sum >= op.imm;
      });
}

void Predicate::combine(std::span<const std::uint64_t> leaf_masks, std::span<const std::uint64_t> wsum_masks,
                        std::size_t words, std::span<std::uint64_t> out, std::vector<std::uint64_t>& scratch) const {
  scratch.resize(leaves_.size() * words);
  const std::span<std::uint64_t> stack(scratch);
  std::size_t depth = 0;
  std::size_t leaf = 0;
  std::size_t wsum = 0;
  for (const Op& op : ops_) {
    const std::size_t taken = pops(op);
    depth -= taken;
    const std::span<std::uint64_t> top = stack.subspan(depth * words);
    if (is_leaf(op.code)) {
      std::copy_n(leaf_masks.begin() + static_cast<std::ptrdiff_t>(leaf++ * words), words, top.begin());
    } else if (op.code == OpCode::wsum) {
      std::copy_n(wsum_masks.begin() + static_cast<std::ptrdiff_t>(wsum++ * words), words, top.begin());
    } else {
      combine_masks(op, top, taken, words);
    }
    ++depth;
  }
  std::copy_n(stack.begin(), words, out.begin());
}

}  // namespace sparkmill::match
