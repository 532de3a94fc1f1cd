// SPDX-License-Identifier: Apache-2.0
// Reading states and items of a blob of blocks: the first field that does not fit is kept with its name, and nothing is
// allocated that the blob's size does not pay for. Private to verify/job.
#pragma once

#include <string>

#include "base/bytes.h"

namespace sparkmill::job {

class BlockFields {
 public:
  explicit BlockFields(ByteReader& r) : r_(r) {}

  std::uint8_t u8() { return r_.u8(); }
  std::uint32_t u32() { return r_.u32(); }
  std::uint64_t u64() { return r_.u64(); }
  template <std::size_t N>
  std::array<std::uint8_t, N> array() {
    return r_.array<N>();
  }
  /// A number up to `highest`.
  std::uint32_t choice(const char* field, std::uint32_t value, std::uint32_t highest) {
    if (!r_.failed() && value > highest) no(field, std::to_string(value) + ", at most " + std::to_string(highest));
    return std::min(value, highest);
  }
  /// How many records follow, of at least `least` bytes each.
  std::uint32_t count(const char* field, std::size_t most, std::size_t least) {
    const std::uint32_t n = r_.u32();
    if (n > most) {
      no(field, std::to_string(n) + ", at most " + std::to_string(most));
    } else if (n * least > r_.left()) {
      no(field, "cut off");
    } else {
      return n;
    }
    return 0;
  }
  /// A u32 length and that many bytes.
  ByteView bytes(const char* field, std::size_t most) {
    const std::uint32_t n = r_.u32();
    if (n > most) {
      no(field, std::to_string(n) + " bytes, at most " + std::to_string(most));
      return {};
    }
    if (n > r_.left()) no(field, "cut off");
    return r_.bytes(n);
  }
  void no(const char* field, const std::string& why) {
    if (error_.empty()) error_ = std::string(field) + ": " + why;
  }
  /// What did not fit; empty: nothing so far.
  std::string error() const { return error_.empty() && r_.failed() ? "cut off" : error_; }

 private:
  ByteReader& r_;
  std::string error_;
};

}  // namespace sparkmill::job
