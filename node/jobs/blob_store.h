// SPDX-License-Identifier: Apache-2.0
// Blobs on disk, one file each, named by SHA-256, under a limit of bytes.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>

#include "verify/job/job.h"

namespace sparkmill::node {

/// Thread-safe.
class BlobStore final : public job::BlobSource {
 public:
  /// Makes the folder, counts what is there and deletes leftovers of interrupted writes.
  static Result<std::unique_ptr<BlobStore>> open(const std::filesystem::path& folder, std::uint64_t limit_bytes);
  /// Durable when it returns. Errors: no_space (over the limit, or the disk is full), io_error.
  Result<Hash32> put(ByteView content);
  /// Error: not_found. The content was hashed by put(); a map keeps the file's bytes after remove().
  Result<job::Blob> get(const Hash32& sha) override;
  /// Where the blob lies; empty when it is not stored.
  std::filesystem::path path(const Hash32& sha);
  Done remove(const Hash32& sha);
  std::vector<Hash32> list();
  std::uint64_t bytes();

 private:
  BlobStore(std::filesystem::path folder, std::uint64_t limit) : folder_(std::move(folder)), limit_(limit) {}
  std::filesystem::path folder_;
  std::uint64_t limit_;
  std::mutex mutex_;
  std::map<Hash32, std::uint64_t> sizes_;
  std::uint64_t bytes_ = 0;
};

}  // namespace sparkmill::node
