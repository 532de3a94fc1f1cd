// SPDX-License-Identifier: Apache-2.0
// The upload handler (specs/boinc.md 2.6): resume, limits, certificates, checksums. A file counts when it is complete,
// its MD5 is right and it has its final name on disk; only then do the books know it.
#pragma once

#include <filesystem>
#include <mutex>
#include <set>

#include "base/http/message.h"
#include "boinc/project/books.h"
#include "boinc/project/signing.h"

namespace sparkmill::boinc::project {

class Uploads {
 public:
  /// Files end in `folder`/<hex>/<name>, their beginnings wait in `folder`/incoming.
  Uploads(std::filesystem::path folder, Books& books, std::string public_key)
      : folder_(std::move(folder)), books_(books), public_key_(std::move(public_key)) {}
  /// Always 200; the status inside is 0 ok, 1 try again later, -1 give up.
  http::Response handle(std::string_view body);
  std::filesystem::path path(std::string_view name) const;

 private:
  Done take(const UploadRequest& request);
  Result<std::uint64_t> stored(const std::string& name);
  std::filesystem::path part(std::string_view name) const { return folder_ / "incoming" / name; }

  const std::filesystem::path folder_;
  Books& books_;
  const std::string public_key_;
  std::mutex mutex_;
  std::set<std::string> busy_;  ///< names that a connection is writing
};

}  // namespace sparkmill::boinc::project
