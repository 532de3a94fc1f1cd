// SPDX-License-Identifier: Apache-2.0
// Talking to the worker that runs on this machine: what the verbs status, pause, resume, finish and check share.
#pragma once

#include <string>

#include "base/http/client.h"
#include "worker/config/config.h"

namespace sparkmill::cli {

/// Where the API is: `given` (--api URL), else the address that the running worker left in its data folder, else
/// api.listen and api.port.
Result<http::Url> api_url(const config::Config& config, const std::string& given);

class LocalApi {
 public:
  LocalApi(http::Url url, std::filesystem::path token_file);
  /// Errors: unreachable (exit 6) when no worker answers; an answer >= 400 becomes its Error (401 and 403: refused).
  Result<std::string> get(const std::string& target);
  Result<std::string> post(const std::string& target, const std::string& json);

 private:
  Result<std::string> call(http::Request request);
  http::Client client_;
  std::filesystem::path token_file_;
};

}  // namespace sparkmill::cli
