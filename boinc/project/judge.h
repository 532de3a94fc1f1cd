// SPDX-License-Identifier: Apache-2.0
// Validator and assimilator as programs of their own, with the arguments and exit codes of BOINC's script_validator and
// script_assimilator (specs/boinc.md 4.3), so that the same programs serve here and on a real server:
//   VALIDATOR init FILE..            0 valid, 3 try later, other invalid
//   VALIDATOR compare A.. B..        0 equal, 3 try later, other different
//   ASSIMILATOR UNIT_ID FILE..       0 done, other try later
//   ASSIMILATOR --error MASK NAME UNIT_ID BATCH
// What a script_assimilator cannot pass, the assimilator finds in the environment: SPARKMILL_RESULT_IDS="RESULT USER
// HOST" of the canonical result, from the books.
#pragma once

#include <functional>

#include "base/child.h"
#include "boinc/project/books.h"

namespace sparkmill::boinc::project {

struct Programs {
  std::vector<std::string> validator;    ///< words before "init" or "compare"; empty: results stay undecided
  std::vector<std::string> assimilator;  ///< words before the arguments
  std::filesystem::path folder;          ///< where they run; it holds their last output
  std::uint64_t timeout_ms = 600'000;
};

/// How one run ended. A program that cannot start, is killed or takes too long has failed by itself: `later`.
enum class Opinion { yes, no, later };
struct Said {
  Opinion opinion = Opinion::later;
  std::string note;  ///< last line that it printed, or why it failed
};

/// Runs programs; tests hand in their own.
using Runner = std::function<Said(const std::vector<std::string>& words, const std::vector<std::string>& environment)>;
/// Starts words[0]; exit 0 yes, 3 later, other no. Errors of ours are `later`.
Runner program_runner(const Programs& programs, StopToken stop);

/// Path of an uploaded file by its name.
using FilePath = std::function<std::filesystem::path(std::string_view name)>;

/// The rules of specs/boinc.md 4.2 over a unit's results. Error: later, with the note.
Result<Validation> validate(const ToValidate& unit, const std::vector<std::string>& validator, const Runner& run,
                            const FilePath& path);

/// Error: later, with the note.
Done assimilate(const ToAssimilate& unit, const std::vector<std::string>& assimilator, const Runner& run,
                const FilePath& path);

}  // namespace sparkmill::boinc::project
