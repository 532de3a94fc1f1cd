// SPDX-License-Identifier: Apache-2.0
// The assimilator: canonical results into the job's answer, and receipts for those who computed.
// Source: jobs and proofs 8; BOINC page 4.3, 5.
#pragma once

#include "boinc/server/project.h"

namespace sparkmill::boinc::server {

struct Assimilated {
  std::string unit;
  std::string result;
  bool again = false;     ///< it was counted before: nothing changed
  bool job_done = false;  ///< the job's answer is there, at jobs/<id>/answer
  std::uint64_t units_left = 0;
};

/// Takes the canonical result of a unit. Validates it if nobody did. Idempotent; the unit's other accepted results with
/// the same answer get receipts, too (quorum). Errors: refused (not valid: the message says why; or the unit has
/// another canonical result), not_found (unknown unit), our own failures.
Result<Assimilated> assimilate(Project& project, const std::filesystem::path& file);

/// A unit that the server gave up, with its error mask (BOINC page 4.2). Errors: not_found (unknown unit).
Result<std::string> give_up(Project& project, std::string_view unit, std::uint32_t mask);

/// Signs receipts whose hold is over, writes them, and publishes draws.json and the roots of days with receipts;
/// today's only with `today`. Returns how many receipts were signed.
Result<std::uint64_t> publish(Project& project, bool today);

/// {"jobs": [{id, kind, units, done, failed, answer}], "receipts": {held, signed, void}}.
Result<std::string> status_json(Project& project);

}  // namespace sparkmill::boinc::server
