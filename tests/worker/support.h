// SPDX-License-Identifier: Apache-2.0
// Temporary folders, small tmpfs mounts and rows for the tests of the running worker.
#pragma once

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "worker/store/store.h"

namespace sparkmill::testing {

class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "sparkmill-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
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

/// A tmpfs of `kib` KiB mounted on `at` while it lives; `ok` is false where this user may not mount.
class SmallDisk {
 public:
  SmallDisk(const std::filesystem::path& at, unsigned kib) : at_(at) {
    std::filesystem::create_directories(at);
    ok = ::mount("tmpfs", at.c_str(), "tmpfs", 0, ("size=" + std::to_string(kib) + "k").c_str()) == 0;
  }
  ~SmallDisk() {
    if (ok) ::umount2(at_.c_str(), MNT_DETACH);
  }
  bool ok = false;

 private:
  std::filesystem::path at_;
};

inline Id16 id_number(std::uint8_t n) {
  Id16 id{};
  id[0] = n;
  id[15] = 0xa5;
  return id;
}

inline worker::LeaseRow lease_row(std::uint8_t n) {
  worker::LeaseRow r;
  r.lease_id = id_number(n);
  r.job_id = id_number(static_cast<std::uint8_t>(n + 100));
  r.node_pub[3] = 7;
  r.job = Bytes{1, 2, 3, n};
  r.deadline_ms = 1'000'000 + n;
  r.attempt = 2;
  r.openings = 128;
  return r;
}

inline protocol::Receipt receipt_for(const worker::LeaseRow& lease, bool accepted) {
  protocol::Receipt r;
  r.id = lease.lease_id;
  r.job_id = lease.job_id;
  r.accepted = accepted;
  r.reason = accepted ? "accepted" : "leaf_mismatch";
  r.units = 1000;
  r.credit_microcobble = 77;
  r.height = 5;
  return r;
}

}  // namespace sparkmill::testing
