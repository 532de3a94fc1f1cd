// SPDX-License-Identifier: Apache-2.0
// What the verify commands read: a file or standard input of any length, as bytes or as lines. A read that waits for a
// silent pipe ends when a stop is asked for.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/stop.h"

namespace sparkmill::cli {

class Input {
 public:
  /// `path` "-" is standard input. Errors: not_found, bad_input (a folder, no right to read it), io_error.
  static Result<std::unique_ptr<Input>> open(const std::string& path, const StopToken& stop);
  ~Input();
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  /// What is there, at least a byte; 0 at the end. Errors: io_error, cancelled.
  Result<std::size_t> read(std::span<std::uint8_t> into);
  /// The next bytes without taking them, fewer than `count` only at the end. Requires count <= kAhead. Valid until the
  /// next call. Errors: as read().
  Result<ByteView> look(std::size_t count);
  /// The next line without its end; false behind the last one, which may lack its end. Errors: as read(), and
  /// too_large over `most` bytes, which names the line.
  Result<bool> line(std::string& out, std::size_t most);

  const std::string& name() const { return name_; }
  std::string here() const { return name_ + ": line " + std::to_string(line_); }      ///< the line that was read last
  std::uint64_t line_number() const { return line_; }                                 ///< from 1
  std::uint64_t size() const { return size_; }                                        ///< of a file; 0: not known
  std::uint64_t bytes_read() const { return read_.load(std::memory_order_relaxed); }  ///< from any thread

  static constexpr std::size_t kAhead = std::size_t{1} << 20;

 private:
  Input() = default;
  Result<std::size_t> read_file(std::span<std::uint8_t> into);
  Result<bool> fill();

  int file_ = -1;
  bool owned_ = false;
  std::string name_;
  StopToken stop_;
  Bytes ahead_;  ///< [at_, filled_) was read and not taken
  std::size_t at_ = 0, filled_ = 0;
  std::uint64_t size_ = 0, line_ = 0;
  std::atomic<std::uint64_t> read_ = 0;
};

}  // namespace sparkmill::cli
