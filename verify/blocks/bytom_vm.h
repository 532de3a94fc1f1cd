// SPDX-License-Identifier: Apache-2.0
// The part of Bytom's virtual machine that standard programs use, with its exact gas (Bytom blocks 7): the opcodes of
// the specification's table, and DROP, EQUAL, ADD, SUB and the comparisons of numbers, whose rules are those of
// GREATERTHAN. Any other opcode that the chain knows ends with "undecided", also inside CHECKPREDICATE: nothing is ever
// guessed. Variable time.
#pragma once

#include "verify/blocks/bytom.h"

namespace sparkmill::blocks::bytom {

inline constexpr std::int64_t kMaxGas = 200'000;  ///< most that a fee can buy

/// Answers the signature questions of a program.
class SignatureOracle {
 public:
  virtual ~SignatureOracle() = default;
  /// Key and message have 32 bytes, the signature any length.
  virtual bool valid(Op op, ByteView key, ByteView message, ByteView signature) = 0;
  /// A CHECKMULTISIG is about to ask about these, both in the order of asking: for those who ask ahead.
  virtual void multisig(std::span<const ByteView> keys, ByteView message, std::span<const ByteView> signatures) {
    (void)keys, (void)message, (void)signatures;
  }
};

struct RunContext {
  std::uint64_t height = 0;
  std::uint64_t transaction_version = 1;
  Hash32 sighash{};
};

struct RunResult {
  std::string_view reason;    ///< empty: passed
  std::int64_t gas_left = 0;  ///< of meaning when passed
  bool passed() const { return reason.empty(); }
};

/// P2WPKH and P2WSH in the form that is run, anything else as it is (Bytom blocks 7.1).
Bytes expanded(ByteView program);
/// The wider form that BTM needs (Bytom blocks 7.1).
bool is_standard(ByteView program);

/// Pushes the arguments and runs the program, standard forms expanded. `gas` >= 0.
RunResult run_program(const RunContext& context, std::uint64_t vm_version, ByteView program, const Arguments& arguments,
                      std::int64_t gas, SignatureOracle& oracle);

}  // namespace sparkmill::blocks::bytom
