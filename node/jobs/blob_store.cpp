// SPDX-License-Identifier: Apache-2.0
#include "node/jobs/blob_store.h"

#include "base/hash.h"
#include "base/hex.h"

namespace sparkmill::node {

namespace fs = std::filesystem;

Result<std::unique_ptr<BlobStore>> BlobStore::open(const fs::path& folder, std::uint64_t limit_bytes) {
  std::error_code ec;
  fs::create_directories(folder, ec);
  if (ec) return errno_error(ec.value(), folder.string());
  std::unique_ptr<BlobStore> store(new BlobStore(folder, limit_bytes));
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    std::error_code file_error;
    const auto size = entry.file_size(file_error);
    const auto sha = array_from_hex<32>(entry.path().filename().string());
    if (sha && !file_error) {
      store->sizes_[*sha] = size;
      store->bytes_ += size;
    } else {
      fs::remove(entry.path(), file_error);
    }
  }
  if (ec) return errno_error(ec.value(), folder.string());
  return store;
}

Result<Hash32> BlobStore::put(ByteView content) {
  const Hash32 sha = sha256(content);
  {
    // The place is taken first, so that two writers together stay under the limit.
    std::lock_guard lock(mutex_);
    if (sizes_.count(sha)) return sha;
    if (bytes_ + content.size() > limit_) {
      return fail(Status::no_space,
                  "blobs: " + std::to_string(bytes_ + content.size()) + " bytes would exceed the limit of " +
                      std::to_string(limit_),
                  "raise the node's blob limit, or let workers finish jobs first");
    }
    bytes_ += content.size();
  }
  const Done written = write_file_atomic(folder_ / to_hex(sha), content);
  std::lock_guard lock(mutex_);
  if (!written) {
    bytes_ -= content.size();
    return written.error();
  }
  if (!sizes_.emplace(sha, content.size()).second) bytes_ -= content.size();
  return sha;
}

Result<job::Blob> BlobStore::get(const Hash32& sha) {
  const fs::path file = path(sha);
  if (file.empty()) return fail(Status::not_found, "blob " + to_hex(sha) + ": not stored here");
  SPARKMILL_ASSIGN(const std::shared_ptr<const MappedFile> map, MappedFile::open(file));
  return job::Blob{map->bytes(), map};
}

fs::path BlobStore::path(const Hash32& sha) {
  std::lock_guard lock(mutex_);
  return sizes_.count(sha) ? folder_ / to_hex(sha) : fs::path();
}

Done BlobStore::remove(const Hash32& sha) {
  std::lock_guard lock(mutex_);
  auto it = sizes_.find(sha);
  if (it == sizes_.end()) return done();
  std::error_code ec;
  fs::remove(folder_ / to_hex(sha), ec);
  if (ec) return errno_error(ec.value(), (folder_ / to_hex(sha)).string());
  bytes_ -= it->second;
  sizes_.erase(it);
  return done();
}

std::vector<Hash32> BlobStore::list() {
  std::lock_guard lock(mutex_);
  std::vector<Hash32> out;
  for (const auto& [sha, size] : sizes_) out.push_back(sha);
  return out;
}

std::uint64_t BlobStore::bytes() {
  std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace sparkmill::node
