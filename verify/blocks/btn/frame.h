// SPDX-License-Identifier: Apache-2.0
// BtnCmd: the framing of BTN's commands on a stream. u32 flag | u32 length | body, big-endian; the body is UTF-8, a
// name and then, from its first '{' on, a JSON object.
//
// Source: "Consensus evidence" 3.5.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace sparkmill::btn {

inline constexpr std::uint32_t kFrameFlag = 0x42544E43;  ///< "BTNC"; the paper leaves the value open
inline constexpr std::size_t kMaxBody = 1u << 20;

enum class Param : std::uint8_t {
  none,    ///< the body is a name only
  object,  ///< exactly one JSON object (RFC 8259)
  invalid  ///< something else from the brace on; the command arrives all the same
};
std::string_view name(Param param);

struct Command {
  std::string name;
  std::string param_text;  ///< as it came
  Param param = Param::none;
  friend bool operator==(const Command&, const Command&) = default;
};

/// Takes a stream in any pieces. After an error everything further is ignored: the connection is to be closed.
/// Holds at most one frame and the piece just fed.
class FrameReader {
 public:
  explicit FrameReader(std::uint32_t flag = kFrameFlag) : flag_(flag) {}
  /// Appends the commands that are now complete.
  void feed(ByteView piece, std::vector<Command>& commands);
  /// Empty: the stream stands between two frames. "incomplete": within one. Else what closed it: bad_flag, bad_length,
  /// bad_utf8, empty_name.
  std::string_view end() const { return !error_.empty() ? error_ : buffer_.empty() ? "" : "incomplete"; }
  bool failed() const { return !error_.empty(); }

 private:
  bool next(ByteView& rest, Command& command);
  std::uint32_t flag_;
  Bytes buffer_;
  std::string_view error_;
};

/// One frame. Errors: bad_argument when the name is empty, holds '{' or is no UTF-8, when param_text is neither empty
/// nor a JSON object; too_large over kMaxBody.
Result<Bytes> encode_frame(std::string_view name, std::string_view param_text, std::uint32_t flag = kFrameFlag);

/// Strict UTF-8: no surrogates, nothing overlong, at most U+10FFFF.
bool is_utf8(std::string_view text);
/// Exactly one JSON object by the grammar of RFC 8259, white space around it allowed. Requires UTF-8. Any depth.
bool is_json_object(std::string_view text);

}  // namespace sparkmill::btn
