// SPDX-License-Identifier: Apache-2.0
#include "worker/store/blob_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/hash.h"
#include "base/hex.h"
#include "base/log.h"

namespace sparkmill::worker {

namespace fs = std::filesystem;

namespace {

constexpr char kPart[] = ".part";

/// Less than 32 MiB (or an eighth of a small disk) would be left.
bool disk_is_tight(const fs::path& dir, std::uint64_t more) {
  std::error_code ec;
  const fs::space_info space = fs::space(dir, ec);
  if (ec) return false;
  return space.available < more + std::min<std::uint64_t>(32u << 20, space.capacity / 8);
}

/// An append-only file of a running download.
class PartFile {
 public:
  ~PartFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  Done open(const fs::path& path) {
    path_ = path;
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0) return errno_error(errno, path.string());
    struct stat st {};
    if (::fstat(fd_, &st) != 0) return errno_error(errno, path.string());
    size_ = static_cast<std::uint64_t>(st.st_size);
    return done();
  }
  std::uint64_t size() const { return size_; }
  Done append(ByteView bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_error(errno, path_.string());
      size_ += static_cast<std::uint64_t>(n);
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return done();
  }
  Done cut(std::uint64_t size) {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return errno_error(errno, path_.string());
    size_ = size;
    return done();
  }

 private:
  fs::path path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace

Result<std::unique_ptr<BlobCache>> BlobCache::open(fs::path dir, std::uint64_t limit_bytes) {
  std::error_code ec;
  fs::create_directories(dir, ec);
  if (ec) return errno_error(ec.value(), dir.string());
  std::unique_ptr<BlobCache> cache(new BlobCache(dir, limit_bytes));
  std::vector<std::pair<fs::file_time_type, Hash32>> by_time;
  for (const auto& item : fs::directory_iterator(dir, ec)) {
    if (!item.is_regular_file(ec)) continue;
    const std::string name = item.path().filename().string();
    if (auto hash = array_from_hex<32>(name); hash) {
      Entry entry;
      entry.bytes = item.file_size(ec);
      cache->bytes_ += entry.bytes;
      cache->entries_.emplace(*hash, entry);
      by_time.emplace_back(item.last_write_time(ec), *hash);
    } else if (item.path().extension() == kPart &&
               fs::file_time_type::clock::now() - item.last_write_time(ec) > std::chrono::hours(24)) {
      fs::remove(item.path(), ec);  // nobody will go on with that download
    }
  }
  if (ec) return errno_error(ec.value(), dir.string());
  std::sort(by_time.begin(), by_time.end());
  for (const auto& [time, hash] : by_time) cache->entries_[hash].used = ++cache->clock_;
  return cache;
}

fs::path BlobCache::file(const Hash32& hash) const { return dir_ / to_hex(hash); }

job::Blob BlobCache::hold(Entry& entry, std::shared_ptr<const MappedFile> map) {
  entry.used = ++clock_;
  return {map->bytes(), map};
}

Result<job::Blob> BlobCache::get(const Hash32& hash) {
  std::lock_guard lock(mutex_);
  auto it = entries_.find(hash);
  if (it != entries_.end() && it->second.verified) {
    if (auto map = it->second.map.lock()) return hold(it->second, std::move(map));
  }
  return fail(Status::not_found, "blob " + to_hex(hash) + ": not in the cache");
}

Result<job::Blob> BlobCache::ensure(const Hash32& hash, const Fetch& fetch, const StopToken& stop) {
  {
    std::unique_lock lock(mutex_);
    while (entries_[hash].busy) {
      idle_.wait_for(lock, std::chrono::milliseconds(100));
      if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
    }
    Entry& entry = entries_[hash];
    if (auto map = entry.map.lock(); map && entry.verified) return hold(entry, std::move(map));
    entry.busy = true;
  }
  auto map = obtain(hash, fetch, stop);
  std::lock_guard lock(mutex_);
  Entry& entry = entries_[hash];
  entry.busy = false;
  idle_.notify_all();
  if (!map) {
    if (entry.bytes == 0) entries_.erase(hash);
    return map.error();
  }
  entry.map = *map;
  entry.verified = true;
  std::error_code ec;
  fs::last_write_time(file(hash), fs::file_time_type::clock::now(), ec);  // the order of use survives a restart
  return hold(entry, std::move(*map));
}

Result<std::shared_ptr<const MappedFile>> BlobCache::map_verified(const Hash32& hash) {
  auto map = MappedFile::open(file(hash));
  if (!map) return map.error();
  if (sha256((*map)->bytes()) == hash) return map;
  std::error_code ec;
  fs::remove(file(hash), ec);
  std::lock_guard lock(mutex_);
  Entry& entry = entries_[hash];
  bytes_ -= entry.bytes;
  entry.bytes = 0;
  return fail(Status::corrupt, "blob " + to_hex(hash) + ": the content does not match its hash");
}

Result<std::shared_ptr<const MappedFile>> BlobCache::obtain(const Hash32& hash, const Fetch& fetch,
                                                            const StopToken& stop) {
  std::error_code ec;
  if (fs::exists(file(hash), ec)) {
    auto map = map_verified(hash);
    if (map) return map;
    log::get("blobs")->warn("{}; fetching it again", map.error().message);
    std::lock_guard lock(mutex_);
    ++refetched_;
  }
  for (int attempt = 0;; ++attempt) {
    SPARKMILL_TRY(download(hash, fetch, stop));
    auto map = map_verified(hash);
    if (map || map.status() != Status::corrupt || attempt == 1) return map;
    log::get("blobs")->warn("{}; fetching it once more", map.error().message);
    std::lock_guard lock(mutex_);
    ++refetched_;
  }
}

Done BlobCache::download(const Hash32& hash, const Fetch& fetch, const StopToken& stop) {
  const fs::path part_path = file(hash).string() + kPart;
  PartFile part;
  SPARKMILL_TRY(part.open(part_path));
  const std::uint64_t start = part.size();
  Partial counted(*this);
  // Room is made as the bytes come: the size is not known before, and a liar's word for it would not count.
  const BlobCache::Sink sink = [&](ByteView bytes) -> Done {
    if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
    if (!counted.grow(part.size() + bytes.size())) {
      return fail(Status::too_large, "blob " + to_hex(hash) + ": does not fit into the blob cache",
                  "raise the size of the blob cache");
    }
    auto written = part.append(bytes);
    if (!written && written.status() == Status::no_space && shed()) written = part.append(bytes);
    return written;
  };
  auto answer = fetch(hash, start, limit_ - std::min(limit_, start), sink);
  if (!answer) {
    if (answer.status() == Status::too_large || answer.status() == Status::bad_input) (void)part.cut(0);
    return answer.error();
  }
  if (start != 0 && *answer != 206) {
    // The peer sent the whole file (or an error) where a rest was asked for: begin again, this time from the start.
    SPARKMILL_TRY(part.cut(0));
    answer = fetch(hash, 0, limit_, sink);
    if (!answer) return answer.error();
  }
  if (*answer != 200 && *answer != 206) {
    (void)part.cut(0);
    const Status code = *answer == 404 ? Status::not_found : *answer < 500 ? Status::refused : Status::unreachable;
    return fail(code, "blob " + to_hex(hash) + ": the node answered " + std::to_string(*answer));
  }
  std::error_code ec;
  fs::rename(part_path, file(hash), ec);
  if (ec) return errno_error(ec.value(), part_path.string());
  std::lock_guard lock(mutex_);
  Entry& entry = entries_[hash];
  bytes_ += part.size() - entry.bytes;
  entry.bytes = part.size();
  return done();
}

bool BlobCache::Partial::grow(std::uint64_t size) {
  if (size <= bytes_) return true;
  if (!cache_.make_room(size - bytes_)) return false;
  std::lock_guard lock(cache_.mutex_);
  cache_.partial_ += size - bytes_;
  bytes_ = size;
  return true;
}

BlobCache::Partial::~Partial() {
  std::lock_guard lock(cache_.mutex_);
  cache_.partial_ -= bytes_;
}

bool BlobCache::evict_oldest() {
  auto oldest = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    const Entry& e = it->second;
    if (e.bytes == 0 || e.busy || !e.map.expired()) continue;
    if (oldest == entries_.end() || e.used < oldest->second.used) oldest = it;
  }
  if (oldest == entries_.end()) return false;
  std::error_code ec;
  fs::remove(file(oldest->first), ec);
  bytes_ -= oldest->second.bytes;
  entries_.erase(oldest);
  return true;
}

bool BlobCache::make_room(std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  while (bytes_ + partial_ + bytes > limit_) {
    if (!evict_oldest()) return false;
  }
  // The store shares this disk and matters more: unused blobs go before it is full.
  while (disk_is_tight(dir_, bytes) && evict_oldest()) {
  }
  return true;
}

bool BlobCache::shed() {
  std::lock_guard lock(mutex_);
  bool any = false;
  while (evict_oldest()) any = true;
  return any;
}

std::uint64_t BlobCache::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

std::uint64_t BlobCache::refetched() const {
  std::lock_guard lock(mutex_);
  return refetched_;
}

}  // namespace sparkmill::worker
