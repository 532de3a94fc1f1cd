// SPDX-License-Identifier: Apache-2.0
// Compiled device programs kept between runs in $XDG_CACHE_HOME/sparkmill (or ~/.cache/sparkmill). A cache may always
// be lost: a bad entry reads as absent, a folder that cannot be written is no error.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace sparkmill::kernels {

/// Where programs are kept; empty when neither XDG_CACHE_HOME nor HOME is an absolute path.
std::filesystem::path program_cache_folder();

/// Key of a program: everything that decides what the compiler makes of it.
Hash32 program_key(std::string_view source, std::string_view device, std::string_view driver, std::string_view options);

class ProgramCache {
 public:
  explicit ProgramCache(std::filesystem::path folder = program_cache_folder()) : folder_(std::move(folder)) {}
  /// The stored binary, if there is one and its checksum holds.
  std::optional<Bytes> load(const Hash32& key) const;
  /// True when the binary was stored. Never an error: it is rebuilt next time.
  bool store(const Hash32& key, ByteView binary) const;
  /// Takes an entry away that the driver refused.
  void forget(const Hash32& key) const;
  std::filesystem::path path(const Hash32& key) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace sparkmill::kernels
