// SPDX-License-Identifier: Apache-2.0
// Where the local BOINC client keeps its data, its socket and its GUI RPC password. Source: BOINC page 1.2.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace sparkmill::boinc::rpc {

struct Places {
  std::filesystem::path password_file;  ///< configured: then only this one
  std::filesystem::path data_dir;       ///< configured: then only this folder
  std::filesystem::path current = ".";
  std::filesystem::path properties = "/etc/boinc-client/config.properties";  ///< Debian: data_dir=...
  std::vector<std::filesystem::path> usual = {"/var/lib/boinc-client", "/var/lib/boinc"};
};

/// Folders that may be the client's data folder, in the order they are looked at.
std::vector<std::filesystem::path> data_dirs(const Places& places);

struct Password {
  std::string text;            ///< may be empty: Debian's default
  std::filesystem::path file;  ///< empty: there is no such file anywhere
};
/// First line of gui_rpc_auth.cfg, without white space around it. Errors: refused (a file that this user may not read:
/// the message names it and the group to join), io_error; not_found only for a configured file that is not there.
Result<Password> find_password(const Places& places);

/// The client's Unix socket (--gui_rpc_unix_domain), where there is one.
std::optional<std::filesystem::path> find_socket(const Places& places);

}  // namespace sparkmill::boinc::rpc
