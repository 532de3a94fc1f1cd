// SPDX-License-Identifier: Apache-2.0
// Text pieces of HTTP/1.1 shared by server and client: header blocks, ranges, event parsing. No sockets here.
#pragma once

#include <functional>
#include <string>

#include "base/http/message.h"
#include "base/result.h"

namespace sparkmill::http {

std::string lower(std::string_view text);
std::string_view reason_phrase(int status);

/// Status line and headers of an answer whose body has `length` bytes. Line breaks inside values are dropped.
std::string head_text(const Response& response, std::uint64_t length, bool keep_alive);

/// Request line and headers. Errors: bad_argument for control characters in method, target or headers.
Result<std::string> request_text(const Request& request, const std::string& target, const std::string& host);

/// A `Range` header against a file of `size` bytes. One range of bytes is served; everything else that is well-formed
/// or not understood is `whole`, as RFC 9110 14.2 allows.
struct Range {
  enum Kind { whole, part, unsatisfiable } kind = whole;
  std::uint64_t first = 0;
  std::uint64_t last = 0;  ///< inclusive
};
Range parse_range(std::string_view header, std::uint64_t size);

/// Server-sent events, fed in pieces of any size. `feed` returns false once the callback did; an event or line over
/// `limit` bytes is an Error.
class EventParser {
 public:
  using Callback = std::function<bool(std::string_view event, std::string_view data)>;
  EventParser(const Callback& callback, std::uint64_t limit) : callback_(callback), limit_(limit) {}
  Result<bool> feed(std::string_view bytes);

 private:
  bool line(std::string_view text);
  const Callback& callback_;
  std::uint64_t limit_;
  std::string line_;
  std::string event_;
  std::string data_;
  bool has_data_ = false;
};

}  // namespace sparkmill::http
