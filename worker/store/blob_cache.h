// SPDX-License-Identifier: Apache-2.0
// Content-addressed inputs on disk: DIR/<sha256 hex>, downloads in DIR/<sha256 hex>.part with range resume, verified
// before use, mapped read-only, evicted oldest use first. A blob that somebody holds is never evicted.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>

#include "base/stop.h"
#include "verify/job/job.h"

namespace sparkmill::worker {

class BlobCache final : public job::BlobSource {
 public:
  using Sink = std::function<Done(ByteView)>;
  /// Streams the blob from byte `offset` on into the sink, at most `limit` bytes; returns the HTTP status (200 or 206
  /// are success, others mean that nothing useful was sent). Errors: as http::Client::download.
  using Fetch =
      std::function<Result<int>(const Hash32& hash, std::uint64_t offset, std::uint64_t limit, const Sink& sink)>;

  /// Creates the folder, learns what is there and forgets downloads that nobody went on with for a day.
  static Result<std::unique_ptr<BlobCache>> open(std::filesystem::path dir, std::uint64_t limit_bytes);

  /// The blob, verified: from disk, else fetched. A cached file with wrong content is removed and fetched again; a
  /// download with wrong content is fetched once more from the start, then Status::corrupt. Other errors: too_large
  /// (does not fit beside the blobs in use), no_space, unreachable, timeout, refused, not_found, cancelled, io_error.
  Result<job::Blob> ensure(const Hash32& hash, const Fetch& fetch, const StopToken& stop);
  /// Only what ensure() has made available; not_found otherwise.
  Result<job::Blob> get(const Hash32& hash) override;

  /// Evicts every unused blob, for a disk that is full before the limit is reached. False: there was none.
  bool shed();

  std::uint64_t bytes() const;  ///< on disk, without partial downloads
  std::uint64_t refetched() const;

 private:
  struct Entry {
    std::uint64_t bytes = 0;
    std::uint64_t used = 0;  ///< logical time of the last use
    bool verified = false;
    bool busy = false;  ///< one thread is verifying or fetching it
    std::weak_ptr<const MappedFile> map;
  };

  /// What a running download has on disk counts against the limit while it runs.
  class Partial {
   public:
    explicit Partial(BlobCache& cache) : cache_(cache) {}
    ~Partial();
    Partial(const Partial&) = delete;
    /// False: it does not fit beside the blobs in use.
    bool grow(std::uint64_t size);

   private:
    BlobCache& cache_;
    std::uint64_t bytes_ = 0;
  };

  BlobCache(std::filesystem::path dir, std::uint64_t limit) : dir_(std::move(dir)), limit_(limit) {}
  std::filesystem::path file(const Hash32& hash) const;
  job::Blob hold(Entry& entry, std::shared_ptr<const MappedFile> map);
  Result<std::shared_ptr<const MappedFile>> obtain(const Hash32& hash, const Fetch& fetch, const StopToken& stop);
  Result<std::shared_ptr<const MappedFile>> map_verified(const Hash32& hash);
  Done download(const Hash32& hash, const Fetch& fetch, const StopToken& stop);
  /// Evicts unused blobs until `bytes` more fit. False: what is left is in use.
  bool make_room(std::uint64_t bytes);
  bool evict_oldest();  ///< with the mutex held

  std::filesystem::path dir_;
  std::uint64_t limit_;
  mutable std::mutex mutex_;
  std::condition_variable idle_;
  std::map<Hash32, Entry> entries_;
  std::uint64_t bytes_ = 0;
  std::uint64_t partial_ = 0;
  std::uint64_t clock_ = 0;
  std::uint64_t refetched_ = 0;
};

}  // namespace sparkmill::worker
