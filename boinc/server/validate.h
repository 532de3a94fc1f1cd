// SPDX-License-Identifier: Apache-2.0
// The validator's two questions. Whether one result is right (verifier mode: the file is copied and its hash logged
// before the draw is made, and a draw is never repeated), and whether two have the same answer.
// Source: jobs and proofs 6, 8; BOINC page 4.3.
#pragma once

#include <span>

#include "boinc/server/project.h"
#include "verify/proof/proof.h"

namespace sparkmill::boinc::server {

/// The verdict on an uploaded file; once found it is kept and given again. Refusals beside those of check_result:
/// "no_file", "wrong_name" (not a name of ours), "exchanged" (another content than when it was drawn for), "malformed",
/// "bad_signature". A refused result that its key did sign voids what is held for that key.
/// Errors are our own failures: unknown unit, missing inputs, database, kernel.
Result<proof::Verdict> validate(Project& project, const std::filesystem::path& file);

/// Whether two results have the same answer; digests and keys always differ. A file that is none of ours equals
/// nothing. Error: a file that cannot be read.
Result<bool> same_answers(std::span<const std::filesystem::path> a, std::span<const std::filesystem::path> b);

/// Exit codes of script_validator's programs.
inline constexpr int kExitValid = 0;
inline constexpr int kExitInvalid = 1;
inline constexpr int kExitTransient = 3;

}  // namespace sparkmill::boinc::server
