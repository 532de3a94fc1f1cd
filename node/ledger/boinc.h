// SPDX-License-Identifier: Apache-2.0
// What the ledger takes for credit that was decided on BOINC servers (docs/boinc-credit.md; jobs and proofs 8, 9).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/keys/keys.h"
#include "node/protocol/boinc.h"
#include "node/protocol/boinc_claim.h"

namespace sparkmill::node {

/// How far one project is trusted. A chain parameter: each change is kept with the height it counts from.
struct CreditRule {
  Hash32 key{};                              ///< assimilator's Ed25519 key, or hash of the ownership key
  std::uint64_t weight_ppm = 1'000'000;      ///< of a foreign project's credit
  std::uint64_t max_day_microcobble = 0;     ///< of all accounts together, a day of the chain
  std::uint64_t max_result_microcobble = 0;  ///< our own projects only
  std::uint64_t generation = 1;              ///< raised by the operator after a project's credit was reset
  bool foreign = false;
  bool operator==(const CreditRule&) const = default;
};

/// One validated result of a project of our own; the caller has checked the assimilator's signature.
struct ResultCredit {
  std::string project;
  std::string result;
  Id16 job_id{};
  std::uint64_t user_id = 0;
  std::uint64_t host_id = 0;
  keys::PublicKey worker{};
  Hash32 output_hash{};
  std::uint64_t units = 0;        ///< counted by the validator
  std::uint64_t microcobble = 0;  ///< what they are worth by the project's weights
  CreditRule rule;
};

/// A binding whose signature the caller has checked.
struct AccountBinding {
  std::string project;
  std::uint64_t user_id = 0;
  Id16 cpid{};
  keys::PublicKey worker{};
  std::uint64_t time_s = 0;
};

/// What an export says of a bound account.
struct ExportEntry {
  Id16 cpid{};
  std::uint64_t total_micro = 0;
};

/// What one export did.
struct ExportReport {
  std::uint64_t microcobble = 0;  ///< credited in all
  std::uint32_t credited = 0;     ///< accounts
  std::uint32_t first_seen = 0;   ///< their totals are base lines now
  std::uint32_t unlisted = 0;     ///< bound, but not in the export
  std::uint32_t other_cpid = 0;
  std::uint32_t fallen = 0;  ///< totals below what was seen before: credit nothing until they are above again
  bool capped = false;       ///< the rest waits for a later day
};

/// A claim whose signature the caller has checked.
struct ResultClaim {
  std::string project;
  std::string result;
  Bytes claim;  ///< as signed
};

}  // namespace sparkmill::node
