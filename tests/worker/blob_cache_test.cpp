// SPDX-License-Identifier: Apache-2.0
#include "worker/store/blob_cache.h"

#include <fstream>

#include "base/file.h"
#include "base/hash.h"
#include "base/hex.h"
#include "tests/worker/support.h"

namespace sparkmill::worker {
namespace {

using testing::TempFolder;

Bytes content(std::uint8_t seed, std::size_t size) {
  Bytes b(size);
  for (std::size_t i = 0; i < size; ++i) b[i] = static_cast<std::uint8_t>(seed + i * 31 + i / 251);
  return b;
}

/// A peer that serves one content in chunks, counts calls and can be told to misbehave.
struct Peer {
  Bytes bytes;
  int calls = 0;
  std::uint64_t last_offset = 0;
  std::uint64_t cut_after = UINT64_MAX;  ///< the line breaks after that many bytes, once
  int wrong = 0;                         ///< so many answers have a flipped bit
  bool ignore_range = false;
  bool endless = false;

  BlobCache::Fetch fetch() {
    return
        [this](const Hash32&, std::uint64_t offset, std::uint64_t limit, const BlobCache::Sink& sink) -> Result<int> {
          ++calls;
          last_offset = offset;
          Bytes out(bytes.begin() + static_cast<std::ptrdiff_t>(ignore_range ? 0 : offset), bytes.end());
          if (wrong > 0 && !out.empty()) {
            --wrong;
            out.back() ^= 1;
          }
          std::uint64_t sent = 0;
          for (;;) {
            for (std::size_t at = 0; at < out.size(); at += 1000) {
              const std::size_t n = std::min<std::size_t>(1000, out.size() - at);
              if (sent + n > cut_after) {
                cut_after = UINT64_MAX;
                return fail(Status::unreachable, "cut");
              }
              sent += n;
              if (sent > limit) return fail(Status::too_large, "over the limit");
              SPARKMILL_TRY(sink(ByteView(out).subspan(at, n)));
            }
            if (!endless) break;
          }
          return offset != 0 && !ignore_range ? 206 : 200;
        };
  }
};

TEST(BlobCache, FetchesOnceAndMaps) {
  TempFolder folder;
  auto cache = BlobCache::open(folder.path() / "blobs", 1u << 20);
  ASSERT_TRUE(cache);
  Peer peer{content(1, 50'000)};
  const Hash32 hash = sha256(peer.bytes);
  EXPECT_EQ((*cache)->get(hash).status(), Status::not_found);
  auto blob = (*cache)->ensure(hash, peer.fetch(), {});
  ASSERT_TRUE(blob) << blob.error().message;
  EXPECT_TRUE(std::equal(blob->bytes.begin(), blob->bytes.end(), peer.bytes.begin(), peer.bytes.end()));
  ASSERT_TRUE((*cache)->ensure(hash, peer.fetch(), {}));
  EXPECT_TRUE((*cache)->get(hash));
  EXPECT_EQ(peer.calls, 1);
  EXPECT_EQ((*cache)->bytes(), 50'000u);
}

TEST(BlobCache, ResumesABrokenDownloadAlsoAfterARestart) {
  TempFolder folder;
  Peer peer{content(2, 90'000)};
  peer.cut_after = 40'000;
  const Hash32 hash = sha256(peer.bytes);
  {
    auto cache = BlobCache::open(folder.path(), 1u << 20);
    EXPECT_EQ((*cache)->ensure(hash, peer.fetch(), {}).status(), Status::unreachable);
  }
  auto cache = BlobCache::open(folder.path(), 1u << 20);
  ASSERT_TRUE((*cache)->ensure(hash, peer.fetch(), {}));
  EXPECT_EQ(peer.calls, 2);
  EXPECT_EQ(peer.last_offset, 40'000u);
}

TEST(BlobCache, StartsAgainWhenRangesAreIgnored) {
  TempFolder folder;
  auto cache = BlobCache::open(folder.path(), 1u << 20);
  Peer peer{content(3, 90'000)};
  peer.cut_after = 40'000;
  peer.ignore_range = true;
  const Hash32 hash = sha256(peer.bytes);
  EXPECT_FALSE((*cache)->ensure(hash, peer.fetch(), {}));
  ASSERT_TRUE((*cache)->ensure(hash, peer.fetch(), {}));
  EXPECT_EQ(peer.last_offset, 0u);
}

TEST(BlobCache, FetchesAWrongDownloadOnceMoreThenGivesUp) {
  TempFolder folder;
  auto cache = BlobCache::open(folder.path(), 1u << 20);
  Peer once{content(4, 9'000)};
  once.wrong = 1;
  ASSERT_TRUE((*cache)->ensure(sha256(once.bytes), once.fetch(), {}));
  EXPECT_EQ(once.calls, 2);
  EXPECT_EQ((*cache)->refetched(), 1u);
  Peer always{content(5, 9'000)};
  always.wrong = 100;
  auto bad = (*cache)->ensure(sha256(always.bytes), always.fetch(), {});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.status(), Status::corrupt);
  EXPECT_EQ(always.calls, 2);
  EXPECT_EQ((*cache)->bytes(), 9'000u) << "the wrong content must not stay";
}

TEST(BlobCache, ReplacesACachedFileThatRotted) {
  TempFolder folder;
  Peer peer{content(6, 20'000)};
  const Hash32 hash = sha256(peer.bytes);
  { ASSERT_TRUE((*BlobCache::open(folder.path(), 1u << 20))->ensure(hash, peer.fetch(), {})); }
  std::fstream f(folder.path() / to_hex(hash), std::ios::in | std::ios::out | std::ios::binary);
  f.seekp(777);
  f.put('\x7f');
  f.close();
  auto cache = BlobCache::open(folder.path(), 1u << 20);
  auto blob = (*cache)->ensure(hash, peer.fetch(), {});
  ASSERT_TRUE(blob);
  EXPECT_EQ(sha256(blob->bytes), hash);
  EXPECT_EQ(peer.calls, 2);
  EXPECT_EQ((*cache)->refetched(), 1u);
}

TEST(BlobCache, EvictsTheOldestButNeverABlobInUse) {
  TempFolder folder;
  auto cache = BlobCache::open(folder.path(), 100'000);
  Peer a{content(7, 40'000)}, b{content(8, 40'000)}, c{content(9, 40'000)}, d{content(10, 70'000)};
  auto held = (*cache)->ensure(sha256(a.bytes), a.fetch(), {});
  ASSERT_TRUE(held);
  ASSERT_TRUE((*cache)->ensure(sha256(b.bytes), b.fetch(), {}));
  ASSERT_TRUE((*cache)->ensure(sha256(c.bytes), c.fetch(), {})) << "b is not in use and makes room";
  EXPECT_FALSE(std::filesystem::exists(folder.path() / to_hex(sha256(b.bytes))));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / to_hex(sha256(a.bytes))));
  auto big = (*cache)->ensure(sha256(d.bytes), d.fetch(), {});
  ASSERT_FALSE(big) << "a is in use, so 70,000 bytes cannot fit";
  EXPECT_EQ(big.status(), Status::too_large);
  *held = {};
  ASSERT_TRUE((*cache)->ensure(sha256(d.bytes), d.fetch(), {}));
  EXPECT_LE((*cache)->bytes(), 100'000u);
}

TEST(BlobCache, GivesWayOnAFullDisk) {
  TempFolder folder;
  testing::SmallDisk disk(folder.path() / "disk", 200);
  if (!disk.ok) GTEST_SKIP() << "this user may not mount a tmpfs";
  auto cache = BlobCache::open(folder.path() / "disk", 1u << 30);
  for (std::uint8_t i = 0; i < 12; ++i) {
    Peer peer{content(static_cast<std::uint8_t>(100 + i), 60'000)};
    ASSERT_TRUE((*cache)->ensure(sha256(peer.bytes), peer.fetch(), {})) << "blob " << int(i);
  }
  Peer big{content(99, 300'000)};
  EXPECT_EQ((*cache)->ensure(sha256(big.bytes), big.fetch(), {}).status(), Status::no_space);
}

TEST(BlobCache, StopsAnEndlessBody) {
  TempFolder folder;
  auto cache = BlobCache::open(folder.path(), 300'000);
  Peer peer{content(11, 50'000)};
  peer.endless = true;
  auto blob = (*cache)->ensure(sha256(peer.bytes), peer.fetch(), {});
  ASSERT_FALSE(blob);
  EXPECT_EQ(blob.status(), Status::too_large);
  std::uint64_t on_disk = 0;
  for (const auto& item : std::filesystem::directory_iterator(folder.path())) on_disk += item.file_size();
  EXPECT_LE(on_disk, 300'000u);
}

}  // namespace
}  // namespace sparkmill::worker
