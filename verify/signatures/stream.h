// SPDX-License-Identifier: Apache-2.0
// The packed form of many items, for streams and blobs: a header of 32 bytes that says all sizes, then records without
// padding. It is read and written from front to back, never seeked. Layout: docs/formats.md, "Signature stream".
//
//   header: "SMSG" | u16 version 1 | u16 scheme | u16 policy | u16 key bytes | u16 signature bytes, ffff: a u16 length
//           stands before each | u16 0 | u32 message bytes, ffffffff: a u32 length stands before each | u32 0 |
//           u64 count, all ones: until the end
//   record: key | signature | message
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "verify/signatures/batch.h"

namespace sparkmill::signatures {

inline constexpr std::size_t kStreamHeaderBytes = 32;
inline constexpr std::string_view kStreamMagic = "SMSG";
inline constexpr std::uint64_t kUnknownCount = ~std::uint64_t{0};

struct StreamHeader {
  const Form* form = nullptr;
  std::optional<std::uint32_t> message_bytes;  ///< of every message; nothing: each has its length in front
  std::uint64_t count = kUnknownCount;
};

Bytes encode(const StreamHeader& header);
/// Reads exactly kStreamHeaderBytes. Errors: bad_input naming the field; unsupported for a version or form that this
/// build does not know.
Result<StreamHeader> decode_stream_header(ByteView bytes, std::string_view what);

/// Appends one record. Requires sizes that fit the header (checked: bad_input, as ItemList::add).
Done append_record(const StreamHeader& header, ByteView key, ByteView signature, ByteView message, Bytes& out);
/// Bytes of a record when all are equal; 0 when records carry lengths.
std::size_t record_bytes(const StreamHeader& header);

/// Fills up to `into.size()` bytes; 0 is the end of the input.
using ReadSome = std::function<Result<std::size_t>(std::span<std::uint8_t> into)>;

/// Reads items from a source of bytes with a bounded buffer.
class StreamReader {
 public:
  /// Reads and checks the header. `what` names the input in errors.
  static Result<StreamReader> open(ReadSome read, std::string what);
  const StreamHeader& header() const { return header_; }
  std::uint64_t items_read() const { return items_; }
  /// Replaces the content of `list` (of the same form) by the next items: at most `max_items`, and no more than
  /// `max_bytes` unless a single item is larger. 0 items: the stream ended as its header says.
  /// Errors: bad_input naming item (from 0) and byte offset when it is cut off, too long or goes on after its count.
  Done next(ItemList& list, std::size_t max_items, std::size_t max_bytes);

 private:
  StreamReader() = default;
  Result<bool> fill(std::size_t bytes);
  Error broken(const std::string& how) const;
  ReadSome read_;
  std::string what_;
  StreamHeader header_;
  Bytes buffer_;
  std::size_t begin_ = 0, end_ = 0;
  std::uint64_t items_ = 0, offset_ = 0;
  bool ended_ = false;
};

/// A whole stream in memory: what a job's blob is. Errors: as StreamReader; too_large over `max_items`.
Result<ItemList> decode_stream(ByteView bytes, std::string_view what, std::uint64_t max_items);
/// Header with its count, then all records; messages of one length are packed without lengths.
Bytes encode_stream(const Form& form, const Items& items);

}  // namespace sparkmill::signatures
