// SPDX-License-Identifier: Apache-2.0
// Scheduler replies and the pages of the account calls, as text (specs/boinc.md 2.2, 2.4). Pure.
#pragma once

#include <string>

#include "boinc/project/books.h"

namespace sparkmill::boinc::project {

/// How the project presents itself.
struct Face {
  std::string name;    ///< "Sparkmill demo"
  std::string master;  ///< canonical master URL, with '/' at its end
  std::string scheduler() const { return master + "cgi"; }
  std::string upload() const { return master + "file_upload_handler"; }
  std::string download(std::string_view file) const;
};

/// The whole reply. `code_key_text` is sent when the answer says that the client has none.
std::string reply_text(const Answer& answer, const Face& face, const Policy& policy, const SigningKey& code_key,
                       const SigningKey& upload_key);
/// A reply that only says `message` and asks to come back after `delay_s`.
std::string refusal_text(const Face& face, const std::string& message, std::uint32_t delay_s);

std::string config_text(const Face& face, const Catalog& catalog, const std::string& ownership_key);
std::string account_text(const std::string& authenticator);  ///< empty: only that it exists
std::string account_error_text(int number, const std::string& message);

/// stats/user: one <user> each, as db_dump writes them.
std::string user_stats_text(const std::vector<UserView>& users);
/// A gzip file of `content`, stored without compression: readers want the format, nobody waits for the bytes.
Bytes gzip_stored(std::string_view content);

}  // namespace sparkmill::boinc::project
