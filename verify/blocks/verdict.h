// SPDX-License-Identifier: Apache-2.0
// What every check of a block, checkpoint, seal or round says. A wrong item is a value of this type, never an Error:
// Errors are for the caller's mistakes and for devices. Source: "Consensus evidence" 1, "Bytom blocks" 9 and 10.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace sparkmill::blocks {

/// For checks that report nothing beside the verdict.
struct NoFacts {
  friend bool operator==(const NoFacts&, const NoFacts&) = default;
};

/// `Facts`: what the check found out on its way (ids, counts, power, fees), filled as far as the check came. A plain
/// value type of the check's own header; the same item gives the same facts whatever else is in its batch.
template <class Facts = NoFacts>
struct Verdict {
  bool ok = false;
  std::string_view
      reason;          ///< stable code of the first failing check in the specification's order, a literal; empty: ok
  std::string detail;  ///< one sentence with the numbers, for people; may be empty
  Facts facts{};
};

template <class Facts = NoFacts>
Verdict<Facts> accepted(Facts facts = {}) {
  return {true, {}, {}, std::move(facts)};
}
template <class Facts = NoFacts>
Verdict<Facts> refused(std::string_view reason, std::string detail = {}, Facts facts = {}) {
  return {false, reason, std::move(detail), std::move(facts)};
}

}  // namespace sparkmill::blocks
