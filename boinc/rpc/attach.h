// SPDX-License-Identifier: Apache-2.0
// Attaching the local client to a project until it really has a host there: the client's own "0" only says that it
// noted the URL. Source: BOINC page 1.4, pitfall 3.
#pragma once

#include <functional>

#include "boinc/rpc/client.h"

namespace sparkmill::boinc::rpc {

struct AttachOrder {
  std::string url;
  std::string account_key;  ///< else e-mail and password
  std::string email, password;
  bool create = false;                               ///< make the account when there is none
  std::string user_name;                             ///< of a new account
  unsigned patience_ms = 120'000;                    ///< for each of: project page, account, host id
  std::function<void(const std::string&)> say = {};  ///< gets a sentence for each step
  std::function<void(unsigned ms)> sleep = {};       ///< seam; empty: really sleeps
};

struct Attached {
  std::string url, name;
  std::int64_t host_id = 0;
};

/// Requires an authorised connection; all of it runs on that one. Errors: bad_input (URL, e-mail, key, password too
/// short), unreachable (the project), refused (password, key, accounts closed, consent, https, attach disabled),
/// duplicate (attached already), not_found (no such account, no BOINC project there), timeout, cancelled. When the
/// project turns out not to be one, or refuses the key, the client is detached again.
Result<Attached> attach(Client& client, const AttachOrder& order);

/// What the error code of a project means to who wanted to attach.
Error attach_error(int boinc_error, const std::string& url, const std::string& words);

}  // namespace sparkmill::boinc::rpc
