// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/file.h"
#include "worker/cli/verify_batch.h"

namespace sparkmill::cli {
namespace {

constexpr int kLookMs = 100;  // how long a stop request may wait for a silent input
constexpr int kPipeBytes = 1 << 20;

}  // namespace

Result<std::unique_ptr<BatchInput>> BatchInput::open(const std::string& path, const signatures::Form* form,
                                                     const StopToken& stop) {
  std::unique_ptr<BatchInput> in(new BatchInput);
  in->stop_ = stop;
  in->name_ = path == "-" ? "standard input" : path;
  in->owned_ = path != "-";
  in->file_ = in->owned_ ? ::open(path.c_str(), O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
  if (in->file_ < 0) return errno_error(errno, path);
#ifdef F_SETPIPE_SZ
  ::fcntl(in->file_, F_SETPIPE_SZ, kPipeBytes);  // no pipe, or not allowed: as it is
#endif
  Bytes look(signatures::kStreamMagic.size());
  std::size_t got = 0;
  while (got < look.size()) {
    SPARKMILL_ASSIGN(const std::size_t n, in->read(std::span(look).subspan(got)));
    if (n == 0) break;
    got += n;
  }
  look.resize(got);
  const bool packed = text(look) == signatures::kStreamMagic;
  in->ahead_ = std::move(look);
  const signatures::ReadSome read = [raw = in.get()](std::span<std::uint8_t> into) { return raw->read(into); };
  if (!packed) {
    SPARKMILL_ASSIGN(in->lines_, signatures::JsonLinesReader::open(read, in->name_, form));
    return in;
  }
  SPARKMILL_ASSIGN(in->packed_, signatures::StreamReader::open(read, in->name_));
  if (form != nullptr && form != &in->form()) {
    const auto name = [](const signatures::Form& f) {
      return std::string(f.scheme_name) + "/" + std::string(f.policy_name);
    };
    return fail(Status::bad_input, in->name_ + ": its header says " + name(in->form()) + ", not " + name(*form),
                "leave --scheme and --policy out, a packed stream names both");
  }
  return in;
}

BatchInput::~BatchInput() {
  if (owned_ && file_ >= 0) ::close(file_);
}

std::uint64_t BatchInput::announced() const {
  if (!packed_ || packed_->header().count == signatures::kUnknownCount) return 0;
  return packed_->header().count;
}

Done BatchInput::next(signatures::ItemList& list, std::size_t max_items, std::size_t max_bytes) {
  return packed_ ? packed_->next(list, max_items, max_bytes) : lines_->next(list, max_items, max_bytes);
}

Result<std::size_t> BatchInput::read(std::span<std::uint8_t> into) {
  if (ahead_at_ < ahead_.size()) {
    const std::size_t n = std::min(into.size(), ahead_.size() - ahead_at_);
    std::memcpy(into.data(), ahead_.data() + ahead_at_, n);
    ahead_at_ += n;
    return n;
  }
  while (true) {
    if (stop_.stop_requested()) return fail(Status::cancelled, "stopped");
    pollfd ready{file_, POLLIN, 0};
    const int looked = ::poll(&ready, 1, kLookMs);
    if (looked < 0 && errno != EINTR) return errno_error(errno, name_);
    if (looked <= 0) continue;
    const ssize_t n = ::read(file_, into.data(), into.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR && errno != EAGAIN) return errno_error(errno, name_);
  }
}

}  // namespace sparkmill::cli
