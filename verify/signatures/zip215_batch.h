// SPDX-License-Identifier: Apache-2.0
// The randomised batch equation of Ed25519, for policy zip215 alone, which is exactly what it decides:
//   8 ((sum z_i S_i) B - sum z_i R_i - sum (z_i k_i) A_i) = 0, z_i of 127 random bits and odd.
// Items that make it fail are found by halving; the last ones are decided singly. A wrong item passes with probability
// 2^-127, a right one always. It is no default: the fast rows decide singles at a higher rate (docs/signatures.md).
// Variable time: everything is public.
// Source: the specification "Signatures and proofs" 1, "Why batches need care" and "Finding the bad item".
#pragma once

#include <cstdint>
#include <set>
#include <span>

#include "verify/signatures/batch.h"

namespace sparkmill::signatures {

struct Zip215Stats {
  std::size_t equations = 0;       ///< multi-scalar multiplications
  std::size_t equation_items = 0;  ///< items in them, each time counted
  std::size_t singles = 0;         ///< items that a kernel decided
};

/// Remembers which sources have sent a wrong signature: an adversary decides how many items are wrong, and from then on
/// singles are cheaper for his items.
class Zip215Batch {
 public:
  /// valid[i] = 1 or 0, exactly as the policy zip215 says for item i. `sources[i]` is who sent item i (empty: all one
  /// source, remembered until forget()). Singles run on `kernel`, of the family ed25519.
  /// Errors: those of check(); bad_argument (spans, another form, no kernel); cancelled; what the kernel reports.
  Done verify(const Form& form, const Items& items, std::span<const std::uint32_t> sources,
              std::span<std::uint8_t> valid, kernels::Kernel* kernel, const StopToken& stop);
  void forget() { distrusted_.clear(); }
  const Zip215Stats& stats() const { return stats_; }

 private:
  std::set<std::uint32_t> distrusted_;
  Zip215Stats stats_;
};

}  // namespace sparkmill::signatures
