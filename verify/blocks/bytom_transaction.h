// SPDX-License-Identifier: Apache-2.0
// Validity of one transaction, given the height of its block (Bytom blocks 8).
#pragma once

#include "verify/blocks/bytom_vm.h"

namespace sparkmill::blocks::bytom {

/// From this height on no transaction may spend an output twice.
inline constexpr std::uint64_t kUniqueInputsFrom = 142'500;

/// `first`: it is transaction 0. reason "undecided": a program left the VM's part; nothing else is then known.
TransactionFacts judge_transaction(const Transaction& tx, const TransactionIds& ids, std::uint64_t height, bool first,
                                   SignatureOracle& oracle);

}  // namespace sparkmill::blocks::bytom
