// SPDX-License-Identifier: Apache-2.0
// Tables of the worker's store and the steps from one schema version to the next.
#pragma once

#include <string>

#include "base/sqlite.h"

namespace sparkmill::worker {

inline constexpr int kSchemaVersion = 4;
inline constexpr char kNewerHint[] = "use the newer program that wrote it, or another data folder";

/// Checks the file's structure and brings it to kSchemaVersion. Error: corrupt (damaged, or newer than this program).
/// Throws sqlite::Failure.
Done migrate(sqlite::Database& db, const std::string& name);

}  // namespace sparkmill::worker
