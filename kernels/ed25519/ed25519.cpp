// SPDX-License-Identifier: Apache-2.0
// Names of the policies, and the check of a batch that every row starts with.
#include "kernels/ed25519/ed25519.h"

namespace sparkmill::ed25519 {

std::string_view name(Policy policy) {
  switch (policy) {
    case Policy::go: return "go";
    case Policy::bytom_legacy: return "bytom_legacy";
    case Policy::rfc8032_canonical_cofactorless: return "rfc8032_canonical_cofactorless";
    case Policy::rfc8032_canonical_cofactored: return "rfc8032_canonical_cofactored";
    case Policy::zip215: return "zip215";
    case Policy::dalek_strict: return "dalek_strict";
  }
  return "unknown";
}

std::optional<Policy> policy_named(std::string_view wanted) {
  for (const Policy policy : kPolicies) {
    if (name(policy) == wanted) return policy;
  }
  return std::nullopt;
}

Done check(const kernels::SignatureBatch& batch, const kernels::SignatureResults& results) {
  return kernels::check(batch, results, {"ed25519", kKeyBytes, kSignatureBytes, kEvidenceBytes, 0});
}

}  // namespace sparkmill::ed25519
