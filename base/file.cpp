// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

namespace sparkmill {

namespace {

struct Fd {
  int fd = -1;
  ~Fd() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

Error errno_error(int err, const std::string& what) {
  const std::string message = what + ": " + std::strerror(err);
  if (err == ENOENT || err == ENOTDIR) return fail(Status::not_found, message);
  if (err == ENOSPC || err == EDQUOT) return fail(Status::no_space, message, "free some space on that file system");
  return fail(Status::io_error, message);
}

Result<Bytes> read_file(const std::filesystem::path& path, std::uint64_t limit_bytes) {
  Fd f{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (f.fd < 0) return errno_error(errno, path.string());
  struct stat st {};
  if (::fstat(f.fd, &st) != 0) return errno_error(errno, path.string());
  if (S_ISDIR(st.st_mode)) return fail(Status::bad_input, path.string() + ": is a folder, expected a file");
  Bytes out;
  std::array<std::uint8_t, 65536> chunk;
  if (S_ISREG(st.st_mode))
    out.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(limit_bytes, static_cast<std::uint64_t>(st.st_size))));
  for (;;) {
    const ssize_t n = ::read(f.fd, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, path.string());
    if (n == 0) return out;
    out.insert(out.end(), chunk.begin(), chunk.begin() + n);
    if (out.size() > limit_bytes) {
      return fail(Status::too_large, path.string() + ": over the limit of " + std::to_string(limit_bytes) + " bytes");
    }
  }
}

Result<std::string> read_text_file(const std::filesystem::path& path, std::uint64_t limit_bytes) {
  auto bytes = read_file(path, limit_bytes);
  if (!bytes) return bytes.error();
  return std::string(text(*bytes));
}

Done write_file_atomic(const std::filesystem::path& path, ByteView content, unsigned mode) {
  static std::atomic<unsigned> counter{0};
  const std::filesystem::path temporary =
      path.string() + ".tmp." + std::to_string(::getpid()) + "." + std::to_string(counter++);
  Error failure{};
  {
    Fd f{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)};
    if (f.fd < 0) return errno_error(errno, path.string());
    std::size_t at = 0;
    int err = 0;
    while (at < content.size() && err == 0) {
      const ssize_t n = ::write(f.fd, content.data() + at, content.size() - at);
      if (n >= 0) {
        at += static_cast<std::size_t>(n);
      } else if (errno != EINTR) {
        err = errno;
      }
    }
    if (err == 0 && ::fsync(f.fd) != 0) err = errno;
    if (err == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) err = errno;
    if (err != 0) {
      ::unlink(temporary.c_str());
      return errno_error(err, path.string());
    }
  }
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  Fd d{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (d.fd >= 0) ::fsync(d.fd);
  return done();
}

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::filesystem::path& path) {
  Fd f{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (f.fd < 0) return errno_error(errno, path.string());
  struct stat st {};
  if (::fstat(f.fd, &st) != 0) return errno_error(errno, path.string());
  if (!S_ISREG(st.st_mode)) return fail(Status::bad_input, path.string() + ": not a regular file");
  std::shared_ptr<MappedFile> map(new MappedFile);
  map->size_ = static_cast<std::size_t>(st.st_size);
  if (map->size_ != 0) {
    void* p = ::mmap(nullptr, map->size_, PROT_READ, MAP_SHARED, f.fd, 0);
    if (p == MAP_FAILED) return errno_error(errno, path.string());
    map->data_ = static_cast<const std::uint8_t*>(p);
  }
  return std::shared_ptr<const MappedFile>(std::move(map));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::uint8_t*>(data_), size_);
}

}  // namespace sparkmill
