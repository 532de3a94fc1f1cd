// SPDX-License-Identifier: Apache-2.0
#include "verify/blocks/bytom_vm.h"

#include <algorithm>
#include <bitset>
#include <deque>
#include <optional>

#include "base/hash.h"

namespace sparkmill::blocks::bytom {
namespace {

enum : std::uint8_t {
  kData75 = 0x4b,
  kPushData1 = 0x4c,
  kPushData2 = 0x4d,
  kPushData4 = 0x4e,
  kNegate1 = 0x4f,
  kOne = 0x51,
  kSixteen = 0x60,
  kNop = 0x61,
  kJump = 0x63,
  kJumpIf = 0x64,
  kVerify = 0x69,
  kFail = 0x6a,
  kDrop = 0x75,
  kDup = 0x76,
  kSwap = 0x7c,
  kEqual = 0x87,
  kEqualVerify = 0x88,
  kAdd = 0x93,
  kSub = 0x94,
  kNumEqual = 0x9c,
  kNumEqualVerify = 0x9d,
  kNumNotEqual = 0x9e,
  kLessThan = 0x9f,
  kGreaterThan = 0xa0,
  kLessOrEqual = 0xa1,
  kGreaterOrEqual = 0xa2,
  kSha3 = 0xaa,
  kHash160 = 0xab,
  kCheckSig = 0xac,
  kCheckMultiSig = 0xad,
  kTxSigHash = 0xae,
  kCheckPredicate = 0xc0,
  kBlockHeight = 0xcd,
};

constexpr std::string_view kUndecided = "undecided";
constexpr std::int64_t kItemCost = 8;
/// What the chain gives no meaning to: an error, or a no-op inside CHECKPREDICATE.
bool is_defined(std::uint8_t op) {
  struct Range {
    std::uint8_t first, last;
  };
  constexpr Range kDefined[] = {{0x00, 0x4f}, {0x51, 0x61}, {0x63, 0x64}, {0x69, 0x89}, {0x8b, 0x8e}, {0x91, 0xa5},
                                {0xa8, 0xa8}, {0xaa, 0xae}, {0xc0, 0xc4}, {0xc9, 0xcb}, {0xcd, 0xcd}};
  return std::any_of(std::begin(kDefined), std::end(kDefined),
                     [op](const Range& r) { return op >= r.first && op <= r.last; });
}

struct Instruction {
  std::uint8_t op = 0;
  std::size_t length = 0;  ///< with its data
  ByteView data;
};

/// None: the program ends within it.
std::optional<Instruction> instruction_at(ByteView program, std::size_t at) {
  Instruction out;
  out.op = program[at];
  std::size_t data = 0, length_bytes = 0;
  if (out.op >= 0x01 && out.op <= kData75) data = out.op;
  if (out.op == kPushData1) length_bytes = 1;
  if (out.op == kPushData2) length_bytes = 2;
  if (out.op == kPushData4) length_bytes = 4;
  if (out.op == kJump || out.op == kJumpIf) data = 4;
  const std::size_t left = program.size() - at - 1;
  if (length_bytes > left) return std::nullopt;
  for (std::size_t k = 0; k < length_bytes; ++k) data |= std::size_t{program[at + 1 + k]} << (8 * k);
  if (data > left - length_bytes) return std::nullopt;
  out.data = program.subspan(at + 1 + length_bytes, data);
  out.length = 1 + length_bytes + data;
  return out;
}

bool truth(ByteView item) {
  return std::any_of(item.begin(), item.end(), [](std::uint8_t b) { return b != 0; });
}

constexpr std::uint8_t kSmall[17] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
constexpr std::uint8_t kMinusOne[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/// Shared by a program and those it runs by CHECKPREDICATE.
struct World {
  const RunContext& context;
  SignatureOracle& oracle;
  std::deque<Bytes> made;  ///< items that opcodes computed; their sizes are bounded by the gas that made them
};

class Machine {
 public:
  Machine(World& world, ByteView program, std::int64_t gas, unsigned depth)
      : world_(world), program_(program), gas_(gas), depth_(depth) {}

  bool push(ByteView item) {
    if (!pay(kItemCost + static_cast<std::int64_t>(item.size()))) return false;
    stack_.push_back(item);
    return true;
  }
  void inherit(std::span<const ByteView> items) { stack_.assign(items.begin(), items.end()); }

  /// Empty reason: no error and a true top.
  std::string_view run() {
    for (std::size_t at = 0; at < program_.size();) {
      const auto instruction = instruction_at(program_, at);
      if (!instruction) return "short_program";
      if (!is_defined(instruction->op)) {
        if (depth_ == 0 && world_.context.transaction_version == 1) return "disallowed_opcode";
        if (!pay(1)) return error_;
      } else {
        deferred_ = 0;
        if (!step(*instruction) || !pay(deferred_)) return error_;
      }
      at += instruction->length;
    }
    return stack_.empty() || !truth(stack_.back()) ? "program_false" : std::string_view();
  }

  std::int64_t gas() const { return gas_; }
  std::int64_t stack_cost() const {
    std::int64_t sum = 0;
    for (const ByteView item : stack_) sum += kItemCost + static_cast<std::int64_t>(item.size());
    return sum;
  }

 private:
  bool wrong(std::string_view reason) {
    error_ = reason;
    return false;
  }
  bool pay(std::int64_t cost) {
    if (cost > gas_) {
      gas_ = 0;
      return wrong("run_limit");
    }
    gas_ -= cost;
    return true;
  }
  void push_later(ByteView item) {
    deferred_ += kItemCost + static_cast<std::int64_t>(item.size());
    stack_.push_back(item);
  }
  bool push_later(bool value) {
    push_later(ByteView(kSmall + 1, value ? 1 : 0));
    return true;
  }
  /// Little-endian without zeros at the end; a negative number has all its eight bytes.
  void push_number_later(std::uint64_t number) {
    Bytes& item = world_.made.emplace_back();
    for (; number != 0; number >>= 8) item.push_back(static_cast<std::uint8_t>(number));
    push_later(item);
  }
  bool push_new(ByteView bytes) { return push(world_.made.emplace_back(bytes.begin(), bytes.end())); }
  bool take(ByteView& item) {
    if (stack_.empty()) return wrong("stack_underflow");
    item = stack_.back();
    stack_.pop_back();
    return true;
  }
  bool pop(ByteView& item) {
    if (!take(item)) return false;
    gas_ += kItemCost + static_cast<std::int64_t>(item.size());
    return true;
  }
  bool pop_later(ByteView& item) {
    if (!take(item)) return false;
    deferred_ -= kItemCost + static_cast<std::int64_t>(item.size());
    return true;
  }
  bool pop_number(std::int64_t& number) {
    ByteView item;
    if (!pop_later(item)) return false;
    if (item.size() > 8) return wrong("bad_value");
    std::uint64_t bits = 0;
    for (std::size_t k = 0; k < item.size(); ++k) bits |= std::uint64_t{item[k]} << (8 * k);
    number = static_cast<std::int64_t>(bits);
    return true;
  }

  bool step(const Instruction& in) {
    if (in.op <= kPushData4) return pay(1) && push(in.data);
    if (in.op >= kOne && in.op <= kSixteen) return pay(1) && push({kSmall + (in.op - kOne + 1), 1});
    switch (in.op) {
      case kNegate1: return pay(1) && push(kMinusOne);
      case kNop: return pay(1);
      case kFail: return pay(1) && wrong("return");
      case kVerify: return verify();
      case kDup:
        if (!pay(1)) return false;
        if (stack_.empty()) return wrong("stack_underflow");
        return push(stack_.back());
      case kSwap:
        if (!pay(1)) return false;
        if (stack_.size() < 2) return wrong("stack_underflow");
        std::swap(stack_.back(), stack_[stack_.size() - 2]);
        return true;
      case kDrop: {
        ByteView item;
        return pay(1) && pop(item);
      }
      case kEqual:
      case kEqualVerify: return equal(in.op == kEqualVerify);
      case kAdd:
      case kSub: return add(in.op == kSub);
      case kNumEqual:
      case kNumEqualVerify:
      case kNumNotEqual:
      case kLessThan:
      case kGreaterThan:
      case kLessOrEqual:
      case kGreaterOrEqual: return compare(in.op);
      case kHash160: return hash160();
      case kSha3: return sha3();
      case kTxSigHash: return pay(256) && push(world_.context.sighash);
      case kBlockHeight: return block_height();
      case kCheckSig: return check_sig();
      case kCheckMultiSig: return check_multisig();
      case kCheckPredicate: return check_predicate();
      default: return wrong(kUndecided);
    }
  }

  bool verify() {
    ByteView item;
    return pay(1) && pop_later(item) && (truth(item) || wrong("verify_failed"));
  }
  bool equal(bool verifies) {
    ByteView a, b;
    if (!pay(1) || !pop_later(a) || !pop_later(b)) return false;
    if (!pay(static_cast<std::int64_t>(std::min(a.size(), b.size())))) return false;
    const bool same = std::equal(a.begin(), a.end(), b.begin(), b.end());
    return verifies ? same || wrong("verify_failed") : push_later(same);
  }
  bool add(bool subtracts) {
    std::int64_t x = 0, y = 0, sum = 0;
    if (!pay(2) || !pop_number(y) || !pop_number(x)) return false;
    if (subtracts ? __builtin_sub_overflow(x, y, &sum) : __builtin_add_overflow(x, y, &sum)) return wrong("range");
    push_number_later(static_cast<std::uint64_t>(sum));
    return true;
  }
  bool compare(std::uint8_t op) {
    std::int64_t x = 0, y = 0;
    if (!pay(2) || !pop_number(y) || !pop_number(x)) return false;
    switch (op) {
      case kNumEqual: return push_later(x == y);
      case kNumEqualVerify: return x == y || wrong("verify_failed");
      case kNumNotEqual: return push_later(x != y);
      case kLessThan: return push_later(x < y);
      case kGreaterThan: return push_later(x > y);
      case kLessOrEqual: return push_later(x <= y);
      default: return push_later(x >= y);
    }
  }
  bool hash160() {
    ByteView item;
    return pop(item) && pay(static_cast<std::int64_t>(item.size()) + 64) && push_new(ripemd160(item));
  }
  bool sha3() {
    ByteView item;
    return pop(item) && pay(std::max<std::int64_t>(64, static_cast<std::int64_t>(item.size()))) &&
           push_new(sha3_256(item));
  }
  bool block_height() {
    if (!pay(1)) return false;
    push_number_later(world_.context.height);
    return true;
  }
  bool check_sig() {
    ByteView key, message, signature;
    if (!pay(1024) || !pop_later(key) || !pop_later(message) || !pop_later(signature)) return false;
    if (message.size() != 32) return wrong("bad_value");
    return push_later(key.size() == 32 && world_.oracle.valid(Op::checksig, key, message, signature));
  }

  bool pop_many(std::int64_t count, std::vector<ByteView>& out) {
    for (std::int64_t k = 0; k < count; ++k) {
      if (!pop_later(out.emplace_back())) return false;
    }
    return true;
  }
  /// From the last key and the last signature on: a signature that passes makes room for the next, a key is asked once.
  bool check_multisig() {
    std::int64_t n = 0, m = 0;
    if (!pop_number(n)) return false;
    if (n < 0 || n > INT64_MAX / 1024) return wrong("bad_value");
    if (!pay(1024 * n) || !pop_number(m)) return false;
    if (m < 0 || m > n || (n > 0 && m == 0)) return wrong("bad_value");
    std::vector<ByteView> keys, signatures;
    ByteView message;
    if (!pop_many(n, keys) || !pop_later(message)) return false;
    if (message.size() != 32) return wrong("bad_value");
    if (!pop_many(m, signatures)) return false;
    if (std::any_of(keys.begin(), keys.end(), [](ByteView key) { return key.size() != 32; })) return push_later(false);
    world_.oracle.multisig(keys, message, signatures);
    std::size_t used = 0;
    for (std::size_t k = 0; k < keys.size() && used < signatures.size(); ++k) {
      if (world_.oracle.valid(Op::checkmultisig, keys[k], message, signatures[used])) ++used;
    }
    return push_later(used == signatures.size());
  }

  bool check_predicate() {
    if (!pay(256)) return false;
    deferred_ -= 256 - 64;
    std::int64_t limit = 0, count = 0;
    ByteView predicate;
    if (!pop_number(limit) || !pop_later(predicate) || !pop_number(count)) return false;
    if (limit < 0) return wrong("bad_value");
    const auto height = static_cast<std::int64_t>(stack_.size());
    if (count > height) return wrong("stack_underflow");
    if (count < 0) count = height;
    if (limit == 0) limit = gas_;
    if (!pay(limit)) return false;
    // A level takes 256 gas from those above it until it ends, so there are never more than 782 on this stack.
    Machine child(world_, predicate, limit, depth_ + 1);
    child.inherit(std::span<const ByteView>(stack_).last(static_cast<std::size_t>(count)));
    stack_.resize(static_cast<std::size_t>(height - count));
    const std::string_view reason = child.run();
    if (reason == kUndecided) return wrong(kUndecided);
    deferred_ -= child.gas() + child.stack_cost();
    return push_later(reason.empty());
  }

  World& world_;
  ByteView program_;
  std::int64_t gas_;
  std::int64_t deferred_ = 0;
  unsigned depth_;
  std::vector<ByteView> stack_;
  std::string_view error_;
};

}  // namespace

Bytes expanded(ByteView program) {
  const bool key_hash = program.size() == 22 && program[0] == 0x00 && program[1] == 0x14;
  const bool script_hash = program.size() == 34 && program[0] == 0x00 && program[1] == 0x20;
  if (!key_hash && !script_hash) return {program.begin(), program.end()};
  Bytes out{kDup, key_hash ? std::uint8_t{kHash160} : std::uint8_t{kSha3}};
  out.insert(out.end(), program.begin() + 1, program.end());
  out.push_back(kEqualVerify);
  if (key_hash) {
    out.insert(out.end(), {kTxSigHash, kSwap, kCheckSig});
  } else {
    out.push_back(sizeof kMinusOne);
    out.insert(out.end(), std::begin(kMinusOne), std::end(kMinusOne));
    out.insert(out.end(), {kSwap, 0x00, kCheckPredicate});
  }
  return out;
}

bool is_standard(ByteView program) {
  if (program.empty()) return false;
  const auto first = instruction_at(program, 0);
  if (!first) return false;
  if (first->length == program.size()) return first->op == kOne || first->op == kFail;
  const auto second = instruction_at(program, first->length);
  return second && first->length + second->length == program.size() && first->op <= kSixteen &&
         (second->op == 0x14 || second->op == 0x20);
}

RunResult run_program(const RunContext& context, std::uint64_t vm_version, ByteView program, const Arguments& arguments,
                      std::int64_t gas, SignatureOracle& oracle) {
  if (vm_version != 1) return {"unsupported_vm", gas};
  World world{context, oracle, {}};
  const Bytes code = expanded(program);
  Machine machine(world, code, gas, 0);
  const auto affordable = static_cast<std::uint32_t>(std::min<std::int64_t>(gas, kMaxGas) / kItemCost + 1);
  for (const ByteView argument : arguments.items(affordable)) {
    if (!machine.push(argument)) return {"run_limit", 0};
  }
  const std::string_view reason = machine.run();
  return {reason, machine.gas()};
}

}  // namespace sparkmill::blocks::bytom
