// SPDX-License-Identifier: Apache-2.0
// A fresh folder that goes with its owner.
#pragma once

#include <filesystem>

#include "base/hash.h"
#include "base/hex.h"

namespace sparkmill::testing {

class TempFolder {
 public:
  TempFolder() : path_(std::filesystem::temp_directory_path() / ("sparkmill-" + to_hex(random_array<8>()))) {
    std::filesystem::create_directories(path_);
  }
  ~TempFolder() {
    std::error_code ec;
    std::filesystem::remove_all(path_, ec);
  }
  TempFolder(const TempFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace sparkmill::testing
