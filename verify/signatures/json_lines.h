// SPDX-License-Identifier: Apache-2.0
// Signatures as JSON lines, for people: an object a line, byte strings in hex. Layout: docs/signatures.md.
//   {"scheme":"ed25519","policy":"go","key":"..","signature":"..","message":".."}
// scheme and policy may stand in the first line only, or come from the caller; one stream has one of each.
#pragma once

#include <string>

#include "verify/signatures/stream.h"

namespace sparkmill::signatures {

/// Reads items from lines with a bounded buffer.
class JsonLinesReader {
 public:
  /// `form` nullptr: the first line names scheme and policy, and is read here. `what` names the input in errors.
  static Result<JsonLinesReader> open(ReadSome read, std::string what, const Form* form);
  const Form& form() const { return *form_; }
  std::uint64_t items_read() const { return items_; }
  /// As StreamReader::next. Errors: bad_input naming line and member, and what it should be.
  Done next(ItemList& list, std::size_t max_items, std::size_t max_bytes);

 private:
  JsonLinesReader() = default;
  /// The next line that is not blank; nothing at the end.
  Result<std::optional<std::string>> line();
  ReadSome read_;
  std::string what_;
  const Form* form_ = nullptr;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::optional<std::string> first_;
  std::uint64_t lines_ = 0, items_ = 0;
  bool ended_ = false;
};

/// One item as a line with its newline; `name_form`: with scheme and policy.
std::string json_line(const Form& form, ByteView key, ByteView signature, ByteView message, bool name_form);

}  // namespace sparkmill::signatures
