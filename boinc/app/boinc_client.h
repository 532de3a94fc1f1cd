// SPDX-License-Identifier: Apache-2.0
// The client by libboinc_api. Its headers stay in boinc_client.cpp.
#pragma once

#include <memory>
#include <string>

#include "boinc/app/client.h"

namespace sparkmill::boinc::app {

/// boinc_init_options: before any thread is started. The library only sets flags (direct_process_action = 0), since a
/// GPU kernel must not be stopped at any instant; the caller polls wish(). Error: internal.
Result<std::unique_ptr<Client>> connect();

/// Ends of the process. finish() says whether all went well; the client then takes the result or counts an error.
[[noreturn]] void finish(int status);
/// Try again in `seconds`; the reason is shown to the user. Without a client: exit code 75.
[[noreturn]] void come_back_later(int seconds, const std::string& reason);
/// At once, without the finish file: after quit (0, the client starts the task again) and abort.
[[noreturn]] void leave(int status);

}  // namespace sparkmill::boinc::app
