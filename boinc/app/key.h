// SPDX-License-Identifier: Apache-2.0
// The application's key: one for each project on a host, in the project's folder, made at first use. Jobs and proofs 8.
#pragma once

#include "base/keys/keys.h"
#include "boinc/app/client.h"

namespace sparkmill::boinc::app {

/// EXIT_ABORTED_BY_CLIENT.
inline constexpr int kExitAborted = 194;

struct AppKey {
  keys::SigningKey key;  ///< role "envelope"
  Bytes statement;       ///< of the worker that the key belongs to; empty without one
};

/// Loads or makes the key (`file` empty: sparkmill-app.key in the project's folder, or here), writes sparkmill-app.pub
/// beside it for the companion, and reads the companion's statement. A statement that does not verify is left out with
/// a note. Two tasks that start at once end with one key. Errors: those of the key file.
Result<AppKey> open_app_key(const Task& task, const std::filesystem::path& file);

/// The companion's statement for that key as of now; empty without a good one. The key of a first unit is bound while
/// it computes.
Bytes current_statement(const Task& task, const std::filesystem::path& file, const keys::PublicKey& app_pub);

/// Notes the hash of a result file in sparkmill-app.results beside the key: the client deletes the file once it is
/// uploaded. Under a client only. Tasks that end at once may lose a line when the list is shortened; it is for claims,
/// nothing is decided by it.
void note_result(const Task& task, const std::string& result_name, const Hash32& hash);

}  // namespace sparkmill::boinc::app
