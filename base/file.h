// SPDX-License-Identifier: Apache-2.0
// Whole-file reads with a limit, atomic durable writes, read-only maps.
#pragma once

#include <filesystem>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"

namespace sparkmill {

/// Reads a regular file. Errors: not_found, too_large (over `limit_bytes`), io_error; each names the path.
Result<Bytes> read_file(const std::filesystem::path& path, std::uint64_t limit_bytes);
Result<std::string> read_text_file(const std::filesystem::path& path, std::uint64_t limit_bytes);

/// Writes to a temporary beside `path`, fsyncs, renames, fsyncs the folder: a crash leaves the old or the new content.
/// `mode` are the POSIX permission bits. Errors: no_space, io_error.
Done write_file_atomic(const std::filesystem::path& path, ByteView content, unsigned mode = 0644);

/// Maps errno to a Status: ENOENT not_found, ENOSPC and EDQUOT no_space, otherwise io_error.
Error errno_error(int err, const std::string& what);

/// A read-only map of a file, shared and immutable. Pages are at least 8-byte aligned.
class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ByteView bytes() const { return {data_, size_}; }

 private:
  MappedFile() = default;
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace sparkmill
