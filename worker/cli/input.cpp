// SPDX-License-Identifier: Apache-2.0
#include "worker/cli/input.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/file.h"

namespace sparkmill::cli {
namespace {

constexpr int kLookMs = 50;  // how long a stop request may wait for a silent input
constexpr int kPipeBytes = 1 << 20;

/// Trying again does not help where the file is no file or is not ours, so these are no I/O errors.
Error open_error(int err, const std::string& path) {
  if (err == EACCES || err == EPERM || err == ELOOP || err == ENAMETOOLONG) {
    return fail(Status::bad_input, path + ": " + std::strerror(err));
  }
  return errno_error(err, path);
}

}  // namespace

Result<std::unique_ptr<Input>> Input::open(const std::string& path, const StopToken& stop) {
  std::unique_ptr<Input> in(new Input);
  in->stop_ = stop;
  in->name_ = path == "-" ? "standard input" : path;
  in->owned_ = path != "-";
  in->file_ = in->owned_ ? ::open(path.c_str(), O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
  if (in->file_ < 0) return open_error(errno, path);
  struct stat st {};
  if (::fstat(in->file_, &st) == 0) {
    if (S_ISDIR(st.st_mode)) return fail(Status::bad_input, in->name_ + ": is a folder, expected a file");
    if (S_ISREG(st.st_mode)) in->size_ = static_cast<std::uint64_t>(st.st_size);
  }
#ifdef F_SETPIPE_SZ
  ::fcntl(in->file_, F_SETPIPE_SZ, kPipeBytes);  // no pipe, or not allowed: as it is
#endif
  in->ahead_.resize(kAhead);
  return in;
}

Input::~Input() {
  if (owned_ && file_ >= 0) ::close(file_);
}

Result<std::size_t> Input::read_file(std::span<std::uint8_t> into) {
  while (true) {
    if (stop_.stop_requested()) return fail(Status::cancelled, "stopped");
    pollfd ready{file_, POLLIN, 0};
    const int looked = ::poll(&ready, 1, kLookMs);
    if (looked < 0 && errno != EINTR) return errno_error(errno, name_);
    if (looked <= 0) continue;
    const ssize_t n = ::read(file_, into.data(), into.size());
    if (n >= 0) {
      read_.fetch_add(static_cast<std::uint64_t>(n), std::memory_order_relaxed);
      return static_cast<std::size_t>(n);
    }
    if (errno != EINTR && errno != EAGAIN) return errno_error(errno, name_);
  }
}

Result<std::size_t> Input::read(std::span<std::uint8_t> into) {
  if (at_ == filled_) return read_file(into);
  const std::size_t n = std::min(into.size(), filled_ - at_);
  std::memcpy(into.data(), ahead_.data() + at_, n);
  at_ += n;
  return n;
}

/// Reads more behind what is there; false at the end. Requires room.
Result<bool> Input::fill() {
  if (at_ != 0) {
    std::memmove(ahead_.data(), ahead_.data() + at_, filled_ - at_);
    filled_ -= at_;
    at_ = 0;
  }
  SPARKMILL_ASSIGN(const std::size_t n, read_file(std::span(ahead_).subspan(filled_)));
  filled_ += n;
  return n != 0;
}

Result<ByteView> Input::look(std::size_t count) {
  while (filled_ - at_ < count) {
    SPARKMILL_ASSIGN(const bool more, fill());
    if (!more) break;
  }
  return ByteView(ahead_).subspan(at_, std::min(count, filled_ - at_));
}

Result<bool> Input::line(std::string& out, std::size_t most) {
  out.clear();
  ++line_;
  for (bool more = true; more;) {
    const auto* begin = reinterpret_cast<const char*>(ahead_.data()) + at_;
    const auto* end = static_cast<const char*>(std::memchr(begin, '\n', filled_ - at_));
    const std::size_t size = end != nullptr ? static_cast<std::size_t>(end - begin) : filled_ - at_;
    if (size > most - out.size()) {
      return fail(Status::too_large, here() + " is over " + std::to_string(most) + " bytes", "end it with a line feed");
    }
    out.append(begin, size);
    at_ += size + (end != nullptr ? 1 : 0);
    if (end != nullptr) return true;
    SPARKMILL_ASSIGN(more, fill());
  }
  if (out.empty()) --line_;
  return !out.empty();
}

}  // namespace sparkmill::cli
