// SPDX-License-Identifier: Apache-2.0
// Program cache. Entry: "SMDP" | u32 version = 1 | key[32] | SHA-256 of the binary[32] | binary.
#include "kernels/backend/program_cache.h"

#include <cstdlib>
#include <system_error>

#include "base/file.h"
#include "base/hash.h"
#include "base/hex.h"

namespace sparkmill::kernels {

namespace {
constexpr std::string_view kMagic = "SMDP";
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kMaxEntryBytes = 64u << 20;
constexpr std::size_t kHeaderBytes = 4 + 4 + 32 + 32;
}  // namespace

std::filesystem::path program_cache_folder() {
  // The XDG rule: a relative path is to be ignored.
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg != nullptr && xdg[0] == '/')
    return std::filesystem::path(xdg) / "sparkmill";
  if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/')
    return std::filesystem::path(home) / ".cache" / "sparkmill";
  return {};
}

Hash32 program_key(std::string_view source, std::string_view device, std::string_view driver,
                   std::string_view options) {
  ByteWriter w;
  w.bytes("sparkmill/program/v1").len_bytes(source).len_bytes(device).len_bytes(driver).len_bytes(options);
  return sha256(w.data());
}

std::filesystem::path ProgramCache::path(const Hash32& key) const { return folder_ / (to_hex(key) + ".program"); }

std::optional<Bytes> ProgramCache::load(const Hash32& key) const {
  if (folder_.empty()) return std::nullopt;
  Result<Bytes> file = read_file(path(key), kMaxEntryBytes);
  if (!file || file->size() <= kHeaderBytes) return std::nullopt;
  ByteReader r(*file);
  const bool known = text(r.bytes(4)) == kMagic && r.u32() == kVersion;
  const bool ours = r.array<32>() == key;
  const Hash32 sum = r.array<32>();
  const ByteView binary = r.bytes(r.left());
  if (!known || !ours || sha256(binary) != sum) return std::nullopt;
  return Bytes(binary.begin(), binary.end());
}

bool ProgramCache::store(const Hash32& key, ByteView binary) const {
  if (folder_.empty() || binary.empty() || binary.size() > kMaxEntryBytes - kHeaderBytes) return false;
  std::error_code ec;
  std::filesystem::create_directories(folder_, ec);
  if (ec) return false;
  ByteWriter w;
  w.bytes(kMagic).u32(kVersion).bytes(key).bytes(sha256(binary)).bytes(binary);
  return write_file_atomic(path(key), w.data(), 0600).ok();
}

void ProgramCache::forget(const Hash32& key) const {
  std::error_code ec;
  if (!folder_.empty()) std::filesystem::remove(path(key), ec);
}

}  // namespace sparkmill::kernels
