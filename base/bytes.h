// SPDX-License-Identifier: Apache-2.0
// Byte views, and little-endian readers and writers for everything that is hashed, signed or stored.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sparkmill {

static_assert(std::endian::native == std::endian::little, "kernels and file formats assume a little-endian host");

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;
using Hash32 = std::array<std::uint8_t, 32>;
using Id16 = std::array<std::uint8_t, 16>;

inline ByteView view(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view text(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Appends little-endian integers and raw bytes. `len_bytes` writes a u32 length first.
class ByteWriter {
 public:
  ByteWriter& u8(std::uint8_t v) { return put(v); }
  ByteWriter& u16(std::uint16_t v) { return put(v); }
  ByteWriter& u32(std::uint32_t v) { return put(v); }
  ByteWriter& u64(std::uint64_t v) { return put(v); }
  ByteWriter& i32(std::int32_t v) { return put(v); }
  ByteWriter& bytes(ByteView v) {
    out_.insert(out_.end(), v.begin(), v.end());
    return *this;
  }
  ByteWriter& bytes(std::string_view v) { return bytes(view(v)); }
  ByteWriter& len_bytes(ByteView v) { return u32(static_cast<std::uint32_t>(v.size())).bytes(v); }
  ByteWriter& len_bytes(std::string_view v) { return len_bytes(view(v)); }
  const Bytes& data() const& { return out_; }
  Bytes data() && { return std::move(out_); }

 private:
  template <class T>
  ByteWriter& put(T v) {
    const auto* p = reinterpret_cast<const std::uint8_t*>(&v);
    out_.insert(out_.end(), p, p + sizeof v);
    return *this;
  }
  Bytes out_;
};

/// Reads what ByteWriter wrote. The first read past the end sets `failed()`; later reads return zeros and empty views,
/// so a parser may read a whole layout and test once.
class ByteReader {
 public:
  explicit ByteReader(ByteView in) : in_(in) {}
  std::uint8_t u8() { return get<std::uint8_t>(); }
  std::uint16_t u16() { return get<std::uint16_t>(); }
  std::uint32_t u32() { return get<std::uint32_t>(); }
  std::uint64_t u64() { return get<std::uint64_t>(); }
  std::int32_t i32() { return get<std::int32_t>(); }
  ByteView bytes(std::size_t n) {
    if (failed_ || n > in_.size() - at_) {
      failed_ = true;
      return {};
    }
    ByteView v = in_.subspan(at_, n);
    at_ += n;
    return v;
  }
  template <std::size_t N>
  std::array<std::uint8_t, N> array() {
    std::array<std::uint8_t, N> a{};
    ByteView v = bytes(N);
    if (v.size() == N) std::memcpy(a.data(), v.data(), N);
    return a;
  }
  /// A u32 length and that many bytes; fails when the length is over `limit`.
  ByteView len_bytes(std::size_t limit) {
    std::uint32_t n = u32();
    if (n > limit) {
      failed_ = true;
      return {};
    }
    return bytes(n);
  }
  std::size_t left() const { return failed_ ? 0 : in_.size() - at_; }
  bool failed() const { return failed_; }
  /// True when everything was read and nothing was missing.
  bool done() const { return !failed_ && at_ == in_.size(); }

 private:
  template <class T>
  T get() {
    T v{};
    ByteView b = bytes(sizeof v);
    if (b.size() == sizeof v) std::memcpy(&v, b.data(), sizeof v);
    return v;
  }
  ByteView in_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace sparkmill
