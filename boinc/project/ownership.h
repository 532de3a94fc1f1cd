// SPDX-License-Identifier: Apache-2.0
// The page account_ownership.php: signs "<userid> <text>" for the owner of an account, so that somebody else can be
// shown whose it is (docs/boinc-credit.md). RSA with 2,048 bits, PKCS #1 v1.5, SHA-512, as BOINC's own page does.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"

namespace sparkmill::boinc::project {

/// Key pair `ownership_private`, `ownership_public` (PEM) in the project's keys/, made when it is first used.
/// Thread-safe.
class OwnershipSigner {
 public:
  explicit OwnershipSigner(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// Base64 of the PEM text: account_ownership_public_key of get_project_config.php. Errors: io_error, bad_input (a
  /// damaged key), refused (others may read it).
  Result<std::string> public_key();
  /// Base64 of the signature over exactly `message`. Errors as above.
  Result<std::string> sign(const std::string& message);

 private:
  Done open();
  const std::filesystem::path folder_;
  std::mutex mutex_;
  std::shared_ptr<void> key_;  // EVP_PKEY
};

/// Most that BOINC's page takes.
inline constexpr std::size_t kMaxOwnershipText = 4096;

/// The form (`signature` empty), or the box with what was signed; `message` is HTML already, as it was signed.
std::string ownership_page(const std::string& master_url, const std::string& message, const std::string& signature);

}  // namespace sparkmill::boinc::project
