// SPDX-License-Identifier: Apache-2.0
// Opening the worker's key file with its passphrase, from a file or asked for on the terminal.
#pragma once

#include <string>

#include "base/keys/keys.h"
#include "worker/config/config.h"

namespace sparkmill::cli {

/// A text that is wiped when it goes.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  ~Secret();
  Secret(Secret&& other) noexcept : text_(std::move(other.text_)) { other.wipe(); }
  Secret& operator=(Secret&& other) noexcept {
    wipe();
    text_ = std::move(other.text_);
    other.wipe();
    return *this;
  }
  Secret(const Secret&) = delete;
  const std::string& text() const { return text_; }

 private:
  void wipe();
  std::string text_;
};

/// The first line of the file of `passphrase_file`; empty when the setting is. Errors: not_found, refused (others may
/// read it), bad_input (empty).
Result<Secret> configured_passphrase(const config::Config& config);
/// Asks on the terminal without echo. Errors: refused when there is no terminal.
Result<Secret> ask_passphrase(const std::string& prompt);
/// Loads the key of the settings; a wrapped key whose passphrase is not configured is asked for. With `make`, a missing
/// file is made (wrapped when a passphrase is configured) and `*made` set.
Result<keys::KeyFile> open_key(const config::Config& config, bool make = false, bool* made = nullptr);

}  // namespace sparkmill::cli
